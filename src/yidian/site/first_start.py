"""A fresh SQLite database in a fraction of a second: the migrations' result as SQL, instead of running them.

The 190 migrations, nearly all Wagtail's, cost 13 s of CPU, half of a first start. `first_start.sql` is what they
leave behind, written by scripts/make_first_start.py; a test holds it against the migrations. Whatever it lacks
(a newer Wagtail, say) the ordinary migrate run after it adds.
"""

import re
import sqlite3
from itertools import count
from pathlib import Path

READY = Path(__file__).with_name("first_start.sql")

# Django fills in these on its own at every migrate; the others' moments are the same for everybody.
_MOMENT = re.compile(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?'")
_FIXED_MOMENT = "'2026-01-01 00:00:00'"
# the translation keys of Wagtail's two own pages are drawn at random and mean nothing outside one site
_RANDOM_KEY = re.compile(r"'[0-9a-f]{32}'")


def ready_sql(database: Path) -> str:
    """What a freshly migrated SQLite file holds, as SQL that makes the same; equal for equal migrations."""
    with sqlite3.connect(database) as source:
        rows = source.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'table' DESC, name"
        ).fetchall()
        virtual = [name for kind, name, sql in rows if sql.upper().startswith("CREATE VIRTUAL")]
        shadows = {name for _kind, name, _sql in rows for owner in virtual if name.startswith(f"{owner}_")}
        lines, keys = ["BEGIN;"], count(1)
        tables = [name for kind, name, _ in rows if kind == "table" and name not in shadows]
        lines += [
            f"{sql};"
            for kind, name, sql in rows
            if kind == "table" and name not in shadows and name != "sqlite_sequence"
        ]
        # last, because inserting into the others fills it
        tables.sort(key=lambda name: name == "sqlite_sequence")
        for table in tables:
            if table in virtual:
                continue
            if table == "sqlite_sequence":
                lines.append("DELETE FROM sqlite_sequence;")
            columns = [f'"{row[1]}"' for row in source.execute(f'PRAGMA table_info("{table}")')]
            quoted = " || ',' || ".join(f"quote({column})" for column in columns)
            order = "name" if table == "sqlite_sequence" else "rowid"
            for (values,) in source.execute(f'SELECT {quoted} FROM "{table}" ORDER BY {order}'):  # noqa: S608
                values = _RANDOM_KEY.sub(lambda _: f"'{next(keys):032x}'", _MOMENT.sub(_FIXED_MOMENT, values))
                lines.append(f'INSERT INTO "{table}"({",".join(columns)}) VALUES({values});')
        lines += [f"{sql};" for kind, name, sql in rows if kind != "table"]
        return "\n".join([*lines, "COMMIT;"]) + "\n"


def load_ready_database(connection) -> bool:
    """Fill an empty SQLite database from first_start.sql; False when it is another database or holds tables."""
    if connection.vendor != "sqlite" or connection.introspection.table_names():
        return False
    connection.ensure_connection()
    connection.connection.executescript(READY.read_text("utf-8"))
    return True
