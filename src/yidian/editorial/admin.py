"""What every entry shares in the editors' admin: the three tabs of its form, its list and its filters."""

import django_filters
from django.utils import timezone
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel
from wagtail.admin.ui.tables import Column

from yidian.people.models import Department
from yidian.publication.admin import (
    DUE_SOON,
    ChooseMany,
    ContentFilterSet,
    ContentViewSet,
    address_panels,
)
from yidian.terms.models import BodyPart, Population

REVIEWS = (("overdue", "已过期"), ("soon", "30 天内到期"), ("never", "还没有审核过"))


class EntryFilterSet(ContentFilterSet):
    review = django_filters.ChoiceFilter(label="审核", choices=REVIEWS, method="of_review")

    def of_review(self, queryset, name, value):
        today = timezone.localdate()
        return {
            "overdue": queryset.filter(review_due__lt=today),
            "soon": queryset.filter(review_due__range=(today, today + DUE_SOON)),
            "never": queryset.filter(last_review_date__isnull=True),
        }[value]


def review_due(entry) -> str:
    """When the next review is due, as lists show it, with a word when it is past."""
    if not entry.review_due:
        return "待审核" if not entry.last_review_date else ""
    late = "（已过期）" if entry.review_due < timezone.localdate() else ""
    return f"{entry.review_due:%Y-%m-%d}{late}"


def entry_tabs(body: list, filed_under: list, byline: list | tuple = ()) -> tuple:
    """The tabs of an entry's form, in the order in which a writer works."""
    return (
        ("内容", [FieldPanel("name"), FieldPanel("description"), *body, FieldPanel("care_advice")]),
        (
            "分类",
            [
                *filed_under,
                FieldPanel("body_parts", widget=ChooseMany(BodyPart)),
                FieldPanel("departments", widget=ChooseMany(Department)),
                FieldPanel("populations", widget=ChooseMany(Population)),
                FieldPanel("alternate_names"),
            ],
        ),
        (
            "署名与审核",
            [
                FieldPanel("author"),
                FieldRowPanel([FieldPanel("date_published"), FieldPanel("date_modified")]),
                MultiFieldPanel(
                    [
                        FieldPanel("reviewer"),
                        FieldRowPanel([FieldPanel("last_review_date"), FieldPanel("review_due")]),
                    ],
                    heading="审核",
                ),
                *byline,
                *address_panels(),
            ],
        ),
    )


class EntryViewSet(ContentViewSet):
    filterset_class = EntryFilterSet

    @property
    def list_display(self):
        title, status, *columns, changed = super().list_display
        return [
            title,
            status,
            *columns,
            "date_published",
            Column("review_due", label="下次审核", accessor=review_due, sort_key="review_due"),
            changed,
        ]
