"""`yidian triage`: red flags in free text, the general check, and stored results made again. Loads no Django."""

import json
import sys
from pathlib import Path

import click

from yidian.cli.words import Failure

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
_FOUND = {"present": "有", "negated": "说没有", "past": "过去的", "other": "别人的", "hypothetical": "只是假设"}


@click.group()
def triage() -> None:
    """红旗：文字里、回答里有没有要马上就医的情况。"""


def _book():
    from yidian.triage.rulebook import RuleError, load

    try:
        return load()
    except RuleError as error:
        raise Failure(f"规则文件有误：{error}", "请改正后再来，见 docs/developers/red-flags.md。") from error


def _read_json(path: Path):
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except FileNotFoundError as error:
        raise Failure(f"没有文件 {path}。", "请检查路径；从标准输入读，写 -。") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{path} 不是 UTF-8 文本。", "请存成 UTF-8 再来。") from error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Failure(f"{path} 不是合格的 JSON：第 {error.lineno} 行第 {error.colno} 列。", "请改正后再来。") from error
    except RecursionError as error:
        raise Failure(f"{path} 的括号套得太深。", "请改正后再来。") from error


@triage.command("screen")
@click.argument("text", required=False)
@click.option("--jsonl", is_flag=True, help="从标准输入逐行读 {id, text, age?, sex?, pregnant?}，逐行输出。")
@_AS_JSON
def screen_command(text: str | None, jsonl: bool, as_json: bool) -> None:
    """在 TEXT 里找红旗：哪条规则，在哪几个字，是不是现在的事。"""
    if jsonl == (text is not None):
        raise click.UsageError("给一段文字，或用 --jsonl 从标准输入读，二者选一。")
    from yidian.triage.screen import screen

    book = _book()
    if jsonl:
        sys.exit(1 if _screen_lines(book) else 0)
    found = screen(text or "", book=book)
    if as_json:
        click.echo(json.dumps({"id": None} | found.as_dict(), ensure_ascii=False))
        return
    from yidian.triage.levels import NAMES

    click.echo(NAMES[found.level] if found.level else "没有发现红旗。没有发现不等于没有事。")
    for finding in found.findings:
        click.echo(f"  {book.rule(finding.rule).heading}：“{finding.text}”（{_FOUND[finding.status]}）")


def _screen_lines(book) -> int:
    """Screens standard input line by line; answers how many lines had errors."""
    from yidian.triage.screen import screen

    errors = 0
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        wrong = None
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            row, wrong = {}, "不是合格的 JSON。"
        else:
            if not isinstance(row, dict):
                row, wrong = {}, "要写成一个 JSON 对象。"
            else:
                wrong = _wrong(row)
        if wrong:
            errors += 1
            click.echo(f"第 {number} 行：{wrong}", err=True)
            result = {"id": row.get("id"), "error": wrong}
        else:
            found = screen(row["text"], age=row.get("age"), sex=row.get("sex"), pregnant=row.get("pregnant"), book=book)
            result = {"id": row.get("id")} | found.as_dict()
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return errors


def _wrong(row: dict) -> str | None:
    """What is wrong with one line, in Chinese; None when nothing is."""
    age = row.get("age")
    if not isinstance(row.get("text"), str):
        return "text 要写成一段文字。"
    if age is not None and (isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 <= age <= 130):
        return "age 是 0 到 130 的数（岁）。"
    if row.get("sex") not in (None, "female", "male"):
        return "sex 只能是 female 或 male，不知道就不写。"
    if row.get("pregnant") not in (None, True, False):
        return "pregnant 只能是 true 或 false，不知道就不写。"
    return None


@triage.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@_AS_JSON
def assess(path: Path, as_json: bool) -> None:
    """“我该怎么办”：FILE 里的回答说明要多快就医。

    FILE 是 {"age", "sex", "pregnant", "answers": {问题编号: "yes"|"no"|"unknown"}}；没写的算不知道。
    """
    from yidian.triage.engine import FactsError
    from yidian.triage.engine import assess as judge
    from yidian.triage.levels import NAMES

    book = _book()
    try:
        result = judge(book, _read_json(path))
    except FactsError as error:
        raise Failure(f"{path} 里的回答有误：{error}", "请改正后再来。") from error
    if as_json:
        click.echo(result.as_json())
        return
    click.echo(NAMES[result.level])
    for entry in result.explanation:
        click.echo(f"  {'符合' if entry['status'] == 'fired' else '不能排除'}：{entry['heading']}")
    if not result.fired:
        click.echo("没有符合的红旗，不等于没有事：加重了，或放心不下，就去看医生。")


@triage.command()
@_AS_JSON
def questions(as_json: bool) -> None:
    """“我该怎么办”的全部问题，最危险的在前。"""
    from yidian.triage.engine import questions_in_order

    ordered = questions_in_order(_book())
    if as_json:
        listed = [{"id": each.id, "text": each.text, "topic": each.topic} for each in ordered]
        click.echo(json.dumps({"questions": listed}, ensure_ascii=False))
        return
    for each in ordered:
        click.echo(f"{each.id}  {each.text}")


@triage.command()
@click.argument("path", metavar="RESULT.json", type=click.Path(path_type=Path, allow_dash=True))
@_AS_JSON
def replay(path: Path, as_json: bool) -> None:
    """把存下的结果从它自己的回答再算一次，看是否逐字节相同。

    RESULT.json 是 assess --json 的输出，或读者从自测页面存下的数据文件。
    """
    from yidian.questionnaire.result import NoResult
    from yidian.triage.engine import FactsError

    document = _read_json(path)
    of_self_test = isinstance(document, dict) and document.get("resourceType") == "QuestionnaireResponse"
    try:
        made, now = _replay_self_test(document) if of_self_test else _replay_assessment(document)
    except (FactsError, NoResult) as error:
        what = "请给 yidian triage assess --json 的输出，或自测页面存下的数据文件。"
        raise Failure(f"不能重算 {path}：{error}", what) from error
    if as_json:
        told = {"identical": made.identical, "differs": list(made.differs), "now": now}
        click.echo(json.dumps(told, ensure_ascii=False))
    elif made.identical:
        click.echo("相同：逐字节一致。")
    if not made.identical:
        raise Failure(f"不同：{'、'.join(made.differs)}。", "hashes 不同说明规则或程序换了版本。")


def _replay_assessment(document):
    from yidian.triage.engine import replay as again

    made = again(document, _book())
    return made, made.now.as_dict()


def _replay_self_test(document: dict):
    from yidian.questionnaire.result import NoResult
    from yidian.questionnaire.result import replay as again
    from yidian.selftests.library import self_tests

    url = document.get("questionnaire")
    found = [test for test in self_tests().values() if test.form.questionnaire["url"] == url]
    if not found:
        raise NoResult(f"这里没有 {url!r} 这个自测。")
    made = again(document, found[0].form)
    return made, made.now
