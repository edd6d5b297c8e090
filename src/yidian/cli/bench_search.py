"""`yidian bench search`: what a query and an index cost, and whether that grows with the answers."""

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import yaml

from yidian.cli.bench import machine

SIZES = (10_000, 200_000, 1_000_000)
QUERIES = 300
# Joined between words as in a sentence; they stand in most answers, so that common grams are as common as in earnest.
_PARTICLES = ("的", "和", "在", "有", "是", "了", "不", "可以", "需要", "因为", "如果", "建议", "注意", "一般", "治疗")
_ENDINGS = ("怎么办", "是什么原因", "能治好吗", "吃什么药", "严重吗", "要做什么检查", "怎么缓解", "")


def bench(sizes: tuple[int, ...] = SIZES, corpus: Path | None = None, as_json: bool = False) -> dict:
    """The figures of one run: CPU of a query all in, CPU and memory of building, size of the index over its text.

    Each size in a process of its own. The answers are made of the starter's own terms, the common ones common and the
    rare ones rare; with `corpus`, a file of {"id", "answer"} lines, of sentences drawn from it.
    """
    figures: dict = {"machine": machine(), "corpus": corpus.name if corpus else "made up", "answers": {}}
    folder = Path(tempfile.mkdtemp(prefix="yidian-bench-"))
    try:
        for size in sizes:
            if not as_json:
                click.echo(f"{size:,} 条回答：建索引，查 {QUERIES} 次", err=True)
            arguments = size, str(folder / str(size)), corpus and str(corpus)
            code = f"from yidian.cli.bench_search import run; run(*{arguments!r})"
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(  # noqa: S603  (our own code, in a process of its own)
                [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
            )
            figures["answers"][str(size)] = json.loads(done.stdout.splitlines()[-1])
            shutil.rmtree(folder / str(size))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    made = [figures["answers"][str(size)] for size in sizes]
    figures["ratios"] = {
        "p95_largest_over_smallest": round(made[-1]["cpu_ms_p95"] / made[0]["cpu_ms_p95"], 2),
        "index_over_text": [each["index_over_text"] for each in made],
    }
    if 200_000 in sizes and 1_000_000 in sizes:
        at = figures["answers"]
        ratio = at["1000000"]["cpu_ms_p95"] / at["200000"]["cpu_ms_p95"]
        figures["ratios"]["p95_1000000_over_200000"] = round(ratio, 2)
    return figures


def run(size: int, folder: str, corpus: str | None) -> None:
    """Builds an index of so many answers and searches it; prints what that cost as JSON."""
    from yidian.search import backends
    from yidian.search.documents import Document
    from yidian.search.engine import Engine
    from yidian.search.lexicon import Lexicon
    from yidian.search.spelling import Speller

    groups = yaml.safe_load((_starter() / "vocabulary" / "synonyms.yaml").read_text("utf-8"))
    rows = [(group["slug"], group["name"], group["category"], group["alternate_names"]) for group in groups]
    lexicon = Lexicon(rows)
    names = [name for _, name, _, others in rows for name in (name, *others)]
    drawn = random.Random(20_261_125)  # noqa: S311  the same answers every time is what is wanted
    path = Path(folder)
    started = time.process_time()
    engine = Engine(backends.create(path), lexicon)
    text_bytes = 0

    def written(writer) -> Iterator[str]:
        nonlocal text_bytes
        for number, answer in enumerate(_answers(size, names, corpus, drawn)):
            text_bytes += len(answer.encode())
            engine.write(writer, [Document("answer", str(number), ("",), answer)])
            yield answer

    with engine.index.writer(backends.BUILD_MEMORY) as writer:
        speller = Speller.build(written(writer), names)
        writer.commit()
    build = time.process_time() - started
    engine = Engine(engine.index, lexicon, speller)
    questions = [_question(names, drawn) for _ in range(QUERIES)]
    for question in questions[:20]:  # the dictionaries of pinyin and 简繁 are loaded by the first queries
        engine.search(question)
    costs = []
    for question in questions:
        before = time.process_time()
        engine.search(question)
        costs.append((time.process_time() - before) * 1000)
    costs.sort()
    stored = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    figures = {
        "build_cpu_s": round(build, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "text_bytes": text_bytes,
        "index_bytes": stored,
        "index_over_text": round(stored / text_bytes, 2),
        "cpu_ms_p50": round(costs[len(costs) // 2], 2),
        "cpu_ms_p95": round(costs[int(len(costs) * 0.95)], 2),
        "cpu_ms_p99": round(costs[int(len(costs) * 0.99)], 2),
    }
    click.echo(json.dumps(figures))


def _starter() -> Path:
    from yidian import starter

    return Path(starter.__file__).parent / "bundle"


def _answers(size: int, names: list[str], corpus: str | None, drawn: random.Random) -> Iterator[str]:
    if corpus:
        with Path(corpus).open(encoding="utf-8") as lines:
            real = [json.loads(line)["answer"] for line in lines]
        yield from real[:size]
        clauses = (re.findall(r"[^。！？；,，]+[。！？；,，]", answer) for answer in real)
        sentences = [clause for found in clauses for clause in found if len(clause) > 5]
        for _ in range(size - len(real)):
            answer = ""
            while len(answer) < 180:
                answer += drawn.choice(sentences)
            yield answer
        return
    for _ in range(size):
        yield "。".join("，".join(_clause(names, drawn) for _ in range(4)) for _ in range(3)) + "。"


def _word(names: list[str], drawn: random.Random) -> str:
    # squared: of 8,000 words some hundred are common and most are rare
    return names[int(len(names) * drawn.random() ** 2)]


def _clause(names: list[str], drawn: random.Random) -> str:
    return "".join(_word(names, drawn) + drawn.choice(_PARTICLES) for _ in range(3))


def _question(names: list[str], drawn: random.Random) -> str:
    return "".join(_word(names, drawn) for _ in range(drawn.choice((1, 2, 2, 3)))) + drawn.choice(_ENDINGS)


def print_search(figures: dict) -> None:
    """The figures for people."""
    click.echo(f"回答：{figures['corpus']}")
    for size, each in figures["answers"].items():
        click.echo(
            f"{int(size):>9,} 条  每次查询 CPU 中位 {each['cpu_ms_p50']} ms，p95 {each['cpu_ms_p95']} ms；"
            f"建索引 {each['build_cpu_s']} CPU 秒，{each['peak_memory_mb']} MB；"
            f"索引是文字的 {each['index_over_text']} 倍"
        )
    for name, value in figures["ratios"].items():
        click.echo(f"{name}: {value}")
