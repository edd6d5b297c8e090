"""Linting a bundle without writing anything: what an import would refuse, and what a careful author would change."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.db import DatabaseError, connection
from django.urls import Resolver404, resolve

from yidian.evidence.models import Basis, Claim, Verdict
from yidian.exchange.archive import BundleError, Files, open_bundle
from yidian.exchange.bundle import drafts_of, records_of
from yidian.exchange.claims import is_public, step_problems, verdicts_of
from yidian.exchange.documents import KINDS, Kind, Problem, Record, read_file, read_header
from yidian.exchange.pictures import picture_fault
from yidian.exchange.synonyms import Owners, owners_of, owners_on_site, synonym_faults
from yidian.publication.richtext import CITATION
from yidian.search.keys import match_form
from yidian.selftests.library import self_tests
from yidian.terms.models import GlossaryTerm
from yidian.zh.hard_words import hard_words
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
    synonyms: Owners = field(default_factory=dict)
    explained: set[str] = field(default_factory=set)  # words that the glossary explains on every page
    sources: set[str] = field(default_factory=set)  # public ones
    claims: dict[str, tuple[str, Verdict]] = field(default_factory=dict)  # what each says, and what it is worth

    def add_bundle(self, files: Files) -> None:
        for kind in KINDS.values():
            for path in records_of(files, kind):
                records = read_file(path, files.read(path)).records
                self.keys[kind.name].update(record.key for record in records)
                if kind.name == "synonym_group":
                    self.synonyms = owners_of(records) | self.synonyms
                if kind.name == "glossary_term":
                    self.explained.update(*map(_names, records))
                if kind.name == "source":
                    self.sources.update(record.key for record in records if is_public(record))
                if kind.name == "claim":
                    self.claims |= verdicts_of(records, self.sources)

    def add_database(self) -> None:
        """Adds what this site has; a site that was never started, or does not answer, has nothing."""
        name = connection.settings_dict["NAME"]
        if connection.vendor == "sqlite" and not Path(str(name)).exists():
            return  # connecting would make an empty file
        try:
            coming = set(self.keys["synonym_group"])
            for kind in KINDS.values():
                self.keys[kind.name].update(kind.model.objects.values_list(kind.column, flat=True))
            self.synonyms |= owners_on_site(coming)  # an import meets them before any of the bundle's
            for claim in Claim.objects.exclude(slug__in=self.claims).prefetch_related("sources"):
                self.claims[claim.slug] = (claim.name, claim.verdict)
            for term in GlossaryTerm.objects.public():
                self.explained |= {term.name, *term.searchable_names()}
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
                data = files.read(path)
                parsed = read_file(path, data)
                problems += parsed.problems
                for record in parsed.records:
                    problems += _faults(kind, record, known.keys)
                    if kind.name == "guide":
                        problems += [*_asked_elsewhere(record), *step_problems(record, known.claims)]
                    if kind.name == "synonym_group":
                        problems += synonym_faults(record, known.synonyms)
                    problems += _hard_words(kind, record, data, known.explained)
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


def _asked_elsewhere(record: Record) -> Iterable[Problem]:
    """That a guide's questions name only questions of self-tests that there are, and that can be said yes to."""
    for each in record.values.get("contraindications", []):
        for named in each.get("answered_by", []):
            slug, _, link_id = named.partition("/")
            test = self_tests().get(slug)
            asked = test.form.asked.get(link_id) if test else None
            if asked is None or asked.option("yes") is None:
                message = f"没有自测的题“{named}”，或它不能答“是”：写成 自测/题号"
                yield record.problem("contraindications.answered_by", message)


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
    if kind.name == "synonym_group":
        forms: dict[str, str] = {}
        for word in (values["name"], *values.get("alternate_names", [])):
            if (same := forms.setdefault(match_form(word), word)) is not word:
                problems.append(record.problem("alternate_names", f"“{word}”和“{same}”算同一个写法，请留下一个"))
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


# What readers see of a record, besides its body.
_READ = ("description", "detail", "definition", "summary", "stop_conditions", "do", "dont")
_MARKUP = re.compile(rf"{CITATION.pattern}|\]\([^)]*\)|\{{[^}}]*\}}|^:::.*|[*\\\[]")
# An author explains a word where it stands: 腓肠肌（小腿后面的肌肉）, 小腿肚（腓肠肌）, 抗毒素：现成的…, 这叫强直.
_EXPLAINED_AFTER = re.compile(r"[”」]?(?:[（(：]|，?(?:就是|也就是|是指|指的是|即))")
_EXPLAINED_BEFORE = re.compile(r"(?:[（(]|叫|叫做|叫作|称为|称作)[“「]?$")


def _names(record: Record) -> set[str]:
    return {record.values["name"], *record.values.get("alternate_names", [])}


def _hard_words(kind: Kind, record: Record, data: bytes, explained: set[str]) -> Iterable[Problem]:
    """A warning for each hard word of a record that nothing explains, at its first place."""
    if kind.name == "condition":
        explained = explained | _names(record)  # the page itself says what it is
    known = re.compile("|".join(map(re.escape, sorted(explained, key=len, reverse=True))) or "(?!)")
    first: dict[str, tuple[int, str, str]] = {}
    clear: set[str] = set()
    for line, name, text in _lines_read(kind, record, data):
        covered = [found.span() for found in known.finditer(text)]
        for start, end in hard_words(text):
            word = text[start:end]
            if _EXPLAINED_AFTER.match(text, end) or _EXPLAINED_BEFORE.search(text[:start]):
                clear.add(word)
            elif not any(begin < end and start < close for begin, close in covered):
                # one rare character of a word, with its neighbours
                shown = word if end - start > 1 else text[max(0, start - 2) : end + 2]
                first.setdefault(word, (line, name, shown))
    for word, (line, name, shown) in first.items():
        if word not in clear:
            message = f"“{shown}”多数读者不懂：换成家常话，在后面加括号说明，或写进 vocabulary/glossary.yaml"
            yield Problem(record.file, line, name, message, "warning")


def _lines_read(kind: Kind, record: Record, data: bytes) -> Iterable[tuple[int, str, str]]:
    """The lines that readers see, as plain text, with their line numbers and fields."""
    for name in _READ:
        value = record.values.get(name, "")
        for text in [value] if isinstance(value, str) else value:
            yield record.lines.get(name, record.line), name, _MARKUP.sub("", text)
    for each in record.values.get("contraindications", []):
        for text in (each.get("question", ""), each.get("instead", "")):
            yield record.lines["contraindications"], "contraindications", _MARKUP.sub("", text)
    for card in record.values.get("care_advice", []):
        for text in (card["heading"], *card.get("items", [])):
            yield record.lines["care_advice"], "care_advice", _MARKUP.sub("", text)
    if kind.body:
        front, _, body = data.decode().replace("\r\n", "\n").partition("\n---\n")
        for number, text in enumerate(body.split("\n"), start=front.count("\n") + 3):
            yield number, "", _MARKUP.sub("", text)


def _bodies(values: dict) -> list[tuple[str, list[dict]]]:
    """Names and blocks of the parts of an entry's body."""
    bodies = [(module["headline"], module["body"]) for module in values.get("modules", [])]
    bodies += [(answer["id"], answer["body"]) for answer in values.get("answers", [])]
    for phase in values.get("phases", []):
        steps = [{"text": step["text"]} for step in phase["steps"] if step.get("text")]
        steps += [{"claim": claim} for step in phase["steps"] for claim in step.get("claims", [])]
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
