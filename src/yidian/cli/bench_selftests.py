"""What `yidian bench self-tests` measures: scoring, and a self-test's page from the cache beside an article's."""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any

import click

from yidian.cli.bench import machine

SETS = 200  # answer sets a self-test
ROUNDS = 5
HITS = 2_000
_PAGES = ("/articles/{article}/", "/self-tests/phq-9/", "/self-tests/wo-gai-zenme-ban/")


@click.command("self-tests")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def self_tests_command(as_json: bool) -> None:
    """自测：计一次分要多少 CPU，自测页面从缓存里拿是不是和文章一样快；数据是临时的，测完删掉。"""
    figures = bench()
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    for slug, cost in figures["scoring"].items():
        click.echo(f"{slug:24} 计分 {cost['cpu_ms']:6.3f} ms CPU（最慢的一组 {cost['slowest_ms']:.3f}）")
    for path, cost in figures["cached"].items():
        click.echo(f"{path:40} 缓存里 {cost['cpu_us']:6.1f} µs CPU，{cost['bytes']:,} 字节（压缩后）")
    for path, ratio in figures["ratios"].items():
        click.echo(f"{path:40} 是文章的 {ratio} 倍")


def bench() -> dict:
    """The figures as one document; a site of its own with the starter encyclopedia, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="yidian-bench-") as folder:
        environment = os.environ | {
            "YIDIAN_DATA": folder,
            "DATABASE_URL": "",
            "DJANGO_SETTINGS_MODULE": "yidian.site.settings",
            "YIDIAN_DEBUG": "off",
        }
        code = "from yidian.cli.bench_selftests import measure; measure()"
        done = subprocess.run(  # noqa: S603  (our own code, in a process of its own)
            [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
        )
    return json.loads(done.stdout.splitlines()[-1])


def measure() -> None:
    """Everything, in a fresh process whose data folder is empty; prints it as JSON."""
    import django

    django.setup()
    from yidian.cli import start
    from yidian.encyclopedia.models import Article

    start.prepare_database()
    start.load_starter(lambda things, length, label="": things)
    article = Article.objects.public().order_by("slug").values_list("slug", flat=True)[0]
    cached = _cached([path.format(article=article) for path in _PAGES])
    beside = cached[f"/articles/{article}/"]["cpu_us"]
    figures = {
        "machine": machine(),
        "scoring": scoring(),
        "cached": cached,
        "ratios": {path: round(cost["cpu_us"] / beside, 2) for path, cost in cached.items() if "self-tests" in path},
    }
    print(json.dumps(figures))  # noqa: T201  (the parent process reads it)


def scoring(sets: int = SETS) -> dict[str, dict[str, float]]:
    """CPU milliseconds a scoring of each self-test that ships: the median, and the slowest of some answer sets.

    Answers are drawn at random; a tenth is missing, and every kind of answer occurs, 不确定 too.
    """
    from yidian.questionnaire.scoring import outcome
    from yidian.selftests.library import self_tests

    chance = random.Random(20261126)  # noqa: S311  (the same sets at every run)

    def drawn(asked: Any) -> tuple:
        if asked.options:
            return (chance.choice(asked.options).code,)
        return (Decimal(chance.randint(int(asked.minimum), int(asked.maximum))),)

    figures = {}
    for slug, test in self_tests().items():
        costs = []
        for _ in range(sets):
            answers = {name: drawn(asked) for name, asked in test.form.asked.items() if chance.random() > 0.1}
            costs.append(min(_milliseconds(lambda answers=answers, form=test.form: outcome(form, answers), 3)))
        figures[slug] = {"cpu_ms": round(statistics.median(costs), 4), "slowest_ms": round(max(costs), 4)}
    return figures


def _milliseconds(call: Callable[[], object], times: int) -> list[float]:
    costs = []
    for _ in range(times):
        started = time.process_time()
        call()
        costs.append((time.process_time() - started) * 1000)
    return costs


def _cached(paths: list[str]) -> dict[str, dict]:
    """CPU microseconds a page out of the cache: through the site's own WSGI application, pages in turn."""
    from yidian.site.wsgi import application

    rounds: dict[str, list[float]] = {path: [] for path in paths}
    sizes = {}
    for path in paths:
        # the first request fills the cache, the second is answered from it
        for _ in range(2):
            status, body = _get(application, path)
        if status != "200 OK":
            raise RuntimeError(f"{path}: {status}")
        sizes[path] = len(body)
    for _ in range(ROUNDS):
        for path, costs in rounds.items():
            started = time.process_time()
            for _ in range(HITS):
                _get(application, path)
            costs.append((time.process_time() - started) * 1e6 / HITS)
    return {
        path: {"cpu_us": round(statistics.median(costs), 1), "bytes": sizes[path]} for path, costs in rounds.items()
    }


def _get(application: Callable, path: str) -> tuple[str, bytes]:
    answered = []
    body = application(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "HTTP_HOST": "localhost",
            "HTTP_ACCEPT_ENCODING": "gzip",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
        },
        lambda status, headers, exc_info=None: answered.append(status),
    )
    return answered[0], b"".join(body)
