"""Faults of the machine and malformed requests, against real servers: reads go on, and nobody gets a 500."""

import contextlib
import resource
import socket
import subprocess
import time
import uuid
from urllib.parse import quote, urlencode

import pytest
from real_site import ARTICLE, RealSite

REPORT = "/corrections/report/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
READER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0.0.0", "Sec-Fetch-Site": "same-origin"}


def report(site, text="这里写错了"):
    return site.request("POST", REPORT, urlencode({"page": ARTICLE, "text": text}).encode(), FORM)


def cold_pages():
    """Pages that no test of this module has asked for, each once."""
    yield from (f"/articles/ceshi-pian-{n}/" for n in range(35))


def read_event(site, page: str) -> int:
    """Sends one reading as a browser does; answers the status."""
    stamp = int(time.time() * 1000)
    event = uuid.UUID(int=(stamp << 80) | (7 << 76) | (2 << 62) | (uuid.uuid4().int & ((1 << 62) - 1)))
    body = f'{{"page": "{page}", "event": "{event}"}}'.encode()
    return site.request("POST", "/beacon/views", body, READER | {"Content-Type": "application/json"})[0]


def eventually(true, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@contextlib.contextmanager
def mounted(folder, size: str):
    """A small disk of its own at ``folder``; skips loudly where nobody may mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"不能挂载小磁盘（要 root）：{tried.stderr.strip()}。磁盘满和只读没有测到")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, how: str) -> None:
    """Turns the disk read-only or back; the kernel may hold a killed process's files a moment longer."""
    tried = []

    def done() -> bool:
        tried.append(subprocess.run(["mount", "-o", f"remount,{how}", folder], capture_output=True, text=True))
        return tried[-1].returncode == 0

    assert eventually(done), tried[-1].stderr


def fill_up(folder) -> None:
    """Leaves not one free block, as a log or an upload that nobody watched would."""
    with (folder / "ballast").open("ab", buffering=0) as ballast:
        for size in (1 << 20, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while ballast.write(bytes(size)) == size:
                    pass


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk", "24m") as disk:
        site = RealSite(tmp_path, data=disk / "data")
        try:
            yield disk, site
        finally:
            site.end()


def test_on_a_full_disk_reads_go_on_and_writes_say_507(small_disk):
    disk, site = small_disk
    site.start()
    cold = cold_pages()
    cached = next(cold)
    assert site.get(cached)[0] == 200 and report(site)[0] == 200
    assert read_event(site, cached) == 202 and eventually(lambda: site.views(cached) == 1)
    before = site.reports()
    fill_up(disk)
    statuses = set()
    for n in range(40):  # what SQLite had already allocated may take the first few
        status, headers, page = report(site, f"第{n}次" + "长" * 1500)
        statuses.add(status)
        if status == 507:
            break
        before += 1
    assert statuses <= {200, 507} and status == 507
    assert "磁盘满了" in page and "没有保存" in page and headers["content-type"].startswith("text/html")
    assert site.reports() == before, "nothing half written"
    assert site.get(cached)[0] == 200
    for path in (next(cold), next(cold), ARTICLE, "/conditions/ceshi-bing/", "/", "/search?q=腿抽筋", "/healthz"):
        assert site.get(quote(path, safe="/?="))[0] == 200, path
    for _ in range(3):
        assert read_event(site, cached) in (202, 503)
    held = 3
    (disk / "ballast").unlink()
    assert eventually(lambda: report(site)[0] == 200), "with space again, writing works again without a restart"
    assert site.reports() == before + 1
    assert eventually(lambda: site.views(cached) == 1 + held), "readings held back meanwhile are counted"
    assert site.count("PRAGMA quick_check") == "ok"
    assert site.stop() == 0


def test_a_read_only_disk_is_read_from_and_writes_say_503(small_disk):
    """As after a crash, when a disk comes back read-only: the journal stands beside the database."""
    disk, site = small_disk
    site.start()
    assert site.get(ARTICLE)[0] == 200 and report(site)[0] == 200
    before = site.reports()
    site.kill()
    remount(disk, "ro")
    site.start()
    cold = cold_pages()
    for path in (ARTICLE, "/", "/conditions/", "/search?q=腿抽筋", "/healthz", *(next(cold) for _ in range(3))):
        assert site.get(quote(path, safe="/?="))[0] == 200, path
    status, headers, page = report(site)
    assert (status, headers["retry-after"]) == (503, "60") and "暂时不能保存" in page
    assert read_event(site, ARTICLE) in (202, 503)
    site.kill()
    remount(disk, "rw")
    site.start()
    assert report(site)[0] == 200 and site.reports() == before + 1


def test_a_start_that_a_read_only_disk_forbids_says_so(small_disk):
    disk, site = small_disk
    remount(disk, "ro")  # stopped cleanly, so SQLite has no journal and may not make one
    ended = site.yidian("serve", "--port", str(site.port))
    assert ended.returncode == 1
    assert str(site.data) in ended.stderr and "能否写入" in ended.stderr and "Traceback" not in ended.stderr


def test_when_no_file_takes_a_write_any_more_reads_go_on(tmp_path):
    """Every write of the running server fails, as on a disk that has died; it needs no rights to mount."""
    site = RealSite(tmp_path)
    try:
        site.start()
        cold = cold_pages()
        assert site.get(next(cold))[0] == 200 and report(site)[0] == 200
        before = site.reports()
        for pid in site.family():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        status, _headers, page = report(site)
        assert status in (503, 507) and "暂时不能保存" in page
        for path in (ARTICLE, next(cold), next(cold), "/guides/"):
            assert site.get(path)[0] == 200, path
        for pid in site.family():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert eventually(lambda: report(site)[0] == 200)
        assert site.reports() == before + 1
    finally:
        site.end()


def test_pages_are_served_when_the_page_cache_cannot_be_written(tmp_path):
    site = RealSite(tmp_path)
    for left in site.data.glob("*pagecache*"):
        left.unlink()
    (site.data / "pagecache.sqlite3").mkdir()
    (site.data / ".pagecache.signal").mkdir()
    try:
        site.start()
        assert [site.get(ARTICLE)[0] for _ in range(3)] == [200, 200, 200]
        assert report(site)[0] == 200
        assert "页面缓存暂时不可用" in site.log
    finally:
        site.end()


# ---- SQLite ----

WEAK = {
    "synchronous=NORMAL": ("init_command=PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", "synchronous"),
    "synchronous=OFF": ("init_command=PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;", "synchronous"),
    "journal_mode=DELETE": ("init_command=PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;", "journal_mode"),
    "transaction_mode=DEFERRED": ("transaction_mode=DEFERRED", "transaction_mode"),
}


@pytest.fixture(scope="module")
def a_database(tmp_path_factory):
    return RealSite(tmp_path_factory.mktemp("weak"))


@pytest.mark.parametrize("weakness", WEAK)
def test_sqlite_that_may_lose_what_it_acknowledged_is_refused_with_the_reason(a_database, weakness):
    option, named = WEAK[weakness]
    key, _, value = option.partition("=")
    url = f"sqlite:///{a_database.data / 'yidian.sqlite3'}?{urlencode({key: value})}"
    ended = a_database.yidian("serve", "--port", str(a_database.port), DATABASE_URL=url)
    assert ended.returncode == 1
    assert "没有启动" in ended.stderr and named in ended.stderr and "应是" in ended.stderr
    assert "已启动" not in ended.stdout


def test_sqlite_that_an_operator_sets_as_strong_is_accepted(tmp_path):
    site = RealSite(tmp_path)
    options = {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA;", "transaction_mode": "EXCLUSIVE"}
    site.env["DATABASE_URL"] = f"sqlite:///{site.data / 'yidian.sqlite3'}?{urlencode(options)}"
    try:
        assert site.start().get("/about/")[0] == 200
    finally:
        site.end()


# ---- malformed requests ----


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    served = RealSite(tmp_path_factory.mktemp("malformed"))
    try:
        yield served.start()
    finally:
        served.end()


@pytest.fixture(scope="module")
def slow_head(site):
    """A client that began a request before the tests of malformed ones and never ends it, and since when."""
    with connected(site) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHo")
        yield client, time.monotonic()


def connected(site) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), timeout=10)


def raw(site, sent: bytes, patience: float = 1.0) -> int | None:
    """The status of the first answer to these bytes; None when there was none, or the server hung up.

    A client that hears nothing for ``patience`` seconds says that it has nothing more to send.
    """
    answer = b""
    with connected(site) as client:
        client.settimeout(patience)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(sent)
        try:
            while b"\r\n" not in answer:
                try:
                    piece = client.recv(65536)
                except TimeoutError:
                    client.settimeout(10)
                    client.shutdown(socket.SHUT_WR)
                    piece = client.recv(65536)
                if not piece:
                    break
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            return None
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.") else None


HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET %b HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
POST = b"POST /corrections/report/ HTTP/1.1\r\n" + HOST + b"Content-Type: %b\r\nConnection: close\r\n"
URLENCODED = POST % b"application/x-www-form-urlencoded"
MALFORMED = {
    "no method": b"/ HTTP/1.1\r\n\r\n",
    "nothing but a line": b"hello\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    "a Host with a space": b"GET /search HTTP/1.1\r\nHost: 127.0.0.1 evil\r\n\r\n",
    "a Host not ASCII": b"GET /search HTTP/1.1\r\nHost: \xe5\x8c\xbb\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "a header with NUL": b"GET /search HTTP/1.1\r\n" + HOST + b"X-A: a\x00b\r\n\r\n",
    "a header of 200 KB": b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
    "5,000 headers": b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(5000)) + b"\r\n",
    "a path of 100 KB": GET % (b"/" + b"a" * 100_000),
    "a query of 30 KB": GET % (b"/search?q=" + b"%E8%85%BF" * 3_000),
    "broken percent": GET % b"/articles/%zz%/%",
    "percent not UTF-8": GET % b"/articles/%ff%fe%c0%af/",
    "percent NUL": GET % b"/articles/%00/",
    "NUL in the path": GET % b"/articles/\x00/",
    "raw bytes in the path": GET % b"/articles/\xe8\x85\xbf/",
    "raw bytes in the query": GET % b"/search?q=\xe8\xff\xfe",
    "broken percent in the query": GET % b"/search?q=%zz%f%%%ff&page=%ff",
    "1,500 parameters": GET % (b"/search?" + b"&".join(b"q=%d" % n for n in range(1500))),
    "dots": GET % b"/../../../../etc/passwd",
    "dots in static": GET % b"/static/../../../etc/passwd",
    "encoded dots in media": GET % b"/media/%2e%2e/%2e%2e/yidian.sqlite3",
    "a directory of media": GET % b"/media/images/",
    "NUL in static": GET % b"/static/%00",
    "a file of media as a folder": GET % b"/media/images/ceshi.svg/x",
    "NUL in media": GET % b"/media/a%00b",
    "a long name in media": GET % (b"/media/" + b"a" * 5000),
    "absolute form": GET % b"http://127.0.0.1/about/",
    "absolute form of another": GET % b"http://evil.example/about/",
    "no slash": GET % b"about/",
    "asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "less than Content-Length": URLENCODED + b"Content-Length: 1000\r\n\r\ntext=a",
    "more than Content-Length": URLENCODED + b"Content-Length: 3\r\n\r\ntext=aaaaaaaaa",
    "a negative Content-Length": URLENCODED + b"Content-Length: -5\r\n\r\n",
    "Content-Length is no number": URLENCODED + b"Content-Length: ten\r\n\r\ntext=a",
    "two Content-Lengths": URLENCODED + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\ntext=a",
    "a huge Content-Length": URLENCODED + b"Content-Length: 99999999999\r\n\r\ntext=a",
    "bad chunk size": URLENCODED + b"Transfer-Encoding: chunked\r\n\r\nzz\r\ntext=a\r\n0\r\n\r\n",
    "chunks that stop": URLENCODED + b"Transfer-Encoding: chunked\r\n\r\nff\r\ntext=a",
    "chunked and length": URLENCODED + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    "an unknown transfer": URLENCODED + b"Transfer-Encoding: nonsense\r\n\r\ntext=a",
    "a body of 11 MB": URLENCODED + b"Content-Length: 11534336\r\n\r\ntext=" + b"a" * 11_534_331,
    "a form not UTF-8": URLENCODED + b"Content-Length: 9\r\n\r\ntext=\xff\xfe%",
    "a form with NUL": URLENCODED + b"Content-Length: 10\r\n\r\ntext=%00ab",
    "an unknown charset": POST % b"application/x-www-form-urlencoded; charset=nonsense"
    + b"Content-Length: 6\r\n\r\ntext=a",
    "multipart without boundary": POST % b"multipart/form-data" + b"Content-Length: 6\r\n\r\ntext=a",
    "multipart that stops": POST % b"multipart/form-data; boundary=x"
    + b"Content-Length: 40\r\n\r\n--x\r\nContent-Disposition: form-d",
    "multipart of base64 that is none": POST
    % b"multipart/form-data; boundary=x"
    + b"Content-Length: 115\r\n\r\n--x\r\n"
    b'Content-Disposition: form-data; name="text"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!!\r\n--x--\r\n      ',
    "a beacon that is no JSON": b"POST /beacon/views HTTP/1.1\r\n"
    + HOST
    + b"User-Agent: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\n[[[[",
    "a broken range": b"GET /static/yidian/favicon.svg HTTP/1.1\r\n"
    + HOST
    + b"Range: bytes=9-1,x\r\nConnection: close\r\n\r\n",
    "a broken date": b"GET /media/images/ceshi.svg HTTP/1.1\r\n"
    + HOST
    + b"If-Modified-Since: Sat, 99 Foo 99999\r\nConnection: close\r\n\r\n",
    "a broken cookie": b"GET /admin/ HTTP/1.1\r\n"
    + HOST
    + b"Cookie: sessionid=\xff; ;;=;\r\nConnection: close\r\n\r\n",
    "a broken language": b"GET /admin/login/ HTTP/1.1\r\n"
    + HOST
    + b"Accept-Language: ;;q=x,\xff\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_no_fault_of_ours(site, slow_head, name):
    status = raw(site, MALFORMED[name])
    assert status is None or status < 500, status
    assert site.get("/about/")[0] == 200
    assert report(site, "好的")[0] == 200


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "PUT", "DELETE", "PATCH", "PROPFIND", "BREW"])
@pytest.mark.parametrize("path", [ARTICLE, "/", "/search", REPORT, "/beacon/views", "/about/"])
def test_a_method_that_means_nothing_here_is_refused(site, method, path):
    assert 400 <= raw(site, f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()) < 500


def test_what_is_allowed_instead_is_said(site):
    for path in (REPORT, "/self-tests/yejian-tuichoujin/", "/guides/ceshi/"):
        status, headers, _body = site.request("PUT", path)
        assert (status, headers.get("allow")) == (405, "GET, HEAD, POST"), path


def test_the_raw_client_reads_what_is_answered(site):
    assert raw(site, GET % b"/about/") == 200
    assert raw(site, GET % b"/nowhere/") == 404


@pytest.mark.parametrize(
    ("path", "most"),
    [("/corrections/report/", 1 << 20), ("/self-tests/yejian-tuichoujin/", 1 << 20), ("/admin/login/", 24 << 20)],
)
def test_a_file_that_no_form_has_use_for_is_refused_before_it_is_read(site, path, most):
    head = b"POST %b HTTP/1.1\r\n" % path.encode() + HOST + b"Content-Type: multipart/form-data; boundary=x\r\n"
    # nothing of the body is sent: an answer does not wait for it
    assert raw(site, head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (most + 1)) == 413
    part = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n%b\r\n--x--\r\n' % (b"a" * 1000)
    allowed = raw(site, head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(part) + part)
    assert allowed in {200, 403}


def test_clients_that_never_finish_do_not_stop_those_who_read(site):
    """They stop in the head, and in the body, more of them than the server has threads."""
    slow = []
    try:
        for n in range(60):
            slow.append(connected(site))
            slow[-1].sendall(b"GET / HTTP/1.1\r\nHo" if n % 2 else URLENCODED + b"Content-Length: 1000\r\n\r\ntext=")
        time.sleep(0.5)
        for path in (ARTICLE, "/search?q=a", "/articles/ceshi-pian-20/"):
            started = time.monotonic()
            assert site.get(path)[0] == 200
            assert time.monotonic() - started < 5, path
        status, headers, page = report(site)
        assert (status, headers["retry-after"]) == (503, "60") and "请过一分钟再提交" in page
    finally:
        for client in slow:
            client.close()
    assert eventually(lambda: report(site)[0] == 200)


def test_a_head_that_never_ends_is_given_up(site, slow_head):
    client, since = slow_head
    client.settimeout(max(1.0, 45 - (time.monotonic() - since)))
    while client.recv(4096):
        pass


# ---- logs ----

BROKEN_URLS = """
from django.urls import path
from yidian.site.urls import *
from yidian.site.urls import urlpatterns as own

def broken(request):
    raise ValueError(f"{request.GET} {request.POST} {request.body}")

urlpatterns = [path("broken/", broken), *own]
"""


def test_nothing_that_a_reader_types_reaches_a_log(tmp_path):
    canary = "jinsique" + uuid.uuid4().hex[:8]
    (tmp_path / "broken_urls.py").write_text(BROKEN_URLS)
    site = RealSite(tmp_path, settings='ROOT_URLCONF = "broken_urls"')
    try:
        site.start()
        site.get(f"/search?q={canary}")
        site.get(f"/zh-hant/search?q={quote('抽筋' + canary)}", {"Referer": f"http://x/{canary}", "User-Agent": canary})
        assert report(site, canary)[0] == 200
        assert report(site, canary * 200)[0] == 422
        for path in ("/{}/", "/articles/{}/", "/articles/?page={}", "/media/{}", "/static/{}"):
            assert site.get(path.format(canary))[0] == 404
        assert site.request("POST", f"/articles/{canary}/", canary.encode())[0] in (404, 405)
        assert site.request("POST", "/beacon/views", canary.encode(), READER)[0] == 400
        assert site.get("/", {"Host": canary})[0] == 400
        assert site.request("POST", "/admin/login/", f"username={canary}&password={canary}".encode(), FORM)[0] == 403
        status, headers, login = site.get(f"/admin/login/?next=/admin/{canary}/")
        token = login.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        fields = {"csrfmiddlewaretoken": token, "username": canary, "password": canary, "next": f"/admin/{canary}/"}
        sent = FORM | {"Cookie": headers["set-cookie"].partition(";")[0], "Origin": site.origin}
        assert status == 200 and site.request("POST", "/admin/login/", urlencode(fields).encode(), sent)[0] == 200
        raw(site, f"GET /{canary} HTTP/9.9\r\nHost: {canary}\r\n\r\n".encode())
        raw(site, f"{canary} {canary}\r\n\r\n".encode())
        status, _headers, page = site.request("POST", f"/broken/?q={canary}", f"text={canary}".encode(), FORM)
        assert status == 500 and "我们这边出错了" in page and canary not in page
        assert site.stop() == 0
    finally:
        site.end()
    assert "ValueError answered 500" in site.log and "in broken" in site.log, "the log is the server's, and says where"
    assert canary not in site.log
    everything = [path for path in site.data.rglob("*") if path.is_file() and "sqlite3" not in path.name]
    assert not [path for path in everything if canary.encode() in path.read_bytes()]
    assert site.count("SELECT count(*) FROM editorial_errorreport WHERE text = ?", canary) == 1
