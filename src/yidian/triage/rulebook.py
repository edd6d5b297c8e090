"""The rule base: YAML that people write and review, checked, and compiled to one structure that loads fast."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from yidian.triage import likeness
from yidian.triage.conditions import Condition, ConditionError, atoms_of, read_age, read_condition
from yidian.triage.levels import EMERGENCY, LEVELS, SELF_CARE, urgency
from yidian.triage.phrases import PhraseError, read_concepts, read_pattern

HERE = Path(__file__).parent
COMPILED = "compiled.json"

_BASES = ("read", "known")
_SOURCE_FIELDS = {"title", "publisher", "date", "url", "doi", "pmid", "number", "basis"}
_QUESTION_FIELDS = {"text", "help", "age", "sex", "pregnant"}
_RULE_FIELDS = {
    "id",
    "version",
    "when",
    "level",
    "heading",
    "message",
    "phrases",
    "age",
    "sex",
    "pregnancy",
    "exclusions",
    "even_if_over",
    "fear_counts",
    "unless_usual",
    "sources",
    "reviewer",
    "written",
    "reviewed",
    "examples",
}
_REQUIRED = ("id", "when", "level", "heading", "message", "sources", "examples")
# full-width letters, digits and signs, and capital letters: one character for one
_HALF_WIDTH = {code: chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
_HALF_WIDTH |= {code: chr(code).lower() for code in range(0x41, 0x5B)}
# Written Cantonese, one character for one: 讲嘢唔清 is 讲话不清.
_DIALECT = {
    ord(spoken): written
    for spoken, written in zip("唔嘅咗佢冇喺嚟睇嘢瞓啲畀攰", "不的了他没在来看话睡些给累", strict=True)
}
_DEFAULTS = {"version": 1, "reviewer": "", "reviewed": None}


class RuleError(ValueError):
    """A rule file that cannot be used: says which file, which rule, and what is wrong."""

    def __init__(self, file: str, place: str, what: str):
        self.file, self.place = file, place
        super().__init__(f"{file}：{place}：{what}" if place else f"{file}：{what}")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the general check; `asked` is who it concerns, None for everyone."""

    id: str
    text: str
    help: str
    topic: str
    asked: Condition | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One red flag. `when` already holds the rule's age, sex and pregnancy; `who` holds them alone.

    `guide` is the address of the action guide that follows; `no_guide` says why an emergency has none.
    """

    id: str
    topic: str
    version: int
    level: str
    heading: str
    message: str
    when: Condition
    who: Condition | None
    phrases: tuple
    exclusions: tuple
    even_if_over: bool
    fear_counts: bool
    unless_usual: bool
    sources: tuple[str, ...]
    reviewer: str
    written: str
    reviewed: str | None
    guide: str | None
    no_guide: str
    examples: Mapping[str, tuple[str, ...]]


_ALIKE = Rule(
    id=likeness.RULE,
    topic="likeness",
    version=1,
    level=likeness.LEVEL,
    heading=likeness.HEADING,
    message=likeness.MESSAGE,
    when=("any",),
    who=None,
    phrases=(),
    exclusions=(),
    even_if_over=False,
    fear_counts=False,
    unless_usual=False,
    sources=(),
    reviewer="",
    written="2026-11-26",
    reviewed=None,
    guide=None,
    no_guide="没有对上某一条规则，不知道该用哪一份指南。",
    examples={},
)


@dataclass(frozen=True)
class Rulebook:
    """All rules, most urgent first, with their questions, sources and the words of the free-text reader."""

    rules: Mapping[str, Rule]
    questions: Mapping[str, Question]
    sources: Mapping[str, dict]
    concepts: Mapping[str, list]
    hans: Mapping[int, str]
    sha256: str

    def __hash__(self) -> int:
        return hash(self.sha256)

    def rule(self, identifier: str) -> Rule:
        """The rule of a finding; that of `likeness`, which no answer fires, as well. KeyError for another."""
        return _ALIKE if identifier == likeness.RULE else self.rules[identifier]


@cache
def load() -> Rulebook:
    """The rules that ship with Yidian; RuleError when a file is malformed. Cached: the files are read once."""
    return load_folder(HERE)


def load_folder(folder: Path) -> Rulebook:
    """The rules of a folder with `rules/*.yaml`, `sources.yaml`, `lexicon.yaml` and, where it has one, `guides.yaml`.

    The compiled form is used when it was made from exactly these files, which costs milliseconds; parsing YAML
    costs a hundred times that.
    """
    digest = _digest(folder)
    made = folder / COMPILED
    if made.exists():
        compiled = json.loads(made.read_bytes())
        if compiled["sha256"] == digest:
            return _assemble(compiled)
    return _assemble(compile_folder(folder))


def _inputs(folder: Path) -> list[Path]:
    more = sorted(folder.glob("guides.yaml"))
    return [folder / "lexicon.yaml", folder / "sources.yaml", *sorted((folder / "rules").glob("*.yaml")), *more]


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in _inputs(folder):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def compile_folder(folder: Path) -> dict:
    """The checked rules of a folder as one plain JSON document; RuleError names what is malformed."""
    sources = _read_sources(folder / "sources.yaml")
    lexicon = _parse(folder / "lexicon.yaml")
    try:
        concepts = read_concepts(lexicon)
    except PhraseError as error:
        raise RuleError("lexicon.yaml", "", str(error)) from error
    topics = {path: _parse(path) for path in sorted((folder / "rules").glob("*.yaml"))}
    questions: dict[str, dict] = {}
    for path, topic in topics.items():
        _only(
            path.name,
            "",
            topic,
            {"topic", "order", "written", "questions", "rules"},
            ("topic", "order", "written", "rules"),
        )
        for identifier, written in (topic.get("questions") or {}).items():
            if identifier in questions:
                raise RuleError(path.name, f"问题 {identifier}", "这个编号用了两次。")
            questions[identifier] = _read_question(path.name, identifier, written, topic["topic"])
    rules: dict[str, dict] = {}
    for path, topic in sorted(topics.items(), key=lambda each: each[1]["order"]):
        for written in topic["rules"]:
            rule = _read_rule(path.name, written, topic, questions, sources, concepts)
            if rule["id"] in rules:
                raise RuleError(path.name, f"规则 {rule['id']}", "这个编号用了两次。")
            rules[rule["id"]] = rule
    asked = {atom[1] for rule in rules.values() for atom in atoms_of(rule["when"]) if atom[0] == "answer"}
    for identifier, question in questions.items():
        if identifier not in asked:
            raise RuleError(question["topic"], f"问题 {identifier}", "没有规则用到它。")
    _add_guides(folder / "guides.yaml", rules)
    ordered = sorted(rules.values(), key=lambda rule: -urgency(rule["level"]))
    return {
        "sha256": _digest(folder),
        "rules": ordered,
        "questions": list(questions.values()),
        "sources": sources,
        "concepts": concepts,
        "hans": _hans(concepts),
    }


def _add_guides(path: Path, rules: dict[str, dict]) -> None:
    """Gives each rule its guide, or the reason why it has none; an emergency must have one of the two."""
    table = _parse(path) if path.exists() else {}
    _only(path.name, "", table, {"guides", "without"})
    for guide, named in table.get("guides", {}).items():
        for identifier in named:
            if identifier not in rules:
                raise RuleError(path.name, f"指南 {guide}", f"没有“{identifier}”这条规则。")
            if rules[identifier]["guide"]:
                raise RuleError(
                    path.name, f"规则 {identifier}", f"写在两个指南下面：{rules[identifier]['guide']} 和 {guide}。"
                )
            rules[identifier]["guide"] = guide
    for identifier, reason in table.get("without", {}).items():
        if identifier not in rules or rules[identifier]["guide"] or not reason:
            raise RuleError(path.name, f"规则 {identifier}", "without 里写没有指南的规则，并写明理由。")
        rules[identifier]["no_guide"] = str(reason)
    for rule in rules.values():
        if table and urgency(rule["level"]) >= urgency(EMERGENCY) and not (rule["guide"] or rule["no_guide"]):
            raise RuleError(path.name, f"规则 {rule['id']}", "急症要写明用哪个指南，或在 without 里写为什么没有。")


def _hans(concepts: Mapping) -> list[str]:
    """繁體 characters whose 简体 stands in the lexicon, and those 简体: one character for one, so that spans stay."""
    from opencc import OpenCC

    used = set(json.dumps(concepts, ensure_ascii=False))
    convert = OpenCC("t2s").convert
    pairs = [(char, simple) for char in map(chr, range(0x4E00, 0xA000)) if (simple := convert(char)) != char]
    pairs = [(char, simple) for char, simple in pairs if simple in used and len(simple) == 1 and char not in used]
    return ["".join(char for char, _ in pairs), "".join(simple for _, simple in pairs)]


def write_compiled(folder: Path = HERE) -> bool:
    """Writes the compiled form beside the YAML; answers whether it changed."""
    made = json.dumps(compile_folder(folder), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
    path = folder / COMPILED
    if path.exists() and path.read_text("utf-8") == made:
        return False
    path.write_text(made, "utf-8")
    return True


def _assemble(compiled: dict) -> Rulebook:
    rules = {}
    for made in compiled["rules"]:
        values = {name: _tuples(value) if name != "examples" else value for name, value in made.items()}
        rules[made["id"]] = Rule(**values)
    questions = {made["id"]: Question(**made | {"asked": _tuples(made["asked"])}) for made in compiled["questions"]}
    hans = str.maketrans(*compiled["hans"]) | _HALF_WIDTH | _DIALECT
    return Rulebook(rules, questions, compiled["sources"], compiled["concepts"], hans, compiled["sha256"])


def _tuples(value):
    return tuple(_tuples(each) for each in value) if isinstance(value, (list, tuple)) else value


def _parse(path: Path):
    import yaml

    class Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        """A key that stands twice is a mistake, not an override."""

    def mapping(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise RuleError(path.name, f"第 {line} 行起", f"“{key}”写了两次。")
        return {loader.construct_object(key): loader.construct_object(value, deep=True) for key, value in node.value}

    Strict.add_constructor("tag:yaml.org,2002:map", mapping)
    try:
        found = yaml.load(path.read_text("utf-8"), Loader=Strict)  # noqa: S506  (a subclass of the safe loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RuleError(path.name, f"第 {mark.line + 1} 行" if mark else "", "不是合格的 YAML。") from error
    if not isinstance(found, dict):
        raise RuleError(path.name, "", "开头应是“名称: 值”。")
    return found


def _only(file: str, place: str, written: Mapping, allowed: Iterable[str], required: Iterable[str] = ()) -> None:
    if not isinstance(written, dict):
        raise RuleError(file, place, "应写成“名称: 值”。")
    for name in written:
        if name not in allowed:
            raise RuleError(file, place, f"没有“{name}”这一项。可以写：{'、'.join(sorted(allowed))}。")
    for name in required:
        if written.get(name) in (None, "", [], {}):
            raise RuleError(file, place, f"没有写 {name}。")


def _read_sources(path: Path) -> dict[str, dict]:
    sources = _parse(path)
    for identifier, source in sources.items():
        place = f"来源 {identifier}"
        _only(path.name, place, source, _SOURCE_FIELDS, ("title", "publisher", "date", "basis"))
        if not any(source.get(name) for name in ("url", "doi", "pmid", "number")):
            raise RuleError(path.name, place, "要写 url、doi、pmid、number（文号）中的一个，读者才查得到。")
        if source["basis"] not in _BASES:
            raise RuleError(path.name, place, "basis 写 read（读过原文）或 known（凭一般医学常识，出处待查）。")
        sources[identifier] = {name: str(value) for name, value in source.items()}
    return sources


def _read_question(file: str, identifier: str, written, topic: str) -> dict:
    place = f"问题 {identifier}"
    if isinstance(written, str):
        written = {"text": written}
    _only(file, place, written, _QUESTION_FIELDS, ("text",))
    who = _read_who(file, place, written.get("age"), written.get("sex"), written.get("pregnant"))
    return {
        "id": identifier,
        "text": written["text"],
        "help": written.get("help", ""),
        "topic": topic,
        "asked": who,
    }


def _read_who(file: str, place: str, age, sex, pregnant) -> Condition | None:
    parts: list[Condition] = []
    try:
        if age is not None:
            parts.append(read_age(age))
        if sex is not None:
            parts.append(read_condition({"sex": sex}, {}))
    except ConditionError as error:
        raise RuleError(file, place, str(error)) from error
    if pregnant not in (None, True, False):
        raise RuleError(file, place, "怀孕写 true 或 false。")
    if pregnant is not None:
        parts.append(("pregnant",) if pregnant else ("not", ("pregnant",)))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else ("all", *parts)


def _read_rule(file: str, written, topic: dict, questions: Mapping, sources: Mapping, concepts: Mapping) -> dict:
    place = f"规则 {written.get('id', '（没有编号）')}" if isinstance(written, dict) else "规则"
    _only(file, place, written, _RULE_FIELDS, _REQUIRED)
    if written["level"] not in LEVELS or written["level"] == SELF_CARE:
        raise RuleError(file, place, f"level 只能是 {'、'.join(LEVELS[:-1])}，不能是 {written['level']!r}。")
    for name in ("heading", "message"):
        if not isinstance(written[name], str):
            raise RuleError(file, place, f"{name} 要写成一段文字。")
    if not isinstance(written["sources"], list):
        raise RuleError(file, place, "sources 要写成一列编号。")
    for source in written["sources"]:
        if source not in sources:
            raise RuleError(file, place, f"sources.yaml 里没有“{source}”。")
    who = _read_who(file, place, written.get("age"), written.get("sex"), written.get("pregnancy"))
    try:
        when = read_condition(written["when"], questions)
        phrases = [read_pattern(each, concepts) for each in written.get("phrases") or []]
        exclusions = [read_pattern(each, concepts) for each in written.get("exclusions") or []]
    except (ConditionError, PhraseError) as error:
        raise RuleError(file, place, str(error)) from error
    examples = written["examples"]
    _only(file, place, examples, {"present", "absent"})
    when_made = written.get("written", topic["written"])
    if not isinstance(when_made, date):
        raise RuleError(file, place, "written 要写成日期，例如 2026-11-25。")
    reviewed = written.get("reviewed")
    return {
        **{name: written.get(name, value) for name, value in _DEFAULTS.items()},
        "id": written["id"],
        "guide": None,
        "no_guide": "",
        "topic": topic["topic"],
        "level": written["level"],
        "heading": written["heading"],
        "message": " ".join(written["message"].split()),
        "when": ("all", who, when) if who else when,
        "who": who,
        "phrases": phrases,
        "exclusions": exclusions,
        "even_if_over": bool(written.get("even_if_over", False)),
        "fear_counts": bool(written.get("fear_counts", False)),
        "unless_usual": bool(written.get("unless_usual", False)),
        "sources": written["sources"],
        "written": when_made.isoformat(),
        "reviewed": reviewed.isoformat() if isinstance(reviewed, date) else None,
        "examples": {name: [str(each) for each in examples.get(name) or []] for name in ("present", "absent")},
    }
