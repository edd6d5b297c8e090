"""Searching one index: what was meant, the candidates, their order. No Django: a corpus in a file is searched alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from yidian.search.analysis import body_tokens, head_tokens, query_terms
from yidian.search.backends import Index, Writer
from yidian.search.documents import Document, key_of
from yidian.zh.grams import grams

# Candidates that are looked at again after the engine's own ranking, and so the end of the last page of results.
CANDIDATES = 200
# Longer than any question; a pasted letter is cut here.
MAX_QUERY = 10_000


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


@dataclass(frozen=True)
class Engine:
    """An index with what was learned for it."""

    index: Index

    def write(self, writer: Writer, document: Document) -> None:
        """Puts a document into the index, in place of what was known of it."""
        writer.put(
            document.key,
            head=head_tokens(document),
            body=body_tokens(document),
            tags=(f"kind:{document.kind}", *document.tags),
            payload=" ".join(document.tags).encode(),
        )

    def search(self, query: str, *, limit: int = CANDIDATES, tags: Sequence[Sequence[str]] = ()) -> list[Found]:
        """The documents that answer a query best, at most CANDIDATES; every string is a query, none has operators."""
        terms = query_terms(self.index, grams(query[:MAX_QUERY]))
        hits = self.index.search(terms, limit=min(limit, CANDIDATES), tags=tags)
        return [Found(*hit.key.split(":", 1), hit.score, tuple(hit.payload.decode().split())) for hit in hits]
