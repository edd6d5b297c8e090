"""The ready-made database is what the migrations make, and nothing is left to migrate."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from yidian.site.first_start import READY, ready_sql


def run(code, data):
    env = os.environ | {"YIDIAN_DATA": str(data), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "yidian.site.settings"}
    subprocess.run([sys.executable, "-c", f"import django; django.setup()\n{code}"], env=env, check=True)


def test_ready_made_database_is_what_the_migrations_make(tmp_path):
    run("from django.core.management import call_command; call_command('migrate', verbosity=0)", tmp_path)
    made = ready_sql(tmp_path / "yidian.sqlite3")
    assert made == READY.read_text("utf-8"), "run scripts/make_first_start.py and commit what it writes"


def test_loading_it_leaves_nothing_to_migrate(tmp_path):
    run(
        "from django.db import connection\n"
        "from django.core.management import call_command\n"
        "from yidian.site.first_start import load_ready_database\n"
        "assert load_ready_database(connection)\n"
        "assert not load_ready_database(connection), 'a database with tables is left alone'\n"
        "call_command('migrate', check_unapplied=True, verbosity=0)\n",
        tmp_path,
    )
    assert ready_sql(tmp_path / "yidian.sqlite3") == READY.read_text("utf-8")


@pytest.mark.django_db
def test_models_and_migrations_agree():
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_the_dump_holds_no_path_of_the_machine_that_made_it():
    assert str(Path.home()) not in READY.read_text("utf-8")
