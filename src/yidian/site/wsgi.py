"""The WSGI application that every server runs: Django, with the page cache ahead of it."""

import os
import threading
from collections.abc import Callable, Iterable

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yidian.site.settings")
_django = get_wsgi_application()  # before anything that needs the settings and the apps

from yidian.pagecache.wsgi import PageCache  # noqa: E402 the apps have to be loaded first

# granian answers on 16 threads, and one that waits for a body to arrive does nothing else. Some are kept for those who
# read, so that sixteen clients who send a form a byte at a time cannot take the site away.
BODIES_AT_ONCE = 12
_bodies = threading.BoundedSemaphore(BODIES_AT_ONCE)
_BUSY = (
    "<!doctype html><html lang=zh-Hans><meta charset=utf-8><title>请稍后再试</title><h1>请稍后再试</h1>"
    "<p>现在提交的人太多。请过一分钟再提交；页面仍然可以阅读。</p>"
)


def _leave_threads_to_readers(environ: dict, start_response: Callable) -> Iterable[bytes]:
    if environ.get("CONTENT_LENGTH", "0") in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return _django(environ, start_response)
    if not _bodies.acquire(blocking=False):
        busy = _BUSY.encode()
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(busy)))]
        start_response("503 Service Unavailable", [*headers, ("Retry-After", "60"), ("Cache-Control", "no-store")])
        return [busy]
    try:
        return _django(environ, start_response)
    finally:
        _bodies.release()


application = PageCache(_leave_threads_to_readers)
