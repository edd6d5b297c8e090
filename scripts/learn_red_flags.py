#!/usr/bin/env python3
"""Learn src/yidian/triage/learned.json from the judged sentences; the same bytes at every run.

learn_red_flags.py                         learn
learn_red_flags.py --cross                 recall/precision on sentences of writers that it did not learn from
learn_red_flags.py --ordinary TRAIN.csv    first take ordinary questions from a file of title and ask (as hashes only)
"""

import base64
import csv
import json
import math
import random
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src")]

from yidian.triage import likeness  # noqa: E402  (the path above)
from yidian.triage.levels import EMERGENCY, urgency  # noqa: E402  (likewise)
from yidian.triage.rulebook import load  # noqa: E402  (likewise)
from yidian.triage.screen import screen, signs  # noqa: E402  (likewise)

DATA = ROOT / "tests" / "data"
ORDINARY = DATA / "red_flag_ordinary.json"
SCALE = 50  # weights are whole fiftieths
ROUNDS, RATE, DECAY, ORDINARY_COUNTS = 40, 0.15, 0.001, 0.3
LEAST = 4  # fiftieths: what weighs less is left out
BUCKETS = 1 << 20


def judged() -> list[dict]:
    return [json.loads(line) for line in (DATA / "red_flag_sentences.jsonl").read_text("utf-8").splitlines()]


def pair(row: dict) -> tuple[str, bool]:
    """(text, whether it is an emergency) of a judged sentence."""
    return row["text"], urgency(row["level"]) >= urgency(EMERGENCY)


def extra() -> list[tuple[str, bool]]:
    """The lines that were written for learning only."""
    return [pair(json.loads(line)) for line in (DATA / "red_flag_training.jsonl").read_text("utf-8").splitlines()]


def labelled() -> list[tuple[str, bool]]:
    """All that may be learned from: never the held-out part."""
    return [pair(row) for row in judged() if row["part"] == "dev"] + extra()


def bucket(sign: str) -> int:
    return zlib.crc32(sign.encode()) % BUCKETS


def ordinary() -> list[set[int]]:
    """The hashed signs of ordinary questions that no rule answers with an emergency."""
    packed = json.loads(ORDINARY.read_text("utf-8"))
    return [set(np.frombuffer(base64.b64decode(each), dtype="<u4").tolist()) for each in packed]


def learn(rows: list[tuple[str, bool]], questions: list[set[int]]) -> tuple[dict[str, float], float]:
    """Weights and bias of a logistic regression.

    A long account has its emergency in one of its stretches: which, is told by a first regression over all of them.
    """
    book = load()
    texts = [(signs(text, book), emergency) for text, emergency in rows]
    weights, bias = _fit([(each, emergency) for pieces, emergency in texts for each in pieces], questions)

    def odds(piece: set[str]) -> float:
        known = [weights[sign] for sign in piece if sign in weights]
        return bias + math.fsum(known) / max(1.0, len(known) ** 0.5)

    kept = []
    for pieces, emergency in texts:
        loudest = max(map(odds, pieces)) if emergency and len(pieces) > 1 else -math.inf
        kept += [(each, emergency) for each in pieces if loudest == -math.inf or odds(each) == loudest]
    return _fit(kept, questions)


def _fit(pairs: list[tuple[set[str], bool]], questions: list[set[int]]) -> tuple[dict[str, float], float]:
    """Weights and bias by AdaGrad over a fixed order of the rows."""
    counts = Counter(sign for each, _ in pairs for sign in each)
    names = sorted(sign for sign, count in counts.items() if count >= 2)
    number = {sign: place for place, sign in enumerate(names)}
    by_bucket: dict[int, int] = {bucket(sign): place for sign, place in number.items()}
    rows_of = [np.array(sorted(number[sign] for sign in each if sign in number), dtype=np.int64) for each, _ in pairs]
    rows_of += [np.array(sorted(by_bucket[each] for each in asked if each in by_bucket)) for asked in questions]
    wanted = [float(emergency) for _, emergency in pairs] + [0.0] * len(questions)
    counted = [1.0] * len(pairs) + [ORDINARY_COUNTS] * len(questions)
    weights, bias = np.zeros(len(names)), 0.0
    seen, seen_bias = np.full(len(names), 0.01), 0.01
    order = list(range(len(rows_of)))
    chance = random.Random(1)  # noqa: S311  (the same order at every run)
    for _ in range(ROUNDS):
        chance.shuffle(order)
        for row in order:
            here = rows_of[row]
            if not len(here):
                continue
            share = len(here) ** -0.5
            odds = bias + float(weights[here].sum()) * share
            wrong = (1 / (1 + np.exp(-odds)) - wanted[row]) * counted[row]
            slope = wrong * share + DECAY * weights[here]
            seen[here] += slope * slope
            weights[here] -= RATE * slope / np.sqrt(seen[here])
            seen_bias += wrong * wrong
            bias -= RATE * wrong / seen_bias**0.5
    return dict(zip(names, weights.tolist(), strict=True)), float(bias)


def packed(weights: dict[str, float], bias: float) -> str:
    """What is shipped: whole fiftieths, the signs of one weight in one line."""
    by_weight: dict[int, list[str]] = {}
    for sign, weight in weights.items():
        whole = round(weight * SCALE)
        if abs(whole) >= LEAST:
            by_weight.setdefault(whole, []).append(sign)
    shipped = {str(weight): " ".join(sorted(by_weight[weight])) for weight in sorted(by_weight)}
    made = {"scale": SCALE, "bias": round(bias * SCALE), "signs": shipped}
    return json.dumps(made, ensure_ascii=False, indent=0) + "\n"


def take_ordinary(path: Path, rows: list[tuple[str, bool]]) -> None:
    """Ordinary questions without an emergency, as the sorted hashes of those signs that the labelled rows have."""
    book = load()
    counts = Counter(sign for text, _ in rows for each in signs(text, book) for sign in each)
    known = {sign for sign, count in counts.items() if count >= 2}
    with path.open(encoding="utf-8", newline="") as lines:
        asked = list(csv.DictReader(lines))
    titles = sorted({row["title"] for row in asked})
    longer = sorted({row["ask"] for row in asked})
    chance = random.Random(7)  # noqa: S311  (likewise)
    chosen = chance.sample(titles, 1000) + chance.sample(longer, 800)
    kept = []
    for text in chosen:
        if urgency(screen(text).level) >= urgency(EMERGENCY):
            continue
        for each in signs(text, book):
            hashes = sorted(bucket(sign) for sign in each & known)
            kept.append(base64.b64encode(np.array(hashes, dtype="<u4").tobytes()).decode())
    ORDINARY.write_text(json.dumps(sorted(kept), indent=0) + "\n", "utf-8")


def cross(questions: list[set[int]]) -> None:
    """Prints recall and precision on the dev sentences of each writer, learned from the other writers and the lines.

    The rules were written with some of these sentences in sight; only what is learned is judged without them.
    """
    import tempfile

    rows = [row for row in judged() if row["part"] == "dev"]
    writers = sorted({row["id"].partition("-")[0] for row in rows})
    names = ("CERTAIN", "ALONE", "AGREES", "DOUBTS", "DOUBTS_DEEPLY")
    never, always = math.inf, -math.inf
    certain, alone, agrees, doubts, deeply = (getattr(likeness, name) for name in names)
    ways = {
        "sure patterns only": (never, never, never, never, never),
        "and plain ones": (never, never, never, always, always),
        "every pattern": (never, never, always, always, always),
        "wide where likeness agrees": (never, never, agrees, always, always),
        "plain unless it doubts": (never, never, agrees, doubts, deeply),
        "and likeness alone": (certain, alone, agrees, doubts, deeply),
    }
    found = {(name, writer): Counter() for name in ways for writer in writers}
    with tempfile.TemporaryDirectory() as folder:
        likeness.LEARNED = Path(folder) / "learned.json"
        for writer in writers:
            theirs = [row for row in rows if row["id"].partition("-")[0] == writer]
            rest = [pair(row) for row in rows if row["id"].partition("-")[0] != writer]
            likeness.LEARNED.write_text(packed(*learn(rest + extra(), questions)), "utf-8")
            likeness.forget()
            for row in theirs:
                who = {name: row.get(name) for name in ("age", "sex", "pregnant")}
                for name, bounds in ways.items():
                    for bound, value in zip(names, bounds, strict=True):
                        setattr(likeness, bound, value)
                    got = urgency(screen(row["text"], **who).level) >= urgency(EMERGENCY)
                    found[name, writer][pair(row)[1], got] += 1
    for name in ways:
        told = []
        for writer in [*writers, "all"]:
            counts = sum((found[name, each] for each in writers if writer in (each, "all")), Counter())
            hit, missed, false = counts[True, True], counts[True, False], counts[False, True]
            told.append(f"{writer} {hit / max(1, hit + missed):.3f}/{hit / max(1, hit + false):.3f}")
        sys.stdout.write(f"{name}: {', '.join(told)}\n")


def main() -> None:
    if "--cross" in sys.argv:
        cross(ordinary())
        return
    rows = labelled()
    if "--ordinary" in sys.argv:
        take_ordinary(Path(sys.argv[sys.argv.index("--ordinary") + 1]), rows)
    likeness.LEARNED.write_text(packed(*learn(rows, ordinary())), "utf-8")


if __name__ == "__main__":
    main()
