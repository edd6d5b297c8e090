"""What formats yield: records in nobody's format, and what was wrong with those that could not be read.

No Django here: a format is tried out with nothing but a file.
"""

import codecs
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

# One line of a text file, in characters; a real answer has some hundred, the longest real article some 100,000.
MAX_LINE = 16 * 1024 * 1024
# Enough of a file to meet its first Chinese character and to tell UTF-8 from GB18030.
_PROBE = 64 * 1024

# No heading inside another: of a thousand that never end each would be looked for to the end of the text.
_HEADING = re.compile(r"<h[1-6]\b[^<>]*>((?:(?!<h[1-6]\b).)*?)</h[1-6]\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Fault:
    """A record that was refused: its place in the file, its field, and what to do, in Chinese."""

    place: int  # line or record number, as the format counts; 0 is the file as a whole
    field: str
    message: str


@dataclass(slots=True)
class Consultation:
    """One question and one doctor's answer to it, plain text."""

    place: int
    title: str
    ask: str
    answer: str
    department: str = ""
    author: str = ""
    author_job_title: str = ""
    author_hospital: str = ""
    date_created: str = ""


@dataclass
class Section:
    """One part of a page: its health aspect, its headline, and its text as HTML that need not be clean."""

    health_aspect: str
    headline: str
    html: str


@dataclass
class Page:
    """A condition or an article; `key` is its identity where it comes from and never changes."""

    place: int
    kind: str  # condition or article
    key: str
    name: str
    description: str = ""  # plain text, shortened by whole sentences; empty: the first sentences of the sections
    sections: list[Section] = field(default_factory=list)
    alternate_names: list[str] = field(default_factory=list)
    codes: list[tuple[str, str]] = field(default_factory=list)  # ("MeSH", "D009120")
    keywords: list[str] = field(default_factory=list)
    departments: list[str] = field(default_factory=list)  # names
    date_published: str = ""  # YYYY-MM-DD
    symptom: bool = False  # of a condition
    private: bool = False  # was not public where it comes from, so that no option makes it public here


def sections_of_html(markup: str, aspect_of: Callable[[str], str], first: str) -> list[Section]:
    """HTML cut at its headings; `first` heads what stands before them, `aspect_of` tells a heading's health aspect."""
    found = []
    for number, part in enumerate(_HEADING.split(markup)):
        if number % 2:
            headline = _TAG.sub("", html.unescape(part)).strip()
            found.append(Section(aspect_of(headline), headline, ""))
        elif _TAG.sub("", part).strip():
            if not found:
                found.append(Section("overview", first, ""))
            found[-1].html += part
    return [section for section in found if section.html and section.headline]


def xml_elements(stream: io.BufferedIOBase, name: str) -> Iterator[tuple[int, Element] | Fault]:
    """The elements of one name with their running number, each forgotten after it was used.

    A Fault ends it where the file is no XML, ends halfway, or holds entities.
    """
    number = 0
    parents: list[Element] = []
    try:
        for event, element in iterparse(stream, events=("start", "end"), forbid_entities=True, forbid_external=True):
            if event == "start":
                parents.append(element)
                continue
            parents.pop()
            if element.tag == name:
                number += 1
                yield number, element
            if element.tag == name or not any(parent.tag == name for parent in parents):
                element.clear()
                if parents:
                    parents[-1].remove(element)
    except DefusedXmlException:
        yield Fault(number + 1, "", "文件里有实体或外部引用，为了安全没有读：请去掉 <!ENTITY …> 再来")
    except (ParseError, ValueError, LookupError) as error:
        yield Fault(number + 1, "", f"不是完整的 XML，后面的没有读：{error}")


def detect_encoding(stream: io.BufferedIOBase) -> str:
    """The encoding of a text file from its first bytes: UTF-8 (with or without mark), UTF-16 with mark, or GB18030.

    Decided where the first bytes outside ASCII stand; the stream is put back to its start.
    """
    head = stream.read(_PROBE)
    encoding = "utf-8"
    if head.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        chunk = head
        while chunk.isascii() and (more := stream.read(_PROBE)):
            chunk = more
        read = chunk.decode("utf-8", "replace")
        beyond = sum(not character.isascii() for character in read)
        # GB18030 read as UTF-8 is mostly broken; UTF-8 with a broken byte here and there stays UTF-8
        if read.count("\ufffd") * 4 > beyond:
            encoding = "gb18030"
    stream.seek(0)
    return encoding


def text_lines(stream: io.BufferedIOBase) -> Iterator[str]:
    """The lines of a text file in any of the encodings above, with their line ends.

    Bytes that do not decode become lone surrogates, so that only the record that holds them is refused. ValueError
    for a line longer than MAX_LINE.
    """
    text = io.TextIOWrapper(stream, detect_encoding(stream), errors="surrogateescape", newline="")
    try:
        while line := text.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise ValueError(
                    f"有一行超过 {MAX_LINE // 1024 // 1024} MB，后面的没有读：请检查引号是否成对，换行是否完好"
                )
            yield line
    except UnicodeDecodeError as error:  # UTF-16 that ends halfway
        raise ValueError("文字编码中途坏了，后面的没有读：请另存为 UTF-8 再来") from error
    finally:
        if not stream.closed:
            text.detach()


def json_lines(stream: io.BufferedIOBase) -> Iterator[tuple[int, dict] | Fault]:
    """The objects of a JSON Lines file with their line numbers; a Fault for each line that is none."""
    number = 0
    try:
        for number, line in enumerate(text_lines(stream), 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                yield Fault(number, "", "不是完整的 JSON：每行要有一个完整的 {…}")
                continue
            if isinstance(found, dict):
                yield number, found
            else:
                yield Fault(number, "", "不是 JSON 对象：每行要有一个完整的 {…}")
    except ValueError as error:
        yield Fault(number + 1, "", str(error))


def text_of(found: dict, names: Iterable[str]) -> tuple[dict[str, str], str]:
    """The named values of a JSON object as text, and the name of the first that is neither text, number nor null."""
    values = {}
    for name in names:
        value = found.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            return {}, name
        values[name] = "" if value is None else str(value)
    return values, ""
