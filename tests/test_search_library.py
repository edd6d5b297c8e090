"""The site's full-text index: kept up with the database, built beside the one that serves, whole after any crash."""

import contextlib
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler

import content
import numpy as np
import pytest
from django.db import connection, transaction
from loopback import serving

from yidian.answers.models import Question
from yidian.cli.serve import warm_search
from yidian.editorial.searchable import documents
from yidian.encyclopedia.models import Condition
from yidian.search import backends
from yidian.search import library as library_module
from yidian.search.analysis import body_tokens, head_tokens
from yidian.search.ask import ask
from yidian.search.documents import Document
from yidian.search.engine import Engine
from yidian.search.lexicon import Lexicon
from yidian.search.library import NotReady, library
from yidian.search.models import IndexRequest, IndexState
from yidian.search.vectors import Vectors

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


def test_a_text_kept_for_search_is_that_of_the_page(site):
    guide = content.guide()
    entries = [*Question.objects.all(), *Condition.objects.all(), guide]
    kept = [documents(each.kind, [each.pk]) for each in entries]
    assert all(each.searched for each in (*Question.objects.all(), *Condition.objects.all()))
    assert "多数不是。" in documents("question", [Question.objects.get().pk])[0].body
    for each in entries:
        type(each).objects.filter(pk=each.pk).update(searched="")
    assert [documents(each.kind, [each.pk]) for each in entries] == kept


def test_a_text_kept_of_another_publication_is_not_shown(site):
    question = content.question("腿麻怎么办？")
    site.catch_up()
    for mark in ("", "0 ", Question.objects.get(pk=question.pk).searched.partition("\n")[0][:-1]):
        Question.objects.filter(pk=question.pk).update(searched=f"{mark}\n腿麻是旧的说法。")
        shown = next(item for item in ask("腿麻").items if item.document.object_id == str(question.pk))
        assert "旧的说法" not in shown.document.body + shown.snippet


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


# What an index is made of, for each VERSION. When this fails, the format changed: raise VERSION, so that indexes of the
# old one are built again, and put the new fingerprint here.
FORMATS = {3: "68b7ca96a229e40f"}


def test_the_version_changes_with_the_format(tmp_path):
    lexicon = Lexicon([("cramp", "抽筋", "symptom", ("痉挛",))])
    engine = Engine(backends.create(tmp_path / "index"), lexicon, vectors=Vectors(tmp_path / "vectors", numbered, "m"))
    document = Document("answer", "7", ("小腿痉挛", "CT"), "夜里𠮷抽筋，aspirin 75mg 无效。㗎", ("body_part:xiaotui",))
    with engine.index.writer() as writer:
        engine.write(writer, [document])
        engine.commit(writer)
    meta = json.loads((tmp_path / "index" / "meta.json").read_text("utf-8"))
    made = hashlib.sha256()
    made.update(json.dumps([meta["schema"], meta["index_settings"]], sort_keys=True).encode())
    made.update(json.dumps([head_tokens(document, lexicon), body_tokens(document, lexicon)]).encode())
    for name in ("index/rows", "vectors"):
        made.update((tmp_path / name).read_bytes())
    assert {library_module.VERSION: made.hexdigest()[:16]} == FORMATS


def numbered(texts, kind):
    """Vectors of eight numbers, the same for the same text."""
    made = np.array([[(sum(map(ord, text)) * at) % 97 + 1 for at in range(1, 9)] for text in texts], np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture
def asked(monkeypatch, settings):
    """The texts that were encoded, on a site with an embedder."""
    texts = []

    def counted(given, kind):
        texts.extend(given if kind == "passage" else [])
        return numbered(given, kind)

    settings.YIDIAN_EMBEDDER = "counted"
    monkeypatch.setattr(library_module, "embedder", lambda name, key, model: counted if name else None)
    library_module._opened.cache_clear()
    yield texts
    library_module._opened.cache_clear()


def test_vectors_are_made_once_for_each_text(asked, site):
    made = len(asked)
    assert made == 2
    content.condition("shenjingmai-xueshuan", "深静脉血栓", description="腿里的静脉结了血块。")
    site.catch_up()
    assert len(asked) == made + 1
    site.build()
    assert len(asked) == made + 1, "a new index takes over the vectors of the old one"
    assert found("腿里结了血块")[0] == "深静脉血栓"
    assert not site.is_due()


def test_a_build_that_was_interrupted_goes_on_where_it_was(asked, site, monkeypatch):
    from yidian.editorial import searchable

    for number in range(5):
        content.condition(f"bing-{number}", f"测试病{number}", description=f"第{number}种。")
    (site.folder / site.current() / "vectors").unlink()
    reading = searchable.every
    asked.clear()

    def dies(*how):
        yield from reading(*how)
        raise RuntimeError("the process dies")

    with monkeypatch.context() as patched:
        patched.setattr(searchable, "every", dies)
        with pytest.raises(RuntimeError):
            site.build()
    assert len(asked) == 7
    site.build()
    assert len(asked) == 7
    assert [path.name for path in site.folder.iterdir() if path.is_dir()] == [site.current()]


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_damaged_vectors_are_done_without_until_the_index_is_built_again(asked, site, client, damage):
    assert found("小腿抽筋")
    path = site.folder / site.current() / "vectors"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])
    library_module._library.cache_clear()  # as another process finds it
    assert not library().is_due()
    assert found("小腿抽筋")[0] == "小腿抽筋"
    assert library().is_due()
    library().build()
    assert not library().is_due()
    assert found("小腿抽筋")[0] == "小腿抽筋" and not library().is_due()


def test_a_change_during_a_build_is_in_both_indexes(site, monkeypatch):
    from yidian.editorial import searchable

    reading = searchable.every

    def meanwhile(*how):
        yield from reading(*how)
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


def process(folder, work, embedder="", **options):
    environment = os.environ | {"YIDIAN_DATA": str(folder), "YIDIAN_EMBEDDER": embedder}
    code = textwrap.dedent(CODE).format(work=textwrap.dedent(work))
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, **options)


class Numbering(BaseHTTPRequestHandler):
    """A server that speaks OpenAI's embeddings, with the vectors of `numbered`."""

    def do_POST(self):
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        vectors = [{"index": at, "embedding": row} for at, row in enumerate(numbered(texts, "passage").tolist())]
        body = json.dumps({"data": vectors}).encode()
        with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args): ...


@pytest.fixture
def numbering():
    with serving(Numbering) as address:
        yield f"{address}/v1/embeddings"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="starts a site of its own, on SQLite")
def test_a_build_killed_at_any_moment_leaves_a_whole_index(tmp_path, numbering):
    first = process(
        tmp_path,
        "from yidian.cli import start; start.prepare_database(); start.load_starter(lambda i, n, label='': i)",
    )
    assert first.wait(120) == 0
    first.stdout.close()
    search = tmp_path / "search"
    current = (search / "current").read_text()
    for embedder in ("", numbering):
        for delay in (0.0, 0.05, 0.1, 0.2, 0.4):
            killed = process(tmp_path, "print('go', flush=True)\nlibrary().build()", embedder)
            assert killed.stdout.readline() == "go\n"
            time.sleep(delay)
            killed.send_signal(signal.SIGKILL)
            killed.wait(30)
            killed.stdout.close()
            after = (search / "current").read_text()
            assert (search / after / "index" / "meta.json").exists()
            if delay == 0.0:
                assert after == current
        last = process(
            tmp_path,
            """
            print(len(library().engine().search('小腿抽筋')) > 5, library().build() > 50)
            engine = library().engine()
            print(len(engine.search('小腿抽筋')) > 5, library().is_due(), engine.vectors is not None)
            """,
            embedder,
        )
        assert last.stdout.read() == f"True True\nTrue False {bool(embedder)}\n"
        assert last.wait(60) == 0
        last.stdout.close()
        current = (search / "current").read_text()
        assert [path.name for path in search.iterdir() if path.is_dir()] == [current]
        assert (search / current / "vectors").exists() is bool(embedder)


def test_several_processes_share_the_index(site):
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


def test_what_a_worker_has_read_is_passed_over_when_garbage_is_looked_for(site):
    engine = site.engine()
    assert any(each is engine.lexicon.terms for each in gc.get_objects())
    try:
        warm_search()
        assert not any(each is engine.lexicon.terms for each in gc.get_objects())
    finally:
        gc.unfreeze()
