"""延展阅读: what stands next to a page, read as plain rows because a page shows twenty of them."""

from django.db.models import QuerySet

from yidian.answers.models import Question
from yidian.publication.reads import CompiledRead

# A page shows this many related questions, the seed page's number; more are behind the condition's own page.
FURTHER_READING = 16

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


def _cards_where(column: str) -> CompiledRead:
    return CompiledRead(
        lambda condition: (
            Question.objects.public()
            .filter(**{column: condition})
            .order_by("-date_published", "-pk")
            .values_list("pk", *_CARD)[: FURTHER_READING + 1]
        ),
        int,
    )


_ABOUT = _cards_where("about")
_ABOUT_NARROWER = _cards_where("about__broader")


def _card(row: tuple, prefix: str) -> dict:
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
        "url": f"{prefix}/questions/{slug}/",
        "excerpt": excerpt or description,
        "author": author or origin,  # what came from elsewhere and names nobody is not our own
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


def further_reading(condition_id: int | None, *, but_not: int | None = None, prefix: str = "") -> list[dict]:
    """Questions about a condition, newest first, then about its narrower forms when there are not enough of them.

    Never about another condition. One query, or two.
    """
    if condition_id is None:
        return []
    found = [row for row in _ABOUT(condition_id) if row[0] != but_not]
    if len(found) < FURTHER_READING:
        found += [row for row in _ABOUT_NARROWER(condition_id) if row[0] != but_not]
    return [_card(row[1:], prefix) for row in found[:FURTHER_READING]]
