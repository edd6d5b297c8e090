"""What every kind of content shares in the editors' admin: its form, its list, and choosers in place of selects."""

from datetime import timedelta

import django_filters
from django import forms
from django.db.models import JSONField, Model, OuterRef, Prefetch, Q, Subquery, TextField
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from wagtail.admin.admin_url_finder import AdminURLFinder
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.forms.choosers import BaseFilterForm, SearchFilterMixin
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.panels import FieldPanel, ObjectList, PublishingPanel, TabbedInterface
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, LiveStatusTagColumn, StatusTagColumn
from wagtail.models import Revision
from wagtail.snippets.views.chooser import ChooseResultsView, ChooseView, SnippetChooserViewSet
from wagtail.snippets.views.snippets import IndexView, SnippetViewSet
from wagtail.snippets.widgets import AdminSnippetChooser

from yidian.publication.richtext import clean_text
from yidian.search.backends import IndexDamaged
from yidian.search.library import NotReady, library

ROWS_A_PAGE = 30
# What has less of the best result's score shares little but common words with an editor's search.
MUCH = 0.5
# Nobody leafs further than 333 pages.
MAX_LISTED = 10_000
DUE_SOON = timedelta(days=30)


class CappedPaginator(WagtailPaginator):
    """Pages of the first MAX_LISTED of a list, and a count that says when there are more.

    Counting a million rows costs 50 ms, and a page far behind them as much again.
    """

    @cached_property
    def counted(self) -> int:
        return self.object_list.order_by().values("pk")[: MAX_LISTED + 1].count()

    @property
    def is_capped(self) -> bool:
        return self.counted > MAX_LISTED

    @cached_property
    def count(self) -> int:
        return min(self.counted, MAX_LISTED)

    @cached_property
    def items_count_label(self) -> str:
        if not self.is_capped:
            return super().items_count_label
        return f"{MAX_LISTED:,}+ {self.verbose_name_plural}：只列出前 {MAX_LISTED:,} 条，要找其余的，请筛选或搜索"


class ContentForm(WagtailAdminModelForm):
    """The form of everything published: the address is fixed once public, plain text passes the gate."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "slug" in self.fields and self.instance.first_published_at:
            self.fields["slug"].disabled = True
            self.fields["slug"].help_text = "这一页公开过，网址不能再改。"

    def clean(self):
        cleaned = super().clean()
        for name, value in cleaned.items():
            if isinstance(value, str):
                cleaned[name] = clean_text(value)
        return cleaned

    def _post_clean(self):
        super()._post_clean()
        if "action-publish" in self.data or "action-submit" in self.data:  # a draft may still have them
            for name, faults in self.instance.publication_faults().items():
                self.add_error(name, faults)


class ChooseMany(forms.Widget):
    """Several of a kind, picked in the same window as one; never lists what there is to choose from."""

    def __init__(self, model: type[Model], attrs=None):
        self.model = model
        super().__init__(attrs)

    @property
    def media(self):
        return forms.Media(
            css={"all": [versioned_static("yidian_admin/choose-many.css")]},
            js=[
                versioned_static("wagtailadmin/js/chooser-modal.js"),
                versioned_static("yidian_admin/choose-many.js"),
            ],
        )

    def value_from_datadict(self, data, files, name):
        return [value for value in data.getlist(name) if value]

    def value_omitted_from_data(self, data, files, name):
        return False  # none chosen posts nothing

    def render(self, name, value, attrs=None, renderer=None):
        chosen = {str(pk) for pk in value or []}
        ids = [pk for pk in chosen if pk.isascii() and pk.isdigit()]
        found = self.model.objects.filter(pk__in=ids).defer(*heavy_fields(self.model)) if ids else []
        edit_url = AdminURLFinder().get_edit_url
        rows = format_html_join(
            "",
            '<li><input type="hidden" name="{}" value="{}"><a href="{}" target="_blank">{}</a>'
            '<button type="button" class="button button-small button-secondary no" aria-label="移除 {}" '
            "data-choose-many-remove>移除</button></li>",
            ((name, thing.pk, edit_url(thing) or "#", thing, thing) for thing in found),
        )
        return format_html(
            '<div class="choose-many" id="{}" data-choose-many="{}" data-name="{}"><ul>{}</ul>'
            '<button type="button" class="button button-small button-secondary" data-choose-many-add>选择{}</button>'
            "</div>",
            (attrs or {}).get("id", f"id_{name}"),
            reverse(self.model.snippet_viewset.chooser_viewset.get_url_name("choose")),
            name,
            rows,
            self.model._meta.verbose_name,
        )


def heavy_fields(model: type[Model]) -> list[str]:
    """Fields that hold long text, which lists have no use for."""
    return [field.name for field in model._meta.concrete_fields if isinstance(field, TextField | JSONField)]


def with_names(objects, *relations: str):
    """The rows together with what they point to, of which only the names are read.

    Read apart, not joined: SQLite with statistics of a small table beside it sorts a million rows for a page of 30.
    """
    for relation in relations:
        model = objects.model._meta.get_field(relation).related_model
        objects = objects.prefetch_related(Prefetch(relation, model.objects.defer(*heavy_fields(model))))
    return objects


def matching(objects, words: str):
    """The rows whose names hold the words, drafts too, and those public ones that the site's search finds by them."""
    # icontains: full text in SQLite finds no Chinese word inside a longer one
    names = {field.name for field in objects.model._meta.concrete_fields}
    wanted = Q(pk__in=_found(objects.model, words))
    for field in ("name", "slug", "alternate_names"):
        if field in names:
            wanted |= Q(**{f"{field}__icontains": words})
    return objects.filter(wanted)


def _found(model: type[Model], words: str) -> list[int]:
    """Primary keys of what the readers' search finds, best first; empty while there is no index."""
    if not model.searchable:
        return []
    try:
        hits = library().engine().search(words, tags=[[f"kind:{model.kind}"]])
    except (NotReady, IndexDamaged):
        return []
    return [int(hit.object_id) for hit in hits if hit.score >= MUCH * hits[0].score]


class NameSearchForm(SearchFilterMixin, BaseFilterForm):
    def filter(self, objects):
        if words := clean_text(self.cleaned_data.get("q") or "").strip():
            self.is_searching, self.search_query = True, words
            return matching(objects, words)
        return objects


class _Choices:
    filter_form_class = NameSearchForm
    paginator_class = CappedPaginator

    @property
    def columns(self):
        title, *rest = super().columns
        rest = [column for column in rest if not isinstance(column, LiveStatusTagColumn)]
        return [title, *rest, status_column()]

    def get_object_list(self):
        return self.model_class.objects.defer(*heavy_fields(self.model_class))


class _ChooseView(_Choices, ChooseView):
    pass


class _ChooseResultsView(_Choices, ChooseResultsView):
    pass


class ContentChooserViewSet(SnippetChooserViewSet):
    choose_view_class = _ChooseView
    choose_results_view_class = _ChooseResultsView


STATUSES = (("live", "已公开"), ("draft", "未公开"), ("changed", "有未发布的改动"), ("scheduled", "定时发布"))


class ContentFilterSet(WagtailFilterSet):
    status = django_filters.ChoiceFilter(label="状态", choices=STATUSES, method="of_status")

    def of_status(self, queryset, name, value):
        return {
            "live": queryset.filter(live=True),
            "draft": queryset.filter(live=False),
            "changed": queryset.filter(live=True, has_unpublished_changes=True),
            "scheduled": queryset.filter(go_live_at__gt=timezone.now(), live=False),
        }[value]


def chooser_filter(label: str, model: type[Model]) -> django_filters.ModelChoiceFilter:
    """A filter by one thing of a big table, picked in a window and not from a select."""
    return django_filters.ModelChoiceFilter(
        label=label, queryset=model.objects.all(), widget=AdminSnippetChooser(model=model)
    )


def status(content) -> str:
    """How far content has come, from its own row: Wagtail's own word for it costs two queries a row."""
    if content.live:
        return "已公开，有改动未发布" if content.has_unpublished_changes else "已公开"
    waits = content.go_live_at and content.go_live_at > timezone.now()
    return "定时发布" if waits and not content.expired else "未公开"


def status_column() -> StatusTagColumn:
    return StatusTagColumn("status", label="状态", accessor=status, primary=lambda content: content.live)


def with_edited(objects):
    """The rows with the moment of their last edit, read for the rows shown alone."""
    latest = Revision.objects.filter(pk=OuterRef("latest_revision_id")).values("created_at")
    return objects.annotate(edited=Subquery(latest))


def edited(content) -> str:
    """When content was last edited, as lists show it."""
    return f"{timezone.localtime(content.edited):%Y-%m-%d %H:%M}" if content.edited else ""


class ContentList(IndexView):
    paginator_class = CappedPaginator

    def search_queryset(self, queryset):
        return matching(queryset, clean_text(self.search_query)) if self.is_searching else queryset


class ContentViewSet(SnippetViewSet):
    """The lists and forms of one kind of content.

    Lists come newest edit first, by the index of latest_revision, so that a page of a million rows is a seek; a search
    reads every name (about 0.4 s at a million rows in SQLite).
    """

    index_view_class = ContentList
    index_results_template_name = "yidian_admin/list_results.html"

    list_per_page = ROWS_A_PAGE
    chooser_per_page = 20
    chooser_viewset_class = ContentChooserViewSet
    search_backend_name = None
    search_fields = ["name", "slug"]
    ordering = ("-latest_revision_id", "-pk")
    copy_view_enabled = False  # a copy would carry the original's permanent number
    columns: tuple = ()
    tabs: tuple = ()
    form: type[ContentForm] = ContentForm

    @cached_property
    def filterset_class(self):
        meta = type("Meta", (), {"model": self.model, "fields": ["status"]})
        return type(f"{self.model.__name__}FilterSet", (ContentFilterSet,), {"Meta": meta})

    @property
    def list_display(self):
        return [
            "name",
            status_column(),
            *self.columns,
            Column("edited", label="最近改动", accessor=edited, sort_key="latest_revision_id"),
        ]

    def get_queryset(self, request):
        return with_edited(self.model.objects.defer(*heavy_fields(self.model)))

    def get_edit_handler(self):
        tabs = [ObjectList(panels, heading=heading) for heading, panels in self.tabs]
        return TabbedInterface(tabs, base_form_class=self.form).bind_to_model(self.model)


def address_panels() -> list:
    """The address, where the content came from, and when it goes public by itself."""
    return [FieldPanel("slug"), FieldPanel("origin"), FieldPanel("licence"), PublishingPanel()]
