"""The editors' admin as a whole: its menu, its home page, corrections, error reports, links in rich text."""

from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.html import format_html
from wagtail import hooks
from wagtail.admin.forms.auth import LoginForm
from wagtail.admin.forms.choosers import ExternalLinkChooserForm
from wagtail.admin.panels import FieldPanel, PublishingPanel
from wagtail.admin.rich_text.editors.draftail.features import EntityFeature
from wagtail.admin.search import SearchArea
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.components import Component
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.account import AvatarSettingsPanel
from wagtail.admin.views.home import LockedPagesPanel, RecentEditsPanel
from wagtail.log_actions import LogFormatter
from wagtail.models import ModelLogEntry, Revision
from wagtail.permissions import policy_registry
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import IndexView, SnippetViewSet, SnippetViewSetGroup

from yidian.editorial.actions import entry_models, publishable_models
from yidian.editorial.models import Correction, ErrorReport, Redirect, UnansweredQuery
from yidian.publication.admin import DUE_SOON, ROWS_A_PAGE, ContentForm, ContentViewSet, heavy_fields
from yidian.publication.models import REFUSED

# What a panel of the home page shows at most.
HOME_ROWS = 8
# Drafts are looked for among this many of the newest revisions: nothing marks a draft by an index of its own.
REVISIONS_LOOKED_AT = 200
REFUSALS_LOOKED_AT = 20


class CorrectionForm(ContentForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["date_published"].initial = timezone.localdate


class CorrectionViewSet(ContentViewSet):
    model = Correction
    icon = "edit"
    columns = ("page", "date_published")
    form = CorrectionForm
    tabs = (
        (
            "内容",
            [
                FieldPanel("name"),
                FieldPanel("page"),
                FieldPanel("text"),
                FieldPanel("date_published"),
                FieldPanel("slug"),
                PublishingPanel(),
            ],
        ),
    )


def handled(written) -> str:
    """Whether what a reader wrote was dealt with, as lists show it."""
    return "已处理" if written.handled else "未处理"


class WrittenByReaders(IndexView):
    def get_add_url(self):
        return None  # readers write these, editors answer them


class ErrorReportViewSet(SnippetViewSet):
    model = ErrorReport
    icon = "warning"
    index_view_class = WrittenByReaders
    list_per_page = ROWS_A_PAGE
    list_display = ["text", "page", "created", Column("handled", label="状态", accessor=handled)]
    list_filter = ["handled"]
    search_fields = ["text", "page"]
    copy_view_enabled = False
    panels = [
        FieldPanel("page", read_only=True),
        FieldPanel("quote", read_only=True),
        FieldPanel("text", read_only=True),
        FieldPanel("created", read_only=True),
        FieldPanel("handled"),
        FieldPanel("outcome", help_text="改了什么，或者为什么不改。读者看不到这里；要公开更正，请另写一条更正。"),
    ]


class UnansweredQueryViewSet(SnippetViewSet):
    model = UnansweredQuery
    icon = "help"
    index_view_class = WrittenByReaders
    list_per_page = ROWS_A_PAGE
    list_display = ["text", "times", "last_asked", Column("handled", label="状态", accessor=handled)]
    list_filter = ["handled"]
    search_fields = ["text"]
    copy_view_enabled = False
    panels = [
        FieldPanel("text", read_only=True),
        FieldPanel("times", read_only=True),
        FieldPanel("first_asked", read_only=True),
        FieldPanel("last_asked", read_only=True),
        FieldPanel("handled", help_text="写了能回答它的内容，或者决定不写，就勾上。"),
    ]


class RedirectViewSet(SnippetViewSet):
    model = Redirect
    icon = "redirect"
    list_per_page = ROWS_A_PAGE
    list_display = ["from_path", "to_path"]
    search_fields = ["from_path", "to_path"]
    copy_view_enabled = False
    panels = [FieldPanel("from_path"), FieldPanel("to_path")]


class CorrectionsGroup(SnippetViewSetGroup):
    items = (CorrectionViewSet, ErrorReportViewSet, UnansweredQueryViewSet, RedirectViewSet)
    menu_label = "更正"
    menu_name = "corrections"
    menu_icon = "resubmit"
    menu_order = 150


register_snippet(CorrectionsGroup)


@hooks.register("construct_main_menu")
def leave_out_what_is_not_used(request, menu_items):
    unused = {"explorer", "documents", "help", "snippets"}
    menu_items[:] = [item for item in menu_items if item.name not in unused]
    for item in menu_items:
        if item.name == "images":
            item.order = 145  # after the vocabulary


@hooks.register("construct_reports_menu")
def leave_out_reports_of_pages(request, menu_items):
    unused = {"locked-pages", "aging-pages", "page-types-usage"}
    menu_items[:] = [item for item in menu_items if item.name not in unused]


@hooks.register("construct_homepage_summary_items")
def leave_out_the_summary(request, items):
    items.clear()  # it counts pages and documents, of which there are none


# Editors sign with their name; a picture of them would be one more file to keep.
AvatarSettingsPanel.is_active = lambda self: False
# Wagtail gives these fields no label, so that Django makes an English one of their names.
LoginForm.base_fields["password"].label = "密码"
_link = ExternalLinkChooserForm.base_fields
_link["link_text"].label = "链接文字"
_link["url"].label = "网址"
_link["url"].help_text = "本站的页面写路径，例如 /conditions/xiaotui-choujin/；别的网站写完整的网址，以 https:// 开头。"


def may(user, action: str, model) -> bool:
    """Whether a user may add or change things of a kind."""
    return policy_registry.get_by_type(model).user_has_permission(user, action)


def _edit_url(content) -> str:
    return reverse(type(content).snippet_viewset.get_url_name("edit"), args=[content.pk])


class HomePanel(Component):
    template_name = "yidian_admin/home_panel.html"
    name: str
    heading: str
    empty: str
    order: int

    def __init__(self, user):
        self.user = user

    def rows(self) -> list[dict]:
        """What the panel lists: url, title, kind, note and whether it is late."""
        raise NotImplementedError

    def get_context_data(self, parent_context):
        return {"name": self.name, "heading": self.heading, "empty": self.empty, "rows": self.rows()}


class ReviewsDue(HomePanel):
    """One query a kind, each a seek in the index of review dates."""

    name, heading, order = "reviews-due", "该审核了", 110
    empty = "30 天内没有要审核的内容。"

    def rows(self):
        today = timezone.localdate()
        due = []
        for model in entry_models():
            if may(self.user, "change", model):
                found = model.objects.public().filter(review_due__lte=today + DUE_SOON)
                due += found.defer(*heavy_fields(model)).order_by("review_due")[:HOME_ROWS]
        due.sort(key=lambda entry: entry.review_due)
        return [
            {
                "url": _edit_url(entry),
                "title": entry.title,
                "kind": entry._meta.verbose_name,
                "late": entry.review_due < today,
                "note": f"{entry.review_due:%Y-%m-%d}{' 已过期' if entry.review_due < today else ''}",
            }
            for entry in due[:HOME_ROWS]
        ]


class Drafts(HomePanel):
    """Two queries and one a kind that has drafts."""

    name, heading, order = "drafts", "没有发布的改动", 120
    empty = "没有放着没发布的草稿。"

    def rows(self):
        newest = Revision.objects.order_by("-pk").values_list("content_type__model", "object_id", "created_at")
        edited: dict[str, dict[str, object]] = {}
        for kind, pk, moment in newest[:REVISIONS_LOOKED_AT]:
            edited.setdefault(kind, {}).setdefault(pk, moment)
        drafts = []
        for model in publishable_models():
            moments = edited.get(model._meta.model_name)
            if not moments or not may(self.user, "change", model):
                continue
            found = model.objects.filter(pk__in=list(moments), has_unpublished_changes=True)
            if model._meta.model_name == "answer":
                found = found.select_related("question")
            drafts += [(moments[str(draft.pk)], draft) for draft in found.defer(*heavy_fields(model))]
        drafts.sort(key=lambda pair: pair[0], reverse=True)
        return [
            {
                "url": _edit_url(draft),
                "title": draft.title,
                "kind": draft._meta.verbose_name,
                "late": False,
                "note": f"{timezone.localtime(moment):%Y-%m-%d %H:%M}",
            }
            for moment, draft in drafts[:HOME_ROWS]
        ]


class Refused(HomePanel):
    """One query and one for each refusal that may still stand."""

    name, heading, order = "refused", "到时没有公开", 115
    empty = "该公开的都公开了。"

    def rows(self):
        refused = ModelLogEntry.objects.filter(action=REFUSED).order_by("-timestamp").select_related("content_type")
        shown: dict[tuple, dict] = {}
        for entry in refused[:REFUSALS_LOOKED_AT]:
            model = entry.content_type.model_class()
            if model is None or (model, entry.object_id) in shown or not may(self.user, "change", model):
                continue
            # a newer version is an editor's answer to it
            stands = model.objects.filter(
                pk=entry.object_id, latest_revision=entry.revision_id, has_unpublished_changes=True
            )
            if content := stands.defer(*heavy_fields(model)).first():
                shown[model, entry.object_id] = {
                    "url": _edit_url(content),
                    "title": content.title,
                    "kind": content._meta.verbose_name,
                    "late": True,
                    "note": "".join(entry.data["faults"]),
                }
        return list(shown.values())[:HOME_ROWS]


@hooks.register("register_log_actions")
def say_refusals(actions):
    @actions.register_action(REFUSED)
    class RefusedFormatter(LogFormatter):
        label = "没有公开"

        def format_message(self, log_entry):
            return "到了公开的时候，没有公开：" + "".join(log_entry.data["faults"])


class OpenReports(HomePanel):
    """One query."""

    name, heading, order = "reports", "读者指出的错误", 130
    empty = "读者指出的错误都处理完了。"

    def rows(self):
        if not may(self.user, "change", ErrorReport):
            return []
        return [
            {
                "url": _edit_url(report),
                "title": report.text[:60],
                "kind": report.page,
                "late": False,
                "note": f"{timezone.localtime(report.created):%Y-%m-%d %H:%M}",
            }
            for report in ErrorReport.objects.filter(handled=False).order_by("-created")[:HOME_ROWS]
        ]


class WriteLinks(Component):
    template_name = "yidian_admin/write_links.html"
    name, order = "write", 100

    def get_context_data(self, parent_context):
        user = parent_context["request"].user
        kinds = ("condition", "article", "question", "answer", "guide", "source", "correction")
        by_kind = {model.kind: model for model in publishable_models()}
        return {
            "links": [
                (by_kind[kind]._meta.verbose_name, reverse(by_kind[kind].snippet_viewset.get_url_name("add")))
                for kind in kinds
                if may(user, "add", by_kind[kind])
            ]
        }


@hooks.register("construct_homepage_panels")
def show_what_waits(request, panels):
    of_pages = (RecentEditsPanel, LockedPagesPanel)
    panels[:] = [panel for panel in panels if not isinstance(panel, of_pages)]
    panels += [WriteLinks(), *(panel(request.user) for panel in (ReviewsDue, Refused, Drafts, OpenReports))]


class ContentSearchArea(SearchArea):
    def __init__(self, model, order: int):
        self.model = model
        super().__init__(
            model._meta.verbose_name,
            reverse(model.snippet_viewset.get_url_name("list")),
            name=model.kind,
            icon_name=model.snippet_viewset.icon,
            order=order,
        )

    def is_shown(self, request):
        return may(request.user, "change", self.model)


def _register_search(kind: str, order: int) -> None:
    @hooks.register("register_admin_search_area")
    def search_area():
        model = next(model for model in publishable_models() if model.kind == kind)
        return ContentSearchArea(model, order)


# The first is where the menu's own search box leads.
for _order, _kind in enumerate(("condition", "article", "question", "guide", "physician", "source")):
    _register_search(_kind, _order)


@hooks.register("construct_search")
def leave_out_searches(request, search_areas):
    unused = {"pages", "documents"}
    search_areas[:] = [area for area in search_areas if area.name not in unused]


@hooks.register("register_rich_text_features", order=10)
def link_to_addresses_only(features):
    """Links lead to an address: a path of this site or another site; there are no pages, mail or phone links."""
    chooser = reverse_lazy("wagtailadmin_choose_page_external_link")
    features.register_editor_plugin(
        "draftail",
        "link",
        EntityFeature(
            {
                "type": "LINK",
                "icon": "link",
                "description": "链接",
                "attributes": ["url"],
                "allowlist": {"href": "^(http:|https:|/[^/]|undefined$)"},
                "chooserUrls": {"pageChooser": chooser, "externalLinkChooser": chooser},
            },
            js=["wagtailadmin/js/page-chooser-modal.js"],
        ),
    )


@hooks.register("insert_global_admin_css")
def admin_css():
    return format_html('<link rel="stylesheet" href="{}">', versioned_static("yidian_admin/admin.css"))
