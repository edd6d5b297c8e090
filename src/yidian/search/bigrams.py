"""How often characters stand side by side in the site's own texts, found by sound.

One file, read in a few milliseconds: the characters with their readings, then pairs of characters grouped by the
folded sounds of the pair, so that 抽金 brings 抽筋 and typed `choujin` brings both.
"""

import json
import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from math import log
from operator import add
from pathlib import Path

from yidian.zh.aligned import align
from yidian.zh.grams import runs
from yidian.zh.pinyin import dictionary_words, fold, readings

# Past this many characters every second text speaks for two, past twice as many every fourth for four: the figures
# hardly change any more and a million answers are counted in the time of a hundred thousand.
COUNTED_CHARACTERS = 20_000_000
# Kept pairs, the most frequent first. Toyhom's 1.5 million characters have 110,000; the file stays under 10 MB.
MAX_PAIRS = 500_000
# What one mention of a term in the vocabulary counts: as much as this many texts, so that a term nobody has
# written about yet can be typed.
NAME_COUNT = 8
# What a two-character word of the dictionary counts: what the site has few texts about is not yet misspelt.
WORD_COUNT = 20
_MAGIC = b"yidian-bigrams-1\n"


def hear(syllable: str) -> str:
    """A syllable without the differences of zh/z, ch/c, sh/s, -ng/-n and l/n."""
    heard = fold(syllable)
    return "n" + heard[1:] if heard.startswith("l") else heard


class Bigrams:
    """Counts of Han characters and of neighbouring pairs, by character and by sound."""

    def __init__(self, characters: str, read_as: list[list[str]], arrays: list[array]):
        """`arrays`: counts of the characters; pairs, as two places in `characters` in one integer, in order; their
        counts; for each two sounds where their pairs begin; and those pairs, as places among the pairs.
        """
        counts, self._pairs, self._numbers, self._begin, self._sounding = self._arrays = arrays
        self.characters = characters
        self.count_of = dict(zip(characters, counts, strict=True))
        self.total = sum(counts) or 1
        self.readings = dict(zip(characters, read_as, strict=True))
        self._order = {char: at for at, char in enumerate(characters)}
        self.heard = {char: _heard(syllables) for char, syllables in self.readings.items()}
        self.by_sound: dict[str, list[str]] = {}
        for char, sounds in self.heard.items():  # most frequent first
            for sound in sounds:
                self.by_sound.setdefault(sound, []).append(char)
        self._sounds = {sound: at for at, sound in enumerate(sorted(self.by_sound))}
        self._beside: dict[tuple[str, str], list[tuple[str, str, int]]] = {}

    @classmethod
    def count(cls, texts: Iterable[str], names: Iterable[str]) -> "Bigrams":
        """From texts as they are, and the names of terms."""
        singles: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for run, weight in _weighted_runs(texts):
            if weight == 1:
                singles.update(run)
                pairs.update(map(add, run, run[1:]))
            else:
                for char in run:
                    singles[char] += weight
                for pair in map(add, run, run[1:]):
                    pairs[pair] += weight
        ordinary = [(word, WORD_COUNT if len(word) == 2 else 1) for word in dictionary_words()]
        for run, weight in [
            *((run, n) for word, n in ordinary for run in _han(word)),
            *((run, NAME_COUNT) for name in names for run in _han(name)),
        ]:
            for char in run:
                singles[char] += weight
            for pair in map(add, run, run[1:]):
                pairs[pair] += weight
        characters = [char for char, _ in sorted(singles.items(), key=lambda item: (-item[1], item[0]))][:65_000]
        order = {char: at for at, char in enumerate(characters)}
        kept = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MAX_PAIRS]
        packed = sorted((order[p[0]] << 16 | order[p[1]], n) for p, n in kept if p[0] in order and p[1] in order)
        read_as = [list(readings(char)) for char in characters]
        begin, sounding = _by_two_sounds([pair for pair, _ in packed], [_heard(syllables) for syllables in read_as])
        arrays = [
            [singles[char] for char in characters],
            [pair for pair, _ in packed],
            [min(n, 2**32 - 1) for _, n in packed],
            begin,
            sounding,
        ]
        return cls("".join(characters), read_as, [array("I", values) for values in arrays])

    def pair(self, first: str, second: str) -> int:
        """How often the two characters stand side by side."""
        order = self._order
        if first not in order or second not in order:
            return 0
        key = order[first] << 16 | order[second]
        at = bisect_left(self._pairs, key)
        return self._numbers[at] if at < len(self._pairs) and self._pairs[at] == key else 0

    def beside(self, heard: str, heard_next: str) -> list[tuple[str, str, int]]:
        """The pairs of characters that sound so (in folded sounds), with their counts."""
        found = self._beside.get((heard, heard_next))
        if found is None:
            found = []
            if heard in self._sounds and heard_next in self._sounds:
                at = self._sounds[heard] * len(self._sounds) + self._sounds[heard_next]
                for place in self._sounding[self._begin[at] : self._begin[at + 1]]:
                    pair = self._pairs[place]
                    first, second = self.characters[pair >> 16], self.characters[pair & 0xFFFF]
                    found.append((first, second, self._numbers[place]))
            if len(self._beside) < 20_000:  # some MB: of 80,000 those that people type
                self._beside[heard, heard_next] = found
        return found

    def log_share(self, char: str) -> float:
        """The logarithm of the character's share of all characters."""
        return log((self.count_of.get(char, 0) + 0.5) / self.total)

    def dumps(self) -> bytes:
        """The bytes of the file; the same for the same counts."""
        head = {
            "characters": self.characters,
            "readings": [" ".join(self.readings[char]) for char in self.characters],
            "lengths": [len(values) for values in self._arrays],
        }
        return _MAGIC + json.dumps(head, ensure_ascii=False).encode() + b"\n" + b"".join(map(_little, self._arrays))

    @classmethod
    def loads(cls, content: bytes) -> "Bigrams":
        """From what `dumps` gave; ValueError for anything else."""
        if not content.startswith(_MAGIC):
            raise ValueError("not a file of bigrams")
        line_end = content.index(b"\n", len(_MAGIC))
        head = json.loads(content[len(_MAGIC) : line_end])
        at = line_end + 1
        if len(content) - at != 4 * sum(head["lengths"]):
            raise ValueError("the file of bigrams is cut short")
        arrays = []
        for length in head["lengths"]:
            arrays.append(_from_little(content[at : at + 4 * length]))
            at += 4 * length
        return cls(head["characters"], [line.split() for line in head["readings"]], arrays)


def _heard(syllables: list[str]) -> list[str]:
    return list(dict.fromkeys(map(hear, syllables)))


def _by_two_sounds(pairs: list[int], heard: list[list[str]]) -> tuple[list[int], list[int]]:
    """The places of the pairs, in order of their two sounds, and where each two sounds begin."""
    order = {sound: at for at, sound in enumerate(sorted({sound for sounds in heard for sound in sounds}))}
    sounds_of = [[order[sound] for sound in sounds] for sounds in heard]
    size = len(order)
    keyed = sorted(
        (first * size + second) << 32 | place
        for place, pair in enumerate(pairs)
        for first in sounds_of[pair >> 16]
        for second in sounds_of[pair & 0xFFFF]
    )
    begin = [0] * (size * size + 1)
    for key in keyed:
        begin[(key >> 32) + 1] += 1
    return list(accumulate(begin)), [key & 0xFFFFFFFF for key in keyed]


def _weighted_runs(texts: Iterable[str]) -> Iterator[tuple[str, int]]:
    counted, weight = 0, 1
    for number, text in enumerate(texts):
        if number % weight:
            continue
        counted += len(text)
        for run in _han(text):
            yield run, weight
        if counted > COUNTED_CHARACTERS:
            counted, weight = 0, weight * 2


def _han(text: str) -> list[str]:
    return [run for run, is_han in runs_of_form(text) if is_han]


def runs_of_form(text: str) -> list[tuple[str, bool]]:
    """The Han runs and other words of a text as it is matched."""
    return runs(align(text).form)


def _little(values: array) -> bytes:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _from_little(content: bytes) -> array:
    values = array("I")
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def save(path: Path, content: bytes) -> None:
    """Write the file so that a reader sees the old one or the new one, whole."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(content)
    beside.replace(path)
