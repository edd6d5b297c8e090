"""What one piece of work needs otherwise of SQLite than the rest of the process."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def sqlite_setting(name: str, value: int) -> Iterator[None]:
    """The connection with another value of one of SQLite's pragmas, then as before; nothing on PostgreSQL."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = int(cursor.execute(f"PRAGMA {name}").fetchone()[0])
        cursor.execute(f"PRAGMA {name}={value}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA {name}={before}")
