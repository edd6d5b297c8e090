"""`yidian bench related`: what an entry's further reading costs to work out and to read, and whether that grows."""

import csv
import json
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import click

from yidian.cli.bench import child, machine
from yidian.cli.bench_import import made_up_words

SIZES = (10_000, 100_000)
CONDITIONS = 200
MADE = 200
READS = 100
ROUNDS = 5


def bench(sizes: tuple[int, ...] = SIZES, as_json: bool = False) -> dict:
    """The figures of one run: CPU an entry worked out and a page read, and peak memory, at each number of questions.

    Every size has a process and a database of its own in a temporary folder; half of the questions are filed under one
    of CONDITIONS, the others only name it.
    """
    figures: dict = {"machine": machine(), "questions": {}}
    folder = Path(tempfile.mkdtemp(prefix="yidian-bench-"))
    try:
        for size in sizes:
            if not as_json:
                click.echo(f"{size:,} 个问题：准备数据和索引，配延展阅读，读页面", err=True)
            child(__name__, folder / str(size), "fill", size)
            figures["questions"][str(size)] = child(__name__, folder / str(size), "measure", size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    few, many = (figures["questions"][str(size)] for size in (sizes[0], sizes[-1]))
    figures["ratios"] = {
        f"{name}: {sizes[-1]:,} / {sizes[0]:,}": round(many[name]["cpu_ms"] / few[name]["cpu_ms"], 2)
        for name in ("made", "together", "read")
    }
    return figures


def run_step(step: str, size: int) -> None:
    """One step in a fresh process; prints its figures as JSON."""
    import django

    django.setup()
    print(json.dumps({"fill": _fill, "measure": _measure}[step](size)))  # noqa: T201  (the parent process reads it)


def _fill(size: int) -> dict:
    from django.conf import settings
    from django.db.models import F, OuterRef, Subquery, Value
    from django.db.models.functions import Concat
    from django.utils import timezone

    from yidian.answers.models import Answer, Question
    from yidian.cli.start import prepare_database
    from yidian.editorial.actions import publish_now
    from yidian.editorial.rendering import marked, render
    from yidian.encyclopedia.models import Article, Condition
    from yidian.exchange.foreign import import_foreign
    from yidian.search.library import library

    prepare_database()
    words = made_up_words()
    names = [f"{one}{other}病" for one, other in zip(words[:CONDITIONS], words[CONDITIONS:], strict=False)][:CONDITIONS]
    conditions = []
    for number, name in enumerate(names):
        condition = Condition(slug=f"bench-{number}", name=name, condition_kind="disease", description=f"{name}是病。")
        publish_now(condition)
        conditions.append(condition)
        publish_now(Article(slug=f"bench-{number}", name=f"{name}怎么治疗", about=condition, description="先看医生。"))
    table = settings.YIDIAN_DATA / "questions.csv"
    _write(table, size, names, words)
    import_foreign(
        table, format_name="qa-csv", progress=lambda rows, length=0, label="": rows, report=lambda line: None
    )
    # published in one stroke: what is measured comes after
    form = render(Question.objects.first()) | {"answers": {}, "of": ""}
    lead = Answer.objects.filter(question=OuterRef("pk")).values("pk")[:1]
    Answer.objects.update(live=True)
    Question.objects.update(
        live=True,
        rendered=form,
        searched=Concat(Value(f"{marked(form)}\n"), "description", Value("\n"), "detail"),
        date_published=timezone.localdate(),
        lead_answer=Subquery(lead),
        last_published_at=None,
    )
    for condition in conditions:
        filed = Question.objects.filter(name__startswith=condition.name).annotate(odd=F("pk") % 2).filter(odd=1)
        filed.update(about=condition)
    library().build()
    return {}


def _write(path: Path, size: int, names: list[str], words: list[str]) -> None:
    """A made-up table of questions that each name one of the conditions, the same at every call."""
    drawn = random.Random(20_261_125)  # noqa: S311  the same table every time is what is wanted

    def said(count: int) -> str:
        return "".join(words[int(len(words) * drawn.random() ** 2)] for _ in range(count))

    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["department", "title", "ask", "answer"])
        for number in range(size):
            ask = f"我今年{number % 80 + 10}岁，{said(6)}，{said(6)}，怎么办？"
            table.writerow(["内科", f"{drawn.choice(names)}{said(2)}怎么办？", ask, f"{said(20)}。{said(20)}。"])


def _measure(size: int) -> dict:
    from yidian.answers.models import Question
    from yidian.encyclopedia.models import Article
    from yidian.related import upkeep
    from yidian.related.choosing import Shelf
    from yidian.related.models import Link
    from yidian.related.reading import further_reading
    from yidian.related.subjects import world
    from yidian.search.library import library

    engine = library().engine()
    known = world(engine.lexicon)
    articles = list(Article.objects.public().values_list("pk", "about"))[:READS]
    questions = list(Question.objects.public().order_by("pk").values_list("pk", flat=True)[:: max(1, size // MADE)])
    keys = [("article", pk) for pk, _about in articles] + [("question", pk) for pk in questions[:MADE]]
    made = []
    for key in keys:
        started = time.process_time()
        upkeep.make({key: False}, engine, Shelf(known))
        made.append(time.process_time() - started)
    together, shelf = [], Shelf(known)
    for start in range(0, len(keys), upkeep.TOGETHER):
        batch = keys[start : start + upkeep.TOGETHER]
        started = time.process_time()
        upkeep.make(dict.fromkeys(batch, False), engine, shelf)
        together.append((time.process_time() - started) / len(batch))
    reads = []
    for _round in range(ROUNDS):
        started = time.process_time()
        for pk, about in articles:
            further_reading("article", pk, about)
        reads.append((time.process_time() - started) / len(articles))
    return {
        "made": {"cpu_ms": round(1000 * statistics.median(made), 2), "max": round(1000 * max(made), 2)},
        "together": {"cpu_ms": round(1000 * statistics.median(together), 2), "max": round(1000 * max(together), 2)},
        "read": {"cpu_ms": round(1000 * min(reads), 3), "max": round(1000 * max(reads), 3)},
        "rows": round(Link.objects.count() / len(made), 1),
        **_memory(),
    }


def _memory() -> dict:
    """What the process holds of its own, and how much of the index's files the system has mapped into it, in MB.

    The second is given back whenever others need it; it grows with the index, the first does not.
    """
    held = {}
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        held[name] = value
    own, mapped = (int(held[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile"))
    return {"own_mb": own, "mapped_mb": mapped}


def print_related(figures: dict) -> None:
    """The figures for people."""
    for size, measured in figures["questions"].items():
        made, together, read = measured["made"], measured["together"], measured["read"]
        click.echo(
            f"{int(size):,} 个问题：配一页 {made['cpu_ms']} ms CPU（最多 {made['max']}），全部重配时每页 "
            f"{together['cpu_ms']} ms，每页 {measured['rows']} 条；读一页 {read['cpu_ms']} ms CPU；"
            f"内存 {measured['own_mb']} MB，另有 {measured['mapped_mb']} MB 是系统映射的索引文件"
        )
    for name, value in figures["ratios"].items():
        click.echo(f"  {name}: {value}")
