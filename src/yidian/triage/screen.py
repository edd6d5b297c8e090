"""Red flags in what people write: which rule, where it stands, and whether it is there now.

One pass over the text finds the words of every concept through a dictionary; patterns of rules then look for their
concepts within a window; `context` tells what is denied, past, another's or only supposed. Deterministic, linear in
the text, and every finding carries its span in code points of the input.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yidian.triage import likeness
from yidian.triage.conditions import Condition, Truth, atoms_of, holds_for_age, truth
from yidian.triage.context import FEAR_COUNTS, NEGATED, NOT_THE_USUAL, OVER_COUNTS, PRESENT, Context
from yidian.triage.levels import urgency
from yidian.triage.measures import measures
from yidian.triage.phrases import FACTS, PLAIN, SURE, WIDE
from yidian.triage.rulebook import Rule, Rulebook, load

_IGNORED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\xa0\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_SPACE_IN_CHINESE = re.compile(r"(?<=[\u3400-\u9fff]) +(?=[\u3400-\u9fff])")
_NUMERIC = re.compile(r"[\d零〇一二两三四五六七八九十百几半]")
_FILLERS = 6  # words that may stand between the parts of one phrase
_TRIES = 12  # combinations tried around one anchor: keeps hostile text linear
_UNKNOWN: Truth = (0, 1)
_COMPARE = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b}
_CHILD_BELOW, _OLD_FROM = 14, 65
# What makes a finding dangerous, and need not be of now: 生完孩子第三天, 小时候切了脾. Only a denial counts here.
_BACKGROUND = frozenset(
    {"adrenal", "af", "allergen", "altitude", "anticoag", "cancer", "cast", "chemo", "child", "cold_env", "crush"}
    | {"diabetes", "dialysis", "digoxin", "drunk", "dvt_risk", "elder", "exercise", "heart_history", "heat", "lithium"}
    | {"low_back", "miss_period", "new_drug", "newborn", "operated", "postpartum", "pregnancy", "statin"}
    | {"thyroid_storm", "thyroid_surgery", "warfarin"}
)
_EMERGENCY = urgency(likeness.LEVEL)
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
    smooth, places = plain(text, index.hans)
    said = _Said(smooth, index, age, sex, pregnant)
    found = [(rule.id, rule.level, span) for rule, span in said.findings()]
    worst = max((urgency(level) for _, level, span in found if span[2] == PRESENT), default=0)
    if worst < _EMERGENCY:
        found += [(likeness.RULE, likeness.LEVEL, span) for span in said.alike()]
    findings = [
        Finding(rule, level, span := (places[start], places[end - 1] + 1), text[slice(*span)], status)
        for rule, level, (start, end, status) in found
    ]
    findings.sort(key=lambda finding: (finding.status != PRESENT, -urgency(finding.level), finding.span, finding.rule))
    present = [finding.level for finding in findings if finding.status == PRESENT]
    return Screening(present[0] if present else None, tuple(findings))


def signs(text: str, book: Rulebook) -> list[set[str]]:
    """The signs of each stretch of a text, as `likeness` learns from them."""
    index = _index(book)
    smooth, _ = plain(text, index.hans)
    pieces = likeness.stretches(smooth)
    said = likeness.said(smooth, index.find(smooth), _measured(smooth), pieces)
    return [likeness.signs(smooth[first:last], each) for (first, last), each in zip(pieces, said, strict=True)]


def _measured(text: str) -> list[tuple[str, float, int, int]]:
    return measures(text) if _NUMERIC.search(text) else []


def plain(text: str, hans: Mapping[int, str]) -> tuple[str, list[int] | range]:
    """The text as it is matched, and where each of its characters stands in the input."""
    smooth = text.translate(hans)
    gaps = [found.span() for found in _IGNORED.finditer(smooth)]
    gaps += [found.span() for found in _SPACE_IN_CHINESE.finditer(smooth)] if " " in smooth and len(smooth) < 40 else []
    if not gaps:
        return _spelt(smooth), range(len(smooth))
    left_out = {place for start, end in gaps for place in range(start, end)}
    places = [place for place in range(len(smooth)) if place not in left_out]
    return _spelt("".join([smooth[place] for place in places])), places


def _spelt(text: str) -> str:
    """The text with the misspelt words of red flags as they are meant; every character stays where it is."""
    meant = _misspelt()
    for pair in sorted(meant.keys() & {text[place : place + 2] for place in range(len(text) - 1)}):
        text = text.replace(pair, meant[pair])
    return text


@cache
def _misspelt() -> dict[str, str]:
    """Wrong pairs of characters with the right ones, made by `scripts/make_misspelt.py`."""
    lines = (Path(__file__).parent / "misspelt.txt").read_text("utf-8").splitlines()
    return {wrong: line[:2] for line in lines if not line.startswith("#") for wrong in line[3:].split()}


class _Index:
    """The words of every concept by their first two characters, the patterns of every rule by one of their terms."""

    def __init__(self, book: Rulebook):
        self._concepts = book.concepts
        self._circumstances = {
            word for name in _BACKGROUND for word in book.concepts.get(name, ()) if isinstance(word, str)
        }
        # each word with the concepts that it is, and the chains that it begins: concept, first characters, the rest
        self.words: dict[str, tuple[list[str], list[tuple[str, frozenset[str], tuple]]]] = {}
        lengths: dict[str, set[int]] = {}
        for concept, words in book.concepts.items():
            for word in words:
                if isinstance(word, str):
                    self.words.setdefault(word, ([], []))[0].append(concept)
                    lengths.setdefault(word[:2], set()).add(len(word))
                    continue
                rest = tuple((_by_first(word[place]), _by_first(word[place + 1])) for place in range(1, len(word), 2))
                firsts = frozenset(rest[0][0]) | frozenset(rest[0][1])
                for head in word[0]:
                    self.words.setdefault(head, ([], []))[1].append((concept, firsts, rest))
                    lengths.setdefault(head[:2], set()).add(len(head))
        # a character that is a word by itself counts wherever it stands, whatever follows
        self.ones = frozenset(start for start in lengths if len(start) == 1)
        self.lengths = {start: tuple(sorted(each)) for start, each in lengths.items()}
        self.hans = book.hans
        self.terms: list[tuple] = []
        self.rules: list[Rule] = []
        self.background: set[int] = set()
        self.exclusions: list[list[_Pattern]] = []
        self.patterns: list[tuple[int, int, _Pattern, str]] = []  # rule, the bits of its terms, pattern, strength
        self.triggers: dict[str, list[int]] = {}
        self._numbered: dict[tuple, int] = {}
        common = {concept: _commonness(words) for concept, words in book.concepts.items()}
        for rule in book.rules.values():
            if not rule.phrases:
                continue
            for phrase in rule.phrases:
                pattern = self._pattern(phrase)
                trigger = min(pattern[0], key=lambda term: sum(common.get(each, 0.5) for each in self.terms[term]))
                for key in map(_key, self.terms[trigger]):
                    self.triggers.setdefault(key, []).append(len(self.patterns))
                need = sum({1 << term for term in pattern[0]})
                # likeness knows of emergencies only
                strength = SURE if phrase[3] == PLAIN and urgency(rule.level) < _EMERGENCY else phrase[3]
                self.patterns.append((len(self.rules), need, pattern, strength))
            self.exclusions.append([self._pattern(phrase) for phrase in rule.exclusions])
            self.rules.append(rule)
        # the terms that a concept, a fact or a measure can meet, one bit each
        self.meets: dict[str, int] = {}
        for number, term in enumerate(self.terms):
            for key in map(_key, term):
                self.meets[key] = self.meets.get(key, 0) | 1 << number

    def _is_background(self, alternative) -> bool:
        """Whether a term's alternative is a circumstance and no finding: a concept of them, or a word of one."""
        if isinstance(alternative, tuple) or alternative in FACTS or alternative in _BACKGROUND:
            return True
        words = self._concepts[alternative]
        return alternative[0] == "=" and all(isinstance(word, str) and word in self._circumstances for word in words)

    def _pattern(self, phrase: tuple) -> "_Pattern":
        terms, ordered, window, _ = phrase
        numbered = []
        for term in terms:
            if term not in self._numbered:
                self._numbered[term] = len(self.terms)
                if all(self._is_background(each) for each in term):
                    self.background.add(len(self.terms))
                self.terms.append(term)
            numbered.append(self._numbered[term])
        return tuple(numbered), ordered, window

    def find(self, text: str) -> dict[str, list[tuple[int, int]]]:
        """Where each concept stands in the text."""
        found: dict[str, list[tuple[int, int]]] = {}
        lengths, words, ones = self.lengths, self.words, self.ones
        last = len(text)
        for start, char in enumerate(text):
            sizes = lengths.get(text[start : start + 2], _NO_SIZE)
            if char in ones and sizes is not _ONE:
                sizes = _ONE + sizes if last > start + 1 else _ONE
            for size in sizes:
                end = start + size
                if end > last:
                    break
                known = words.get(text[start:end])
                if known is None:
                    continue
                span = (start, end)
                for concept in known[0]:
                    if concept in found:
                        found[concept].append(span)
                    else:
                        found[concept] = [span]
                if known[1]:
                    after = text[end : end + 1]
                    for concept, firsts, rest in known[1]:
                        if after in firsts or "" in firsts:
                            stop = _chain_end(text, end, rest)
                            if stop:
                                found.setdefault(concept, []).append((start, stop))
        if "nothing" in found:
            _mask(found, last)
        return found


def _key(alternative) -> str:
    """What a term's alternative is listed under: a concept by its name, measures and facts apart."""
    if isinstance(alternative, tuple):
        return f"#{alternative[0]}"
    return f"#{alternative}" if alternative in FACTS else alternative


def _mask(found: dict[str, list[tuple[int, int]]], length: int) -> None:
    """Takes away what stands inside a word that means something else: 血 in 血压, 抽 in 抽烟."""
    reach = [0] * (length + 1)  # up to where a word that begins here is hidden
    for first, last in found.pop("nothing"):
        reach[first] = max(reach[first], last - 1)  # the same stretch is not inside
        for place in range(first + 1, last):
            reach[place] = max(reach[place], last)
    for concept in list(found):
        left = [span for span in found[concept] if reach[span[0]] < span[1]]
        if left:
            found[concept] = left
        else:
            del found[concept]


_Scored = tuple[int, int, float, int]  # start, end, log odds, known signs
_Pattern = tuple[tuple[int, ...], bool, int]  # the numbers of its terms, whether in order, the window
_ONE: tuple[int, ...] = (1,)
_NO_SIZE: tuple[int, ...] = ()


def _commonness(words) -> float:
    """How often a concept will turn up, roughly: single characters are everywhere."""
    return sum(20 if isinstance(word, str) and len(word) == 1 else 1 for word in words)


def _by_first(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
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

    def __init__(self, text: str, index: _Index, age: float | None, sex: str | None, pregnant: bool | None):
        self.text, self.index, self.sex = text, index, sex
        self.hits = index.find(text)
        self.numbers = _measured(text)
        ages = [value for name, value, _, _ in self.numbers if name == "age"]
        self.age = age if age is not None else ages[0] if ages else 0.05 if "newborn" in self.hits else None
        self.pregnant = pregnant if pregnant is not None else (True if "pregnancy" in self.hits else None)
        self._likeness: list[_Scored] | None = None
        self._sentences: dict[tuple[int, int], _Scored | None] | None = None
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
        met = 0
        for key in keys:
            met |= index.meets.get(key, 0)
        chosen = {place for key in keys for place in index.triggers.get(key, ())}
        hopeful = any(each[2] >= likeness.AGREES or each[3] < likeness.SHORT for each in self._stretches())
        best: dict[int, tuple[int, int, str]] = {}
        excluded: dict[int, list] = {}
        concerned: dict[int, bool] = {}
        for place in sorted(chosen):
            number, need, pattern, strength = index.patterns[place]
            if need & ~met or (number in best and best[number][2] == PRESENT) or (strength == WIDE and not hopeful):
                continue
            rule = index.rules[number]
            if number not in concerned:
                concerned[number] = rule.who is None or not self._does_not_concern(rule.who)
            if not concerned[number]:
                continue
            for chosen_spans in self._matches(pattern):
                if number not in excluded:
                    excluded[number] = [
                        _hull(spans) for exclusion in index.exclusions[number] for spans in self._matches(exclusion)
                    ]
                start, end = chosen_spans[0] if len(chosen_spans) == 1 else _hull(chosen_spans)
                if any(first - _AWAY <= end and start <= last + _AWAY for first, last in excluded[number]):
                    continue
                if strength == WIDE and not self._credible(start, strength, rule):
                    continue
                status = self._status(chosen_spans, pattern[0], rule)
                if strength == PLAIN and status == PRESENT and not self._credible(start, strength, rule):
                    continue
                if status == PRESENT:
                    best[number] = (start, end, status)
                    break
                best.setdefault(number, (start, end, status))
        for number in sorted(best):
            yield index.rules[number], best[number]

    def _stretches(self) -> list[_Scored]:
        if self._likeness is None:
            pieces = likeness.stretches(self.text)
            said = likeness.said(self.text, self.hits, self.numbers, pieces)
            self._likeness = [
                (first, last, *likeness.score(self.text[first:last], each))
                for (first, last), each in zip(pieces, said, strict=True)
            ]
        return self._likeness

    def _sentence(self, place: int) -> _Scored:
        """The sentence at a place with its likeness."""
        if self._sentences is None:
            self._sentences = dict.fromkeys(likeness.sentences(self.text))
        piece = next((first, last) for first, last in self._sentences if first <= place < last)
        scored = self._sentences[piece]
        if scored is None:
            first, last = piece
            said = likeness.said(self.text, self.hits, self.numbers, [piece])
            scored = self._sentences[piece] = (first, last, *likeness.score(self.text[first:last], said[0]))
        return scored

    def _credible(self, place: int, strength: str, rule: Rule) -> bool:
        """Whether what stands there is enough like an emergency for a pattern to count, or too short to say."""
        if strength == WIDE:
            return _is_like(self._stretches(), place, likeness.AGREES, likeness.SHORT)
        least = likeness.DOUBTS_DEEPLY if rule.fear_counts else likeness.DOUBTS
        if _is_like(self._stretches(), place, least, likeness.LEAST):
            return True
        # one sentence of alarm among ordinary ones
        return _is_like([self._sentence(place)], place, least, likeness.LEAST)

    def alike(self) -> Iterator[tuple[int, int, str]]:
        """The words of each stretch that is an emergency by its likeness alone."""
        for first, last, score, known in self._stretches():
            if score >= likeness.ALONE and known >= likeness.LEAST:
                loud = likeness.words(self.text, self.hits, first, last)
                if loud and (score >= likeness.CERTAIN or self._now(loud)):
                    yield (*loud[0], PRESENT)

    def _now(self, loud: list[tuple[int, int]]) -> bool:
        context = self._told()
        return all(context.status(start, end, 0) == PRESENT for start, end in loud)

    def _told(self) -> Context:
        if self._context is None:
            # words of the lexicon that hold a 没 or 不 of their own (喘不过气) deny nothing that follows
            spans = sorted({span for concept, spans in self.hits.items() if concept[0] != "=" for span in spans})
            self._context = Context(self.text, spans)
        return self._context

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

    def _matches(self, pattern: _Pattern) -> Iterator[list[tuple[int, int]]]:
        """The spans of each place where the pattern's terms stand together."""
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
        if len(spans) == 1:
            for span in spans[0]:
                yield [span]
            return
        if len(spans) == 2:
            yield from _two(spans[0], spans[1], ordered, window)
            return
        for first in spans[0]:
            for count, chosen in enumerate(_extend([first], spans, 1, ordered, window)):
                if count == _TRIES:
                    break
                yield chosen

    def _where(self, term: int) -> list[tuple[int, int]] | bool:
        """Where one of a term's alternatives stands, in order; True when a fact of the person meets it."""
        if term not in self._terms:
            self._terms[term] = self._look_up(self.index.terms[term])
        return self._terms[term]

    def _look_up(self, alternatives: tuple) -> list[tuple[int, int]] | bool:
        if len(alternatives) == 1 and alternatives[0] in self.hits:
            return self.hits[alternatives[0]]
        found: list[list[tuple[int, int]]] = []
        for alternative in alternatives:
            if isinstance(alternative, tuple):
                name, sign, bound = alternative
                if name == "age" and self.age is not None and _COMPARE[sign](self.age, bound):
                    return True
                if self.numbers:
                    found.append([(s, e) for n, v, s, e in self.numbers if n == name and _COMPARE[sign](v, bound)])
                continue
            if alternative in FACTS and self._fact(alternative):
                return True
            if alternative in self.hits:
                found.append(self.hits[alternative])
        return found[0] if len(found) == 1 else sorted({span for spans in found for span in spans})

    def _fact(self, name: str) -> bool:
        if name == "pregnant":
            return bool(self.pregnant)
        if name == "child":
            return self.age < _CHILD_BELOW if self.age is not None else "child" in self.hits
        if name == "old":
            return self.age >= _OLD_FROM if self.age is not None else "elder" in self.hits
        return name in ("female", "male") and self.sex == name

    def _status(self, chosen: list[tuple[int, int]], terms: tuple[int, ...], rule: Rule) -> str:
        context = self._told()
        flags = rule.even_if_over * OVER_COUNTS + rule.fear_counts * FEAR_COUNTS + rule.unless_usual * NOT_THE_USUAL
        # a fact of the person stands for a term without a span
        terms = terms if len(terms) == len(chosen) else tuple(term for term in terms if self._where(term) is not True)
        told = len(chosen) > 1 and any(term not in self.index.background for term in terms)
        for term, (start, end) in zip(terms, chosen, strict=True):
            if told and term in self.index.background:
                if context.negated(start, end):
                    return NEGATED
                continue
            status = context.status(start, end, flags)
            if status != PRESENT:
                return status
        return PRESENT


def _is_like(pieces: list[_Scored], place: int, least: float, known: int) -> bool:
    return any(first <= place < last and (score >= least or signs < known) for first, last, score, signs in pieces)


def _hull(spans: list[tuple[int, int]]) -> tuple[int, int]:
    return min(spans)[0], max(span[1] for span in spans)


def _two(firsts: list, seconds: list, ordered: bool, window: int) -> Iterator[list]:
    """`_extend` for two terms, which most patterns have."""
    last = len(seconds)
    for first in firsts:
        low, high = first
        place = bisect_left(seconds, (high if ordered else high - window, 0))
        tries = 0
        while place < last and tries < _TRIES:
            span = seconds[place]
            if span[0] > low + window:
                break
            place += 1
            if (high if high > span[1] else span[1]) - (low if low < span[0] else span[0]) > window + 8:
                continue
            if span != first:
                tries += 1
                yield [first, span]


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
