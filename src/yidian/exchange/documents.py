"""The bundle's files as plain records and back: strict in reading, one canonical form in writing.

A record's values hold only what differs from the default, so that equal content is equal data, and canonical text.
"""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from yidian.answers.models import Answer, Question
from yidian.editorial.blocks import MAX_KEY, CareLevel, HealthAspect, Phase
from yidian.editorial.models import MAX_CARE_CARDS, Correction, Illustration, Redirect
from yidian.encyclopedia.models import MAX_CONTRAINDICATIONS, ActionGuide, Article, Condition, MedicalCode
from yidian.evidence.models import Claim, Source
from yidian.exchange.markdown import MarkdownError, html_to_markdown, markdown_to_html
from yidian.exchange.yaml_text import Node, YamlError, read_yaml, written_lines, written_word
from yidian.people.models import Credential, Department, Hospital, Physician
from yidian.publication.models import derived_identifier, valid_slug
from yidian.publication.richtext import CITATION, clean_text, is_local_path
from yidian.terms.models import BodyPart, GlossaryTerm, Population, SynonymGroup

FORMAT = "yidian-bundle/1"
IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\.(?:svg|png|jpg|webp)")
# The longest article in the starter bundle has 12 KB; a list of 100,000 sources has about 40 MB.
MAX_DOCUMENT = 2 * 1024 * 1024
MAX_LIST = 64 * 1024 * 1024

_SLUG = re.compile(valid_slug.regex.pattern)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Moments are written in one time zone, wherever the site stands, so that equal content is equal text.
ZONE = ZoneInfo("Asia/Shanghai")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})?")


@dataclass(frozen=True)
class Field:
    """One field of a record: its name in the file, its shape, and the model's attribute that holds it."""

    name: str
    shape: str  # text line paragraphs choice date moment flag uuid one many slugs names lines records
    attr: str = ""
    required: bool = False
    kind: str = ""  # of "one" and "many": what it refers to
    choices: tuple[str, ...] = ()
    default: str = ""
    limit: int = 0
    fields: tuple["Field", ...] = ()
    flow: bool = False  # of "records": one a line

    def of(self, model) -> "Field":
        """The field with the model's limit and choices."""
        attr = self.attr or self.name
        if self.shape not in {"text", "paragraphs", "choice"}:
            return replace(self, attr=attr)
        column = model._meta.get_field(attr)
        choices = self.choices or tuple(value for value, _ in column.choices or ())
        return replace(self, attr=attr, limit=self.limit or column.max_length or 0, choices=choices)


@dataclass(frozen=True)
class Kind:
    """One kind of record: where it stands in a bundle, and its fields in the order they are written."""

    name: str
    model: type
    path: str  # "people/hospitals.yaml", or a folder "conditions/" of one document each
    fields: tuple[Field, ...]
    body: str = ""  # modules, phases or answers, below the front matter
    key: str = "slug"

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")

    def path_of(self, key: str) -> str:
        return f"{self.path}{key}.md" if self.is_folder else self.path

    @property
    def column(self) -> str:
        """The model's column that holds a record's key."""
        return {"file": "bundle_name", "from": "from_path"}.get(self.key, self.key)

    @property
    def has_drafts(self) -> bool:
        return any(each.name == "status" for each in self.fields)

    def draft_path_of(self, key: str) -> str:
        """Where unpublished changes of a public record stand: beside it."""
        return re.sub(r"\.(md|yaml)$", r".draft.\1", self.path_of(key))

    @property
    def draft_fields(self) -> tuple[Field, ...]:
        """The fields of unpublished changes: those of the record, which has its identifier already."""
        return _draft_fields(self.fields)


def _draft_fields(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    made = []
    for each in fields:
        if each.name == "status":
            made.append(replace(each, choices=("draft", "scheduled"), default="draft"))
        elif each.name == "answers":
            made.append(replace(each, fields=_draft_fields(each.fields)))
        elif each.name != "identifier":
            made.append(each)
    return tuple(made)


def _fields(model, *fields: Field) -> tuple[Field, ...]:
    return tuple(each.of(model) for each in fields)


_SLUG_FIELD = Field("slug", "text", required=True)
_LIFE = (
    Field("status", "choice", choices=("live", "draft", "scheduled"), default="live"),
    Field("go_live_at", "moment"),
    Field("expire_at", "moment"),
    Field("identifier", "uuid"),
    Field("origin", "text"),
    Field("licence", "text"),
)


def _listed(name: str, model, path: str, *fields: Field) -> Kind:
    every = (_SLUG_FIELD, *fields, *_LIFE)
    return Kind(name, model, path, tuple(f if f.name == "status" else f.of(model) for f in every))


_CARE_ADVICE = Field(
    "care_advice",
    "records",
    limit=MAX_CARE_CARDS,
    fields=(
        Field("level", "choice", required=True, choices=tuple(CareLevel.values)),
        Field("heading", "text", required=True, limit=60),
        Field("items", "lines", required=True, limit=200),
    ),
)
_CONTRAINDICATIONS = Field(
    "contraindications",
    "records",
    limit=MAX_CONTRAINDICATIONS,
    fields=(
        Field("id", "text", required=True, limit=MAX_KEY),
        Field("question", "text", required=True, limit=100),
        Field("removes", "slugs", required=True),
        Field("instead", "line", required=True, limit=200),
        Field("answered_by", "names", limit=140),
    ),
)
_CODES = Field(
    "codes",
    "records",
    flow=True,
    fields=_fields(MedicalCode, Field("system", "choice", required=True), Field("value", "text", required=True)),
)
_CREDENTIALS = Field(
    "credentials",
    "records",
    fields=_fields(
        Credential,
        Field("category", "text", required=True),
        Field("recognized_by", "text", required=True),
        Field("valid_from", "date"),
        Field("expires", "date"),
        Field("verified_by", "text"),
        Field("verified_on", "date"),
    ),
)
ANSWER_FIELDS = tuple(
    each if each.name == "status" else each.of(Answer)
    for each in (
        Field("id", "text", attr="slug", required=True),
        Field("slug", "text"),
        Field("author", "one", kind="physician"),
        Field("author_job_title", "text"),
        Field("author_hospital", "one", kind="hospital"),
        Field("date_created", "date", required=True),
        Field("date_modified", "date"),
        *_LIFE,
    )
)  # fmt: skip
_ANSWERS = Field("answers", "records", fields=ANSWER_FIELDS)


def _entry(name: str, model, path: str, body: str, *own: str) -> Kind:
    """The kind of an entry; `own` names the fields that not all entries have."""
    every = (
        Field("name", "text", required=True),
        Field("kind", "choice", attr="condition_kind", required=True),
        Field("alternate_names", "names"),
        Field("detail", "paragraphs"),
        Field("about", "one", kind="condition"),
        Field("broader", "one", kind="condition"),
        Field("related", "many", kind="condition"),
        Field("description", "text", required=True),
        _CODES,
        Field("keywords", "names"),
        Field("body_parts", "many", kind="body_part"),
        Field("departments", "many", kind="department"),
        Field("populations", "many", kind="population"),
        Field("supplies", "names"),
        _CONTRAINDICATIONS,
        Field("stop_conditions", "lines"),
        Field("do", "lines"),
        Field("dont", "lines"),
        _CARE_ADVICE,
        *_LIFE[:3],
        Field("date_published", "date", required=True),
        Field("date_modified", "date"),
        Field("author", "one", kind="physician"),
        Field("reviewer", "one", kind="physician"),
        Field("last_review_date", "date"),
        Field("review_due", "date"),
        *_LIFE[3:],
        _ANSWERS,
    )
    some = {"kind", "detail", "about", "broader", "codes", "keywords", "answers"}
    some |= {"supplies", "contraindications", "stop_conditions", "do", "dont"}
    kept = [each for each in every if each.name not in some or each.name in own]
    plain = {"status", "care_advice", "contraindications", "codes", "answers"}
    return Kind(name, model, path, tuple(f if f.name in plain else f.of(model) for f in kept), body)


_NAME = Field("name", "text", required=True)
_NAMES = Field("alternate_names", "names")
_ABOUT_IT = Field("description", "paragraphs")
_BASIS = Field("basis", "choice", default="sourced")

# In the order in which they depend on each other: whatever a kind refers to stands above it.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _listed("department", Department, "people/departments.yaml", _NAME, _NAMES, _ABOUT_IT),
        _listed(
            "hospital",
            Hospital,
            "people/hospitals.yaml",
            _NAME,
            _NAMES,
            Field("hospital_grade", "text"),
            Field("grade_source", "text"),
            Field("grade_as_of", "date"),
            Field("region", "text"),
            _ABOUT_IT,
            Field("demonstration", "flag"),
        ),
        _listed(
            "physician",
            Physician,
            "people/physicians.yaml",
            _NAME,
            Field("job_title", "text"),
            Field("hospital", "one", kind="hospital"),
            Field("department", "one", kind="department"),
            _ABOUT_IT,
            Field("knows_about", "slugs", kind="condition"),
            Field("conflict_of_interest", "paragraphs"),
            Field("demonstration", "flag"),
            _CREDENTIALS,
        ),
        _listed(
            "body_part",
            BodyPart,
            "vocabulary/body-parts.yaml",
            _NAME,
            _NAMES,
            _ABOUT_IT,
            Field("region", "choice", required=True),
            Field("broader", "one", kind="body_part"),
        ),
        _listed("population", Population, "vocabulary/populations.yaml", _NAME, _NAMES, _ABOUT_IT),
        _listed(
            "glossary_term",
            GlossaryTerm,
            "vocabulary/glossary.yaml",
            _NAME,
            _NAMES,
            Field("definition", "text", required=True),
        ),
        _listed(
            "synonym_group",
            SynonymGroup,
            "vocabulary/synonyms.yaml",
            _NAME,
            Field("alternate_names", "names", required=True),
            Field("descriptions", "names"),
            Field("category", "choice", required=True),
            Field("broader", "one", kind="synonym_group"),
            Field("note", "paragraphs"),
        ),
        _listed(
            "source",
            Source,
            "evidence/sources.yaml",
            Field("kind", "choice", attr="source_kind", required=True),
            Field("title", "text", attr="name", required=True),
            Field("authors", "text"),
            Field("publisher", "text"),
            Field("date_published", "text"),
            Field("doi", "text"),
            Field("pmid", "text"),
            Field("isbn", "text"),
            Field("document_number", "text"),
            Field("url", "text"),
            Field("locator", "text"),
            Field("access_date", "date"),
            Field("no_identifier_reason", "text"),
            _BASIS,
            Field("note", "paragraphs"),
            Field("superseded_by", "one", kind="source"),
        ),
        _listed(
            "claim",
            Claim,
            "evidence/claims.yaml",
            Field("text", "text", attr="name", required=True),
            Field("summary", "text"),
            Field("population", "text"),
            Field("intervention", "text"),
            Field("outcome", "text"),
            Field("direction", "choice", required=True),
            Field("certainty", "choice", required=True),
            _BASIS,
            Field("sources", "many", kind="source"),
        ),
        Kind(
            "image",
            Illustration,
            "images/images.yaml",
            _fields(
                Illustration,
                Field("file", "text", attr="bundle_name", required=True),
                Field("title", "text", required=True),
                Field("alt", "text", required=True),
                Field("credit", "text"),
            ),
            key="file",
        ),
        _entry("condition", Condition, "conditions/", "modules", "kind", "broader", "codes"),
        _entry("article", Article, "articles/", "modules", "about", "keywords"),
        _entry(
            "guide",
            ActionGuide,
            "guides/",
            "phases",
            *("about", "supplies", "contraindications", "stop_conditions", "do", "dont"),
        ),
        _entry("question", Question, "questions/", "answers", "about", "detail", "answers"),
        _listed(
            "correction",
            Correction,
            "corrections.yaml",
            _NAME,
            Field("page", "text", required=True),
            Field("text", "paragraphs", required=True),
            Field("date_published", "date", required=True),
        ),
        Kind(
            "redirect",
            Redirect,
            "redirects.yaml",
            _fields(
                Redirect,
                Field("from", "text", attr="from_path", required=True),
                Field("to", "text", attr="to_path", required=True),
            ),
            key="from",
        ),
    )
}
LISTS = {kind.path: kind for kind in KINDS.values() if not kind.is_folder}
FOLDERS = {kind.path: kind for kind in KINDS.values() if kind.is_folder}
DRAFT_LISTS = {kind.draft_path_of(""): kind for kind in LISTS.values() if kind.has_drafts}


@dataclass(frozen=True)
class Problem:
    """Something wrong in a bundle, said so that its author can put it right."""

    file: str
    line: int
    field: str
    message: str
    level: str = "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


@dataclass(frozen=True)
class Reference:
    """A record that this one needs: its kind and key, and where it is named."""

    kind: str
    key: str
    line: int
    field: str


@dataclass
class Record:
    """One record of a bundle, with where each of its parts stands."""

    kind: Kind
    key: str
    values: dict
    file: str
    line: int = 1
    lines: dict[str, int] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    links: list[tuple[str, int]] = field(default_factory=list)  # addresses inside the site, with their lines
    draft: bool = False  # unpublished changes of a public record

    def problem(self, name: str, message: str, level: str = "error") -> Problem:
        return Problem(self.file, self.lines.get(name, self.line), name, message, level)


@dataclass
class Parsed:
    """What a file held: its good records, and what is wrong; a record with an error is not among them."""

    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rejected: int = 0


def decode(path: str, data: bytes) -> str:
    """The text of a file; ValueError, said in Chinese, unless it is UTF-8 without a byte order mark."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise ValueError("文件开头有字节顺序标记（BOM），请存成“UTF-8 无 BOM”")
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"第 {line} 行不是 UTF-8 编码，请把文件存成 UTF-8") from error


def read_file(path: str, data: bytes) -> Parsed:
    """The records of one file of a bundle."""
    parsed = Parsed()
    try:
        lists = LISTS | DRAFT_LISTS
        if len(data) > (MAX_LIST if path in lists else MAX_DOCUMENT):
            raise ValueError("文件太大，请分成几份")
        text = decode(path, data)
        if path in lists:
            _read_list(lists[path], path, text, parsed)
        else:
            folder, _, name = path.rpartition("/")
            key = name.removesuffix(".md").removesuffix(".draft")
            _read_document(FOLDERS[folder + "/"], path, key, text, parsed)
    except YamlError as error:
        parsed.problems.append(Problem(path, error.line, "", error.message))
        parsed.rejected += 1
    except ValueError as error:
        parsed.problems.append(Problem(path, 0, "", str(error)))
        parsed.rejected += 1
    return parsed


def read_header(data: bytes) -> dict:
    """Title and licence from `bundle.yaml`; ValueError when this is no bundle that we can read."""
    fields = (
        Field("format", "text", required=True),
        Field("title", "text", required=True, limit=200),
        Field("licence", "text", limit=200),
    )
    try:
        node = read_yaml(decode("bundle.yaml", data))
    except YamlError as error:
        raise ValueError(f"bundle.yaml:{error.line} {error.message}") from error
    reader = _FieldReader("bundle.yaml")
    values = reader.map(node, fields)
    if reader.problems:
        raise ValueError(str(reader.problems[0]))
    if values["format"] != FORMAT:
        raise ValueError(f"bundle.yaml 的 format 应是 {FORMAT}，这里是 {values['format']}")
    return values


def written_header(title: str, licence: str) -> str:
    lines = [f"format: {FORMAT}", f"title: {written_word(title)}"]
    return "\n".join(lines + ([f"licence: {written_word(licence)}"] if licence else [])) + "\n"


def is_draft_path(path: str) -> bool:
    """Whether a file of a bundle holds unpublished changes."""
    return path.endswith((".draft.md", ".draft.yaml"))


def _read_list(kind: Kind, path: str, text: str, parsed: Parsed) -> None:
    top = read_yaml(text)
    if not isinstance(top.value, list):
        raise YamlError(top.line, "这个文件应是一个列表：每条记录以“- ”开头")
    seen: set[str] = set()
    for node in top.value:
        reader = _FieldReader(path)
        values = reader.map(node, kind.draft_fields if reader.draft else kind.fields)
        key = values.pop(kind.key, "")
        _check_key(kind, key, reader, node.line)
        if kind.name == "redirect" and (to := values.get("to")):
            if is_local_path(to):
                reader.links.append((to, reader.lines["to"]))
            else:
                reader.complain("to", "写本站的网址，以一个 / 开头", node.line)
        if key and key in seen:
            reader.complain(kind.key, f"{key} 在这个文件里出现了两次，请留下一条", node.line)
        seen.add(key)
        _finish(kind, key, values, reader, node.line, parsed)


def _check_key(kind: Kind, key: str, reader: "_FieldReader", line: int) -> None:
    if not key:
        return
    if kind.key == "file":
        if not IMAGE_NAME.fullmatch(key) or len(key) > 100:
            reader.complain("file", "文件名只用小写字母、数字、点和短横线，以 svg、png、jpg 或 webp 结尾", line)
    elif kind.key == "from":
        if not is_local_path(key) or re.search(r"[?#\s]", key) or key.startswith("/zh-hant/"):
            reader.complain("from", "写本站的旧网址：以一个 / 开头，没有空格、问号和 #，不写 /zh-hant", line)
    elif not _SLUG.fullmatch(key) or len(key) > 100:
        reader.complain("slug", f"{key} 不能作网址：只用小写拼音字母、数字和短横线，例如 xiaotui-choujin", line)


def _finish(kind: Kind, key: str, values: dict, reader: "_FieldReader", line: int, parsed: Parsed) -> None:
    """Adds the record, or its problems when one of them is an error."""
    status = values.get("status", "draft" if reader.draft else "live")
    if status == "draft":
        # a draft may still miss what a public page must have; not its name, nor what tells it from others
        reader.problems = [
            each for each in reader.problems if each.field in {"name", kind.key} or not each.message.startswith("缺")
        ]
    if status == "scheduled" and kind.body:
        # the day on which it becomes public is not written before
        reader.problems = [
            each for each in reader.problems if each.field != "date_published" or not each.message.startswith("缺")
        ]
    _check_moments(values, status, reader, "")
    for answer in values.get("answers", []):
        _check_moments(answer, answer.get("status", "draft" if reader.draft else "live"), reader, "answers.")
    parsed.problems += reader.problems
    if any(problem.level == "error" for problem in reader.problems):
        parsed.rejected += 1
        return
    if values.get("identifier") == str(derived_identifier(kind.name, key)):
        del values["identifier"]
    parsed.records.append(
        Record(kind, key, values, reader.file, line, reader.lines, reader.references, reader.links, reader.draft)
    )


def _check_moments(values: dict, status: str, reader: "_FieldReader", prefix: str) -> None:
    go_live, expire = values.get("go_live_at"), values.get("expire_at")
    if status == "scheduled" and not go_live:
        reader.complain(f"{prefix}go_live_at", "status 是 scheduled 时，要写什么时候公开")
    if status == "live" and go_live:
        reader.complain(f"{prefix}go_live_at", "已经公开的内容没有定时公开：写 status: scheduled，或删掉这一行")
    if go_live and expire and expire <= go_live:
        reader.complain(f"{prefix}expire_at", "撤下的时刻要晚于公开的时刻")


def _read_document(kind: Kind, path: str, key: str, text: str, parsed: Parsed) -> None:
    if not text.startswith("---\n"):
        raise YamlError(1, "文件要以一行“---”开头，下面是各字段，再一行“---”，然后是正文")
    end = text.find("\n---\n", 3)
    if end < 0:
        raise YamlError(1, "缺少结束各字段的那一行“---”")
    reader = _FieldReader(path)
    fields = kind.draft_fields if reader.draft else kind.fields
    values = reader.map(read_yaml(text[4 : end + 1], first_line=2), fields)
    _check_key(kind, key, reader, 1)
    first = text.count("\n", 0, end) + 3
    sections = _sections(text[end + 5 :], first, kind.body, reader)
    if kind.body == "answers":
        _join_answers(key, values, sections, reader)
    elif sections:
        values[kind.body] = [{name: value for name, value in each.items() if name != "line"} for each in sections]
    _check_contraindications(values, reader)
    _finish(kind, key, values, reader, 1, parsed)


def _check_contraindications(values: dict, reader: "_FieldReader") -> None:
    """That ids stand once, that each contraindication removes steps there are, and says where it has that from."""
    named = [step["id"] for phase in values.get("phases", []) for step in phase["steps"] if "id" in step]
    for key in sorted({key for key in named if named.count(key) > 1}):
        reader.complain("", f"步骤的编号 {key} 用了两次，请换一个")
    seen: set[str] = set()
    for each in values.get("contraindications", []):
        key = each.get("id", "")
        if key and not _SLUG.fullmatch(key):
            reader.complain("contraindications.id", f"{key} 不能作编号：只用小写字母、数字和短横线")
        if key in seen:
            reader.complain("contraindications.id", f"编号 {key} 用了两次，请换一个")
        seen.add(key)
        for step in each.get("removes", []):
            if step not in named:
                message = f"没有编号是 {step} 的步骤：给它写上 {{id: {step}}}，或改正拼写"
                reader.complain("contraindications.removes", message)
        if each.get("instead") and not CITATION.search(each["instead"]):
            reader.complain("contraindications.instead", f"{key} 没有出处：请引用 [^出处]")


_HEADING = {
    "modules": (
        re.compile(r"## (?:(.+) )?\{([a-z_]+)\}"),
        "health_aspect",
        "## 小标题 {overview}",
        HealthAspect.values,
    ),
    "phases": (re.compile(r"## (?:(.+) )?\{phase: ([a-z_]+)\}"), "phase", "## 小标题 {phase: now}", Phase.values),
    "answers": (re.compile(r"## ()\{answer: ([a-z0-9-]+)\}"), "id", "## {answer: a1}", None),
}
_STEP = re.compile(
    r"### (?:(.+?))?(?:(?:(?<= )|(?<=^### ))"
    r"\{(?:id: (?P<key>[a-z0-9-]+)(?:, seconds: (?P<timed>\d{1,4}))?|seconds: (?P<seconds>\d{1,4}))\})?"
)
_CLAIM = re.compile(r"\{\{ *claim: *([a-z0-9-]+) *\}\}")
_FOR = re.compile(r"::: +for +([a-z0-9-]+)")
_PICTURE = re.compile(r"!\[((?:[^\]\\]|\\.)*)\]\(images/([a-z0-9][a-z0-9._-]*)(?: \"((?:[^\"\\]|\\.)*)\")?\)")
_LINK = re.compile(r"(?<!\\)\]\((/(?:[^)\s\\]|\\.)*)\)")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def _sections(text: str, first: int, body: str, reader: "_FieldReader") -> list[dict]:
    """The parts below the front matter that a line `## …` opens."""
    pattern, marker, example, allowed = _HEADING[body]
    sections: list[dict] = []
    lines: list[str] = []
    started = first
    current: dict | None = None

    def close() -> None:
        if current is not None:
            content = _steps if body == "phases" else _blocks
            current["steps" if body == "phases" else "body"] = content(lines, started, reader)
            sections.append(current)
        elif stray := [number for number, each in enumerate(lines, start=started) if each.strip()]:
            reader.complain("", f"正文要从“{example}”这样的一行开始", stray[0])

    for number, line in enumerate(text.split("\n"), start=first):
        if not line.startswith("## "):
            lines.append(line)
            continue
        close()
        lines, started = [], number + 1
        current = {"line": number, marker: ""} if body == "answers" else {"line": number, marker: "", "headline": ""}
        if not (found := pattern.fullmatch(line.rstrip())):
            reader.complain("", f"这一行应写成“{example}”", number)
            continue
        current[marker] = found[2]
        if allowed is not None:
            current["headline"] = _unescaped(found[1] or "").strip()
            if found[2] not in allowed:
                reader.complain("", f"没有“{found[2]}”这个词，可用的有：{'、'.join(allowed)}", number)
            if not current["headline"]:
                reader.complain("", "缺小标题：写在 ## 后面", number)
            if len(current["headline"]) > 100:
                reader.complain("", "小标题最多 100 个字", number)
            reader.check_characters("", current["headline"], number)
    close()
    return sections


def _blocks(lines: list[str], first: int, reader: "_FieldReader") -> list[dict]:
    """The blocks of a module or an answer."""
    blocks: list[dict] = []
    buffer: list[str] = []
    population = None  # the open `::: for`: its slug and line

    def flush(after: int) -> None:
        html = _rich(buffer, after - len(buffer), reader)
        if population:
            blocks.append({"population": population[0], "text": html})
            if not html:
                reader.complain("", "给这类人的建议没有文字，请写上或删掉", population[1])
        elif html:
            blocks.append({"text": html})
        buffer.clear()

    for number, raw in enumerate(lines, start=first):
        line = raw.rstrip()
        if found := _FOR.fullmatch(line):
            if population:
                reader.complain("", f"第 {population[1]} 行的“::: for”还没有用“:::”结束", number)
            flush(number)
            population = (found[1], number)
            reader.references.append(Reference("population", found[1], number, "population"))
        elif line == ":::" and population:
            flush(number)
            population = None
        elif not population and (found := _CLAIM.fullmatch(line)):
            flush(number)
            blocks.append({"claim": found[1]})
            reader.references.append(Reference("claim", found[1], number, "claim"))
        elif not population and (found := _PICTURE.fullmatch(line)):
            flush(number)
            blocks.append({"picture": _picture(found, number, reader)})
        else:
            buffer.append(raw)
    if population:
        reader.complain("", "“::: for”没有用单独一行的“:::”结束", population[1])
    flush(first + len(lines))
    return blocks


def _picture(found: re.Match, number: int, reader: "_FieldReader") -> dict:
    alt, caption = _unescaped(found[1]).strip(), _unescaped(found[3] or "").strip()
    reader.references.append(Reference("image", found[2], number, "picture"))
    if not alt:
        reader.complain("alt", "缺替代文字：在 ![ ] 里写清楚图里有什么", number)
    if len(alt) > 300:
        reader.complain("alt", "替代文字最多 300 个字", number)
    if len(caption) > 200:
        reader.complain("caption", "图注最多 200 个字", number)
    reader.check_characters("alt", alt + caption, number)
    return {"image": found[2], "alt": alt} | ({"caption": caption} if caption else {})


def _rich(lines: list[str], first: int, reader: "_FieldReader") -> str:
    for number, line in enumerate(lines, start=first):
        for slug in dict.fromkeys(CITATION.findall(line)):
            reader.references.append(Reference("source", slug, number, "citation"))
        reader.links += [(_unescaped(href), number) for href in _LINK.findall(line)]
    try:
        return markdown_to_html("\n".join(lines), first)
    except MarkdownError as error:
        reader.complain("", error.message, error.line)
        return ""


def _steps(lines: list[str], first: int, reader: "_FieldReader") -> list[dict]:
    steps: list[dict] = []
    buffer: list[str] = []

    def flush(after: int) -> None:
        html = _rich(buffer, after - len(buffer), reader)
        if html and not steps:
            reader.complain("", "步骤要从“### 做什么”这样的一行开始", first)
        elif html:
            steps[-1]["text"] = steps[-1].get("text", "") + html
        buffer.clear()

    for number, raw in enumerate(lines, start=first):
        line = raw.rstrip()
        if line.startswith("###") and (found := _STEP.fullmatch(line)):
            flush(number)
            name = _unescaped(found[1] or "").strip()
            step: dict = {"name": name}
            if key := found["key"]:
                step["id"] = key
                if not _SLUG.fullmatch(key) or len(key) > MAX_KEY:
                    reader.complain("id", f"步骤的编号最多 {MAX_KEY} 个小写字母、数字和短横线", number)
            if seconds := found["timed"] or found["seconds"]:
                step["seconds"] = int(seconds)
                if not 1 <= step["seconds"] <= 3600:
                    reader.complain("seconds", "计时在 1 到 3600 秒之间", number)
            if not name:
                reader.complain("", "缺“做什么”：写在 ### 后面", number)
            if len(name) > 100:
                reader.complain("", "“做什么”最多 100 个字", number)
            reader.check_characters("", name, number)
            steps.append(step)
        elif found := _CLAIM.fullmatch(line):
            flush(number)
            if not steps or "picture" in steps[-1]:
                reader.complain("", "主张放在一步的文字后面、图片前面", number)
            elif found[1] in steps[-1].get("claims", []):
                reader.complain("", f"主张 {found[1]} 在这一步写了两次，请留下一处", number)
            else:
                steps[-1].setdefault("claims", []).append(found[1])
                reader.references.append(Reference("claim", found[1], number, "claim"))
        elif found := _PICTURE.fullmatch(line):
            flush(number)
            if not steps or "picture" in steps[-1]:
                reader.complain("", "图片放在一步的文字后面，一步最多一张", number)
            else:
                steps[-1]["picture"] = _picture(found, number, reader)
        else:
            buffer.append(raw)
    flush(first + len(lines))
    if not steps:
        reader.complain("", "缺步骤：这个阶段至少要有一步，写成“### 做什么”", first - 1)
    return steps


def _join_answers(question: str, values: dict, sections: list[dict], reader: "_FieldReader") -> None:
    """Puts each answer's text to its fields, editors' answers first, then by date."""
    bodies: dict[str, dict] = {}
    for section in sections:
        if section["id"] in bodies:
            reader.complain("answers", f"回答 {section['id']} 的正文写了两次，请留下一处", section["line"])
        bodies[section["id"]] = section
    answers = values.get("answers", [])
    seen = set()
    for answer in answers:
        name = answer.get("id", "")
        if name in seen:
            reader.complain("answers", f"回答 {name} 写了两次，请换一个 id")
        seen.add(name)
        if not _SLUG.fullmatch(name) or not _SLUG.fullmatch(answer.get("slug", "a")):
            reader.complain("answers", f"回答的 id“{name}”只能用小写字母、数字和短横线")
        body = bodies.pop(name, None)
        if body is None or not body["body"]:
            reader.complain("answers", f"缺回答 {name} 的正文：写在“## {{answer: {name}}}”下面")
        answer["body"] = body["body"] if body else []
        slug = answer_slug(question, answer)
        if answer.get("slug") == f"{question}-{name}":
            del answer["slug"]
        if answer.get("identifier") == str(derived_identifier("answer", slug)):
            del answer["identifier"]
    for name, section in bodies.items():
        if name:
            reader.complain("answers", f"answers 里没有 {name}：请在上面的字段里加上", section["line"])
    if answers:
        values["answers"] = sorted_answers(answers)


def answer_slug(question: str, answer: dict) -> str:
    """An answer's slug on the site: the question's, and the answer's name in the file."""
    return answer.get("slug") or f"{question}-{answer['id']}"


def sorted_answers(answers: list[dict]) -> list[dict]:
    """Answers in the order in which they are written: the editors' own first, then by date."""
    return sorted(answers, key=lambda each: ("author" in each, each.get("date_created", ""), each.get("id", "")))


class _FieldReader:
    """Reads fields by their description and gathers what is wrong, references and lines."""

    def __init__(self, file: str):
        self.file = file
        self.draft = is_draft_path(file)
        self.problems: list[Problem] = []
        self.references: list[Reference] = []
        self.links: list[tuple[str, int]] = []
        self.lines: dict[str, int] = {}

    def complain(self, name: str, message: str, line: int = 0) -> None:
        self.problems.append(Problem(self.file, line or self.lines.get(name, 0), name, message))

    def check_characters(self, name: str, text: str, line: int) -> None:
        if clean_text(text) != text or "\u2028" in text or "\u2029" in text:
            self.complain(name, "有看不见的控制字符，请删掉后重新输入", line)

    def map(self, node: Node, fields: Iterable[Field], prefix: str = "") -> dict:
        """The values of a map that differ from their defaults."""
        if not isinstance(node.value, dict):
            self.complain(prefix.rstrip("."), "这里应是“字段: 内容”", node.line)
            return {}
        known = {each.name: each for each in fields}
        values = {}
        for name, content in node.value.items():
            self.lines.setdefault(prefix + name, content.line)
            if name not in known:
                self.complain(prefix + name, f"没有这个字段，可用的有：{'、'.join(known)}", content.line)
                continue
            each = known[name]
            value = self.value(each, content, prefix)
            if value not in (None, "", [], False) and value != each.default:
                values[name] = value
        for each in known.values():
            if each.required and each.name not in values and not self._failed(prefix + each.name):
                self.complain(prefix + each.name, "缺这个字段，请补上", self.lines.get(prefix + each.name, node.line))
        return values

    def _failed(self, name: str) -> bool:
        return any(problem.field == name for problem in self.problems)

    def value(self, each: Field, node: Node, prefix: str):
        name = prefix + each.name
        if each.shape == "records":
            return self._records(each, node, name)
        if each.shape in {"names", "lines", "many", "slugs"}:
            return self._list(each, node, name)
        text = self._word(node, name)
        if text is None:
            return None
        check: Callable | None = getattr(self, f"_{each.shape}", None)
        return check(each, text, node.line, name) if check else text

    def _word(self, node: Node, name: str) -> str | None:
        if not isinstance(node.value, str):
            self.complain(name, "这里应是一段文字，不是列表或嵌套的字段", node.line)
            return None
        if node.plain and node.value in {"", "~", "null", "Null", "NULL"}:
            self.complain(name, "是空的：写上内容，或删掉这一行", node.line)
            return None
        text = node.value.strip()
        self.check_characters(name, text, node.line)
        return text

    def _text(self, each: Field, text: str, line: int, name: str) -> str:
        if "\n" in text:
            self.complain(name, "要写成一行", line)
        return self._paragraphs(each, text, line, name)

    def _paragraphs(self, each: Field, text: str, line: int, name: str) -> str:
        if each.limit and len(text) > each.limit:
            self.complain(name, f"最多 {each.limit} 个字，现在有 {len(text)} 个", line)
        return text

    def _line(self, each: Field, text: str, line: int, name: str) -> str:
        self.references += [Reference("source", slug, line, name) for slug in dict.fromkeys(CITATION.findall(text))]
        return self._text(each, text, line, name)

    def _choice(self, each: Field, text: str, line: int, name: str) -> str:
        if text not in each.choices:
            self.complain(name, f"没有“{text}”，可用的有：{'、'.join(each.choices)}", line)
        return text

    def _date(self, each: Field, text: str, line: int, name: str) -> str:
        try:
            if not _DATE.fullmatch(text):
                raise ValueError
            date.fromisoformat(text)
        except ValueError:
            self.complain(name, f"“{text}”不是日期，写成 2026-11-22 这样", line)
        return text

    def _moment(self, each: Field, text: str, line: int, name: str) -> str:
        try:
            if not _MOMENT.fullmatch(text):
                raise ValueError
            return written_moment(datetime.fromisoformat(text).replace(tzinfo=ZONE))
        except ValueError:
            self.complain(name, f"“{text}”不是时刻，写成 2026-11-22 08:00 这样（北京时间）", line)
        return text

    def _flag(self, each: Field, text: str, line: int, name: str) -> bool:
        if text not in {"true", "false"}:
            self.complain(name, "只能写 true 或 false", line)
        return text == "true"

    def _uuid(self, each: Field, text: str, line: int, name: str) -> str:
        try:
            return str(uuid.UUID(text))
        except ValueError:
            self.complain(name, f"“{text}”不是 UUID；不知道就删掉这一行", line)
            return ""

    def _one(self, each: Field, text: str, line: int, name: str) -> str:
        if not _SLUG.fullmatch(text):
            self.complain(name, f"“{text}”不是网址拼音，例如 xiaotui-choujin", line)
        self.references.append(Reference(each.kind, text, line, name))
        return text

    def _list(self, each: Field, node: Node, name: str) -> list[str]:
        if not isinstance(node.value, list):
            self.complain(name, "这里应是列表：[一, 二]，或每行以“- ”开头", node.line)
            return []
        found = []
        for item in node.value:
            text = self._word(item, name)
            if text is None:
                continue
            if not text or "\n" in text:
                self.complain(name, "列表里每一条写成一行，不能是空的", item.line)
            if each.limit and len(text) > each.limit:
                self.complain(name, f"每条最多 {each.limit} 个字，现在有 {len(text)} 个", item.line)
            if each.shape == "many":
                self._one(each, text, item.line, name)
            elif each.shape == "slugs" and not _SLUG.fullmatch(text):
                self.complain(name, f"“{text}”不是网址拼音，例如 xiaotui-choujin", item.line)
            elif each.shape == "lines":
                cited = dict.fromkeys(CITATION.findall(text))
                self.references += [Reference("source", slug, item.line, name) for slug in cited]
            if each.shape != "lines" and text in found:
                self.complain(name, f"“{text}”写了两次，请留下一个", item.line)
            found.append(text)
        return sorted(found) if each.shape == "many" else found

    def _records(self, each: Field, node: Node, name: str) -> list[dict]:
        if not isinstance(node.value, list):
            self.complain(name, "这里应是列表：每条以“- ”开头", node.line)
            return []
        if each.limit and len(node.value) > each.limit:
            self.complain(name, f"最多 {each.limit} 条，现在有 {len(node.value)} 条", node.line)
        return [self.map(item, each.fields, f"{name}.") for item in node.value]


def written_moment(moment: datetime) -> str:
    """A moment as files write it: Beijing time, seconds only where there are any."""
    local = moment.astimezone(ZONE)
    return f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"


def written_document(kind: Kind, key: str, values: dict) -> str:
    """The canonical text of a record that is a file of its own."""
    front = "\n".join(_written_fields(kind.fields, values, 0))
    body = [""]
    if kind.body == "answers":
        for answer in values.get("answers", []):
            body += [f"## {{answer: {answer['id']}}}", *_written_blocks(answer["body"])]
    for module in values.get("modules", []):
        heading = _written_heading("##", module["headline"], f"{{{module['health_aspect']}}}")
        body += [heading, *_written_blocks(module["body"])]
    for phase in values.get("phases", []):
        body.append(_written_heading("##", phase["headline"], f"{{phase: {phase['phase']}}}"))
        for step in phase["steps"]:
            marks = [f"{name}: {step[name]}" for name in ("id", "seconds") if step.get(name)]
            body.append(_written_heading("###", step["name"], f"{{{', '.join(marks)}}}" if marks else ""))
            if step.get("text"):
                body.append(html_to_markdown(step["text"]))
            body += [f"{{{{claim: {claim}}}}}" for claim in step.get("claims", [])]
            if step.get("picture"):
                body.append(_written_picture(step["picture"]))
    text = "\n\n".join(part for part in body[1:] if part)
    return f"---\n{front}\n---\n" + (f"\n{text}\n" if text else "")


def written_list(kind: Kind, records: Iterable[tuple[str, dict]]) -> str:
    """The canonical text of a file that lists records; `records` are keys and values, already in order."""
    written = []
    for key, values in records:
        lines = _written_fields(kind.fields, {kind.key: key} | values, 2)
        written.append("- " + lines[0].lstrip())
        written += lines[1:]
    return "\n".join(written) + "\n"


def written_record(kind: Kind, key: str, values: dict) -> str:
    """The canonical text of one record, whatever file it stands in."""
    return written_document(kind, key, values) if kind.is_folder else written_list(kind, [(key, values)])


def _written_heading(mark: str, text: str, marker: str) -> str:
    text = re.sub(r"[\\{]", r"\\\g<0>", text)
    return " ".join(part for part in (mark, text, marker) if part)


def _written_picture(picture: dict) -> str:
    alt = re.sub(r"[\\\[\]]", r"\\\g<0>", picture["alt"])
    caption = re.sub(r"[\\\"]", r"\\\g<0>", picture.get("caption", ""))
    return f"![{alt}](images/{picture['image']}" + (f' "{caption}")' if caption else ")")


def _written_blocks(blocks: list[dict]) -> list[str]:
    written = []
    for block in blocks:
        if "claim" in block:
            written.append(f"{{{{claim: {block['claim']}}}}}")
        elif "picture" in block:
            written.append(_written_picture(block["picture"]))
        elif "population" in block:
            written.append(f"::: for {block['population']}\n{html_to_markdown(block['text'])}\n:::")
        else:
            written.append(html_to_markdown(block["text"]))
    return written


def _written_fields(fields: Iterable[Field], values: dict, indent: int) -> list[str]:
    pad = " " * indent
    lines: list[str] = []
    for each in fields:
        if each.name not in values:
            continue
        value, name = values[each.name], f"{pad}{each.name}:"
        if each.shape == "records":
            lines.append(name)
            for item in value:
                if each.flow:
                    pairs = (
                        f"{f.name}: {written_word(item[f.name], in_flow=True)}" for f in each.fields if f.name in item
                    )
                    lines.append(f"{pad}  - {{{', '.join(pairs)}}}")
                else:
                    inner = _written_fields(each.fields, item, indent + 4)
                    lines += [f"{pad}  - {inner[0].lstrip()}", *inner[1:]]
        elif each.shape == "lines":
            lines += [name, *(f"{pad}  - {written_word(item)}" for item in value)]
        elif each.shape in {"names", "many", "slugs"}:
            lines.append(f"{name} [{', '.join(written_word(item, in_flow=True) for item in value)}]")
        elif each.shape == "flag":
            lines.append(f"{name} true")
        elif each.shape in {"date", "moment"}:
            lines.append(f"{name} {value}")
        elif each.shape == "paragraphs":
            lines.append(f"{name} {written_lines(value, indent + 2)}")
        else:
            lines.append(f"{name} {written_word(value)}")
    return lines
