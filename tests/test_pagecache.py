"""The page cache through its doors: a WSGI application, the purge actions, and a real server."""

import gzip
import http.client
import io
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from served import Served

from yidian.pagecache import actions, store
from yidian.pagecache.models import PurgeRequest
from yidian.pagecache.store import Page, PageStore, PageStoreError, make_page
from yidian.pagecache.wsgi import PageCache

HTML = ("<p>大腿抽筋怎么办</p>" * 200).encode()
HOST = "testserver"


class Site:
    """A stand-in for Django that counts its renderings and answers as each test says."""

    def __init__(self, folder, **options):
        self.renderings = 0
        self.seen: list[dict] = []
        self.body = HTML
        self.status = "200 OK"
        self.headers = [("Content-Type", "text/html"), ("Content-Security-Policy", "default-src 'none'")]
        self.tags = "article:1 list:articles"
        self.during = lambda: None
        self.respond = lambda: [self.body]
        self.folder = folder
        self.cache = PageCache(self, PageStore(folder, "v1", **options))

    def __call__(self, environ, start_response):
        self.renderings += 1
        self.seen.append(dict(environ))
        body = self.respond()
        self.during()
        tags = [("X-Page-Tags", self.tags)] if self.tags else []
        start_response(self.status, self.headers + tags)
        return body

    def get(self, target="/articles/x/", method="GET", cache=None, **environ):
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_HOST": HOST,
            "HTTP_ACCEPT_ENCODING": "gzip, br",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        } | environ
        started = []
        response = (cache or self.cache)(environ, lambda status, headers, *_: started.append((status, headers)))
        body = b"".join(response)
        if hasattr(response, "close"):
            response.close()
        status, headers = started[-1]
        return int(status[:3]), {name.lower(): value for name, value in headers}, body


@pytest.fixture
def site(tmp_path, settings):
    settings.ALLOWED_HOSTS = [HOST]
    settings.DEBUG = False
    settings.SECURE_SSL_REDIRECT = False
    return Site(tmp_path / "data")


def test_a_page_is_rendered_once_and_keeps_its_headers(site):
    first, second = site.get(), site.get()
    assert first == second
    status, headers, body = second
    assert status == 200 and site.renderings == 1
    assert gzip.decompress(body) == HTML
    assert headers["content-encoding"] == "gzip" and headers["vary"] == "Accept-Encoding"
    assert headers["content-length"] == str(len(body))
    assert headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert headers["content-security-policy"] == "default-src 'none'"
    assert "x-page-tags" not in headers


def test_what_never_changes_says_so_from_the_cache_too(site):
    site.headers = [*site.headers, ("Cache-Control", "public, max-age=31536000, immutable")]
    for headers in (site.get("/assets/a.css")[1], site.get("/assets/a.css")[1]):
        assert headers["cache-control"] == "public, max-age=31536000, immutable"
    status, headers, _body = site.get("/assets/a.css", HTTP_IF_NONE_MATCH=headers["etag"])
    assert (status, headers["cache-control"]) == (304, "public, max-age=31536000, immutable")
    site.headers = [*site.headers[:-1], ("Cache-Control", "public, max-age=86400")]
    assert site.get()[1]["cache-control"] == "public, max-age=0, must-revalidate"


def test_a_browser_without_gzip_gets_the_plain_page(site):
    for accepted in ("", "br", "gzip;q=0, *", "gzip; q=0.0"):
        _status, headers, body = site.get(HTTP_ACCEPT_ENCODING=accepted)
        assert body == HTML and headers["content-length"] == str(len(HTML)), accepted
        assert "content-encoding" not in headers and headers["vary"] == "Accept-Encoding"
    assert site.renderings == 1


def test_an_unchanged_page_is_a_304_and_a_changed_one_is_not(site):
    etag = site.get()[1]["etag"]
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        status, headers, body = site.get(HTTP_IF_NONE_MATCH=known)
        assert (status, body) == (304, b"") and headers["etag"] == etag
        assert "content-encoding" not in headers and "content-length" not in headers
    assert site.get(HTTP_IF_NONE_MATCH='"other"')[0] == 200
    site.cache.store.purge(["article:1"])
    site.body = HTML + b"corrected"
    status, headers, body = site.get(HTTP_IF_NONE_MATCH=etag)
    assert status == 200 and gzip.decompress(body) == site.body and headers["etag"] != etag


def test_head_has_the_headers_of_get_and_no_body(site):
    cold, get = site.get(method="HEAD"), site.get()
    assert cold[:2] == get[:2] and cold[2] == b"" and get[2]
    assert site.get(method="HEAD") == cold
    assert site.seen[0]["REQUEST_METHOD"] == "GET" and site.renderings == 1


@pytest.mark.parametrize(
    "query", ["from=timeline&isappinstalled=0", "utm_source=weibo&utm_x=1", "spm=a.b", "nsukey=%2F", "from="]
)
def test_share_tracking_makes_no_second_page_and_is_hidden_from_django(site, query):
    site.get(f"/articles/x/?{query}")
    site.get()
    assert site.renderings == 1 and site.seen[0]["QUERY_STRING"] == ""
    site.get(f"/articles/x/?page=2&{query}")
    site.get("/articles/x/?page=2")
    assert site.renderings == 2 and site.seen[1]["QUERY_STRING"] == "page=2"


@pytest.mark.parametrize("query", ["q=1", "page=0", "page=-1", "page=1&page=2", "page=x", "PAGE=1", "page=2&utm=1"])
def test_any_other_query_goes_to_django_untouched(site, query):
    site.get(f"/articles/x/?{query}")
    site.get(f"/articles/x/?{query}")
    assert site.renderings == 2 and site.seen[0]["QUERY_STRING"] == query


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "POST"},
        {"HTTP_AUTHORIZATION": "Basic eDp5"},
        {"HTTP_COOKIE": "a=b; sessionid=abc"},
        {"target": "/admin/pages/"},
        {"target": "/search"},
        {"target": "/search?page=2"},
        {"target": "/zh-hant/search"},
        {"target": "/beacon/views"},
        {"target": "/" + "x" * 600},
    ],
)
def test_what_may_be_personal_is_neither_looked_up_nor_stored(site, request_):
    target = request_.get("target", "/articles/x/")
    site.get(target=target) if "target" not in request_ else None
    before = site.renderings
    for _ in range(2):
        status, headers, _body = site.get(**request_)
        assert status == 200 and "x-page-tags" not in headers and "etag" not in headers
    assert site.renderings == before + 2
    assert site.cache.store.stats()["pages"] == (0 if "target" in request_ else 1)


def test_other_cookies_do_not_keep_a_reader_from_the_cache(site):
    site.get(HTTP_COOKIE="csrftoken=abc; theme=large")
    site.get()
    assert site.renderings == 1


@pytest.mark.parametrize(
    "change",
    [
        {"tags": ""},
        {"status": "404 Not Found"},
        {"status": "302 Found"},
        {"headers": [("Set-Cookie", "a=b")]},
        {"headers": [("Vary", "Cookie")]},
        {"headers": [("Vary", "Accept-Encoding, Accept-Language")]},
        {"headers": [("Cache-Control", "private")]},
        {"headers": [("Cache-Control", "max-age=0, no-store")]},
        {"headers": [("Content-Encoding", "br")]},
    ],
)
def test_an_answer_that_is_not_one_public_page_is_not_stored(site, change):
    for name, value in change.items():
        setattr(site, name, value)
    for _ in range(2):
        status, headers, body = site.get()
        assert body == HTML and status == int(site.status[:3]) and "x-page-tags" not in headers
    assert site.renderings == 2 and site.cache.store.stats()["pages"] == 0


@pytest.mark.django_db  # Django looks after its connections at the end of a request
def test_a_streaming_answer_streams_and_an_ordinary_django_answer_is_stored(site):
    site.respond = lambda: StreamingHttpResponse(iter([b"a", b"b"]))
    assert site.get()[2] == b"ab" and site.get()[2] == b"ab" and site.renderings == 2
    site.respond = lambda: HttpResponse(HTML)
    site.get()
    assert gzip.decompress(site.get()[2]) == HTML and site.renderings == 3


@pytest.mark.parametrize("host", ["evil.example", "", "testserver@evil.example", "testserver:80:80", "测试"])
def test_a_host_that_django_refuses_gets_django_even_for_a_cached_page(site, host):
    site.get()
    assert site.get(HTTP_HOST=host)[1].get("etag") is None
    assert site.renderings == 2
    assert site.get(HTTP_HOST=f"{HOST.upper()}:8000")[1]["etag"] and site.renderings == 2


def test_a_site_that_redirects_to_https_does_not_serve_http_from_the_cache(tmp_path, settings):
    settings.ALLOWED_HOSTS, settings.DEBUG, settings.SECURE_SSL_REDIRECT = [HOST], False, True
    settings.SECURE_PROXY_SSL_HEADER = None
    site = Site(tmp_path)
    for _ in range(2):
        assert site.get(**{"wsgi.url_scheme": "https"})[1]["etag"]
    assert site.renderings == 1
    assert "etag" not in site.get()[1] and site.renderings == 2


def test_twenty_readers_of_a_cold_page_cost_one_rendering(site):
    site.during = lambda: time.sleep(0.2)
    readers = [threading.Thread(target=site.get) for _ in range(20)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert site.renderings == 1


def test_readers_of_a_page_that_is_never_stored_do_not_queue(site):
    site.tags = ""
    site.get()
    site.during = lambda: time.sleep(0.3)
    readers = [threading.Thread(target=site.get) for _ in range(6)]
    start = time.monotonic()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert time.monotonic() - start < 1.2 and site.renderings == 7


def test_an_error_while_rendering_lets_the_next_reader_try(site):
    def fail():
        raise RuntimeError("broken")

    site.during = fail
    with pytest.raises(RuntimeError):
        site.get()
    site.during = lambda: None
    assert site.get()[0] == 200 and site.cache.filling == {}


# Purging


def test_a_purge_drops_every_page_with_the_tag_and_no_other(site):
    site.get("/articles/x/")
    site.tags = "article:2 list:articles"
    site.get("/articles/y/")
    site.tags = "question:1"
    site.get("/questions/1/")
    assert site.cache.store.purge(["article:2"]) == 1
    assert site.cache.store.purge(["list:articles", "article:1"]) == 1
    assert site.cache.store.purge(["article:1"]) == 0
    assert site.cache.store.get("/articles/x/") is None and site.cache.store.get("/questions/1/") is not None


def test_a_purge_during_rendering_wins(site):
    other = PageStore(site.folder)
    site.during = lambda: other.purge(["article:1"])
    assert gzip.decompress(site.get()[2]) == HTML
    site.during = lambda: None
    site.get()
    assert site.renderings == 2
    site.get()
    assert site.renderings == 2


def test_another_process_purges_and_this_one_notices_at_once(site):
    site.get()
    code = "import sys; from pathlib import Path; from yidian.pagecache.store import PageStore; "
    code += "sys.exit(PageStore(Path(sys.argv[1])).purge(['article:1']) - 1)"
    subprocess.run([sys.executable, "-c", code, str(site.folder)], check=True)
    site.get()
    assert site.renderings == 2


def test_no_page_survives_its_purge_under_concurrent_filling_and_purging(tmp_path):
    """Every page says the version it was rendered from; after a purge no older version may be served."""
    a, b = PageStore(tmp_path, "v1"), PageStore(tmp_path, "v1")
    version, stop, late, served = [0], threading.Event(), [], [0]

    def read(one: PageStore, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 no secret
        while not stop.is_set():
            floor = purged[0]
            page = one.get("/p/")
            if page is None:
                fill = one.begin_fill()
                seen = version[0]
                time.sleep(dice.random() * 0.002)
                one.put("/p/", make_page("/p/", [], str(seen).encode()), ["t"], fill)
            else:
                served[0] += 1
                if int(gzip.decompress(page.body)) < floor:
                    late.append((page, floor))

    purged = [0]

    def publish() -> None:
        for number in range(1, 150):
            version[0] = number  # the content changes ("commit") ...
            a.purge(["t"])
            purged[0] = number  # ... and from here nobody may see what was before
            time.sleep(0.002)

    readers = [threading.Thread(target=read, args=(one, n)) for n, one in enumerate((a, b, a, b))]
    for reader in readers:
        reader.start()
    publish()
    stop.set()
    for reader in readers:
        reader.join()
    assert served[0] > 100 and late == []


@pytest.mark.django_db(transaction=True)
def test_a_promised_purge_happens_at_commit_and_not_after_a_rollback(site, settings):
    settings.YIDIAN_DATA = site.folder
    site.get()
    with pytest.raises(RuntimeError), transaction.atomic():
        actions.purge_on_commit(["article:1"])
        raise RuntimeError
    site.get()
    assert site.renderings == 1
    with transaction.atomic():
        actions.purge_on_commit(["article:1"])
        site.get()
        assert site.renderings == 1 and PurgeRequest.objects.count() == 1
    site.get()
    assert site.renderings == 2 and PurgeRequest.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_purge_left_behind_by_a_killed_process_is_carried_out(site, settings, django_assert_num_queries):
    settings.YIDIAN_DATA = site.folder
    site.get()
    PurgeRequest.objects.create(tags=["article:1"])  # committed, and then the process died
    assert actions.drain_purges() == 1
    site.get()
    assert site.renderings == 2
    with django_assert_num_queries(1):
        assert actions.drain_purges() == 0


@pytest.mark.django_db(transaction=True)
def test_a_purge_that_cannot_be_written_stops_the_cache_until_it_can(site, settings, monkeypatch):
    settings.YIDIAN_DATA = site.folder
    site.get()
    monkeypatch.setattr(PageStore, "_delete_tagged", _disk_full)
    with transaction.atomic():
        actions.purge_on_commit(["article:1"])
    assert PurgeRequest.objects.count() == 1
    site.get()
    site.get()
    assert site.renderings == 3, "served from the cache although a purge is owed"
    monkeypatch.undo()
    assert actions.drain_purges() == 1 and PurgeRequest.objects.count() == 0
    site.get()
    site.get()
    assert site.renderings == 4


def _disk_full(*_args):
    raise sqlite3.OperationalError("database or disk is full")


# Derived data: whatever happens to the files, readers get their pages


def test_damaged_files_are_made_anew(site):
    for damage in (b"garbage" * 1000, b""):
        site.get()
        site.cache.store.close()
        site.cache.store.file.write_bytes(damage)
        for suffix in ("-wal", "-shm"):
            site.cache.store.file.with_name(site.cache.store.file.name + suffix).unlink(missing_ok=True)
        before = site.renderings
        for _ in range(3):
            assert gzip.decompress(site.get()[2]) == HTML
        assert site.renderings == before + 1 and site.cache.store.stats()["pages"] == 1


def test_a_page_damaged_on_the_disk_is_not_served(site):
    site.get()
    site.cache.store.close()
    with sqlite3.connect(site.cache.store.file) as database:
        database.execute("UPDATE page SET body = substr(body, 1, 100) || x'00' || substr(body, 102)")
    database.close()
    assert gzip.decompress(site.get()[2]) == HTML
    assert gzip.decompress(site.get()[2]) == HTML and site.renderings == 2


def test_files_deleted_under_a_running_server_are_noticed(site, monkeypatch):
    site.get()
    for file in site.folder.iterdir():
        file.unlink()
    PageStore(site.folder).purge(["article:1"])
    monkeypatch.setattr(site.cache.store, "_look_at", 0.0)  # a second later
    site.get()
    assert site.renderings == 2
    site.get()
    assert site.renderings == 2


def test_a_folder_that_cannot_be_used_only_costs_speed(tmp_path, settings):
    settings.ALLOWED_HOSTS, settings.DEBUG, settings.SECURE_SSL_REDIRECT = [HOST], False, False
    (tmp_path / "file").write_text("not a folder")
    site = Site(tmp_path / "file" / "data")
    for number in (1, 2):
        assert site.get()[2] == HTML and site.renderings == number
    with pytest.raises(PageStoreError):
        site.cache.store.purge(["article:1"])


def test_a_full_or_read_only_file_keeps_pages_in_memory_where_purges_reach_them(site, monkeypatch):
    monkeypatch.setattr(PageStore, "_insert", _disk_full)
    site.get()
    site.get()
    assert site.renderings == 1 and site.cache.store.stats()["pages"] == 0
    PageStore(site.folder).purge(["article:1"])
    site.get()
    assert site.renderings == 2


def test_pages_survive_a_restart_but_not_other_code_or_a_reboot(tmp_path, monkeypatch):
    def stored(fingerprint: str) -> int:
        one = PageStore(tmp_path, fingerprint)
        one.begin_fill()
        count = one.stats()["pages"]
        one.put("/p/", make_page("/p/", [], HTML), ["t"], one.begin_fill())
        one.close()
        return count

    assert [stored("v1"), stored("v1"), stored("v2"), stored("v2")] == [0, 1, 0, 1]
    boot = tmp_path / "boot_id"
    boot.write_text("another boot\n")
    monkeypatch.setattr(store, "BOOT_ID", boot)
    assert [stored("v2"), stored("v2")] == [0, 1]


def test_old_code_still_running_does_not_store_into_the_new_codes_file(tmp_path):
    old, new = PageStore(tmp_path, "v1"), PageStore(tmp_path, "v2")
    assert old.begin_fill() and new.begin_fill()
    assert old.put("/p/", make_page("/p/", [], HTML), ["t"], old.begin_fill()) is None
    assert new.put("/p/", make_page("/p/", [], HTML), ["t"], new.begin_fill()) is not None


def test_pages_grow_old(site, monkeypatch):
    site.get()
    site.cache.store.close()
    monkeypatch.setattr(store, "MAX_AGE", 0)
    site.get()
    assert site.renderings == 2


def test_the_caps_hold(tmp_path):
    one = PageStore(tmp_path, "v1", memory_bytes=100_000, disk_bytes=200_000, page_bytes=20_000)
    noise = random.Random(1)  # noqa: S311 no secret

    def put(number: int, size: int) -> object:
        page = make_page(f"/{number}/", [], noise.randbytes(size))
        return one.put(f"/{number}/", page, [f"p:{number}", "all"], one.begin_fill())

    assert put(0, 30_000) is None
    for number in range(1, 101):
        assert put(number, 5_000)
    stats = one.stats()
    assert stats["memory_bytes"] <= 100_000 and 0 < stats["memory_pages"] < 20
    assert 150_000 < stats["bytes"] <= 200_000 and stats["pages"] < 41
    assert one.get("/100/") is not None and one.get("/1/") is None
    assert one.purge(["all"]) == stats["pages"] and one.stats()["bytes"] == 0


def test_a_forked_process_opens_its_own_connections(site):
    site.get()
    reader = site.cache.store._reader
    child = os.fork()
    if child == 0:
        fine = site.cache.store.get("/articles/x/") is not None and site.cache.store._reader is not reader
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_hit_costs_little(site):
    """Measured 0.65 µs; the bound is for a busy machine and fails when someone puts a query on this path."""
    site.get()
    environ = site.seen[0] | {"QUERY_STRING": ""}
    best = 1.0
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(500):
            site.cache(environ, lambda *_: None)
        best = min(best, (time.perf_counter() - start) / 500)
    assert best < 10e-6 and site.renderings == 1


def test_a_page_in_memory_is_not_shared_by_mistake_between_keys():
    assert make_page("/a/", [], HTML).etag != make_page("/b/", [], HTML).etag
    assert isinstance(make_page("/a/", [], HTML), Page)


# A real server


@pytest.fixture
def serve_site(tmp_path):
    """Starts a server over a site of its own; ended with all its processes when the test is over."""
    servers = []

    def start(**options) -> Served:
        servers.append(Served(tmp_path, **options))
        return servers[-1].start()

    yield start
    for server in servers:
        server.end()


def test_a_slow_page_does_not_delay_a_cached_one_and_stopping_waits_for_it(serve_site):
    server = serve_site()
    assert server.get("/articles/fast/")[0] == 200
    slow = []
    reader = threading.Thread(target=lambda: slow.append(server.get("/slow/")))
    reader.start()
    time.sleep(0.3)
    start = time.monotonic()
    for _ in range(20):
        status, headers, _body = server.get("/articles/fast/")
        assert status == 200 and headers["etag"]
    assert time.monotonic() - start < 1.0
    server.stop()
    reader.join()
    assert slow[0][0] == 200 and server.exit_status == 0


def test_a_second_server_on_the_port_says_so_in_one_line(serve_site):
    server = serve_site()
    second = server.start_another()
    _out, error = second.communicate(timeout=60)
    assert second.returncode == 1
    assert error.strip().count("\n") == 0 and f"端口 {server.port} 已被占用" in error
    assert server.get("/articles/x/")[0] == 200


def test_workers_end_when_the_server_process_is_killed(serve_site):
    server = serve_site(workers=2)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and len(server.worker_pids()) < 2:  # the first one already answers
        time.sleep(0.1)
    time.sleep(0.3)
    family = server.family()
    assert len(family) == 4  # the server, two workers, the ticker
    if len(os.sched_getaffinity(0)) > 1:
        places = [os.sched_getaffinity(pid) for pid in server.worker_pids()]
        assert [len(place) for place in places] == [1, 1] and places[0] != places[1]
    server.process.kill()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and any(os.path.exists(f"/proc/{pid}") for pid in family[1:]):  # noqa: PTH110 a process, not a path
        time.sleep(0.1)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in family[1:])  # noqa: PTH110 likewise


def test_the_server_carries_out_purges_and_answers_head_and_304(serve_site):
    server = serve_site(workers=2)
    status, headers, body = server.get("/articles/x/")
    assert status == 200 and gzip.decompress(body)
    assert server.get("/articles/x/", {"If-None-Match": headers["etag"]})[0] == 304
    status, head, nothing = server.get("/articles/x/", method="HEAD")
    assert (status, nothing) == (200, b"") and head["content-length"] == headers["content-length"]
    with sqlite3.connect(server.data / "db.sqlite3") as database:
        row = ('["article:x"]', "2026-01-01 00:00:00")  # as left behind by a process killed after its commit
        database.execute("INSERT INTO pagecache_purgerequest (tags, created) VALUES (?, ?)", row)
    database.close()
    time.sleep(2.5)
    anew = {server.get("/articles/x/")[1]["etag"] for _ in range(12)}
    assert len(anew) == 1 and headers["etag"] not in anew


def test_a_worker_that_dies_is_replaced(serve_site):
    server = serve_site()
    worker = server.worker_pids()[0]
    os.kill(worker, 9)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if server.get("/articles/x/")[0] == 200 and server.worker_pids() != [worker]:
                break
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    else:
        pytest.fail("no new worker")
    server.stop()
    assert server.exit_status == 0
