"""WordPress 导出的文章（WXR）"""

import html
import io
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from yidian.exchange.incoming import Fault, Page, sections_of_html, xml_elements

ORIGIN = LICENCE = ""
PAGES = True

_SHORTCODE = re.compile(r"\[/?[a-z][a-z0-9_-]*(?:\s[^\[\]]*)?/?\]")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)  # one that never ends goes to the end, as in browsers
_BLOCK = re.compile(r"</?(?:p|div|ul|ol|h[1-6]|table|blockquote|figure|pre)\b", re.IGNORECASE)
_ASPECTS = (
    ("症状", "symptoms"),
    ("原因|病因|为什么", "causes"),
    ("检查|诊断", "diagnosis"),
    ("治疗|用药", "treatment"),
    ("预防", "prevention"),
    ("护理|怎么办", "self_care"),
    ("就医|看医生", "see_doctor"),
)


def read(stream: io.BufferedIOBase) -> Iterator[Page | Fault]:
    """Posts and pages by their number among the items; whatever else is there (pictures, menus) is left aside."""
    for found in xml_elements(stream, "item"):
        if isinstance(found, Fault):
            yield found
            continue
        place, item = found
        values = {each.tag.rpartition("}")[2]: "".join(each.itertext()) for each in item if each.tag != "category"}
        content, excerpt = (_spaced(item, space) for space in ("content", "excerpt"))
        if values.get("post_type", "post") not in {"post", "page"} or values.get("status") == "trash":
            continue
        if not values.get("title", "").strip():
            yield Fault(place, "title", "没有标题")
            continue
        key = values.get("guid") or values.get("link") or values.get("post_id", "")
        if not key.strip():
            yield Fault(place, "guid", "没有 guid、link 或 post_id，下次导入认不出它")
            continue
        yield Page(
            place,
            "article",
            key.strip(),
            html.unescape(values["title"]).strip(),
            description=re.sub(r"<[^<>]*>", "", html.unescape(excerpt)),
            sections=sections_of_html(_paragraphs(content), _aspect, "正文"),
            keywords=[text for each in item.findall("category") if (text := "".join(each.itertext()).strip())],
            date_published=_date(values.get("post_date", "")),
            private=values.get("status", "publish") != "publish" or bool(values.get("post_password")),
        )


def _spaced(item: Element, space: str) -> str:
    """`content:encoded` and `excerpt:encoded`, told apart by their namespaces whatever WXR version those name."""
    for each in item:
        if each.tag.endswith("}encoded") and f"/{space}/" in each.tag:
            return "".join(each.itertext())
    return ""


def _paragraphs(content: str) -> str:
    """A post as HTML: WordPress keeps paragraphs as blank lines, and marks of its own in comments and [brackets]."""
    text = _SHORTCODE.sub("", _COMMENT.sub("", content)).replace("\r\n", "\n")
    parts = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    return "\n".join(part if _BLOCK.search(part) else f"<p>{part.replace(chr(10), '<br>')}</p>" for part in parts)


def _aspect(headline: str) -> str:
    return next((aspect for words, aspect in _ASPECTS if re.search(words, headline)), "overview")


def _date(written: str) -> str:
    found = re.match(r"(?!0000)\d{4}-\d\d-\d\d", written)
    return found[0] if found else ""
