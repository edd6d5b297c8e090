"""Finding rows of a file that say the same as an earlier one, in memory that does not grow with their text."""

import mmap
import os
import re
import tempfile
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from operator import eq
from zlib import crc32

from yidian.zh.grams import grams
from yidian.zh.normalise import normalise

NEAR = 0.9  # Jaccard similarity of the sets of grams

# MinHash: 40 minima in 8 bands of 5. A pair at 0.9 shares no band in (1 - 0.9^5)^8 = 0.08 % of cases; one at 0.1
# shares some band in 0.008 %.
_BANDS, _ROWS = 8, 5
_MINIMA = _BANDS * _ROWS
# Pairs of neighbouring characters whose first is one of these, a quarter of all, are enough for a sketch; found by
# one regular expression, a third cheaper than by arithmetic.
_SAMPLED = "".join(
    re.escape(chr(code))
    for code in range(33, 0x10000)
    if not 0xD800 <= code < 0xE000 and (code * 0x9E3779B1 >> 13) % 8 < 2
)
_PAIRS = re.compile(f"(?=([{_SAMPLED}].))")
_MASK = 0xFFFFFFFF
# 64 MB hold the bands of a million rows; of more rows, the older ones are forgotten as near duplicates.
_MAX_SLOTS = 2**23
# Of those that share a band, the ones that also agree in so many of the 40 minima (four standard deviations below what
# a pair at 0.9 has) are read again and compared in full.
_AGREEING = 28


class Repeat(Enum):
    """What a row is beside the earlier ones."""

    NONE = "none"
    NEAR = "near"
    EXACT = "exact"
    WHOLE = "whole"  # exact, and the first row with this text was alike in all its other columns too


@dataclass
class Found:
    """Numbers of rows that repeat an earlier one, each with the number of that one."""

    exact: array = field(default_factory=lambda: array("Q"))  # pairs, flat: row, earlier row, …
    near: array = field(default_factory=lambda: array("Q"))

    def lines(self) -> list[str]:
        """What was found, for people: the counts, then every pair."""
        said = []
        for label, pairs in (("完全相同", self.exact), ("几乎相同", self.near)):
            said += said_pairs(f"和前面的行{label}", zip(pairs[::2], pairs[1::2], strict=True))
        return said


def said_pairs(what: str, pairs: Iterable[tuple[int, object]]) -> list[str]:
    """How many rows repeat something, then each with what it repeats, ten a line; nothing when there are none."""
    shown = [f"{row}（同 {earlier}）" for row, earlier in pairs]
    lines = ["  " + "、".join(shown[at : at + 10]) for at in range(0, len(shown), 10)]
    return [f"{what}：{len(shown)} 行", *lines] if shown else []


class _Firsts:
    """A dictionary of 64-bit keys and values in 32 bytes an entry; Python's own takes 150."""

    def __init__(self):
        self._count = 0
        self._make(2**14)

    def _make(self, slots: int) -> None:
        self._keys, self._values = (array("Q", bytes(slots * 8)) for _ in range(2))
        self._mask = slots - 1

    def setdefault(self, key: int, value: int) -> int:
        """The value of a key, which becomes `value` where there is none; neither may be 0."""
        keys, at = self._keys, key & self._mask
        while held := keys[at]:
            if held == key:
                return self._values[at]
            at = (at + 1) & self._mask
        keys[at], self._values[at] = key, value
        self._count += 1
        if self._count * 2 > self._mask:
            old = zip(self._keys, self._values, strict=True)
            self._count = 0
            self._make((self._mask + 1) * 2)
            for key, each in old:
                if key:
                    self.setdefault(key, each)
        return value


class Sketches:
    """Of the texts filed so far, those that look like a given one; 104 bytes a text, whatever its length."""

    def __init__(self, expected: int):
        slots = 2**14
        while slots < min(expected * _BANDS * 3 // 2, _MAX_SLOTS):
            slots *= 2
        self._slots = memoryview(mmap.mmap(-1, slots * 8)).cast("Q")
        self._mask = slots - 1
        self._sketches = bytearray()  # the lowest byte of each minimum, 40 a text

    def alike(self, normal: str, *, file: bool) -> list[int]:
        """Numbers, in the order of filing, of texts to compare a normalised one with; `file` files it with them."""
        hashes = [*map(crc32, map(str.encode, set(_PAIRS.findall(normal))))]
        # the smallest of each class is written last
        minima = {value % _MINIMA: value for value in sorted(hashes, reverse=True)}
        values = [minima.get(at, 0) for at in range(_MINIMA)]
        slots, mask, mine = self._slots, self._mask, len(self._sketches) // _MINIMA + 1
        compared: set[int] = set()
        for band in range(_BANDS):
            key = hash((band, *values[band * _ROWS : band * _ROWS + _ROWS]))
            at, tag = key & mask, (key >> 24) & _MASK
            held = slots[at]
            if file:
                slots[at] = tag << 32 | mine
            if held >> 32 == tag and held:
                compared.add((held & _MASK) - 1)
        sketch = bytes([value & 0xFF for value in values])
        if file:
            self._sketches += sketch
        compared.discard(mine - 1)
        return [each for each in sorted(compared) if sum(map(eq, sketch, self._sketch(each))) >= _AGREEING]

    def _sketch(self, nth: int) -> bytearray:
        return self._sketches[nth * _MINIMA : nth * _MINIMA + _MINIMA]


def similar(one: str, other: str) -> bool:
    """Whether two normalised texts are near duplicates."""
    if one == other:
        return True
    if not NEAR * NEAR <= len(other) / max(len(one), 1) <= 1 / (NEAR * NEAR):
        return False
    mine, theirs = set(grams(one)), set(grams(other))
    shared = len(mine & theirs)
    return shared >= NEAR * (len(mine) + len(theirs) - shared) and shared > 0


class Duplicates:
    """Tells of each text, in turn, whether an earlier one was the same.

    A million texts take 32 MB for their digests, 56 MB for their sketches and at most 64 MB for the bands; the texts
    themselves, which a near pair is compared by, lie in a temporary file.
    """

    def __init__(self, expected: int):
        self.found = Found()
        self._sketches = Sketches(expected)
        self._firsts = _Firsts()  # by digest: row number and 16 bits of the rest
        self._texts = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115  closed by close()
        self._offsets, self._numbers = array("Q", [0]), array("Q")
        self._flushed = 0

    def close(self) -> None:
        self._texts.close()

    def check(self, number: int, text: str, rest: str = "") -> Repeat:
        """Whether a row's text repeats an earlier one; remembers it for those that follow.

        `rest` is what else the row says, which does not count as text.
        """
        digest = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
        mine = (number + 1) << 16 | crc32(rest.encode()) & 0xFFFF
        first = self._firsts.setdefault(digest or 1, mine)
        if first != mine:
            self.found.exact.extend((number, (first >> 16) - 1))
            return Repeat.WHOLE if (first ^ mine) & 0xFFFF == 0 else Repeat.EXACT
        normal = normalise(text)
        alike = self._sketches.alike(normal, file=True)
        earlier = next((each for each in alike if similar(normal, self._text(each))), None)
        self._numbers.append(number)
        self._offsets.append(self._offsets[-1] + self._texts.write(normal.encode()))
        if earlier is None:
            return Repeat.NONE
        self.found.near.extend((number, self._numbers[earlier]))
        return Repeat.NEAR

    def _text(self, nth: int) -> str:
        start, end = self._offsets[nth], self._offsets[nth + 1]
        if end > self._flushed:
            self._texts.flush()
            self._flushed = self._offsets[-1]
        return os.pread(self._texts.fileno(), end - start, start).decode()
