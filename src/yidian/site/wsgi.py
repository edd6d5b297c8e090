"""The WSGI application that every server runs: Django, with the page cache ahead of it."""

import os
import threading
from collections.abc import Callable, Iterable

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yidian.site.settings")
_django = get_wsgi_application()  # before anything that needs the settings and the apps

from yidian.pagecache.wsgi import PageCache  # noqa: E402 the apps have to be loaded first
from yidian.site.admin_only import ADMIN_PREFIX  # noqa: E402 likewise

# granian answers on 16 threads, and one that waits for a body to arrive does nothing else. Some are kept for those who
# read, so that sixteen clients who send a form a byte at a time cannot take the site away.
BODIES_AT_ONCE = 12
# Django writes every file of a form to the disk before a view sees it, also of a form that has no use for one and of
# somebody who has not signed in. Readers' largest form is the general check, 40 KB; an editor's picture has 10 MB.
READERS_BODY = 1024 * 1024
EDITORS_BODY = 24 * 1024 * 1024
_bodies = threading.BoundedSemaphore(BODIES_AT_ONCE)
_BUSY = (
    "<!doctype html><html lang=zh-Hans><meta charset=utf-8><title>请稍后再试</title><h1>请稍后再试</h1>"
    "<p>现在提交的人太多。请过一分钟再提交；页面仍然可以阅读。</p>"
)
_TOO_LARGE = (
    "<!doctype html><html lang=zh-Hans><meta charset=utf-8><title>内容太大</title><h1>内容太大</h1>"
    "<p>提交的内容超过了上限，没有收下。请删短一些，或换一张小一点的图，再提交。</p>"
)


def _leave_threads_to_readers(environ: dict, start_response: Callable) -> Iterable[bytes]:
    length = environ.get("CONTENT_LENGTH", "0")
    if length in ("", "0") and "HTTP_TRANSFER_ENCODING" not in environ:
        return _django(environ, start_response)
    most = EDITORS_BODY if environ["PATH_INFO"].startswith(ADMIN_PREFIX) else READERS_BODY
    if length.isdigit() and int(length) > most:
        return _plain(start_response, "413 Content Too Large", _TOO_LARGE)
    if not _bodies.acquire(blocking=False):
        return _plain(start_response, "503 Service Unavailable", _BUSY, ("Retry-After", "60"))
    try:
        return _django(environ, start_response)
    finally:
        _bodies.release()


def _plain(start_response: Callable, status: str, page: str, *more: tuple[str, str]) -> Iterable[bytes]:
    body = page.encode()
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, [*headers, ("Cache-Control", "no-store"), *more])
    return [body]


application = PageCache(_leave_threads_to_readers)
