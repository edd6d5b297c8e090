"""MedlinePlus 健康主题，XML（英文或西班牙文，待译）"""

import html
import io
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from yidian.exchange.incoming import Fault, Page, Section, sections_of_html, xml_elements

ORIGIN = "MedlinePlus, U.S. National Library of Medicine"
# medlineplus.gov/about/using/usingcontent: summaries of health topics may be used freely, with this credit.
LICENCE = "Public domain; courtesy of MedlinePlus from the National Library of Medicine"
PAGES = True

# Topics of these groups are about tests, treatments and habits: articles, not conditions.
_NOT_CONDITIONS = {
    "Diagnostic Tests",
    "Drug Therapy",
    "Surgery and Rehabilitation",
    "Complementary and Alternative Therapies",
    "Transplantation and Donation",
    "Fitness and Exercise",
    "Food and Nutrition",
    "Health System",
    "Personal Health Issues",
    "Safety Issues",
    "Wellness and Lifestyle",
}
_ASPECTS = (
    (r"symptom|síntoma", "symptoms"),
    (r"cause|causa", "causes"),
    (r"risk|riesgo", "risk_factors"),
    (r"diagnos|test|prueba", "diagnosis"),
    (r"treat|tratamiento|cure", "treatment"),
    (r"prevent|preven", "prevention"),
    (r"liv(?:e|ing) with|cop(?:e|ing)", "living_with"),
    (r"when (?:should|to)|doctor|cuándo", "see_doctor"),
    (r"complication|problem|outlook|complicaci", "prognosis"),
)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def read(stream: io.BufferedIOBase) -> Iterator[Page | Fault]:
    """Topics by their number in the file; a topic's address is its identity."""
    for found in xml_elements(stream, "health-topic"):
        if isinstance(found, Fault):
            yield found
            continue
        place, topic = found
        missing = [name for name in ("title", "url") if not topic.get(name, "").strip()]
        if missing:
            yield Fault(place, missing[0], f"没有这些属性：{'、'.join(missing)}")
        elif topic.get("language", "English") not in {"English", "Spanish"}:
            yield Fault(place, "language", "语言应当是 English 或 Spanish")
        else:
            yield _page(place, topic)


def _page(place: int, topic: Element) -> Page:
    groups = _texts(topic, "group")
    summary = "".join(topic.find("full-summary").itertext()) if topic.find("full-summary") is not None else ""
    headings = [each for each in topic.findall("mesh-heading/descriptor") if each.get("id")]
    date = _DATE.fullmatch(topic.get("date-created", ""))
    about_condition = not _NOT_CONDITIONS.intersection(groups)
    return Page(
        place,
        "condition" if about_condition else "article",
        topic.get("url", "").strip(),
        topic.get("title", "").strip(),
        description=topic.get("meta-desc", ""),
        sections=sections_of_html(summary, _aspect, "Overview") + _links(topic),
        alternate_names=[*_texts(topic, "also-called"), *_texts(topic, "see-reference")],
        codes=[("MeSH", each.get("id", "")) for each in headings],
        keywords=[*groups, *("".join(each.itertext()) for each in headings)],
        date_published=f"{date[3]}-{int(date[1]):02}-{int(date[2]):02}" if date else "",
        symptom="Symptoms" in groups,
    )


def _texts(topic: Element, name: str) -> list[str]:
    return [text for each in topic.findall(name) if (text := "".join(each.itertext()).strip())]


def _aspect(headline: str) -> str:
    return next((aspect for words, aspect in _ASPECTS if re.search(words, headline, re.IGNORECASE)), "overview")


def _links(topic: Element) -> list[Section]:
    """Related topics, and the sites that MedlinePlus points to."""
    found = []
    for name, headline in (("related-topic", "Related topics"), ("site", "Learn more")):
        items = ""
        for each in topic.findall(name):
            label = each.get("title") or "".join(each.itertext()).strip()
            who = "、".join(text for text in _texts(each, "organization"))
            link = f'<a href="{html.escape(each.get("url", ""))}">{html.escape(label)}</a>'
            items += f"<li>{link}{html.escape(f' ({who})' if who else '')}</li>"
        if items:
            found.append(Section("evidence", headline, f"<ul>{items}</ul>"))
    return found
