"""Finding rows of a file that say the same as an earlier one, in memory that does not grow with their text."""

import mmap
import os
import tempfile
from array import array
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from zlib import crc32

from yidian.zh.grams import grams
from yidian.zh.normalise import normalise

NEAR = 0.9  # Jaccard similarity of the sets of grams

# MinHash: 40 minima in 8 bands of 5. A pair at 0.9 shares no band in (1 - 0.9^5)^8 = 0.08 % of cases; one at 0.1
# shares some band in 0.008 %.
_BANDS, _ROWS = 8, 5
_MINIMA = _BANDS * _ROWS
# Two odd multipliers make a hash of two neighbouring characters; those below the limit, three in eight, are enough.
_FIRST, _SECOND, _MASK, _LIMIT = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xFFFFFFFF, 0x60000000
# 64 MB hold the bands of a million rows; of more rows, the older ones are forgotten as near duplicates.
_MAX_SLOTS = 2**23
# Pairs that share a band are few; each is read again and compared in full, 0.1 ms apiece.
_MAX_COMPARED = 4


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
            if pairs:
                shown = [f"{row}（同 {earlier}）" for row, earlier in zip(pairs[::2], pairs[1::2], strict=True)]
                said.append(f"和前面的行{label}：{len(shown)} 行")
                said += ["  " + "、".join(shown[at : at + 10]) for at in range(0, len(shown), 10)]
        return said


class Duplicates:
    """Tells of each text, in turn, whether an earlier one was the same.

    A million texts take 150 MB for their digests and at most 64 MB for their sketches; the texts themselves, which a
    near pair is compared by, lie in a temporary file.
    """

    def __init__(self, expected: int):
        slots = 2**14
        while slots < min(expected * _BANDS * 3 // 2, _MAX_SLOTS):
            slots *= 2
        self.found = Found()
        self._slots = memoryview(mmap.mmap(-1, slots * 8)).cast("Q")
        self._mask = slots - 1
        self._first: dict[int, int] = {}  # digest: row number and 16 bits of the rest
        self._texts = tempfile.TemporaryFile(buffering=1 << 20)
        self._offsets, self._numbers = array("Q", [0]), array("Q")
        self._flushed = 0

    def close(self) -> None:
        self._texts.close()

    def check(self, number: int, text: str, rest: str = "") -> Repeat:
        """Whether a row's text repeats an earlier one; remembers it for those that follow.

        `rest` is what else the row says, which does not count as text.
        """
        digest = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
        mine = number << 16 | crc32(rest.encode()) & 0xFFFF
        first = self._first.setdefault(digest, mine)
        if first != mine:
            self.found.exact.extend((number, first >> 16))
            return Repeat.WHOLE if (first ^ mine) & 0xFFFF == 0 else Repeat.EXACT
        normal = normalise(text)
        earlier = self._look(normal, len(self._numbers))
        self._numbers.append(number)
        self._offsets.append(self._offsets[-1] + self._texts.write(normal.encode()))
        if earlier is None:
            return Repeat.NONE
        self.found.near.extend((number, self._numbers[earlier]))
        return Repeat.NEAR

    def _look(self, normal: str, nth: int) -> int | None:
        """The first of the earlier texts that this one is near to; files this one's bands on the way."""
        codes = array("I", normal.encode("utf-32-le"))
        hashes = {
            value
            for one, two in zip(codes, codes[1:], strict=False)
            if (value := (one * _FIRST + two * _SECOND >> 17) & _MASK) < _LIMIT
        }
        # the smallest of each class is written last
        minima = dict.fromkeys(range(_MINIMA), -1)
        minima.update((value % _MINIMA, value) for value in sorted(hashes, reverse=True))
        values = [minima[at] for at in range(_MINIMA)]
        slots, mask, mine = self._slots, self._mask, nth + 1
        compared: set[int] = set()
        for band in range(_BANDS):
            key = hash((band, *values[band * _ROWS : band * _ROWS + _ROWS]))
            at, tag = key & mask, (key >> 24) & _MASK
            held = slots[at]
            slots[at] = tag << 32 | mine
            if held >> 32 == tag and held:
                compared.add((held & _MASK) - 1)
        compared.discard(nth)
        if not compared:
            return None
        mine_grams = set(grams(normal))
        for each in sorted(compared)[:_MAX_COMPARED]:
            if self._similar(normal, mine_grams, each):
                return each
        return None

    def _similar(self, normal: str, mine: set[str], nth: int) -> bool:
        start, end = self._offsets[nth], self._offsets[nth + 1]
        if end > self._flushed:
            self._texts.flush()
            self._flushed = self._offsets[-1]
        other = os.pread(self._texts.fileno(), end - start, start).decode()
        if other == normal:
            return True
        if not NEAR * NEAR <= len(other) / max(len(normal), 1) <= 1 / (NEAR * NEAR):
            return False
        theirs = set(grams(other))
        shared = len(mine & theirs)
        return shared >= NEAR * (len(mine) + len(theirs) - shared) and shared > 0
