"""疾病资料，每行一个 JSON：name, desc, cause, symptom, check, cure_way …"""

import html
import io
from collections.abc import Iterator

from yidian.exchange.incoming import Fault, Page, Section, json_lines

ORIGIN = LICENCE = ""
PAGES = True

# Field of the file, health aspect, headline, and a phrase before what it says; those of one headline are one section.
_PARTS = (
    ("desc", "overview", "概述", ""),
    ("category", "overview", "概述", "分类："),
    ("symptom", "symptoms", "症状", ""),
    ("acompany", "symptoms", "可能一起出现的病", ""),
    ("cause", "causes", "原因", ""),
    ("easy_get", "risk_factors", "哪些人容易得", ""),
    ("get_prob", "risk_factors", "哪些人容易得", "患病比例："),
    ("get_way", "risk_factors", "哪些人容易得", "传播方式："),
    ("check", "diagnosis", "检查", ""),
    ("cure_way", "treatment", "治疗", "治疗方式："),
    ("common_drug", "treatment", "治疗", "常用药："),
    ("recommand_drug", "treatment", "治疗", "推荐药："),
    ("cure_lasttime", "prognosis", "会怎样发展", "治疗周期："),
    ("cured_prob", "prognosis", "会怎样发展", "治愈率："),
    ("do_eat", "living_with", "饮食", "适合吃："),
    ("recommand_eat", "living_with", "饮食", "推荐食谱："),
    ("not_eat", "living_with", "饮食", "不宜吃："),
    ("prevent", "prevention", "预防", ""),
)


def read(stream: io.BufferedIOBase) -> Iterator[Page | Fault]:
    """Conditions by line; their names are their identity, fields that are not known are left aside."""
    for found in json_lines(stream):
        if isinstance(found, Fault):
            yield found
            continue
        place, record = found
        lists = {}
        wrong = ""
        for name in ("name", "cure_department", *(part[0] for part in _PARTS)):
            lists[name], fine = _lines(record.get(name))
            wrong = wrong or ("" if fine else name)
        if wrong:
            yield Fault(place, wrong, "这里应当是文字，或文字的列表")
        elif len(lists["name"]) != 1:
            yield Fault(place, "name", "没有病名" if not lists["name"] else "病名只能有一个")
        else:
            yield _page(place, lists)


def _lines(value) -> tuple[list[str], bool]:
    """A text's lines, or a list's texts; and whether it was one of the two."""
    if value is None:
        return [], True
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items):
        return [], False
    return [line.strip() for item in items for line in str(item).splitlines() if line.strip()], True


def _page(place: int, lists: dict[str, list[str]]) -> Page:
    sections: dict[str, Section] = {}
    for name, aspect, headline, phrase in _PARTS:
        if not lists[name]:
            continue
        section = sections.setdefault(headline, Section(aspect, headline, ""))
        if phrase:
            section.html += f"<p>{html.escape(phrase + '、'.join(lists[name]))}</p>"
        elif name in {"symptom", "acompany", "check"}:
            section.html += f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in lists[name])}</ul>"
        else:
            section.html += "".join(f"<p>{html.escape(line)}</p>" for line in lists[name])
    return Page(
        place,
        "condition",
        lists["name"][0],
        lists["name"][0],
        description=" ".join(lists["desc"]),
        sections=list(sections.values()),
        departments=lists["cure_department"],
    )
