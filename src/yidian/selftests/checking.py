"""What is wrong with a self-test's two files, in words for who wrote them: before a reader meets it."""

import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from yidian.questionnaire.reading import read_json
from yidian.questionnaire.scoring import COMPARISONS, CONDITIONS, LEVELS, NUMBERS, NUMERIC, Form, prepare
from yidian.questionnaire.validate import questionnaire_issues

KINDS = {"triage": "现在怎么办", "score": "打分的自测", "measure": "量一量", "checklist": "核对清单", "diary": "日记"}
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SAID = ("instructions", "audience", "validated", "missing")
_READ = ("text", "abstract", "known")
_CERTAINTIES = ("high", "moderate", "low", "very_low")
_IDENTIFIERS = ("url", "doi", "pmid", "document_number")


def faults(path: Path) -> list[str]:
    """What must be put right before the self-test of this JSON file and the YAML beside it can be shown; else empty."""
    document, issues = read_json(path.read_bytes(), "Questionnaire")
    if document is not None:
        issues += questionnaire_issues(document)
    if wrong := [
        f"{issue.expression}：{issue.diagnostics}" for issue in issues if issue.severity in {"error", "fatal"}
    ]:
        return wrong
    try:
        sidecar = yaml.safe_load(path.with_suffix(".yaml").read_text("utf-8"))
    except FileNotFoundError:
        return [f"旁边没有 {path.stem}.yaml，不知道怎么计分、是谁的。"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return [f"{path.stem}.yaml 不是合格的 YAML：{' '.join(str(error).split())}"]
    if not isinstance(sidecar, dict):
        return [f"{path.stem}.yaml 要写成“名称: 值”。"]
    found = [*_of_questionnaire(path, document), *_of_sidecar(sidecar)]
    if found:
        return found
    return list(_of_rules(prepare(document, {}), sidecar))


def _of_questionnaire(path: Path, document: Mapping) -> Iterator[str]:
    if not _SLUG.fullmatch(path.stem):
        yield "文件名要用拼音或英文的小写字母、数字和连字符：它就是网址。"
    if document.get("id") != path.stem:
        yield f"id 要和文件名一样，写 {path.stem}。"
    for name in ("url", "title", "description", "copyright"):
        if not document.get(name):
            yield f"没有写 {name}。"
    for item in _items(document.get("item", [])):
        place = f"问题 {item['linkId']}"
        if item["type"] not in {"group", "display", "choice", "integer", "decimal"}:
            yield f"{place}：type 只能是 choice、integer、decimal、group 或 display，不能是 {item['type']}。"
        if item["type"] == "choice" and not all("valueCoding" in option for option in item.get("answerOption", [{}])):
            yield f"{place}：选项要写成 valueCoding。"
        limits = {extension["url"].rpartition("/")[2] for extension in item.get("extension", ())}
        if item["type"] in NUMERIC and not {"minValue", "maxValue"} <= limits:
            yield f"{place}：数要写 minValue 和 maxValue。"


def _items(items: list[dict]) -> Iterator[dict]:
    for item in items:
        yield item
        yield from _items(item.get("item", []))


def _of_sidecar(sidecar: Mapping) -> Iterator[str]:
    if not _one_of(sidecar.get("kind"), KINDS):
        yield f"kind 只能是 {'、'.join(KINDS)}。"
    if not isinstance(sidecar.get("minutes"), int) or not 1 <= sidecar["minutes"] <= 60:
        yield "minutes 写大约几分钟，1 到 60。"
    for name in _SAID:
        if not isinstance(sidecar.get(name), str) or not sidecar[name].strip():
            yield f"没有写 {name}。"
    licence, certainty = (_mapping(sidecar.get(name)) for name in ("licence", "certainty"))
    for name in ("owner", "terms"):
        if not licence.get(name):
            yield f"没有写 licence 的 {name}：不知道是谁的、能不能用，就不能给读者做。"
    if not _one_of(certainty.get("level"), _CERTAINTIES) or not certainty.get("text"):
        yield f"certainty 要写 level（{'、'.join(_CERTAINTIES)}）和 text。"
    for name in ("not", "keywords", "sources"):
        if not isinstance(sidecar.get(name), list) or (name != "keywords" and not sidecar[name]):
            yield f"{name} 要写成一列，至少一条。"
    for name in ("bands", "red_flags"):
        if not isinstance(sidecar.get(name), list):
            yield f"{name} 要写成一列；没有就写 []。"
    for rule in map(_mapping, _list(sidecar.get("red_flags"))):
        if not isinstance(rule.get("id"), str) or not isinstance(rule.get("when"), dict):
            yield f"红旗 {rule.get('id')}：要写 id 和 when（一个条件）。"
    if not isinstance(sidecar.get("scores"), dict):
        yield "scores 要写成“名称: 算法”；没有就写 {}。"
    for source in map(_mapping, _list(sidecar.get("sources"))):
        place = f"出处 {source.get('id') or '（没有 id）'}"
        if not all(isinstance(source.get(name), str) for name in ("id", "title", "publisher")) or not _one_of(
            source.get("read"), _READ
        ):
            yield f"{place}：要写 id、title、publisher 和 read（{'、'.join(_READ)}）。"
        if not any(source.get(name) for name in _IDENTIFIERS):
            yield f"{place}：要写 {'、'.join(_IDENTIFIERS)} 中的一个，读者才查得到。"


def _one_of(value: Any, names: Container[str]) -> bool:
    return isinstance(value, str) and value in names


def _mapping(value: Any) -> Mapping:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list:
    return value if isinstance(value, list) else []


def _of_rules(form: Form, sidecar: Mapping) -> Iterator[str]:
    """Scores, bands and red flags: what they say and whether everything that they name is there."""
    known: set[str] = set()
    for name, score in sidecar["scores"].items():
        if not _mapping(score).get("label") or not score.get("missing"):
            yield f"分数 {name}：要写 label、is 和 missing（缺答案时说什么）。"
            continue
        yield from (f"分数 {name}：{wrong}" for wrong in _number(form, score.get("is"), known))
        known.add(name)
    for scale in map(_mapping, sidecar["bands"]):
        place, rows = f"分档 {scale.get('code')}", [_mapping(row) for row in _list(scale.get("table"))]
        yield from (f"{place}：{wrong}" for wrong in _number(form, scale.get("of"), known))
        codes = [scale.get("code"), *(row.get("code") for row in rows)]
        if not all(isinstance(code, str) for code in codes) or not scale.get("label") or not rows:
            yield f"{place}：要写 code、label、of 和 table。"
        if any(
            not _one_of(row.get("level"), LEVELS) or not all(map(row.get, ("code", "range", "name", "text")))
            for row in rows
        ):
            yield f"{place}：每一档要写 code、range、name、text 和 level（{'、'.join(LEVELS)}）。"
        yield from (f"{place}：{wrong}" for wrong in _table(rows))
    names = {source["id"] for source in sidecar["sources"]}
    for rule in map(_mapping, sidecar["red_flags"]):
        place = f"红旗 {rule.get('id')}"
        if not _one_of(rule.get("level"), LEVELS) or not all(map(rule.get, ("heading", "message"))):
            yield f"{place}：要写 heading、message 和 level（{'、'.join(LEVELS)}）。"
        if not _list(rule.get("sources")) or not all(_one_of(name, names) for name in rule["sources"]):
            yield f"{place}：sources 要写上面出处的 id，至少一个。"
        yield from (f"{place}：{wrong}" for wrong in _condition(form, rule.get("when"), known))
    yield from (f"fixed：{wrong}" for wrong in _asked(form, *_list(sidecar.get("fixed"))))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _table(rows: list[Mapping]) -> Iterator[str]:
    limits = [row.get("below") for row in rows]
    if (
        not limits
        or limits[-1] is not None
        or not all(map(_is_number, limits[:-1]))
        or limits[:-1] != sorted(limits[:-1])
    ):
        yield "table 的 below 要写数，从小到大，只有最后一行不写 below。"


def _single(expression: Any, operators: Mapping) -> tuple[str, Any] | None:
    if not isinstance(expression, dict) or len(expression) != 1 or next(iter(expression)) not in operators:
        return None
    return next(iter(expression.items()))


def _asked(form: Form, *link_ids: Any) -> Iterator[str]:
    yield from (f"没有这一题：{link_id}" for link_id in link_ids if not _one_of(link_id, form.asked))


def _number(form: Form, expression: Any, known: set[str]) -> Iterator[str]:
    if _is_number(expression):
        return
    found = _single(expression, NUMBERS)
    if found is None:
        yield f"看不懂这个算法：{expression!r}。可以写 {'、'.join(NUMBERS)}。"
        return
    operator, argument = found
    if operator in {"value", "weight"}:
        yield from _asked(form, argument)
    elif operator == "weights":
        yield from _asked(form, *(_list(argument) or [None]))
    elif operator in {"sum", "max", "min"}:
        for part in _list(argument) or [None]:
            yield from _number(form, part, known)
    elif operator == "weighted_sum":
        for part in map(_mapping, _list(argument) or [None]):
            yield from _number(form, part.get("by"), known)
            yield from _number(form, part.get("of"), known)
    elif operator == "count_if":
        for part in _list(argument) or [None]:
            yield from _condition(form, part, known)
    elif operator == "lookup":
        rows = [_mapping(row) for row in _list(_mapping(argument).get("table"))]
        yield from _number(form, _mapping(argument).get("of"), known)
        yield from _table(rows)
        if not all(row.get("gives", "") is None or _is_number(row.get("gives")) for row in rows):
            yield "table 的每一行要写 gives：一个数，不适用的写 null。"
    elif operator == "choose":
        yield from _asked(form, _mapping(argument).get("by"))
        cases = _mapping(argument).get("cases")
        for case in cases.values() if isinstance(cases, dict) else [None]:
            yield from _number(form, case, known)
    elif operator == "bmi":
        yield from _number(form, _mapping(argument).get("kg"), known)
        yield from _number(form, _mapping(argument).get("cm"), known)
    elif operator == "score" and not _one_of(argument, known):
        yield f"还没有算出 {argument}：分数要先写后用。"


def _condition(form: Form, expression: Any, known: set[str]) -> Iterator[str]:
    found = _single(expression, CONDITIONS)
    if found is None:
        yield f"看不懂这个条件：{expression!r}。可以写 {'、'.join(CONDITIONS)}。"
        return
    operator, argument = found
    if operator == "is":
        for link_id, code in _mapping(argument).items() or [(None, None)]:
            yield from _asked(form, link_id)
            if _one_of(link_id, form.asked) and form.asked[link_id].option(code) is None:
                yield f"{link_id} 没有 {code!r} 这个选项；是和否要加引号。"
    elif operator == "compare":
        if len(_list(argument)) != 3 or not _one_of(argument[1], COMPARISONS):
            yield f"compare 写成 [左边, 比较, 右边]，比较只有 {'、'.join(COMPARISONS)}。"
            return
        yield from _number(form, argument[0], known)
        yield from _number(form, argument[2], known)
    elif operator in {"all", "any"}:
        for part in _list(argument) or [None]:
            yield from _condition(form, part, known)
    elif operator == "not":
        yield from _condition(form, argument, known)
    elif operator == "at_least":
        if not isinstance(_mapping(argument).get("count"), int):
            yield "at_least 要写 count 和 of。"
        for part in _list(_mapping(argument).get("of")) or [None]:
            yield from _condition(form, part, known)
