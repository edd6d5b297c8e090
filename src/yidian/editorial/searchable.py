"""What search reads of everything public; `search` itself knows no models and is told of this by a setting."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from django.apps import apps
from django.db.models import QuerySet

from yidian.editorial.models import Entry
from yidian.editorial.rendering import CITED, is_marked, marked, rendered_now
from yidian.publication.models import Publishable
from yidian.publication.reads import CompiledRead
from yidian.search.documents import Document
from yidian.terms.synonyms import synonym_rows
from yidian.zh.sentences import plain

# Entries of a kind that a page of results shows at most; so many are read by a statement that is compiled once.
PAGE = 20
# What results can be filtered by, and the relation that says so.
FILED_UNDER = {"body_part": "body_parts", "department": "departments", "population": "populations"}

# Kinds whose names are terms: what a reader may be speaking of.
NAMED = ("body_part", "population", "condition")
TERM_KINDS = ("synonym_group", *NAMED)

# A sentence from the middle of these says what to do without what comes first: their lead is shown, whatever was asked.
SHOWN_BY_LEAD = ("guide",)

# What stands beside a question rather than answers it is shown below what does, unless it was asked for by name.
WEIGHTS = {
    "condition": 1.05,
    "body_part": 0.45,
    "population": 0.45,
    "department": 0.45,
    "hospital": 0.6,
    "physician": 0.6,
}


def searched_models() -> dict[str, type[Publishable]]:
    """Every kind that has a page of its own and can be found, by its word for addresses of data."""
    return {model.kind: model for model in apps.get_models() if issubclass(model, Publishable) and model.searchable}


def documents(kind: str, ids: Iterable[str], *, filed: bool = True) -> list[Document]:
    """The public things of a kind among `ids`, as search sees them; what is withdrawn is left out.

    One query, and for entries one more for each way of filing, unless `filed` is False: what a page shows needs no
    tags.
    """
    model = searched_models().get(kind)
    if model is None:
        return []
    numbers = [int(pk) for pk in ids]
    if issubclass(model, Entry):
        return _entries(model, numbers, filed=filed)
    public = model.objects.public().filter(pk__in=numbers)
    return [
        Document(
            kind,
            str(thing.pk),
            (thing.title, *thing.searchable_names()),
            getattr(thing, "description", ""),
            url=thing.get_absolute_url(),
            body_parts=(thing.title,) if kind == "body_part" else (),
        )
        for thing in public
    ]


def terms() -> list[tuple]:
    """Every word that search knows as a term, in rows for a `Lexicon`.

    The reviewed synonyms, then parts of the body, populations and conditions by their own names; what has the name of a
    synonym is that same term. Four queries.
    """
    rows = synonym_rows()
    slugs = {word: slug for slug, name, _, others, *_ in rows for word in (name, *others)}
    for kind in NAMED:
        for thing in searched_models()[kind].objects.public().order_by("slug"):
            slug = slugs.get(thing.name, f"{kind}:{thing.slug}")
            rows.append((slug, thing.name, getattr(thing, "condition_kind", kind), tuple(thing.searchable_names())))
    return rows


def every(progress=lambda things, length: things, size: int = 500) -> Iterator[list[Document]]:
    """All public things in batches of a size; `progress(iterable, length)` may wrap the loop over them."""
    for model in searched_models().values():
        public = model.objects.public()
        batch: list[str] = []
        ids = public.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000)
        for pk in progress(ids, public.count()):
            batch.append(pk)
            if len(batch) == size:
                yield documents(model.kind, batch)
                batch = []
        if batch:
            yield documents(model.kind, batch)


def pairs() -> Iterator[tuple[str, str]]:
    """What search learns from: every public entry's title with its text, and a question with each of its answers."""
    for batch in every():
        for document in batch:
            if document.kind in WEIGHTS and WEIGHTS[document.kind] < 1:
                continue
            yield document.title, document.body


def _about(model: type[Entry]) -> tuple[str, ...]:
    """What is read of an entry's subject, where it has one."""
    has_subject = any(field.name == "about" for field in model._meta.concrete_fields)
    return ("about__name", "about__live") if has_subject else ()


def _public(model: type[Entry], numbers: Sequence[int]) -> QuerySet:
    columns = ("pk", "slug", "name", "alternate_names", "searched", "last_published_at")
    return model.objects.public().filter(pk__in=numbers).values_list(*columns, *_about(model))


@cache
def _page_of(model: type[Entry]) -> CompiledRead:
    return CompiledRead(lambda *numbers: _public(model, numbers), *[int] * PAGE)


def _entries(model: type[Entry], numbers: list[int], *, filed: bool) -> list[Document]:
    if len(numbers) <= PAGE:
        rows = _page_of(model)(*numbers, *[-1] * (PAGE - len(numbers)))
    else:
        rows = list(_public(model, numbers))
    tags, body_parts = _filed(model, [row[0] for row in rows] if filed else [])
    found = []
    for pk, slug, name, alternate_names, kept, published, *subject in rows:
        mark, _, text = kept.partition("\n")
        if not is_marked(mark, published):
            entry = model.objects.get(pk=pk)
            text = searched(entry, rendered_now(entry)).partition("\n")[2]
        names = [line.strip() for line in alternate_names.splitlines() if line.strip()]
        if model.kind == "condition":
            subject = (name, True)
        found.append(
            Document(
                model.kind,
                str(pk),
                (name, *names),
                text,
                tuple(tags[pk]),
                # what a question begins with is what was asked
                "" if model.kind == "question" else text.partition("\n")[0],
                url=f"/{model.section}/{slug}/",
                conditions=(subject[0],) if subject and subject[1] else (),
                body_parts=tuple(body_parts[pk]),
            )
        )
    return found


def searched(entry: Entry, rendered: dict) -> str:
    """An entry's text as search reads and shows it, below a line that says which public form it was made of."""
    own = (getattr(entry, field, "") for field in ("detail", "keywords"))
    return "\n".join([marked(rendered), entry.description, *filter(None, own), *_texts(rendered)])


def _texts(rendered: dict) -> Iterator[str]:
    """The words of a public form in reading order."""
    for answer in rendered["answers"].values():
        yield from _block_texts(answer)
    for card in rendered["care_advice"]:
        yield card["heading"]
        yield from map(_words, card["items"])
    for module in rendered["modules"]:
        yield module["headline"]
        yield from _block_texts(module["blocks"])
    for phase in rendered["phases"]:
        yield phase["label"]
        for step in phase["steps"]:
            yield step["name"]
            yield _words(step["html"])
    for field in ("do", "dont", "stop_conditions"):
        yield from map(_words, rendered[field])
    for each in rendered["contraindications"]:
        yield each["question"]
        yield _words(each["instead"])


def _words(html: str) -> str:
    # footnotes are for the eye: [12] behind a sentence is none of its words
    return plain(CITED.sub("", html))


def _block_texts(blocks: list[dict]) -> Iterator[str]:
    for block in blocks:
        if "html" in block:
            yield _words(block["html"])
        elif block["type"] == "claim":
            yield block["claim"]["text"]
            yield block["claim"]["summary"]


def _filed(model: type[Entry], ids: list[int]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """By primary key, the tags under which entries are filed, and the names of their body parts."""
    tags: dict[int, list[str]] = defaultdict(list)
    body_parts: dict[int, list[str]] = defaultdict(list)
    for word, relation in FILED_UNDER.items() if ids else ():
        field = model._meta.get_field(relation)
        through, own, other = field.remote_field.through, field.m2m_field_name(), field.m2m_reverse_field_name()
        held = through.objects.filter(**{f"{own}__in": ids, f"{other}__live": True}).order_by("pk")
        for pk, slug, name in held.values_list(f"{own}_id", f"{other}__slug", f"{other}__name"):
            tags[pk].append(f"{word}:{slug}")
            if word == "body_part":
                body_parts[pk].append(name)
    return tags, body_parts
