"""Learning what counts in a question from a site's own pairs of question and answer.

Nothing from outside is needed: for each question its answer should stand above the other candidates that BM25 finds.
Every figure that decides comes from pairs that were held out: texts of the corpus are dealt into parts, and a part is
looked at only by what was learned from the others.
"""

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from yidian.search.ranking import (
    K1,
    MAX_QUERY_UNITS,
    SIGNS,
    B,
    Model,
    gram_keys,
    matches,
    packed,
    pairs_of,
    saturated,
    signs,
    units,
)

# More teach little more and cost minutes: what goes beyond is left out by chance.
MAX_PAIRS = 10_000
MAX_CORPUS = 30_000
# With fewer, what a gram is worth cannot be told from chance.
MIN_PAIRS = 50
CANDIDATES = 200
PARTS = 5
TOP = 10


@dataclass(frozen=True)
class _Corpus:
    """The texts of a corpus with their postings, contiguous by gram."""

    texts: list[bytes]
    lengths: np.ndarray
    mean_length: float
    keys: np.ndarray
    starts: np.ndarray
    holders: np.ndarray
    contributions: np.ndarray

    def plain(self, questions: list[np.ndarray]) -> Model:
        """A model that knows the corpus and has learned nothing."""
        asked = [gram_keys(each) for each in questions]
        keys = np.unique(np.concatenate([self.keys, *asked]))
        frequency = np.zeros(len(keys), np.int32)
        frequency[np.searchsorted(keys, self.keys)] = np.diff(self.starts)
        return Model(
            keys,
            frequency,
            np.ones(len(keys), np.float32),
            len(self.texts),
            self.mean_length,
            np.zeros(len(SIGNS), np.float32),
        )

    def scores(self, model: Model, keys: np.ndarray) -> np.ndarray:
        """BM25 of every text for the grams of a question, each counted as the model says."""
        weight, _ = model.lookup(keys)
        found = np.zeros(len(self.texts), np.float32)
        at = np.searchsorted(self.keys, keys)
        for place, key, counts in zip(at, keys, weight, strict=True):
            if place < len(self.keys) and self.keys[place] == key:
                part = slice(self.starts[place], self.starts[place + 1])
                found[self.holders[part]] += self.contributions[part] * counts
        return found


def _corpus(texts: list[np.ndarray]) -> _Corpus:
    lengths = np.array([len(each) for each in texts], np.int64)
    joined = np.concatenate(texts)
    owner = np.repeat(np.arange(len(texts)), lengths)
    pairs = pairs_of(joined)
    pairs[owner[1:] != owner[:-1]] = 0
    grams = np.concatenate([joined.astype(np.uint32), pairs])
    held = np.concatenate([owner, owner[:-1]])[grams > 0]
    grams = grams[grams > 0]
    cell, counts = np.unique(grams.astype(np.uint64) << 32 | held.astype(np.uint64), return_counts=True)
    holders = (cell & 0xFFFFFFFF).astype(np.int64)
    keys, starts = np.unique((cell >> 32).astype(np.uint32), return_index=True)
    starts = np.append(starts, len(cell))
    mean_length = float(lengths.mean())
    frequency = np.diff(starts)
    rarity = np.log1p((len(texts) - frequency + 0.5) / (frequency + 0.5))
    norm = K1 * (1 - B + B * lengths / max(mean_length, 1.0))
    contributions = counts * (K1 + 1) / (counts + norm[holders]) * np.repeat(rarity, frequency)
    return _Corpus(
        [packed(each) for each in texts],
        lengths,
        mean_length,
        keys,
        starts,
        holders,
        contributions.astype(np.float32),
    )


def _candidates(
    corpus: _Corpus, model: Model, keys: np.ndarray, answer: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The best texts for a question and their scores; an `answer` that is not among them is added at the end."""
    scores = corpus.scores(model, keys)
    count = min(CANDIDATES, len(scores))
    best = np.argpartition(-scores, count - 1)[:count]
    best = best[np.argsort(-scores[best], kind="stable")]
    if answer is not None and answer not in best:
        best = np.append(best, answer)
    return best, scores[best]


def _gain(place: int) -> float:
    """nDCG@10 of a question with one right answer, at this place from 0."""
    return 1 / np.log2(place + 2) if place < TOP else 0.0


def _place(scores: np.ndarray, right: int) -> int:
    return int((scores > scores[right]).sum() + (scores[:right] == scores[right]).sum())


class _Adam:
    """Adam with decoupled decay (Loshchilov and Hutter 2019)."""

    def __init__(self, size: int, rate: float, decay: float):
        self.rate, self.decay, self.step = rate, decay, 0
        self.mean, self.square = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def move(self, values: np.ndarray, gradient: np.ndarray) -> None:
        self.step += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient * gradient - self.square)
        towards = self.mean / (1 - 0.9**self.step)
        scale = np.sqrt(self.square / (1 - 0.999**self.step)) + 1e-8
        values -= self.rate * (towards / scale + self.decay * values)


def _learn_weights(
    plain: Model, examples: list[tuple[np.ndarray, np.ndarray, int]], chance: np.random.Generator
) -> Model:
    """How much each gram counts: the softmax over a question's candidates is to choose its answer.

    An example is the places of its grams among the model's keys, BM25's part of each in each candidate, and which
    candidate is right. Weights are exponentials of what is learned, so that none turns against its gram.
    """
    learned = np.zeros(len(plain.keys), np.float32)
    sharpness = np.full(1, np.log(0.11), np.float32)
    of_weights, of_sharpness = _Adam(len(learned), 0.03, 0.1), _Adam(1, 0.02, 0.0)
    gradient = np.zeros_like(learned)
    for _ in range(3):
        order = chance.permutation(len(examples))
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            gradient[:] = 0
            slope = 0.0
            for at in batch:
                places, parts, right = examples[at]
                weight = np.exp(learned[places]) * np.exp(sharpness)
                scores = parts @ weight
                chosen = np.exp(scores - scores.max())
                chosen /= chosen.sum()
                chosen[right] -= 1
                gradient[places] += (chosen @ parts) * weight
                slope += float(chosen @ scores)
            of_weights.move(learned, gradient / len(batch))
            of_sharpness.move(sharpness, np.array([slope / len(batch)], np.float32))
    return replace(plain, weight=np.exp(learned))


def _learn_coefficients(tables: list[np.ndarray], rights: list[int], chance: np.random.Generator) -> np.ndarray:
    """How much each sign counts, in the same sense; the signs are of one scale while they are learned."""
    scale = np.sqrt(np.mean([(table**2).mean(axis=0) for table in tables], axis=0)) + 1e-6
    values = np.zeros(len(SIGNS), np.float32)
    values[0] = 1.0
    adam = _Adam(len(values), 0.03, 1e-3)
    count = max(len(table) for table in tables)
    stacked = np.zeros((len(tables), count, len(SIGNS)), np.float32)
    absent = np.ones((len(tables), count), bool)
    for at, table in enumerate(tables):
        stacked[at, : len(table)] = table / scale
        absent[at, : len(table)] = False
    right = np.array(rights)
    for _ in range(20):
        order = chance.permutation(len(tables))
        for start in range(0, len(order), 256):
            batch = order[start : start + 256]
            scores = np.where(absent[batch], -np.inf, stacked[batch] @ values)
            chosen = np.exp(scores - scores.max(axis=1, keepdims=True))
            chosen /= chosen.sum(axis=1, keepdims=True)
            chosen[np.arange(len(batch)), right[batch]] -= 1
            adam.move(values, np.einsum("nk,nkd->d", chosen, stacked[batch]) / len(batch))
    return (values / scale).astype(np.float32)


def train(
    pairs: Iterable[tuple[str, str]],
    corpus: Iterable[str] | None = None,
    *,
    progress: Callable[[str], None] = lambda what: None,
    seed: int = 0,
) -> Model:
    """A model for ranking, learned from (question, answer) pairs and the texts that are searched; deterministic.

    Without a corpus the answers are it. With fewer than 50 pairs, or when held-out pairs do not rank better by it than
    by BM25, the model is plain and leaves the order alone. Its report (JSON) tells what was measured. Two minutes of
    CPU for 6,000 pairs over 7,000 answers.
    """
    chance = np.random.default_rng(seed)
    asked = list(dict.fromkeys((question, answer) for question, answer in pairs if question.strip() and answer.strip()))
    if len(asked) > MAX_PAIRS:
        asked = [asked[at] for at in sorted(chance.choice(len(asked), MAX_PAIRS, replace=False))]
    texts = dict.fromkeys(answer for _, answer in asked)
    others = [text for text in dict.fromkeys(corpus or ()) if text not in texts]
    room = max(0, MAX_CORPUS - len(texts))
    if len(others) > room:
        others = [others[at] for at in sorted(chance.choice(len(others), room, replace=False))]
    progress("读取文字")
    number = {text: at for at, text in enumerate([*texts, *others])}
    made = [units(text) for text in number]
    if not any(len(text) for text in made):
        return Model(
            np.zeros(0, np.uint32), np.zeros(0, np.int32), np.zeros(0, np.float32), 0, 0.0, np.zeros(len(SIGNS), "f4")
        )
    indexed = _corpus(made)
    questions = [units(question, MAX_QUERY_UNITS) for question, _ in asked]
    plain = indexed.plain(questions)
    answers = np.array([number[answer] for _, answer in asked], np.int64)
    keys = [gram_keys(each) for each in questions]
    usable = [at for at in range(len(asked)) if len(keys[at]) and len(made[answers[at]])]
    if len(usable) < MIN_PAIRS:
        return replace(plain, report=json.dumps({"pairs": len(usable)}))
    part = np.array([zlib.crc32(indexed.texts[answer]) % PARTS for answer in answers])

    progress("找出候选")
    examples: dict[int, tuple[np.ndarray, np.ndarray, int]] = {}
    before: dict[int, float] = {}
    for at in usable:
        best, scores = _candidates(indexed, plain, keys[at], answers[at])
        right = int(np.flatnonzero(best == answers[at])[0])
        before[at] = _gain(_place(scores, right))
        found = matches(keys[at], [indexed.texts[each] for each in best])
        parts = saturated(found.everywhere, found.lengths, plain.mean_length) * plain.lookup(found.keys)[1]
        examples[at] = (np.searchsorted(plain.keys, keys[at]), parts.astype(np.float32), right)

    tables: dict[int, np.ndarray] = {}
    rights: dict[int, int] = {}
    for held in range(PARTS):
        progress(f"学习用词的轻重 {held + 1}/{PARTS}")
        model = _learn_weights(plain, [examples[at] for at in usable if part[at] != held], chance)
        for at in usable:
            if part[at] != held:
                continue
            best, scores = _candidates(indexed, model, keys[at])
            # A right answer that the engine does not bring cannot be ranked: nothing to learn, and no gain.
            if answers[at] in best:
                found = matches(keys[at], [indexed.texts[each] for each in best])
                tables[at] = signs(model, found, np.ones(len(found.keys), np.float32), scores)
                rights[at] = int(np.flatnonzero(best == answers[at])[0])

    progress("学习各种迹象的轻重")
    after: dict[int, float] = {}
    for held in range(PARTS):
        kept = [at for at in tables if part[at] != held]
        if not kept:
            continue
        values = _learn_coefficients([tables[at] for at in kept], [rights[at] for at in kept], chance)
        for at in tables:
            if part[at] == held:
                after[at] = _gain(_place(tables[at] @ values, rights[at]))
    gained = np.array([after.get(at, 0.0) - before[at] for at in usable])
    drawn = chance.integers(0, len(gained), (1000, len(gained)))
    low = float(np.quantile(gained[drawn].mean(axis=1), 0.05))
    report = {
        "pairs": len(usable),
        "texts": len(made),
        "ndcg@10": round(float(np.mean([after.get(at, 0.0) for at in usable])), 4),
        "bm25": round(float(np.mean(list(before.values()))), 4),
        "gain_at_least": round(low, 4),
    }
    if low <= 0:
        return replace(plain, report=json.dumps(report))
    model = _learn_weights(plain, [examples[at] for at in usable], chance)
    values = _learn_coefficients(list(tables.values()), list(rights.values()), chance)
    return replace(model, coefficients=values, report=json.dumps(report))
