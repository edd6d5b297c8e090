"""Rich text as the bundle's Markdown and back, without loss.

The subset is closed: paragraphs, `**strong**`, `*emphasis*`, lists of one level, links and citations. Delimiters toggle
wherever they stand: CommonMark's rule, which looks at the characters beside them, leaves `**不要停药。**去问医生` open,
and Chinese has no spaces. Anything outside the subset is an error with its line, never dropped and never guessed.
"""

import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from itertools import groupby

from yidian.publication.richtext import CITATION, clean_html, clean_text


class MarkdownError(ValueError):
    """Text outside the subset: its line, and what to write instead."""

    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.line, self.message = line, message


@dataclass(frozen=True)
class Run:
    """Characters that share one look; `href` is empty outside links."""

    text: str
    bold: bool = False
    italic: bool = False
    href: str = ""


@dataclass(frozen=True)
class Block:
    """A paragraph ("p", one line) or a list ("ul" or "ol", a line an item); a line is a tuple of runs."""

    tag: str
    lines: tuple[tuple[Run, ...], ...]


# What HTML shows as one space; the ideographic space and the no-break space are characters like others.
_SPACE = re.compile("[ \t\n\r\f\v\x85\u2028\u2029]+")
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_MARKUP = re.compile(r"[\\*_`\[\]<&!]")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_WORD = re.compile(r"\w")
_STARTS = (
    (re.compile(r"#{1,6}(?: |$)"), "正文里不能有标题；标题只写成“## 小标题 {方面}”。要写 # 本身，用 \\#"),
    (re.compile(r">"), "正文里没有引用块；要写 > 本身，用 \\>"),
    (re.compile(r"([-*_])(?: *\1){2,} *$"), "正文里没有分隔线；要写 - 本身，用 \\-"),
    (re.compile(r"[+*](?: |$)"), "列表用“- ”开头；要写这个符号本身，在它前面加 \\"),
    (re.compile(r"-(?: |$)"), "列表只有一层，每一条都要有文字；要写 - 本身，用 \\-"),
    (re.compile(r"\d{1,9}[.)](?: |$)"), "编号列表写成“1. ”，只有一层；要写数字和点本身，用 1\\. "),
    (re.compile(r"~~~"), "正文里没有代码块；要写 ~ 本身，用 \\~"),
    (re.compile(r":::"), "“:::”只能写成“::: for 人群”和单独一行的“:::”；要写 : 本身，用 \\:"),
    (re.compile(r"\{\{"), "“{{”只能写成单独一行的“{{claim: 主张}}”；要写 { 本身，用 \\{"),
)


def blocks_of_html(html: str) -> tuple[Block, ...]:
    """The blocks of stored rich text; equal for all HTML that a reader sees alike."""
    parser = _Reader()
    parser.feed(clean_html(html))
    parser.close()
    parser.end_line()
    return _joined(parser.blocks)


def html_of_blocks(blocks: tuple[Block, ...]) -> str:
    """The canonical HTML, which `clean_html` leaves as it is."""
    written = []
    for block in blocks:
        lines = [_inline_html(line) for line in block.lines]
        if block.tag == "p":
            written += [f"<p>{line}</p>" for line in lines]
        else:
            written.append(f"<{block.tag}>{''.join(f'<li>{line}</li>' for line in lines)}</{block.tag}>")
    return "".join(written)


# Paragraphs that begin with a Han character and hold nothing that HTML or Markdown could read as something else are
# their own canonical form. Most answers of doctors are of this kind, and reading them as HTML costs 80 µs.
_SIMPLE = r"[\u4e00-\u9fff](?:[\u3001-\u9fff\uff00-\uffef“”‘’…—·0-9A-Za-z%+/().,:;?=~\-]| (?=[^ <]))*"
_SIMPLE_PARAGRAPHS = re.compile(f"(?:<p>{_SIMPLE}</p>)+")


def canonical_html(html: str) -> str:
    """The one form of all HTML that a reader sees alike."""
    return html if _SIMPLE_PARAGRAPHS.fullmatch(html) else html_of_blocks(blocks_of_html(html))


def html_to_markdown(html: str) -> str:
    """Stored rich text as Markdown, without a newline at its end; empty when there is no text."""
    if _SIMPLE_PARAGRAPHS.fullmatch(html):
        return html[3:-4].replace("</p><p>", "\n\n")
    written = []
    for block in blocks_of_html(html):
        lines = [_guarded(_inline_markdown(line)) for line in block.lines]
        if block.tag == "ul":
            lines = [f"- {line}" for line in lines]
        elif block.tag == "ol":
            lines = [f"{number}. {line}" for number, line in enumerate(lines, start=1)]
        written.append("\n".join(lines))
    return "\n\n".join(written)


def markdown_to_html(text: str, first_line: int = 1) -> str:
    """Markdown as canonical HTML; MarkdownError at the first thing outside the subset, counted from `first_line`."""
    return html_of_blocks(_blocks_of_markdown(text, first_line))


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.runs: list[Run] = []
        self.lists: list[str] = []
        self.bold = self.italic = 0
        self.hrefs: list[str] = []

    def end_line(self) -> None:
        if line := _normal(self.runs):
            self.blocks.append(Block(self.lists[-1] if self.lists else "p", (line,)))
        self.runs = []

    def handle_starttag(self, tag, attrs):
        if tag == "b":
            self.bold += 1
        elif tag == "i":
            self.italic += 1
        elif tag == "a":
            self.hrefs.append(_normal_href(dict(attrs).get("href") or ""))
        else:
            self.end_line()
            if tag in ("ul", "ol"):
                self.lists.append(tag)

    def handle_endtag(self, tag):
        if tag == "b":
            self.bold = max(0, self.bold - 1)
        elif tag == "i":
            self.italic = max(0, self.italic - 1)
        elif tag == "a":
            if self.hrefs:
                self.hrefs.pop()
        else:
            self.end_line()
            if tag in ("ul", "ol") and self.lists:
                self.lists.pop()

    def handle_data(self, data):
        href = self.hrefs[-1] if self.hrefs else ""
        # references such as &#x200b; become characters only here, after the gate
        self.runs.append(Run(clean_text(_SPACE.sub(" ", data)), self.bold > 0, self.italic > 0, clean_text(href)))


def _normal_href(href: str) -> str:
    return re.sub(r"\s", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), href)


def _normal(runs: list[Run]) -> tuple[Run, ...]:
    """Runs with white space as HTML shows it, none empty, equal neighbours joined."""
    kept: list[Run] = []
    after_space = True
    for run in runs:
        text = _SPACE.sub(" ", run.text)
        if after_space:
            text = text.removeprefix(" ")
        if not text:
            continue
        after_space = text.endswith(" ")
        if kept and replace(kept[-1], text="") == replace(run, text=""):
            kept[-1] = replace(run, text=kept[-1].text + text)
        else:
            kept.append(replace(run, text=text))
    if kept and kept[-1].text.endswith(" "):
        last = kept.pop()
        if text := last.text[:-1]:
            kept.append(replace(last, text=text))
    # a link that nobody can see is no link
    seen = [(href, list(runs)) for href, runs in groupby(kept, key=lambda run: run.href)]
    if any(href and not "".join(run.text for run in runs).strip() for href, runs in seen):
        return _normal(
            [
                run if "".join(other.text for other in runs).strip() else replace(run, href="")
                for _, runs in seen
                for run in runs
            ]
        )
    return tuple(kept)


def _joined(blocks: list[Block]) -> tuple[Block, ...]:
    """Neighbouring lists of one kind as one list, which is what Markdown makes of them."""
    kept: list[Block] = []
    for block in blocks:
        if kept and block.tag != "p" and kept[-1].tag == block.tag:
            kept[-1] = Block(block.tag, kept[-1].lines + block.lines)
        else:
            kept.append(block)
    return tuple(kept)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\xa0", "&nbsp;")


def _inline_html(line: tuple[Run, ...]) -> str:
    """Links outermost, then strong, then emphasis."""
    written = []
    open_now: list[str] = []
    href = ""
    for run in line:
        wanted = ["b"] * run.bold + ["i"] * run.italic
        keep = 0
        if run.href == href:
            while keep < min(len(open_now), len(wanted)) and open_now[keep] == wanted[keep]:
                keep += 1
        while len(open_now) > keep:
            written.append(f"</{open_now.pop()}>")
        if run.href != href:
            written.append("</a>" if href else "")
            if run.href:
                written.append(f'<a href="{_escaped(run.href).replace(chr(34), "&quot;")}">')
            href = run.href
        for tag in wanted[keep:]:
            written.append(f"<{tag}>")
            open_now.append(tag)
        written.append(_escaped(run.text))
    written += [f"</{tag}>" for tag in reversed(open_now)]
    return "".join(written) + ("</a>" if href else "")


def _inline_markdown(line: tuple[Run, ...]) -> str:
    written = ""
    bold = italic = False
    href = ""
    for run in [*line, Run("")]:
        if href and run.href != href:
            written += f"]({_written_href(href)})"
        written += "**" * (bold != run.bold) + "*" * (italic != run.italic)
        if run.href and run.href != href:
            # an unescaped ! before a link would make it a picture
            written = re.sub(r"!$", r"\!", written) + "["
        bold, italic, href = run.bold, run.italic, run.href
        written += _written_text(run.text)
    return written


def _written_href(href: str) -> str:
    return re.sub(r"([\\()])", r"\\\1", href)


def _written_text(text: str) -> str:
    written = []
    for part in re.split(r"(\[\^[a-z0-9]+(?:-[a-z0-9]+)*\])", text):
        if CITATION.fullmatch(part):
            written.append(part)
        else:
            part = re.sub(r"[\\*_`\[\]]", r"\\\g<0>", part)
            written.append(re.sub(r"<(?=[A-Za-z/!?]|$)|&(?=[A-Za-z#]|$)", r"\\\g<0>", part))
    return "".join(written)


def _guarded(line: str) -> str:
    """A line of Markdown whose start cannot be read as a heading, list, claim or population."""
    if number := re.match(r"\d{1,9}(?=[.)](?: |$))", line):
        return f"{number[0]}\\{line[number.end() :]}"
    starts = (pattern for pattern, _ in _STARTS)
    if line[0] != "*" and any(pattern.match(line) for pattern in starts):
        return "\\" + line
    return line


def _blocks_of_markdown(text: str, first_line: int) -> tuple[Block, ...]:
    blocks: list[Block] = []
    fresh = True  # the line before was empty
    after = ""  # the kind of the line before, when it was not
    for number, raw in enumerate(text.split("\n"), start=first_line):
        line = raw.rstrip(" \t")
        if clean_text(line) != line or "\u2028" in line or "\u2029" in line:
            raise MarkdownError(number, "这一行有看不见的控制字符，请删掉后重新输入这一行")
        if not line:
            fresh, after = True, ""
            continue
        if line[0] in " \t":
            raise MarkdownError(number, "行首不能有空格，请删掉")
        if item := re.match(r"- +(?=[^ ])", line):
            kind, content = "ul", line[item.end() :]
        elif item := re.match(r"(\d{1,9})\. +(?=[^ ])", line):
            kind, content = "ol", line[item.end() :]
            expected = len(blocks[-1].lines) + 1 if blocks and blocks[-1].tag == "ol" else 1
            if int(item[1]) != expected:
                raise MarkdownError(number, f"编号列表从 1 开始逐条加一，这里应是 {expected}. ")
        else:
            kind, content = "p", line
        if not fresh and (kind == "p" or kind != after):
            raise MarkdownError(number, "一段写在一行里；段落、列表之间空一行")
        for pattern, message in _STARTS:
            if pattern.match(content):
                raise MarkdownError(number, message)
        runs = _normal(_runs_of_markdown(content, number))
        if not runs:
            raise MarkdownError(number, "这一行没有文字，请删掉")
        if kind != "p" and blocks and blocks[-1].tag == kind:
            blocks[-1] = Block(kind, (*blocks[-1].lines, runs))
        else:
            blocks.append(Block(kind, (runs,)))
        fresh, after = False, kind
    return _joined(blocks)


def _runs_of_markdown(line: str, number: int) -> list[Run]:
    runs: list[Run] = []
    bold = italic = False
    link_from: int | None = None  # where in `runs` the open link began
    position = 0

    def add(text: str) -> None:
        if text:
            runs.append(Run(text, bold, italic))

    while position < len(line):
        found = _MARKUP.search(line, position)
        if found is None:
            add(line[position:])
            break
        add(line[position : found.start()])
        position, mark = found.start(), found[0]
        following = line[position + 1 : position + 2]
        if mark == "\\":
            if following == "[" and re.match(r"\^[a-z0-9-]+\\\]", line[position + 2 :]):
                raise MarkdownError(number, "“[^…]”总是引用出处；要写成文字，请换一种括号")
            escapes = following in _PUNCTUATION and following
            add(following if escapes else mark)
            position += 2 if escapes else 1
        elif mark == "*":
            stars = len(re.match(r"\*+", line[position:])[0])
            if stars > 3:
                raise MarkdownError(number, "星号太多：**重要** 用两个，*强调* 用一个；要写 * 本身，用 \\*")
            bold, italic = bold ^ (stars > 1), italic ^ (stars != 2)
            position += stars
        elif mark == "[" and (citation := CITATION.match(line, position)):
            add(citation[0])
            position = citation.end()
        elif mark == "[":
            if link_from is not None or "](" not in line[position:]:
                raise MarkdownError(number, "“[”只用于链接 [文字](/网址/) 和出处 [^出处]；要写 [ 本身，用 \\[")
            link_from = len(runs)
            position += 1
        elif mark == "]":
            if link_from is None or following != "(":
                raise MarkdownError(number, "“]”没有成对，或后面缺 (网址)；要写 ] 本身，用 \\]")
            href, position = _href_of_markdown(line, position + 2, number)
            if not any(run.text.strip() for run in runs[link_from:]):
                raise MarkdownError(number, "链接没有文字：写成 [文字](/网址/)")
            runs[link_from:] = [replace(run, href=href) for run in runs[link_from:]]
            link_from = None
        else:
            _check_literal(line, position, mark, number)
            add(mark)
            position += 1
    if link_from is not None:
        raise MarkdownError(number, "链接没有写完：写成 [文字](/网址/)")
    if bold or italic:
        raise MarkdownError(number, "星号没有成对：**重要**、*强调*；要写 * 本身，用 \\*")
    return runs


def _check_literal(line: str, position: int, mark: str, number: int) -> None:
    """MarkdownError when a character of Markdown or HTML stands where it would mean something elsewhere."""
    rest = line[position + 1 :]
    if mark == "`":
        raise MarkdownError(number, "正文里没有代码；要写 ` 本身，用 \\`")
    if mark == "_" and not (
        position and _WORD.match(line[position - 1]) and _WORD.match(rest) and line[position - 1] != "_"
    ):
        raise MarkdownError(number, "强调用 *星号*；要写 _ 本身，用 \\_")
    if mark == "<" and re.match(r"[A-Za-z/!?]", rest):
        raise MarkdownError(number, "正文里不能有 HTML；要写 < 本身，用 \\<")
    if mark == "&" and _ENTITY.match(line, position):
        raise MarkdownError(number, "直接写这个字符，不用 &…;；要写 & 本身，用 \\&")
    if mark == "!" and rest.startswith("[") and not CITATION.match(rest):
        raise MarkdownError(number, '图片单独占一行：![图里有什么](images/文件名 "图注")')


def _href_of_markdown(line: str, start: int, number: int) -> tuple[str, int]:
    """The address that begins at `start`, after "](", and the position after its closing parenthesis."""
    href, depth, position = "", 0, start
    while position < len(line):
        character = line[position]
        if character == "\\" and line[position + 1 : position + 2] in _PUNCTUATION:
            position += 1
            href += line[position : position + 1]
        elif character.isspace():
            raise MarkdownError(number, "网址里不能有空格，后面也不能加标题；空格写成 %20")
        elif character == ")" and depth == 0:
            break
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
            href += character
        position += 1
    else:
        raise MarkdownError(number, "链接没有写完：缺右括号 )")
    inside = href.startswith("/") and not href.startswith(("//", "/\\"))
    if not inside and not href.startswith(("https://", "http://")):
        raise MarkdownError(number, "站内链接以 / 开头，站外链接以 https:// 开头")
    return href, position + 1
