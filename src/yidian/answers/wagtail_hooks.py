"""Questions and answers in the editors' admin."""

from django.urls import reverse
from django.utils import timezone
from wagtail.admin.panels import FieldPanel, FieldRowPanel, Panel
from wagtail.admin.ui.tables import Column
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import CreateView, SnippetViewSetGroup

from yidian.answers.models import Answer, Question
from yidian.editorial.admin import EntryFilterSet, EntryViewSet, entry_tabs
from yidian.people.models import Hospital, Physician
from yidian.publication.admin import (
    ChooseMany,
    ContentFilterSet,
    ContentForm,
    ContentViewSet,
    address_panels,
    chooser_filter,
    edited,
    status_column,
    with_edited,
    with_names,
)

Condition = Question._meta.get_field("about").related_model

# More answers than this are read in the list of answers, to which the panel links.
MAX_ANSWERS_SHOWN = 20


class AnswersPanel(Panel):
    """The answers to the question being edited, and the way to write another."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "yidian_admin/answers_panel.html"

        def is_shown(self):
            return super().is_shown() and bool(self.instance.pk)

        def get_context_data(self, parent_context=None):
            context = super().get_context_data(parent_context)
            names = ("author_job_title", "origin", "live", "date_created", "author__name", "question_id")
            answers = self.instance.answers.select_related("author").only(*names).order_by("-pk")
            shown = list(answers[: MAX_ANSWERS_SHOWN + 1])
            viewset = Answer.snippet_viewset
            chosen = f"?question={self.instance.pk}"
            return context | {
                "answers": [
                    (answer, reverse(viewset.get_url_name("edit"), args=[answer.pk]))
                    for answer in shown[:MAX_ANSWERS_SHOWN]
                ],
                "more": len(shown) > MAX_ANSWERS_SHOWN,
                "add_url": reverse(viewset.get_url_name("add")) + chosen,
                "list_url": reverse(viewset.get_url_name("list")) + chosen,
            }


class QuestionFilterSet(EntryFilterSet):
    about = chooser_filter("关于哪个病症", Condition)

    class Meta:
        model = Question
        fields = ["status", "review", "about"]


class QuestionViewSet(EntryViewSet):
    model = Question
    icon = "help"
    columns = ("about",)
    filterset_class = QuestionFilterSet
    add_to_reference_index = False  # a million of them arrive by import, and nothing asks what they refer to
    tabs = entry_tabs(
        [FieldPanel("detail"), AnswersPanel(heading="回答")],
        [FieldPanel("about"), FieldPanel("related", widget=ChooseMany(Condition))],
    )

    def get_queryset(self, request):
        return with_names(super().get_queryset(request), "about")


class AnswerForm(ContentForm):
    """Fills in what the doctor is today, for the record of what they were when they answered."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["date_created"].initial = timezone.localdate

    def clean(self):
        cleaned = super().clean()
        author = cleaned.get("author")
        if author and not self.instance.first_published_at:
            cleaned["author_job_title"] = cleaned.get("author_job_title") or author.job_title
            cleaned["author_hospital"] = cleaned.get("author_hospital") or author.hospital
        return cleaned


class AddAnswer(CreateView):
    """Starts from the question whose page led here."""

    def get_initial_form_instance(self):
        question = self.request.GET.get("question", "")
        if question.isascii() and question.isdigit():
            found = Question.objects.filter(pk=question).first()
            return Answer(question=found) if found else None
        return super().get_initial_form_instance()


class AnswerFilterSet(ContentFilterSet):
    question = chooser_filter("问题", Question)
    author = chooser_filter("医生", Physician)
    author_hospital = chooser_filter("医院", Hospital)

    class Meta:
        model = Answer
        fields = ["status", "question", "author", "author_hospital"]


def author(answer) -> str:
    """Who answered, as lists show it."""
    return answer.author.name if answer.author else answer.origin or "医典编辑部"


class AnswerViewSet(ContentViewSet):
    model = Answer
    icon = "comment"
    add_view_class = AddAnswer
    filterset_class = AnswerFilterSet
    search_fields = ["question__name", "excerpt", "slug"]
    add_to_reference_index = False
    form = AnswerForm
    tabs = (
        ("内容", [FieldPanel("question"), FieldPanel("body")]),
        (
            "署名与日期",
            [
                FieldPanel("author"),
                FieldPanel("author_job_title", help_text="留空时，取这位医生现在的职称。"),
                FieldPanel("author_hospital", help_text="留空时，取这位医生现在的医院。"),
                FieldRowPanel([FieldPanel("date_created"), FieldPanel("date_modified")]),
                *address_panels(),
            ],
        ),
    )

    @property
    def list_display(self):
        return [
            "__str__",
            status_column(),
            Column("author", label="医生", accessor=author),
            "author_hospital",
            Column("excerpt", label="开头"),
            "date_created",
            Column("edited", label="最近改动", accessor=edited, sort_key="latest_revision_id"),
        ]

    def get_queryset(self, request):
        return with_names(
            with_edited(Answer.objects.defer("body")),
            "question",
            "author",
            "author_hospital",
        )


class AnswersGroup(SnippetViewSetGroup):
    items = (QuestionViewSet, AnswerViewSet)
    menu_label = "问答"
    menu_name = "answers"
    menu_icon = "comment"
    menu_order = 110


register_snippet(AnswersGroup)
