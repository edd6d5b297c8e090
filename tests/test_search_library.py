"""The site's full-text index: kept up with the database, built beside the one that serves, whole after any crash."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import content
import pytest
from django.db import connection, transaction

from yidian.search import library as library_module
from yidian.search.ask import ask
from yidian.search.library import NotReady, library
from yidian.search.models import IndexRequest, IndexState

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(quick_search):
    """An index of a small library."""
    content.condition()
    content.question()
    library().build()
    return library()


def found(query):
    return [item.document.title for item in ask(query).items]


def test_an_edit_is_found_when_the_index_has_caught_up(site):
    assert found("血栓") == []
    content.condition("shenjingmai-xueshuan", "深静脉血栓", description="腿里的静脉结了血块。")
    assert site.catch_up() > 0
    assert found("腿里结了血块")[0] == "深静脉血栓"
    assert (site.catch_up(), IndexRequest.objects.count()) == (0, 0)


def test_what_is_withdrawn_is_not_found_even_before_the_index_knows(site):
    question = content.question("腿麻怎么办？")
    site.catch_up()
    assert "腿麻怎么办？" in found("腿麻")
    question.unpublish()
    assert "腿麻怎么办？" not in found("腿麻")
    before = site.engine().index.count()
    site.catch_up()
    assert site.engine().index.count() == before - 1


def test_what_is_deleted_is_not_found(site):
    question = content.question("腿麻怎么办？")
    site.catch_up()
    question.delete()
    assert "腿麻怎么办？" not in found("腿麻")
    site.catch_up()
    assert not [hit for hit in site.engine().search("腿麻") if hit.object_id == str(question.pk)]


def test_a_draft_is_not_found(site):
    question = content.question("腿麻怎么办？")
    site.catch_up()
    question.name = "隐藏的新标题怎么办？"
    question.save_revision()
    site.catch_up()
    assert site.build() == 3
    assert found("隐藏的新标题") == []
    assert "腿麻怎么办？" in found("腿麻")


def test_a_change_that_is_rolled_back_leaves_nothing(site):
    with pytest.raises(RuntimeError), transaction.atomic():
        content.condition("shenjingmai-xueshuan", "深静脉血栓")
        raise RuntimeError
    assert site.catch_up() == 0
    assert found("血栓") == []


def test_a_synonym_finds_pages_that_were_indexed_before_it(site):
    from yidian.terms.models import SynonymGroup

    content.condition("dengbi-xueguan", "灯笔病", description="灯笔病会自己好。")
    site.catch_up()
    assert "灯笔病" not in found("蜡烛症")
    group = content.publish(SynonymGroup(name="灯笔病", alternate_names="蜡烛症", category="disease"))
    site.catch_up()
    assert found("蜡烛症")[0] == "灯笔病"
    group.unpublish()
    site.catch_up()
    assert "灯笔病" not in found("蜡烛症")


def test_without_an_index_names_are_found_and_the_page_says_so(client, quick_search):
    content.condition()
    with pytest.raises(NotReady):
        library().engine()
    page = client.get("/search?q=小腿抽筋").content.decode()
    assert "小腿抽筋" in page
    assert "全文检索正在重建" in page
    assert library().is_due()
    library().build()
    assert not library().is_due()
    assert "全文检索正在重建" not in client.get("/search?q=小腿抽筋").content.decode()


@pytest.mark.parametrize("damage", ["cut", "gone", "terms"])
def test_a_damaged_index_serves_names_and_is_built_again(client, site, damage):
    assert not site.is_due()
    folder = site.folder / site.current()
    for path in [folder / "terms.json"] if damage == "terms" else (folder / "index").iterdir():
        if damage == "gone":
            path.unlink()
        elif path.stat().st_size:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    library_module._library.cache_clear()  # as another process finds it
    response = client.get("/search?q=小腿抽筋")
    assert (response.status_code, "小腿抽筋" in response.content.decode()) == (200, True)
    assert library().is_due()
    library().build()
    assert not library().is_due()
    assert found("小腿抽筋")[0] == "小腿抽筋"


def test_an_index_of_another_database_is_not_used(site):
    assert not site.is_due()
    IndexState.objects.update(generation="tantivy-1-anothersite")
    assert site.is_due()


def test_an_index_of_another_version_is_built_again(site, monkeypatch):
    monkeypatch.setattr(library_module, "VERSION", library_module.VERSION + 1)
    assert site.is_due()


def test_a_change_during_a_build_is_in_both_indexes(site, monkeypatch):
    from yidian.editorial import searchable

    reading = searchable.every

    def meanwhile(progress):
        yield from reading(progress)
        # everything has been read; now an editor publishes, and the ticker brings it to the index that serves
        content.condition("shenjingmai-xueshuan", "深静脉血栓")
        assert site.catch_up() > 0
        assert found("血栓")[0] == "深静脉血栓"
        assert IndexRequest.objects.exclude(generation="").exists()

    monkeypatch.setattr(searchable, "every", meanwhile)
    old = site.current()
    site.build()
    assert site.current() != old
    assert found("血栓")[0] == "深静脉血栓"
    assert [path.name for path in site.folder.iterdir() if path.is_dir()] == [site.current()]
    assert not IndexRequest.objects.exists()


CODE = """
    import os, sys
    os.environ["DJANGO_SETTINGS_MODULE"] = "yidian.site.settings"
    import django; django.setup()
    from yidian.search.library import library
    {work}
"""


def process(folder, work, **options):
    environment = os.environ | {"YIDIAN_DATA": str(folder)}
    code = textwrap.dedent(CODE).format(work=textwrap.dedent(work))
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="starts a site of its own, on SQLite")
def test_a_build_killed_at_any_moment_leaves_a_whole_index(tmp_path):
    first = process(
        tmp_path,
        "from yidian.cli import start; start.prepare_database(); start.load_starter(lambda i, n, label='': i)",
    )
    assert first.wait(120) == 0
    first.stdout.close()
    current = (tmp_path / "search" / "current").read_text()
    for delay in (0.0, 0.05, 0.1, 0.2, 0.4):
        killed = process(tmp_path, "print('go', flush=True)\nlibrary().build()")
        assert killed.stdout.readline() == "go\n"
        time.sleep(delay)
        killed.send_signal(signal.SIGKILL)
        killed.wait(30)
        killed.stdout.close()
        after = (tmp_path / "search" / "current").read_text()
        assert (tmp_path / "search" / after / "index" / "meta.json").exists()
        if delay == 0.0:
            assert after == current
    last = process(
        tmp_path,
        "print(library().is_due(), len(library().engine().search('小腿抽筋')) > 5, library().build() > 50)",
    )
    assert last.stdout.read() == "False True True\n"
    assert last.wait(60) == 0
    last.stdout.close()
    assert len([path for path in (tmp_path / "search").iterdir() if path.is_dir()]) == 1


def test_several_processes_share_the_index(site):
    import threading

    errors, counts = [], set()
    stop = threading.Event()
    reader = library_module.Library(site.folder, "tantivy")  # as another process has it

    def read():
        while not stop.is_set():
            try:
                counts.add(reader.engine().index.count())
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(3):
        content.condition(f"bing-{number}", f"测试病{number}")
        site.catch_up()
        site.build()
    time.sleep(0.2)
    stop.set()
    thread.join()
    assert errors == []
    assert max(counts) == site.engine().index.count() == 5
