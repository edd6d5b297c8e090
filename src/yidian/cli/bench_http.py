"""What a cached page costs over HTTP, beside nginx serving the same page precompressed from a file."""

import contextlib
import http.client
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yidian

NGINX = """
worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; gzip_static on;
  default_type text/html;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
START_SECONDS = 60.0  # for a server to answer its first request; a cold start under load takes ten


class CannotMeasure(Exception):
    """Why there is no figure, said to people."""


def measure_cached(
    url_path: str,
    *,
    rounds: int = 5,
    seconds: int = 3,
    connections: int = 16,
    workers: int = 1,
    ports: range | None = None,
) -> dict:
    """CPU time a request and requests a second of one cached page, alternating with nginx ``gzip_static``.

    The site's own database and settings are used; ``url_path`` must be a page that the cache keeps. CPU time
    is user plus system of all processes of a server, from /proc, divided by the requests wrk saw answered;
    wrk's own CPU is in neither. ``cpu_share`` is nginx's CPU time a request over ours of the same round: 1.0 is
    as cheap as nginx. Every figure is min, median and max over the rounds.

    Without wrk, nginx or /proc: ``{"skipped": why}``.
    """
    try:
        for program, package in (("wrk", "wrk"), ("nginx", "nginx")):
            if _program(program) is None:
                raise CannotMeasure(f"缺少 {program}，无法测量。Debian 可用 apt install {package} 安装。")
        if not Path("/proc/self/stat").exists():
            raise CannotMeasure("本系统没有 /proc，无法测量处理器时间。")
        return _measure(url_path, rounds, seconds, connections, workers, ports)
    except CannotMeasure as reason:
        return {"skipped": str(reason)}


def _measure(url_path: str, rounds: int, seconds: int, connections: int, workers: int, ports: range | None) -> dict:
    ours: list[dict] = []
    theirs: list[dict] = []
    with tempfile.TemporaryDirectory(prefix="yidian-bench-") as folder, contextlib.ExitStack() as stack:
        port = _free_port(ports)
        granian = stack.enter_context(_granian(port, workers))
        zipped, plain = _cached_page(port, url_path)
        file_port = _free_port(ports, but=port)
        nginx = stack.enter_context(_nginx(Path(folder), file_port, workers, zipped, plain))
        for number in range(rounds):
            turns = [(ours, granian, port, url_path), (theirs, nginx, file_port, "/page.html")]
            # Who goes first alternates too: on a shared machine the second often finds it warmer.
            for figures, process, where, path in turns if number % 2 == 0 else reversed(turns):
                figures.append(_round(process, f"http://127.0.0.1:{where}{path}", seconds, connections))
    return {
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {
            "yidian": yidian.__version__,
            "python": platform.python_version(),
            "granian": _version_of("granian"),
            "nginx": _nginx_version(),
        },
        "page": {"path": url_path, "bytes": len(plain), "gzipped_bytes": len(zipped)},
        "setup": {"rounds": rounds, "seconds": seconds, "connections": connections, "workers": workers},
        "yidian": _summary(ours),
        "nginx_gzip_static": _summary(theirs),
        "ratios": {
            "cpu_share": _spread([n["cpu_us"] / y["cpu_us"] for y, n in zip(ours, theirs, strict=True)]),
            "requests_per_second": _spread(
                [y["requests_per_second"] / n["requests_per_second"] for y, n in zip(ours, theirs, strict=True)]
            ),
        },
    }


@contextlib.contextmanager
def _granian(port: int, workers: int) -> Iterator[subprocess.Popen]:
    program = f"import sys; from yidian.cli.serve import serve; sys.exit(serve('127.0.0.1', {port}, {workers}))"
    # A session of its own, so that Ctrl+C on the bench stops the server through us, once.
    process = subprocess.Popen(  # noqa: S603 our own interpreter and program
        [sys.executable, "-c", program], stdout=subprocess.DEVNULL, start_new_session=True
    )
    with _stopped_after(process):
        _await_answer(process, port, "/")
        yield process


@contextlib.contextmanager
def _nginx(folder: Path, port: int, workers: int, zipped: bytes, plain: bytes) -> Iterator[subprocess.Popen]:
    (folder / "www").mkdir()
    folder.chmod(0o755)  # nginx started as root reads as another user
    (folder / "www" / "page.html").write_bytes(plain)
    (folder / "www" / "page.html.gz").write_bytes(zipped)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, workers=workers))
    process = subprocess.Popen(  # noqa: S603 nginx from the PATH, our own configuration
        [_program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with _stopped_after(process):
        _await_answer(process, port, "/page.html")
        status, headers, body = _get(port, "/page.html")
        if status != 200 or headers.get("content-encoding") != "gzip" or body != zipped:
            raise CannotMeasure("nginx 没有送出预先压缩好的页面，可能编译时没有 gzip_static。")
        yield process


@contextlib.contextmanager
def _stopped_after(process: subprocess.Popen) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen, port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CannotMeasure("服务没有启动，请先用 yidian serve 查看错误信息。")
        with contextlib.suppress(OSError, http.client.HTTPException):
            _get(port, path)
            return
        time.sleep(0.1)
    raise CannotMeasure(f"服务在 {START_SECONDS:.0f} 秒内没有应答。")


def _cached_page(port: int, path: str) -> tuple[bytes, bytes]:
    """The page gzipped and plain; CannotMeasure when the cache does not keep it."""
    _get(port, path)
    status, headers, zipped = _get(port, path)
    if status != 200:
        raise CannotMeasure(f"{path} 的应答是 {status}，请给出一个已发布的页面。")
    if headers.get("content-encoding") != "gzip" or not headers.get("etag", "").startswith('W/"'):
        raise CannotMeasure(f"{path} 没有进入页面缓存，请换一个公开页面。")
    status, _headers, _body = _get(port, path, {"If-None-Match": headers["etag"]})
    if status != 304:
        raise CannotMeasure(f"{path} 没有进入页面缓存，请换一个公开页面。")
    return zipped, _get(port, path, {"Accept-Encoding": "identity"})[2]


def _get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept-Encoding": "gzip", **(headers or {})})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def _round(process: subprocess.Popen, url: str, seconds: int, connections: int) -> dict:
    command = [
        _program("wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-H",
        "Accept-Encoding: gzip",
        url,
    ]
    before = _cpu_seconds(process.pid)
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)  # noqa: S603 wrk from the PATH
    used = _cpu_seconds(process.pid) - before
    total = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if not total or not rate or not int(total[1]):
        raise CannotMeasure(f"wrk 没有测得结果：{done.stderr.strip() or done.stdout.strip()}")
    if "Non-2xx" in done.stdout:
        raise CannotMeasure("测量时有请求失败，结果作废。")
    return {"cpu_us": used / int(total[1]) * 1e6, "requests_per_second": float(rate[1])}


def _cpu_seconds(root: int) -> float:
    """User and system seconds of ``root`` and everything below it."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            ticks[int(stat.parent.name)] = int(fields[11]) + int(fields[12])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family and pid not in family}:
        family |= more
    return sum(ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


def _summary(figures: list[dict]) -> dict:
    cpu = [one["cpu_us"] for one in figures]
    return {
        "cpu_us_per_request": _spread(cpu),
        "requests_per_cpu_second": _spread([1e6 / one for one in cpu]),
        "requests_per_second": _spread([one["requests_per_second"] for one in figures]),
    }


def _spread(values: list[float]) -> dict[str, float]:
    found = {"min": min(values), "median": statistics.median(values), "max": max(values)}
    return {name: round(value, 3 if value < 100 else 0) for name, value in found.items()}


def _free_port(ports: range | None, but: int | None = None) -> int:
    for port in ports or [0]:
        if port == but:
            continue
        with contextlib.suppress(OSError), socket.socket() as attempt:
            attempt.bind(("127.0.0.1", port))
            return attempt.getsockname()[1]
    raise CannotMeasure("没有空闲的端口可用于测量。")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _nginx_version() -> str:
    shown = subprocess.run([_program("nginx"), "-v"], capture_output=True, text=True, check=False)  # noqa: S603 nginx from the PATH
    return shown.stderr.strip().rpartition("/")[2]


def _version_of(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _processor() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found[1].strip()
    return platform.processor()
