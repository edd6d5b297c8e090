"""Rich text: the closed subset that the editor offers and the bundle carries, and the gate it passes on the way in."""

import re

import nh3

# <b>/<i> are what Wagtail's editor writes; links are root-relative or http(s).
TAGS = {"p", "b", "i", "ul", "ol", "li", "a"}
FEATURES = ["bold", "italic", "ol", "ul", "link"]

CITATION = re.compile(r"\[\^([a-z0-9]+(?:-[a-z0-9]+)*)\]")

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def is_local_path(address: str) -> bool:
    """Whether an address stays on this site: two slashes, or a slash and a backslash, lead to another host.

    So do two slashes with a tab or a line end between them, which browsers leave out.
    """
    second = address[1:2]
    return address.startswith("/") and second not in {"/", "\\"} and not second.isspace()


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "a" and name == "href":
        value = _CONTROL.sub("", value)  # first, or "/\u200b/elsewhere" would become "//elsewhere" afterwards
        if is_local_path(value):
            return value
        if value.startswith(("https://", "http://")):
            return value
    return None


def clean_html(html: str) -> str:
    """The HTML with everything outside the subset removed: the one gate for rich text from people.

    Control, bidi and zero-width characters go too, as written and as character references: nh3 keeps them, and they
    can hide in an address or turn a dose around. A line break becomes a space.
    """
    text = _BREAK.sub(" ", _CONTROL.sub("", html))
    for written, kept in (("<strong>", "<b>"), ("<em>", "<i>")):
        text = text.replace(written, kept).replace(written.replace("<", "</"), kept.replace("<", "</"))
    cleaned = nh3.clean(text, tags=TAGS, attributes={"a": {"href"}}, attribute_filter=_attribute, link_rel=None)
    return _CONTROL.sub("", cleaned)


def clean_text(text: str) -> str:
    """Plain text from people without control, bidi and zero-width characters."""
    return _CONTROL.sub("", text)


def citations(text: str) -> list[str]:
    """Slugs of the sources cited in a text, in order, each once."""
    return list(dict.fromkeys(CITATION.findall(text)))
