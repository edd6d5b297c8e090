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
from yidian.triage.phrases import FACTS
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
    found = []
    for rule, (start, end, status) in _Said(plain, hits, numbers, age, sex, pregnant, index).findings():
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
    """The words of every concept by their first two characters, the patterns of every rule by one of their terms."""

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
                rest = tuple((_by_first(word[place]), _by_first(word[place + 1])) for place in range(1, len(word), 2))
                for head in word[0]:
                    self.chains.setdefault(head, []).append((concept, rest))
                    lengths.setdefault(head[:2], set()).add(len(head))
        one = {start for start in lengths if len(start) == 1}
        # a character that is a word by itself counts wherever it stands, whatever follows
        self.lengths = {start: tuple(sorted(each)) for start, each in lengths.items()}
        self.ones = frozenset(one)
        self.hans = book.hans
        self.terms: list[tuple] = []
        self.rules: list[Rule] = []
        self.exclusions: list[list[_Pattern]] = []
        self.patterns: list[tuple[int, _Pattern]] = []
        self.triggers: dict[str, list[int]] = {}
        self._numbered: dict[tuple, int] = {}
        common = {concept: _commonness(words) for concept, words in book.concepts.items()}
        for rule in book.rules.values():
            if not rule.phrases:
                continue
            for phrase in rule.phrases:
                pattern = self._pattern(phrase)
                trigger = min(pattern[0], key=lambda term: sum(common.get(each, 0.5) for each in self.terms[term]))
                for each in self.terms[trigger]:
                    key = f"#{each[0]}" if isinstance(each, tuple) else f"#{each}" if each in FACTS else each
                    self.triggers.setdefault(key, []).append(len(self.patterns))
                self.patterns.append((len(self.rules), pattern))
            self.exclusions.append([self._pattern(phrase) for phrase in rule.exclusions])
            self.rules.append(rule)

    def _pattern(self, phrase: tuple) -> "_Pattern":
        terms, ordered, window = phrase
        numbered = []
        for term in terms:
            if term not in self._numbered:
                self._numbered[term] = len(self.terms)
                self.terms.append(term)
            numbered.append(self._numbered[term])
        return tuple(numbered), ordered, window

    def find(self, text: str) -> dict[str, list[tuple[int, int]]]:
        """Where each concept stands in the text."""
        found: dict[str, list[tuple[int, int]]] = {}
        lengths, words, chains, ones = self.lengths, self.words, self.chains, self.ones
        for start, char in enumerate(text):
            sizes = lengths.get(text[start : start + 2], _ONE if char in ones else _NO_SIZE)
            if char in ones and sizes is not _ONE:
                sizes = _ONE + sizes if len(text) > start + 1 else _ONE
            for size in sizes:
                word = text[start : start + size]
                if len(word) < size:  # the text ends here
                    break
                if word in words:
                    span = (start, start + size)
                    for concept in words[word]:
                        if concept in found:
                            found[concept].append(span)
                        else:
                            found[concept] = [span]
                if word in chains:
                    for concept, rest in chains[word]:
                        end = _chain_end(text, start + size, rest)
                        if end:
                            found.setdefault(concept, []).append((start, end))
        if "nothing" in found:
            _mask(found)
        return found


def _mask(found: dict[str, list[tuple[int, int]]]) -> None:
    """Takes away what stands inside a word that means something else: 血 in 血压, 抽 in 抽烟."""
    covered = found.pop("nothing")
    for concept in list(found):
        left = [
            (start, end)
            for start, end in found[concept]
            if not any(first <= start and end <= last and end - start < last - first for first, last in covered)
        ]
        if left:
            found[concept] = left
        else:
            del found[concept]


_Pattern = tuple[tuple[int, ...], bool, int]  # the numbers of its terms, whether in order, the window
_ONE: tuple[int, ...] = (1,)
_NO_SIZE: tuple[int, ...] = ()


def _commonness(words) -> float:
    """How often a concept will turn up, roughly: single characters are everywhere."""
    return sum(20 if isinstance(word, str) and len(word) == 1 else 1 for word in words)


def _by_first(words) -> dict[str, tuple[str, ...]]:
    """Words by their first character, longest first; an empty word stands under the empty string."""
    found: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        found.setdefault(word[:1], []).append(word)
    return {first: tuple(each) for first, each in found.items()}


def _chain_end(text: str, at: int, rest: tuple) -> int:
    """Where fillers and tail end; 0 when the tail does not come."""
    for fillers, tails in rest:
        for _ in range(_FILLERS + 1):
            first = text[at : at + 1]
            for tail in tails.get(first, ()) if first else ():
                if text.startswith(tail, at):
                    at += len(tail)
                    break
            else:
                for filler in fillers.get(first, ()) if first else ():
                    if text.startswith(filler, at):
                        at += len(filler)
                        break
                else:
                    if "" not in tails:
                        return 0
                    break
                continue
            break
        else:
            return 0
    return at


@cache
def _index(book: Rulebook) -> _Index:
    return _Index(book)


class _Said:
    """One text with what was found in it."""

    def __init__(self, text: str, hits: dict, numbers: list, age, sex, pregnant, index: _Index):
        self.text, self.hits, self.numbers, self.index = text, hits, numbers, index
        ages = [value for name, value, _, _ in numbers if name == "age"]
        self.age = age if age is not None else ages[0] if ages else 0.05 if "newborn" in hits else None
        self.sex = sex
        self.pregnant = pregnant if pregnant is not None else (True if "pregnancy" in hits else None)
        self._context: Context | None = None
        self._terms: dict[int, list[tuple[int, int]] | bool] = {}

    def findings(self) -> Iterator[tuple[Rule, tuple[int, int, str]]]:
        """Each rule that the text names, with where and how: present before any other."""
        index = self.index
        keys = [
            *self.hits,
            *{f"#{name}" for name, *_ in self.numbers},
            *(f"#{name}" for name in FACTS if self._fact(name)),
        ]
        if self.age is not None:
            keys.append("#age")
        chosen = {place for key in keys for place in index.triggers.get(key, ())}
        best: dict[int, tuple[int, int, str]] = {}
        excluded: dict[int, list] = {}
        concerned: dict[int, bool] = {}
        for place in sorted(chosen):
            number, pattern = index.patterns[place]
            if number in best and best[number][2] == PRESENT:
                continue
            rule = index.rules[number]
            for start, end, status in self._matches(pattern, rule):
                if number not in concerned:
                    concerned[number] = rule.who is None or not self._does_not_concern(rule.who)
                    excluded[number] = [
                        span for exclusion in index.exclusions[number] for span in self._matches(exclusion, None)
                    ]
                if not concerned[number]:
                    break
                if any(first - _AWAY <= end and start <= last + _AWAY for first, last, _ in excluded[number]):
                    continue
                if status == PRESENT:
                    best[number] = (start, end, status)
                    break
                best.setdefault(number, (start, end, status))
        for number in sorted(best):
            yield index.rules[number], best[number]

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

    def _matches(self, pattern: _Pattern, rule: Rule | None) -> Iterator[tuple[int, int, str]]:
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

    def _where(self, term: int) -> list[tuple[int, int]] | bool:
        """Where one of a term's alternatives stands, in order; True when a fact of the person meets it."""
        if term not in self._terms:
            self._terms[term] = self._look_up(self.index.terms[term])
        return self._terms[term]

    def _look_up(self, alternatives: tuple) -> list[tuple[int, int]] | bool:
        if len(alternatives) == 1 and alternatives[0] in self.hits:
            return self.hits[alternatives[0]]
        found: set[tuple[int, int]] = set()
        for alternative in alternatives:
            if isinstance(alternative, tuple):
                name, sign, bound = alternative
                found |= {(s, e) for n, v, s, e in self.numbers if n == name and _COMPARE[sign](v, bound)}
                if name == "age" and self.age is not None and _COMPARE[sign](self.age, bound):
                    return True
            elif alternative in FACTS:
                if self._fact(alternative):
                    return True
                if alternative == "child":
                    found.update(self.hits.get("child", ()))
            else:
                found.update(self.hits.get(alternative, ()))
        return sorted(found)

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
            # words of the lexicon that hold a 没 or 不 of their own (喘不过气) deny nothing that follows
            spans = sorted({span for concept, spans in self.hits.items() if concept[0] != "=" for span in spans})
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
