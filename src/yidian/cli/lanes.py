"""Two lanes in each granian worker: cached pages on one thread, everything else on a few others.

granian hands each request to one of N blocking threads. With N > 1 the threads pass the interpreter lock
around for every request, which costs more than answering it: 26 µs a cached page with four threads, 16
with one. With N = 1 a slow page holds up every reader. So granian gets one thread, which answers cached
pages itself and gives the rest to a pool: a request that takes two seconds delays a cached page by
nothing.

granian's protocol object may be answered later and from another thread; its shutdown waits for that
answer. What is replaced is the function that granian wraps around a WSGI application, private to granian
2.8. Where it is missing, ``install`` says so and the server runs on granian's own threads.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import granian.server.mp

logger = logging.getLogger(__name__)

SLOW_THREADS = 8  # a worker; they wait for the database and share one processor
_WRAPPER = "_wsgi_call_wrap"


def available() -> bool:
    """Whether this granian can be given two lanes."""
    return hasattr(granian.server.mp, _WRAPPER)


def install() -> None:
    """Gives this process's granian worker, not yet started, two lanes; its application must have ``hit``."""
    plain = getattr(granian.server.mp, _WRAPPER)

    def wrap(application: Callable, *options: object) -> Callable:
        return _two_lanes(application, plain(application, *options))

    setattr(granian.server.mp, _WRAPPER, wrap)


def _two_lanes(application: Callable, run_plain: Callable) -> Callable:
    hit = application.hit
    pool: list[ThreadPoolExecutor] = []
    starting = threading.Lock()

    def run(proto, scope: dict) -> int:
        found = hit(scope)
        if found is not None:
            proto.response_bytes(*found)
            return found[0]
        if not pool:
            with starting:
                if not pool:
                    pool.append(ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="slow-lane"))
        pool[0].submit(run_slowly, proto, scope)
        return 200  # for granian's access log, which is off; the pool answers

    def run_slowly(proto, scope: dict) -> None:
        try:
            run_plain(proto, scope)
        except Exception:
            # Django answers its own errors, so this is a fault of ours; the reader must not wait for ever.
            logger.exception("请求处理失败")
            proto.response_bytes(500, [], b"")

    return run
