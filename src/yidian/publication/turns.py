"""Content is changed by one transaction at a time, on PostgreSQL too.

What readers get is made of many rows: an article's form tells of its claims, their sources, the hard words. Two
transactions that do not see each other would each leave out what the other does: an article published while its claim
is withdrawn would go on showing it. SQLite's write lock takes care of that by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# "yidian" as a number; an advisory lock is known by nothing else
_LOCK = int.from_bytes(b"yidian")


def take_turn() -> None:
    """Waits until no other transaction changes content; until the end of this one, others wait.

    Before the first row is locked: whoever holds a row while waiting would be waited for.
    """
    if connection.vendor == "postgresql" and connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


@contextmanager
def turn() -> Iterator[None]:
    """A transaction, or a part of one that goes on, that changes content in its turn."""
    with transaction.atomic():
        take_turn()
        yield
