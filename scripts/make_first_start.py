"""Writes src/yidian/site/first_start.sql from the migrations; run it after every change of a migration."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"YIDIAN_DATA": folder, "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "yidian.site.settings"}
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from yidian.site.first_start import READY, ready_sql

        call_command("migrate", verbosity=0)
        connection.close()
        READY.write_text(ready_sql(Path(folder) / "yidian.sqlite3"), "utf-8")


main()
