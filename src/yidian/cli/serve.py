"""The server: granian's worker processes, and a ticker process beside them that keeps time."""

import contextlib
import errno
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click
import django
from django.apps import apps
from django.db import DatabaseError, close_old_connections, connections
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

logger = logging.getLogger(__name__)

# A worker, bound to one processor. A cached page costs 16 µs of processor with 16 threads or 8, 23 with 4, and 26 with
# 4 threads that may wander between processors, fighting over the interpreter's lock. Sixteen also means that
# fifteen slow requests delay nobody.
BLOCKING_THREADS = 16
BACKPRESSURE = 512  # requests waiting in one worker before granian stops reading new ones
STOP_SECONDS = 20  # for a worker to finish its requests and write its view counts; then it is killed
TICK = 1.0  # seconds between looks for purges left behind by a killed process
GLANCE = 0.25  # seconds between looks for changes that search has to learn: each is found within a second
MINUTE = 60.0  # seconds between scheduled publications
QUICK_DEATH = 5.0  # seconds; a server that dies this soon, QUICK_DEATHS times running, is not restarted
QUICK_DEATHS = 5


def serve(host: str = "127.0.0.1", port: int = 8000, workers: int = 1) -> int:
    """Serves until SIGTERM or SIGINT and answers the exit status: 0 after a clean stop, 1 when it could not
    start.

    ``port`` 0 takes a free one. Needs a migrated database and ``DJANGO_SETTINGS_MODULE``.
    """
    try:
        address, port = _free_address(host, port)
    except OSError as error:
        click.echo(_cannot_listen(host, port, error), err=True)
        return 1
    # A process manager may change its mind while we are still loading; granian has handlers of its own later.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        _prepare()
        stop_ticker = _start_ticker(address, port)
    except SystemExit:
        return 0
    try:
        return _run_server(address, port, workers)
    finally:
        stop_ticker()


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _free_address(host: str, port: int) -> tuple[str, int]:
    """The numeric address and port to listen on; OSError when that is impossible.

    granian binds with SO_REUSEPORT, which would share the port with another server without a word, so the
    port is tried here without it.
    """
    family, kind, protocol, _name, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        attempt.bind(where)
        attempt.listen(1)
        return attempt.getsockname()[:2]


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"无法监听：找不到地址 {host}。请检查 --host。"
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return f"端口 {port} 已被占用。请停掉占用它的程序，或换一个端口：yidian serve --port {other}"
    if error.errno == errno.EACCES:
        return f"没有权限监听端口 {port}。请换一个 1024 以上的端口，例如：yidian serve --port 8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"无法监听：本机没有地址 {host}。请检查 --host，例如 127.0.0.1 或 0.0.0.0。"
    return f"无法监听 {host}:{port}：{error.strerror or error}。"


def _prepare() -> None:
    """Loads the application once for all workers, and carries out purges a killed process left behind."""
    django.setup()
    from yidian.pagecache.actions import clear_cache, drain_purges

    _load()
    if _survive("清除缓存页面", drain_purges) is None:
        # Without the database nobody knows which pages were to go.
        _survive("清空页面缓存", clear_cache)
    # No connection may be carried over into the workers.
    connections.close_all()


def _load() -> Callable:
    from yidian.site.wsgi import application

    return application


def load_in_worker(parent: int) -> Callable:
    """The WSGI application for a granian worker, which ends itself when its parent is gone."""
    # A Ctrl+C reaches the whole process group. The parent stops the workers; stopping twice would look like
    # a crash.
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    threading.Thread(target=_end_with, args=(parent,), name="parent-watch", daemon=True).start()
    application = _load()
    if apps.is_installed("yidian.search"):
        threading.Thread(target=warm_search, name="warm-search", daemon=True).start()
    return application


def warm_search() -> None:
    """Reads the dictionaries that a first search would wait a second for; what fails here, that search will tell.

    They stay as long as the process, so that looking for garbage passes over them: in half a million objects a full
    collection takes 0.2 s, and some reader would wait for it.
    """
    from yidian.search.ask import meant
    from yidian.search.library import NotReady, library
    from yidian.triage.screen import screen

    screen("腿抽筋")
    with contextlib.suppress(NotReady):
        library().engine().search("xiaotui 抽经")
        meant("xiaotui 抽经")
    gc.freeze()


def _bind_to_processor(parent: int) -> None:
    """Keeps this worker on the processor that the fewest workers of ``parent`` are bound to; on Linux only."""
    if not hasattr(os, "sched_setaffinity"):
        return
    with contextlib.suppress(OSError):
        allowed = os.sched_getaffinity(0)
        used = dict.fromkeys(sorted(allowed), 0)
        for task in Path(f"/proc/{parent}/task").iterdir():
            for sibling in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    bound = os.sched_getaffinity(int(sibling))
                    if len(bound) == 1 and bound <= allowed:
                        used[bound.pop()] += 1
        if len(allowed) > 1:
            os.sched_setaffinity(0, {min(used, key=used.__getitem__)})


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(TICK / 2)
    # As a process manager would: the worker finishes its requests and writes its view counts. Asked again, because
    # a worker just being started does not listen yet.
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(TICK / 2)
    os.kill(os.getpid(), signal.SIGKILL)


def _run_server(address: str, port: int, workers: int) -> int:
    quick_deaths = 0
    while True:
        server = Granian(
            "yidian.site.wsgi:application",
            address=address,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=BLOCKING_THREADS,
            backpressure=BACKPRESSURE,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.error,
            respawn_failed_workers=True,
            respawn_interval=0.1,
            workers_kill_timeout=STOP_SECONDS,
        )
        started = time.monotonic()
        try:
            server.serve(target_loader=_Loader(os.getpid()), wrap_loader=False)
        except SystemExit as end:
            if not server.interrupt_signal and end.code:
                logger.error("服务进程接连退出，正在重新启动")
        if server.interrupt_signal:
            return 0
        # granian gives up when a worker dies twice within seconds, as under memory pressure. Readers are
        # better served by trying again, unless it cannot even start.
        quick_deaths = quick_deaths + 1 if time.monotonic() - started < QUICK_DEATH else 0
        if quick_deaths >= QUICK_DEATHS:
            click.echo("服务无法启动，请查看上面的错误信息。", err=True)
            return 1
        time.sleep(TICK)


class _Loader:
    """What granian calls in a worker; a class, because it is pickled where processes are spawned."""

    def __init__(self, parent: int):
        self.parent = parent
        self.turn = multiprocessing.Lock()

    def __call__(self) -> Callable:
        # One after the other, so that each sees where the others are. A worker killed in its turn holds nobody up.
        taken = self.turn.acquire(timeout=1)
        try:
            _bind_to_processor(self.parent)
        finally:
            if taken:
                self.turn.release()
        return load_in_worker(self.parent)


def _start_ticker(address: str, port: int) -> Callable[[], None]:
    """Starts the ticker process, restarts it if it dies, and answers the function that ends it."""
    method = "fork" if multiprocessing.get_start_method() == "fork" else "spawn"
    context = multiprocessing.get_context(method)
    stopping = threading.Event()
    current: list = []

    def start(announce: tuple[str, int] | None = None) -> None:
        process = context.Process(target=tick, args=(os.getpid(), announce), name="ticker")
        process.start()
        current[:] = [process]

    def watch() -> None:
        while not stopping.is_set():
            current[0].join()
            if not stopping.wait(TICK):
                logger.error("计时进程意外退出，正在重新启动")
                start()

    def stop() -> None:
        stopping.set()
        process = current[0]
        process.terminate()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()

    start((address, port))
    threading.Thread(target=watch, name="ticker-watch", daemon=True).start()
    return stop


def tick(parent: int, announce: tuple[str, int] | None = None) -> None:
    """Runs in a process of its own until told to stop or until ``parent`` is gone.

    Four times a second: changes that search has to learn, and further reading for a few entries. Each second: purges
    left behind, and whether the search index has to be built, which happens beside all this. Each minute: publications
    and removals whose hour has come, and forgetting view events that can no longer arrive. No error ends it.
    """
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_args: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and stops this process last
    django.setup()
    if announce:
        _announce(*announce, stopping)
    from yidian.pagecache.actions import drain_purges
    from yidian.readership.buffer import BATCH, prune_events

    searched = apps.is_installed("yidian.search")
    if searched:
        from yidian.related.upkeep import Upkeep
        from yidian.search.library import library

        reading = Upkeep()
    last_minute = last_second = 0.0
    pruning = False
    building = threading.Thread()
    while not stopping.is_set() and os.getppid() == parent:
        now = time.monotonic()
        if searched:
            _survive("更新检索索引", lambda: library().catch_up(once=True))
            _survive("更新延展阅读", reading.tick)
        if now - last_second < TICK:
            stopping.wait(GLANCE)
            continue
        last_second = now
        _survive("清除缓存页面", drain_purges)
        if searched and not building.is_alive() and _survive("检查检索索引", library().is_due):
            building = threading.Thread(target=_survive, args=("重建检索索引", _build_search), daemon=True)
            building.start()
        if now - last_minute >= MINUTE or not last_minute:
            last_minute = now
            pruning = True
            if apps.is_installed("yidian.editorial"):
                from yidian.editorial.schedules import keep_schedules
                from yidian.editorial.unanswered import forget_old

                _survive("定时发布", keep_schedules)
                _survive("清理未解答的问题", forget_old)
        if pruning:
            pruning = _survive("清理计数记录", prune_events) == BATCH
        stopping.wait(GLANCE)
    connections.close_all()


def _build_search() -> None:
    """In a thread of its own: purges and publications wait for no index."""
    from yidian.search.library import library

    try:
        library().build()
    finally:
        connections.close_all()


def _announce(address: str, port: int, stopping: threading.Event) -> None:
    """Prints the address once it answers: a script may wait for the line."""
    # Every address of the machine is not one that a browser can open.
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 compared, not bound
    while not stopping.wait(0.05):
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            shown = f"[{address}]" if ":" in address else address
            click.echo(f"医典已启动：http://{shown}:{port}/  按 Ctrl+C 停止。")
            sys.stdout.flush()
            return


_complained: dict[str, float] = {}


def _survive(what: str, work: Callable[[], object]) -> object:
    """The result of ``work``; None when it failed, which is logged once a minute and tried again later."""
    try:
        close_old_connections()
        return work()
    except Exception as error:  # the ticker has to outlive any fault of one of its tasks
        if isinstance(error, DatabaseError):
            connections.close_all()
        now = time.monotonic()
        if now - _complained.get(what, -MINUTE) >= MINUTE:
            _complained[what] = now
            logger.exception("%s失败，稍后自动重试", what)
        return None
