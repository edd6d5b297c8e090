"""Vectors of meaning of an index's texts, in a file of their own beside it, three bits a dimension.

What vectors of texts have in common (of E5's, 0.95 of their length) says nothing about any of them. Their mean is
taken away first, and of what is left each number becomes one of the eight levels that lose least of a normal
distribution (Max 1960). On pairs that were held out this costs 1 % of nDCG@10, within noise.

A vector is found again by its text: an index that is built again, or went on being built after a crash, has only those
made that are new. A damaged file costs search its vectors, until the index is built again, and nothing else.
"""

import contextlib
import logging
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from yidian.search.dense import Embedder, EmbedderUnavailable

logger = logging.getLogger(__name__)

# An encoder takes some 500 tokens: what stands behind is cut here, before it is read or sent.
MAX_TEXT = 800
# Texts encoded at once: the progress bar moves every few seconds, and a crash costs no more.
BATCH = 32
# Encoding stops after so many batches in a row that failed: a server that is gone is not waited for a thousand times.
MAX_FAILURES = 3

_MAGIC = b"YDV1"
# Magic, dimensions, bytes of the embedder's name, checksum of the name and the mean that follow.
_HEAD = struct.Struct("<4sHHI")
_LEVELS = np.array([-2.152, -1.344, -0.756, -0.2451, 0.2451, 0.756, 1.344, 2.152], np.float32)
_EDGES = (_LEVELS[1:] + _LEVELS[:-1]) / 2


class _Damaged(Exception):
    """The file cannot be read as what it should be."""


def _row(dimensions: int) -> np.dtype:
    size = -(-dimensions * 3 // 8)
    return np.dtype([("text", "<u8"), ("check", "<u2"), ("scale", "<f2"), ("codes", "u1", (size,))])


def bytes_a_text(dimensions: int) -> int:
    """What a text's vector takes in the file."""
    return _row(dimensions).itemsize


def pack(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Vectors of length 1 as rows of the file, their texts still 0."""
    rest = vectors - mean
    spread = np.maximum(np.sqrt((rest**2).mean(axis=1, keepdims=True)), 1e-6)
    codes = np.digitize(rest / spread, _EDGES).astype(np.uint8)
    near = _LEVELS[codes]
    rows = np.zeros(len(vectors), _row(vectors.shape[1]))
    rows["scale"] = (rest * near).sum(axis=1) / (near * near).sum(axis=1)
    bits = (codes[:, :, None] >> np.array([2, 1, 0], np.uint8)) & 1
    rows["codes"] = np.packbits(bits.reshape(len(vectors), -1), axis=1)
    return rows


def unpack(rows: np.ndarray, dimensions: int) -> np.ndarray:
    """What `pack` kept of the vectors, their mean taken away, float32."""
    bits = np.unpackbits(rows["codes"], axis=1, count=3 * dimensions).reshape(len(rows), dimensions, 3)
    codes = bits[:, :, 0] << 2 | bits[:, :, 1] << 1 | bits[:, :, 2]
    return _LEVELS[codes] * rows["scale"].astype(np.float32)[:, None]


@dataclass(frozen=True)
class _Stored:
    """A file as it was when it was looked at."""

    name: str
    mean: np.ndarray
    rows: np.ndarray
    head: bytes


def _read(path: Path) -> _Stored | None:
    """The file, mapped; None when there is none or nothing in it."""
    try:
        size = path.stat().st_size
        if not size:
            return None
        with path.open("rb") as file:
            magic, dimensions, named, check = _HEAD.unpack(file.read(_HEAD.size))
            after = file.read(named + 4 * dimensions)
        if magic != _MAGIC or not dimensions or len(after) != named + 4 * dimensions or zlib.crc32(after) != check:
            raise _Damaged(path)
        name, mean = after[:named].decode(), np.frombuffer(after[named:], "<f4")
        start = _HEAD.size + len(after)
        count = (size - start) // _row(dimensions).itemsize  # a row that was being written when a process died is none
        rows = np.memmap(path, _row(dimensions), "r", start, (count,)) if count else np.zeros(0, _row(dimensions))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, struct.error) as error:
        raise _Damaged(path) from error
    return _Stored(name, mean, rows, _HEAD.pack(magic, dimensions, named, check) + after)


def _checks(rows: np.ndarray) -> np.ndarray:
    plain = rows.copy()
    plain["check"] = 0
    return np.array([zlib.crc32(row.tobytes()) & 0xFFFF for row in plain], np.uint16)


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


class _Known:
    """The texts of a file, by which their rows are found."""

    def __init__(self, stored: _Stored):
        self.stored = stored
        self.order = np.argsort(stored.rows["text"], kind="stable")
        self.texts = stored.rows["text"][self.order]

    def number(self, text: int) -> int:
        """The number of a text's whole row, -1 when there is none."""
        at = int(np.searchsorted(self.texts, np.uint64(text)))
        if at == len(self.texts) or self.texts[at] != text:
            return -1
        number = int(self.order[at])
        row = self.stored.rows[number : number + 1]
        return number if _checks(row)[0] == row["check"][0] else -1


class Vectors:
    """The vectors of one index: one process writes them, many read; threads share it.

    `name` says which embedder made them: those of another are left alone. `earlier` are files whose vectors are taken
    over where a text is the same.
    """

    def __init__(self, path: Path, embedder: Embedder, name: str = "", earlier: Iterable[Path] = ()):
        self.path, self.embedder, self.name = path, embedder, name
        self._stored: _Stored | None = None
        self._own: _Known | None = None
        self._added: dict[int, int] = {}  # texts to numbers since then
        self._failures = 0
        self._earlier: list[_Known] = []
        for other in earlier:
            with contextlib.suppress(_Damaged):
                stored = _read(other)
                if stored is not None and stored.name == name:
                    self._earlier.append(_Known(stored))
        # what was made with another mean cannot stand beside it
        self._earlier = [each for each in self._earlier if each.stored.head == self._earlier[0].stored.head]

    @property
    def damaged(self) -> Path:
        """A file that is there from when damage was found."""
        return self.path.with_name("damaged")

    # reading

    def nearness(self, query: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """How near a query's vector is to these, to compare with each other, float32; NaN where there is none."""
        found = np.full(len(numbers), np.nan, np.float32)
        wanted = np.array(numbers, np.int64)
        at = np.flatnonzero(wanted >= 0)
        if not len(at):
            return found
        try:
            stored = self._look(int(wanted.max()) + 1)
            if stored is None or len(stored.rows) <= wanted.max():
                raise _Damaged(self.path)
            if stored.name != self.name or len(stored.mean) != len(query):
                return found
            rows = np.array(stored.rows[wanted[at]])
            if (_checks(rows) != rows["check"]).any():
                raise _Damaged(self.path)
        except _Damaged:
            logger.warning("向量文件 %s 坏了，先不用向量，索引将重建", self.path)
            with contextlib.suppress(OSError):
                self.damaged.touch()
            return found
        found[at] = unpack(rows, len(query)) @ query
        return found

    def _look(self, count: int) -> _Stored | None:
        if self._stored is None or len(self._stored.rows) < count:
            self._stored = _read(self.path)
        return self._stored

    # writing

    def numbers(self, texts: Sequence[str]) -> list[int]:
        """The numbers of the texts' vectors, made where they are new; -1 for those that have none now."""
        texts = [text[:MAX_TEXT] for text in texts]
        keys = [_key(text) for text in texts]
        try:
            found = self._taken_over(keys)
            new = [at for at, number in enumerate(found) if number < 0]
            for start in range(0, len(new), BATCH):
                batch = new[start : start + BATCH]
                if self._failures >= MAX_FAILURES:
                    break
                try:
                    made = self.embedder([texts[at] for at in batch], "passage")
                    self._failures = 0
                except EmbedderUnavailable as error:
                    self._failures += 1
                    logger.warning("%d 份文字没有算出向量：%s", len(batch), error)
                    continue
                for at, number in zip(batch, self._add([keys[at] for at in batch], made), strict=True):
                    found[at] = number
        except _Damaged:
            logger.warning("向量文件 %s 坏了，新的文字没有向量，索引将重建", self.path)
            with contextlib.suppress(OSError):
                self.damaged.touch()
            return [-1] * len(texts)
        return found

    def sync(self) -> None:
        """Everything that has a number outlives a power loss from now on."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def _taken_over(self, keys: Sequence[int]) -> list[int]:
        if self._own is None:
            stored = self._look(0)
            if stored is not None and stored.name == self.name:
                self._own = _Known(stored)
        found = [self._added.get(key, -1) for key in keys]
        if self._own is not None:
            found = [self._own.number(key) if at < 0 else at for key, at in zip(keys, found, strict=True)]
        for other in self._earlier:
            rows, places = [], []
            for at, key in enumerate(keys):
                number = other.number(key) if found[at] < 0 else -1
                if number >= 0:
                    rows.append(other.stored.rows[number])
                    places.append(at)
            if rows:
                begin = self._append(np.array(rows, other.stored.rows.dtype), other.stored.head)
                for at, place in enumerate(places):
                    found[place] = begin + at
        return found

    def _add(self, keys: Sequence[int], vectors: np.ndarray) -> Iterable[int]:
        stored = _read(self.path)
        if stored is not None and stored.name != self.name:
            return [-1] * len(keys)
        like = stored or (self._earlier[0].stored if self._earlier else None)
        mean = like.mean if like else vectors.mean(axis=0)
        if len(mean) != vectors.shape[1]:
            return [-1] * len(keys)
        named = self.name.encode()
        after = named + mean.astype("<f4").tobytes()
        head = like.head if like else _HEAD.pack(_MAGIC, len(mean), len(named), zlib.crc32(after)) + after
        rows = pack(vectors, mean)
        rows["text"] = keys
        rows["check"] = _checks(rows)
        begin = self._append(rows, head)
        return range(begin, begin + len(rows))

    def _append(self, rows: np.ndarray, head: bytes) -> int:
        """Writes rows behind the others; the number of the first."""
        with self.path.open("ab") as file:
            size = file.tell()
            if not size:
                file.write(head)
                size = len(head)
            begin, half = divmod(size - len(head), rows.itemsize)
            if half:
                file.truncate(size - half)
            file.write(rows.tobytes())
        self._added |= zip(rows["text"].tolist(), range(begin, begin + len(rows)), strict=True)
        return begin
