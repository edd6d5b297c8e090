"""What `yidian bench triage` measures: the judged set, the cost of a text, and that one more "yes" never lowers."""

import json
import os
import platform
import random
import statistics
import time
from pathlib import Path

import click

SETS = 1_000_000
_LANES = 20_000
_ROUNDS = 7
_LENGTHS = (500, 10_000)


def bench(judged: Path | None, sets: int = SETS) -> dict:
    """The figures as one document; `judged` is the file of judged sentences, or None to leave it out."""
    started = time.process_time()
    from yidian.triage.rulebook import load

    book = load()
    load_ms = (time.process_time() - started) * 1000
    figures = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "rules": len(book.rules),
        "questions": len(book.questions),
        "load_cpu_ms": round(load_ms, 1),
        "monotone": monotone(sets),
    }
    if judged is not None:
        rows = [json.loads(line) for line in judged.read_text("utf-8").splitlines()]
        figures["judged"] = {part: judge([row for row in rows if row["part"] == part]) for part in ("dev", "held-out")}
        figures["screen_cpu_ms"] = _cost([row["text"] for row in rows if row["part"] == "dev"])
    return figures


def judge(rows: list[dict]) -> dict:
    """Recall and precision on emergencies (the text's level at least emergency), with the counts behind them."""
    from yidian.triage.levels import EMERGENCY, urgency
    from yidian.triage.screen import screen

    line = urgency(EMERGENCY)
    hit = missed = wrong = exact = 0
    for row in rows:
        level = screen(row["text"], age=row.get("age"), sex=row.get("sex"), pregnant=row.get("pregnant")).level
        wanted, got = urgency(row["level"]) >= line, urgency(level) >= line
        hit += wanted and got
        missed += wanted and not got
        wrong += got and not wanted
        exact += level == row["level"]
    return {
        "sentences": len(rows),
        "emergencies": hit + missed,
        "recall": round(hit / (hit + missed), 4),
        "precision": round(hit / (hit + wrong), 4),
        "missed": missed,
        "false": wrong,
        "exact_level": round(exact / len(rows), 4),
    }


def _cost(texts: list[str]) -> dict:
    """CPU milliseconds a text: an everyday consultation, and one made of red flags alone, at each length."""
    from yidian.triage.screen import screen

    everyday = (
        "我今年三十五岁，平时工作忙，经常坐着，最近觉得小腿有点酸，晚上睡觉偶尔抽筋，想问问平时吃什么、怎么锻炼好。"
    )
    figures = {}
    for name, text in (("everyday", everyday * 200), ("red_flags_only", "。".join(texts) * 3)):
        for length in _LENGTHS:
            part = text[:length]
            screen(part)
            rounds = []
            for _ in range(_ROUNDS):
                start = time.process_time()
                for _ in range(max(1, 10_000 // length)):
                    screen(part)
                rounds.append((time.process_time() - start) * 1000 / max(1, 10_000 // length))
            figures[f"{name}_{length}"] = round(statistics.median(rounds), 3)
    return figures


def monotone(sets: int, seed: int = 20261125, *, lower: bool = False) -> dict:
    """Random answer sets, each with some answers turned to yes: how many levels fell. `lower` turns them to no.

    Thousands of answer sets are asked at once, one a bit, by the engine's own conditions.
    """
    from yidian.triage.conditions import Truth, truth
    from yidian.triage.engine import atoms, read_facts
    from yidian.triage.levels import APPOINTMENT, LEVELS, SELF_CARE, WHEN_NOT_EXCLUDED, urgency
    from yidian.triage.rulebook import load

    book, chance = load(), random.Random(seed)  # noqa: S311  (the same sets at every run)
    fallen = reassured = asked = 0

    def reached(known: dict, everyone: int) -> tuple[dict[str, int], int]:
        at_least = dict.fromkeys(LEVELS, 0)
        unsure = 0
        for rule in book.rules.values():
            certain, possible = truth(rule.when, known, everyone)
            for level in LEVELS:
                if urgency(rule.level) >= urgency(level):
                    at_least[level] |= certain
                if urgency(WHEN_NOT_EXCLUDED[rule.level]) >= urgency(level):
                    at_least[level] |= possible
            unsure |= possible & ~certain
        return at_least, unsure

    while asked < sets:
        lanes = min(_LANES, sets - asked)
        everyone = (1 << lanes) - 1
        person = {
            "age": chance.choice([None, 0.05, 0.2, 0.8, 2, 6, 12, 16, 25, 35, 48, 55, 62, 70, 85]),
            "sex": chance.choice(["female", "male", "unknown"]),
            "pregnant": chance.choice(["yes", "no", "unknown"]),
        }
        single = atoms(read_facts(person, book), book)
        before: dict[tuple, Truth] = {
            atom: (everyone if yes else 0, everyone if maybe else 0) for atom, (yes, maybe) in single.items()
        }
        after = dict(before)
        sparse = chance.choice([1, 3, 6])  # from many answers of yes to nearly none
        for question in book.questions.values():
            atom = ("answer", question.id)
            if single[atom] == (0, 0):
                continue  # it is not asked of this person
            yes = everyone
            for _ in range(sparse):
                yes &= chance.getrandbits(lanes)
            maybe = yes | (chance.getrandbits(lanes) & chance.getrandbits(lanes) & chance.getrandbits(lanes))
            turned = everyone
            for _ in range(6):
                turned &= chance.getrandbits(lanes)
            before[atom] = (yes, maybe)
            after[atom] = (yes & ~turned, maybe & ~turned) if lower else (yes | turned, maybe | turned)
        first, unsure = reached(before, everyone)
        then, _ = reached(after, everyone)
        down = 0
        for level in LEVELS:
            if level != SELF_CARE:
                down |= first[level] & ~then[level]
        fallen += down.bit_count()
        reassured += (unsure & ~first[APPOINTMENT]).bit_count()
        asked += lanes
    return {"answer_sets": asked, "levels_that_fell": fallen, "unknown_but_self_care": reassured}


def print_triage(figures: dict) -> None:
    """The figures for people."""
    click.echo(f"{figures['rules']} 条规则，{figures['questions']} 个问题，载入 {figures['load_cpu_ms']} ms CPU")
    for part, found in figures.get("judged", {}).items():
        click.echo(
            f"{part}：急症召回率 {found['recall']:.3f}，精确率 {found['precision']:.3f}"
            f"（{found['emergencies']} 句急症，漏 {found['missed']}，误报 {found['false']}），"
            f"级别完全一致 {found['exact_level']:.3f}"
        )
    for name, cost in figures.get("screen_cpu_ms", {}).items():
        click.echo(f"{name}: {cost} ms CPU")
    made = figures["monotone"]
    click.echo(
        f"{made['answer_sets']:,} 组随机回答：多答“是”而降级 {made['levels_that_fell']}，"
        f"有不知道却说自己照护 {made['unknown_but_self_care']}"
    )
