"""FHIR's primitive types: what may be written, and why something may not."""

import calendar
import re
from decimal import Decimal
from typing import Any

_MAX_STRING = 1024 * 1024  # characters; FHIR's own limit for string
_INTEGERS = {
    "integer": (-(2**31), 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
}

# The expressions of FHIR 4.0.1's datatypes, written so that none can run away on long input.
_DATE = r"([0-9]{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01]))?)?"
_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
_FORMATS = {
    "code": re.compile(r"[^\s]+(?:\s[^\s]+)*"),
    "id": re.compile(r"[A-Za-z0-9\-.]{1,64}"),
    "uri": re.compile(r"\S*"),
    "url": re.compile(r"\S*"),
    "canonical": re.compile(r"\S*"),
    "oid": re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"),
    "uuid": re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "date": re.compile(_DATE),
    "dateTime": re.compile(rf"{_DATE}(?:(?<=[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9])T{_CLOCK}{_ZONE})?"),
    "instant": re.compile(rf"{_DATE}(?<=[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9])T{_CLOCK}{_ZONE}"),
    "time": re.compile(_CLOCK),
}
_SAID = {
    "code": "代码前后不能有空格，中间不能有连着的空格",
    "id": "标识只能用字母、数字、- 和 .，最多 64 个字符",
    "uri": "网址里不能有空格",
    "url": "网址里不能有空格",
    "canonical": "网址里不能有空格",
    "oid": "应该像 urn:oid:1.2.3",
    "uuid": "应该像 urn:uuid:c757873d-ec9a-4326-a141-556f43239520，字母小写",
    "date": "应该像 2026、2026-08 或 2026-08-31，而且真有这一天",
    "dateTime": "应该像 2026、2026-08、2026-08-31 或 2026-08-31T08:30:00+08:00，有钟点就要有时区",
    "instant": "应该像 2026-08-31T08:30:00.000+08:00",
    "time": "应该像 08:30:00",
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def fault(type_name: str, found: Any) -> str:
    """What is wrong with this JSON value as one of FHIR's primitive types, in Chinese; "" when nothing is."""
    if type_name == "boolean":
        return "" if isinstance(found, bool) else "应该是 true 或 false，不加引号"
    if type_name in _INTEGERS:
        return _integer_fault(type_name, found)
    if type_name == "integer64":
        return "" if isinstance(found, str) and re.fullmatch(r"-?[0-9]{1,19}", found) else "应该是带引号的整数"
    if type_name == "decimal":
        is_number = isinstance(found, int | float | Decimal) and not isinstance(found, bool)
        return "" if is_number else "应该是一个数，不加引号"
    if not isinstance(found, str):
        return "应该是一段文字，要加引号"
    return _text_fault(type_name, found)


def _integer_fault(type_name: str, found: Any) -> str:
    if isinstance(found, bool) or not isinstance(found, int):
        return "应该是一个整数，不加引号，没有小数点"
    least, most = _INTEGERS[type_name]
    return "" if least <= found <= most else f"应该在 {least} 到 {most} 之间"


def _text_fault(type_name: str, found: str) -> str:
    if not found:
        return "不能是空的；没有就整个去掉"
    if len(found) > _MAX_STRING and type_name != "base64Binary":
        return f"超过 {_MAX_STRING} 个字符"
    if type_name == "base64Binary":
        bare = re.sub(r"\s+", "", found)
        whole = len(bare) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", bare)
        return "" if whole else "不是 base64"
    if type_name in ("string", "markdown", "xhtml"):
        if not found.strip():
            return "不能只有空白"
        return "里面有控制字符" if _CONTROL.search(found) else ""
    match = _FORMATS[type_name].fullmatch(found)
    if not match:
        return _SAID[type_name]
    if type_name in ("uri", "url", "canonical"):
        for start, form in (("urn:uuid:", "uuid"), ("urn:oid:", "oid")):
            if found.startswith(start) and not _FORMATS[form].fullmatch(found):
                return _SAID[form]
    if type_name in ("date", "dateTime", "instant") and not _on_calendar(*match.groups()[:3]):
        return _SAID[type_name]
    return ""


def _on_calendar(year: str, month: str | None, day: str | None) -> bool:
    if int(year) == 0:
        return False
    return day is None or month is None or int(day) <= calendar.monthrange(int(year), int(month))[1]


def base64_size(written: str) -> int:
    """How many bytes this base64 stands for."""
    bare = re.sub(r"\s+", "", written)
    return len(bare) * 3 // 4 - bare.count("=", -2)
