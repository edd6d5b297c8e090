"""What search reads of this site (setting YIDIAN_SEARCHED): everything public in the database, and the self-tests."""

from collections.abc import Iterable, Iterator

from yidian.editorial import searchable
from yidian.search.documents import Document
from yidian.selftests import finding

TERM_KINDS = searchable.TERM_KINDS
WEIGHTS = searchable.WEIGHTS | {finding.KIND: finding.WEIGHT}
SHOWN_BY_LEAD = (*searchable.SHOWN_BY_LEAD, finding.KIND)
terms, pairs = searchable.terms, searchable.pairs


def documents(kind: str, ids: Iterable[str], *, filed: bool = True) -> list[Document]:
    """The public things of a kind among `ids`; what is withdrawn is left out."""
    return finding.documents(ids) if kind == finding.KIND else searchable.documents(kind, ids, filed=filed)


def every(progress=lambda things, length: things, size: int = 500) -> Iterator[list[Document]]:
    """All public things in batches; `progress(iterable, length)` may wrap the loop over those of the database."""
    yield from searchable.every(progress, size)
    yield finding.every()
