"""Finished pages as gzipped bytes, in memory over an SQLite file of their own that all worker processes
share.

Three files in the data folder, all derived and safe to delete at any time:

``pagecache.sqlite3``
    the pages, their tags, and ``generation``: a number that each purge raises in the transaction that
    deletes.
``.pagecache.signal``
    eight random bytes, mapped into every process and replaced after each purge has committed. Reading them
    costs about 40 ns a hit (a ``pread`` 750 ns). A page in memory remembers the signal it was read under
    and counts for nothing under any other. Random, not counted up, so that two purges at once can never
    bring an old value back. All zero means: a purge could not be written, trust no page.
``.pagecache.lock``
    held while a process looks whether the files are whole, or makes them anew.

Why a page rendered before a purge cannot outlive it: the filler takes ``begin_fill()`` before it renders,
and ``put`` writes only if the generation is still the same, inside SQLite's one write lock, which the purge
also needs.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import logging
import mmap
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024 * 1024  # a process: 16,000 pages of the 4 KB an article takes gzipped
DISK_BYTES = 2 * 1024 * 1024 * 1024  # the whole file: half a million such pages
PAGE_BYTES = 1024 * 1024  # one page, gzipped; the longest article measured is under 60 KB
MAX_AGE = 24 * 3600  # seconds; a page that says how old its review is must roll over even when nobody edits
ENTRY_OVERHEAD = 2048  # bytes of Python objects around one page in memory, so that the cap means what it says
LOOK_AGAIN = 1.0  # seconds between looks whether someone deleted or replaced the files
RETRY = 5.0  # seconds to serve uncached before a broken or read-only folder is tried again
PUT_WAIT_MS = 200  # a page that cannot be stored soon is simply not stored
PURGE_WAIT_MS = 10_000  # a purge has to happen, so it waits out any other writer
POISON = 0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

SCHEMA = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    schema INTEGER NOT NULL, boot TEXT NOT NULL, fingerprint TEXT NOT NULL,
    generation INTEGER NOT NULL, bytes INTEGER NOT NULL
);
CREATE TABLE page (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, stored REAL NOT NULL, bytes INTEGER NOT NULL,
    etag TEXT NOT NULL, headers TEXT NOT NULL, length INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE tag (tag TEXT NOT NULL, page INTEGER NOT NULL, PRIMARY KEY (tag, page)) WITHOUT ROWID;
CREATE INDEX tag_page ON tag (page);
"""
SCHEMA_VERSION = 1


class PageStoreError(Exception):
    """A purge could not be written; no page is served from the cache until one has been."""


class Page(NamedTuple):
    """One finished page: ``body`` is gzipped, ``length`` counts the bytes before, ``headers`` are name and
    value.
    """

    etag: str
    headers: list[tuple[str, str]]
    length: int
    body: bytes
    stored: float


class Fill(NamedTuple):
    """What was true before a page was rendered; ``put`` needs it."""

    signal: int
    generation: int


class PageStore:
    """The pages in ``folder``; every method but ``purge`` answers "nothing cached" instead of raising.

    ``fingerprint`` names the code and configuration that render the pages; a file filled under another one is
    emptied. ``None`` (a command that only purges) takes the file as it is. ``prepare`` turns a page into
    the form that ``get`` hands out, once a page and not once a hit.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str | None = None,
        *,
        prepare: Callable[[Page], object] = lambda page: page,
        memory_bytes: int = MEMORY_BYTES,
        disk_bytes: int = DISK_BYTES,
        page_bytes: int = PAGE_BYTES,
    ):
        self.folder = Path(folder)
        self.file = self.folder / "pagecache.sqlite3"
        self.signal_file = self.folder / ".pagecache.signal"
        self.fingerprint = fingerprint
        self.prepare = prepare
        self.memory_bytes = memory_bytes
        self.disk_bytes = disk_bytes
        self.page_bytes = page_bytes
        self._kept: list[object] = []
        self._forget()
        # SQLite's connections and locks must not be carried into a child process, not even to be closed
        # there.
        os.register_at_fork(after_in_child=self._forget_after_fork)

    def _forget(self) -> None:
        self.signal = memoryview(bytes(8)).cast("Q")
        self.memory: dict[str, list] = {}
        self._memory_used = 0
        self._memory_lock = threading.Lock()
        self._open_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._seen_signal = POISON
        self._look_at = 0.0
        self._complained = 0.0

    def _forget_after_fork(self) -> None:
        self._kept.append((self._reader, self._writer, self.signal))
        self._forget()

    # Reading

    def get(self, key: str) -> object | None:
        """What ``prepare`` made of the page at ``key``, or None."""
        now = time.monotonic()
        entry = self.memory.get(key)
        signal = self.signal[0]
        if entry is not None and entry[0] == signal and now < self._look_at and now < entry[1] and signal:
            entry[2] = True
            return entry[3]
        return self._get_slowly(key, now)

    def _get_slowly(self, key: str, now: float) -> object | None:
        if not self._ready(now):
            return None
        signal = self.signal[0]
        if signal == POISON:
            return None
        entry = self.memory.get(key)
        if entry is not None and entry[0] == signal and now < entry[1]:
            return entry[3]
        try:
            with self._read_lock:
                reader = self._reader
                if reader is None:
                    return None
                row = reader.execute(
                    "SELECT etag, headers, length, body, stored FROM page WHERE key = ?", (key,)
                ).fetchone()
        except sqlite3.Error as error:
            self._trouble(error)
            return None
        if row is None:
            return None
        age = time.time() - row[4]
        if not 0 <= age < MAX_AGE:
            return None
        if row[0] != _digest(key, row[1], row[3]):
            self._trouble(sqlite3.DatabaseError(f"malformed page {key}"))
            return None
        headers = [(name, value) for name, value in json.loads(row[1])]
        return self._remember(key, signal, Page(row[0], headers, row[2], row[3], row[4]), MAX_AGE - age)

    def _remember(self, key: str, signal: int, page: Page, seconds: float) -> object:
        prepared = self.prepare(page)
        size = len(page.body) + ENTRY_OVERHEAD
        with self._memory_lock:
            old = self.memory.pop(key, None)
            if old is not None:
                self._memory_used -= old[4]
            self.memory[key] = [signal, time.monotonic() + seconds, False, prepared, size]
            self._memory_used += size
            while self._memory_used > self.memory_bytes and self.memory:
                oldest = next(iter(self.memory))
                entry = self.memory.pop(oldest)
                if entry[2] and entry[0] == self.signal[0]:
                    # Read since its last turn: to the back of the queue once more. A flag set on a hit is
                    # three times cheaper than moving the entry on every hit, and evicts nearly the same
                    # pages.
                    entry[2] = False
                    self.memory[oldest] = entry
                else:
                    self._memory_used -= entry[4]
        return prepared

    # Filling

    def begin_fill(self) -> Fill | None:
        """The state to hand to ``put``, taken before rendering; None when nothing can be stored."""
        if not self._ready(time.monotonic()):
            return None
        signal = self.signal[0]
        if signal == POISON:
            return None
        try:
            with self._read_lock:
                if self._reader is None:
                    return None
                (generation,) = self._reader.execute("SELECT generation FROM meta").fetchone()
        except (sqlite3.Error, TypeError) as error:
            self._trouble(error)
            return None
        return Fill(signal, generation)

    def put(self, key: str, page: Page, tags: Iterable[str], fill: Fill) -> object | None:
        """The page as ``get`` would hand it out, or None when it was not kept: too large, or overtaken by a
        purge.

        With a full or locked file the page is kept in this process's memory alone: a purge still reaches it
        there.
        """
        size = len(page.body)
        if size > self.page_bytes or not self._ready(time.monotonic()):
            return None
        if not self._write_lock.acquire(timeout=PUT_WAIT_MS / 1000):
            return None
        trouble = None
        try:
            if self._writer is not None and not self._insert(self._writer, key, page, size, set(tags), fill):
                return None
        except sqlite3.Error as error:
            trouble = error
        finally:
            self._write_lock.release()
        if trouble is not None:
            self._trouble(trouble)
        return self._remember(key, fill.signal, page, MAX_AGE)

    def _insert(self, writer: sqlite3.Connection, key: str, page: Page, size: int, tags: set[str], fill: Fill) -> bool:
        with _transaction(writer, PUT_WAIT_MS):
            meta = writer.execute("SELECT generation, fingerprint, bytes FROM meta").fetchone()
            if meta is None:
                raise sqlite3.DatabaseError("malformed: no meta row")
            generation, fingerprint, used = meta
            if generation != fill.generation or (self.fingerprint or fingerprint) != fingerprint:
                return False
            old = writer.execute("SELECT id, bytes FROM page WHERE key = ?", (key,)).fetchone()
            if old is not None:
                used -= _delete_pages(writer, [old[0]])
            cursor = writer.execute(
                "INSERT INTO page (key, stored, bytes, etag, headers, length, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, page.stored, size, page.etag, json.dumps(page.headers), page.length, page.body),
            )
            writer.executemany("INSERT INTO tag (tag, page) VALUES (?, ?)", [(t, cursor.lastrowid) for t in tags])
            used += size
            if used > self.disk_bytes:
                # The pages stored first go first: recording every read would cost a write a hit.
                excess, doomed = used - int(self.disk_bytes * 0.9), []
                for page_id, length in writer.execute("SELECT id, bytes FROM page ORDER BY id"):
                    if excess <= 0 or page_id == cursor.lastrowid:
                        break
                    doomed.append(page_id)
                    excess -= length
                used -= _delete_pages(writer, doomed)
            writer.execute("UPDATE meta SET bytes = ?", (used,))
        return True

    # Purging

    def purge(self, tags: Iterable[str]) -> int:
        """How many pages carrying any of ``tags`` were dropped; afterwards no process serves one of them.

        Raises PageStoreError when that could not be written down: then no process serves any cached page
        until a later purge succeeds.
        """
        return self._purge(sorted(set(tags)))

    def clear(self) -> int:
        """How many pages there were; afterwards none. Raises PageStoreError as ``purge`` does."""
        return self._purge(None)

    def _purge(self, tags: list[str] | None) -> int:
        if not self._ready(time.monotonic(), look=True, retry_now=True):
            raise PageStoreError(f"the page cache in {self.folder} cannot be opened")
        for last_try in (False, True):
            try:
                with self._write_lock:
                    if self._writer is None:
                        raise sqlite3.OperationalError("closed")
                    count = self._delete_tagged(self._writer, None if self.signal[0] == POISON else tags)
                    self.signal[0] = _fresh_signal()
                return count
            except sqlite3.Error as error:
                self.signal[0] = POISON
                self._trouble(error)
                if last_try or not self._ready(time.monotonic(), look=True, retry_now=True):
                    raise PageStoreError(f"purge failed: {error}") from error
        raise AssertionError("unreachable")

    def _delete_tagged(self, writer: sqlite3.Connection, tags: list[str] | None) -> int:
        with _transaction(writer, PURGE_WAIT_MS):
            if tags is None:
                (count,) = writer.execute("SELECT count(*) FROM page").fetchone()
                writer.execute("DELETE FROM tag")
                writer.execute("DELETE FROM page")
                writer.execute("UPDATE meta SET generation = generation + 1, bytes = 0")
                return count
            doomed: set[int] = set()
            for tag in tags:
                doomed.update(row[0] for row in writer.execute("SELECT page FROM tag WHERE tag = ?", (tag,)))
            freed = _delete_pages(writer, sorted(doomed))
            # Raised even when nothing was stored: a page with this tag may be rendering just now.
            writer.execute("UPDATE meta SET generation = generation + 1, bytes = bytes - ?", (freed,))
            return len(doomed)

    def stats(self) -> dict[str, int]:
        """Pages and bytes on disk, pages and bytes in this process's memory; zeros when there is no cache."""
        found = (0, 0)
        if self._ready(time.monotonic()):
            with contextlib.suppress(sqlite3.Error), self._read_lock:
                if self._reader is not None:
                    found = self._reader.execute("SELECT (SELECT count(*) FROM page), bytes FROM meta").fetchone()
        return {
            "pages": found[0],
            "bytes": found[1],
            "memory_pages": len(self.memory),
            "memory_bytes": self._memory_used,
        }

    def close(self) -> None:
        """Lets go of the files; the next call opens them again."""
        with self._open_lock, self._read_lock, self._write_lock:
            self._close()
            self._look_at = 0.0

    # Opening and mending

    def _ready(self, now: float, *, look: bool = False, retry_now: bool = False) -> bool:
        """Whether the files are open and still the ones in the folder, opening them when needed."""
        changed = self.signal[0] != self._seen_signal
        if self._identity is not None and now < self._look_at and not (changed or look):
            return True
        with self._open_lock:
            if self._identity is None and now < self._look_at and not retry_now:
                return False
            if self._identity is not None and self._identity == self._identity_on_disk():
                self._seen_signal = self.signal[0]
                self._look_at = now + LOOK_AGAIN
                return True
            try:
                with self._read_lock, self._write_lock:
                    self._close()
                    self._open()
                self._seen_signal = self.signal[0]
                self._look_at = now + LOOK_AGAIN
                return True
            except (sqlite3.Error, OSError, ValueError) as error:
                with self._read_lock, self._write_lock:
                    self._close()
                self._look_at = now + RETRY
                self._complain(error)
                return False

    def _identity_on_disk(self) -> tuple[int, int] | None:
        try:
            signal = self.signal_file.stat()
            return (self.file.stat().st_ino, signal.st_ino) if signal.st_size == 8 else None
        except OSError:
            return None

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        boot = _boot_id()
        with (self.folder / ".pagecache.lock").open("a+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            signal = self._map_signal()
            made = False
            try:
                writer = self._connect(boot)
                meta = writer.execute("SELECT schema, boot, fingerprint FROM meta").fetchone()
                whole = meta is not None and meta[:2] == (SCHEMA_VERSION, boot)
            except sqlite3.DatabaseError as error:
                # "unable to open database file" (read-only, no space) is not damage, and deleting would not
                # mend it.
                if isinstance(error, sqlite3.OperationalError) and self.file.exists() and not _is_damage(error):
                    raise
                whole, writer, meta = False, None, None
            if not whole:
                if writer is not None:
                    writer.close()
                self._delete_files()
                writer = self._connect(boot)
                with _transaction(writer, PURGE_WAIT_MS):
                    for statement in SCHEMA.split(";"):
                        writer.execute(statement)
                    writer.execute(
                        "INSERT INTO meta VALUES (1, ?, ?, ?, ?, 0)",
                        # Continued from the clock so that a file made anew never repeats an old generation.
                        (SCHEMA_VERSION, boot, self.fingerprint or "", time.time_ns()),
                    )
                made = True
            elif self.fingerprint is not None and meta[2] != self.fingerprint:
                self._delete_tagged(writer, None)
                writer.execute("UPDATE meta SET fingerprint = ?", (self.fingerprint,))
                made = True
            if made or signal[0] == POISON:
                if not made:
                    self._delete_tagged(writer, None)
                signal[0] = _fresh_signal()
            reader = self._connect(boot)
            reader.execute("PRAGMA busy_timeout = 100")
            self._writer, self._reader, self.signal = writer, reader, signal
            self._identity = self._identity_on_disk()
            if self._identity is None:
                raise OSError("the cache files vanished while they were opened")

    def _map_signal(self) -> memoryview:
        descriptor = os.open(self.signal_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if os.fstat(descriptor).st_size != 8:
                os.ftruncate(descriptor, 0)
                # Real bytes, not a hole: writing to a mapped hole on a full disk kills the process.
                os.write(descriptor, bytes(8))
            return memoryview(mmap.mmap(descriptor, 8)).cast("Q")
        finally:
            os.close(descriptor)

    def _connect(self, boot: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False, timeout=2)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # After a power cut the file is thrown away (boot id), so it need not be synced. Where the
            # system has no boot id that cannot be told, and the file pays for every commit.
            connection.execute(f"PRAGMA synchronous = {'OFF' if boot else 'FULL'}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _delete_files(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    connection.close()
        self._reader = self._writer = self._identity = None
        self._seen_signal = POISON
        with self._memory_lock:
            self.memory.clear()
            self._memory_used = 0

    def _trouble(self, error: Exception) -> None:
        """After damage: delete the files, unless another process has done so, and start anew on the next
        call.
        """
        self._complain(error)
        if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
            return
        with self._open_lock:
            with contextlib.suppress(OSError), (self.folder / ".pagecache.lock").open("a+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._identity is not None and self._identity == self._identity_on_disk():
                    self._delete_files()
            with self._read_lock, self._write_lock:
                self._close()
            self._look_at = 0.0

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained > 60 or not self._complained:
            self._complained = now
            logger.warning("页面缓存暂时不可用，页面照常生成：%s（%s）", error, self.folder)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, wait_ms: int) -> Iterator[None]:
    connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _delete_pages(writer: sqlite3.Connection, ids: list[int]) -> int:
    """The bytes freed by deleting these pages and their tags."""
    freed = 0
    for start in range(0, len(ids), 500):  # below SQLite's smallest limit of 999 variables
        some = ids[start : start + 500]
        marks = ",".join("?" * len(some))
        total = f"SELECT coalesce(sum(bytes), 0) FROM page WHERE id IN ({marks})"  # noqa: S608 marks are only "?"
        (size,) = writer.execute(total, some).fetchone()
        writer.execute(f"DELETE FROM tag WHERE page IN ({marks})", some)  # noqa: S608 likewise
        writer.execute(f"DELETE FROM page WHERE id IN ({marks})", some)  # noqa: S608 likewise
        freed += size
    return freed


def _is_damage(error: sqlite3.Error) -> bool:
    text = str(error)
    return any(sign in text for sign in ("malformed", "not a database", "no such table", "no such column"))


def make_page(key: str, headers: Iterable[tuple[str, str]], body: bytes) -> Page:
    """``body`` as the page to keep under ``key``; the etag covers all of it, so damage on the disk shows."""
    headers = list(headers)
    # Level 6 takes 112 µs for a 15 KB page; no time in the gzip header, so that equal pages have equal etags.
    zipped = gzip.compress(body, compresslevel=6, mtime=0)
    return Page(_digest(key, json.dumps(headers), zipped), headers, len(body), zipped, time.time())


def _digest(key: str, headers: str, body: bytes) -> str:
    digest = hashlib.blake2b(f"{key}\0{headers}\0".encode(errors="surrogateescape"), digest_size=12)
    digest.update(body)
    return digest.hexdigest()


def _fresh_signal() -> int:
    return int.from_bytes(os.urandom(8)) or 1


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def code_fingerprint(package: Path, *parts: str) -> str:
    """A digest of the names, sizes and times of all files under ``package`` and of ``parts``: 10 ms for 500
    files.

    A page is only as current as the templates and code it was rendered with, so a checkout that was pulled
    without a new version number must empty the cache too.
    """
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(package.rglob("*")):
        if path.suffix != ".pyc" and path.is_file():  # word lists too: a page's 繁體 and its red flags hang on them
            status = path.stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
