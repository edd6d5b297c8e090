"""What somebody meant to write: terms misspelt by sound, by shape, by one character, or typed in Latin letters."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import pairwise, product
from math import exp, log
from pathlib import Path
from typing import NamedTuple

from yidian.search.bigrams import Bigrams, hear
from yidian.search.typed import Names, Reading, read
from yidian.zh.aligned import align
from yidian.zh.grams import runs

# Longer names are titles, and one wrong character leaves enough of them to be found by.
MAX_TERM_LENGTH = 10
# Only the beginning of a longer text is looked through: it is an account, not a term.
MAX_CORRECTED = 600
# How much likelier the term must be than what was written (in nats), by what the two have in common.
_SAME_SOUND, _LIKE_SOUND, _SHAPE, _MOVED, _ANY = 2.5, 4.0, 4.0, 6.0, 9.0
# A text that is nothing but the misspelt term was meant to be a term.
_ALONE = 2.0


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
        self._by_sound: dict[str, list[str]] = {}
        self._without_one: dict[str, list[str]] = {}
        self._latin: dict[str, list[str]] = {}
        for term in terms:
            if term.isascii():
                self._add_latin(term)
                continue
            sounds = [bigrams.heard.get(char) or [char] for char in term]
            for heard in product(*(some[:2] for some in sounds)):
                self._by_sound.setdefault(" ".join(heard), []).append(term)
                self._lengths.setdefault(heard[:2], set()).add(len(term))
            if len(term) > 2:
                for left in {term[:at] + term[at + 1 :] for at in range(len(term))}:
                    self._without_one.setdefault(left, []).append(term)

    @classmethod
    def build(cls, texts: Iterable[str], names: Iterable[str], titles: Iterable[str] = ()) -> "Speller":
        """From the site's texts, all names of its terms, and titles that are found by their initials too.

        Only names become corrections. Deterministic. About 2 s of CPU for each million characters up to 20 million.
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

    def correct(self, text: str, keep: Iterable[tuple[int, int]] = ()) -> list[Correction]:
        """The terms that the text misspells, in order and apart; what lies within a `keep` span is never changed."""
        aligned = align(text[:MAX_CORRECTED])
        form = aligned.form
        kept = set()
        for start, end in keep:
            kept.update((at, at + 1) for at in range(start, end - 1))
        if aligned.starts is not None:
            kept = {(a, a + 1) for a in range(len(form) - 1) if (aligned.starts[a], aligned.starts[a + 1]) in kept}
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
                if end - start == content:
                    gain += _ALONE
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
        named = self.names.typed(before + letters + after, self.bigrams)
        found = [Reading(name[len(before) : len(name) - len(after)], sure) for name, sure in named]
        if before or after:
            found += self.names.typed(letters, self.bigrams)
        return found + read(words, self.bigrams, before[-1:], after[:1])

    def _terms_in(self, run: str) -> list[tuple[int, int, str, float]]:
        """Stretches of a Han run, the term each may be meant for, and how much likelier that must be."""
        found: dict[tuple[int, int, str], float] = {}
        heard = [(self.bigrams.heard.get(char) or [char])[0] for char in run]
        for start, pair in enumerate(pairwise(heard)):
            for length in self._lengths.get(pair, ()):
                written = run[start : start + length]
                for term in self._by_sound.get(" ".join(heard[start : start + length]), ()):
                    if term != written and len(written) == length:
                        found[start, start + length, term] = self._needed(written, term)
            for term, length in self._two_by_shape(run[start : start + 2]):
                found.setdefault((start, start + length, term), _SHAPE)
        for start, end in self._strange_stretches(run):
            written = run[start:end]
            for term in self._one_away(written):
                if term != written and written not in self._known:
                    found.setdefault((start, end, term), self._needed(written, term))
        return [(start, end, term, needed) for (start, end, term), needed in found.items()]

    def _two_by_shape(self, written: str) -> list[tuple[str, int]]:
        first, second = written
        pairs = [like + second for like in _shapes().get(first, "")] + [
            first + like for like in _shapes().get(second, "")
        ]
        return [(pair, 2) for pair in pairs if pair in self._known]

    def _strange_stretches(self, run: str) -> list[tuple[int, int]]:
        """Stretches of 2 to MAX_TERM_LENGTH + 1 characters in which two neighbours rarely stand together."""
        rare = [at for at, (a, b) in enumerate(pairwise(run)) if self._is_rare(a, b)]
        found = set()
        # A text of nothing but rare pairs is not Chinese that anyone could correct: 40 are more than a query's.
        for at in rare[:40]:
            for start in range(max(at - MAX_TERM_LENGTH + 1, 0), at + 1):
                for end in range(at + 2, min(start + MAX_TERM_LENGTH + 1, len(run)) + 1):
                    found.add((start, end))
        return sorted(found)

    def _is_rare(self, first: str, second: str) -> bool:
        count = self.bigrams.pair(first, second)
        return count * 2_000 < self.bigrams.count_of.get(first, 0) or count < 3

    def _one_away(self, written: str) -> set[str]:
        """The terms that differ from the stretch by one character wrong, lacking, too many, or two swapped."""
        found = set(self._without_one.get(written, ()))
        for at in range(len(written)):
            left = written[:at] + written[at + 1 :]
            if left in self._known:
                found.add(left)
            found.update(term for term in self._without_one.get(left, ()) if len(term) == len(written))
        return found

    def _needed(self, written: str, term: str) -> float:
        """How much likelier the term must be, by how it differs from what was written."""
        if len(written) != len(term):
            doubled = len(written) > len(term) and any(a == b for a, b in pairwise(written))
            return _MOVED - (2 if doubled else 0) + (2 if min(len(written), len(term)) < 3 else 0)
        wrong = [(a, b) for a, b in zip(written, term, strict=True) if a != b]
        if len(wrong) == 2 and wrong[0] == wrong[1][::-1]:
            return _MOVED
        return sum(self._distance(a, b) for a, b in wrong) - (len(wrong) - 1)

    def _distance(self, written: str, meant: str) -> float:
        readings = self.bigrams.readings
        if set(readings.get(written, ())) & set(readings.get(meant, ())):
            return _SAME_SOUND
        if {hear(sound) for sound in readings.get(written, ())} & {hear(sound) for sound in readings.get(meant, ())}:
            return _LIKE_SOUND
        return _SHAPE if meant in _shapes().get(written, "") else _ANY

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

    def _add_latin(self, term: str) -> None:
        for word in term.split():
            # Four letters are too few to know a wrong one by.
            if len(word) > 4 and word.isalpha():
                for left in {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}:
                    self._latin.setdefault(left, []).append(word)

    def _words_for(self, word: str) -> list[tuple[int, int, str, float]]:
        """The Latin words of terms that differ from this one by one letter."""
        if len(word) < 5 or word in self._latin.get(word, ()):
            return []
        near = {found for left in _without_one_letter(word) for found in self._latin.get(left, ())}
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


def _without_one_letter(word: str) -> list[str]:
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]


@cache
def _shapes() -> dict[str, str]:
    """For each character those that it is taken for by shape."""
    found: dict[str, str] = {}
    for line in files("yidian.search").joinpath("shapes.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            for char in line:
                found[char] = found.get(char, "") + line.replace(char, "")
    return found
