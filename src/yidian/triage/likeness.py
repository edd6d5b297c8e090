"""How much a stretch of text is like the emergencies of the judged sentences: learned, shipped as data.

A logistic regression over the signs of a stretch: its runs of one to three characters, pairs of characters with one
between them, the concepts of the lexicon that stand in it, denied or not, and its numbers. Learned by
`scripts/learn_red_flags.py`. Three things ask it: a pattern of a rule that is wide needs its consent, one that is
neither wide nor sure falls to its strong doubt, and a stretch that no rule knows may count by it alone. Sure patterns
never ask.
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
# Log odds, chosen by what they bring on sentences of writers that were not learned from (docs/decisions/0015).
CERTAIN = 0.6  # from here on a stretch counts without a rule, whatever `context` says of its words
ALONE = 0.3  # from here on it does where `context` finds its words present
AGREES = -0.4  # from here on a wide pattern counts
DOUBTS = -1.5  # below, a pattern that is not sure does not count
DOUBTS_DEEPLY = -3.0  # below, not even where to fear a thing is to have it: thoughts of suicide
SHORT = 18  # known signs, about seven characters: below, a wide pattern counts by itself
LEAST = 30  # known signs, about ten characters: below, likeness alone does not count, nor does a doubt
_ENDS = re.compile(r"[。！？!?\n…]+")
_SOFT_ENDS = re.compile(r"[，,；;、 ]+")
_HAN_RUNS = re.compile(r"[\u3400-\u9fff]+")
_WORDS_SHOWN = 3


Spans = Mapping[str, list[tuple[int, int]]]
Numbers = Iterable[tuple[str, float, int, int]]  # as in `measures`
# Where a number begins to say more.
_STEPS = {
    "temp": (38, 39, 40),
    "sbp": (90, 140, 160, 180),
    "dbp": (90, 110, 120),
    "glucose": (3, 4, 11, 16.7),
    "spo2": (90, 92, 95),
    "pulse": (50, 100, 120, 140),
    "minutes": (5, 15, 60, 600, 3000),
    "age": (0.3, 1, 3, 14, 40, 65),
    "weeks": (12, 20, 28, 37),
    "pills": (3, 8, 20),
    "breaths": (30, 50),
}
_NO = re.compile("[没不无未别]")
_NONE = re.compile("没有|没再|不再|没出|没见|否认|并无|不是|从没|没任|没什")


@cache
def _weights() -> tuple[dict[str, float], float]:
    made = json.loads(LEARNED.read_bytes())
    weights = {sign: int(weight) / made["scale"] for weight, signs in made["signs"].items() for sign in signs.split()}
    return weights, made["bias"] / made["scale"]


def forget() -> None:
    """Reads `LEARNED` anew at the next score."""
    _weights.cache_clear()


def signs(text: str, said: Iterable[str]) -> set[str]:
    """What a stretch is known by: runs of Han characters, 甲_乙 for a pair with one between, and what is said there."""
    found = set(said)
    for run in _HAN_RUNS.findall(text):
        found.update(run)
        found.update([run[place : place + 2] for place in range(len(run) - 1)])
        threes = [run[place : place + 3] for place in range(len(run) - 2)]
        found.update(threes)
        found.update([three[0] + "_" + three[2] for three in threes])
    return found


def said(text: str, concepts: Spans, numbers: Numbers, pieces: list[tuple[int, int]]) -> list[set[str]]:
    """What is said in each of the pieces, which lie side by side.

    @ and each concept of the lexicon, -@ where it is denied at once, # and each number with its step.
    """
    found: list[set[str]] = [set() for _ in pieces]
    if not pieces:
        return found
    begin, ends = pieces[0][0], [last for _, last in pieces]
    denied = _denied(text)
    for name, spans in concepts.items():
        if name[0] != "=":
            yes, no = "@" + name, "-@" + name
            for start, end in spans:
                if begin <= start and end <= ends[-1]:
                    place = bisect_right(ends, start)
                    if end <= ends[place]:
                        found[place].add(no if start in denied else yes)
    for name, value, start, _ in numbers:
        if begin <= start < ends[-1] and name in _STEPS:
            found[bisect_right(ends, start)].add(f"#{name}{bisect_right(_STEPS[name], value)}")
    for each in found:
        each -= {"-" + name for name in each}  # denied in one place and said in another
    return found


def _denied(text: str) -> set[int]:
    """The places before which 没, 没有 or the like stands, at most two characters away."""
    places = {no.end() for no in _NO.finditer(text)}
    places.update(none.end() + far for none in _NONE.finditer(text) for far in range(3))
    return places


def sentences(text: str) -> list[tuple[int, int]]:
    """The text sentence by sentence; one that is longer than `LONGEST` is cut where a clause ends."""
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
    return pieces


def stretches(text: str) -> list[tuple[int, int]]:
    """The text in stretches of at most `LONGEST` characters: sentences that follow each other, parts of a long one."""
    joined: list[tuple[int, int]] = []
    for first, last in sentences(text):
        if joined and last - joined[-1][0] <= LONGEST:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def score(text: str, said: Iterable[str]) -> tuple[float, int]:
    """The log odds that a stretch tells of an emergency, 0 is even; and by how many known signs."""
    weights, bias = _weights()
    known = [weights[sign] for sign in weights.keys() & signs(text, said)]
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
