"""What search reads of everything public; `search` itself knows no models and is told of this by a setting."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.apps import apps

from yidian.editorial.models import Entry
from yidian.editorial.rendering import belongs, rendered_now
from yidian.publication.models import Publishable
from yidian.search.documents import Document
from yidian.zh.sentences import plain

# Entries read at once: 500 public forms are about 6 MB.
BATCH = 500
# What results can be filtered by, and the relation that says so.
FILED_UNDER = {"body_part": "body_parts", "department": "departments", "population": "populations"}


def searched_models() -> dict[str, type[Publishable]]:
    """Every kind that has a page of its own and can be found, by its word for addresses of data."""
    return {model.kind: model for model in apps.get_models() if issubclass(model, Publishable) and model.searchable}


def documents(kind: str, ids: Iterable[str]) -> list[Document]:
    """The public things of a kind among `ids`, as search sees them; what is withdrawn is left out.

    Entries take one query and one for each way of filing; everything else one query.
    """
    model = searched_models().get(kind)
    if model is None:
        return []
    numbers = [int(pk) for pk in ids]
    public = model.objects.public().filter(pk__in=numbers)
    if issubclass(model, Entry):
        return _entries(model, public)
    return [
        Document(kind, str(thing.pk), (thing.title, *thing.searchable_names()), getattr(thing, "description", ""))
        for thing in public
    ]


def every(progress=lambda things, length: things) -> Iterator[list[Document]]:
    """All public things in batches; `progress(iterable, length)` may wrap the loop over them."""
    for model in searched_models().values():
        public = model.objects.public()
        batch: list[str] = []
        ids = public.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000)
        for pk in progress(ids, public.count()):
            batch.append(pk)
            if len(batch) == BATCH:
                yield documents(model.kind, batch)
                batch = []
        if batch:
            yield documents(model.kind, batch)


def _entries(model: type[Entry], public) -> list[Document]:
    more = [name for name in ("detail", "keywords") if name in {field.name for field in model._meta.concrete_fields}]
    rows = public.values_list("pk", "name", "alternate_names", "description", "rendered", "last_published_at", *more)
    rows = list(rows)
    tags = _tags(model, [row[0] for row in rows])
    found = []
    for pk, name, alternate_names, description, rendered, published, *rest in rows:
        if not belongs(rendered, published):
            rendered = rendered_now(model.objects.get(pk=pk))
        names = [line.strip() for line in alternate_names.splitlines() if line.strip()]
        body = "\n".join([description, *filter(None, rest), *_texts(rendered)])
        found.append(Document(model.kind, str(pk), (name, *names), body, tuple(tags[pk])))
    return found


def _texts(rendered: dict) -> Iterator[str]:
    """The words of a public form in reading order."""
    for answer in rendered["answers"].values():
        yield from _block_texts(answer)
    for card in rendered["care_advice"]:
        yield card["heading"]
        yield from map(plain, card["items"])
    for module in rendered["modules"]:
        yield module["headline"]
        yield from _block_texts(module["blocks"])
    for phase in rendered["phases"]:
        yield phase["label"]
        for step in phase["steps"]:
            yield step["name"]
            yield plain(step["html"])
    for field in ("do", "dont", "stop_conditions", "contraindications"):
        yield from map(plain, rendered[field])


def _block_texts(blocks: list[dict]) -> Iterator[str]:
    for block in blocks:
        if "html" in block:
            yield plain(block["html"])
        elif block["type"] == "claim":
            yield block["claim"]["text"]
            yield block["claim"]["summary"]


def _tags(model: type[Entry], ids: list[int]) -> dict[int, list[str]]:
    tags: dict[int, list[str]] = defaultdict(list)
    for word, relation in FILED_UNDER.items():
        field = model._meta.get_field(relation)
        through, own, other = field.remote_field.through, field.m2m_field_name(), field.m2m_reverse_field_name()
        filed = through.objects.filter(**{f"{own}__in": ids, f"{other}__live": True})
        for pk, slug in filed.order_by("pk").values_list(f"{own}_id", f"{other}__slug"):
            tags[pk].append(f"{word}:{slug}")
    return tags
