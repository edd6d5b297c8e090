"""Searching one index: what was meant, the candidates, their order. No Django: a corpus in a file is searched alike."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from yidian.search import ranking
from yidian.search.analysis import CONCEPT, body_tokens, head_tokens, query_terms, weighted_tokens
from yidian.search.backends import FIELDS, Index, Term, Writer
from yidian.search.documents import Document, key_of
from yidian.search.lexicon import Lexicon
from yidian.search.ranking import Model
from yidian.search.spelling import Speller
from yidian.search.understanding import Understood, understand
from yidian.zh.grams import grams

# Candidates that are looked at again after the engine's own ranking, and so the end of the last page of results.
CANDIDATES = 200
# Longer than any question; a pasted letter is cut here.
MAX_QUERY = 10_000
# A changed synonym has documents indexed again up to this many a word; the rest wait for `yidian reindex`.
MOST_SPEAKING = 2_000


# Between the tags of a document and its text for the second look; tags hold no such byte.
_SEPARATOR = b"\x00"


@dataclass(frozen=True)
class Found:
    """A document that answers, how well (scores compare within one search only), and what it is filed under."""

    kind: str
    object_id: str
    score: float
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return key_of(self.kind, self.object_id)


@cache
def _plain_speller() -> Speller:
    """One that knows no library: a second of work, so it is made once."""
    return Speller.build((), ())


@dataclass(frozen=True)
class Engine:
    """An index, and the terms that its documents and queries are read with."""

    index: Index
    lexicon: Lexicon = field(default_factory=lambda: Lexicon(()))
    speller: Speller = field(default_factory=_plain_speller)
    model: Model | None = None

    def write(self, writer: Writer, document: Document) -> None:
        """Puts a document into the index, in place of what was known of it."""
        writer.put(
            document.key,
            head=head_tokens(document, self.lexicon),
            body=body_tokens(document, self.lexicon),
            tags=(f"kind:{document.kind}", *document.tags),
            payload=" ".join(document.tags).encode() + _SEPARATOR + ranking.document(document.body),
        )

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
        """The documents that answer a query best, at most CANDIDATES; every string is a query, none has operators.

        `understood` saves understanding it again.
        """
        tokens = weighted_tokens(understood or self.understand(query))
        if self.model is None or self.model.is_plain:
            return [found for found, _ in self._hits(tokens, tags)][:limit]
        hits = self._hits(self.model.weigh(tokens), tags)
        scores = ranking.rescore(self.model, tokens, [text for _, text in hits], [found.score for found, _ in hits])
        # on a scale from 0 to 1, where the engine's own begins at 0 too
        lowest, span = float(np.min(scores, initial=np.inf)), float(np.ptp(scores)) if hits else 0.0
        order = sorted(range(len(hits)), key=lambda at: -scores[at])[:limit]
        return [replace(hits[at][0], score=(float(scores[at]) - lowest) / (span or 1.0)) for at in order]

    def _hits(self, tokens: Mapping[str, float], tags: Sequence[Sequence[str]]) -> list[tuple[Found, bytes]]:
        """The candidates by the engine's own order, each with its text for the second look."""
        hits = []
        for hit in self.index.search(query_terms(self.index, tokens), limit=CANDIDATES, tags=tags):
            filed, _, text = hit.payload.partition(_SEPARATOR)
            hits.append((Found(*hit.key.split(":", 1), hit.score, tuple(filed.decode().split())), text))
        return hits

    def alike(self, text: str, *, limit: int = CANDIDATES, tags: Sequence[Sequence[str]] = ()) -> list[Found]:
        """The documents whose words and terms are most like a text's, itself among them; nothing in it is corrected."""
        text = text[:MAX_QUERY]
        tokens = [*grams(text), *(CONCEPT + slug for slug in self.lexicon.concepts(text))]
        return [found for found, _ in self._hits(dict.fromkeys(tokens, 1.0), tags)][:limit]

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
