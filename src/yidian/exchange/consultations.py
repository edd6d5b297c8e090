"""Bringing questions with a doctor's answer in by the million: rows in bulk, a transaction a batch, safe to repeat.

A row's address is derived from where it comes from and what it says, so that an import that was cut short at any
moment, or is run twice, finds what it already brought and adds only the rest.
"""

import html
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from hashlib import blake2b, sha1
from itertools import islice
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_date

from yidian.answers.models import EXCERPT_LENGTH, Answer, Question
from yidian.editorial.actions import publish_now
from yidian.exchange.bundle import Counts
from yidian.exchange.changes import Changes
from yidian.exchange.duplicates import Duplicates, Repeat
from yidian.exchange.incoming import Consultation, Fault
from yidian.exchange.library import Library
from yidian.exchange.markdown import canonical_html
from yidian.people.models import Department, Hospital, Physician
from yidian.publication.models import NAMESPACE, Publishable
from yidian.publication.richtext import clean_html, clean_text
from yidian.publication.turns import turn
from yidian.zh.sentences import excerpt

# One transaction: half a second of writing at most, so that editors who save meanwhile hardly wait; 15 MB of memory.
BATCH = 4_000
# 1,000 times the real ones' median; a longer field is a broken file.
MAX_ANSWER = 100_000

# As publication.models.new_token, which draws at random. 27^14: two of a hundred million rows share an address once in
# twenty thousand imports.
_TOKEN = (b"23456789bcdfghjkmnpqrstvwxz" * 10)[:256]
_TOKEN_LENGTH = 14
_MARKUP = re.compile(r"<(?:p|br|div|b|strong|i|em|ul|ol|li|a)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BLANKS = re.compile(r"[^\S\n]+")
# As far as an excerpt of 160 characters looks.
_LEAD = 330


def token_of(*parts: str) -> str:
    """The address of a row, derived from what it says."""
    digest = blake2b("\x1f".join(parts).encode(), digest_size=_TOKEN_LENGTH).digest()
    return digest.translate(_TOKEN).decode()


def _identifier(kind: str, slug: str) -> bytes:
    """`derived_identifier`, as bytes and at a third of its price."""
    made = bytearray(sha1(NAMESPACE.bytes + f"{kind}/{slug}".encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


def answer_html(text: str) -> str:
    """An answer, in clean text, as rich text: markup where it has any, otherwise a paragraph a line.

    Escaped, clean text passes the gate as it is, so that it need not: that costs 10 µs, a twentieth of a row.
    """
    if "<" in text and _MARKUP.search(text):
        return canonical_html(clean_html(text))
    lines = html.escape(text.replace("\xa0", " "), quote=False).split("\n")
    return "".join(f"<p>{line}</p>" for line in lines if line)


class _Table:
    """Rows of one model for executemany: every column the model has, its default where a row says nothing."""

    def __init__(self, model, *own: str):
        fields = [each for each in model._meta.concrete_fields if not each.primary_key]
        blank = model(live=False, has_unpublished_changes=True) if issubclass(model, Publishable) else model()
        fixed = {each.attname: each.get_db_prep_save(getattr(blank, each.attname), connection) for each in fields}
        kept = [name for name in fixed if name not in own]
        self.fixed = tuple(fixed[name] for name in kept)
        columns = {each.attname: connection.ops.quote_name(each.column) for each in fields}
        names = ", ".join(columns[name] for name in (*own, *kept))
        marks = ", ".join(["%s"] * len(columns))
        table = connection.ops.quote_name(model._meta.db_table)
        self.sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  names of our own models

    def insert(self, rows: Iterable[tuple]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(self.sql, [(*row, *self.fixed) for row in rows])


class _People:
    """Departments, hospitals and doctors by name; those that the site lacks are created, unpublished."""

    def __init__(self, life: dict[str, str]):
        self.life = life
        self.departments: dict[str, int] = {}
        for pk, name, others in Department.objects.order_by("-pk").values_list("pk", "name", "alternate_names"):
            self.departments |= {each.strip(): pk for each in others.splitlines() if each.strip()}
            self.departments[name] = pk
        self.hospitals = dict(Hospital.objects.order_by("-pk").values_list("name", "pk"))
        rows = Physician.objects.order_by("-pk").values_list("name", "hospital", "pk")
        self.physicians = {(name, hospital): pk for name, hospital, pk in rows}

    def department(self, name: str) -> int:
        if name not in self.departments:
            self.departments[name] = self._create(Department(name=name))
        return self.departments[name]

    def hospital(self, name: str) -> int | None:
        if not name:
            return None
        if name not in self.hospitals:
            self.hospitals[name] = self._create(Hospital(name=name))
        return self.hospitals[name]

    def physician(self, name: str, job_title: str, hospital: int | None) -> int | None:
        if not name:
            return None
        key = (name, hospital)
        if key not in self.physicians:
            self.physicians[key] = self._create(Physician(name=name, job_title=job_title, hospital_id=hospital))
        return self.physicians[key]

    def _create(self, row) -> int:
        row.live, row.has_unpublished_changes = False, True
        for name, value in self.life.items():
            setattr(row, name, value)
        row.save()
        return row.pk


def _faulty(row: Consultation) -> Fault | None:
    """What is wrong with a row, which is left with clean text; None when it can be imported."""
    for name, limit in _LIMITS:
        value = getattr(row, name)
        if not value:
            continue
        if "\x00" in value:
            return Fault(row.place, name, "里面有空字节（NUL），文件可能坏了，或编码不对：请另存为 UTF-8 再来")
        if len(value) > limit:
            return Fault(row.place, name, f"有 {len(value):,} 个字，最多 {limit:,} 个：请检查引号是否成对，或删短")
        try:
            value.encode()
        except UnicodeEncodeError:
            return Fault(row.place, name, "文字编码有误：请把文件另存为 UTF-8 再来")
        cleaned = clean_text(value.replace("\r", "\n") if "\r" in value and "\n" not in value else value)
        if name in _LONG:
            if "\n" in cleaned or "  " in cleaned or "\t" in cleaned:
                lines = (_BLANKS.sub(" ", line).strip() for line in cleaned.split("\n"))
                cleaned = "\n".join(line for line in lines if line)
            cleaned = cleaned.strip()
        else:
            cleaned = " ".join(cleaned.split())
        setattr(row, name, cleaned)
    if not row.answer:
        return Fault(row.place, "answer", "没有回答")
    if not row.title:
        if not row.ask:
            return Fault(row.place, "title", "没有问题：title 和 ask 都是空的")
        row.title = excerpt(row.ask, 60)
    if row.date_created:
        try:
            known = parse_date(row.date_created[:10])
        except ValueError:
            known = None
        if known is None:
            return Fault(row.place, "date_created", "日期写成 2026-11-22 这样")
        row.date_created = known.isoformat()
    return None


_LONG = {"ask", "answer"}
_LIMITS = (
    ("title", 200),
    ("ask", Question._meta.get_field("detail").max_length),
    ("answer", MAX_ANSWER),
    ("department", 100),
    ("author", 50),
    ("author_job_title", 50),
    ("author_hospital", 200),
    ("date_created", 40),
)


def _said(row: Consultation) -> str:
    return f"{row.title}{row.ask if row.ask != row.title else ''}{row.answer}"


def import_consultations(
    records: Iterable[Consultation | Fault],
    *,
    origin: str,
    licence: str,
    expected: int,
    counts: Counts,
    report: Callable[[Fault], None],
    say: Callable[[str], None],
    publish: bool = False,
    dry_run: bool = False,
    skip_duplicates: bool = False,
) -> Iterator[None]:
    """Imports records and fills `counts` as it goes; a generator that yields after each committed batch.

    `expected` is about how many rows there are, which sizes the memory of the search for duplicates, among the rows and
    of what the site has; they are said at the end, and with `skip_duplicates` not imported. With `dry_run` the first
    changes are said, field by field.
    """
    work = _Work(origin, licence, publish, dry_run, skip_duplicates, say)
    duplicates = Duplicates(expected)
    skipped = 0
    try:
        batch: dict[str, Consultation] = {}
        repeats: dict[str, int] = {}
        stream = iter(records)
        while chunk := list(islice(stream, BATCH)):
            batch.clear()
            for row in chunk:
                if isinstance(row, Fault) or (fault := _faulty(row)):
                    report(row if isinstance(row, Fault) else fault)
                    counts.rejected += 1
                    continue
                text, rest = f"{row.title}\x1f{row.ask}\x1f{row.answer}", f"{row.department}\x1f{row.author}"
                repeat = duplicates.check(row.place, text, rest)
                if repeat is not Repeat.NONE and skip_duplicates:
                    skipped += 1
                    continue
                slug = token_of(origin, text, rest)
                if repeat in (Repeat.EXACT, Repeat.WHOLE):
                    # the same row again, department and all, is a row of its own
                    nth = repeats.get(slug, int(repeat is Repeat.WHOLE))
                    repeats[slug] = nth + 1
                    if nth:
                        slug = token_of(origin, text, rest, str(nth))
                batch[slug] = row
            skipped += work.write(batch, counts)
            yield
        work.changes.finish()
        for line in (*duplicates.found.lines(), *work.library.lines()):
            say(line)
        if skipped:
            say(f"重复的 {skipped} 行没有导入，也不算在下面的数里。")
        elif duplicates.found.exact or duplicates.found.near or work.library.found:
            say("重复的行也都导入了；不要它们，加 --skip-duplicates。")
    finally:
        duplicates.close()


class _Work:
    """Writing batches."""

    def __init__(self, origin: str, licence: str, publish: bool, dry_run: bool, skip_duplicates: bool, say):
        self.publish, self.dry_run, self.skip_duplicates = publish, dry_run, skip_duplicates
        self.changes, self.library = Changes(say), Library()
        life = {"origin": origin, "licence": licence}
        self.people = _People(life)
        own = ("slug", "identifier", "name", "detail", "description", *life)
        self.questions = _Table(Question, *own)
        own = ("slug", "identifier", "body", "excerpt", "question_id", "author_id", "author_job_title")
        self.answers = _Table(Answer, *own, "author_hospital_id", "date_created", *life)
        self.departments = _Table(Question.departments.through, "question_id", "department_id")
        self.life = tuple(life.values())
        self.today = timezone.localdate().isoformat()
        self.native = connection.features.has_native_uuid_field

    def write(self, batch: dict[str, Consultation], counts: Counts) -> int:
        """Brings a batch in and answers how many rows were left out, because the site has them already otherwise."""
        held = set(self.ids(batch))
        new = {slug: row for slug, row in batch.items() if slug not in held}
        repeated = [slug for slug, row in new.items() if self.library.repeats(row.place, _said(row))]
        if self.skip_duplicates:
            for slug in repeated:
                del new[slug]
        with transaction.atomic():
            if self.dry_run:
                self.show(new)
            elif new:
                self.create(new)
        published = self.publish_drafts(held) if self.publish else 0
        if self.publish and not self.dry_run:
            self.publish_drafts(new)
        counts.created += len(new)
        counts.updated += published
        counts.unchanged += len(held) - published
        return len(repeated) if self.skip_duplicates else 0

    def show(self, new: dict[str, Consultation]) -> None:
        """Says what would be created; who is unknown to the site is marked."""
        known = self.people
        doctors = {name for name, _ in known.physicians}

        def named(name: str, among: Container[str]) -> str:
            return f"{name}（网站上没有，会新建，不公开）" if name and name not in among else name

        def fields(row: Consultation) -> Iterator[tuple[str, str, str]]:
            yield "标题", "", row.title
            yield "补充描述", "", row.ask if row.ask != row.title else ""
            yield "回答", "", row.answer
            yield "科室", "", named(row.department, known.departments)
            yield "医生", "", named(row.author, doctors)
            yield "职称", "", row.author_job_title
            yield "医院", "", named(row.author_hospital, known.hospitals)
            yield "日期", "", row.date_created or self.today
            yield "状态", "", "公开" if self.publish else "不公开"

        for row in new.values():
            self.changes.say(f"新增问答，第 {row.place} 行", partial(fields, row))

    def ids(self, slugs: Iterable[str]) -> dict[str, int]:
        wanted = list(slugs)
        if not wanted:
            return {}
        # by hand: as a queryset, each of the parameters would cost 6 µs
        table = connection.ops.quote_name(Question._meta.db_table)
        with connection.cursor() as cursor:
            marks = ",".join(["%s"] * len(wanted))
            cursor.execute(f"SELECT slug, id FROM {table} WHERE slug IN ({marks})", wanted)  # noqa: S608  our own names
            return dict(cursor.fetchall())

    def uuid(self, kind: str, slug: str):
        made = _identifier(kind, slug)
        return UUID(bytes=made) if self.native else made.hex()

    def create(self, new: dict[str, Consultation]) -> None:
        # in the order of their addresses, so that each page of the indexes is written once a batch
        rows = sorted(new.items())
        leads = {slug: excerpt(row.answer[:_LEAD], 160) for slug, row in rows}
        self.questions.insert(
            (
                slug,
                self.uuid("question", slug),
                row.title,
                row.ask if row.ask != row.title else "",
                leads[slug],
                *self.life,
            )
            for slug, row in rows
        )
        ids = self.ids(new)
        people = self.people
        answers = []
        for slug, row in rows:
            own = f"{slug}-a1"
            identifier = self.uuid("answer", own)
            hospital = people.hospital(row.author_hospital)
            body = [{"type": "text", "value": answer_html(row.answer), "id": str(identifier)}]
            answers.append(
                (
                    own,
                    identifier,
                    json.dumps(body, ensure_ascii=False),
                    excerpt(leads[slug], EXCERPT_LENGTH),
                    ids[slug],
                    people.physician(row.author, row.author_job_title, hospital),
                    row.author_job_title,
                    hospital,
                    row.date_created or self.today,
                    *self.life,
                )
            )
        self.answers.insert(answers)
        self.departments.insert((ids[slug], people.department(row.department)) for slug, row in rows if row.department)

    def publish_drafts(self, slugs: Iterable[str]) -> int:
        """Publishes those of the questions that never were public, with their answers; says how many there were.

        A revision is an editor's work, and published by editors.
        """
        untouched = {"first_published_at": None, "latest_revision": None, "locked": False}
        waiting = Question.objects.filter(**untouched)
        drafts = waiting.filter(slug__in=list(slugs))
        if self.dry_run:
            for name in drafts.order_by("pk").values_list("name", flat=True):
                self.changes.say(f"公开问答：{name}", lambda: [("状态", "不公开", "公开")])
            return drafts.count()
        count = 0
        for pk in drafts.order_by("pk").values_list("pk", flat=True):
            with turn():  # one at a time: an editor who saves meanwhile waits for 50 ms, not for a batch
                question = waiting.filter(pk=pk).first()
                if question is None:  # an editor was quicker
                    continue
                publish_now(question)
                for answer in question.answers.filter(**untouched).order_by("pk"):
                    publish_now(answer)
            count += 1
        return count
