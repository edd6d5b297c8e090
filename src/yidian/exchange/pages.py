"""Bringing other people's conditions and articles in, by the same door as a bundle's: a transaction a batch.

A page is known again by an identifier derived from where it comes from; what was said of it last time is remembered, so
that the same file changes nothing a second time, and a newer one never overwrites what an editor wrote meanwhile.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import islice

from django.utils.dateparse import parse_date

from yidian.editorial.actions import publish_now
from yidian.exchange.bundle import Counts
from yidian.exchange.changes import Changes
from yidian.exchange.documents import KINDS, Kind
from yidian.exchange.incoming import Fault, Page
from yidian.exchange.markdown import canonical_html
from yidian.exchange.models import ImportedRecord
from yidian.exchange.rows import Keys, assign, assign_body, digest_of, values_of_row, write_related
from yidian.people.models import Department
from yidian.publication.models import NAMESPACE
from yidian.publication.richtext import clean_html, clean_text
from yidian.publication.turns import turn
from yidian.zh.sentences import excerpt, plain

# Half a second of writing.
BATCH = 50
# The longest real article has some 100,000 characters.
MAX_TEXT = 1_000_000
MAX_SECTIONS = 100

# What a file said last and what the site then held, each as a digest: the one tells whether there is news, the other
# whether an editor was there meanwhile.
_SAID, _HELD = "page-said", "page-held"
# What a file decides; the rest is the editors'. Publishing a page is no change of these.
_OURS = ("name", "kind", "alternate_names", "description", "codes", "keywords", "departments", "modules")
_OURS += ("origin", "licence")


def import_pages(
    records: Iterable[Page | Fault],
    *,
    origin: str,
    licence: str,
    counts: Counts,
    report: Callable[[Fault], None],
    say: Callable[[str], None],
    publish: bool = False,
    dry_run: bool = False,
    overwrite: bool = False,
) -> Iterator[None]:
    """Imports records and fills `counts` as it goes; a generator that yields after each committed batch.

    With `dry_run` the first changes are said, field by field.
    """
    work = _Work(origin, licence, counts, report, Changes(say), publish, dry_run, overwrite)
    stream = iter(records)
    while chunk := list(islice(stream, BATCH)):
        with turn():
            for each in chunk:
                if isinstance(each, Fault):
                    work.reject(each)
                else:
                    work.bring(each)
        yield
    work.changes.finish()


class _Work:
    def __init__(self, origin, licence, counts, report, changes, publish, dry_run, overwrite):
        self.origin, self.licence, self.counts, self.report = origin, licence, counts, report
        self.changes = changes
        self.publish, self.dry_run = publish, dry_run
        self.overwrite, self.keys = overwrite, Keys()
        self.seen: set[uuid.UUID] = set()

    def reject(self, fault: Fault) -> None:
        self.report(fault)
        self.counts.rejected += 1

    def bring(self, page: Page) -> None:
        kind = KINDS[page.kind]
        values = self.values(page)
        if isinstance(values, Fault):
            self.reject(values)
            return
        identifier = uuid.uuid5(NAMESPACE, f"{page.kind}/{self.origin}/{page.key}")
        if identifier in self.seen:
            self.reject(Fault(page.place, "name", f"{page.name}：前面已经有一条同名的，请合并"))
            return
        self.seen.add(identifier)
        said = digest_of(values | {"departments": page.departments})
        row = kind.model.objects.filter(identifier=identifier).first()
        last = dict(ImportedRecord.objects.filter(key=str(identifier)).values_list("kind", "digest"))
        if row is not None and last.get(_SAID) == said:
            self.settle(row, page, changed=False)
            return
        if row is not None and not self.overwrite and (why := self.conflict(kind, row, last.get(_HELD))):
            self.reject(Fault(page.place, "name", f"{page.name}：{why}，没有覆盖。要用文件里的，加 --overwrite"))
            return
        created = row is None
        if self.dry_run:
            self.show(kind, page, row, values)
        else:
            row = self.write(kind, page, row or kind.model(identifier=identifier, live=False), values)
            for name, digest in ((_SAID, said), (_HELD, self.held(kind, row))):
                ImportedRecord.objects.update_or_create(kind=name, key=str(identifier), defaults={"digest": digest})
            self.settle(row, page, changed=True)
        self.counts.created += created
        self.counts.updated += not created

    def show(self, kind: Kind, page: Page, row, values: dict) -> None:
        def fields() -> Iterator[tuple[str, str, str]]:
            before = values_of_row(kind, row, self.keys) if row is not None else {}
            held = Department.objects.filter(slug__in=before.get("departments", []))
            old, new = _texts(kind, before, held.values_list("name", flat=True)), _texts(kind, values, page.departments)
            yield from ((label, old.get(label, ""), new.get(label, "")) for label in dict.fromkeys([*new, *old]))

        label, name = kind.model._meta.verbose_name, values["name"]
        self.changes.say(f"{'新增' if row is None else '更新'}{label}，第 {page.place} 条：{name}", fields)

    def held(self, kind: Kind, row) -> str:
        values = values_of_row(kind, row, self.keys)
        return digest_of({name: values[name] for name in _OURS if name in values})

    def conflict(self, kind: Kind, row, last: str | None) -> str:
        """Why a page that is already here must not be overwritten; empty when it may be."""
        if row.locked:
            return "编辑锁定了这一页"
        if row.live and row.has_unpublished_changes:
            return "编辑有还没公开的修改"
        return "" if self.held(kind, row) == last else "网站上的内容在上次导入之后改过"

    def write(self, kind: Kind, page: Page, row, values: dict):
        """The page's row, saved; public pages stay public, with a new revision."""
        values["departments"] = sorted({self.department(name) for name in page.departments})
        assign([each for each in kind.fields if each.name in _OURS], row, values, self.keys)
        if not row.pk:
            row.has_unpublished_changes = True
            row.slug = row.free_slug()
            row.date_published = _day(page.date_published)
        assign_body(kind, row, values, self.keys)
        row.save()
        write_related(kind, row, values, self.keys, only=set(_OURS))
        self.keys.add(kind.name, row.slug, row.pk)
        # read again: what was kept beside the row is not in the instance that was written from
        row = kind.model.objects.get(pk=row.pk)
        if row.live:
            publish_now(row)
        elif row.latest_revision_id:
            row.save_revision(clean=False)
        return row

    def settle(self, row, page: Page, *, changed: bool) -> None:
        """Publishes what may be, never was and no editor has begun to change.

        An unchanged page that becomes public counts as updated.
        """
        untouched = not (row.first_published_at or row.latest_revision_id or row.locked)
        wanted = self.publish and not page.private and untouched
        if wanted and self.dry_run:
            self.changes.say(f"公开：{row.name}", lambda: [("状态", "不公开", "公开")])
        elif wanted:
            publish_now(row)
        if not changed:
            self.counts.updated += wanted
            self.counts.unchanged += not wanted

    def values(self, page: Page) -> dict | Fault:
        """A page as a bundle's values, in clean text; or what is wrong with it."""
        name = _line(page.name)
        if not name or len(name) > 200:
            return Fault(page.place, "name", "没有名称" if not name else f"名称有 {len(name)} 个字，最多 200 个")
        texts = [page.key, page.name, page.description, *page.alternate_names, *page.departments]
        texts += [part for section in page.sections for part in (section.headline, section.html)]
        if any("\x00" in text for text in texts):
            return Fault(page.place, "", "里面有空字节（NUL），文件可能坏了：请另存为 UTF-8 再来")
        try:
            total = sum(len(text.encode("utf-8")) for text in texts)
        except UnicodeEncodeError:
            return Fault(page.place, "", "文字编码有误：请把文件另存为 UTF-8 再来")
        if total > MAX_TEXT * 3 or len(page.sections) > MAX_SECTIONS:
            return Fault(page.place, "", f"太长：一页最多 {MAX_TEXT:,} 个字、{MAX_SECTIONS} 节，请分成几页")
        if page.date_published and _day(page.date_published) is None:
            return Fault(page.place, "date_published", f"没有 {page.date_published} 这一天：日期写成 2026-11-22 这样")
        modules = []
        for section in page.sections:
            if body := canonical_html(clean_html(section.html)):
                headline = excerpt(_line(section.headline), 100)
                modules.append({"health_aspect": section.health_aspect, "headline": headline, "body": [{"text": body}]})
        first = plain(modules[0]["body"][0]["text"]) if modules else ""
        description = excerpt(_line(page.description) or first, 160)
        others = list(dict.fromkeys(other for each in page.alternate_names if (other := _line(each)) and other != name))
        values = {"name": name, "description": description, "alternate_names": others, "modules": modules}
        if page.kind == "condition":
            values["kind"] = "symptom" if page.symptom else "disease"
            codes = dict.fromkeys((system, _line(value)) for system, value in page.codes)
            values["codes"] = [{"system": system, "value": value} for system, value in codes if len(value) <= 30]
        else:
            values["keywords"] = list(dict.fromkeys(word for each in page.keywords if (word := _line(each))))
        values |= {"origin": self.origin, "licence": self.licence}
        return {field: value for field, value in values.items() if value}

    def department(self, name: str) -> str:
        """The slug of a department by its name; one that the site lacks is created, unpublished."""
        name = _line(name)[:100]
        for row in Department.objects.all():
            if name == row.name or name in row.searchable_names():
                return row.slug
        row = Department(name=name, origin=self.origin, licence=self.licence, live=False, has_unpublished_changes=True)
        row.save()
        self.keys.add("department", row.slug, row.pk)
        return row.slug


def _texts(kind: Kind, values: dict, departments: Iterable[str]) -> dict[str, str]:
    """What a file decides of a page, as text by its label in the admin; each module by its headline."""
    texts = {}
    for each in kind.fields:
        if each.name in values and each.name in _OURS and each.name != "departments":
            value = values[each.name]
            if each.shape == "records":
                texts["编码"] = "、".join(" ".join(item.values()) for item in value)
            else:
                label = str(kind.model._meta.get_field(each.attr).verbose_name)
                texts[label] = "、".join(value) if isinstance(value, list) else value
    if named := sorted(map(_line, departments)):
        texts["科室"] = "、".join(named)
    for module in values.get("modules", []):
        body = "\n".join(plain(block["text"]) for block in module["body"] if "text" in block)
        texts[f"“{module['headline']}”"] = body
    return texts


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:  # well formed, but on no calendar
        return None


def _line(text: str) -> str:
    return " ".join(clean_text(text.replace("\r", "\n")).split())
