"""`yidian search` and `yidian related`: what readers find, for scripts and for those who judge it."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from yidian.cli.ready import prepare
from yidian.cli.words import Failure

if TYPE_CHECKING:
    from yidian.search.ask import Answered

MAX_LIMIT = 100


@click.group()
def search() -> None:
    """检索：查一个问题，或评一评检索得好不好。"""


@search.command()
@click.argument("text", required=False)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, MAX_LIMIT), help="最多几条结果。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
@click.option("--jsonl", "as_lines", is_flag=True, help='从标准输入逐行读 {"id", "query"}，逐行输出结果。')
def query(text: str | None, limit: int, as_json: bool, as_lines: bool) -> None:
    """查 TEXT，和网站上的搜索一样。"""
    if as_lines == (text is not None):
        raise click.UsageError("请写要查的文字，或用 --jsonl 从标准输入逐行读，两样选一样。")
    prepare()
    _keep_up()
    from yidian.search.ask import ask

    if not as_lines:
        answered = ask(text, limit=limit, filed=True)
        if as_json:
            click.echo(json.dumps({"id": None} | shape(text, answered), ensure_ascii=False))
        else:
            _print(answered)
        return
    faulty = False
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        asked = _read_line(line, number)
        faulty |= "error" in asked
        if "error" not in asked:
            asked |= shape(asked["query"], ask(asked["query"], limit=limit, filed=True))
        click.echo(json.dumps(asked, ensure_ascii=False))
        sys.stdout.flush()
    if faulty:
        sys.exit(1)


@search.command()
def train() -> None:
    """从网站自己的问题和回答里学习排序；几分钟，学到的马上用上。不比原来好，就保持原样。"""
    prepare()
    from yidian.search import learning
    from yidian.search.library import library, source

    model = learning.train(source().pairs(), progress=lambda what: click.echo(what, err=True))
    report = json.loads(model.report)
    library().folder.mkdir(parents=True, exist_ok=True)
    model.save(library().model_path)
    if "ndcg@10" not in report:
        click.echo(
            f"只有 {report.get('pairs', 0)} 对问题和回答，至少要 {learning.MIN_PAIRS} 对才学得到，排序保持原样。"
        )
    elif model.is_plain:
        click.echo(f"从 {report['pairs']} 对里没有学到更好的排序（留出的一部分上没有变好），保持原样。")
    else:
        gained = f"nDCG@10 从 {report['bm25']} 到 {report['ndcg@10']}"
        click.echo(f"从 {report['pairs']} 对里学好了：没有参加学习的部分上，{gained}。")


def _keep_up() -> None:
    """Whatever is committed is searched, with a server running or without one."""
    from yidian.search.library import library

    if library().is_due():
        library().build()
    library().catch_up()


def _read_line(line: str, number: int) -> dict:
    """The request on a line, or the line's id with what is wrong with it, which is said on standard error too."""
    fault = ""
    given: object = None
    try:
        given = json.loads(line)
    except ValueError:
        fault = "不是 JSON"
    if not fault and not (isinstance(given, dict) and isinstance(given.get("query"), str)):
        fault = '要写成 {"id": …, "query": "…"}'
    known = given.get("id") if isinstance(given, dict) else None
    if fault:
        click.echo(f"第 {number} 行{fault}，跳过了。", err=True)
        return {"id": known, "error": fault}
    return {"id": known, "query": given["query"]}


def shape(text: str, answered: "Answered") -> dict:
    """An answer as contracts say: what was understood, whether anything answers, the results."""
    from yidian.web.red_flags import findings

    return {
        "query": text,
        "understood": _understood(answered),
        "answerable": answered.answerable,
        "red_flags": [
            {"rule": each.rule, "level": each.level, "span": list(each.span), "text": each.text}
            for each in findings(text)
        ],
        "results": list(_results(answered)),
    }


def _understood(answered: "Answered") -> dict:
    understood = answered.understood
    if understood is None:
        return {"terms": [], "body_parts": [], "corrections": []}
    meant = [
        {"from": correction.original, "to": correction.replacement, "span": [correction.start, correction.end]}
        for correction in understood.corrections
    ]
    spelt = [rewrite.text for rewrite in understood.rewrites if rewrite.why == "pinyin"]
    return {
        "terms": _best_first(answered, understood.terms, lambda category: category not in ("body_part", "population")),
        "body_parts": _best_first(answered, understood.body_parts, lambda category: category == "body_part"),
        "populations": _best_first(answered, understood.populations, lambda category: category == "population"),
        "linked": [{"term": each.name, "category": each.category, "sure": each.sure} for each in answered.terms],
        "corrections": meant,
        "readings": spelt,
    }


def _best_first(answered: "Answered", named: list[str], wanted: Callable[[str], bool]) -> list[str]:
    """The names of what the query means, best first, and behind them whatever else a long account names."""
    best = [each.name for each in answered.terms if wanted(each.category)]
    return list(dict.fromkeys([*best, *named]))


def _results(answered: "Answered") -> Iterator[dict]:
    for item in answered.items:
        document = item.document
        yield {
            "id": document.public_id,
            "kind": document.kind,
            "title": document.title,
            "url": document.url,
            "score": item.score,
            "conditions": list(document.conditions),
            "body_parts": list(document.body_parts),
        }


def _print(answered: "Answered") -> None:
    if not answered.items:
        raise Failure("没有找到。", "换个说法试试：少写几个字，或用平常的叫法。")
    for item in answered.items:
        click.echo(f"{item.document.title}  {item.document.url}")
        if item.snippet:
            click.echo(f"    {item.snippet}")


@click.command()
@click.argument("kind")
@click.argument("slug")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def related(kind: str, slug: str, as_json: bool) -> None:
    """列出一页的延展阅读，和网站上的一样，每条写明为什么在那里。

    KIND 是 condition、article、guide 或 question，SLUG 是那一页网址的最后一段。
    """
    prepare()
    from yidian.related.subjects import KINDS

    if kind not in KINDS:
        raise Failure(f"没有“{kind}”这一类。", f"请写 {'、'.join(KINDS)} 中的一个。")
    pk = KINDS[kind].objects.public().filter(slug=slug).values_list("pk", flat=True).first()
    if pk is None:
        raise Failure(
            f"没有公开的 {kind} {slug}。", "请用网址的最后一段，例如 yidian related condition xiaotui-choujin。"
        )
    _keep_up()
    results = list(_related(kind, pk))
    if as_json:
        click.echo(json.dumps({"results": results}, ensure_ascii=False))
        return
    if not results:
        click.echo("还没有能放在这一页旁边的内容。", err=True)
    for result in results:
        click.echo(f"{result['title']}  {result['url']}")
        click.echo(f"    {result['why']}")


def _related(kind: str, pk: int) -> Iterator[dict]:
    from yidian.editorial.searchable import documents
    from yidian.related.upkeep import up_to_date

    chosen = up_to_date(kind, pk)
    by_kind: dict[str, list[str]] = {}
    for each in chosen:
        by_kind.setdefault(each.kind, []).append(str(each.pk))
    found = {document.key: document for other, ids in by_kind.items() for document in documents(other, ids)}
    for each in chosen:
        document = found.get(f"{each.kind}:{each.pk}")
        if document:
            yield {
                "id": document.public_id,
                "kind": document.kind,
                "title": document.title,
                "url": document.url,
                "why": each.why,
                "conditions": list(document.conditions),
                "body_parts": list(document.body_parts),
            }
