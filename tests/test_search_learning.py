"""Learning to rank from pairs, and judging a search: on small corpora made here."""

import json
import random
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from loopback import serving

from yidian.cli.search_evaluate import evaluate
from yidian.search import ranking
from yidian.search.backends import create
from yidian.search.dense import EmbedderUnavailable, embedder
from yidian.search.documents import Document
from yidian.search.engine import Engine
from yidian.search.learning import MIN_PAIRS, train
from yidian.search.ranking import ModelDamaged, document, load, rescore
from yidian.search.vectors import Vectors
from yidian.zh.grams import grams

ILLNESSES = ["高血压", "糖尿病", "偏头痛", "胃溃疡", "支气管炎", "脂肪肝", "甲亢", "痛风", "贫血", "肺炎"]
FOODS = ["花生", "党参", "牛奶", "苹果", "香蕉", "海带", "豆腐", "鸡蛋", "茶叶", "红枣", "核桃", "山药"]
POLITE = ["请问一下各位医生专家", "急求帮助谢谢各位", "麻烦大夫帮忙看看"]


def pairs(count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Questions full of politeness, which many other answers repeat, about a food and an illness, which decide."""
    chance = random.Random(seed)  # noqa: S311 - made-up text
    made = []
    for number in range(count):
        illness, food, polite = chance.choice(ILLNESSES), chance.choice(FOODS), chance.choice(POLITE)
        other = "".join(chance.choice(POLITE) for _ in range(chance.randint(0, 2)))
        made.append(
            (
                f"{polite}{illness}能吃{food}吗",
                f"{other}{illness}的人少量吃{food}没有关系，{chance.choice(ILLNESSES)}要另说，第{number}条。",
            )
        )
    return made


@pytest.fixture(scope="module")
def learned():
    return train(pairs(240))


def test_what_decides_counts_more_than_politeness(learned):
    assert not learned.is_plain
    weights = learned.weigh({"请问": 1.0, "花生": 1.0, "§cramp": 0.5, "ct": 1.0})
    assert weights["花生"] > 1.5 * weights["请问"]
    assert weights["§cramp"] == 0.5 and weights["ct"] == 1.0, "what is not known counts as it was given"
    assert learned.weigh({"𠮷𠮷": 1.0, "𠮷": 0.5, "花𠮷": 1.0}) == {"𠮷𠮷": 1.0, "𠮷": 0.5, "花𠮷": 1.0}


def test_the_second_look_puts_the_answer_first(learned):
    texts = ["请问一下各位医生专家，谢谢各位，请问一下各位医生。", "高血压的人少量吃花生没有关系。"]
    tokens = dict.fromkeys(grams("请问一下各位医生专家高血压能吃花生吗"), 1.0)
    scores = rescore(learned, tokens, [document(text) for text in texts], [9.0, 8.0])
    assert scores[1] > scores[0]
    plain = replace(learned, coefficients=np.zeros_like(learned.coefficients))
    assert list(rescore(plain, tokens, [document(text) for text in texts], [9.0, 8.0])) == [9.0, 8.0]


@pytest.mark.parametrize("texts", [["花生米"], ["花生米"] * 3])
def test_the_only_answer_is_the_best_one(learned, texts, tmp_path):
    engine = Engine(create(tmp_path / "index"), model=learned)
    with engine.index.writer() as writer:
        engine.write(writer, [Document("answer", str(at), (), text) for at, text in enumerate(texts)])
        engine.commit(writer)
    assert [found.score for found in engine.search("能吃花生吗")] == [1.0] * len(texts)


@pytest.mark.parametrize("count", [0, 1, 10, MIN_PAIRS - 1])
def test_few_pairs_leave_the_order_alone(count):
    model = train(pairs(count), ["高血压的人要少吃盐。"])
    assert model.is_plain
    assert list(rescore(model, {"高": 1.0}, [b""], [3.0])) == [3.0]
    assert model.weigh({"高": 1.0}) == {"高": 1.0}


def test_pairs_that_teach_nothing_leave_the_order_alone():
    made = pairs(120)
    shuffled = [answer for _, answer in made]
    chance = random.Random(3)  # noqa: S311 - made-up text
    chance.shuffle(shuffled)
    questions = ["".join(chance.sample("甲乙丙丁戊己庚辛壬癸子丑寅卯", 6)) for _ in range(120)]
    assert train(list(zip(questions, shuffled, strict=True))).is_plain


def test_learning_is_deterministic_and_survives_its_file(tmp_path, learned):
    again = train(pairs(240))
    learned.save(tmp_path / "model.npz")
    for other in (again, load(tmp_path / "model.npz")):
        assert np.array_equal(other.weight, learned.weight) and np.array_equal(other.keys, learned.keys)
        assert np.array_equal(other.coefficients, learned.coefficients) and other.report == learned.report


def test_a_damaged_model_is_refused(tmp_path, learned):
    path = tmp_path / "model.npz"
    learned.save(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:at])
        with pytest.raises(ModelDamaged):
            load(path)
    path.write_bytes(whole[: len(whole) // 2] + bytes(64) + whole[len(whole) // 2 + 64 :])
    with pytest.raises(ModelDamaged):
        load(path)
    replace(learned, weight=learned.weight[1:]).save(path)
    with pytest.raises(ModelDamaged):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
    path.write_bytes(whole)
    assert load(path).documents == learned.documents


# What people write, and characters that take one, two and three bytes of an index: 的, 筋, 𠮷 and 鿕, CT.
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("的一抽筋肝𠮷鿕龦 ，aC1")), max_size=80)


@given(TEXTS, st.lists(TEXTS, max_size=4))
def test_grams_are_counted_as_the_engine_cuts_them(question, texts):
    tokens = list(dict.fromkeys(grams(question)))
    keys = np.unique(np.array([ranking._key(token) for token in tokens], np.uint32))
    keys = keys[keys > 0][:150]
    keys = np.union1d(keys, np.concatenate([keys >> 16, keys & 0xFFFF]).astype(np.uint32))
    keys = keys[keys > 0]
    found = ranking.matches(keys, [document(text) for text in texts])
    for number, text in enumerate(texts):
        held = [ranking._key(token) for token in grams(text)]
        assert list(found.everywhere[number]) == [held.count(key) for key in keys]
        made = ranking.units(text)
        assert found.lengths[number] == len(made)
        for window, counts in zip(ranking.EARLY, found.early, strict=True):
            begin = [*made[:window], *ranking.pairs_of(made)[:window]]
            assert list(counts[number]) == [begin.count(key) for key in keys]


@pytest.fixture
def files(tmp_path):
    made = pairs(160)
    corpus, queries, training = tmp_path / "answers.jsonl", tmp_path / "dev.json", tmp_path / "train.csv"
    corpus.write_text(
        "".join(json.dumps({"id": at, "answer": answer}) + "\n" for at, (_, answer) in enumerate(made)), "utf-8"
    )
    queries.write_text(json.dumps([{"query": made[at][0], "relevant": [at]} for at in range(40)]), "utf-8")
    training.write_text(
        "title,answer\n" + "".join(f'"{question}","{answer}"\n' for question, answer in made[40:]), "utf-8"
    )
    return corpus, queries, training


def run(corpus, queries, training=None, *more):
    arguments = ["--corpus", str(corpus), "--queries", str(queries), "--json", *more]
    if training:
        arguments += ["--train", str(training)]
    return CliRunner().invoke(evaluate, arguments)


def test_evaluate_reports_what_the_contract_names(files, tmp_path):
    corpus, queries, training = files
    done = run(corpus, queries, training, "--run", str(tmp_path / "run.jsonl"))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert {"ndcg@10", "recall@10", "recall@100", "mrr@10", "ci95", "baselines", "cpu_ms_p50", "cpu_ms_p95"} <= set(
        report
    )
    assert report["build_cpu_s"] >= 0 and report["index_bytes"] > 0
    for name in ("jieba", "grams"):
        assert 0 < report["baselines"][name]["ndcg@10"] < 1
    low, high = report["ci95"]["ndcg@10"]
    assert low < report["ndcg@10"] < high
    rows = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 40
    firsts = sum(row["results"][0]["id"] == str(at) for at, row in enumerate(rows))
    assert firsts / 40 <= report["mrr@10"] <= 1
    plain = json.loads(run(corpus, queries).stdout)
    assert report["ndcg@10"] > plain["ndcg@10"] > 0


@pytest.mark.parametrize(
    ("which", "content", "where"),
    [
        (0, b'{"id": 1, "answer": "a"}\n{"id": 2,\n', "answers.jsonl 第 2 行"),
        (0, b'{"answer": "a"}\n', "answers.jsonl 第 1 行：没有 id"),
        (0, b'{"id": 1, "answer": "a"}\n\n{"id": 1, "answer": "b"}\n', "answers.jsonl 第 3 行：id 1"),
        (
            0,
            '{"id": 1, "answer": "a"}\n{"id": 2, "answer": "高"}'.encode("gb18030"),
            "answers.jsonl 第 2 行：不是 UTF-8",
        ),
        (0, b"", "answers.jsonl：是空的"),
        (1, b'[{"query": "a",\n "relevant": [0]},\n', "dev.json 第 3 行：不是 JSON"),
        (1, b'[{"query": " ", "relevant": [0]}]', "dev.json 第 1 项：没有 query"),
        (1, b'[{"query": "a", "relevant": []}]', "dev.json 第 1 项：没有 relevant"),
        (
            1,
            b'[{"query": "a", "relevant": [0]}, {"query": "a", "relevant": [9999]}]',
            "dev.json 第 2 项：语料里没有 id 9999",
        ),
        (1, b"{}", "dev.json：要是一个列表"),
        (2, b"question,answer\na,b\n", "train.csv 第 1 行：没有 title"),
        (2, b"title,answer\na,b\nc\n", "train.csv 第 3 行：列不够"),
        (2, b'title,answer\na,"b\n', "train.csv 第"),
    ],
)
def test_bad_input_is_named_with_its_line(files, which, content, where):
    files[which].write_bytes(content)
    done = run(*files)
    assert done.exit_code == 1
    assert where in done.stderr and where in json.loads(done.stdout)["error"]


def test_a_file_that_is_not_there_is_named(files, tmp_path):
    done = run(tmp_path / "none.jsonl", files[1])
    assert done.exit_code == 1 and "none.jsonl" in done.stderr


class FixedAnswer(BaseHTTPRequestHandler):
    """A server of embeddings that answers what its class says."""

    status, body = 200, b""
    asked: list[dict] = []

    def do_POST(self):
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | dict(self.headers))
        self.send_response(self.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    FixedAnswer.asked = []
    with serving(FixedAnswer) as address:
        yield f"{address}/v1/embeddings"


def test_a_server_gives_vectors_in_the_order_asked(server):
    rows = [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}]
    FixedAnswer.status, FixedAnswer.body = 200, json.dumps({"data": rows}).encode()
    vectors = embedder(server, key="secret", model="m3")(["抽筋", "发热"], "passage")
    assert np.allclose(vectors, [[0.6, 0.8], [0, 1]])
    assert FixedAnswer.asked[0]["input"] == ["抽筋", "发热"] and FixedAnswer.asked[0]["model"] == "m3"
    assert FixedAnswer.asked[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"no"),
        (302, b""),
        (200, b"no JSON"),
        (200, b"[]"),
        (200, b'{"data": []}'),
        (200, b'{"data": [{"index": 0}]}'),
    ],
)
def test_a_server_that_fails_leaves_search_complete_without_it(server, status, body, tmp_path, caplog):
    FixedAnswer.status, FixedAnswer.body = status, body
    ask = embedder(server)
    with pytest.raises(EmbedderUnavailable) as refused:
        ask(["小腿抽筋"], "query")
    assert "抽筋" not in str(refused.value)
    engine = Engine(create(tmp_path / "index"), vectors=Vectors(tmp_path / "vectors", ask))
    with engine.index.writer() as writer:
        engine.write(writer, [Document("answer", "1", ("小腿抽筋",), "先伸直小腿。")])
        engine.commit(writer)
    assert [found.object_id for found in engine.search("小腿抽筋")] == ["1"]
    assert "小腿抽筋" not in caplog.text, "what a reader types is never logged"


def test_a_near_meaning_moves_up(tmp_path):
    def embed(texts, kind):
        return np.array([[1.0, 0.0] if "肠肌" in text or kind == "query" else [0.0, 1.0] for text in texts], "f4")

    for meaning, first in ((None, "1"), (embed, "2")):
        vectors = Vectors(tmp_path / "vectors", meaning) if meaning else None
        engine = Engine(create(tmp_path / str(first)), vectors=vectors)
        with engine.index.writer() as writer:
            wheres = enumerate(["夜里", "腓肠肌", "老人", "孕妇"], 1)
            engine.write(writer, [Document("answer", str(number), (), f"{where[-2:]}抽筋") for number, where in wheres])
            engine.commit(writer)
        assert engine.search("抽筋")[0].object_id == first


def test_no_embedder_is_the_default_and_a_wrong_name_is_refused(tmp_path):
    assert embedder("") is None
    for name in ("nano", "ftp://host/v1", "http://", str(tmp_path / "none")):
        with pytest.raises(ValueError, match="不是"):
            embedder(name)
    with pytest.raises(EmbedderUnavailable):
        embedder(str(tmp_path))
