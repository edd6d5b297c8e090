"""`yidian bench search`: what a query and an index cost on a whole site, and whether that grows with the answers."""

import json
import random
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from yidian.cli.bench import child, machine

SIZES = (10_000, 200_000, 1_000_000)
QUERIES = 300
# Joined between words as in a sentence; they stand in most answers, so that common grams are as common as in earnest.
_PARTICLES = ("的", "和", "在", "有", "是", "了", "不", "可以", "需要", "因为", "如果", "建议", "注意", "一般", "治疗")
_ENDINGS = ("怎么办", "是什么原因", "能治好吗", "吃什么药", "严重吗", "要做什么检查", "怎么缓解", "")
LENGTH = 180  # characters of a made-up answer
# What nobody types and everything must survive; each is asked a few times.
BAD_ROUNDS = 5


def bench(sizes: tuple[int, ...] = SIZES, corpus: Path | None = None, as_json: bool = False) -> dict:
    """The figures of one run: CPU of a query all in, CPU and memory of building, size of the index over its text.

    Each size is a site of its own in a temporary folder: the starter encyclopedia and so many questions with an
    answer, made of the starter's own terms, common ones common and rare ones rare; with `corpus`, a file of
    {"id", "answer"} lines, of sentences drawn from it. "All in" is what the search page asks: understanding, spelling,
    names, candidates, the learned second look, documents from the database, sentences.
    """
    figures: dict = {"machine": machine(), "corpus": corpus.name if corpus else "made up", "answers": {}}
    folder = Path(tempfile.mkdtemp(prefix="yidian-bench-"))
    try:
        for size in sizes:
            data = folder / str(size)
            made = {}
            for step, said in (
                ("fill", "准备数据"),
                ("build", "建索引"),
                ("train", "学习排序"),
                ("ask", f"查 {QUERIES} 次"),
            ):
                if not as_json:
                    click.echo(f"{size:,} 条回答：{said}", err=True)
                made |= child(__name__, data, step, size, corpus and str(corpus.resolve()))
            figures["answers"][str(size)] = made
            shutil.rmtree(data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    made = [figures["answers"][str(size)] for size in sizes]
    figures["ratios"] = {
        "p95_largest_over_smallest": round(made[-1]["cpu_ms_p95"] / made[0]["cpu_ms_p95"], 2),
        "index_over_text": [each["index_over_text"] for each in made],
    }
    if 200_000 in sizes and 1_000_000 in sizes:
        at = figures["answers"]
        ratio = at["1000000"]["cpu_ms_p95"] / at["200000"]["cpu_ms_p95"]
        figures["ratios"]["p95_1000000_over_200000"] = round(ratio, 2)
    return figures


def run_step(step: str, size: int, corpus: str | None) -> None:
    """One step in a fresh process; prints its figures as JSON."""
    import django

    django.setup()
    steps: dict[str, Callable[[int, str | None], dict]] = {
        "fill": _fill,
        "build": _build,
        "train": _train,
        "ask": _ask,
    }
    click.echo(json.dumps(steps[step](size, corpus)))


def _fill(size: int, corpus: str | None) -> dict:
    """A site with the starter encyclopedia and so many questions, published in one stroke."""
    from django.db import transaction
    from django.utils import timezone

    from yidian.answers.models import Question
    from yidian.cli.start import load_starter, prepare_database
    from yidian.editorial.searchable import searched
    from yidian.search.actions import insert_names, names_of
    from yidian.search.models import IndexRequest

    prepare_database()
    load_starter(lambda things, length, label="": things)
    form = Question.objects.public().exclude(rendered=None).values_list("rendered", flat=True)[0]
    today, drawn, rows = timezone.localdate(), _drawn(), []

    def keep() -> None:
        with transaction.atomic():
            made = Question.objects.bulk_create(rows)
            named = [names_of("question", each.pk, f"/questions/{each.slug}/", each.name) for each in made]
            insert_names([name for names in named for name in names])
        rows.clear()

    for number, (title, answer) in enumerate(_pairs(size, _names(), corpus, drawn)):
        block = {"type": "text", "html": f"<p>{answer}</p>"}
        rendered = form | {"answers": {"1": [block]}, "of": "", "care_advice": [], "modules": []}
        slug = f"b{number:07d}"
        question = Question(slug=slug, name=title, live=True, rendered=rendered, date_published=today)
        question.searched = searched(question, rendered)
        rows.append(question)
        if len(rows) == 1_000:
            keep()
    keep()
    IndexRequest.objects.all().delete()
    return {}


def _build(size: int, corpus: str | None) -> dict:
    """What the whole index costs, reading the site's pages from its database among it."""
    from yidian.editorial.searchable import every
    from yidian.search.library import library
    from yidian.search.vectors import bytes_a_text

    started = time.process_time()
    count = library().build()
    figures = {
        "build_cpu_s": round(time.process_time() - started, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    texts = sum(len("".join([*document.head, document.body]).encode()) for batch in every() for document in batch)
    folder = library().folder / library().current()
    stored = sum(file.stat().st_size for file in (folder / "index").rglob("*") if file.is_file())
    dictionaries = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) - stored
    return figures | {
        "text_bytes": texts,
        "index_bytes": stored,
        "dictionary_bytes": dictionaries,  # terms and spelling, the same whatever the size
        "index_over_text": round(stored / texts, 2),
        # an operator's embedder adds this much, whatever the numbers: 384 dimensions, as those of E5-small
        "index_over_text_with_vectors": round((stored + count * bytes_a_text(384)) / texts, 2),
    }


def _train(size: int, corpus: str | None) -> dict:
    """As `yidian search train`: the second look that queries pay for afterwards."""
    from yidian.search import learning
    from yidian.search.library import library

    # Of more pairs it takes some by chance; reading all of a large site for that is not what is measured.
    pairs = list(_pairs(min(size, learning.MAX_CORPUS), _names(), corpus, _drawn()))
    started = time.process_time()
    model = learning.train(pairs)
    model.save(library().model_path)
    return {"train_cpu_s": round(time.process_time() - started, 1), "learned": not model.is_plain}


def _ask(size: int, corpus: str | None) -> dict:
    """CPU of the questions, all in and of the index alone; and of what nobody types, as whole pages."""
    from django.test import Client
    from django.test.utils import override_settings

    from yidian.cli.serve import warm_search
    from yidian.search.ask import ask
    from yidian.search.library import library
    from yidian.web.searching import IN_A_GROUP, TOGETHER

    drawn = _drawn()
    names = _names()
    questions = [_question(names, drawn) for _ in range(QUERIES)]
    for question in questions[:20]:  # the dictionaries of pinyin and 简繁 are loaded by the first queries
        ask(question)
    warm_search()  # as a server's process does
    engine = library().engine()
    all_in = _costs(lambda question: ask(question, limit=TOGETHER, in_each=IN_A_GROUP), questions)
    alone = _costs(engine.search, questions)
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        client = Client()

        def page(text: str) -> None:
            response = client.get("/search", {"q": text.encode("utf-8", "surrogatepass")})
            assert response.status_code == 200  # noqa: S101

        def type_on(text: str) -> None:
            response = client.get("/search/suggestions", {"q": text})
            assert response.status_code == 200  # noqa: S101

        begun = _begun(questions, names, drawn)
        type_on(begun[0])
        suggested = _costs(type_on, begun)
        bad = {}
        for name, text in bad_queries().items():
            page(text)
            bad[name] = _costs(page, [text] * BAD_ROUNDS)
    every = sorted(cost for costs in bad.values() for cost in costs)
    worst = max(bad, key=lambda name: bad[name][len(bad[name]) // 2])
    return {
        "cpu_ms_p50": _at(all_in, 0.5),
        "cpu_ms_p95": _at(all_in, 0.95),
        "cpu_ms_p99": _at(all_in, 0.99),
        "index_cpu_ms_p50": _at(alone, 0.5),
        "index_cpu_ms_p95": _at(alone, 0.95),
        "suggestions_cpu_ms_p50": _at(suggested, 0.5),
        "suggestions_cpu_ms_p95": _at(suggested, 0.95),
        "bad_input_cpu_ms_p50": _at(every, 0.5),
        "bad_input_cpu_ms_p99": _at(every, 0.99),
        "bad_input_worst": {worst: _at(bad[worst], 0.5)},
        "query_peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _begun(questions: list[str], names: list[str], drawn: random.Random) -> list[str]:
    """What stands in the box while questions and names are typed: beginnings, every third one in pinyin."""
    from yidian.zh.pinyin import pinyin

    begun = []
    for number, question in enumerate(questions):
        typed = question if number % 3 else pinyin(drawn.choice(names)).replace(" ", "")
        begun.append(typed[: drawn.randint(1, len(typed))])
    return begun


def _costs(call: Callable[[str], object], texts: list[str]) -> list[float]:
    """CPU milliseconds of each call, sorted."""
    costs = []
    for text in texts:
        before = time.process_time()
        call(text)
        costs.append((time.process_time() - before) * 1000)
    return sorted(costs)


def _at(costs: list[float], share: float) -> float:
    return round(costs[min(len(costs) - 1, int(len(costs) * share))], 2)


def bad_queries() -> dict[str, str]:
    """Texts that nobody types, or that somebody types to see what breaks."""
    drawn = _drawn()
    names = _names()
    han = "".join(chr(drawn.randrange(0x4E00, 0x9FA5)) for _ in range(10_000))
    letters = "".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=10_000))
    return {
        "空格": "   ",
        "一万个字": han,
        "五千个字": han[5_000:],
        "一万个字的病名": "".join(drawn.choice(names) for _ in range(4_000))[:10_000],
        "同一个字一万次": "痛" * 10_000,
        "一万个字母": letters,
        "一万个字母，有空格": " ".join(letters[at : at + 5] for at in range(0, 10_000, 6)),
        "拼音一万个字母": ("xiaotuichoujin" * 800)[:10_000],
        "声母一万个": ("xtcj" * 2_500)[:10_000],
        "一万个数字": "".join(drawn.choices("0123456789", k=10_000)),
        "繁体五千个字": "小腿痙攣怎麼辦" * 714,
        "表情": "😀👨\u200d👩\u200d👧🦵" * 500,
        "控制符": "小\x00腿\x07抽\x1b[31m筋\u202e\u200b" * 300,
        "半个代理": "\ud800抽筋\udfff" * 500,
        "组合符": "a" + "\u0301" * 5_000,
        "运算符": '抽筋 AND (NOT 小腿) OR "a"^2 ~3 [1 TO 9] body:* \\' * 50,
        "SQL": "'; DROP TABLE search_name; -- " * 100,
        "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>" * 100,
        "正则": "(a+)+$" * 1_000,
        "格式": "%s%n{}{0}${jndi:x}" * 300,
    }


def _drawn() -> random.Random:
    return random.Random(20_261_125)  # noqa: S311  the same answers every time is what is wanted


def _names() -> list[str]:
    import yaml

    from yidian import starter

    path = Path(starter.__file__).parent / "bundle" / "vocabulary" / "synonyms.yaml"
    groups = yaml.safe_load(path.read_text("utf-8"))
    return [name for group in groups for name in (group["name"], *group["alternate_names"])]


def _pairs(size: int, names: list[str], corpus: str | None, drawn: random.Random) -> Iterator[tuple[str, str]]:
    """Questions with their answers: each asks with two stretches of its answer, so that there is something to learn."""
    for answer in _answers(size, names, corpus, drawn):
        stretches = [answer[at : at + 5] for at in (drawn.randrange(max(1, len(answer) - 5)) for _ in range(2))]
        yield re.sub(r"[^\w]", "", "".join(stretches)) + drawn.choice(_ENDINGS) + "？", answer


def _answers(size: int, names: list[str], corpus: str | None, drawn: random.Random) -> Iterator[str]:
    if corpus:
        with Path(corpus).open(encoding="utf-8") as lines:
            real = [json.loads(line)["answer"] for line in lines]
        yield from real[:size]
        clauses = (re.findall(r"[^。！？；,，]+[。！？；,，]", answer) for answer in real)
        sentences = [clause for found in clauses for clause in found if len(clause) > 5]
        for _ in range(size - len(real)):
            answer = ""
            while len(answer) < LENGTH:
                answer += drawn.choice(sentences)
            yield answer
        return
    for _ in range(size):
        yield "。".join("，".join(_clause(names, drawn) for _ in range(4)) for _ in range(3)) + "。"


def _word(names: list[str], drawn: random.Random) -> str:
    # squared: of 8,000 words some hundred are common and most are rare
    return names[int(len(names) * drawn.random() ** 2)]


def _clause(names: list[str], drawn: random.Random) -> str:
    return "".join(_word(names, drawn) + drawn.choice(_PARTICLES) for _ in range(3))


def _question(names: list[str], drawn: random.Random) -> str:
    return "".join(_word(names, drawn) for _ in range(drawn.choice((1, 2, 2, 3)))) + drawn.choice(_ENDINGS)


def print_search(figures: dict) -> None:
    """The figures for people."""
    click.echo(f"回答：{figures['corpus']}")
    for size, each in figures["answers"].items():
        worst, cost = next(iter(each["bad_input_worst"].items()))
        click.echo(
            f"{int(size):>9,} 条  每次查询 CPU 中位 {each['cpu_ms_p50']} ms，p95 {each['cpu_ms_p95']} ms（只算索引 "
            f"{each['index_cpu_ms_p50']} 和 {each['index_cpu_ms_p95']}）；建索引 {each['build_cpu_s']} CPU 秒，"
            f"{each['peak_memory_mb']} MB；索引是文字的 {each['index_over_text']} 倍，加上向量 "
            f"{each['index_over_text_with_vectors']} 倍"
        )
        click.echo(
            f"{'':>9}     输入时的提示中位 {each['suggestions_cpu_ms_p50']} ms，p95 {each['suggestions_cpu_ms_p95']} ms"
        )
        click.echo(
            f"{'':>9}     没人会这样问的，一页 p99 {each['bad_input_cpu_ms_p99']} ms，最慢的是{worst}，{cost} ms"
        )
    for name, value in figures["ratios"].items():
        click.echo(f"{name}: {value}")
