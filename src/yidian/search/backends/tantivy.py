"""The embedded engine: tantivy (https://github.com/quickwit-oss/tantivy) over files in one folder.

What is stored with a document stands in a file of our own beside tantivy's, one row behind the other, and tantivy
knows its place as a number. Its own store is read in compressed blocks of 16 KB, one for almost each of 200 candidates:
2.0 ms of CPU a query at 200,000 documents where this takes 0.4.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

from yidian.search.backends import Hit, IndexBusy, IndexDamaged, Term

# One indexing thread: two gain nothing on two cores that also serve readers, and take twice the memory.
THREADS = 1
SMALL_CHANGE = 15_000_000  # bytes; tantivy's least for one thread
# Each row: the checksum and the length of what follows, the key, a zero, the payload.
ROWS = "rows"
_ROW = struct.Struct("<II")
_SEPARATOR = b"\x00"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", stored=False, tokenizer_name="raw", index_option="basic")
    for field in ("head", "body"):
        builder.add_text_field(field, stored=False, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("tags", stored=False, tokenizer_name="whitespace", index_option="basic")
    builder.add_integer_field("row", fast=True)
    return builder.build()


def create(folder: Path) -> "_Index":
    """A new, empty index in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ROWS).touch()
    return _Index(folder, tantivy.Index(_schema(), str(folder), reuse=False))


def open_index(folder: Path) -> "_Index":
    """The index in a folder."""
    with _damage(folder):
        if not tantivy.Index.exists(str(folder)):
            raise IndexDamaged(f"{folder} 里没有索引")
        return _Index(folder, tantivy.Index.open(str(folder)))


@contextmanager
def _damage(folder: Path) -> Iterator[None]:
    """What tantivy says about unreadable files, panics of its Rust code among them, as IndexDamaged."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexDamaged(f"{folder} 里的索引读不了：{error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise IndexDamaged(f"{folder} 里的索引读不了：{error}") from error


class _Index:
    def __init__(self, folder: Path, index: tantivy.Index):
        self.folder, self.index, self.schema = folder, index, index.schema
        with _damage(folder):
            index.config_reader("manual")
            self.refresh()

    def refresh(self) -> None:
        with _damage(self.folder):
            self.index.reload()
            # rows are written before the documents that know them, and read after: each document finds its row
            searcher = self.index.searcher()
            self._seen = searcher, _mapped(self.folder / ROWS)

    @contextmanager
    def writer(self, memory: int = SMALL_CHANGE) -> Iterator["_Writer"]:
        try:
            writer = self.index.writer(memory, THREADS)
        except ValueError as error:
            if "LockBusy" in str(error) or "lock" in str(error).lower():
                raise IndexBusy(str(error)) from error
            raise IndexDamaged(str(error)) from error
        made = _Writer(self.folder, self.schema, writer)
        try:
            yield made
        finally:
            made.rows.close()
            if made.changed:
                writer.rollback()
            # waits for merges and gives the lock back; the writer cannot be used afterwards
            writer.wait_merging_threads()
            self.refresh()

    def count(self) -> int:
        return self._seen[0].num_docs

    def frequency(self, field: str, token: str) -> int:
        try:  # 80 times a query: a context manager would cost more than the question
            return self._seen[0].doc_freq(field, token)
        except BaseException:
            with _damage(self.folder):
                raise

    def search(
        self,
        terms: Sequence[Term],
        *,
        limit: int,
        tags: Sequence[Sequence[str]] = (),
        required: Sequence[Sequence[Term]] = (),
    ) -> list[Hit]:
        if not terms or limit < 1:
            return []
        searcher, rows = self._seen
        with _damage(self.folder):
            found = searcher.search(self._query(terms, tags, required), limit, count=False).hits
            places = searcher.fast_field_values("row", [address for _, address in found])
        hits = []
        try:  # in one piece: 200 calls of a function cost half as much again
            for (score, _), place in zip(found, places, strict=True):
                checksum, length = _ROW.unpack_from(rows, place)
                start = place + _ROW.size
                row = rows[start : start + length]
                if zlib.crc32(row) != checksum:
                    raise IndexDamaged(f"{self.folder / ROWS} 里的内容变了")
                key, _, payload = row.partition(_SEPARATOR)
                hits.append(Hit(key.decode(), score, payload))
        except (struct.error, TypeError) as error:
            raise IndexDamaged(f"{self.folder / ROWS} 不完整") from error
        hits.sort(key=lambda hit: (-hit.score, hit.key))
        return hits

    def _query(self, terms: Sequence[Term], tags: Sequence[Sequence[str]], required: Sequence[Sequence[Term]]):
        should, must = tantivy.Occur.Should, tantivy.Occur.Must

        def term(field: str, token: str):
            return tantivy.Query.term_query(self.schema, field, token, "freq" if field != "tags" else "basic")

        def any_of(queries: list):
            return tantivy.Query.boolean_query([(should, query) for query in queries])

        scored = any_of(
            [
                term(each.field, each.token)
                if each.weight == 1.0
                else tantivy.Query.boost_query(term(each.field, each.token), each.weight)
                for each in terms
            ]
        )
        groups = [any_of([term("tags", tag) for tag in group]) for group in tags]
        groups += [any_of([term(each.field, each.token) for each in group]) for group in required]
        if not groups:
            return scored
        silent = [(must, tantivy.Query.const_score_query(group, 0.0)) for group in groups]
        return tantivy.Query.boolean_query([(must, scored), *silent])


def _mapped(path: Path) -> bytes | mmap.mmap:
    with path.open("rb") as file:
        # an empty file cannot be mapped
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


class _Writer:
    def __init__(self, folder: Path, schema: tantivy.Schema, writer: tantivy.IndexWriter):
        self.folder, self.schema, self.writer, self.changed = folder, schema, writer, False
        # What a writer left behind that was killed before its commit stays: nothing points at it.
        self.rows = (folder / ROWS).open("ab")

    def put(
        self, key: str, *, head: Iterable[str], body: Iterable[str], tags: Iterable[str], payload: bytes = b""
    ) -> None:
        self.remove(key)
        document = tantivy.Document()
        document.add_text("key", key)
        document.add_text("head", " ".join(head))
        document.add_text("body", " ".join(body))
        document.add_text("tags", " ".join(tags))
        row = key.encode() + _SEPARATOR + payload
        document.add_integer("row", self.rows.tell())
        self.rows.write(_ROW.pack(zlib.crc32(row), len(row)) + row)
        with _damage(self.folder):
            self.writer.add_document(document)

    def remove(self, key: str) -> None:
        self.changed = True
        with _damage(self.folder):
            self.writer.delete_documents_by_term("key", key)

    def commit(self) -> None:
        self.rows.flush()
        os.fsync(self.rows.fileno())
        with _damage(self.folder):
            self.writer.commit()
        self.changed = False
