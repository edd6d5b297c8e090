"""The closed YAML of the bundle: maps, lists and words with their lines; one canonical way to write them."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import yaml

# libyaml where PyYAML was built with it (10 times faster), PyYAML's own otherwise; both give the same events.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The format nests four deep; more is a mistake or an attack on the stack.
MAX_DEPTH = 10


class YamlError(ValueError):
    """What is wrong with a YAML text, and its line."""

    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.line, self.message = line, message


@dataclass(frozen=True)
class Node:
    """A word (str), a list of nodes, or a map of names to nodes, with the line it begins on."""

    value: "str | list[Node] | dict[str, Node]"
    line: int
    plain: bool = False  # written without quotes


def read_yaml(text: str, first_line: int = 1) -> Node:
    """The one document of a YAML text; YamlError for anchors, tags, doubled names and whatever YAML refuses.

    Words keep their spelling, whatever YAML would make of them: the field decides what they are.
    """
    events = yaml.parse(text, Loader=_Loader)
    try:
        node = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if node is not None:
                    raise YamlError(_line(event, first_line), "只能有一份内容，请删掉多出来的“---”")
                node = _node(next(events), events, first_line, 0)
        return node or Node([], first_line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line if mark else 0) + first_line
        raise YamlError(line, f"YAML 写法有误（{error.problem}），请检查缩进、冒号后的空格和引号") from error
    except yaml.YAMLError as error:  # characters that YAML refuses
        raise YamlError(first_line, f"YAML 里有不允许的字符：{error}") from error


def _line(event: yaml.Event, first_line: int) -> int:
    return event.start_mark.line + first_line


def _node(event: yaml.Event, events: Iterator[yaml.Event], first_line: int, depth: int) -> Node:
    line = _line(event, first_line)
    if isinstance(event, yaml.AliasEvent) or event.anchor:
        raise YamlError(line, "不能用 & 和 * 引用别处；文字以 & 或 * 开头时请加引号")
    if depth > MAX_DEPTH:
        raise YamlError(line, "嵌套太深")
    if event.tag and event.tag != "!":
        raise YamlError(line, "不能用 ! 标签；文字以 ! 开头时请加引号")
    if isinstance(event, yaml.ScalarEvent):
        return Node(event.value, line, plain=event.style in (None, ""))
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_node(event, events, first_line, depth + 1))
        return Node(items, line)
    found: dict[str, Node] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(event, events, first_line, depth + 1)
        if not isinstance(key.value, str):
            raise YamlError(key.line, "字段名必须是一个词")
        if key.value in found:
            raise YamlError(key.line, f"字段 {key.value} 写了两次，请留下一个")
        found[key.value] = _node(next(events), events, first_line, depth + 1)
    return Node(found, line)


_emitter = yaml.SafeDumper(io.StringIO(), allow_unicode=True)


# Begins with a Han character and holds nothing that means something in YAML: plain anywhere. Most texts are, and the
# emitter looks at every character: 25 µs a text.
_INNER = r"\u3000-\u9fff\uff00-\uffef“”‘’…—·0-9A-Za-z%+/().;=~\-"
_PLAIN = re.compile(f"[\u4e00-\u9fff](?:[{_INNER} ]*[{_INNER}])?")


def written_word(text: str, *, in_flow: bool = False) -> str:
    """A word as YAML, quoted only when it has to be."""
    return text if _PLAIN.fullmatch(text) else _written_word(text, in_flow)


@lru_cache(maxsize=1024)  # the same few words stand in every record
def _written_word(text: str, in_flow: bool) -> str:
    analysis = _emitter.analyze_scalar(text)
    may_be_plain = analysis.allow_flow_plain if in_flow else analysis.allow_block_plain
    is_text = _emitter.resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    if may_be_plain and not analysis.multiline and is_text:
        return text
    if analysis.allow_single_quoted and not analysis.multiline:
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=False)


def written_lines(text: str, indent: int) -> str:
    """A text of several lines as a literal block, or quoted where a block would not keep it."""
    lines = text.split("\n")
    if len(lines) == 1:
        return written_word(text)
    if lines[0] and not text[0].isspace() and all(line == line.rstrip() for line in lines) and lines[-1]:
        pad = " " * indent
        return "|-\n" + "\n".join(pad + line if line else "" for line in lines)
    return json.dumps(text, ensure_ascii=False)
