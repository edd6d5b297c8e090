"""What readers ask and nothing answers: noted without who asked, for editors to see what is missing."""

import datetime
import logging
import re

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from yidian.editorial.models import UnansweredQuery
from yidian.publication.sqlite import sqlite_setting

logger = logging.getLogger(__name__)

# Longer texts are accounts of somebody's life, not questions that many have.
LONGEST = UnansweredQuery._meta.get_field("text").max_length
# Identity cards, telephones and addresses of mail are never part of a question.
_IDENTIFYING = re.compile(r"\d{5,}|@|微信|[Qq]{2}|电话|身份证|我叫|名叫|姓名")
_HAN = re.compile(r"[\u3400-\u9fff]")
# What a machine could fill the table with; the rarest and oldest make room.
MOST = 5_000
DAYS_KEPT = 180
# What a reader's search waits at most to be noted; a note costs 1 ms. SQLite would wait 20 seconds for another writer,
# and an import holds the lock for seconds at a time.
PATIENCE_MS = 50


def note(question: str, typed: str = "") -> bool:
    """Counts a question among the unanswered, if it is short and holds nothing that identifies; whether it did.

    `typed` is the whole of what the question was taken from, which must not identify either. Never an error: a reader's
    search does not wait for, or fail with, an editor's list.
    """
    text = " ".join(question.split())
    if not settings.YIDIAN_UNANSWERED or not 1 < len(text) <= LONGEST or len(typed) > LONGEST * 2:
        return False
    if _IDENTIFYING.search(f"{text} {typed}") or not _HAN.search(text):
        return False
    today = timezone.localdate()
    try:
        with sqlite_setting("busy_timeout", PATIENCE_MS), transaction.atomic():
            asked = UnansweredQuery.objects.filter(text=text)
            if not asked.update(times=F("times") + 1, last_asked=today):
                if UnansweredQuery.objects.count() >= MOST:
                    _make_room()
                UnansweredQuery.objects.create(text=text, first_asked=today, last_asked=today)
    except DatabaseError as error:  # a full or read-only disk; a page is still a page
        logger.warning("未解答的问题没有记下：%s", type(error).__name__)
        return False
    return True


def _make_room() -> None:
    least = UnansweredQuery.objects.order_by("times", "last_asked", "pk").values_list("pk", flat=True)
    UnansweredQuery.objects.filter(pk__in=list(least[: MOST // 10])).delete()


def forget_old(today: datetime.date | None = None) -> int:
    """Forgets what nobody has asked for DAYS_KEPT days; how many."""
    oldest = (today or timezone.localdate()) - datetime.timedelta(days=DAYS_KEPT)
    return UnansweredQuery.objects.filter(last_asked__lt=oldest).delete()[0]
