"""Search engines behind one small interface. They see tokens, never text: what a token is belongs to `analysis`.

A backend is a module here with `create(folder)` and `open_index(folder)`, both answering an `Index`.
tests/test_search_backends.py runs every one of them against the same contract.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

FIELDS = ("head", "body")
NAMES = ("tantivy",)
BUILD_MEMORY = 256_000_000  # bytes of postings held while an index is built; less makes more segments and more merging


class IndexDamaged(Exception):
    """The index cannot be read: it has to be built again."""


class IndexBusy(Exception):
    """Another process is writing to the index."""


@dataclass(frozen=True)
class Term:
    """A token to look for in a field, and how much finding it counts."""

    field: str
    token: str
    weight: float = 1.0


class Hit(NamedTuple):
    """A document that answers: its key, the engine's score (BM25), and the bytes that were stored with it."""

    key: str
    score: float
    payload: bytes


class Writer(Protocol):
    """Changes that become visible together at `commit`, and survive a crash from then on."""

    def put(
        self, key: str, *, head: Iterable[str], body: Iterable[str], tags: Iterable[str], payload: bytes = b""
    ) -> None:
        """Adds a document, in place of the one with this key."""

    def remove(self, key: str) -> None: ...

    def commit(self) -> None: ...


class Index(Protocol):
    """An index of documents. All reads raise IndexDamaged when they cannot be answered."""

    def writer(self, memory: int = ...) -> AbstractContextManager[Writer]:
        """The one writer; IndexBusy when another has it. What was not committed is dropped at the end."""

    def refresh(self) -> None:
        """Sees what has been committed since, by any process."""

    def count(self) -> int: ...

    def frequency(self, field: str, token: str) -> int:
        """In how many documents the field holds the token."""

    def search(
        self,
        terms: Sequence[Term],
        *,
        limit: int,
        tags: Sequence[Sequence[str]] = (),
        required: Sequence[Sequence[Term]] = (),
    ) -> list[Hit]:
        """The best documents that hold any of the terms, best first, equal scores by key.

        `tags` are groups of which each must be met by one of its tags; `required` groups of which each must be met by
        one of its terms, which add nothing to the score.
        """


def backend(name: str) -> ModuleType:
    """The backend of this name, one of NAMES; ValueError for any other."""
    if name not in NAMES:
        raise ValueError(f"没有叫 {name} 的检索后端，可用的有：{'、'.join(NAMES)}")
    return import_module(f"yidian.search.backends.{name}")


def create(folder: Path, name: str = "tantivy") -> Index:
    """A new, empty index in an empty folder."""
    return backend(name).create(folder)


def open_index(folder: Path, name: str = "tantivy") -> Index:
    """The index in a folder; IndexDamaged when there is none that can be read."""
    return backend(name).open_index(folder)
