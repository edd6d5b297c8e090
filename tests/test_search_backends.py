"""The contract of every search engine behind the interface: put, remove, commit, search, share, break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yidian.search import backends
from yidian.search.backends import IndexBusy, IndexDamaged, Term


@pytest.fixture(params=backends.NAMES)
def name(request):
    return request.param


@pytest.fixture
def index(name, tmp_path):
    made = backends.create(tmp_path / "index", name)
    with made.writer() as writer:
        for number in range(5):
            writer.put(
                f"question:{number}",
                head=["抽", "抽筋"],
                body=["痛"] * number + ["第", str(number)],
                tags=["kind:question", "part:even" if number % 2 == 0 else "part:odd"],
                payload=b"v\x00%d" % number,
            )
        writer.commit()
    return made


def keys(hits):
    return [hit.key for hit in hits]


def test_more_of_a_word_is_better_and_what_was_stored_comes_back(index):
    hits = index.search([Term("body", "痛")], limit=10)
    assert keys(hits) == ["question:4", "question:3", "question:2", "question:1"]
    assert hits[0].payload == b"v\x004"
    assert hits[0].score > hits[-1].score > 0


def test_equal_scores_come_in_the_order_of_keys_and_no_more_than_asked(index):
    assert keys(index.search([Term("head", "抽筋")], limit=3)) == ["question:0", "question:1", "question:2"]


def test_a_heavier_term_decides(index):
    terms = [Term("body", "1", 5.0), Term("body", "痛", 0.1)]
    assert keys(index.search(terms, limit=1)) == ["question:1"]


def test_tags_and_required_terms_narrow_without_scoring(index):
    odd = index.search([Term("body", "痛")], limit=10, tags=[["part:odd"]])
    assert keys(odd) == ["question:3", "question:1"]
    free = {hit.key: hit.score for hit in index.search([Term("body", "痛")], limit=10)}
    assert all(hit.score == pytest.approx(free[hit.key]) for hit in odd)
    assert keys(index.search([Term("body", "痛")], limit=10, tags=[["part:odd", "part:even"]])) == list(free)
    assert index.search([Term("body", "痛")], limit=10, tags=[["part:odd"], ["part:even"]]) == []
    assert keys(index.search([Term("body", "痛")], limit=9, required=[[Term("body", "2")]])) == ["question:2"]
    assert index.search([Term("body", "痛")], limit=9, required=[[Term("head", "没有")]]) == []


def test_a_document_replaces_the_one_with_its_key(index):
    with index.writer() as writer:
        writer.put("question:4", head=["新"], body=[], tags=[], payload=b"new")
        writer.commit()
    assert (index.count(), keys(index.search([Term("body", "痛")], limit=1))) == (5, ["question:3"])
    assert index.search([Term("head", "新")], limit=9)[0].payload == b"new"


def test_a_removed_document_is_gone(index):
    with index.writer() as writer:
        writer.remove("question:4")
        writer.remove("question:never")
        writer.commit()
    assert (index.count(), keys(index.search([Term("body", "痛")], limit=1))) == (4, ["question:3"])


def test_what_is_not_committed_is_dropped(index):
    with index.writer() as writer:
        writer.remove("question:4")
    with pytest.raises(RuntimeError), index.writer() as writer:
        writer.put("question:9", head=["新"], body=[], tags=[])
        raise RuntimeError
    assert index.count() == 5
    assert index.search([Term("head", "新")], limit=9) == []


def test_another_reader_sees_a_commit_when_it_looks_again(index, name, tmp_path):
    reader = backends.open_index(tmp_path / "index", name)
    with index.writer() as writer:
        writer.remove("question:4")
        writer.commit()
    assert reader.count() == 5
    reader.refresh()
    assert reader.count() == 4


def test_only_one_writes(index, name, tmp_path):
    second = backends.open_index(tmp_path / "index", name)
    with index.writer(), pytest.raises(IndexBusy), second.writer():
        pass
    with second.writer() as writer:
        writer.commit()


def test_frequencies_are_of_documents(index):
    assert [index.frequency("body", token) for token in ("痛", "4", "没有")] == [4, 1, 0]
    assert index.frequency("head", "抽筋") == 5


def test_no_terms_find_nothing(index):
    assert index.search([], limit=10) == index.search([Term("body", "痛")], limit=0) == []


def test_a_missing_index_says_so(name, tmp_path):
    with pytest.raises(IndexDamaged):
        backends.open_index(tmp_path / "nothing", name)


@pytest.mark.parametrize("damage", ["cut", "emptied", "gone", "garbage"])
def test_a_damaged_index_says_so(index, name, tmp_path, damage):
    files = [path for path in (tmp_path / "index").rglob("*") if path.is_file() and path.stat().st_size > 50]
    assert files
    for path in files:
        whole = path.read_bytes()
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes({"cut": whole[: len(whole) // 2], "emptied": b"", "garbage": b"\xff" * len(whole)}[damage])
    with pytest.raises(IndexDamaged):
        backends.open_index(tmp_path / "index", name).search([Term("body", "痛")], limit=10)


@given(token=st.text(min_size=1, max_size=20).filter(lambda text: text.split() == [text] and "\ud800" not in text))
def test_any_token_is_found_again(tmp_path_factory, token):
    try:
        token.encode()
    except UnicodeEncodeError:
        return
    index = backends.create(tmp_path_factory.mktemp("index") / "index")
    with index.writer() as writer:
        writer.put("a:1", head=[token], body=["x"], tags=[])
        writer.commit()
    assert keys(index.search([Term("head", token)], limit=9)) == ["a:1"]


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="没有叫 nothing 的检索后端"):
        backends.backend("nothing")
