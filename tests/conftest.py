"""A database ready in milliseconds, and content made as an editor would make it."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# before Django reads its settings: nothing of a developer's own data is ever touched by a test
_folder = tempfile.TemporaryDirectory(prefix="yidian-tests-", ignore_cleanup_errors=True)
os.environ["YIDIAN_DATA"] = _folder.name
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yidian.site.settings")
os.environ.pop("YIDIAN_ORIGIN", None)


def pytest_configure():
    # here and not by an option of pytest-django's, which reads the settings before the line above names the folder
    import django

    django.setup()


# the same examples at every run, so that a red run is about the change and not about luck
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker, django_db_modify_db_settings):
    """SQLite from the ready-made SQL (27 ms against 13 s of migrations); PostgreSQL by Django's own way."""
    from django.db import connection

    if connection.vendor != "sqlite":
        from django.test.utils import setup_databases, teardown_databases

        with django_db_blocker.unblock():
            made = setup_databases(verbosity=0, interactive=False)
        yield
        with django_db_blocker.unblock():
            teardown_databases(made, verbosity=0)
        return
    from yidian.site.first_start import load_ready_database

    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = str(Path(_folder.name) / "test.sqlite3")
        load_ready_database(connection)
    yield
    with django_db_blocker.unblock():
        connection.close()


@pytest.fixture(autouse=True)
def _no_memory_between_tests():
    """What a process keeps in memory about content that the last test rolled back."""
    yield
    from django.contrib.contenttypes.models import ContentType

    ContentType.objects.clear_cache()


@pytest.fixture(scope="session")
def _ordinary_speller():
    """A speller that knows the words of the tests' small libraries, counted once: it takes a second of CPU."""
    from yidian.search.spelling import Speller

    names = ["小腿抽筋", "深静脉血栓", "腿抽筋", "抽筋", "痉挛", "转筋", "小腿", "孕妇", "测试病", "灯笔病", "蜡烛症"]
    return Speller.build((), names)


@pytest.fixture
def quick_search(settings, tmp_path, monkeypatch, _ordinary_speller):
    """An index folder of the test's own, of what is in the database alone, built in milliseconds."""
    from yidian.search.spelling import Speller

    def consume(texts, names, titles=()):
        for _ in texts:
            pass
        return _ordinary_speller

    settings.YIDIAN_DATA = tmp_path
    settings.YIDIAN_SEARCHED = "yidian.editorial.searchable"
    monkeypatch.setattr(Speller, "build", consume)


def pytest_addoption(parser):
    parser.addoption(
        "--database-only", action="store_true", help="only tests that reach the site's database, as for another one"
    )


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--database-only"):
        return
    reaching = [item for item in items if _reaches_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(reaching)])
    items[:] = reaching


def _reaches_database(item) -> bool:
    wanted = {"db", "transactional_db", "django_db_setup", "live_server"}
    return item.get_closest_marker("django_db") is not None or bool(wanted & set(getattr(item, "fixturenames", ())))
