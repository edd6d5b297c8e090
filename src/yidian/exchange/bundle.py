"""Bringing a bundle in and writing one out: idempotent, one transaction a file, never over an editor's newer work."""

import difflib
import hashlib
import uuid
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from wagtail.images import get_image_model

from yidian.answers.models import Answer, Question
from yidian.editorial.actions import after_change, refresh
from yidian.evidence.models import Claim
from yidian.exchange.archive import BundleError, Files, open_bundle, write_bundle
from yidian.exchange.claims import step_problems
from yidian.exchange.documents import (
    ANSWER_FIELDS,
    IMAGE_NAME,
    KINDS,
    Kind,
    Problem,
    Record,
    Reference,
    answer_slug,
    is_draft_path,
    read_file,
    read_header,
    written_document,
    written_header,
    written_list,
    written_record,
)
from yidian.exchange.models import ImportedBundle, ImportedRecord
from yidian.exchange.pictures import picture_fault
from yidian.exchange.rows import (
    Keys,
    assign,
    assign_answer_body,
    assign_body,
    assign_related,
    digest_of,
    draft_of_row,
    own_values,
    read_rows,
    values_of_row,
    values_of_rows,
    write_related,
)
from yidian.exchange.synonyms import Owners, owners_of, owners_on_site, synonym_faults
from yidian.publication.models import Publishable, derived_identifier
from yidian.publication.sqlite import sqlite_setting
from yidian.publication.turns import turn

# Rows read at once while exporting: some 20 MB of long articles; of fewer, their queries cost more than their text.
CHUNK = 500
_CONFLICT = "和网站上已有的内容冲突（编号或名称重复），没有导入"

Progress = Callable[[Iterable, int, str], Iterable]


def _no_progress(iterable: Iterable, length: int, label: str) -> Iterable:
    return iterable


@dataclass
class Counts:
    """What an import did, or with `dry_run` would do, record by record."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __str__(self) -> str:
        parts = (f"{getattr(self, name)} {name}" for name in ("created", "updated", "unchanged", "rejected"))
        return ", ".join(parts)


def import_bundle(
    source: Path | str,
    *,
    publish: bool = False,
    dry_run: bool = False,
    overwrite: bool = False,
    progress: Progress = _no_progress,
    report: Callable[[str], None] = lambda line: None,
) -> Counts:
    """Brings a bundle's records in and answers how many were created, updated, left alone and rejected.

    A record's own status decides whether it becomes public, so `publish` changes nothing here; it exists for formats
    that carry no status. Every rejected record is said through `report` as file:line field: message; with `dry_run`
    nothing is written and every change is said, with a diff. BundleError when the bundle cannot be read at all.
    """
    with open_bundle(source) as files:
        try:
            header = read_header(files.read("bundle.yaml"))
        except ValueError as error:
            raise BundleError(str(error)) from error
        return _Import(files, header, dry_run, overwrite, progress, report).run()


def self_references(kind: Kind) -> set[str]:
    """Fields by which records of a kind refer to others of the same kind."""
    return {each.name for each in kind.fields if each.kind == kind.name and each.shape in {"one", "many"}}


def records_of(files: Files, kind: Kind) -> list[str]:
    """Paths of the files that hold records of a kind; not those of unpublished changes."""
    if kind.is_folder:
        return [path for path in files.inside(kind.path) if not is_draft_path(path)]
    return [kind.path] if kind.path in files else []


def drafts_of(files: Files, kind: Kind) -> list[str]:
    """Paths of the files that hold unpublished changes of a kind's public records."""
    if kind.is_folder:
        return [path for path in files.inside(kind.path) if is_draft_path(path)]
    path = kind.draft_path_of("")
    return [path] if kind.has_drafts and path in files else []


@dataclass
class _Import:
    files: Files
    header: dict
    dry_run: bool
    overwrite: bool
    progress: Progress
    report: Callable[[str], None]
    keys: Keys = field(default_factory=Keys)
    counts: Counts = field(default_factory=Counts)
    coming: set[str] = field(default_factory=set)  # records of the kind at hand that this bundle brings
    seen: dict[str, str] = field(default_factory=dict)  # digests of the kind at hand as last imported or exported
    later: list[tuple[Record, bool]] = field(default_factory=list)  # whose references to their own kind are open
    drafted: set[str] = field(default_factory=set)  # of the kind at hand: with unpublished changes in this bundle,
    written: set[str] = field(default_factory=set)  # written by this import,
    refused: set[str] = field(default_factory=set)  # and refused
    synonyms: Owners = field(default_factory=dict)  # read once an import
    unkept: list[ImportedRecord] = field(default_factory=list)  # digests of the file at hand that are not kept yet
    taken: set[uuid.UUID] = field(default_factory=set)  # identifiers of the chunk at hand that the site has already

    def run(self) -> Counts:
        for problem in self.files.problems:
            self.reject([problem])
        bundle = None
        if not self.dry_run:
            bundle, _ = ImportedBundle.objects.get_or_create(
                title=self.header["title"], defaults={"licence": self.header.get("licence", "")}
            )
        self.bundle = bundle
        for kind in KINDS.values():
            paths = records_of(self.files, kind)
            if kind.name == "image":
                self.check_strays()
            if paths or drafts_of(self.files, kind):
                self.import_kind(kind, paths)
        return self.counts

    def reject(self, problems: list[Problem], records: int = 1) -> None:
        for problem in problems:
            self.report(str(problem))
        self.counts.rejected += records

    def check_strays(self) -> None:
        """Pictures without a line in images.yaml have no alt text."""
        listed = set()
        if "images/images.yaml" in self.files:
            parsed = read_file("images/images.yaml", self.files.read("images/images.yaml"))
            if any(not problem.field for problem in parsed.problems):
                return  # the file itself cannot be read, which is said when its turn comes
            listed = {record.key for record in parsed.records} | {problem.field for problem in parsed.problems}
            if parsed.problems:
                return
        for name in self.files.inside("images/"):
            file = name.removeprefix("images/")
            if IMAGE_NAME.fullmatch(file) and file not in listed:
                self.reject([Problem(name, 0, "", "images/images.yaml 里没有这张图：请加上 file、title 和 alt")])

    def import_kind(self, kind: Kind, paths: list[str]) -> None:
        self.seen = dict(ImportedRecord.objects.filter(kind=kind.name).values_list("key", "digest"))
        self.later = []
        self.coming = self.promised(kind, paths) if self_references(kind) else set()
        drafts = self.read_drafts(kind)
        if kind.name == "synonym_group":
            self.synonyms = owners_on_site()
        for path in self.progress(paths, len(paths), kind.model._meta.verbose_name):
            parsed = read_file(path, self.files.read(path))
            for problem in parsed.problems:
                self.report(str(problem))
            self.counts.rejected += parsed.rejected
            if kind.name == "synonym_group":
                # a word that moves from one group to another is free as soon as the bundle says so
                self.synonyms = owners_of(parsed.records) | owners_on_site({each.key for each in parsed.records})
            with turn():
                self.import_records(kind, parsed.records)
        for record, created in self.later:
            with turn():
                self.settle_later(kind, record, created)
        self.coming = set()
        for record in drafts:
            with turn():
                self.import_draft(kind, record)
                self.keep()

    def read_drafts(self, kind: Kind) -> list[Record]:
        """The unpublished changes that this bundle brings, which come in after the pages themselves."""
        drafts: list[Record] = []
        for path in drafts_of(self.files, kind):
            parsed = read_file(path, self.files.read(path))
            self.reject(parsed.problems, parsed.rejected)
            drafts += parsed.records
        self.drafted, self.written, self.refused = {record.key for record in drafts}, set(), set()
        return drafts

    def promised(self, kind: Kind, paths: list[str]) -> set[str]:
        """Keys that this bundle will bring, less those whose references lead nowhere."""
        wanted: dict[str, list[Reference]] = {}
        for path in paths:
            for record in read_file(path, self.files.read(path)).records:
                wanted[record.key] = record.references
        known = {name: self.keys.known(name) for name in KINDS}
        while True:
            lost = {
                key
                for key, references in wanted.items()
                if any(
                    each.key not in known[each.kind] and not (each.kind == kind.name and each.key in wanted)
                    for each in references
                )
            }
            if not lost:
                return set(wanted)
            for key in lost:
                del wanted[key]

    def import_records(self, kind: Kind, records: list[Record]) -> None:
        changed: list[Publishable] = []
        held: dict[str, object] = {}
        plain: list[tuple[Record, object, dict]] = []
        for number, record in enumerate(records):
            if number % CHUNK == 0:
                changed += self.write_plain(kind, plain)
                chunk = records[number : number + CHUNK]
                rows = kind.model.objects.filter(**{f"{kind.column}__in": [each.key for each in chunk]})
                held = {getattr(row, kind.column): row for row in rows}
                self.taken = self.identifiers_taken(kind, [each for each in chunk if each.key not in held])
            problems, row, before, values = self.plan(kind, record, held.get(record.key))
            if problems:
                self.reject(problems)
                self.refused.add(record.key)
                continue
            if kind.name == "guide":
                self.say_unsupported(record)
            if before == values:
                self.counts.unchanged += 1
                if not self.dry_run:
                    self.remember(kind, record.key, values, created=False)
                if self.keys.pk(kind.name, record.key) is None:
                    self.keys.add(kind.name, record.key, row.pk)
                continue
            created = before is None
            if self.dry_run:
                self.say_change(kind, record.key, before, values, record.file)
                if created:
                    # a stand-in, so that what refers to it finds something; never written
                    self.keys.add(kind.name, record.key, -len(self.coming) - self.counts.created - 1)
            elif created and kind.name == "synonym_group" and not record.references and "status" not in values:
                plain.append((record, row, values))
                continue
            else:
                try:
                    with transaction.atomic():
                        self.write(kind, record, row, values, created)
                except IntegrityError:
                    self.reject([record.problem("", _CONFLICT)])
                    self.refused.add(record.key)
                    continue
                self.written.add(record.key)
                if isinstance(row, Publishable):
                    changed.append(row)
            self.counts.created += created
            self.counts.updated += not created
        changed += self.write_plain(kind, plain)
        self.keep()
        self.follow(kind, changed)

    def identifiers_taken(self, kind: Kind, records: list[Record]) -> set[uuid.UUID]:
        if not issubclass(kind.model, Publishable):
            return set()
        wanted = [_identifier(kind, each.key, each.values) for each in records]
        return set(kind.model.objects.filter(identifier__in=wanted).values_list("identifier", flat=True))

    def write_plain(self, kind: Kind, plain: list[tuple[Record, object, dict]]) -> list[Publishable]:
        """New rows to which nothing is attached, written at once, and answered; ``plain`` is empty afterwards.

        Thousands of them one by one were a third of the starter's import.
        """
        rows = [row for _, row, _ in plain]
        try:
            with transaction.atomic():
                for row in rows:
                    _set_live(row, {})
                    row.keep_match_forms()
                kind.model.objects.bulk_create(rows)
        except IntegrityError:
            plain[:] = [each for each in plain if self.written_alone(*each)]
        for record, row, values in plain:
            self.keys.add(kind.name, record.key, row.pk)
            self.remember(kind, record.key, values, created=True)
            self.written.add(record.key)
        rows = [row for _, row, _ in plain]
        self.counts.created += len(rows)
        plain.clear()
        return rows

    def written_alone(self, record: Record, row, _values: dict) -> bool:
        try:
            with transaction.atomic():
                row.pk = None
                row.save(force_insert=True)
        except IntegrityError:
            self.reject([record.problem("", _CONFLICT)])
            self.refused.add(record.key)
            return False
        return True

    def follow(self, kind: Kind, changed: list[Publishable]) -> None:
        if kind.name in {"glossary_term", "synonym_group"} and changed:
            # a hard word may stand on any page, a synonym in any query: the last call does for all what follows
            for row in changed[:-1]:
                refresh(row)
            changed = changed[-1:]
        for row in changed:
            after_change(row)

    # planning: nothing here writes

    def plan(self, kind: Kind, record: Record, row) -> tuple[list[Problem], object, dict | None, dict]:
        """What is wrong with a record, its row (new or `row`), the row's values now, and the values it shall have."""
        problems = [
            record_problem
            for each in record.references
            if (record_problem := self.missing(kind, record, each)) is not None
        ]
        values = dict(record.values)
        if kind.name == "image":
            problems += self.add_picture(record, values)
        if problems:
            return problems, row, None, values
        if row is None:
            row = kind.model(**{kind.column: record.key})
            return self.faults(kind, record, row, values, new=True), row, None, values
        before = self.values_now(kind, row)
        problems = self.keep_identity(kind, record, before, values)
        if not problems and before != values and not self.overwrite:
            problems = self.conflict(kind, record, row, before)
        if not problems and before != values:
            problems = self.faults(kind, record, row, values, new=False)
        return problems, row, before, values

    def missing(self, kind: Kind, record: Record, each: Reference) -> Problem | None:
        if self.keys.pk(each.kind, each.key) is not None:
            return None
        if each.kind == kind.name and each.key in self.coming:
            return None
        label = KINDS[each.kind].model._meta.verbose_name
        where = KINDS[each.kind].path_of(each.key) if each.kind != "image" else f"images/{each.key}"
        if KINDS[each.kind].is_folder and where in self.files:
            message = f"它依靠的{label} {each.key} 自己没有导入，请先改好 {where}"
            return Problem(record.file, each.line, each.field, message)
        message = f"没有这个{label}：{each.key}。请改正拼写，或加上 {where}"
        return Problem(record.file, each.line, each.field, message)

    def add_picture(self, record: Record, values: dict) -> list[Problem]:
        name = f"images/{record.key}"
        if name not in self.files:
            return [record.problem("file", f"没有 {name} 这个文件，请放进来")]
        data = self.files.read(name)
        if fault := picture_fault(record.key, data):
            return [Problem(name, 0, "", fault)]
        values["sha1"] = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        return []

    def values_now(self, kind: Kind, row) -> dict:
        values = values_of_row(kind, row, self.keys)
        if kind.name == "image":
            values["sha1"] = row.file_hash
        return values

    def keep_identity(self, kind: Kind, record: Record, before: dict, values: dict) -> list[Problem]:
        """Content keeps its identifier for life: a file that names none takes over the row's."""
        if "identifier" in before and "identifier" not in values:
            values["identifier"] = before["identifier"]
        elif values.get("identifier") != before.get("identifier"):
            return [record.problem("identifier", "网站上同名的内容有另一个永久编号，不能改；请改网址拼音或编号")]
        if "answers" in values:
            known = {answer["id"]: answer.get("identifier") for answer in before.get("answers", [])}
            values["answers"] = [
                answer | {"identifier": known[answer["id"]]}
                if known.get(answer["id"]) and "identifier" not in answer
                else answer
                for answer in values["answers"]
            ]
        return []

    def conflict(self, kind: Kind, record: Record, row, before: dict) -> list[Problem]:
        advice = "用 --dry-run 看差别；先 yidian export 取回再改，或加 --overwrite 覆盖"
        rows = [row, *(Answer.objects.filter(question=row) if kind.name == "question" else [])]
        rows = [each for each in rows if isinstance(each, Publishable)]
        changes = draft_of_row(kind, row, self.keys)
        known = record.key in self.drafted and self.seen.get(_draft_key(record.key)) == digest_of(changes or {})
        if changes is not None and not known:
            return [record.problem("", f"编辑有还没公开的修改，没有覆盖。{advice}")]
        if any(each.locked for each in rows):
            return [record.problem("", f"编辑锁定了这一页，没有覆盖。{advice}")]
        if self.seen.get(record.key) != digest_of(before):
            return [record.problem("", f"网站上的内容在上次导入之后改过，没有覆盖。{advice}")]
        return []

    def faults(self, kind: Kind, record: Record, row, values: dict, *, new: bool) -> list[Problem]:
        """What the models themselves refuse."""
        if isinstance(row, Publishable) and new:
            row.identifier = _identifier(kind, record.key, values)
            if row.identifier in self.taken:
                return [record.problem("identifier", "这个永久编号已属于网站上另一条内容，请换一个网址拼音或编号")]
        if kind.name == "glossary_term":
            same = kind.model.objects.filter(name=values.get("name", "")).exclude(slug=record.key).first()
            if same:
                return [record.problem("name", f"这个词已经在 {same.slug} 里解释过，请合并成一条")]
        if kind.name == "question":
            slugs = [answer_slug(record.key, answer) for answer in values.get("answers", [])]
            others = Answer.objects.filter(slug__in=slugs).exclude(question__slug=record.key)
            if taken := others.values_list("slug", flat=True).first():
                return [record.problem("answers", f"回答 {taken} 已属于另一个问题，请换一个 id")]
        if kind.name == "synonym_group" and (problems := list(synonym_faults(record, self.synonyms))):
            return problems
        assign(kind.fields, row, values, self.keys)
        try:
            row.clean_alone() if kind.name == "synonym_group" else row.clean()
        except ValidationError as error:
            names = {each.attr: each.name for each in kind.fields}
            if not hasattr(error, "error_dict"):
                return [record.problem("", message) for message in error.messages]
            return [
                record.problem(names.get(attr, ""), message)
                for attr, messages in error.message_dict.items()
                for message in messages
            ]
        return []

    def say_unsupported(self, record: Record) -> None:
        """Says which steps rest on claims that do not carry them; the guide comes in, and its page withholds them.

        Not refused: a claim may have fallen after the guide was public, and a backup must come back whole.
        """
        named = {each.key for each in record.references if each.kind == "claim"}
        rows = Claim.objects.filter(slug__in=named).prefetch_related("sources") if named else ()
        claims = {claim.slug: (claim.name, claim.verdict) for claim in rows}
        for problem in step_problems(record, claims):
            self.report(str(problem))

    # unpublished changes of public records: planned and written one by one, after the records themselves

    def import_draft(self, kind: Kind, record: Record) -> None:
        main = kind.path_of(record.key)
        if record.key in self.refused:
            self.reject([record.problem("", f"{main} 里的这一条没有导入，这份没公开的修改也没有；先改好它")])
            return
        row = kind.model.objects.filter(slug=record.key).first()
        if row is None and self.dry_run and self.keys.pk(kind.name, record.key) is not None:
            self.counts.created += 1
            self.report(f"新增 {record.file} {record.key}" if not kind.is_folder else f"新增 {record.file}")
            return
        if row is None:
            self.reject([record.problem("", f"网站上没有这一条，不知道是谁的修改；没公开过的内容写进 {main}")])
            return
        problems = [found for each in record.references if (found := self.missing(kind, record, each)) is not None]
        before = draft_of_row(kind, row, self.keys)
        values, faults = self.draft_wanted(kind, record, row)
        problems += faults
        if not problems and before != values and not self.overwrite:
            problems = self.draft_conflict(record, row, before)
        if not problems and before != values:
            problems = self.faults(kind, record, row, values or {}, new=False)
        if problems:
            self.reject(problems)
            return
        key = _draft_key(record.key)
        if before == values:
            self.counts.unchanged += 1
        else:
            created = before is None and key not in self.seen
            if self.dry_run:
                self.say_change(kind, record.key, before, values or {}, record.file)
            else:
                self.write_draft(kind, row, values)
            self.counts.created += created
            self.counts.updated += not created
        if not self.dry_run and values is not None:
            self.remember(kind, key, values, created=False)

    def draft_wanted(self, kind: Kind, record: Record, row) -> tuple[dict | None, list[Problem]]:
        """The changes that a file asks for, less what is public already; None when nothing is left."""
        public = values_of_row(kind, row, self.keys)
        answers, problems = [], []
        held = {answer["id"]: answer for answer in public.get("answers", [])}
        for answer in record.values.get("answers", []):
            now = held.get(answer["id"])
            if now is None or "status" in now or answer.get("slug") != now.get("slug"):
                message = f"回答 {answer['id']} 还没有公开：把它写进 {kind.path_of(record.key)}"
                problems.append(record.problem("answers", message))
            elif answer != own_values(now):
                answers.append(answer)
        own = {name: value for name, value in record.values.items() if name != "answers"}
        same = own == own_values(public)
        if not row.live and not same:
            problems.append(record.problem("", f"这一条还没有公开：把修改写进 {kind.path_of(record.key)}"))
        if same and not answers:
            return None, problems
        return own | ({"answers": answers} if answers else {}), problems

    def draft_conflict(self, record: Record, row, before: dict | None) -> list[Problem]:
        if record.key in self.written:
            return []
        seen = self.seen.get(_draft_key(record.key))
        advice = "先 yidian export 取回再改，或加 --overwrite 覆盖"
        if row.locked:
            return [record.problem("", f"编辑锁定了这一页，没有覆盖。{advice}")]
        if before is None and seen:
            return [record.problem("", f"编辑已经公开或放弃了这份修改，没有再导入。{advice}")]
        if before is not None and seen != digest_of(before):
            return [record.problem("", f"编辑有更新的、还没公开的修改，没有覆盖。{advice}")]
        return []

    def write_draft(self, kind: Kind, row, values: dict | None) -> None:
        values = values or {}
        wanted = {answer_slug(row.slug, answer): answer for answer in values.get("answers", [])}
        if kind.name == "question":
            for answer in Answer.objects.filter(question=row, live=True):
                if made := wanted.get(answer.slug):
                    assign(ANSWER_FIELDS, answer, made, self.keys)
                    assign_answer_body(answer, made, self.keys)
                    _save_changes(answer, made)
                elif answer.has_unpublished_changes:
                    _renew_revision(answer)
        row = kind.model.objects.get(pk=row.pk)
        own = {name: value for name, value in values.items() if name != "answers"}
        if own and own != own_values(values_of_row(kind, row, self.keys)):
            assign(kind.fields, row, own, self.keys)
            assign_body(kind, row, own, self.keys)
            assign_related(kind, row, own, self.keys)
            _save_changes(row, own)
        elif row.live and row.has_unpublished_changes:
            _renew_revision(row)

    # writing: each inside its file's transaction

    def write(self, kind: Kind, record: Record, row, values: dict, created: bool) -> None:
        if kind.name == "image":
            self.write_picture(record, row, values)
        else:
            self.write_row(kind, record, row, values)
        now = values
        own = self_references(kind)
        is_open = any(
            each.field in own and self.keys.pk(kind.name, each.key) is None
            for each in record.references
            if each.kind == kind.name
        )
        self.keys.add(kind.name, record.key, row.pk)
        if is_open:
            self.later.append((record, created))
            now = self.values_now(kind, row)
        self.remember(kind, record.key, now, created=created)

    def write_row(self, kind: Kind, record: Record, row, values: dict) -> None:
        if not isinstance(row, Publishable):
            row.save()
            return
        assign_body(kind, row, values, self.keys)
        _set_live(row, values)
        row.save()
        write_related(kind, row, values, self.keys)
        if kind.name == "question":
            self.write_answers(row, values.get("answers", []))
        _renew_revision(row, values)

    def write_answers(self, question: Question, answers: list[dict]) -> None:
        held = {answer.slug: answer for answer in Answer.objects.filter(question=question)}
        for values in answers:
            slug = answer_slug(question.slug, values)
            row = held.pop(slug, None)
            if row is None:
                row = Answer(slug=slug, identifier=values.get("identifier") or derived_identifier("answer", slug))
            row.question = question
            assign(ANSWER_FIELDS, row, values, self.keys)
            assign_answer_body(row, values, self.keys)
            _set_live(row, values)
            row.save()
            _renew_revision(row, values)
        for row in held.values():
            row.delete()

    def write_picture(self, record: Record, row, values: dict) -> None:
        assign(record.kind.fields, row, values, self.keys)
        old = (row.file.storage, row.file.name) if row.pk else None
        if values["sha1"] != row.file_hash:
            data = self.files.read(f"images/{record.key}")
            row.file.save(record.key, ContentFile(data), save=False)
            row._meta.get_field("file").update_dimension_fields(row, force=True)
            row._set_image_file_metadata()
            row.file.close()
            made = row.file.storage, row.file.name
            try:
                row.save()
            except BaseException:
                made[0].delete(made[1])
                raise
            if old:
                row.renditions.all().delete()
                transaction.on_commit(lambda: old[0].delete(old[1]), robust=True)
        else:
            row.save()

    def settle_later(self, kind: Kind, record: Record, created: bool) -> None:
        """The second step: references to records of the same kind that came after this one."""
        row = kind.model.objects.get(slug=record.key)
        assign(kind.fields, row, record.values, self.keys)
        row.save()
        write_related(kind, row, record.values, self.keys, only=self_references(kind))
        _renew_revision(row, record.values)
        self.remember(kind, record.key, self.values_now(kind, row), created=created)
        after_change(row)

    def remember(self, kind: Kind, key: str, values: dict, *, created: bool) -> None:
        digest = digest_of(values)
        if self.seen.get(key) == digest:
            return
        changes = {"digest": digest} | ({"brought_by": self.bundle} if created else {})
        if key in self.seen:
            self.keep()
            ImportedRecord.objects.filter(kind=kind.name, key=key).update(**changes)
        else:
            self.unkept.append(ImportedRecord(kind=kind.name, key=key, **changes))
        self.seen[key] = digest

    def keep(self) -> None:
        """Keeps the digests of new records; thousands of them one by one would be a third of an import's time."""
        if self.unkept:
            same = {"unique_fields": ["kind", "key"], "update_fields": ["digest", "brought_by"]}
            ImportedRecord.objects.bulk_create(self.unkept, update_conflicts=True, **same)
            self.unkept.clear()

    def say_change(self, kind: Kind, key: str, before: dict | None, values: dict, path: str) -> None:
        if before is None:
            self.report(f"新增 {path} {key}" if not kind.is_folder else f"新增 {path}")
            return
        old, new = (
            written_record(kind, key, {name: value for name, value in each.items() if name != "sha1"})
            for each in (before, values)
        )
        if old == new:
            self.report(f"更换图片 images/{key}")
        for line in difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"网站上的 {path}", f"导入的 {path}", lineterm=""
        ):
            self.report(line)


def _identifier(kind: Kind, key: str, values: dict) -> uuid.UUID:
    return uuid.UUID(str(values.get("identifier") or derived_identifier(kind.name, key)))


def _set_live(row: Publishable, values: dict) -> None:
    row.live = "status" not in values
    row.has_unpublished_changes = not row.live
    if row.live:
        row.last_published_at = timezone.now()
        row.first_published_at = row.first_published_at or row.last_published_at
        row.expired = False


def _renew_revision(row: Publishable, values: dict | None = None) -> None:
    """An editor opens the newest revision: where there is one, or a moment waits for one, the import is a newer one."""
    scheduled = bool(values) and values.get("status") == "scheduled"
    if not row.latest_revision_id and not scheduled:
        return
    revision = _save_revision(row, scheduled)
    type(row).objects.filter(pk=row.pk).update(
        live_revision=revision if row.live else None, has_unpublished_changes=not row.live
    )


def _save_changes(row: Publishable, values: dict) -> None:
    """Keeps what the row holds in memory as its unpublished changes."""
    _save_revision(row, values.get("status") == "scheduled")


def _save_revision(row: Publishable, scheduled: bool):
    revision = row.save_revision(clean=False, approved_go_live_at=row.go_live_at if scheduled else None)
    row.revisions.exclude(pk=revision.pk).filter(approved_go_live_at__isnull=False).update(approved_go_live_at=None)
    return revision


def _draft_key(key: str) -> str:
    """The key under which unpublished changes are remembered; no slug has a full stop."""
    return f"{key}.draft"


def lean_database() -> AbstractContextManager[None]:
    """SQLite without mapping its file, of which up to 256 MB would count as this process's memory."""
    return sqlite_setting("mmap_size", 0)


def export_bundle(
    target: Path | str,
    *,
    progress: Progress = _no_progress,
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Writes all content to a folder or a .zip and answers how many records there were.

    The same content gives the same bytes. What was written is remembered, so that it may be edited outside and
    imported again. Changes of public content that an editor has not published yet stand in files of their own; where
    an older version waits for its moment behind a newer draft, the draft goes out and `report` says so.
    """
    _name_pictures()
    keys = Keys()
    count = 0
    first = ImportedBundle.objects.first()
    header = written_header(first.title if first else settings.YIDIAN_SITE_NAME, first.licence if first else "")
    paths: dict[str, Kind | None] = {"bundle.yaml": None} | {kind.path: kind for kind in KINDS.values()}
    with write_bundle(target) as writer, lean_database():
        for path, kind in sorted(paths.items()):
            if kind is None:
                writer.write(path, header.encode())
            elif kind.name == "image":
                count += _export_pictures(kind, keys, writer, progress, report)
            else:
                count += _export_kind(kind, keys, writer, progress, report)
    return count


def _export_kind(kind: Kind, keys: Keys, writer, progress: Progress, report) -> int:
    # sorted here: databases sort by their own collation
    every = sorted(kind.model.objects.values_list(kind.column, flat=True).iterator())
    listed: list[tuple[str, dict]] = []
    drafts: list[tuple[str, dict]] = []
    starts = range(0, len(every), CHUNK)
    for start in progress(starts, len(starts), kind.model._meta.verbose_name):
        rows = read_rows(kind, every[start : start + CHUNK])
        changed = _changed(kind, rows, report)
        found = [(getattr(row, kind.column), row) for row in rows]
        digests = {}
        for (key, row), values in zip(found, values_of_rows(kind, rows, keys), strict=True):
            digests[key] = digest_of(values)
            changes = draft_of_row(kind, changed[row.pk], keys) if row.pk in changed else None
            if changes is not None:
                digests[_draft_key(key)] = digest_of(changes)
            if kind.is_folder:
                writer.write(kind.path_of(key), written_document(kind, key, values).encode())
                if changes is not None:
                    writer.write(kind.draft_path_of(key), written_document(kind, key, changes).encode())
            else:
                listed.append((key, values))
                drafts += [(key, changes)] if changes is not None else []
        _remember_all(kind, digests)
        gone = [_draft_key(key) for key, _ in found if _draft_key(key) not in digests]
        ImportedRecord.objects.filter(kind=kind.name, key__in=gone).delete()
    for path, records in ((kind.path, listed), (kind.draft_path_of(""), drafts)):
        if records:
            writer.write(path, written_list(kind, records).encode())
    return len(every)


def _changed(kind: Kind, rows: list, report) -> dict[int, Publishable]:
    """Those of the rows that may have unpublished changes, their answers' among them."""
    if not kind.has_drafts:
        return {}
    held = [row for row in rows if isinstance(row, Publishable) and row.has_unpublished_changes]
    changed = {row.pk for row in held if row.live}
    if kind.name == "question":
        answers = Answer.objects.filter(has_unpublished_changes=True, latest_revision__isnull=False)
        answers = list(answers.filter(question__in=[row.pk for row in rows]))
        held += answers
        changed |= {answer.question_id for answer in answers if answer.live}
    for row in held:
        waiting = row.scheduled_revision
        if waiting and waiting.pk != row.latest_revision_id:
            report(f"{kind.path} {row.slug}: 有一版排定了公开时间，又有更新的草稿；只导出了草稿")
    return kind.model.objects.in_bulk(changed) if changed else {}


def _export_pictures(kind: Kind, keys: Keys, writer, progress: Progress, report) -> int:
    pictures = sorted(kind.model.objects.exclude(bundle_name=""), key=lambda picture: picture.bundle_name)
    files: dict[str, bytes] = {}
    listed, digests = [], {}
    for picture in progress(pictures, len(pictures), kind.model._meta.verbose_name):
        try:
            with picture.file.storage.open(picture.file.name) as file:
                data = file.read()
        except OSError:
            report(f"images/{picture.bundle_name}: 图片文件不见了，没有导出。请在后台重新上传，或删掉它")
            continue
        values = values_of_row(kind, picture, keys)
        # the alt text is what the format requires; a picture from elsewhere may still lack one
        listed.append((picture.bundle_name, values))
        files[f"images/{picture.bundle_name}"] = data
        sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        digests[picture.bundle_name] = digest_of(values | {"sha1": sha1})
    if listed:
        files[kind.path] = written_list(kind, listed).encode()
    for name in sorted(files):
        writer.write(name, files[name])
    _remember_all(kind, digests)
    return len(listed)


def _name_pictures() -> None:
    """Gives pictures that were uploaded in the admin the name they have in bundles from now on."""
    for picture in get_image_model().objects.filter(bundle_name="").order_by("pk"):
        extension = Path(picture.file.name).suffix.lower().replace("jpeg", "jpg")
        name = f"picture-{picture.pk}{extension}"
        if IMAGE_NAME.fullmatch(name):
            type(picture).objects.filter(pk=picture.pk).update(bundle_name=name)


def _remember_all(kind: Kind, digests: dict[str, str]) -> None:
    held = ImportedRecord.objects.filter(kind=kind.name, key__in=digests)
    same = {key for key, digest in held.values_list("key", "digest") if digests[key] == digest}
    ImportedRecord.objects.bulk_create(
        [ImportedRecord(kind=kind.name, key=key, digest=digest) for key, digest in digests.items() if key not in same],
        update_conflicts=True,
        unique_fields=["kind", "key"],
        update_fields=["digest"],
    )


def remove_brought(title: str, report: Callable[[str], None] = lambda line: None) -> int:
    """Deletes the records that a bundle of this title created and answers how many.

    What others need stays, and is said. A question that received further answers since stays, with all of them.
    """
    removed = 0
    for kind in reversed(KINDS.values()):
        held = ImportedRecord.objects.filter(brought_by__title=title, kind=kind.name)
        for key in list(held.order_by("key").values_list("key", flat=True)):
            with turn():
                row = kind.model.objects.filter(**{kind.column: key}).first()
                if row is not None and (why := _needed(kind, row)):
                    report(f"{row}：{why}，没有删除")
                    continue
                if row is not None:
                    _delete(row)
                    removed += 1
                held.filter(key=key).delete()
                ImportedRecord.objects.filter(kind=kind.name, key=_draft_key(key)).delete()
    if not ImportedRecord.objects.filter(brought_by__title=title).exists():
        ImportedBundle.objects.filter(title=title).delete()
    return removed


def _needed(kind: Kind, row) -> str:
    """Why a record that a bundle brought has to stay; empty when nothing needs it."""
    if kind.name == "question":
        brought = ImportedRecord.objects.get(kind="question", key=row.slug)
        if brought.digest != digest_of(values_of_row(kind, row, Keys())):
            return "导入之后改过"
    if kind.name in {"physician", "hospital"}:
        for relation in type(row)._meta.related_objects:
            if relation.related_model._meta.app_label == "exchange" or relation.name == "credentials":
                continue
            if getattr(row, relation.get_accessor_name()).exists():
                return f"还有{relation.related_model._meta.verbose_name}用到它"
    return ""


def _delete(row) -> None:
    if isinstance(row, Question):
        for answer in list(row.answers.all()):
            answer.delete()
    row.delete()
