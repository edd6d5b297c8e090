"""医生问答，CSV 表格：department, title, ask, answer"""

import csv
import io
from collections.abc import Iterator

from yidian.exchange.incoming import MAX_LINE, Consultation, Fault, text_lines

ORIGIN = LICENCE = ""
PAGES = False

# What a table's own heading may be called.
_NAMES = {
    "科室": "department",
    "标题": "title",
    "问题": "title",
    "提问": "ask",
    "补充描述": "ask",
    "回答": "answer",
    "医生": "author",
    "职称": "author_job_title",
    "医院": "author_hospital",
    "日期": "date_created",
}
_REQUIRED = ("title", "ask", "answer")
_FIELDS = {name for name in Consultation.__dataclass_fields__ if name != "place"}


def read(stream: io.BufferedIOBase) -> Iterator[Consultation | Fault]:
    """Consultations by the line that each begins on; columns that are not known are left aside."""
    csv.field_size_limit(MAX_LINE)
    lines = text_lines(stream)
    try:
        first = next(lines, "")
    except ValueError as error:
        yield Fault(0, "", str(error))
        return
    rows = csv.reader(_all(first, lines), delimiter="\t" if "\t" in first and "," not in first else ",", strict=True)
    try:
        header = [_NAMES.get(name.strip(), name.strip().lower()) for name in next(rows, [])]
    except (csv.Error, ValueError):
        yield Fault(1, "", "第一行应当是表头，例如 department,title,ask,answer，这里读不懂")
        return
    if missing := [name for name in _REQUIRED if name not in header]:
        yield Fault(1, missing[0], f"第一行是表头，里面没有这些列：{'、'.join(missing)}")
        return
    if double := [name for name in _FIELDS if header.count(name) > 1]:
        yield Fault(1, double[0], "表头里这一列有两个，请删掉一个")
        return
    at = {name: header.index(name) for name in _FIELDS if name in header}
    needed = [at[name] for name in _REQUIRED]
    more = [(name, at[name]) for name in at if name not in _REQUIRED]
    width, before = len(header), rows.line_num
    while True:
        try:
            row = next(rows, None)
        except csv.Error:
            yield Fault(
                before + 1, "", f"引号没有成对，或一格超过 {MAX_LINE // 1024 // 1024} MB：文字里的引号要写成两个"
            )
            before = rows.line_num
            continue
        except ValueError as error:
            yield Fault(before + 1, "", str(error))
            return
        if row is None:
            return
        place, before = before + 1, rows.line_num
        if len(row) == width:
            title, ask, answer = [row[index] for index in needed]
            yield Consultation(place, title, ask, answer, **{name: row[index] for name, index in more})
        elif row:
            yield Fault(place, "", f"这一行有 {len(row)} 格，表头有 {width} 格：请检查逗号和引号")


def _all(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines
