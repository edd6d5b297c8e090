"""`yidian bench import`: what doctors' answers cost a row on the way in and out, and whether that grows with them."""

import csv
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from yidian.cli.bench import SIZES, machine

# Two of these are a word; of 3,000 words a few are common and most are rare, as in a language, so that two made-up
# answers are about as unlike as two real ones.
_CHARACTERS = (
    "头痛腹胸背腰腿脚手眼耳鼻喉心肝肺肾胃肠血糖压脂尿便热冷汗咳痰喘肿胀麻痒酸软乏力睡眠饮食水盐肉菜果茶酒烟药片针"
    "检查化验拍照复诊住院手术休息运动散步拉伸按摩温敷早晚日夜周月年老少男女孕产儿童慢急轻重久新旧多高低快缓常"
)
_DEPARTMENTS = ("心内科", "消化科", "神经内科", "骨科", "内分泌科", "呼吸科", "肾内科", "皮肤科")


def made_up_words(drawn: random.Random | None = None) -> list[str]:
    """3,000 made-up words of two characters, the same at every call."""
    drawn = drawn or random.Random(20_261_122)  # noqa: S311
    return ["".join(drawn.choices(_CHARACTERS, k=2)) for _ in range(3_000)]


def write_table(path: Path, rows: int) -> None:
    """Writes a made-up table of so many questions and answers, the same at every call."""
    drawn = random.Random(20_261_122)  # noqa: S311  the same table every time is what is wanted
    words = made_up_words(drawn)

    def clauses(count: int) -> str:
        return "，".join("".join(words[int(3_000 * drawn.random() ** 2)] for _ in range(6)) for _ in range(count))

    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["department", "title", "ask", "answer"])
        for number in range(rows):
            title = f"{clauses(1)}怎么办？"
            ask = f"我今年{number % 80 + 10}岁，{clauses(3)}，请问医生怎么办？"
            answer = "。".join((clauses(4), clauses(4), clauses(3))) + "。"
            table.writerow([drawn.choice(_DEPARTMENTS), title, ask, answer])


def bench(sizes: tuple[int, ...] = SIZES, as_json: bool = False) -> dict:
    """The figures of one run: rows per CPU second, seconds, peak memory, at each number of rows, and their ratios.

    Every size is imported, and exported as a .zip, by processes of their own with a database of its own, in a
    temporary folder; the memory is that of the whole command, start included.
    """
    figures: dict = {"machine": machine(), "rows": {}}
    folder = Path(tempfile.mkdtemp(prefix="yidian-bench-"))
    try:
        for size in sizes:
            if not as_json:
                click.echo(f"{size:,} 行：写表格，导入，再导入一次，导出", err=True)
            table = folder / f"{size}.csv"
            write_table(table, size)
            data = folder / str(size)
            bundle = folder / f"{size}.zip"
            first, again = (_measured("run_import", table, data) for _ in range(2))
            figures["rows"][str(size)] = first | {
                "again": again,
                "export": _measured("run_export", bundle, data) | {"bytes": bundle.stat().st_size},
                "table_bytes": table.stat().st_size,
                "database_bytes": (data / "yidian.sqlite3").stat().st_size,
            }
            shutil.rmtree(data)
            table.unlink()
            bundle.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    smallest, largest = (figures["rows"][str(size)] for size in (sizes[0], sizes[-1]))
    figures["ratios"] = {
        "cpu_a_row_largest_over_smallest": round(largest["cpu_us_a_row"] / smallest["cpu_us_a_row"], 2),
        "memory_largest_over_smallest": round(largest["peak_memory_mb"] / smallest["peak_memory_mb"], 2),
        "export_cpu_a_row_largest_over_smallest": round(
            largest["export"]["cpu_us_a_row"] / smallest["export"]["cpu_us_a_row"], 2
        ),
        "export_memory_largest_over_smallest": round(
            largest["export"]["peak_memory_mb"] / smallest["export"]["peak_memory_mb"], 2
        ),
        "export_cpu_over_import": round(largest["export"]["cpu_us_a_row"] / largest["cpu_us_a_row"], 2),
        "again_cpu_over_first": round(largest["again"]["cpu_us_a_row"] / largest["cpu_us_a_row"], 2),
    }
    return figures


def _measured(step: str, path: Path, data: Path) -> dict:
    environment = os.environ | {"YIDIAN_DATA": str(data), "DATABASE_URL": "", "YIDIAN_DEBUG": "off"}
    code = f"from yidian.cli.bench_import import {step}; {step}({str(path)!r})"
    done = subprocess.run(  # noqa: S603  (our own code, in a process of its own)
        [sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout.splitlines()[-1])


def run_import(table: str) -> None:
    """Imports a table in this process; prints what that cost as JSON."""
    with _costs() as figures:
        from yidian.exchange.foreign import import_foreign

        counts = import_foreign(Path(table), "qa-csv", origin="bench", licence="CC0")
        figures["rows"] = counts.created + counts.unchanged
        figures |= {"created": counts.created, "unchanged": counts.unchanged, "rejected": counts.rejected}


def run_export(bundle: str) -> None:
    """Exports everything to a .zip in this process; prints what that cost as JSON."""
    with _costs() as figures:
        from yidian.exchange.bundle import export_bundle

        figures["rows"] = export_bundle(bundle)


@contextmanager
def _costs() -> Iterator[dict]:
    """Starts Django; prints what the block cost by the number of `rows` that it puts into the figures, as JSON."""
    began = time.perf_counter()
    os.environ["DJANGO_SETTINGS_MODULE"] = "yidian.site.settings"
    import django

    django.setup()
    from yidian.cli.start import prepare_database

    prepare_database()
    figures: dict = {}
    started, start = time.process_time(), time.perf_counter()
    yield figures
    cpu, rows = time.process_time() - started, figures["rows"]
    figures |= {
        "rows_a_cpu_second": round(rows / cpu),
        "cpu_us_a_row": round(cpu / rows * 1e6, 1),
        "start_seconds": round(start - began, 2),
        "seconds": round(time.perf_counter() - start, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(figures))  # noqa: T201  (the parent process reads it)


def print_import(figures: dict) -> None:
    """The figures for people."""
    made = figures["machine"]
    click.echo(
        f"{made['cpu']}，{made['cores']} 核，Python {made['python']}，Django {made['django']}，SQLite {made['sqlite']}"
    )
    for size, measured in figures["rows"].items():
        again, out = measured["again"], measured["export"]
        click.echo(
            f"{int(size):>10,} 行：每 CPU 秒 {measured['rows_a_cpu_second']:,} 行，{measured['seconds']} 秒，"
            f"内存最多 {measured['peak_memory_mb']} MB；再导入一次，每 CPU 秒 {again['rows_a_cpu_second']:,} 行；"
            f"导出，每 CPU 秒 {out['rows_a_cpu_second']:,} 行，内存最多 {out['peak_memory_mb']} MB"
        )
    click.echo("\n比值")
    for name, value in figures["ratios"].items():
        click.echo(f"  {name}: {value}")
