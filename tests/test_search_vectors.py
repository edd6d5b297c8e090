"""The vectors of an index: small, found again by their text, and never missed when their file is damaged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yidian.search.backends import create
from yidian.search.dense import EmbedderUnavailable
from yidian.search.documents import Document
from yidian.search.engine import Engine
from yidian.search.vectors import BATCH, MAX_FAILURES, MAX_TEXT, Vectors, bytes_a_text, pack, unpack

DIMENSIONS = 48


class Counted:
    """An embedder whose vectors share most of their length, as a model's do, and that counts what it is asked."""

    def __init__(self):
        self.asked, self.fails = [], False

    def __call__(self, texts, kind):
        if self.fails:
            raise EmbedderUnavailable("没有应答")
        self.asked += texts
        vectors = np.array([self.vector(text) for text in texts], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @staticmethod
    def vector(text):
        return 3 + np.random.default_rng(sum(map(ord, text))).normal(size=DIMENSIONS)


TEXTS = [f"第{number}条：{word}怎么办" for number in range(20) for word in ("抽筋", "发热", "咳嗽")]


@pytest.fixture
def made(tmp_path):
    embedder = Counted()
    vectors = Vectors(tmp_path / "vectors", embedder, "model-1")
    return embedder, vectors, vectors.numbers(TEXTS)


def test_the_nearest_stay_the_nearest_in_an_eighth_of_the_space(made, tmp_path):
    embedder, vectors, numbers = made
    whole = embedder(TEXTS, "passage")
    for at, query in enumerate(whole):
        near = vectors.nearness(query, numbers)
        assert near[at] > 0.9 * near.max()
        assert np.corrcoef(near, whole @ query)[0, 1] > 0.8
    assert bytes_a_text(384) == 12 + 384 * 3 // 8
    assert (tmp_path / "vectors").stat().st_size < len(TEXTS) * bytes_a_text(DIMENSIONS) + 4 * DIMENSIONS + 100


def test_a_text_is_encoded_once(made, tmp_path):
    embedder, vectors, numbers = made
    assert numbers == list(range(len(TEXTS))) and len(embedder.asked) == len(TEXTS)
    again = Vectors(tmp_path / "vectors", embedder, "model-1")
    assert again.numbers(TEXTS[5:7]) == [5, 6] and len(embedder.asked) == len(TEXTS)
    assert again.numbers(["新的", TEXTS[0], "长" * 2 * MAX_TEXT]) == [60, 0, 61]
    assert embedder.asked[-2:] == ["新的", "长" * MAX_TEXT]
    # a new index takes over what it can, also from one whose building was interrupted in the middle of a row
    whole = (tmp_path / "vectors").read_bytes()
    (tmp_path / "vectors").write_bytes(whole[:-3])
    before = len(embedder.asked)
    built = Vectors(tmp_path / "new", embedder, "model-1", [tmp_path / "none", tmp_path / "vectors"])
    places = built.numbers([TEXTS[3], "更新的", "新的", "长" * MAX_TEXT])
    assert sorted(places) == [0, 1, 2, 3] and embedder.asked[before:] == ["更新的", "长" * MAX_TEXT]
    query = embedder(["抽筋"], "query")[0]
    assert built.nearness(query, places[:1]) == vectors.nearness(query, [3])
    # and goes on behind half a row
    embedder.asked.clear()
    whole = Vectors(tmp_path / "vectors", embedder, "model-1")
    assert whole.numbers(["最新的"]) == [61]
    assert np.isfinite(whole.nearness(query, [60, 61])).all() and not whole.damaged.exists()


def test_vectors_of_another_model_are_not_mixed(made, tmp_path):
    embedder, _, numbers = made
    other = Vectors(tmp_path / "vectors", embedder, "model-2")
    assert other.numbers(["新的"]) == [-1]
    assert np.isnan(other.nearness(embedder(["抽筋"], "query")[0], numbers)).all()
    built = Vectors(tmp_path / "new", embedder, "model-2", [tmp_path / "vectors"])
    assert built.numbers(TEXTS[:2]) == [0, 1] and embedder.asked[-2:] == TEXTS[:2]


def test_a_server_that_is_gone_is_not_waited_for_again_and_again(tmp_path):
    embedder = Counted()
    embedder.fails = True
    calls = []
    vectors = Vectors(tmp_path / "vectors", lambda texts, kind: (calls.append(1), embedder(texts, kind))[1])
    texts = [str(number) for number in range(10 * BATCH)]
    assert set(vectors.numbers(texts)) == {-1} and len(calls) == MAX_FAILURES
    embedder.fails = False
    assert Vectors(tmp_path / "vectors", embedder).numbers(texts[:3]) == [0, 1, 2]


@pytest.mark.parametrize("damage", ["gone", "emptied", "cut", "head", "flipped"])
def test_a_damaged_file_leaves_search_complete_without_it(tmp_path, damage):
    embedder = Counted()
    path = tmp_path / "vectors"
    engine = Engine(create(tmp_path / "index"), vectors=Vectors(path, embedder))
    with engine.index.writer() as writer:
        engine.write(writer, [Document("answer", str(at), (), text) for at, text in enumerate(TEXTS)])
        engine.commit(writer)
    with_vectors = engine.search("抽筋怎么办")
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = bytearray(whole)
        for at in range(len(whole) // 2, len(whole)):
            flipped[at] ^= 0x10
        damaged = {"emptied": b"", "cut": whole[: len(whole) // 2], "head": b"x" + whole[1:], "flipped": bytes(flipped)}
        path.write_bytes(damaged[damage])
    vectors = Vectors(path, embedder)
    assert not vectors.damaged.exists()
    plain = Engine(engine.index).search("抽筋怎么办")
    found = Engine(engine.index, vectors=vectors).search("抽筋怎么办")
    assert [each.key for each in found] == [each.key for each in plain] != [each.key for each in with_vectors]
    assert vectors.damaged.exists()
    # what is whole in it is used again
    embedder.asked.clear()
    Vectors(tmp_path / "new", embedder, "", [path]).numbers(TEXTS)
    assert len(embedder.asked) == {"gone": 60, "emptied": 60, "head": 60}.get(damage, len(embedder.asked))
    assert damage in ("gone", "emptied", "head") or 0 < len(embedder.asked) < 60


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32))
def test_any_vector_comes_back_about_as_it_was(dimensions, count, seed):
    chance = np.random.default_rng(seed)
    vectors, mean = chance.normal(size=(count, dimensions)), chance.normal(size=dimensions)
    back = unpack(pack(vectors, mean), dimensions)
    assert back.shape == vectors.shape and np.isfinite(back).all()
    # never further from it than nothing at all
    assert (np.linalg.norm(vectors - mean - back, axis=1) <= np.linalg.norm(vectors - mean, axis=1) * 1.01).all()
