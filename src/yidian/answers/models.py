"""Questions and the answers that doctors and editors gave to them."""

from django.db import models
from django.db.models import F, Q
from modelcluster.fields import ParentalManyToManyField
from wagtail.fields import StreamField

from yidian.editorial.blocks import BodyBlock
from yidian.editorial.models import Entry
from yidian.editorial.rendering import plain_text
from yidian.people.models import Hospital, Physician
from yidian.publication.models import Publishable, new_token
from yidian.zh.sentences import excerpt

# Three lines of a card on a phone.
EXCERPT_LENGTH = 90


class Question(Entry):
    """A question as a patient asks it (schema.org Question), with one answer that leads."""

    kind = "question"
    section = "questions"
    listed_by = ("about",)

    detail = models.TextField("补充描述", max_length=2000, blank=True)
    about = models.ForeignKey(
        "encyclopedia.Condition",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="questions",
        verbose_name="关于哪个病症",
    )
    related = ParentalManyToManyField(
        "encyclopedia.Condition",
        blank=True,
        related_name="touched_by_questions",
        verbose_name="还涉及哪些病症",
    )
    # the answer shown on cards: the editors' own when there is one, otherwise the newest
    lead_answer = models.ForeignKey(
        "Answer", models.SET_NULL, null=True, blank=True, editable=False, related_name="leads"
    )

    class Meta:
        verbose_name = verbose_name_plural = "问题"
        ordering = ["-date_published", "-pk"]
        indexes = [
            # Partial, because Django asks for live rows by the bare column, which SQLite cannot look up in an index;
            # with the id, so that the newest come straight from the index however many share a date.
            models.Index(
                fields=["about", "date_published", "id"], condition=Q(live=True), name="question_public_about"
            ),
            models.Index(fields=["date_published", "id"], condition=Q(live=True), name="question_public_newest"),
        ]

    def free_slug(self) -> str:
        return new_token()

    def public_answers(self):
        if not self.pk:
            return Answer.objects.none()
        # the editors' own first, then the newest
        return self.answers.public().order_by((F("author") * 0).asc(nulls_first=True), "-date_created", "-pk")

    def settle(self) -> None:
        lead = self.public_answers().first()
        Question.objects.filter(pk=self.pk).update(lead_answer=lead)
        self.lead_answer = lead


class Answer(Publishable):
    """One answer, with who gave it and what they were at that time (schema.org Answer)."""

    kind = "answer"
    section = "questions"
    searchable = False
    listed_by = ("question",)

    question = models.ForeignKey(Question, models.CASCADE, related_name="answers", verbose_name="问题")
    body = StreamField(BodyBlock(), verbose_name="回答")
    excerpt = models.CharField(max_length=200, blank=True, editable=False)
    author = models.ForeignKey(
        Physician,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="answers",
        verbose_name="医生",
        help_text="留空即医典编辑部的回答。",
    )
    author_job_title = models.CharField("回答时的职称", max_length=50, blank=True)
    author_hospital = models.ForeignKey(
        Hospital, models.PROTECT, null=True, blank=True, related_name="answers", verbose_name="回答时的医院"
    )
    date_created = models.DateField("回答日期")
    date_modified = models.DateField("更新日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "回答"
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["author", "date_created", "id"], condition=Q(live=True), name="answer_public_author"),
        ]

    @property
    def title(self) -> str:
        return f"对“{self.question.name}”的回答" if self.question_id else "回答"

    def free_slug(self) -> str:
        # a form that names no question is told so, beside that field
        return f"{self.question.slug}-{new_token()[:4]}" if self.question_id else new_token()

    def get_absolute_url(self) -> str:
        return f"{self.question.get_absolute_url()}#{self.slug}"

    def save(self, *args, **kwargs):
        self.excerpt = excerpt(plain_text(self.body), limit=EXCERPT_LENGTH)
        super().save(*args, **kwargs)

    def purge_keys(self) -> list[str]:
        keys = [f"question:{self.question_id}", "list:questions"]
        if self.question.about_id:
            keys.append(f"condition:{self.question.about_id}")
        return keys
