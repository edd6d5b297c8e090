"""Reading counts through the beacon: each reading once, whatever is retried, killed or refused."""

import json
import os
import random
import sqlite3
import threading
import time
import uuid
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from served import Served

from yidian.readership import buffer as buffers
from yidian.readership import rule
from yidian.readership.buffer import ViewBuffer, prune_events
from yidian.readership.models import ViewCount, ViewEvent, counts_for, most_viewed

PHONE = "Mozilla/5.0 (Linux; Android 14; V2307A) AppleWebKit/537.36 Chrome/116.0 Mobile MicroMessenger/8.0.47"
PAGE = "/articles/da-tui-chou-jin/"


def event(seconds: float = 0.0) -> str:
    """A UUIDv7 as a browser makes it, ``seconds`` from now."""
    milliseconds = int((time.time() + seconds) * 1000)
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(7))))


@pytest.fixture
def buffer(monkeypatch, settings):
    """A buffer of the test's own, written only when the test says ``flush``."""
    settings.YIDIAN_VIEWS_FLUSH_SECONDS = 0
    settings.YIDIAN_PAGE_EXISTS = "test_readership.page_exists"
    settings.ALLOWED_HOSTS = ["testserver"]
    mine = ViewBuffer()
    monkeypatch.setattr("yidian.readership.views.buffer", mine)
    monkeypatch.setattr(rule, "_counts", {})
    return mine


def page_exists(path: str) -> bool:
    return "missing" not in path


def send(page: str = PAGE, event_: str | None = None, body: object = None, **headers):
    body = {"page": page, "event": event_ or event()} if body is None else body
    headers = {"User-Agent": PHONE, "Sec-Fetch-Site": "same-origin"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    if isinstance(body, dict):
        body = json.dumps(body)
    client = Client(enforce_csrf_checks=True)
    return client.post(
        "/beacon/views", body, content_type="text/plain", headers={k: v for k, v in headers.items() if v}
    )


def shown(page: str = PAGE):
    return Client().get("/beacon/views", {"page": page})


@pytest.mark.django_db
def test_a_reading_is_counted_once_however_often_it_is_sent(buffer):
    first, second = event(), event()
    for one in (first, first, second):
        response = send(event_=one)
        assert response.status_code == 202 and response.json() == {"counted": True}
        assert response["Cache-Control"] == "no-store" and not response.cookies
    assert shown().json() == {"count": 0}
    assert buffer.flush() == 2
    send(event_=first)
    assert buffer.flush() == 0
    assert shown().json() == {"count": 2} and shown()["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_both_scripts_count_as_one_page(buffer):
    send("/articles/x/")
    send("/zh-hant/articles/x/")
    buffer.flush()
    assert shown("/articles/x/").json() == shown("/zh-hant/articles/x/").json() == {"count": 2}
    assert list(ViewCount.objects.values_list("page", flat=True)) == ["/articles/x/"]


@pytest.mark.django_db
def test_a_page_that_does_not_exist_grows_no_row(buffer):
    assert send("/articles/missing/").status_code == 202
    send("/articles/there/")
    assert buffer.flush() == 1 and buffer.events == {}
    assert list(ViewCount.objects.values_list("page", flat=True)) == ["/articles/there/"]
    assert ViewEvent.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "[]",
        "null",
        "[" * 500,
        '{"page": "/articles/x/"}',
        {"page": PAGE, "event": event(), "more": 1},
        {"page": 1, "event": event()},
        {"page": PAGE, "event": None},
        {"page": PAGE, "event": str(uuid.uuid4())},
        {"page": PAGE, "event": event().upper() if any(c in "abcdef" for c in event()) else "x"},
        {"page": PAGE, "event": "{" + event() + "}"},
        {"page": PAGE, "event": event(-25 * 3600)},
        {"page": PAGE, "event": event(25 * 3600)},
        {"page": "/articles/", "event": event()},
        {"page": "/articles/x", "event": event()},
        {"page": "/articles/x/\n", "event": event()},
        {"page": "/articles/X/", "event": event()},
        {"page": "/articles/x/../y/", "event": event()},
        {"page": "/admin/x/", "event": event()},
        {"page": "/zh-hant/zh-hant/articles/x/", "event": event()},
        {"page": "/articles/" + "x" * 101 + "/", "event": event()},
        {"page": "/articles/" + "x" * 600 + "/", "event": event()},
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_refused_in_words(buffer, body):
    response = send(body=body)
    assert response.status_code == 400
    assert any("一" <= letter <= "鿿" for letter in response.json()["error"])
    assert buffer.events == {}


@pytest.mark.django_db
def test_events_within_a_day_of_the_clock_are_accepted(buffer):
    for seconds in (-23.9 * 3600, 23.9 * 3600):
        assert send(event_=event(seconds)).status_code == 202


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 202),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Sec_Fetch_Site": "", "Origin": "http://testserver"}, 202),
        ({"Sec_Fetch_Site": "", "Origin": "https://evil.example"}, 403),
        ({"Sec_Fetch_Site": "", "Origin": "null"}, 403),
        ({"Sec_Fetch_Site": ""}, 202),
    ],
)
def test_another_site_cannot_count_for_ours(buffer, headers, status):
    assert send(**headers).status_code == status
    assert len(buffer.events) == (status == 202)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "  ",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "Sogou web spider/4.0",
        "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 Mobile Safari/537.36 (compatible; Bytespider; x@y)",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "facebookexternalhit/1.1",
        "curl/8.5.0",
        "Wget/1.21",
        "python-requests/2.32",
        "python-httpx/0.28",
        "Go-http-client/1.1",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
        "Mozilla/5.0 Chrome-Lighthouse",
        "UptimeRobot/2.0",
    ],
)
def test_programs_are_robots(agent):
    assert rule.is_robot(agent)


@pytest.mark.parametrize(
    "agent",
    [
        PHONE,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; U; Android 13; zh-cn; M2102J2SC) AppleWebKit/537.36 Chrome/100.0 Mobile MiuiBrowser/17.5",
        "Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) AppleWebKit/537.36 Chrome/99 HuaweiBrowser/14.0 Mobile",
        "Mozilla/5.0 (Linux; Android 9; baiduboxapp/13.41) AppleWebKit/537.36 Chrome/97 Mobile",
        "Mozilla/5.0 (Linux; U; Android 12; zh-CN) UCBrowser/15.5 Quark/6.9 Mobile",
        "Mozilla/5.0 (Linux; Android 11; CUBOT_X50) AppleWebKit/537.36 Chrome/110 Mobile",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 Chrome/86 QIHU 360SE",
    ],
)
def test_people_are_not_robots(agent):
    assert not rule.is_robot(agent)


@pytest.mark.django_db
def test_robots_and_prefetching_are_answered_and_not_counted(buffer):
    for headers in (
        {"User-Agent": "Googlebot/2.1"},
        {"User-Agent": ""},
        {"Sec_Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"X_Moz": "prefetch"},
    ):
        response = send(**headers)
        assert response.status_code == 200 and response.json()["counted"] is False, headers
    assert send(Sec_GPC="1", DNT="1").status_code == 202
    assert len(buffer.events) == 1


@pytest.mark.django_db
def test_one_address_is_limited_a_minute_and_another_is_not(buffer, settings, monkeypatch):
    monkeypatch.setattr(rule, "time", SimpleNamespace(time=lambda: 600_000.0))  # no new minute on a slow machine
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ALLOWED_HOSTS = ["testserver"]
    answers = [send(X_Forwarded_For="9.9.9.9, 203.0.113.7").status_code for _ in range(rule.PER_MINUTE + 5)]
    assert answers.count(202) == rule.PER_MINUTE and answers[-5:] == [429] * 5
    assert send(X_Forwarded_For="203.0.113.8").status_code == 202
    # a made-up first entry does not help
    refused = send(X_Forwarded_For="1.1.1.1, 203.0.113.7")
    assert refused.status_code == 429 and refused["Retry-After"] == "60"


def test_the_limit_starts_again_each_minute_and_spans_a_household_in_ipv6():
    start = 10_000 * 60.0
    assert all(rule.within_limit("2001:db8::1", start) for _ in range(rule.PER_MINUTE))
    assert not rule.within_limit("2001:db8::ffff", start + 59)
    assert rule.within_limit("2001:db8:0:1::1", start + 59)
    assert rule.within_limit("2001:db8::1", start + 60)
    assert all(rule.within_limit("127.0.0.1", start) for _ in range(rule.PER_MINUTE * 2))


@pytest.mark.django_db
def test_a_full_buffer_says_later_and_loses_nothing(buffer, monkeypatch):
    monkeypatch.setattr(buffers, "CAPACITY", 2)
    answers = [send() for _ in range(3)]
    assert [a.status_code for a in answers] == [202, 202, 503] and answers[2]["Retry-After"]
    assert buffer.flush() == 2 and send().status_code == 202


@pytest.mark.django_db
def test_a_refusing_database_keeps_the_readings(buffer, monkeypatch):
    send()
    with monkeypatch.context() as broken:
        broken.setattr(buffers, "count_events", _refuse)
        with pytest.raises(DatabaseError):
            buffer.flush()
        assert send().status_code == 202
    assert buffer.flush() == 2 and shown().json() == {"count": 2}


def _refuse(_batch):
    raise DatabaseError("database or disk is full")


@pytest.mark.django_db
@pytest.mark.parametrize(("counting", "expected"), [("ids", 3), ("plain", 6)])
def test_a_commit_whose_answer_was_lost_is_not_counted_again(buffer, monkeypatch, counting, expected):
    """``plain`` is the control: n = n + 1 without ids, retried, counts the same readings twice."""
    count = buffers.count_events if counting == "ids" else _count_plainly
    lost = []

    def answer_lost(batch):
        added = count(batch)
        if not lost:
            lost.append(1)
            raise DatabaseError("server closed the connection unexpectedly")
        return added

    monkeypatch.setattr(buffers, "count_events", answer_lost)
    for _ in range(3):
        send()
    with pytest.raises(DatabaseError):
        buffer.flush()
    buffer.flush()
    assert shown().json() == {"count": expected}


def _count_plainly(batch):
    for page in batch.values():
        row, _made = ViewCount.objects.get_or_create(page=page, defaults={"section": "articles"})
        ViewCount.objects.filter(pk=row.pk).update(count=row.count + 1)
    return len(batch)


@pytest.mark.django_db
def test_a_large_batch_is_written_whole_in_few_queries(buffer, django_assert_max_num_queries):
    buffer.events = {uuid.UUID(event()): f"/articles/p{n % 5}/" for n in range(5000)}
    with django_assert_max_num_queries(60):
        assert buffer.flush() == 5000
    pages = [f"/articles/p{n}/" for n in range(5)]
    assert counts_for([*pages, "/articles/never/"]) == dict.fromkeys(pages, 1000) | {"/articles/never/": 0}


@pytest.mark.django_db
def test_the_most_viewed_of_a_section_by_index(buffer, django_assert_num_queries):
    for page, count in {"/articles/a/": 3, "/articles/b/": 5, "/articles/c/": 3, "/questions/1/": 9}.items():
        buffer.events |= {uuid.UUID(event()): page for _ in range(count)}
    buffer.flush()
    with django_assert_num_queries(1):
        assert most_viewed("/articles/", 2) == [("/articles/b/", 5), ("/articles/a/", 3)]
    if connection.vendor == "sqlite":
        plan = ViewCount.objects.filter(section="articles").order_by("-count", "page")[:2].explain()
        assert "USING" in plan and "most_viewed" in plan and "TEMP B-TREE" not in plan


@pytest.mark.django_db
def test_old_events_are_forgotten_and_recent_ones_kept(buffer):
    today = timezone.now().date()
    for days in (0, 2, 3, 4, 400):
        ViewEvent.objects.create(id=uuid.UUID(event()), received=today - timezone.timedelta(days=days))
    assert prune_events() == 2 and prune_events() == 0
    assert ViewEvent.objects.count() == 3


@pytest.mark.django_db
def test_a_site_without_a_page_check_is_a_mistake_that_shows(buffer, settings):
    settings.YIDIAN_PAGE_EXISTS = None
    with pytest.raises(ImproperlyConfigured):
        send()


def test_only_get_and_post(buffer):
    assert Client().put("/beacon/views").status_code == 405


# Real processes


@pytest.fixture
def serve_site(tmp_path, request):
    """Starts a server over a site of its own, on PostgreSQL when the tests run there."""
    servers, databases = [], []

    def start(**options) -> Served:
        if connection.vendor == "postgresql":
            databases.append(f"served_{uuid.uuid4().hex[:12]}")
            _on_postgres(f"CREATE DATABASE {databases[-1]}")
            known = connection.settings_dict
            where = f"{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT'] or 5432}"
            options["database"] = f"postgres://{where}/{databases[-1]}"
        servers.append(Served(tmp_path, **options))
        return servers[-1].start()

    yield start
    for server in servers:
        server.end()
    for database in databases:
        _on_postgres(f"DROP DATABASE {database} WITH (FORCE)")


def _on_postgres(statement: str) -> None:
    import psycopg

    known = connection.settings_dict
    where = {"host": known["HOST"], "port": known["PORT"] or 5432, "user": known["USER"], "password": known["PASSWORD"]}
    with psycopg.connect(dbname="postgres", autocommit=True, **where) as postgres:
        postgres.execute(statement)


def written(server: Served) -> tuple[int, set[str]]:
    """The count the database shows, and the ids it has counted."""
    counts = "SELECT coalesce(sum(count), 0) FROM readership_viewcount"
    ids = "SELECT id FROM readership_viewevent"
    if server.database.startswith("postgres"):
        import psycopg

        with psycopg.connect(server.database) as database:
            total, rows = database.execute(counts).fetchone()[0], database.execute(ids).fetchall()
    else:
        database = sqlite3.connect(server.data / "db.sqlite3")
        total, rows = database.execute(counts).fetchone()[0], database.execute(ids).fetchall()
        database.close()
    return int(total), {str(uuid.UUID(str(row[0]))) for row in rows}


def post(server: Served, one: str) -> int:
    """The status of the answer; 0 when there was none."""
    body = f'{{"page": "{PAGE}", "event": "{one}"}}'.encode()
    try:
        return server.request("POST", "/beacon/views", body, {"User-Agent": PHONE}, timeout=5)[0]
    except OSError:
        return 0
    except Exception as error:
        if type(error).__module__ == "http.client":
            return 0
        raise


class Readers:
    """Threads that send readings until stopped: some twice, and again what was not answered, as browsers do."""

    def __init__(self, server: Served, threads: int = 8):
        self.server = server
        self.sent: set[str] = set()
        self.accepted: dict[str, float] = {}
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._read, args=(n,)) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _read(self, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 no secret
        unanswered: list[str] = []
        while not self.stopping.is_set():
            one = unanswered.pop() if unanswered else event()
            self.sent.add(one)
            for _ in range(1 + (dice.random() < 0.3)):
                if post(self.server, one) == 202:
                    self.accepted.setdefault(one, time.monotonic())
            if one not in self.accepted:
                unanswered.append(one)
                time.sleep(0.05)
            time.sleep(0.01)

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_a_clean_stop_loses_no_reading_and_invents_none(serve_site):
    server = serve_site(workers=2)
    readers = Readers(server)
    time.sleep(1.5)
    # Stopped under load: what was accepted in the last moment is the hard part.
    server.stop()
    readers.stop()
    assert server.exit_status == 0
    count, ids = written(server)
    assert len(readers.accepted) > 100
    assert set(readers.accepted) <= ids <= readers.sent and count == len(ids)


def test_kill_9_invents_no_reading_and_loses_at_most_the_last_second(serve_site):
    server = serve_site(workers=2)
    dice = random.Random(3)  # noqa: S311 no secret
    sent: set[str] = set()
    kept: set[str] = set()
    for number in range(4):
        if number:
            server.start()
        readers = Readers(server)
        time.sleep(1.3 + dice.random())
        killed = time.monotonic()
        server.kill()
        readers.stop()
        sent |= readers.sent
        old_enough = {one for one, when in readers.accepted.items() if when < killed - 1.0}
        assert len(old_enough) > 20, "the round shows nothing"
        kept |= old_enough
        count, ids = written(server)
        assert kept <= ids <= sent and count == len(ids)
    server.start()
    # Every reading ever sent comes once more, as after a long time without a network.
    for one in sent:
        assert post(server, one) == 202
    server.stop()
    assert written(server) == (len(sent), sent)


PLAIN = """
from django.db import connection
from yidian.readership import buffer

def count_plainly(batch):
    with connection.cursor() as cursor:
        for page in batch.values():
            cursor.execute(
                "INSERT INTO readership_viewcount (page, section, count) VALUES (%s, 'articles', 1) "
                "ON CONFLICT (page) DO UPDATE SET count = readership_viewcount.count + 1", [page])
    return len(batch)

buffer.count_events = count_plainly
"""


@pytest.mark.parametrize(("patch", "factor"), [("", 1), (PLAIN, 2)], ids=["ids", "plain-control"])
def test_retries_are_counted_once_and_the_harness_would_see_it_otherwise(serve_site, patch, factor):
    server = serve_site(patch=patch)
    events = [event() for _ in range(50)]
    for _ in range(2):
        assert {post(server, one) for one in events} == {202}
        time.sleep(1.2)
    server.stop()
    assert written(server)[0] == 50 * factor
