"""Dropping cached pages when what they show changes."""

import logging
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction

from .models import PurgeRequest
from .store import PageStore, PageStoreError

logger = logging.getLogger(__name__)

BATCH = 1000  # requests carried out at once; an import of 100,000 rows leaves one a transaction, not one a row


def purge_on_commit(tags: Iterable[str]) -> None:
    """Drops every cached page carrying any of ``tags`` once the caller's transaction has committed.

    The promise is a row of the same transaction, so it holds when the process dies straight after the
    commit; it is gone when the transaction rolls back. Many changes at once: one call with all their tags.
    """
    tags = sorted(set(tags))
    if not tags:
        return
    PurgeRequest.objects.create(tags=tags)
    # Robust: the change is committed, and a purge that fails now is tried again every second by the ticker.
    transaction.on_commit(drain_purges, robust=True)


def drain_purges() -> int:
    """Carries out every promised purge and answers how many there were; one indexed read when there are none.

    A purge that cannot be written stays promised, and no page is served from the cache meanwhile.
    """
    done = 0
    while True:
        requests = list(PurgeRequest.objects.order_by("pk").values_list("pk", "tags")[:BATCH])
        if not requests:
            return done
        try:
            _store(settings.YIDIAN_DATA).purge(tag for _pk, tags in requests for tag in tags)
        except PageStoreError as error:
            logger.error("页面缓存清除失败，缓存已停用，稍后自动重试：%s", error)
            return done
        try:
            PurgeRequest.objects.filter(pk__in=[pk for pk, _tags in requests]).delete()
        except DatabaseError:
            # Purging twice does no harm; a purge forgotten does.
            logger.exception("已清除的页面未能销账，稍后会再清除一次")
            return done
        done += len(requests)


def clear_cache() -> int:
    """Drops every cached page and answers how many there were. Raises PageStoreError when that cannot be
    done.
    """
    return _store(settings.YIDIAN_DATA).clear()


def cache_stats() -> dict[str, int]:
    """Pages and bytes in the shared cache file."""
    return _store(settings.YIDIAN_DATA).stats()


@lru_cache(maxsize=8)
def _store(folder: Path) -> PageStore:
    return PageStore(folder)
