"""The WSGI wrapper ahead of Django: a page that is cached costs no Django at all.

A view opts in with the response header ``X-Page-Tags: article:12 list:articles``; nothing else is ever
stored. What opts in must be the same for every reader: no cookie, no name, nothing taken from the request
but its path and ``?page=``, and above all no absolute address built from the request's Host.
"""

import os
import re
import threading
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.http.request import split_domain_port, validate_host

import yidian

from .store import Page, PageStore, code_fingerprint, make_page

TAGS_HEADER = "x-page-tags"
# A corrected page is never stale, an unchanged one is a 304. What says that it never changes keeps its own word.
BROWSER_CACHING = "public, max-age=0, must-revalidate"
IMMUTABLE = "immutable"
KEY_BYTES = 512  # a longer address is nobody's page
PAGE_NUMBER = re.compile(r"page=[1-9][0-9]{0,4}")
# Added by WeChat, Weibo, QQ and others when a link is shared. They say where a reader came from, which is
# not ours to know, so they are dropped before Django sees them.
TRACKING_KEY = re.compile(
    "utm_.*|from|isappinstalled|nsukey|spm|scene|srcid|sharer?_.*|wxshare_count|wx_header|timestamp_share"
    "|fbclid|gclid|msclkid|yclid|bd_vid|_bdtrack"
)
# Editors, searches, and whatever answers one reader only. They never opt in either: two locks on one door.
NEVER = ("/admin/", "/django-admin/", "/search", "/zh-hant/search", "/beacon/", "/healthz")
# Headers that belong to one connection or one answer, and those that a hit writes itself.
NOT_KEPT = {TAGS_HEADER, "date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}
NOT_KEPT |= {
    "content-encoding",
    "etag",
    "cache-control",
    "expires",
    "last-modified",
    "vary",
    "age",
    "set-cookie",
}
DOGPILE_WAIT = 10.0  # seconds a second reader of an uncached page waits for the first one's rendering
MEMO = 1000  # Host and Accept-Encoding values remembered; real traffic has a few dozen
UNCACHED_MEMO = 4096  # addresses known not to opt in, whose readers need not queue

StartResponse = Callable[..., object]


class Ready(NamedTuple):
    """A page with its header lists made, so that a hit builds nothing."""

    etag: str
    zipped: bytes
    zipped_headers: list[tuple[str, str]]
    plain_headers: list[tuple[str, str]]
    unchanged_headers: list[tuple[str, str]]


def make_ready(page: Page) -> Ready:
    etag = f'W/"{page.etag}"'  # weak: the same page gzipped and not
    own = [("ETag", etag), ("Vary", "Accept-Encoding")]
    if not any(name.lower() == "cache-control" for name, _value in page.headers):
        own.append(("Cache-Control", BROWSER_CACHING))
    plain = [*page.headers, *own, ("Content-Length", str(page.length))]
    zipped = [*page.headers, *own, ("Content-Encoding", "gzip"), ("Content-Length", str(len(page.body)))]
    unchanged = [(name, value) for name, value in page.headers if not name.lower().startswith("content-t")]
    return Ready(etag, page.body, zipped, plain, [*unchanged, *own])


class PageCache:
    """``application`` with the pages that opted in served from ``store``; a broken store changes only the
    speed.
    """

    def __init__(self, application: Callable, store: PageStore | None = None):
        self.application = application
        self.store = store or PageStore(settings.YIDIAN_DATA, _fingerprint(), prepare=make_ready)
        self.store.prepare = make_ready
        # A developer must see each edit at once.
        self.methods = frozenset() if settings.DEBUG else frozenset({"GET", "HEAD"})
        self.session_cookie = settings.SESSION_COOKIE_NAME + "="
        self.host_header = "HTTP_X_FORWARDED_HOST" if settings.USE_X_FORWARDED_HOST else "HTTP_HOST"
        self.secure_only = settings.SECURE_SSL_REDIRECT
        self.hosts: dict[str | None, bool] = {}
        self.encodings: dict[str | None, bool] = {}
        self.uncached: dict[str, None] = {}
        self.filling: dict[str, threading.Event] = {}
        self.filling_lock = threading.Lock()

    def __call__(self, environ: dict, start_response: StartResponse) -> Iterable[bytes]:
        key = self._key(environ)
        if key is None:
            return self._pass(environ, start_response)
        ready = self.store.get(key)
        if ready is None:
            return self._fill(environ, start_response, key)
        return self._answer(ready, environ, start_response)

    def _key(self, environ: dict) -> str | None:
        """What the request's page is stored under; None when the cache must stay out of it."""
        if (
            environ["REQUEST_METHOD"] not in self.methods
            or "HTTP_AUTHORIZATION" in environ
            or ("HTTP_COOKIE" in environ and self.session_cookie in environ["HTTP_COOKIE"])
        ):
            return None
        host = environ.get(self.host_header)
        allowed = self.hosts.get(host)
        if allowed is None:
            allowed = self._host_allowed(host)
        if not allowed or (self.secure_only and not _is_secure(environ)):
            return None
        query = environ.get("QUERY_STRING")
        if query:
            query = _known_query(query)
            if query is None:
                return None
            if query:
                return f"{environ['PATH_INFO']}?{query}"
        return environ["PATH_INFO"]

    def _answer(self, ready: Ready, environ: dict, start_response: StartResponse) -> list[bytes]:
        known = environ.get("HTTP_IF_NONE_MATCH")
        if known is not None and _matches(known, ready.etag):
            start_response("304 Not Modified", ready.unchanged_headers)
            return [b""]
        accepted = environ.get("HTTP_ACCEPT_ENCODING")
        zipped = self.encodings.get(accepted)
        if zipped is None:
            zipped = self._accepts_gzip(accepted)
        start_response("200 OK", ready.zipped_headers if zipped else ready.plain_headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            return [b""]
        return [ready.zipped if zipped else zlib.decompress(ready.zipped, wbits=31)]

    def _host_allowed(self, host: str | None) -> bool:
        allowed_hosts = settings.ALLOWED_HOSTS
        if settings.DEBUG and not allowed_hosts:
            allowed_hosts = [".localhost", "127.0.0.1", "[::1]"]
        domain, _port = split_domain_port(host or "")
        allowed = bool(domain) and validate_host(domain, allowed_hosts)
        _note(self.hosts, host, allowed, MEMO)
        return allowed

    def _accepts_gzip(self, header: str | None) -> bool:
        offers = {}
        for offer in (header or "").lower().split(","):
            name, _, weight = offer.partition(";")
            offers[name.strip()] = not re.fullmatch(r"q=0(\.0*)?", weight.replace(" ", ""))
        accepts = offers.get("gzip", offers.get("x-gzip", offers.get("*", False)))
        _note(self.encodings, header, accepts, MEMO)
        return accepts

    def _fill(self, environ: dict, start_response: StartResponse, key: str) -> Iterable[bytes]:
        if key.startswith(NEVER) or len(key) > KEY_BYTES:
            return self._pass(environ, start_response)
        mine = None
        if key not in self.uncached:
            with self.filling_lock:
                theirs = self.filling.get(key)
                if theirs is None:
                    mine = self.filling[key] = threading.Event()
            if theirs is not None:
                theirs.wait(DOGPILE_WAIT)
                ready = self.store.get(key)
                if ready is not None:
                    return self._answer(ready, environ, start_response)
        try:
            return self._render(environ, start_response, key)
        finally:
            if mine is not None:
                with self.filling_lock:
                    del self.filling[key]
                mine.set()

    def _render(self, environ: dict, start_response: StartResponse, key: str) -> Iterable[bytes]:
        fill = self.store.begin_fill()
        if fill is None:
            return self._pass(environ, start_response)
        asked = environ
        # Django sees the page's own address, and GET, so that a HEAD request fills the cache too. Its own
        # conditional answer would hide the page from us; the wrapper gives that answer itself.
        environ = {k: v for k, v in asked.items() if k not in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")}
        environ |= {"QUERY_STRING": key.partition("?")[2], "REQUEST_METHOD": "GET"}
        started: list = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
            started[:] = [status, headers, exc_info]

        response = self.application(environ, start)
        status, headers, exc_info = started
        tags, kept_headers = _split(headers)
        if getattr(response, "streaming", False) or not _storable(status, headers, tags):
            _note(self.uncached, key, None, UNCACHED_MEMO)
            start_response(status, kept_headers, *([exc_info] if exc_info else []))
            return _Headless(response) if asked["REQUEST_METHOD"] == "HEAD" else response
        try:
            body = b"".join(response)
        finally:
            close = getattr(response, "close", None)
            if close is not None:
                close()
        self.uncached.pop(key, None)
        page = make_page(key, [header for header in headers if _is_kept(*header)], body)
        ready = self.store.put(key, page, tags, fill) or make_ready(page)
        return self._answer(ready, asked, start_response)

    def _pass(self, environ: dict, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: object) -> object:
            return start_response(status, _split(headers)[1], *exc_info)

        return self.application(environ, start)


class _Headless:
    """A response to HEAD that could not be cached: no body is sent, the inner response is still closed."""

    def __init__(self, response: Iterable[bytes]):
        self.response = response

    def __iter__(self):
        return iter(())

    def close(self) -> None:
        close = getattr(self.response, "close", None)
        if close is not None:
            close()


def _split(headers: list[tuple[str, str]]) -> tuple[list[str], list[tuple[str, str]]]:
    """The page's tags, and the headers without the one that carries them."""
    tags: list[str] = []
    others = []
    for header in headers:
        if header[0].lower() == TAGS_HEADER:
            tags += header[1].split()
        else:
            others.append(header)
    return tags, others


def _storable(status: str, headers: list[tuple[str, str]], tags: list[str]) -> bool:
    if not tags or not status.startswith("200"):
        return False
    for name, value in headers:
        name = name.lower()
        if name in ("set-cookie", "content-encoding"):
            return False
        # A page that varies by anything else, Cookie above all, is not one page.
        if name == "vary" and value.replace(" ", "").lower() not in ("", "accept-encoding"):
            return False
        if name == "cache-control" and ("no-store" in value or "private" in value):
            return False
    return True


def _is_kept(name: str, value: str) -> bool:
    return name.lower() not in NOT_KEPT or (name.lower() == "cache-control" and IMMUTABLE in value)


def _known_query(query: str) -> str | None:
    """What is left of ``query`` without tracking keys: ``""`` or ``"page=N"``; None when there is anything
    else.
    """
    left = ""
    for part in query.split("&"):
        name = part.partition("=")[0]
        if not part or TRACKING_KEY.fullmatch(name):
            continue
        if left or not PAGE_NUMBER.fullmatch(part):
            return None
        left = part
    return left


def _matches(if_none_match: str, etag: str) -> bool:
    if if_none_match == etag or if_none_match.strip() == "*":
        return True
    return any(one.strip().removeprefix("W/") == etag[2:] for one in if_none_match.split(","))


def _is_secure(environ: dict) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER:
        name, value = settings.SECURE_PROXY_SSL_HEADER
        return environ.get(name, "").split(",")[0].strip() == value
    return environ.get("wsgi.url_scheme") == "https"


def _note(memo: dict, key: object, value: object, limit: int) -> None:
    """Remembers ``value``; a memo that an attacker has filled starts again, which costs microseconds."""
    if len(memo) >= limit:
        memo.clear()
    memo[key] = value


def _fingerprint() -> str:
    """What decides how a page looks besides the database: the code, the configuration, and which database
    it is.
    """
    database = settings.DATABASES["default"]
    inode = ""
    if "sqlite" in database["ENGINE"] and Path(str(database["NAME"])).exists():
        inode = str(Path(str(database["NAME"])).stat().st_ino)
    configuration = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("YIDIAN_")]
    parts = [yidian.__version__, str(database.get("HOST", "")), str(database["NAME"]), inode, *configuration]
    return code_fingerprint(Path(yidian.__file__).parent, *parts)
