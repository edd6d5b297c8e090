"""Benches that print ratios of one run: a machine's own speed cancels out, which seconds never do."""

import gc
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

import click

import yidian

# The promise of flatness is held between these two sizes.
SIZES = (10_000, 1_000_000)
ARTICLES = 200
SAMPLES = 40
ADMIN_SAMPLES = 8
ROUNDS = 5

_SLUG = "bench-{}"
_TEXT = (
    "<p>多数腿抽筋几分钟内会自己过去。慢慢把腿伸直，把脚尖往回勾，保持三十秒，通常就会松开[^bench-source]。"
    "如果一侧腿又肿又热，或者抽筋之后尿色变深，请当天去看医生。</p>"
)


def machine() -> dict:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    import sqlite3

    import django
    import granian
    import wagtail

    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "django": django.__version__,
        "wagtail": wagtail.__version__,
        "granian": granian.__version__,
        "sqlite": sqlite3.sqlite_version,
        "yidian": yidian.__version__,
    }


def pages(sizes: tuple[int, ...] = SIZES, as_json: bool = False, http: bool = True) -> dict:
    """`yidian bench pages`: cold pages, the admin's pages and a cached page, at each size of the library.

    Every size is measured in a process and a database of its own, in a temporary folder. CPU time of the process,
    never wall time; the median over rounds of the minimum a page.
    """
    figures: dict = {"machine": machine(), "sizes": {}}
    folder = Path(tempfile.mkdtemp(prefix="yidian-bench-"))
    try:
        for size in sizes:
            data = folder / str(size)
            _say(f"{size:,} 条回答：准备数据", as_json)
            child(__name__, data, "fill", size)
        for size in sizes:
            _say(f"{size:,} 条回答：冷页面，编辑后台", as_json)
            steps = ("cold", "admin")
            figures["sizes"][str(size)] = {step: child(__name__, folder / str(size), step, size) for step in steps}
        if http:
            for size in sizes:
                _say(f"{size:,} 条回答：缓存页面，与 nginx 轮流测", as_json)
                figures["sizes"][str(size)]["cached"] = child(__name__, folder / str(size), "cached", size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures["ratios"] = _ratios(figures["sizes"], [str(size) for size in sizes])
    return figures


def _say(text: str, as_json: bool) -> None:
    if not as_json:
        click.echo(text, err=True)


def child(module: str, data: Path, step: str, *given) -> dict:
    """The figures that `run_step(step, *given)` of a module prints, in a process with a site of its own in a folder."""
    environment = os.environ | {
        "YIDIAN_DATA": str(data),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "yidian.site.settings",
        "YIDIAN_DEBUG": "off",
    }
    code = f"from {module} import run_step; run_step(*{(step, *given)!r})"
    done = subprocess.run(  # noqa: S603  (our own code, in a process of its own)
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout.splitlines()[-1])


def run_step(step: str, size: int) -> None:
    """One step of a bench in a fresh process; prints its figures as JSON."""
    import django

    django.setup()
    steps: dict[str, Callable[[int], dict]] = {"fill": _fill, "cold": _cold, "admin": _admin, "cached": _cached}
    print(json.dumps(steps[step](size)))  # noqa: T201  (the parent process reads it)


def _fill(size: int) -> dict:
    """A library of 200 conditions, 200 articles, and `size` questions with an answer each."""
    from datetime import date

    from django.conf import settings
    from django.db import connection, transaction
    from django.utils import timezone

    from yidian.answers.models import Answer, Question
    from yidian.editorial.actions import publish_now
    from yidian.encyclopedia.models import Article, Condition
    from yidian.evidence.models import Source
    from yidian.people.models import Hospital, Physician
    from yidian.site.first_start import load_ready_database

    settings.YIDIAN_DATA.mkdir(parents=True, exist_ok=True)
    load_ready_database(connection)
    publish_now(Source(slug="bench-source", name="Bench", source_kind="review", pmid="1", date_published="2026"))
    hospital = Hospital(slug="bench", name="演示医院", hospital_grade="三级甲等", demonstration=True)
    publish_now(hospital)
    doctor = Physician(slug="bench", name="演示医生", job_title="主任医师", hospital=hospital, demonstration=True)
    publish_now(doctor)
    module = {
        "type": "module",
        "value": {
            "health_aspect": "causes",
            "headline": "为什么会抽筋",
            "body": [{"type": "text", "value": _TEXT * 3}],
        },
    }
    card = {
        "type": "card",
        "value": {"level": "same_day", "heading": "今天就去看医生，如果", "items": ["十分钟不缓解"]},
    }
    more = {"modules": [module] * 5, "care_advice": [card], "description": "多半是肌肉累了，拉伸几十秒就会缓解。"}
    for number in range(ARTICLES):
        condition = Condition(slug=_SLUG.format(number), name=f"病症{number}", condition_kind="disease", **more)
        publish_now(condition)
        publish_now(Article(slug=_SLUG.format(number), name=f"为什么会有病症{number}", about=condition, **more))
    first = Question(slug="bench-0", name="腿抽筋怎么办？", description="先拉伸。", about=condition)
    publish_now(first)
    answer = Answer(question=first, author=doctor, author_hospital=hospital, author_job_title="主任医师")
    answer.date_created, answer.body = date(2026, 1, 1), [{"type": "text", "value": _TEXT}]
    publish_now(answer)
    # the rest are copies with other ids, made inside SQLite: what is measured is reading, not writing
    first_condition = Condition.objects.order_by("pk").values_list("pk", flat=True).first()
    moment = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        for table, row, changed in (
            (Question._meta.db_table, first.pk, {"about_id": f"{first_condition} + n % {ARTICLES}"}),
            (Answer._meta.db_table, answer.pk, {"question_id": f"{first.pk} + n"}),
        ):
            columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
            changed |= {
                "id": f"{row} + n",
                "slug": "'b' || printf('%07d', n)",
                "identifier": "printf('%032x', n)",
                "latest_revision_id": "NULL",
                "live_revision_id": "NULL",
            }
            if "lead_answer_id" in columns:
                changed["lead_answer_id"] = f"{answer.pk} + n"
                changed["name"] = "'腿抽筋怎么办？第' || n || '问'"
                key = f"'\"{answer.pk}\": '"
                changed["rendered"] = f"replace(rendered, {key}, '\"' || ({answer.pk} + n) || '\": ')"
            values = ", ".join(changed.get(column, f'"{column}"') for column in columns)
            names = ", ".join(f'"{column}"' for column in columns)
            cursor.execute(
                f"INSERT INTO {table} ({names}) WITH RECURSIVE numbers(n) AS "  # noqa: S608  (no text from outside)
                f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {int(size) - 1}) "
                f"SELECT {values} FROM {table}, numbers WHERE {table}.id = {int(row)}"
            )
        cursor.execute("ANALYZE")
    counted = Question.objects.public().count()
    return {"questions": counted, "seconds": (timezone.now() - moment).total_seconds()}


def _cold(size: int) -> dict:
    """CPU a page in process, in milliseconds: Django's handler with all its middleware, nothing cached before it."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, override_settings

    with override_settings(ALLOWED_HOSTS=["testserver"]):
        client = Client()
        kinds = {
            "article": [f"/articles/{_SLUG.format(number)}/" for number in range(SAMPLES)],
            "condition": [f"/conditions/{_SLUG.format(number)}/" for number in range(SAMPLES)],
            "question": [f"/questions/b{number:07d}/" for number in range(1, SAMPLES + 1)],
            "questions_list": ["/questions/"],
        }
        figures = {}
        for kind, paths in kinds.items():
            with CaptureQueriesContext(connection) as queries:
                response = client.get(paths[0])
            assert response.status_code == 200, (paths[0], response.status_code)  # noqa: S101
            figures[kind] = {"queries": len(queries), "bytes": len(response.content)}
            figures[kind] |= _timed(_handled, paths)
    return figures


def _handled(path: str) -> None:
    """One request through Django's own WSGI handler, as the page cache would send it."""
    response = _handler()(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
        },
        lambda status, headers, exc_info=None: None,
    )
    b"".join(response)
    response.close()


@cache
def _handler():
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def _admin(size: int) -> dict:
    """CPU a page of the editors' admin, in milliseconds: lists, forms and the window that an editor picks from."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext, override_settings
    from django.urls import reverse

    from yidian.answers.models import Answer, Question

    with override_settings(ALLOWED_HOSTS=["testserver"]):
        client = Client()
        client.force_login(get_user_model().objects.create_superuser("bench", "bench@example.org", "bench"))
        kinds = {}
        for model in (Question, Answer):
            views = model.snippet_viewset
            # rows that were imported, from the middle of the library
            rows = list(
                model.objects.filter(pk__gt=size // 2).order_by("pk").values_list("pk", flat=True)[:ADMIN_SAMPLES]
            )
            kinds[f"{model.kind}_list"] = [reverse(views.get_url_name("list"))]
            kinds[f"{model.kind}_form"] = [reverse(views.get_url_name("edit"), args=[pk]) for pk in rows]
        kinds["question_chooser"] = [reverse(Question.snippet_viewset.chooser_viewset.get_url_name("choose"))]
        figures = {}
        for kind, paths in kinds.items():
            with CaptureQueriesContext(connection) as queries:
                response = client.get(paths[0])
            assert response.status_code == 200, (paths[0], response.status_code)  # noqa: S101
            figures[kind] = {"queries": len(queries), "bytes": len(response.content)}
            figures[kind] |= _timed(client.get, paths, ADMIN_SAMPLES)
    return figures


def _timed(call: Callable[[str], object], paths: list[str], samples: int = SAMPLES) -> dict:
    """Median over rounds of the mean CPU milliseconds a call, and the smallest and largest round."""
    for path in paths:
        call(path)
    rounds = []
    for _ in range(ROUNDS):
        gc.collect()
        repeat = max(1, samples // len(paths))
        start = time.process_time()
        for _ in range(repeat):
            for path in paths:
                call(path)
        rounds.append((time.process_time() - start) * 1000 / (repeat * len(paths)))
    return {"cpu_ms": round(statistics.median(rounds), 3), "min": round(min(rounds), 3), "max": round(max(rounds), 3)}


def _cached(size: int) -> dict:
    from yidian.cli.bench_http import measure_cached

    return measure_cached(f"/articles/{_SLUG.format(0)}/")


def _ratios(sizes: dict, order: list[str]) -> dict:
    """What the promises are about: each figure of the largest library over the smallest, and beside nginx."""
    smallest, largest = sizes[order[0]], sizes[order[-1]]
    ratios = {
        f"{step}_{kind}_largest_over_smallest": round(largest[step][kind]["cpu_ms"] / smallest[step][kind]["cpu_ms"], 2)
        for step in ("cold", "admin")
        for kind in smallest[step]
    }
    for name, figures in (("smallest", smallest), ("largest", largest)):
        share = figures.get("cached", {}).get("ratios", {}).get("cpu_share")
        if share:
            ratios[f"cached_share_of_nginx_{name}"] = share["median"]
    return ratios


def print_pages(figures: dict) -> None:
    """The figures for people."""
    made = figures["machine"]
    click.echo(
        f"{made['cpu']}，{made['cores']} 核，Python {made['python']}，Django {made['django']}，SQLite {made['sqlite']}"
    )
    for size, measured in figures["sizes"].items():
        click.echo(f"\n{int(size):,} 条回答")
        for step, label in (("cold", "冷页面"), ("admin", "后台")):
            for kind, figure in measured[step].items():
                click.echo(
                    f"  {label} {kind:16} {figure['cpu_ms']:7.2f} ms CPU（{figure['min']}–{figure['max']}），"
                    f"{figure['queries']} 次查询，{figure['bytes']:,} 字节"
                )
        cached = measured.get("cached")
        if cached and "skipped" in cached:
            click.echo(f"  缓存页面：没有测，{cached['skipped']}")
        elif cached:
            for name, label in (("yidian", "缓存页面"), ("nginx_gzip_static", "nginx gzip_static")):
                cost, rate = cached[name]["cpu_us_per_request"], cached[name]["requests_per_cpu_second"]
                click.echo(
                    f"  {label:18} {cost['median']:6.1f} µs CPU（{cost['min']}–{cost['max']}），"
                    f"每 CPU 秒 {rate['median']:,.0f} 次"
                )
    click.echo("\n比值")
    for name, value in figures["ratios"].items():
        click.echo(f"  {name}: {value}")
