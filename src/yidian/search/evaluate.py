"""How well a corpus is searched, judged by questions whose answers are known, beside two baselines of the same run."""

import csv
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yidian.search.dense import Embedder
from yidian.zh.grams import grams
from yidian.zh.normalise import normalise

# As deep as recall is looked at.
DEPTH = 100
MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10")
# Enough that an interval's ends move by less than its third digit between seeds.
DRAWS = 2_000
K1, B = 1.2, 0.75
# Texts put into the index at once: with vectors a few minutes of encoding.
BATCH = 500

Search = Callable[[str, int], list[tuple[str, float]]]


class BadInput(Exception):
    """A file that cannot be judged by, with its name, the line or entry, and what is wrong there."""


@dataclass(frozen=True)
class Question:
    """A question and the ids of the texts that answer it."""

    text: str
    relevant: frozenset[str]


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}：打不开（{error.strerror or error}）") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path} 第 {line} 行：不是 UTF-8，请另存为 UTF-8 再来。") from error


def read_corpus(path: Path) -> dict[str, str]:
    """The texts of a JSON Lines file of {"id", "answer"} by id, in order; BadInput."""
    texts: dict[str, str] = {}
    # Not splitlines: a text may hold line separators of its own.
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path} 第 {number} 行"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f'{where}：不是 JSON，要写成 {{"id": …, "answer": "…"}}。') from error
        if not isinstance(row, dict) or not _is_id(row.get("id")):
            raise BadInput(f"{where}：没有 id，要写成数字或文字。")
        if not isinstance(row.get("answer"), str):
            raise BadInput(f"{where}：没有 answer，要写成文字。")
        key = str(row["id"])
        if key in texts:
            raise BadInput(f"{where}：id {key} 前面已经有了，每个只能用一次。")
        texts[key] = row["answer"]
    if not texts:
        raise BadInput(f"{path}：是空的，要每行一份 JSON。")
    return texts


def _is_id(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value != "")


def read_questions(path: Path, known: Iterable[str]) -> list[Question]:
    """The questions of a JSON file [{"query", "relevant": [ids]}]; BadInput, also for an id that is not known."""
    try:
        rows = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path} 第 {error.lineno} 行：不是 JSON。") from error
    except RecursionError as error:
        raise BadInput(f"{path}：套得太深，读不了。") from error
    if not isinstance(rows, list) or not rows:
        raise BadInput(f'{path}：要是一个列表 [{{"query": "…", "relevant": [id, …]}}, …]，至少一项。')
    known = set(known)
    questions = []
    for number, row in enumerate(rows, 1):
        where = f"{path} 第 {number} 项"
        if not isinstance(row, dict) or not isinstance(row.get("query"), str) or not row["query"].strip():
            raise BadInput(f"{where}：没有 query，要写成不空的文字。")
        relevant = row.get("relevant")
        if not isinstance(relevant, list) or not relevant or not all(map(_is_id, relevant)):
            raise BadInput(f"{where}：没有 relevant，要写成答案 id 的列表，至少一个。")
        missing = [each for each in relevant if str(each) not in known]
        if missing:
            raise BadInput(f"{where}：语料里没有 id {missing[0]}。")
        questions.append(Question(row["query"], frozenset(map(str, relevant))))
    return questions


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The (title, answer) pairs of a CSV file with these columns; BadInput."""
    reader = csv.DictReader(_text(path).split("\n"), strict=True)
    try:
        missing = {"title", "answer"} - set(reader.fieldnames or ())
        if missing:
            raise BadInput(f"{path} 第 1 行：没有 {'、'.join(sorted(missing))} 这一列。")
        pairs = []
        for row in reader:
            if row["title"] is None or row["answer"] is None:
                raise BadInput(f"{path} 第 {reader.line_num} 行：列不够。")
            pairs.append((row["title"], row["answer"]))
    except csv.Error as error:
        raise BadInput(f"{path} 第 {reader.line_num} 行：不是 CSV（{error}）。") from error
    return pairs


class _Bm25:
    """BM25 (k1 1.2, b 0.75, idf as in Lucene) that scores every text; for baselines only."""

    def __init__(self, texts: Sequence[list[str]]):
        postings: dict[str, list[tuple[int, int]]] = {}
        for at, tokens in enumerate(texts):
            counts: dict[str, int] = {}
            for token in tokens:
                counts[token] = counts.get(token, 0) + 1
            for token, count in counts.items():
                postings.setdefault(token, []).append((at, count))
        self.size = len(texts)
        lengths = np.array([len(tokens) for tokens in texts], np.float64)
        norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0))
        self.postings = {}
        for token, held in postings.items():
            at, count = np.array(held).T
            rarity = np.log1p((self.size - len(at) + 0.5) / (len(at) + 0.5))
            self.postings[token] = at, rarity * count * (K1 + 1) / (count + norm[at])

    def best(self, tokens: Iterable[str]) -> list[tuple[int, float]]:
        scores = np.zeros(self.size)
        for token in set(tokens):
            if token in self.postings:
                at, parts = self.postings[token]
                scores[at] += parts
        best = np.argsort(-scores, kind="stable")[:DEPTH]
        return [(int(at), float(scores[at])) for at in best if scores[at] > 0]


def jieba_words(text: str) -> list[str]:
    """The words of a text as jieba cuts them, without punctuation."""
    import rjieba

    return [word for word in rjieba.cut(normalise(text)) if any(char.isalnum() for char in word)]


def _measure(ranked: Sequence[str], relevant: frozenset[str]) -> list[float]:
    """MEASURES of one ranking, relevance binary (Järvelin and Kekäläinen 2002 for nDCG)."""
    hits = [at for at, key in enumerate(ranked[:DEPTH]) if key in relevant]
    top = [at for at in hits if at < 10]
    ideal = sum(1 / np.log2(at + 2) for at in range(min(10, len(relevant))))
    return [
        sum(1 / np.log2(at + 2) for at in top) / ideal,
        len(top) / len(relevant),
        len(hits) / len(relevant),
        1 / (top[0] + 1) if top else 0.0,
    ]


def _interval(values: np.ndarray) -> list[float]:
    return [round(float(each), 4) for each in np.quantile(values, [0.025, 0.975])]


def judge(
    search: Search,
    texts: dict[str, str],
    questions: Sequence[Question],
    *,
    run: Path | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> dict:
    """MEASURES of a search over the questions with 95 % intervals (bootstrap), beside BM25 of words and of grams.

    `ratio_to_jieba` is that of nDCG@10, its interval from the same draws (paired). CPU is this process's, in
    milliseconds a question. With `run`, the first 100 of each question go there, a JSON object a line.
    """
    progress("检索")
    found, spent = [], []
    for question in questions:
        began = time.process_time()
        ranked = search(question.text, DEPTH)
        spent.append((time.process_time() - began) * 1000)
        found.append(ranked)
    if run is not None:
        with run.open("w", encoding="utf-8") as file:
            for question, ranked in zip(questions, found, strict=True):
                row = {"query": question.text, "results": [{"id": key, "score": score} for key, score in ranked]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    ours = np.array([_measure([key for key, _ in r], q.relevant) for r, q in zip(found, questions, strict=True)])
    drawn = np.random.default_rng(0).integers(0, len(questions), (DRAWS, len(questions)))
    report: dict = {name: round(float(ours[:, at].mean()), 4) for at, name in enumerate(MEASURES)}
    report["ci95"] = {name: _interval(ours[drawn, at].mean(axis=1)) for at, name in enumerate(MEASURES)}
    report["baselines"] = {}
    keys = list(texts)
    for name, cut in (("jieba", jieba_words), ("grams", grams)):
        progress(f"基线 {name}")
        engine = _Bm25([cut(text) for text in texts.values()])
        ranked = [[keys[at] for at, _ in engine.best(cut(question.text))] for question in questions]
        theirs = np.array([_measure(r, q.relevant) for r, q in zip(ranked, questions, strict=True)])
        report["baselines"][name] = {each: round(float(theirs[:, at].mean()), 4) for at, each in enumerate(MEASURES)}
        base = theirs[drawn, 0].mean(axis=1)
        if theirs[:, 0].any() and base.all():
            report[f"ratio_to_{name}"] = round(float(ours[:, 0].mean() / theirs[:, 0].mean()), 3)
            report["ci95"][f"ratio_to_{name}"] = _interval(ours[drawn, 0].mean(axis=1) / base)
    report["questions"] = len(questions)
    report["cpu_ms_p50"] = round(float(np.quantile(spent, 0.5)), 3)
    report["cpu_ms_p95"] = round(float(np.quantile(spent, 0.95)), 3)
    return report


def evaluate(
    corpus: Path,
    queries: Path,
    train: Path | None = None,
    *,
    folder: Path,
    run: Path | None = None,
    embedder: Embedder | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> dict:
    """As `judge`, for the site's own engine over the corpus, indexed in an empty folder; BadInput.

    With `train`, a CSV of title and answer, it ranks by what is learned from them. Adds `build_cpu_s` (reading the
    texts into the index), `train_cpu_s` and `index_bytes`.
    """
    from yidian.search import backends, learning
    from yidian.search.documents import Document
    from yidian.search.engine import Engine
    from yidian.search.vectors import Vectors

    texts = read_corpus(corpus)
    questions = read_questions(queries, texts)
    pairs = read_pairs(train) if train else []
    model, learned, train_cpu = None, None, 0.0
    if pairs:
        began = time.process_time()
        model = learning.train(pairs, texts.values(), progress=progress)
        train_cpu = time.process_time() - began
        learned = json.loads(model.report)
    progress("建索引")
    began = time.process_time()
    vectors = Vectors(folder / "vectors", embedder) if embedder else None
    engine = Engine(backends.create(folder / "index"), model=model, vectors=vectors)
    with engine.index.writer(backends.BUILD_MEMORY) as writer:
        for start in range(0, len(texts), BATCH):
            batch = list(texts.items())[start : start + BATCH]
            engine.write(writer, [Document("answer", key, (), text) for key, text in batch])
            progress(f"建索引 {start + len(batch):,}/{len(texts):,}")
        engine.commit(writer)
    build_cpu = time.process_time() - began

    def search(text: str, limit: int) -> list[tuple[str, float]]:
        return [(found.object_id, found.score) for found in engine.search(text, limit=limit)]

    report = judge(search, texts, questions, run=run, progress=progress)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return report | {
        "build_cpu_s": round(build_cpu, 2),
        "train_cpu_s": round(train_cpu, 2),
        "index_bytes": size,
        "text_bytes": sum(len(text.encode()) for text in texts.values()),
        "learned": learned,
    }
