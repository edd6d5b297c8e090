"""延展阅读: what stands next to a page, read as plain rows because a page shows twenty of them."""

from django.db.models import QuerySet

from yidian.answers.models import Question

# A page shows this many related questions, the seed page's number; more are behind the condition's own page.
FURTHER_READING = 16

_CARD = (
    "slug",
    "name",
    "description",
    "date_published",
    "lead_answer__excerpt",
    "lead_answer__date_created",
    "lead_answer__author_job_title",
    "lead_answer__author__slug",
    "lead_answer__author__name",
    "lead_answer__author__live",
    "lead_answer__author__demonstration",
    "lead_answer__author_hospital__name",
    "lead_answer__author_hospital__hospital_grade",
)


def question_cards(questions: QuerySet[Question], limit: int = FURTHER_READING, prefix: str = "") -> list[dict]:
    """Cards of public questions, each with the first sentences of its leading answer and who gave it; one query."""
    rows = questions.public().values_list(*_CARD)[:limit]
    return [
        {
            "name": name,
            "url": f"{prefix}/questions/{slug}/",
            "excerpt": excerpt or description,
            "author": author,
            "author_url": f"{prefix}/doctors/{author_slug}/" if author and author_live else None,
            "job_title": job_title,
            "hospital": hospital,
            "hospital_grade": grade,
            "date": (answered or published).isoformat() if answered or published else None,
            "demonstration": bool(demonstration),
        }
        for (
            slug,
            name,
            description,
            published,
            excerpt,
            answered,
            job_title,
            author_slug,
            author,
            author_live,
            demonstration,
            hospital,
            grade,
        ) in rows
    ]


def further_reading(condition_id: int | None, *, but_not: int | None = None, prefix: str = "") -> list[dict]:
    """Questions about the same condition and no other, newest first."""
    if condition_id is None:
        return []
    questions = Question.objects.filter(about=condition_id).order_by("-date_published", "-pk")
    if but_not is not None:
        questions = questions.exclude(pk=but_not)
    return question_cards(questions, prefix=prefix)
