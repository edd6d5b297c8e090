"""Rows as the bundle's plain values, and values as rows."""

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from types import SimpleNamespace

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone
from wagtail.fields import StreamField

from yidian.answers.models import Answer
from yidian.editorial.blocks import items_of
from yidian.encyclopedia.models import MedicalCode
from yidian.exchange.documents import ANSWER_FIELDS, KINDS, ZONE, Field, Kind, sorted_answers, written_moment
from yidian.exchange.markdown import canonical_html
from yidian.people.models import Credential
from yidian.publication.models import NAMESPACE, Publishable, derived_identifier
from yidian.publication.richtext import clean_text

_CHILDREN = {"codes": (MedicalCode, "condition"), "credentials": (Credential, "physician")}


def digest_of(values: dict) -> str:
    """One short word for a record's content."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Keys:
    """Every record's key by its primary key and the other way round, read once a kind."""

    def __init__(self):
        self._pk: dict[str, dict[str, int]] = {}
        self._key: dict[str, dict[int, str]] = {}

    def _load(self, kind: str) -> None:
        if kind not in self._pk:
            column = KINDS[kind].column
            pairs = KINDS[kind].model.objects.exclude(**{column: ""}).values_list("pk", column)
            self._key[kind] = dict(pairs)
            self._pk[kind] = {key: pk for pk, key in self._key[kind].items()}

    def pk(self, kind: str, key: str) -> int | None:
        self._load(kind)
        return self._pk[kind].get(key)

    def key(self, kind: str, pk: int | None) -> str | None:
        self._load(kind)
        return self._key[kind].get(pk) if pk else None

    def known(self, kind: str) -> Iterable[str]:
        self._load(kind)
        return self._pk[kind].keys()

    def add(self, kind: str, key: str, pk: int) -> None:
        self._load(kind)
        self._pk[kind][key] = pk
        self._key[kind][pk] = key


def values_of_rows(kind: Kind, rows: list, keys: Keys) -> list[dict]:
    """The canonical values of rows of one kind, a few queries for all of them.

    A live row gives what is public; one that never was, or is withdrawn, gives its newest draft.
    """
    related = _related(kind, [row.pk for row in rows])
    return [_values(kind, row, related[row.pk], keys) for row in rows]


def read_rows(kind: Kind, names: list[str]) -> list:
    """The rows that have these keys, in their order, holding what `values_of_rows` asks of them.

    They are no model instances, which would cost a third of an export; only where an editor left unpublished work, of
    which the newest revision tells more than the row, are they.
    """
    found = {getattr(row, kind.column): row for row in _read(kind.model, kind.fields, **{f"{kind.column}__in": names})}
    return [found[name] for name in names if name in found]


def _read(model, fields: tuple[Field, ...], **wanted) -> list:
    columns, streams = _columns(model, fields)
    texts = {f"{name}_json": Cast(name, TextField()) for name in streams}
    rows = [SimpleNamespace(**row) for row in model.objects.filter(**wanted).order_by("pk").values(*columns, **texts)]
    if not issubclass(model, Publishable):
        return rows
    open_work = [row.pk for row in rows if row.latest_revision_id and (row.has_unpublished_changes or not row.live)]
    whole = model.objects.in_bulk(open_work) if open_work else {}
    return [whole.get(row.pk, row) for row in rows]


@cache
def _columns(model, fields: tuple[Field, ...]) -> tuple[list[str], list[str]]:
    """Columns that a record's values are made of, and those that hold streams of blocks."""
    held = {each.name: each for each in model._meta.concrete_fields}
    streams = [name for name, each in held.items() if isinstance(each, StreamField)]
    wanted = {"pk": None} | {each.attr: None for each in fields if each.attr in held}
    if issubclass(model, Publishable):
        life = ("slug", "identifier", "live", "has_unpublished_changes", "latest_revision_id", "first_published_at")
        wanted |= dict.fromkeys((*life, "go_live_at"))
    if model is Answer:
        wanted["question_id"] = None
    return [held[name].attname if name in held else name for name in wanted if name not in streams], streams


def _stream(row, name: str) -> list:
    """A stream of blocks as it is stored."""
    text = getattr(row, f"{name}_json", None)
    return getattr(row, name).get_prep_value() if text is None else json.loads(text or "[]")


def values_of_row(kind: Kind, row, keys: Keys) -> dict:
    """The canonical values of one row."""
    return values_of_rows(kind, [row], keys)[0]


def draft_of_row(kind: Kind, row, keys: Keys) -> dict | None:
    """The canonical values of an editor's unpublished changes to a public row; None when nothing differs.

    A question's name those of its public answers too, and are then there also when the question itself has none.
    """
    if not isinstance(row, Publishable):
        return None
    answers = []
    if kind.name == "question":
        held = Answer.objects.filter(question=row, live=True, has_unpublished_changes=True).order_by("pk")
        answers = [made for answer in held if (made := _draft_of_answer(row.slug, answer, keys)) is not None]
    public = own_values(values_of_row(kind, row, keys))
    changed = public
    if row.live and row.has_unpublished_changes and row.latest_revision_id:
        changed = own_values(_values(kind, row, _related(kind, [row.pk])[row.pk], keys, draft=True))
        if is_scheduled(row):
            changed["status"] = "scheduled"
    if changed == public and not answers:
        return None
    return changed | ({"answers": sorted_answers(answers)} if answers else {})


def own_values(values: dict) -> dict:
    """What a draft says of a record itself: all but its state, its identifier and its answers."""
    return {name: value for name, value in values.items() if name not in {"status", "identifier", "answers"}}


def _draft_of_answer(question: str, row: Answer, keys: Keys) -> dict | None:
    if not row.latest_revision_id:
        return None
    public, changed = (own_values(_answer(question, row, keys, draft=draft)) for draft in (False, True))
    if is_scheduled(row):
        changed["status"] = "scheduled"
    return changed if changed != public else None


def is_scheduled(row: Publishable) -> bool:
    """Whether the newest revision was approved to become public later."""
    return bool(row.latest_revision_id and row.latest_revision.approved_go_live_at)


def newest(row):
    """The row as an editor sees it: its newest draft while it is not public."""
    if isinstance(row, Publishable) and not row.live and row.latest_revision_id:
        return row.get_latest_revision_as_object()
    return row


def _related(kind: Kind, pks: list[int]) -> dict[int, dict[str, list]]:
    """What stands in other tables: keys of many-to-many fields, rows of children."""
    found: dict[int, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for each in kind.fields:
        if each.shape == "many":
            field = kind.model._meta.get_field(each.attr)
            own, other = field.m2m_field_name(), field.m2m_reverse_field_name()
            pairs = field.remote_field.through.objects.filter(**{f"{own}_id__in": pks})
            for pk, target in pairs.values_list(f"{own}_id", f"{other}_id"):
                found[pk][each.name].append(target)
        elif each.name in _CHILDREN:
            model, parent = _CHILDREN[each.name]
            for child in model.objects.filter(**{f"{parent}_id__in": pks}).order_by("pk"):
                found[getattr(child, f"{parent}_id")][each.name].append(child)
        elif each.name == "answers":
            for answer in _read(Answer, ANSWER_FIELDS, question__in=pks):
                found[answer.question_id]["answers"].append(answer)
    return found


def _values(kind: Kind, row, related: dict[str, list], keys: Keys, *, draft: bool = False) -> dict:
    seen = row.get_latest_revision_as_object() if draft else newest(row)
    if seen is not row:
        related = dict(related)
        for each in kind.fields:
            if each.shape == "many":
                related[each.name] = [target.pk for target in getattr(seen, each.attr).all()]
            elif each.name in _CHILDREN:
                related[each.name] = list(getattr(seen, each.name).all())
    values = {}
    for each in kind.fields:
        if each.name in {kind.key, "status", "identifier", "answers"}:
            continue
        if each.name == "go_live_at" and row.live and not draft:
            continue  # it has come
        if each.shape == "many":
            value = sorted(key for pk in related[each.name] if (key := keys.key(each.kind, pk)))
        elif each.name in _CHILDREN:
            value = [_plain_values(each.fields, child, keys) for child in related[each.name]]
        elif each.name == "care_advice":
            value = [_card(card["value"]) for card in _stream(seen, "care_advice")]
        elif each.name == "contraindications":
            value = [_contraindication(block["value"]) for block in _stream(seen, "contraindications")]
        else:
            value = _plain_value(each, seen, keys)
        if value not in ("", None, [], False) and value != each.default:
            values[each.name] = value
    if issubclass(kind.model, Publishable):
        values |= _life(kind.name, row.slug, row)
        dated = any(each.name == "date_published" and each.shape == "date" for each in kind.fields)
        if dated and row.live and not draft and "date_published" not in values and row.first_published_at:
            values["date_published"] = timezone.localtime(row.first_published_at).date().isoformat()
    if kind.body == "modules":
        values |= _modules(_stream(seen, "modules"), keys)
    elif kind.body == "phases":
        values |= _phases(_stream(seen, "phases"), keys)
    elif kind.body == "answers" and (answers := related["answers"]):
        values["answers"] = sorted_answers([_answer(row.slug, answer, keys) for answer in answers])
    return values


def _life(kind: str, slug: str, row: Publishable) -> dict:
    values = {} if row.live else {"status": "scheduled" if is_scheduled(row) else "draft"}
    if row.identifier != derived_identifier(kind, slug):
        values["identifier"] = str(row.identifier)
    return values


def _answer(question: str, row: Answer, keys: Keys, *, draft: bool = False) -> dict:
    prefix = f"{question}-"
    named = row.slug.startswith(prefix) and len(row.slug) > len(prefix)
    values = {"id": row.slug.removeprefix(prefix)} if named else {"id": row.slug, "slug": row.slug}
    seen = row.get_latest_revision_as_object() if draft else newest(row)
    for each in ANSWER_FIELDS:
        if each.name == "go_live_at" and row.live and not draft:
            continue
        if each.name not in {"id", "slug", "status", "identifier"} and (value := _plain_value(each, seen, keys)):
            values[each.name] = value
    values |= _life("answer", row.slug, row)
    return values | {"body": _blocks(_stream(seen, "body"), keys)}


def _word(value) -> str:
    if not value:
        return ""
    return clean_text(str(value).replace("\r\n", "\n")).replace("\u2028", " ").replace("\u2029", " ").strip()


def _line(value) -> str:
    if not value:
        return ""
    return " ".join(_word(value).split("\n")).strip()


def _plain_values(fields: Iterable[Field], row, keys: Keys) -> dict:
    return {each.name: value for each in fields if (value := _plain_value(each, row, keys))}


def _plain_value(each: Field, row, keys: Keys):
    if each.shape == "one":
        return keys.key(each.kind, getattr(row, f"{each.attr}_id"))
    value = getattr(row, each.attr)
    if each.shape == "date":
        return value.isoformat() if value else None
    if each.shape == "moment":
        return written_moment(value) if value else None
    if each.shape == "flag":
        return bool(value)
    if each.shape in {"names", "lines", "slugs"}:
        lines = [line for line in map(_word, (value or "").splitlines()) if line]
        return lines if each.shape == "lines" else list(dict.fromkeys(lines))
    return _word(value or "") if each.shape == "paragraphs" else _line(value)


def _card(card: dict) -> dict:
    items = [_line(item) for item in items_of(card["items"])]
    card = {"level": card["level"], "heading": _line(card["heading"]), "items": [item for item in items if item]}
    return {name: value for name, value in card.items() if value}


def _contraindication(raw: dict) -> dict:
    made = {
        "id": _line(raw["key"]),
        "question": _line(raw["question"]),
        "removes": [key for key in map(_line, items_of(raw["removes"])) if key],
        "instead": _line(raw["instead"]),
        "answered_by": list(
            dict.fromkeys(asked for each in items_of(raw.get("answered_by")) if (asked := _line(each)))
        ),
    }
    return {name: value for name, value in made.items() if value}


def _blocks(raw: list, keys: Keys) -> list[dict]:
    """Blocks as values; neighbouring texts are one text, and what points to nothing any more is left out."""
    blocks: list[dict] = []
    for block in raw or []:
        kind, value = block["type"], block["value"]
        if kind == "text" and (html := canonical_html(value or "")):
            if blocks and set(blocks[-1]) == {"text"}:
                blocks[-1] = {"text": canonical_html(blocks[-1]["text"] + html)}
            else:
                blocks.append({"text": html})
        elif kind == "claim" and (claim := keys.key("claim", value)):
            blocks.append({"claim": claim})
        elif kind == "picture" and (picture := _picture(value, keys)):
            blocks.append({"picture": picture})
        elif kind == "population":
            population, html = keys.key("population", value["population"]), canonical_html(value["text"] or "")
            if population and html:
                blocks.append({"population": population, "text": html})
    return blocks


def _picture(value: dict | None, keys: Keys) -> dict | None:
    image = keys.key("image", (value or {}).get("image"))
    if not image:
        return None
    caption = _line(value.get("caption"))
    return {"image": image, "alt": _line(value.get("alt"))} | ({"caption": caption} if caption else {})


def _modules(raw: list, keys: Keys) -> dict:
    modules = [
        {
            "health_aspect": module["value"]["health_aspect"],
            "headline": _line(module["value"]["headline"]),
            "body": _blocks(module["value"]["body"], keys),
        }
        for module in raw
    ]
    return {"modules": modules} if modules else {}


def _phases(raw: list, keys: Keys) -> dict:
    phases = []
    for phase in raw:
        steps = []
        for step in items_of(phase["value"]["steps"]):
            made = {"name": _line(step["name"])}
            if step.get("key"):
                made["id"] = step["key"]
            if claims := [key for pk in items_of(step.get("claims")) if (key := keys.key("claim", pk))]:
                made["claims"] = list(dict.fromkeys(claims))
            if step.get("seconds"):
                made["seconds"] = step["seconds"]
            if html := canonical_html(step.get("text") or ""):
                made["text"] = html
            if picture := _picture(step.get("picture"), keys):
                made["picture"] = picture
            steps.append(made)
        headline = _line(phase["value"]["headline"])
        phases.append({"phase": phase["value"]["phase"], "headline": headline, "steps": steps})
    return {"phases": phases} if phases else {}


def assign(kind_fields: Iterable[Field], row, values: dict, keys: Keys) -> None:
    """Puts the values that a row's own columns hold; those in other tables and the body are written apart."""
    for each in kind_fields:
        if each.name in {"status", "identifier", "id", "slug", "file", "from"} or each.shape in {"many", "records"}:
            continue
        value = values.get(each.name, each.default)
        if each.shape == "one":
            setattr(row, f"{each.attr}_id", keys.pk(each.kind, value) if value else None)
        elif each.shape == "date":
            column = row._meta.get_field(each.attr)
            setattr(row, each.attr, column.to_python(value) if value else None)
        elif each.shape == "moment":
            setattr(row, each.attr, datetime.fromisoformat(value).replace(tzinfo=ZONE) if value else None)
        elif each.shape == "flag":
            setattr(row, each.attr, bool(value))
        elif each.shape in {"names", "lines", "slugs"}:
            setattr(row, each.attr, "\n".join(value or []))
        else:
            setattr(row, each.attr, value or "")


class _Ids:
    """Identifiers of blocks that stay the same when the same content is imported again."""

    def __init__(self, of: object):
        self.of, self.count = of, 0

    def __call__(self) -> str:
        self.count += 1
        return str(uuid.uuid5(NAMESPACE, f"{self.of}/block/{self.count}"))


def assign_body(kind: Kind, row, values: dict, keys: Keys) -> None:
    """Puts an entry's care advice and body."""
    new_id = _Ids(row.identifier)
    if any(each.name == "care_advice" for each in kind.fields):
        cards = [
            {
                "type": "card",
                "id": new_id(),
                "value": {"level": card.get("level", "self_care"), "heading": card.get("heading", "")}
                | {"items": _raw_items(card.get("items", []), new_id)},
            }
            for card in values.get("care_advice", [])
        ]
        _set_stream(row, "care_advice", cards)
    if any(each.name == "contraindications" for each in kind.fields):
        asked = [
            {
                "type": "contraindication",
                "id": new_id(),
                "value": {"key": each.get("id", ""), "question": each.get("question", "")}
                | {"removes": _raw_items(each.get("removes", []), new_id), "instead": each.get("instead", "")}
                | {"answered_by": _raw_items(each.get("answered_by", []), new_id)},
            }
            for each in values.get("contraindications", [])
        ]
        _set_stream(row, "contraindications", asked)
    if kind.body == "modules":
        modules = [
            {
                "type": "module",
                "id": new_id(),
                "value": {"health_aspect": module["health_aspect"], "headline": module["headline"]}
                | {"body": stream_of_blocks(module["body"], new_id, keys)},
            }
            for module in values.get("modules", [])
        ]
        _set_stream(row, "modules", modules)
    elif kind.body == "phases":
        phases = [
            {
                "type": "phase",
                "id": new_id(),
                "value": {"phase": phase["phase"], "headline": phase["headline"]}
                | {"steps": [_step(step, new_id, keys) for step in phase["steps"]]},
            }
            for phase in values.get("phases", [])
        ]
        _set_stream(row, "phases", phases)


def _raw_items(values: list, new_id: _Ids) -> list[dict]:
    return [{"type": "item", "value": value, "id": new_id()} for value in values]


def assign_answer_body(row: Answer, values: dict, keys: Keys) -> None:
    """Puts an answer's text."""
    _set_stream(row, "body", stream_of_blocks(values["body"], _Ids(row.identifier), keys))


def _set_stream(row, name: str, raw: list) -> None:
    setattr(row, name, row._meta.get_field(name).to_python(json.dumps(raw)))


def _step(step: dict, new_id: _Ids, keys: Keys) -> dict:
    value = {"key": step.get("id", ""), "name": step["name"], "text": step.get("text", "")}
    value["seconds"] = step.get("seconds")
    value["claims"] = _raw_items([pk for key in step.get("claims", []) if (pk := keys.pk("claim", key))], new_id)
    value["picture"] = _raw_picture(step.get("picture") or {}, keys)
    return {"type": "item", "id": new_id(), "value": value}


def _raw_picture(picture: dict, keys: Keys) -> dict:
    image = keys.pk("image", picture["image"]) if picture else None
    return {"image": image, "alt": picture.get("alt", ""), "caption": picture.get("caption", "")}


def stream_of_blocks(blocks: list[dict], new_id: _Ids, keys: Keys) -> list[dict]:
    """Values of blocks as a stream stores them."""
    stream = []
    for block in blocks:
        if "claim" in block:
            kind, value = "claim", keys.pk("claim", block["claim"])
        elif "picture" in block:
            kind, value = "picture", _raw_picture(block["picture"], keys)
        elif "population" in block:
            kind = "population"
            value = {"population": keys.pk("population", block["population"]), "text": block["text"]}
        else:
            kind, value = "text", block["text"]
        stream.append({"type": kind, "value": value, "id": new_id()})
    return stream


def assign_related(kind: Kind, row, values: dict, keys: Keys) -> None:
    """Puts what stands in other tables into the row in memory alone, as a revision of it takes it."""
    for each in kind.fields:
        if each.shape == "many":
            wanted = [pk for key in values.get(each.name, []) if (pk := keys.pk(each.kind, key))]
            setattr(row, each.attr, list(KINDS[each.kind].model.objects.filter(pk__in=wanted)))
        elif each.name in _CHILDREN:
            children = []
            for item in values.get(each.name, []):
                child = _CHILDREN[each.name][0]()
                assign(each.fields, child, item, keys)
                children.append(child)
            setattr(row, each.name, children)


def write_related(kind: Kind, row, values: dict, keys: Keys, only: Iterable[str] = ()) -> None:
    """Writes what stands in other tables, for all fields or for `only` some; answers are written apart."""
    for each in kind.fields:
        if only and each.name not in only:
            continue
        if each.shape == "many":
            field = kind.model._meta.get_field(each.attr)
            through = field.remote_field.through
            own, other = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
            wanted = [pk for key in values.get(each.name, []) if (pk := keys.pk(each.kind, key))]
            through.objects.filter(**{own: row.pk}).delete()
            through.objects.bulk_create(through(**{own: row.pk, other: pk}) for pk in wanted)
        elif each.name in _CHILDREN:
            model, parent = _CHILDREN[each.name]
            model.objects.filter(**{parent: row.pk}).delete()
            children = []
            for item in values.get(each.name, []):
                child = model(**{f"{parent}_id": row.pk})
                assign(each.fields, child, item, keys)
                children.append(child)
            model.objects.bulk_create(children)
