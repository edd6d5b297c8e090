"""How much a stretch of text is like the emergencies of the judged sentences: learned, shipped as data, raise-only.

A logistic regression over the signs of a stretch: its runs of one to three characters, pairs of characters with one
between them, and the concepts of the lexicon that stand in it. Learned by `scripts/learn_red_flags.py`. It can do two
things: let a pattern of a rule that is too wide by itself count, and name a stretch that no rule knows. It takes
nothing back.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cache
from math import fsum
from pathlib import Path

LEARNED = Path(__file__).parent / "learned.json"
RULE = "like-an-emergency"
LEVEL = "emergency"
HEADING = "马上去急诊：说的情况像急症"
MESSAGE = (
    "这段话和需要急救的情况很像，但没有对上某一条具体的规则。拿不准时当作急症：现在就去急诊；"
    "呼吸困难、叫不醒、抽搐、大出血或胸口压着痛，拨打 120。"
)
LONGEST = 90  # characters of one stretch: the sentences that it was learned from have 47, at most 133
# Log odds, chosen by what they bring on sentences that were not learned from (docs/decisions/0014).
ALONE = 1.4  # from here on a stretch counts without a rule
AGREES = -0.6  # from here on a wide pattern counts
SHORT = 18  # known signs, about seven characters: below, a wide pattern counts by itself
LEAST = 30  # known signs, about ten characters: below, likeness alone does not count
_ENDS = re.compile(r"[。！？!?\n…]+")
_SOFT_ENDS = re.compile(r"[，,；;、 ]+")
_HAN_RUNS = re.compile(r"[\u3400-\u9fff]+")
_WORDS_SHOWN = 3


Spans = Mapping[str, list[tuple[int, int]]]


@cache
def _weights() -> tuple[dict[str, float], float]:
    made = json.loads(LEARNED.read_bytes())
    weights = {sign: int(weight) / made["scale"] for weight, signs in made["signs"].items() for sign in signs.split()}
    return weights, made["bias"] / made["scale"]


def forget() -> None:
    """Reads `LEARNED` anew at the next score."""
    _weights.cache_clear()


def signs(text: str, concepts: Iterable[str]) -> set[str]:
    """What a stretch is known by: runs of Han characters, 甲_乙 for a pair with one between, @ and each concept."""
    found = {"@" + concept for concept in concepts if concept[0] != "="}
    for run in _HAN_RUNS.findall(text):
        found.update(run)
        found.update([run[place : place + 2] for place in range(len(run) - 1)])
        threes = [run[place : place + 3] for place in range(len(run) - 2)]
        found.update(threes)
        found.update([three[0] + "_" + three[2] for three in threes])
    return found


def shared_out(concepts: Spans, pieces: list[tuple[int, int]]) -> list[set[str]]:
    """The concepts of the lexicon that stand in each stretch of a text."""
    found: list[set[str]] = [set() for _ in pieces]
    if len(pieces) == 1:
        found[0].update(concepts)
        return found
    ends = [last for _, last in pieces]
    for name, spans in concepts.items():
        if name[0] != "=":
            for start, end in spans:
                place = bisect_right(ends, start)
                if end <= ends[place]:
                    found[place].add(name)
    return found


def stretches(text: str) -> list[tuple[int, int]]:
    """The text in stretches of at most `LONGEST` characters that end where a sentence or at least a clause does."""
    pieces: list[tuple[int, int]] = []
    start = 0
    for stop in [*(end.end() for end in _ENDS.finditer(text)), len(text)]:
        while stop - start > LONGEST:
            cuts = [cut.end() for cut in _SOFT_ENDS.finditer(text, start + LONGEST // 2, start + LONGEST)]
            cut = cuts[-1] if cuts else start + LONGEST
            pieces.append((start, cut))
            start = cut
        if stop > start:
            pieces.append((start, stop))
            start = stop
    joined: list[tuple[int, int]] = []
    for first, last in pieces:
        if joined and last - joined[-1][0] <= LONGEST:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def score(text: str, concepts: Iterable[str]) -> tuple[float, int]:
    """The log odds that a stretch tells of an emergency, 0 is even; and by how many known signs."""
    weights, bias = _weights()
    known = [weights[sign] for sign in weights.keys() & signs(text, concepts)]
    # exact, so that the sum does not depend on the order of the set
    return bias + fsum(known) / max(1.0, len(known) ** 0.5), len(known)


def words(text: str, concepts: Spans, start: int, end: int) -> list[tuple[int, int]]:
    """The spans that speak loudest for an emergency in a stretch of the text, the loudest first, at most three."""
    weights, _ = _weights()
    voices = [0.0] * (end - start)

    def speak(sign: str, places: list[int]) -> None:
        for place in places:
            voices[place - start] += weights.get(sign, 0.0) / len(places)

    for run in _HAN_RUNS.finditer(text, start, end):
        for place in range(*run.span()):
            for size in range(1, min(3, run.end() - place) + 1):
                speak(text[place : place + size], list(range(place, place + size)))
            if place + 2 < run.end():
                speak(f"{text[place]}_{text[place + 2]}", [place, place + 2])
    for concept, spans in concepts.items():
        if concept[0] != "=":
            for first, last in spans:
                if start <= first and last <= end:
                    speak(f"@{concept}", list(range(first, last)))
    loud: list[tuple[float, int, int]] = []
    place = 0
    while place < len(voices):
        stop = place
        while stop < len(voices) and voices[stop] > 0:
            stop += 1
        if stop > place:
            loud.append((-sum(voices[place:stop]), start + place, start + stop))
        place = stop + 1
    return [(first, last) for _, first, last in sorted(loud)[:_WORDS_SHOWN]]
