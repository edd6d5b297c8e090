"""The second look at the candidates of a search, by what was learned from pairs of question and answer.

A document brings its text as units of 16 bits, packed once by `document` into 1.4 bytes a Chinese character,
independent of any model, so that learning again needs no new index. All of it is numpy and takes about a millisecond
for 200 answers.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np

from yidian.zh.grams import HAN, runs
from yidian.zh.normalise import normalise

# Units of a text that are looked at: a long answer whole, of an article what it begins with.
MAX_UNITS = 400
# Characters of a question that are looked at: two sentences and more. Their numbers fit into a byte.
MAX_QUERY_UNITS = 100
MAX_TOKENS = 2 * MAX_QUERY_UNITS
K1, B = 1.2, 0.75  # as in tantivy and Lucene
# Words of Latin letters or digits, and the Han outside the first plane, share this range by their checksum.
_WORD, _WORDS = 0xE000, 6400
_BREAK = 0
# How units are packed: the first 192 of `_places` are one byte below 192; the others have one byte from 192 on in
# front, or two. So each unit ends at a byte below ENDS, and a text is unpacked without walking through it.
ENDS, _LEADS = 192, 64
# The characters that stand most often in the starter encyclopedia: half of those of doctors' answers in general.
_COMMON = (
    "不的一有是人了痛发大上血腿要在生子抽和后来就时到筋出下他会病这中性能没里小个或多说以我过可也看动为用么地们炎经得去自眼手着药肌开"
    "心天肉医面脚肿头年力好然起对骨前部道如分那你疼作成之两长而于种变症家常样口还都体高所气尿行事法热慢先方现做身它只水果关因查神白定"
    "急同什指化当些全几进结外素少酸拉间感管想打次肾期重理皮正治主老原三更吃其麻科从把压脑物点立补者但轻条无本等糖胃明反术清意胸侧加"
)
_HAN_PAIR = re.compile(f"[{HAN}]{{2}}")
FORMAT = 1


class ModelDamaged(Exception):
    """The file of a model cannot be used: it has to be trained again."""


def units(text: str, limit: int = MAX_UNITS) -> np.ndarray:
    """The characters and whole other words of a text in order as uint16, with a zero where two Han runs part."""
    found: list[int] = []
    was_han = False
    for run, is_han in runs(normalise(text)):
        if not is_han:
            found.append(_hashed(run))
        else:
            if was_han:
                found.append(_BREAK)
            plain = max(run) < chr(_WORD)  # almost always: then without a test for each character
            found.extend(map(ord, run) if plain else [ord(c) if ord(c) < _WORD else _hashed(c) for c in run])
        was_han = is_han
        if len(found) >= limit:
            break
    return np.array(found[:limit], np.uint16)


def _hashed(word: str) -> int:
    return _WORD + zlib.crc32(word.encode()) % _WORDS


@cache
def _places() -> np.ndarray:
    """The place of each unit among all, commonest first, which is its code. Part of an index's format."""
    level = b"".join(bytes([row, column]) for row in range(0xB0, 0xF8) for column in range(0xA1, 0xFF))
    characters = _COMMON + level.decode("gb2312", "ignore")  # the characters of GB 2312, common ones first
    words = range(_WORD, _WORD + _WORDS)
    order = list(dict.fromkeys([_BREAK, *map(ord, characters), *words, *range(65536)]))
    places = np.zeros(65536, np.int32)
    places[order] = np.arange(65536)
    return places


@cache
def _codes() -> list[bytes]:
    codes = []
    for place in _places().tolist():
        ahead, last = divmod(place, ENDS)
        if ahead <= _LEADS:
            codes.append(bytes([ENDS + ahead - 1, last] if ahead else [last]))
        else:
            first, second = divmod(ahead - 1, _LEADS)
            codes.append(bytes([ENDS + first, ENDS + second, last]))
    return codes


def packed(text: np.ndarray) -> bytes:
    """Units in one byte each or two, rarely three."""
    codes = _codes()
    return b"".join([codes[unit] for unit in text.tolist()])


def document(text: str) -> bytes:
    """What an index keeps with a document for `rescore`: about half of the text in UTF-8, at most 1,200 bytes."""
    return packed(units(text))


def pairs_of(text: np.ndarray) -> np.ndarray:
    """At each unit but the last the bigram that begins there as uint32, zero where there is none."""
    left, right = text[:-1].astype(np.uint32), text[1:].astype(np.uint32)
    return np.where((left > _BREAK) & (left < _WORD) & (right > _BREAK) & (right < _WORD), left << 16 | right, 0)


def gram_keys(text: np.ndarray) -> np.ndarray:
    """The unigrams and bigrams of a text as uint32, each once, ascending."""
    found = np.unique(np.concatenate([text.astype(np.uint32), pairs_of(text)]))
    return found[found > 0]


def _key(token: str) -> int:
    """The key of one of the engine's tokens, 0 when it is none of a text."""
    if len(token) == 1 and "\u4e00" <= token <= "\u9fff":
        return ord(token)
    if len(token) == 2 and _HAN_PAIR.fullmatch(token):
        # a character outside the first plane has a checksum, and no pairs
        return ord(token[0]) << 16 | ord(token[1]) if max(token) < chr(_WORD) else 0
    found = units(token, 2)
    return int(found[0]) if len(found) == 1 else 0


@dataclass(frozen=True)
class Model:
    """What was learned: how much each gram of a question decides, and how much each sign of a good answer counts.

    `keys` are the grams that the corpus or the questions hold (uint32, ascending; a bigram is left << 16 | right),
    `frequency` in how many of `documents` each stands, `weight` how much it counts in a question (1 when nothing was
    learned). `coefficients` belong to SIGNS; all zero for a model that leaves the engine's order alone.
    """

    keys: np.ndarray
    frequency: np.ndarray
    weight: np.ndarray
    documents: int
    mean_length: float
    coefficients: np.ndarray
    report: str = "{}"

    @property
    def is_plain(self) -> bool:
        """Whether there was nothing to learn from, so that the engine's own order stays."""
        return not self.coefficients.any()

    def lookup(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How much each gram of a question counts, and its inverse document frequency as BM25 has it."""
        weight, frequency = np.ones(len(keys), np.float32), np.zeros(len(keys), np.float32)
        if len(self.keys):
            at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            known = self.keys[at] == keys
            weight[known], frequency[known] = self.weight[at[known]], self.frequency[at[known]]
        return weight, np.log1p((self.documents - frequency + 0.5) / (frequency + 0.5))

    def weigh(self, tokens: Mapping[str, float]) -> dict[str, float]:
        """The engine's tokens (`zh.grams.grams`) with their weights times what was learned of them."""
        weight, _ = self.lookup(np.array([_key(token) for token in tokens], np.uint32))
        return {token: given * float(learned) for (token, given), learned in zip(tokens.items(), weight, strict=True)}

    def save(self, path: Path) -> None:
        """Writes the model into one file, in place of the one that stands there."""
        draft = path.with_name(path.name + ".new")
        values = {each.name: np.asarray(getattr(self, each.name)) for each in fields(self)}
        with draft.open("wb") as file:
            np.savez_compressed(file, format=np.array(FORMAT), **values)
        draft.replace(path)


def load(path: Path) -> Model:
    """The model in a file; ModelDamaged when it is none, or of another version; FileNotFoundError."""
    try:
        # read whole: numpy leaves a file open that turns out to be no archive
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            if "format" not in stored or int(stored["format"]) != FORMAT:
                raise ModelDamaged(f"{path} 是另一个版本写的。")
            values = {each.name: stored[each.name] for each in fields(Model)}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelDamaged(f"{path} 读不了：{error}") from error
    size = values["keys"].shape
    numbers = ("keys", "frequency", "weight", "coefficients", "documents", "mean_length")
    if (
        len(size) != 1
        or values["frequency"].shape != size
        or values["weight"].shape != size
        or values["coefficients"].shape != (len(SIGNS),)
        or not all(np.issubdtype(values[name].dtype, np.number) and np.isfinite(values[name]).all() for name in numbers)
    ):
        raise ModelDamaged(f"{path} 里的数字不完整。")
    return Model(
        **{name: values[name] for name in ("keys", "frequency", "weight", "coefficients")},
        documents=int(values["documents"]),
        mean_length=float(values["mean_length"]),
        report=str(values["report"]),
    )


@dataclass(frozen=True)
class Matches:
    """Counts of a question's grams in each candidate, shape (candidates, grams): in all of it, in its EARLY parts."""

    keys: np.ndarray
    everywhere: np.ndarray
    early: list[np.ndarray]
    lengths: np.ndarray


# The beginning of an answer names what was asked: a match in its first units counts again.
EARLY = (12, 36)


def matches(keys: np.ndarray, candidates: Sequence[bytes]) -> Matches:
    """Counts the grams of a question (`gram_keys`) in the candidates (their `document` bytes)."""
    # Each character of the question has a number from 1, each pair of them that is a bigram the number of its gram.
    single, double = keys[keys <= 0xFFFF], keys[keys > 0xFFFF]
    number = np.zeros(65536, np.uint8)
    number[single] = np.arange(1, len(single) + 1)
    width = len(single) + 1
    gram = np.zeros(width * width, np.int16)
    gram[number[double >> 16].astype(np.int64) * width + number[double & 0xFFFF]] = np.arange(
        len(single), len(keys), dtype=np.int16
    )
    owner, position, here, lengths = _occurrences(single, candidates)
    follows = np.flatnonzero((position[1:] == position[:-1] + 1) & (owner[1:] == owner[:-1]))
    pair = gram[here[follows] * width + here[follows + 1]]
    begins = follows[pair > 0]
    cell = np.concatenate([owner * len(keys) + here - 1, owner[begins] * len(keys) + pair[pair > 0]])
    where = np.concatenate([position, position[begins]])
    shape = (len(lengths), len(keys))
    size = len(lengths) * len(keys)
    return Matches(
        keys,
        np.bincount(cell, minlength=size).reshape(shape),
        [np.bincount(cell[where < window], minlength=size).reshape(shape) for window in EARLY],
        lengths,
    )


def _occurrences(single: np.ndarray, texts: Sequence[bytes]) -> tuple[np.ndarray, ...]:
    """Where characters of a question stand in `packed` texts: text, place in it, number of the character from 1.

    And the length of each text. Looked up by the bytes as they are, two at a time: unpacking them first costs as much
    again as all the rest.
    """
    ahead, last = np.divmod(_places()[single], ENDS)
    numbers = np.arange(1, len(single) + 1, dtype=np.uint8)
    by_pair = np.zeros((256, 256), np.uint8)
    one, two = ahead == 0, (ahead > 0) & (ahead <= _LEADS)
    by_pair[:ENDS, last[one]] = numbers[one]
    by_pair[ENDS - 1 + ahead[two], last[two]] = numbers[two]
    raw = np.frombuffer(b"\x00".join([b"", *texts, b""]), np.uint8)
    here, ends = raw[1:], raw[1:] < ENDS
    found = by_pair.reshape(-1)[raw[:-1].astype(np.uint16) << 8 | here]
    thrice = np.flatnonzero(~ends[:-2] & ~ends[1:-1] & ends[2:]) + 2
    if len(thrice):
        first, second, third = (here[thrice - back].astype(np.int32) for back in (2, 1, 0))
        place = ((first - ENDS) * _LEADS + second - ENDS + 1) * ENDS + third
        found[thrice] = (place[:, None] == _places()[single]) @ numbers
    sizes = np.array([len(text) for text in texts], np.int64)
    stops = np.cumsum(sizes + 1) - 1  # the zero behind each text is no part of it
    found[stops] = 0
    counted = np.cumsum(ends, dtype=np.int32)
    until = counted[stops]
    before = np.concatenate([[0], until[:-1]])
    lengths = until - before - 1
    at = np.flatnonzero(found > 0)
    owner = np.searchsorted(stops, at)
    position = counted[at] - 1 - before[owner]
    return owner, position, found[at].astype(np.int64), lengths


def saturated(counts: np.ndarray, lengths: np.ndarray, mean_length: float) -> np.ndarray:
    """BM25's part of a term that depends on the document (Robertson and Zaragoza 2009)."""
    norm = K1 * (1 - B + B * lengths / max(mean_length, 1.0))
    return counts * (K1 + 1) / (counts + norm[:, None])


# What speaks for a candidate, in the order of a model's coefficients.
SIGNS = ("engine", "weighted", "first words", "beginning", "coverage", "plain", "single")


def signs(model: Model, found: Matches, given: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The signs of each candidate, shape (candidates, SIGNS), each centred over the candidates of the question.

    `given` is how much each gram counts in this question before anything was learned, `scores` the engine's.
    """
    weight, rarity = model.lookup(found.keys)
    value = given * rarity
    body = saturated(found.everywhere, found.lengths, model.mean_length) * value
    early = [
        saturated(counts, np.minimum(found.lengths, window), float(window)) * value
        for counts, window in zip(found.early, EARLY, strict=True)
    ]
    single = found.keys <= 0xFFFF
    table = np.stack(
        [
            scores,
            body @ weight,
            *(each @ weight for each in early),
            ((found.everywhere > 0) @ (value * weight)) / max(float(value @ weight), 1e-6) * 10.0,
            body.sum(axis=1),
            body[:, single] @ weight[single],
        ],
        axis=1,
    ).astype(np.float32)
    return table - table.mean(axis=0)


def rescore(
    model: Model, tokens: Mapping[str, float], candidates: Sequence[bytes], scores: Sequence[float]
) -> np.ndarray:
    """New scores for the candidates of a query, float32, on a scale of their own; larger is better.

    `tokens` are the engine's (`zh.grams.grams`) with how much each counts, before anything learned; `candidates` the
    bytes that `document` made of each, `scores` the engine's.
    """
    engine = np.asarray(scores, np.float32)
    if model.is_plain or not len(engine):
        return engine
    given: dict[int, float] = {}
    for token, weight in list(tokens.items())[:MAX_TOKENS]:
        key = _key(token)
        if key:
            given[key] = max(weight, given.get(key, 0.0))
            # a bigram's characters are what it is found by
            for char in (key >> 16, key & 0xFFFF) if key > 0xFFFF else ():
                given.setdefault(char, 0.0)
    if not given:
        return engine
    keys = np.array(sorted(given), np.uint32)
    counts = np.array([given[int(key)] for key in keys], np.float32)
    return signs(model, matches(keys, candidates), counts, engine) @ model.coefficients
