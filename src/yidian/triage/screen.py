"""Red flags in what people write: which rule, where it stands, and whether it is there now.

One pass over the text finds the words of every concept through a dictionary; patterns of rules then look for their
concepts within a window; `context` tells what is denied, past, another's or only supposed. Deterministic, linear in
the text, and every finding carries its span in code points of the input.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from yidian.triage.conditions import Condition, Truth, atoms_of, holds_for_age, truth
from yidian.triage.context import PRESENT, Context
from yidian.triage.levels import urgency
from yidian.triage.measures import measures
from yidian.triage.rulebook import Rule, Rulebook, load

_IGNORED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_SPACE_IN_CHINESE = re.compile(r"(?<=[\u3400-\u9fff]) +(?=[\u3400-\u9fff])")
_NUMERIC = re.compile(r"[\d零〇一二两三四五六七八九十百几半]")
_FILLERS = 6  # words that may stand between the parts of one phrase
_TRIES = 12  # combinations tried around one anchor: keeps hostile text linear
_UNKNOWN: Truth = (0, 1)
_COMPARE = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b}
_CHILD_BELOW, _OLD_FROM = 14, 65
_AWAY = 14  # an exclusion counts within so many characters of the finding


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule found in a text; `span` in code points of the input, `status` as in `context`."""

    rule: str
    level: str
    span: tuple[int, int]
    text: str
    status: str

    def as_dict(self) -> dict:
        return {
            "rule": self.rule,
            "level": self.level,
            "span": list(self.span),
            "text": self.text,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class Screening:
    """What a text comes to: the most urgent level that is present, or None, and all findings, most urgent first."""

    level: str | None
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict:
        return {"level": self.level, "findings": [finding.as_dict() for finding in self.findings]}


def screen(
    text: str,
    *,
    age: float | None = None,
    sex: str | None = None,
    pregnant: bool | None = None,
    book: Rulebook | None = None,
) -> Screening:
    """The red flags in free text. `age` in years, `sex` female or male; what is not given may stand in the text."""
    index = _index(book or load())
    plain, places = _plain(text, index.hans)
    hits = index.find(plain)
    numbers = measures(plain) if _NUMERIC.search(plain) else []
    said = _Said(plain, hits, numbers, age, sex, pregnant)
    found = []
    for rule, patterns, exclusions in index.rules:
        finding = said.look_for(rule, patterns, exclusions)
        if finding is not None:
            start, end, status = finding
            first, last = places[start], places[end - 1] + 1
            found.append(Finding(rule.id, rule.level, (first, last), text[first:last], status))
    found.sort(key=lambda finding: (finding.status != PRESENT, -urgency(finding.level), finding.span, finding.rule))
    present = [finding.level for finding in found if finding.status == PRESENT]
    return Screening(present[0] if present else None, tuple(found))


def _plain(text: str, hans: Mapping[int, str]) -> tuple[str, list[int] | range]:
    """The text as it is matched, and where each of its characters stands in the input."""
    plain = text.translate(hans)
    gaps = [found.span() for found in _IGNORED.finditer(plain)]
    gaps += [found.span() for found in _SPACE_IN_CHINESE.finditer(plain)] if " " in plain and len(plain) < 40 else []
    if not gaps:
        return plain, range(len(plain))
    left_out = {place for start, end in gaps for place in range(start, end)}
    places = [place for place in range(len(plain)) if place not in left_out]
    return "".join([plain[place] for place in places]), places


class _Index:
    """The words of every concept by their first two characters, and the patterns of every rule."""

    def __init__(self, book: Rulebook):
        self.words: dict[str, list[str]] = {}
        self.chains: dict[str, list[tuple[str, tuple]]] = {}
        lengths: dict[str, set[int]] = {}
        for concept, words in book.concepts.items():
            for word in words:
                if isinstance(word, str):
                    self.words.setdefault(word, []).append(concept)
                    lengths.setdefault(word[:2], set()).add(len(word))
                    continue
                for head in word[0]:
                    self.chains.setdefault(head, []).append((concept, word[1:]))
                    lengths.setdefault(head[:2], set()).add(len(head))
        self.lengths = {start: tuple(sorted(each)) for start, each in lengths.items()}
        self.ones = frozenset(start for start in self.lengths if len(start) == 1)
        self.hans = book.hans
        self.rules = [
            (rule, [(_terms(p), p[1], p[2]) for p in rule.phrases], [(_terms(p), p[1], p[2]) for p in rule.exclusions])
            for rule in book.rules.values()
            if rule.phrases
        ]

    def find(self, text: str) -> dict[str, list[tuple[int, int]]]:
        """Where each concept stands in the text."""
        found: dict[str, list[tuple[int, int]]] = {}
        lengths, words, chains, ones = self.lengths, self.words, self.chains, self.ones
        for start in range(len(text)):
            two = text[start : start + 2]
            for size in (*((1,) if two[0] in ones else ()), *(lengths.get(two, ()) if len(two) == 2 else ())):
                word = text[start : start + size]
                for concept in words.get(word, ()):
                    found.setdefault(concept, []).append((start, start + size))
                for concept, rest in chains.get(word, ()):
                    end = _chain_end(text, start + size, rest)
                    if end:
                        found.setdefault(concept, []).append((start, end))
        return found


def _terms(pattern) -> tuple:
    return tuple(tuple(term) for term in pattern[0])


def _chain_end(text: str, at: int, rest: tuple) -> int:
    """Where fillers and tail end; 0 when the tail does not come."""
    for place in range(0, len(rest), 2):
        fillers, tails = rest[place], rest[place + 1]
        for _ in range(_FILLERS + 1):
            tail = next((tail for tail in tails if text.startswith(tail, at)), None)
            if tail is not None:
                at += len(tail)
                break
            filler = next((filler for filler in fillers if filler and text.startswith(filler, at)), None)
            if filler is None:
                return 0
            at += len(filler)
        else:
            return 0
    return at


@cache
def _index(book: Rulebook) -> _Index:
    return _Index(book)


class _Said:
    """One text with what was found in it, asked rule by rule."""

    def __init__(self, text: str, hits: dict, numbers: list, age, sex, pregnant):
        self.text, self.hits, self.numbers = text, hits, numbers
        ages = [value for name, value, _, _ in numbers if name == "age"]
        self.age = age if age is not None else ages[0] if ages else 0.05 if "newborn" in hits else None
        self.sex = sex
        self.pregnant = pregnant if pregnant is not None else (True if "pregnancy" in hits else None)
        self._context: Context | None = None
        self._terms: dict[tuple, list[tuple[int, int]]] = {}

    def look_for(self, rule: Rule, patterns: list, exclusions: list) -> tuple[int, int, str] | None:
        """Where the rule is found, and its status: present before any other."""
        if rule.who is not None and self._does_not_concern(rule.who):
            return None
        best = None
        for pattern in patterns:
            for start, end, status in self._matches(pattern, rule):
                if any(
                    first - _AWAY <= end and start <= last + _AWAY
                    for exclusion in exclusions
                    for first, last, _ in self._matches(exclusion, None)
                ):
                    continue
                if status == PRESENT:
                    return start, end, status
                best = best or (start, end, status)
        return best

    def _does_not_concern(self, who: Condition) -> bool:
        known: dict[Condition, Truth] = {}
        for atom in atoms_of(who):
            value = _UNKNOWN
            if atom[0] == "age" and self.age is not None:
                value = (1, 1) if holds_for_age(atom, self.age) else (0, 0)
            elif atom[0] == "sex" and self.sex is not None:
                value = (1, 1) if self.sex == atom[1] else (0, 0)
            elif atom[0] == "pregnant":
                value = (1, 1) if self.pregnant else (0, 0) if self.pregnant is False else _UNKNOWN
            known[atom] = value
        return not truth(who, known, 1)[1]

    def _matches(self, pattern: tuple, rule: Rule | None) -> Iterator[tuple[int, int, str]]:
        terms, ordered, window = pattern
        spans = []
        for term in terms:
            where = self._where(term)
            if where is True:
                continue
            if not where:
                return
            spans.append(where)
        if not spans:
            return
        for first in spans[0]:
            for count, chosen in enumerate(_together(first, spans, 1, ordered, window)):
                if count == _TRIES:
                    break
                start, end = min(span[0] for span in chosen), max(span[1] for span in chosen)
                yield start, end, PRESENT if rule is None else self._status(chosen, rule)

    def _where(self, term: tuple) -> list[tuple[int, int]] | bool:
        """Where one of a term's alternatives stands; True when a fact of the person meets it."""
        if term in self._terms:
            return self._terms[term]
        found: set[tuple[int, int]] = set()
        for alternative in term:
            if isinstance(alternative, tuple):
                name, sign, bound = alternative
                found |= {(s, e) for n, v, s, e in self.numbers if n == name and _COMPARE[sign](v, bound)}
                if name == "age" and self.age is not None and _COMPARE[sign](self.age, bound):
                    self._terms[term] = True  # ty: ignore
                    return True
            elif self._fact(alternative):
                self._terms[term] = True  # ty: ignore
                return True
            else:
                found |= set(self.hits.get(alternative, ()))
        self._terms[term] = sorted(found)
        return self._terms[term]

    def _fact(self, name: str) -> bool:
        if name == "pregnant":
            return bool(self.pregnant)
        if name == "child":
            return self.age < _CHILD_BELOW if self.age is not None else "child" in self.hits
        if name == "old":
            return self.age >= _OLD_FROM if self.age is not None else "elder" in self.hits
        return name in ("female", "male") and self.sex == name

    def _status(self, chosen: list[tuple[int, int]], rule: Rule) -> str:
        if self._context is None:
            spans = sorted({span for spans in self.hits.values() for span in spans})
            self._context = Context(self.text, spans)
        for start, end in chosen:
            status = self._context.status(start, end, rule.even_if_over, rule.fear_counts)
            if status != PRESENT:
                return status
        return PRESENT


def _together(first: tuple[int, int], spans: list, at: int, ordered: bool, window: int) -> Iterator[list]:
    """Every choice of one span a term that lies within the window, nearest in the text first."""
    if at == len(spans):
        yield [first]
        return
    yield from _extend([first], spans, at, ordered, window)


def _extend(chosen: list, spans: list, at: int, ordered: bool, window: int) -> Iterator[list]:
    if at == len(spans):
        yield chosen
        return
    low, high = min(span[0] for span in chosen), max(span[1] for span in chosen)
    candidates = spans[at]
    place = bisect_left(candidates, (high if ordered else high - window, 0))
    while place < len(candidates) and candidates[place][0] <= low + window:
        span = candidates[place]
        place += 1
        if span in chosen or max(high, span[1]) - min(low, span[0]) > window + 8:
            continue
        yield from _extend([*chosen, span], spans, at + 1, ordered, window)
