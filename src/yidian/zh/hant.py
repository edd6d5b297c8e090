"""简体 to 繁體, with our own table of medical terms on top of OpenCC."""

import json
import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

# What stands between two pieces of text in the one call to OpenCC; never part of a dictionary phrase.
_SEPARATOR = "\x1f"

_SURROGATE_OR_NUL = re.compile("[\ud800-\udfff\x00]")

# After a figure 周 counts weeks, and the table of terms cannot hold figures; 周岁 is an age, 周围 surrounds.
_WEEKS = re.compile(r"(?<=[0-9])( ?)周(?![圍邊歲])")

# Markup that goes out byte for byte. A "<" that opens no tag ("< 40 ℃") is text.
_MARKUP = re.compile(
    r"(<!--.*?(?:-->|\Z)"
    r"|<(script|style)\b.*?(?:</\2\s*>|\Z)"
    r"|<[/!?]?[a-zA-Z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>)",
    re.DOTALL | re.IGNORECASE,
)

# Attributes whose values people read or hear, and data-say-…, in which pages keep what their scripts will say.
# Everything else in a tag may be an address, a key or a class.
_READ_ATTRIBUTE = re.compile(
    r"(\s(?:alt|title|aria-label|aria-description|placeholder|content|label|data-say-[a-z-]+)\s*=\s*)(\"[^\"]*\"|'[^']*')",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[\"']\s*(?:[a-z][a-z0-9+.-]*:|/|\?|#|\./|\.\./)", re.IGNORECASE)
_HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def to_hant(text: str) -> str:
    """The same text, or HTML, for readers of 繁體: Taiwan's characters and medical words.

    In HTML the tags, comments, scripts and styles stay byte for byte, apart from the values of attributes
    that are read aloud or shown (alt, title, aria-label, aria-description, placeholder, label, data-say-…, and
    content unless it is an address). ASCII and entities are never changed. About 3 ms for 30,000 Chinese characters.
    """
    if not _HAN.search(text):
        return text
    if "<" not in text:
        return _convert([text])[0]
    pieces: list[str] = []
    is_text: list[bool] = []
    end = 0
    for found in _MARKUP.finditer(text):
        pieces.append(text[end : found.start()])
        is_text.append(True)
        end = found.end()
        _add_markup(found.group(), pieces, is_text, raw=bool(found.group(2)))
    pieces.append(text[end:])
    is_text.append(True)
    wanted = [n for n, piece in enumerate(pieces) if is_text[n] and _HAN.search(piece)]
    for n, converted in zip(wanted, _convert([pieces[n] for n in wanted]), strict=True):
        pieces[n] = converted
    return "".join(pieces)


def _add_markup(markup: str, pieces: list[str], is_text: list[bool], *, raw: bool) -> None:
    if raw or markup.startswith("<!--") or not _HAN.search(markup):
        pieces.append(markup)
        is_text.append(False)
        return
    end = 0
    for found in _READ_ATTRIBUTE.finditer(markup):
        if _ADDRESS.match(found.group(2)):
            continue
        pieces += [markup[end : found.start(2)], found.group(2)]
        is_text += [False, True]
        end = found.end()
    pieces.append(markup[end:])
    is_text.append(False)


def _convert(pieces: list[str]) -> list[str]:
    """Convert many pieces in one call, because a call costs more than a short piece."""
    joined = _SEPARATOR.join(pieces)
    if joined.count(_SEPARATOR) == len(pieces) - 1 and not _SURROGATE_OR_NUL.search(joined):
        converted = _WEEKS.sub(r"\1週", _converter().convert(joined)).split(_SEPARATOR)
        if len(converted) == len(pieces):
            return converted
    return [_convert_hostile(piece) for piece in pieces]


def _convert_hostile(piece: str) -> str:
    """OpenCC stops at NUL and refuses lone surrogates, so these are carried around it."""
    return re.sub(r"[^\x00\ud800-\udfff]+", lambda found: _converter().convert(found.group()), piece)


@cache
def _converter():
    import opencc

    with as_file(files("yidian.zh") / "medical_terms.txt") as terms, _readable_file(_config(terms)) as path:
        return opencc.OpenCC(path)


def _config(terms: Path) -> str:
    """OpenCC's own s2tw configuration with our table ahead of its phrases, all paths absolute.

    Our words take part in the segmentation, so that 方面部门 is not cut to find 面部 in it.
    """
    import opencc

    dictionaries = Path(opencc.__file__).parent / "clib" / "share" / "opencc"

    def with_absolute_paths(node):
        if isinstance(node, dict):
            return {
                key: str(dictionaries / value) if key == "file" else with_absolute_paths(value)
                for key, value in node.items()
            }
        return [with_absolute_paths(item) for item in node] if isinstance(node, list) else node

    config = with_absolute_paths(json.loads((dictionaries / "s2tw.json").read_text(encoding="utf-8")))
    ours = {"type": "text", "file": str(terms)}
    config["segmentation"]["dict"]["dicts"].insert(0, ours)
    config["conversion_chain"][0]["dict"]["dicts"].insert(0, ours)
    return json.dumps(config)


@contextmanager
def _readable_file(content: str) -> Generator[str]:
    """A path to read the content from: OpenCC takes a configuration only as a file.

    In memory where the system can, so that a full or read-only disk does not stop 繁體 pages.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("opencc-config")
        try:
            os.write(descriptor, content.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "yidian.json"
            path.write_text(content, encoding="utf-8")
            yield str(path)
