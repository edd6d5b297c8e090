"""Readings on their way to the database: held in memory, written twice a second in one transaction.

The id of an event and the count it adds to are written in the same transaction. So a batch whose commit
succeeded while its answer was lost can be written again and adds nothing, and a process killed at any
moment loses at most the events since its last batch and never invents one. (``n = n + 1`` without ids,
retried in the same situation on PostgreSQL, read 14,701 after 14,689 events.)
"""

import atexit
import datetime
import logging
import multiprocessing.util
import os
import threading
import time
import uuid
from collections import Counter

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from .models import ViewCount, ViewEvent, section_of

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 0.4  # leaves the rest of the promised second for the write itself
LONGEST_PAUSE = 5.0  # seconds between tries while the database refuses
CAPACITY = 50_000  # events, about 15 MB; at 100 readings a second eight minutes without a database
BATCH = 2_000  # events a transaction: about 20 ms during which other writers wait
ROWS = 400  # a statement; two variables a row stay below SQLite's old limit of 999
STOP_SECONDS = 8.0  # for the last write at a clean stop; process managers kill after ten
# An event is refused 24 h after its own time, which may lie 24 h ahead of ours; dates round that up.
REMEMBER_DAYS = 3
MISSING_SECONDS = 30  # a page found missing is not looked up again for so long


class ViewBuffer:
    """The readings this process has accepted and not yet written."""

    def __init__(self):
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # The parent writes what the parent accepted; a child starts with nothing.
        self.events: dict[uuid.UUID, str] = {}
        self.missing: dict[str, float] = {}
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        self.wake = threading.Event()
        self.thread: threading.Thread | None = None
        self.stopping = False

    def record(self, event: uuid.UUID, page: str) -> bool:
        """Accepts one reading; False when the buffer is full and the browser should try later."""
        with self.lock:
            if len(self.events) >= CAPACITY:
                return False
            self.events.setdefault(event, page)
            if self.thread is None and not self.stopping and settings_flush_seconds():
                self._start()
        if self.stopping:
            self.stop()  # accepted while the process ends: nobody else will write it
        return True

    def _start(self) -> None:
        # Started by the first reading, so after any fork, and only in processes that serve readers.
        self.thread = threading.Thread(target=self._run, name="view-counts", daemon=True)
        self.thread.start()
        atexit.register(self.stop)
        # A forked server worker leaves without running atexit, but not without these.
        multiprocessing.util.Finalize(None, self.stop, exitpriority=100)

    def _run(self) -> None:
        pause = settings_flush_seconds()
        while not self.stopping:
            self.wake.wait(pause)
            try:
                close_old_connections()
                self.flush()
                pause = settings_flush_seconds()
            except Exception as error:  # noqa: BLE001 the events stay and are tried again
                pause = min(LONGEST_PAUSE, pause * 2)
                logger.warning("阅读次数暂时写不进数据库，%.1f 秒后再试：%s", pause, error)
                connection.close()
        connection.close()

    def flush(self) -> int:
        """Writes everything accepted so far and answers how many readings were new.

        Raises what the database raises; the events not yet written are then still here.
        """
        added = 0
        while self.events:
            with self.writing:
                with self.lock:
                    batch = dict(list(self.events.items())[:BATCH])
                if not batch:
                    break
                added += count_events(self._existing(batch))
                with self.lock:
                    for event in batch:
                        self.events.pop(event, None)
        return added

    def _existing(self, batch: dict[uuid.UUID, str]) -> dict[uuid.UUID, str]:
        """``batch`` without the pages that do not exist; asked once a page, before taking the write lock."""
        pages = set(batch.values())
        known = set(ViewCount.objects.filter(page__in=pages).values_list("page", flat=True))
        now = time.monotonic()
        page_exists = import_string(settings.YIDIAN_PAGE_EXISTS)
        for page in pages - known:
            if self.missing.get(page, 0) > now:
                continue
            if page_exists(page):
                known.add(page)
            else:
                if len(self.missing) >= CAPACITY:
                    self.missing.clear()
                self.missing[page] = now + MISSING_SECONDS
        return {event: page for event, page in batch.items() if page in known}

    def stop(self) -> None:
        """Writes what is left, trying for a few seconds when the database refuses. Called at the end of a
        process.
        """
        self.stopping = True
        self.wake.set()
        deadline = time.monotonic() + STOP_SECONDS
        while self.events:
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001 a process that ends has nobody to raise to
                connection.close()
                if time.monotonic() > deadline:
                    logger.error("停止前有 %d 次阅读没能写进数据库：%s", len(self.events), error)
                    return
                time.sleep(0.2)


def settings_flush_seconds() -> float:
    """Seconds between writes; ``YIDIAN_VIEWS_FLUSH_SECONDS = 0`` leaves it to whoever calls ``flush``."""
    return getattr(settings, "YIDIAN_VIEWS_FLUSH_SECONDS", FLUSH_SECONDS)


def count_events(batch: dict[uuid.UUID, str]) -> int:
    """Counts each event of ``batch`` that was never counted before, and answers how many those were; all or
    nothing.
    """
    if not batch:
        return 0
    today = timezone.now().date()
    with transaction.atomic(), connection.cursor() as cursor:
        # Sorted, so that two processes writing the same rows take their locks in the same order.
        events = sorted(batch)
        new: list[uuid.UUID] = []
        for start in range(0, len(events), ROWS):
            new += _insert_new(cursor, events[start : start + ROWS], today)
        for page, number in sorted(Counter(batch[event] for event in new).items()):
            cursor.execute(
                f"INSERT INTO {ViewCount._meta.db_table} (page, section, count) VALUES (%s, %s, %s) "  # noqa: S608 the table's own name
                f"ON CONFLICT (page) DO UPDATE SET count = {ViewCount._meta.db_table}.count + excluded.count",
                [page, section_of(page), number],
            )
    return len(new)


def _insert_new(cursor, events: list[uuid.UUID], today: datetime.date) -> list[uuid.UUID]:
    """Those of ``events`` that were not in the table and now are."""
    as_uuid = ViewEvent._meta.pk.get_db_prep_value
    values = [value for event in events for value in (as_uuid(event, connection), today)]
    rows = ", ".join(["(%s, %s)"] * len(events))
    cursor.execute(
        f"INSERT INTO {ViewEvent._meta.db_table} (id, received) VALUES {rows} "  # noqa: S608 the table's own name
        "ON CONFLICT (id) DO NOTHING RETURNING id",
        values,
    )
    return [value if isinstance(value, uuid.UUID) else uuid.UUID(value) for (value,) in cursor.fetchall()]


def prune_events(today: datetime.date | None = None) -> int:
    """Forgets up to ``BATCH`` events too old to be accepted again; answers how many, so call until fewer.

    In batches, because a date's events all come of age at once and a million rows would block writers for
    seconds.
    """
    oldest = (today or timezone.now().date()) - datetime.timedelta(days=REMEMBER_DAYS)
    old = list(ViewEvent.objects.filter(received__lt=oldest).values_list("pk", flat=True)[:BATCH])
    if old:
        ViewEvent.objects.filter(pk__in=old).delete()
    return len(old)


buffer = ViewBuffer()
