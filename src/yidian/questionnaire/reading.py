"""JSON from anywhere: numbers as Decimal, and every fault named by its path instead of raised."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import Any

from yidian.questionnaire.definitions import RESOURCE_TYPES
from yidian.questionnaire.outcome import Issue, quote
from yidian.questionnaire.values import MAX_EXPONENT

MAX_BYTES = 10_000_000  # a response with photographs; the largest questionnaire seen has 1 MB
MAX_VALUES = 200_000  # texts, numbers, objects …: what is checked in some seconds
MAX_DEPTH = 160  # lists and objects in each other: 40 questions nested in answers
_MAX_DIGITS = 1_000  # of one number, as written

_NAN, _HUGE = Decimal("NaN"), Decimal("Infinity")


def read_json(data: bytes | str, root: str = "$this") -> tuple[Any, list[Issue]]:
    """The document and what is wrong with its JSON; the document is None when it cannot be read at all.

    `root` is what paths begin with when the document does not say what it is.

    Numbers with a point or exponent become Decimal. Duplicate names, NaN, numbers beyond all measure and lone
    surrogates are errors with their path; the document is still given, so that the rest can be checked.
    """
    written, fault = _decode(data, root)
    if fault:
        return None, [fault]
    repeated: dict[int, tuple[dict, list[str]]] = {}

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            counted = Counter(name for name, _ in found)
            repeated[id(made)] = made, [name for name, times in counted.items() if times > 1]
        return made

    try:
        document = json.loads(
            written,
            object_pairs_hook=pairs,
            parse_float=_number,
            parse_int=_integer,
            parse_constant=lambda name: _NAN if name == "NaN" else _HUGE,
        )
    except json.JSONDecodeError as error:
        place = _path_at(written, error.pos, root)
        where = f"第 {error.lineno} 行第 {error.colno} 个字符"
        return None, [Issue("fatal", "structure", f"不是 JSON：{where}处写得不对。请改正后再来。", place)]
    except RecursionError:
        return None, [_too_deep(_path_at(written, len(written), root))]
    if document is None:
        return None, [Issue("fatal", "structure", "这里只写了 null。请给一份 FHIR 的 JSON。", root)]
    return look_through(document, root, repeated)


def _decode(data: bytes | str, root: str) -> tuple[str, Issue | None]:
    if len(data) > MAX_BYTES:
        return "", Issue(
            "fatal", "too-long", f"文件超过 {MAX_BYTES // 1_000_000} MB，没有读。请拆小，或去掉附件再来。", root
        )
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            said = f"不是 UTF-8：第 {error.start + 1} 个字节读不出。请另存为 UTF-8 再来。"
            return "", Issue("fatal", "structure", said, root)
    data = data.removeprefix("\ufeff")
    if not data.strip():
        return "", Issue("fatal", "structure", "文件是空的。请给一份 JSON。", root)
    return data, None


def _number(written: str) -> Decimal:
    if len(written) > _MAX_DIGITS:
        return _HUGE
    try:
        found = Decimal(written)
    except DecimalException:
        return _HUGE
    return found if abs(found.adjusted()) <= MAX_EXPONENT else _HUGE


def _integer(written: str) -> int | Decimal:
    return int(written) if len(written) <= MAX_EXPONENT else _HUGE


def _too_deep(path: str) -> Issue:
    return Issue("fatal", "too-costly", f"列表和对象套得超过 {MAX_DEPTH} 层，没有读下去。请减少层数。", path)


def look_through(
    document: Any, root: str, repeated: dict[int, tuple[dict, list[str]]] | None = None
) -> tuple[Any, list[Issue]]:
    """The document, None when it is too deep or too big to be checked, and what JSON allows and FHIR does not."""
    issues = list(_faults(document, root, repeated or {}))
    return (None if any(issue.severity == "fatal" for issue in issues) else document), issues


def _faults(document: Any, root: str, repeated: dict[int, tuple[dict, list[str]]]) -> Iterator[Issue]:
    kind = document.get("resourceType") if isinstance(document, dict) else None
    stack = [(document, kind if isinstance(kind, str) and kind in RESOURCE_TYPES else root, 1)]
    seen = 0
    while stack:
        found, path, depth = stack.pop()
        seen += 1
        if seen > MAX_VALUES:
            said = f"内容超过 {MAX_VALUES} 项，没有检查下去。请拆小再来。"
            yield Issue("fatal", "too-costly", said, path)
            return
        if isinstance(found, dict | list):
            if depth > MAX_DEPTH:
                yield _too_deep(path)
                return
            if id(found) in repeated:
                for name in repeated[id(found)][1]:
                    said = f"同一个对象里写了两次 {quote(name)}，后一个盖住了前一个。请只留一个。"
                    yield Issue("error", "structure", said, join(path, name))
            if isinstance(found, dict):
                for name in found:
                    if not _encodes(name):
                        yield Issue("error", "structure", "名称里有残缺的字符（单独的代理项）。请改正。", path)
                children = [(child, join(path, name), depth + 1) for name, child in found.items()]
            else:
                children = [(child, f"{path}[{place}]", depth + 1) for place, child in enumerate(found)]
            stack.extend(reversed(children))
        elif isinstance(found, str):
            if not _encodes(found):
                yield Issue("error", "structure", "文字里有残缺的字符（单独的代理项）。请改正。", path)
        elif isinstance(found, Decimal) and not found.is_finite():
            said = "这里写的不是数（NaN）。请写一个数。" if found.is_nan() else "这个数大得或小得没有意义。请改正。"
            yield Issue("error", "value", said, path)


def _encodes(written: str) -> bool:
    if written.isascii():
        return True
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def join(path: str, name: str) -> str:
    """The FHIRPath of this element of an object; a name that is no identifier stands in backticks, as FHIRPath says."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        name = f"`{shown.replace('`', '')}`"
    return f"{path}.{name}"


_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]+|"', re.DOTALL)


def _path_at(written: str, end: int, root: str) -> str:
    """The path of the place at which reading stopped, followed through the text up to there."""
    stack: list[Any] = []  # ["{", name] or ["[", index]
    expecting_name = False
    for token in _TOKEN.finditer(written, 0, end):
        mark = token.group()
        if mark in "{[":
            if len(stack) >= MAX_DEPTH:
                break
            opened: list[Any] = [mark, "" if mark == "{" else 0]
            stack.append(opened)
            expecting_name = mark == "{"
        elif mark in "}]":
            if stack:
                stack.pop()
            expecting_name = False
        elif mark == ",":
            if stack and stack[-1][0] == "[":
                stack[-1][1] += 1
            expecting_name = bool(stack) and stack[-1][0] == "{"
        elif expecting_name and mark.startswith('"') and stack:
            stack[-1][1] = mark.strip('"')
            expecting_name = False
    kind = re.search(r'"resourceType"\s*:\s*"([A-Za-z]+)"', written[:100_000])
    path = kind.group(1) if kind and kind.group(1) in RESOURCE_TYPES else root
    for mark, place in stack:
        if mark == "[":
            path = f"{path}[{place}]"
        elif place:
            path = join(path, place)
    return path
