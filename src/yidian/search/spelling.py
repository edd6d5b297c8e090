"""What somebody meant to write: terms misspelt by sound, by shape, by one character, or typed in Latin letters."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import exp, log
from operator import add
from pathlib import Path
from typing import NamedTuple

from yidian.search.bigrams import Bigrams, hear
from yidian.search.typed import Names, Reading, only_initials, read
from yidian.zh.aligned import align
from yidian.zh.grams import runs

# Longer names are titles, and one wrong character leaves enough of them to be found by.
MAX_TERM_LENGTH = 10
# Only the beginning of a longer text is looked through: it is an account, not a term.
MAX_CORRECTED = 200
# How much likelier the term must be than what was written (in nats), by what the two have in common.
_SAME_SOUND, _LIKE_SOUND, _SHAPE, _DOUBLED, _MOVED, _ANY = 2.5, 4.0, 4.0, 4.0, 6.0, 9.0
_NEVER = 99.0
# Words of every sentence: two of a pair with one of them seldom make a word, so they seldom misspell one.
_FUNCTION = frozenset(
    "的了吗呢吧啊呀嘛么哦吖只种是有没不能会可要该应想去来就都也还又再才很太最多少这那哪什怎咋啥为和与或及并从到在被把给让对跟比等"
    "几较前后以我你他她它您们谁人吃用做看"
)
_FUNCTION_PRICE = 8.0
# What is a word of its own was probably meant.
_WORD_PRICE = 3.0
# A correction that cuts a known term in two probably corrects nothing.
_CUT_PRICE = 3.0
# A text that is nothing but the misspelt term was meant to be a term, the more so the longer it is.
_ALONE = 2.0

# With fewer initials some swap of two spells a name by chance.
SWAPPED_FROM = 4


class Correction(NamedTuple):
    """A misspelt term: [start, end) in code points of the text, and how sure the replacement is, from 0 to 1."""

    start: int
    end: int
    original: str
    replacement: str
    confidence: float


class Speller:
    """Knows the site's terms, names and texts; made by `build`, kept in one file by `save` and `load`."""

    def __init__(self, bigrams: Bigrams, names: Names, terms: list[str]):
        self.bigrams, self.names, self.terms = bigrams, names, terms
        self._known = frozenset(terms)
        self._lengths: dict[tuple[str, str], set[int]] = {}
        # Terms by what they have in common, apart by spaces: 40,000 lists took twice as long to make.
        self._by_sound: dict[str, str] = {}
        self._without_one: dict[str, str] = {}
        self._heads: set[str] = set()
        self._tails: set[str] = set()
        self._around: set[str] = set()
        self._by_shape: dict[str, str] = {}
        self._latin: dict[str, str] = {}
        for term in terms:
            if term.isascii():
                self._add_latin(term)
            else:
                self._add(term)

    @classmethod
    def build(cls, texts: Iterable[str], names: Iterable[str], titles: Iterable[str] = ()) -> "Speller":
        """From the site's texts, all names of its terms, and titles that are found by their initials too.

        Only names become corrections. Deterministic. About 1 s of CPU for a million characters, 10 s for 24 million.
        """
        held = list(names)
        forms = dict.fromkeys(align(name).form.strip() for name in held)
        terms = sorted(form for form in forms if _is_term(form))
        return cls(Bigrams.count(texts, held), Names.collect([*held, *titles]), terms)

    def save(self, path: Path) -> None:
        """Write one file; a reader sees the old one or the new one, whole."""
        head = {"terms": self.terms, "names": self.names.names, "keys": self.names.keys}
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(json.dumps(head, ensure_ascii=False).encode() + b"\n" + self.bigrams.dumps())
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Speller":
        """From what `save` wrote; ValueError for anything else."""
        head, _, counts = path.read_bytes().partition(b"\n")
        try:
            held = json.loads(head)
            return cls(Bigrams.loads(counts), Names(held["keys"], held["names"]), held["terms"])
        except (KeyError, TypeError) as broken:
            raise ValueError("not a speller's file") from broken

    def correct(self, text: str, keep: Sequence[tuple[int, int]] = ()) -> list[Correction]:
        """The terms that the text misspells, in order and apart; what lies within a `keep` span is never changed."""
        aligned = align(text[:MAX_CORRECTED])
        form = aligned.form
        kept = set()
        for start, end in keep:
            kept.update((at, at + 1) for at in range(start, end - 1))
        if aligned.starts is not None:
            kept = {(a, a + 1) for a in range(len(form) - 1) if (aligned.starts[a], aligned.starts[a + 1]) in kept}
        cut = [(start, end) for start, end in keep if end - start > 1]
        content = sum(len(run) for run, _ in runs(form))
        found: list[tuple[float, int, int, str]] = []
        at = 0
        for run, is_han in runs(form):
            at = form.index(run, at)
            options = self._terms_in(run) if is_han else self._words_for(run)
            for start, end, term, needed in options:
                if any((place, place + 1) in kept for place in _changed(form[at + start : at + end], term, at + start)):
                    continue
                gain = self._gain(run, start, end, term) if is_han else 8.0
                begin, stop = aligned.span(at + start, at + end)
                if any(a < begin < b < stop or begin < a < stop < b for a, b in cut):
                    gain -= _CUT_PRICE if len(term) >= end - start else _NEVER
                if end - start == content:
                    gain += _ALONE * (len(term) - 1)
                if gain >= needed:
                    found.append((gain - needed + 0.3 * len(term), at + start, at + end, term))
            at += len(run)
        corrections: list[Correction] = []
        for surplus, start, end, term in sorted(found, key=lambda one: (-one[0], one[1], one[3])):
            begin, stop = aligned.span(start, end)
            if all(stop <= held.start or held.end <= begin for held in corrections):
                confidence = round(1 / (1 + exp(-0.5 - surplus / 2)), 3)
                corrections.append(Correction(begin, stop, text[begin:stop], term, confidence))
        return sorted(corrections)

    def typed(self, words: list[str], before: str = "", after: str = "") -> list[Reading]:
        """The Chinese that Latin words may spell, beside Han runs `before` and `after`; best first."""
        letters = "".join(words)
        if len(set(letters)) == 1:  # a key held down
            return []
        named = self.names.typed(before + letters + after, self.bigrams)
        found = [Reading(name[len(before) : len(name) - len(after)], sure) for name, sure in named]
        if before or after:
            found += self.names.typed(letters, self.bigrams)
        found += read(words, self.bigrams, before[-1:], after[:1])
        return found or self._swapped(letters)

    def _swapped(self, letters: str) -> list[Reading]:
        """What initials spell when two neighbours are taken to be swapped: dtjc for dtcj."""
        if len(letters) < SWAPPED_FROM or not only_initials(letters):
            return []
        swaps = (letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :] for at in range(len(letters) - 1))
        return [reading for swapped in swaps for reading in self.names.typed(swapped, self.bigrams)]

    def _terms_in(self, run: str) -> list[tuple[int, int, str, float]]:
        """Stretches of a Han run, the term each may be meant for, and how much likelier that must be."""
        found: dict[tuple[int, int, str], float] = {}
        heard = list(map(self._sound, run))
        for start, pair in enumerate(pairwise(heard)):
            for length in self._lengths.get(pair, ()):
                written = run[start : start + length]
                for term in self._by_sound.get(" ".join(heard[start : start + length]), "").split():
                    if term != written and len(written) == length and written not in self._known:
                        found[start, start + length, term] = self._needed(written, term)
            written = run[start : start + 2]
            for term in self._by_shape.get(written, "").split():
                if written not in self._known:
                    found[start, start + 2, term] = self._needed(written, term)
        for start, end in self._strange_stretches(run):
            written = run[start:end]
            if written not in self._known:
                for term in self._one_away(written):
                    needed = self._needed(written, term)
                    if needed < _NEVER:
                        found[start, end, term] = needed
        return [(start, end, term, needed) for (start, end, term), needed in found.items()]

    def _strange_stretches(self, run: str) -> list[tuple[int, int]]:
        """Stretches in which two neighbours rarely stand together and that begin or end as a term does."""
        rare = [at for at, (a, b) in enumerate(pairwise(run)) if self._is_rare(a, b)]
        if not rare:
            return []
        pairs = list(map(add, run, run[1:]))
        begins = [pair in self._heads for pair in pairs]
        ends = [False, False, *(pair in self._tails for pair in pairs)]
        found = set()
        # A text of nothing but rare pairs is not Chinese that anyone could correct: 40 are more than a query's.
        for at in rare[:40]:
            for start in range(max(at - MAX_TERM_LENGTH + 1, 0), at + 1):
                for end in range(at + 2, min(start + MAX_TERM_LENGTH + 1, len(run)) + 1):
                    if begins[start] or ends[end] or self._is_around(run[start:end]):
                        found.add((start, end))
        return sorted(found)

    def _is_around(self, written: str) -> bool:
        """Whether a short stretch can be a term with a wrong middle, or with its first or last two swapped."""
        if len(written) > 4:
            return False
        if written[0] + written[-1] in self._around:
            return True
        first, second, *rest = written
        return len(rest) == 1 and (second + first + rest[0] in self._known or first + rest[0] + second in self._known)

    def _is_rare(self, first: str, second: str) -> bool:
        count = self.bigrams.pair(first, second)
        return count * 2_000 < self.bigrams.count_of.get(first, 0) or count < 3

    def _one_away(self, written: str) -> set[str]:
        """The terms that differ from the stretch by one character wrong, lacking or doubled, or two swapped."""
        found = set(self._without_one.get(written, "").split())
        for at in range(len(written)):
            left = written[:at] + written[at + 1 :]
            if at and written[at] == written[at - 1] and written[at] not in _FUNCTION and left in self._known:
                found.add(left)
            if left in self._without_one:
                found.update(term for term in self._without_one[left].split() if len(term) == len(written))
        return found

    def _needed(self, written: str, term: str) -> float:
        """How much likelier the term must be, by how it differs from what was written."""
        if len(written) > len(term):
            return _DOUBLED
        if len(written) < len(term):
            return _MOVED if len(written) > 2 else _MOVED + 2
        wrong = [at for at, (a, b) in enumerate(zip(written, term, strict=True)) if a != b]
        if len(wrong) == 2 and written[wrong[0]] == term[wrong[1]] and written[wrong[1]] == term[wrong[0]]:
            return _MOVED
        price = sum(self._distance(written[at], term[at]) for at in wrong)
        doubtful = written if len(term) == 2 else {written[at] for at in wrong}
        price += _FUNCTION_PRICE * (not _FUNCTION.isdisjoint(doubtful))
        if len(term) == 2:
            # Nothing of the word is left but its sound, so that must be exact.
            if len(wrong) == 2:
                price = _NEVER if price > 2 * _SAME_SOUND else price + _FUNCTION_PRICE / 2
            price += _WORD_PRICE * self.bigrams.is_ordinary(*written)
        if price >= _ANY:
            # Known by nothing but what stands around it.
            around = len(term) > 3 and 0 < wrong[0] < len(term) - 1
            return price if around else _NEVER
        return price

    def _distance(self, written: str, meant: str) -> float:
        readings = self.bigrams.readings
        if set(readings.get(written, ())) & set(readings.get(meant, ())):
            return _SAME_SOUND
        if {hear(sound) for sound in readings.get(written, ())} & {hear(sound) for sound in readings.get(meant, ())}:
            return _LIKE_SOUND
        return _SHAPE if meant in _shapes(written) else _ANY

    def _gain(self, run: str, start: int, end: int, term: str) -> float:
        before, after = run[max(start - 1, 0) : start], run[end : end + 1]
        return self._likelihood(before + term + after) - self._likelihood(before + run[start:end] + after)

    def _likelihood(self, text: str) -> float:
        """The logarithm of the chance of each character after the one before it."""
        bigrams = self.bigrams
        total = 0.0
        for first, second in pairwise(text):
            count = bigrams.pair(first, second)
            total += log(count / bigrams.count_of[first]) if count else bigrams.log_share(second) - 2
        return total

    def _add(self, term: str) -> None:
        heard = tuple(map(self._sound, term))
        _enter(self._by_sound, " ".join(heard), term)
        self._lengths.setdefault(heard[:2], set()).add(len(term))
        if len(term) == 2:
            first, second = term
            for like in [*(char + second for char in _shapes(first)), *(first + char for char in _shapes(second))]:
                _enter(self._by_shape, like, term)
            return
        self._heads.add(term[:2])
        self._tails.add(term[-2:])
        if len(term) < 5:
            self._around.add(term[0] + term[-1])
        for left in {term[:at] + term[at + 1 :] for at in range(len(term))}:
            _enter(self._without_one, left, term)

    def _sound(self, char: str) -> str:
        return (self.bigrams.heard.get(char) or [char])[0]

    def _add_latin(self, term: str) -> None:
        for word in term.split():
            # Four letters are too few to know a wrong one by.
            if len(word) > 4 and word.isalpha():
                for left in set(_without_one_letter(word)):
                    _enter(self._latin, left, word)

    def _words_for(self, word: str) -> list[tuple[int, int, str, float]]:
        """The Latin words of terms that differ from this one by one letter."""
        if len(word) < 5 or word in self._latin.get(word, "").split():
            return []
        near = {found for left in _without_one_letter(word) for found in self._latin.get(left, "").split()}
        return [(0, len(word), found, 6.0) for found in sorted(near) if found[0] == word[0]]


def _is_term(form: str) -> bool:
    han = [run for run, is_han in runs(form) if is_han]
    return (form.isascii() and len(form) > 4) or (len(han) == 1 and han[0] == form and 1 < len(form) <= MAX_TERM_LENGTH)


def _changed(written: str, term: str, at: int) -> range:
    """The places of the pairs that are in the text and not in the term, counted from `at`."""
    same = 0
    while same < min(len(written), len(term)) and written[same] == term[same]:
        same += 1
    back = 0
    while back < min(len(written), len(term)) - same and written[-1 - back] == term[-1 - back]:
        back += 1
    return range(at + max(same - 1, 0), at + min(len(written) - back, len(written) - 1))


def _enter(index: dict[str, str], key: str, term: str) -> None:
    held = index.get(key)
    index[key] = f"{held} {term}" if held else term


def _without_one_letter(word: str) -> list[str]:
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]


def _shapes(char: str) -> str:
    """The characters that it is taken for by shape."""
    return _confused().get(char, "")


@cache
def _confused() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in files("yidian.search").joinpath("shapes.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            for char in line:
                found[char] = found.get(char, "") + line.replace(char, "")
    return found
