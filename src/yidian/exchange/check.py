"""Linting a bundle without writing anything: what an import would refuse, and what a careful author would change."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.db import DatabaseError, connection
from django.urls import Resolver404, resolve

from yidian.evidence.models import Basis
from yidian.exchange.archive import BundleError, Files, open_bundle
from yidian.exchange.bundle import drafts_of, records_of
from yidian.exchange.documents import KINDS, Kind, Problem, Record, read_file, read_header
from yidian.exchange.pictures import picture_fault
from yidian.publication.richtext import CITATION
from yidian.search.keys import match_form
from yidian.terms.models import SynonymGroup, taken_message
from yidian.zh.sentences import plain

# A sentence that is longer is read twice by a worried reader; the starter bundle keeps below it.
LONG_SENTENCE = 60
LONG_DEFINITION = 60

_SENTENCE_END = re.compile(r"(?<=[。！？!?；])|\n")
_TAG = re.compile(r"<[^>]+>")
_ENTRIES = {"condition", "article", "guide", "question"}
_SECTIONS = {getattr(kind.model, "section", ""): kind.name for kind in KINDS.values() if hasattr(kind.model, "section")}


@dataclass
class _Known:
    """Keys of each kind, and each synonym's group, that a bundle, those beside it, and this site's database hold."""

    keys: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in KINDS})
    synonyms: dict[str, tuple[str, str]] = field(default_factory=dict)  # match form: slug and name, the first found

    def add_bundle(self, files: Files) -> None:
        for kind in KINDS.values():
            for path in records_of(files, kind):
                records = read_file(path, files.read(path)).records
                self.keys[kind.name].update(record.key for record in records)
                if kind.name == "synonym_group":
                    self.add_synonyms((record.key, record.values["name"], _words(record)) for record in records)

    def add_synonyms(self, groups: Iterable[tuple[str, str, Iterable[str]]]) -> None:
        for slug, name, words in groups:
            for word in words:
                self.synonyms.setdefault(match_form(word), (slug, name))

    def add_database(self) -> None:
        """Adds what this site has; a site that was never started, or does not answer, has nothing."""
        name = connection.settings_dict["NAME"]
        if connection.vendor == "sqlite" and not Path(str(name)).exists():
            return  # connecting would make an empty file
        try:
            coming = set(self.keys["synonym_group"])
            for kind in KINDS.values():
                self.keys[kind.name].update(kind.model.objects.values_list(kind.column, flat=True))
            groups = SynonymGroup.objects.exclude(slug__in=coming).only("slug", "name", "alternate_names")
            self.add_synonyms((group.slug, group.name, group.words()) for group in groups)
        except DatabaseError:
            return


def check_bundle(source: Path | str, beside: Iterable[Path | str] = ()) -> list[Problem]:
    """Every error and warning in a bundle, in the order of its files; `beside` are bundles it builds upon.

    BundleError when it cannot be read at all.
    """
    known = _Known()
    for path in beside:
        with open_bundle(path) as files:
            known.add_bundle(files)
    with open_bundle(source) as files:
        try:
            read_header(files.read("bundle.yaml"))
        except ValueError as error:
            raise BundleError(str(error)) from error
        known.add_bundle(files)
        known.add_database()
        problems = list(files.problems)
        listed: set[str] = set()
        for kind in KINDS.values():
            for path in [*records_of(files, kind), *drafts_of(files, kind)]:
                parsed = read_file(path, files.read(path))
                problems += parsed.problems
                for record in parsed.records:
                    problems += _faults(kind, record, known.keys)
                    if kind.name == "synonym_group":
                        problems += _synonym_faults(record, known.synonyms)
                    if record.draft and record.key not in known.keys[kind.name]:
                        message = f"没有这一条，不知道是谁的修改；没公开过的内容写进 {kind.path_of(record.key)}"
                        problems.append(record.problem("", message))
                    if kind.name == "image":
                        listed.add(record.key)
                        problems += _picture_faults(record, files)
        for name in files.inside("images/"):
            if name != "images/images.yaml" and name.removeprefix("images/") not in listed:
                problems.append(Problem(name, 0, "", "images/images.yaml 里没有这张图：请加上 file、title 和 alt"))
    return sorted(problems, key=lambda each: (each.file, each.line, each.level))


def _picture_faults(record: Record, files: Files) -> list[Problem]:
    name = f"images/{record.key}"
    if name not in files:
        return [record.problem("file", f"没有 {name} 这个文件，请放进来")]
    fault = picture_fault(record.key, files.read(name))
    return [Problem(name, 0, "", fault)] if fault else []


def _faults(kind: Kind, record: Record, known: dict[str, set[str]]) -> list[Problem]:
    problems = []
    for each in record.references:
        if each.key not in known[each.kind]:
            label = KINDS[each.kind].model._meta.verbose_name
            message = f"没有这个{label}：{each.key}。请改正拼写，或把它加进来"
            problems.append(Problem(record.file, each.line, each.field, message))
    for href, line in record.links:
        if not _resolves(href, known):
            problems.append(Problem(record.file, line, "", f"链接 {href} 打不开：网站上没有这一页"))
    for slug in record.values.get("knows_about", []):
        if slug not in known["condition"]:
            problems.append(record.problem("knows_about", f"没有这个病症：{slug}", "warning"))
    problems += _rules(kind, record)
    if kind.name in _ENTRIES:
        problems += _entry_warnings(kind, record)
    if kind.name == "glossary_term" and len(record.values["definition"]) > LONG_DEFINITION:
        problems.append(record.problem("definition", f"解释超过 {LONG_DEFINITION} 个字，请写短", "warning"))
    if kind.name == "claim" and not record.values.get("sources") and "basis" not in record.values:
        message = "没有出处：请写 sources，或写 basis: general_knowledge"
        problems.append(record.problem("sources", message, "warning"))
    if kind.name == "source" and not re.fullmatch(r"(?:\d{4}(?:-\d\d){0,2})?", record.values.get("date_published", "")):
        problems.append(record.problem("date_published", "写成年份，或 2026-11-22 这样的日期", "warning"))
    return problems


def _words(record: Record) -> list[str]:
    return [record.values["name"], *record.values.get("alternate_names", [])]


def _synonym_faults(record: Record, known: dict[str, tuple[str, str]]) -> Iterable[Problem]:
    """A word that stands in another group, or twice in this one."""
    forms: dict[str, str] = {}
    for word in _words(record):
        form, where = match_form(word), "alternate_names" if forms else "name"
        if form in forms:
            yield record.problem(where, f"“{word}”和“{forms[form]}”算同一个写法，请留下一个")
        forms.setdefault(form, word)
        slug, name = known.get(form, (record.key, ""))
        if slug != record.key:
            yield record.problem(where, taken_message(word, name, slug).rstrip("。"))


def _rules(kind: Kind, record: Record) -> list[Problem]:
    """What the models refuse, said without rows."""
    values = record.values
    problems = []
    if kind.name in _ENTRIES:
        if values.get("reviewer") and values.get("reviewer") == values.get("author"):
            problems.append(record.problem("reviewer", "作者不能审核自己写的内容，请换一位审核医师"))
        if bool(values.get("reviewer")) != bool(values.get("last_review_date")):
            problems.append(record.problem("last_review_date", "审核医师和审核日期要么都写，要么都不写"))
        reviewed, due = values.get("last_review_date"), values.get("review_due")
        if reviewed and due and due <= reviewed:
            problems.append(record.problem("review_due", "下次审核日期要晚于审核日期"))
    identifiers = ("doi", "pmid", "isbn", "document_number", "url", "no_identifier_reason")
    if kind.name == "source" and not any(values.get(name) for name in identifiers):
        message = "写上 doi、pmid、isbn、document_number 或 url；都没有时，在这里写明原因"
        problems.append(record.problem("no_identifier_reason", message))
    return problems


def _resolves(href: str, known: dict[str, set[str]]) -> bool:
    path = re.split(r"[?#]", href.removeprefix("/zh-hant"))[0]
    parts = path.strip("/").split("/")
    if len(parts) == 2 and parts[0] in _SECTIONS:
        return parts[1] in known[_SECTIONS[parts[0]]] and path.endswith("/")
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def _entry_warnings(kind: Kind, record: Record) -> Iterable[Problem]:
    values = record.values
    if not values.get("care_advice"):
        yield record.problem("care_advice", "没有就医建议：读者要知道什么时候该去看医生", "warning")
    if values.get("status") != "draft" and not values.get("review_due"):
        yield record.problem("review_due", "没有下次审核日期", "warning")
    for name, blocks in _bodies(values):
        cited = any(CITATION.search(block.get("text", "")) or "claim" in block for block in blocks)
        if blocks and not cited:
            yield record.problem("", f"“{name}”里没有一处出处：请引用 [^出处] 或放一条主张", "warning")
    texts = [(values.get("description", ""), "description")]
    texts += [(block["text"], name) for name, blocks in _bodies(values) for block in blocks if "text" in block]
    for text, name in texts:
        for sentence in _sentences(text):
            if len(sentence) > LONG_SENTENCE:
                message = f"这句话有 {len(sentence)} 个字，请拆成短句：{sentence[:20]}…"
                yield replace(record.problem(name, message, "warning"), line=record.lines.get(name, record.line))


def _bodies(values: dict) -> list[tuple[str, list[dict]]]:
    """Names and blocks of the parts of an entry's body."""
    bodies = [(module["headline"], module["body"]) for module in values.get("modules", [])]
    bodies += [(answer["id"], answer["body"]) for answer in values.get("answers", [])]
    for phase in values.get("phases", []):
        steps = [{"text": step["text"]} for step in phase["steps"] if step.get("text")]
        bodies.append((phase["headline"], steps))
    return bodies


def _sentences(html: str) -> list[str]:
    text = re.sub(r"</(?:p|li)>", "\n", html)
    text = plain(CITATION.sub("", _TAG.sub("", text)))
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if sentence and sentence.strip()]


def list_general_knowledge(report: Callable[[str], None]) -> int:
    """Says every source and claim of this site that rests on general knowledge and answers how many there are."""
    count = 0
    for name in ("source", "claim"):
        model = KINDS[name].model
        found = model.objects.public().filter(basis=Basis.GENERAL_KNOWLEDGE).order_by("slug")
        for slug, title in found.values_list("slug", "name"):
            report(f"{model._meta.verbose_name} {slug}: {title}")
            count += 1
    return count
