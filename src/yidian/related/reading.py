"""延展阅读: what stands next to a page, read as plain rows because a page shows sixteen of them."""

from django.db.models import BigIntegerField, Case, CharField, Exists, F, QuerySet, Value, When
from django.db.models.functions import Cast

from yidian.answers.models import Question
from yidian.publication.reads import CompiledRead
from yidian.related.choosing import FURTHER_READING
from yidian.related.models import Link, Reading
from yidian.related.subjects import KINDS

_CARD = (
    "slug",
    "name",
    "description",
    "date_published",
    "lead_answer__excerpt",
    "lead_answer__date_created",
    "lead_answer__origin",
    "lead_answer__author_job_title",
    "lead_answer__author__slug",
    "lead_answer__author__name",
    "lead_answer__author__live",
    "lead_answer__author__demonstration",
    "lead_answer__author_hospital__name",
    "lead_answer__author_hospital__hospital_grade",
)
# The same of an entry that its author signs, and whose lead is its excerpt.
_SIGNED = (
    "slug",
    "name",
    "description",
    "date_published",
    "description",
    "date_modified",
    "origin",
    "author__job_title",
    "author__slug",
    "author__name",
    "author__live",
    "author__demonstration",
    "author__hospital__name",
    "author__hospital__hospital_grade",
)


def _text(value: str) -> Cast:
    # PostgreSQL wants the type of a constant in a UNION said
    return Cast(Value(value), CharField(max_length=60))


def _linked(kind: str, entry: str, pk: int) -> QuerySet:
    """The public entries of a kind that a page lists, as its links say."""
    columns = [F(f"{kind}__{name}") for name in (_CARD if kind == "question" else _SIGNED)]
    return Link.objects.filter(reading__kind=entry, reading__object_id=pk, **{f"{kind}__live": True}).values_list(
        "position", _text(kind), f"{kind}_id", "why", *columns
    )


def _about(column: str, rank: int, condition: int, *enough: Exists) -> QuerySet:
    """Questions about a condition, newest first; none when one of `enough` holds.

    That stands in the value that is looked up, not beside it: there SQLite walks all questions about the condition
    first (of 2,666 a page paid 0.46 ms instead of 0.30) and sorts those about its narrower forms (6.5 ms, not 0.33).
    """
    nothing = Value(None, output_field=BigIntegerField())
    wanted = Case(*(When(each, then=nothing) for each in enough), default=Value(condition, BigIntegerField()))
    found = Question.objects.public().filter(**{column: wanted})
    return found.order_by("-date_published", "-pk").values_list(
        Value(rank), _text("question"), "pk", _text(""), *map(F, _CARD)
    )[: FURTHER_READING + 1]


def _parts(entry: str, pk: int, condition: int) -> list[QuerySet]:
    """What an entry lists; of one that nobody has worked out yet, the questions about its condition."""
    made = Exists(Reading.objects.filter(kind=entry, object_id=pk))
    about = Question.objects.public().filter(about=condition)
    return [
        *(_linked(kind, entry, pk) for kind in KINDS),
        _about("about", 100, condition, made),
        _about("about__broader", 200, condition, made, Exists(about[FURTHER_READING : FURTHER_READING + 1])),
    ]


_READ = CompiledRead(_parts, str, int, int)


def _card(row: tuple, prefix: str, why: str = "", section: str = "questions") -> dict:
    (
        slug,
        name,
        description,
        published,
        excerpt,
        answered,
        origin,
        job_title,
        author_slug,
        author,
        author_live,
        demonstration,
        hospital,
        grade,
    ) = row
    return {
        "name": name,
        "url": f"{prefix}/{section}/{slug}/",
        "excerpt": excerpt or description,
        "author": author or origin,  # what came from elsewhere and names nobody is not our own
        "why": why,
        "author_url": f"{prefix}/doctors/{author_slug}/" if author and author_live else None,
        "job_title": job_title,
        "hospital": hospital,
        "hospital_grade": grade,
        "date": (answered or published).isoformat() if answered or published else None,
        "demonstration": bool(demonstration),
    }


def question_cards(questions: QuerySet[Question], limit: int = FURTHER_READING, prefix: str = "") -> list[dict]:
    """Cards of public questions, each with the first sentences of its leading answer and who gave it; one query."""
    return [_card(row, prefix) for row in questions.public().values_list(*_CARD)[:limit]]


def further_reading(kind: str, pk: int, condition_id: int | None, *, prefix: str = "") -> list[dict]:
    """The cards that stand next to an entry, closest first, each with why; one query.

    Until they have been worked out: the newest questions about its condition, then about its narrower forms, which need
    no reason. Each card carries its `tag`, by which a cached page is dropped when that entry changes or is withdrawn.
    """
    rows = sorted(_READ(kind, pk, condition_id or 0), key=lambda row: row[0])  # stable: each part has its own order
    cards = []
    for _position, other, other_pk, why, *card in rows:
        if (other, other_pk) != (kind, pk):
            cards.append(_card(tuple(card), prefix, why, KINDS[other].section) | {"tag": f"{other}:{other_pk}"})
    return cards[:FURTHER_READING]
