"""Searching one index: what was meant, the candidates, their order. No Django: a corpus in a file is searched alike."""

import logging
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from yidian.search import ranking
from yidian.search.analysis import CONCEPT, body_tokens, head_tokens, query_terms, weighted_tokens, with_filler
from yidian.search.backends import FIELDS, Hit, Index, Term, Writer
from yidian.search.dense import EmbedderUnavailable
from yidian.search.documents import Document
from yidian.search.lexicon import Lexicon
from yidian.search.named import names_hold, pack_asked, pack_names
from yidian.search.ranking import Model
from yidian.search.spelling import Speller
from yidian.search.understanding import Understood, understand
from yidian.search.vectors import Vectors
from yidian.zh.grams import grams

logger = logging.getLogger(__name__)

# Candidates that are looked at again after the engine's own ranking, and so the end of the last page of results. With
# 200 a query costs a quarter more (200,000 answers: 1.75 and 1.35 ms) and answers no better (1,500 questions, nDCG@10:
# 0.2237 and 0.2238, recall@100: 0.471 and 0.473).
CANDIDATES = 120
# By their meaning more are worth a look: it brings up what shares few words.
CANDIDATES_BY_MEANING = 200
# Longer than any question; a pasted letter is cut here.
MAX_QUERY = 10_000
# An encoder takes some 500 tokens; what is longer it cuts itself, after reading all of it.
MAX_EMBEDDED = 500
# A changed synonym has documents indexed again up to this many a word; the rest wait for `yidian reindex`.
MOST_SPEAKING = 2_000
# How much the nearness of meaning counts against the words, both in standard deviations over the candidates.
DENSE_WEIGHT = 1.5


# The number of a document's vector, how long its text for the second look is and how long its names, in front of them.
_HEAD = struct.Struct("<IHH")


class _Stored(NamedTuple):
    """What the index keeps with a document."""

    text: bytes
    names: bytes
    tags: tuple[str, ...]
    vector: int


def _pack(document: Document, vector: int) -> bytes:
    text, names = ranking.document(document.body), pack_names(document.head)
    return _HEAD.pack(vector + 1, len(text), len(names)) + text + names + " ".join(document.tags).encode()


def _unpack(payload: bytes) -> _Stored:
    vector, size, of_names = _HEAD.unpack_from(payload)
    names = _HEAD.size + size
    tags = names + of_names
    filed = tuple(payload[tags:].decode().split()) if len(payload) > tags else ()
    return _Stored(payload[_HEAD.size : names], payload[names:tags], filed, vector - 1)


class Found(NamedTuple):
    """A document that answers, by its `key_of`, and how well; scores compare within one search only.

    `tags` are what it is filed under; `named` says whether its names hold all that was asked, in any order.
    """

    key: str
    score: float
    tags: tuple[str, ...] = ()
    named: bool = False

    @property
    def kind(self) -> str:
        return self.key.partition(":")[0]

    @property
    def object_id(self) -> str:
        return self.key.partition(":")[2]


@dataclass(frozen=True)
class Engine:
    """An index, and the terms that its documents and queries are read with."""

    index: Index
    lexicon: Lexicon = field(default_factory=lambda: Lexicon(()))
    speller: Speller = field(default_factory=lambda: Speller.build((), ()))
    model: Model | None = None
    vectors: Vectors | None = None

    def write(self, writer: Writer, documents: Sequence[Document]) -> None:
        """Puts documents into the index, each in place of what was known of it."""
        numbers = [-1] * len(documents)
        if self.vectors is not None:
            numbers = self.vectors.numbers([" ".join([*each.head[:1], each.body]) for each in documents])
        for document, number in zip(documents, numbers, strict=True):
            writer.put(
                document.key,
                head=head_tokens(document, self.lexicon),
                body=body_tokens(document, self.lexicon),
                tags=(f"kind:{document.kind}", *document.tags),
                payload=_pack(document, number),
            )

    def commit(self, writer: Writer) -> None:
        """Makes what was written visible, and lasting."""
        if self.vectors is not None:
            self.vectors.sync()
        writer.commit()

    def understand(self, query: str) -> Understood:
        """What a query says and probably means."""
        return understand(query[:MAX_QUERY], self.lexicon, self.speller)

    def search(
        self,
        query: str,
        *,
        limit: int = CANDIDATES,
        tags: Sequence[Sequence[str]] = (),
        understood: Understood | None = None,
    ) -> list[Found]:
        """The documents that answer a query best, at most `limit` of the candidates.

        Every string is a query, none has operators. `understood` saves understanding it again.
        """
        understood = understood or self.understand(query)
        tokens = weighted_tokens(understood)
        learned = self.model is not None and not self.model.is_plain
        count = CANDIDATES if self.vectors is None else CANDIDATES_BY_MEANING
        hits = self._hits(self.model.weigh(tokens) if learned else tokens, tags, count)
        stored = [_unpack(hit.payload) for hit in hits]
        scores = np.array([hit.score for hit in hits], np.float32)
        if hits and learned:
            said = with_filler(tokens, understood)
            scores = ranking.rescore(self.model, said, [each.text for each in stored], scores)
        if hits and self.vectors is not None:
            scores = self._by_meaning(query, [each.vector for each in stored], scores)
        if hits and (learned or self.vectors is not None):
            # on a scale that begins at 0, as the engine's own does; the best, also when it is the only one, has 1
            spread = float(np.ptp(scores))
            scores = (scores - scores.min()) / spread if spread else np.ones_like(scores)
        asked = pack_asked(understood.probable)
        named = [names_hold(each.names, asked) for each in stored]
        order = np.argsort(-scores, kind="stable")[:limit].tolist()
        return [Found(hits[at].key, float(scores[at]), stored[at].tags, named[at]) for at in order]

    def _hits(self, tokens: Mapping[str, float], tags: Sequence[Sequence[str]], limit: int) -> list[Hit]:
        """The candidates by the engine's own order."""
        return self.index.search(query_terms(self.index, tokens), limit=limit, tags=tags)

    def alike(self, text: str, *, limit: int = CANDIDATES, tags: Sequence[Sequence[str]] = ()) -> list[Found]:
        """The documents whose words and terms are most like a text's, itself among them; nothing in it is corrected."""
        text = text[:MAX_QUERY]
        tokens = [*grams(text), *(CONCEPT + slug for slug in self.lexicon.concepts(text))]
        hits = self._hits(dict.fromkeys(tokens, 1.0), tags, limit)
        return [Found(hit.key, hit.score, _unpack(hit.payload).tags) for hit in hits]

    def _by_meaning(self, query: str, numbers: Sequence[int], scores: np.ndarray) -> np.ndarray:
        """The scores with the nearness of meaning to the query; as they were when there is none."""
        try:
            near = self.vectors.nearness(self.vectors.embedder([query[:MAX_EMBEDDED]], "query")[0], numbers)
        except EmbedderUnavailable as error:
            logger.warning("这次检索没有用向量：%s", error)
            return scores
        known = np.isfinite(near)
        if not known.any():
            return scores
        # A document without a vector is as near as the others are on average.
        near = np.where(known, near - near[known].mean(), 0.0) / max(float(near[known].std()), 1e-6)
        return ((scores - scores.mean()) / max(float(scores.std()), 1e-6) + DENSE_WEIGHT * near).astype(np.float32)

    def speaking_of(self, slug: str, words: Iterable[str]) -> set[str]:
        """The keys of documents indexed under a term or holding any of its words; at most MOST_SPEAKING for each."""
        found = self.index.search([Term(each, CONCEPT + slug) for each in FIELDS], limit=MOST_SPEAKING)
        for word in words:
            tokens = grams(word)
            if tokens:
                everywhere = [Term(each, tokens[0]) for each in FIELDS]
                required = [[Term(each, token) for each in FIELDS] for token in tokens]
                found += self.index.search(everywhere, limit=MOST_SPEAKING, required=required)
        return {hit.key for hit in found}
