"""The evidence ledger in the editors' admin."""

from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from yidian.evidence.models import Claim, Source
from yidian.publication.admin import ChooseMany, ContentFilterSet, ContentViewSet, address_panels


class SourceFilterSet(ContentFilterSet):
    class Meta:
        model = Source
        fields = ["status", "source_kind", "basis"]


class SourceViewSet(ContentViewSet):
    model = Source
    icon = "link-external"
    columns = ("slug", "source_kind", "date_published")
    search_fields = ["name", "slug", "authors", "doi", "pmid"]
    filterset_class = SourceFilterSet
    tabs = (
        (
            "内容",
            [
                FieldPanel("name"),
                FieldPanel("source_kind"),
                FieldPanel("authors"),
                FieldPanel("publisher"),
                FieldRowPanel([FieldPanel("date_published"), FieldPanel("access_date")]),
                MultiFieldPanel(
                    [
                        FieldRowPanel([FieldPanel("doi"), FieldPanel("pmid")]),
                        FieldRowPanel([FieldPanel("isbn"), FieldPanel("document_number")]),
                        FieldPanel("url"),
                        FieldPanel("no_identifier_reason"),
                    ],
                    heading="编号与网址",
                    help_text="至少填一项，读者才能找到原文。",
                ),
                FieldPanel("locator"),
                FieldPanel("basis"),
                FieldPanel("superseded_by"),
                FieldPanel("note"),
            ],
        ),
        ("网址与发布", address_panels()),
    )


class ClaimFilterSet(ContentFilterSet):
    class Meta:
        model = Claim
        fields = ["status", "certainty", "direction", "basis"]


class ClaimViewSet(ContentViewSet):
    model = Claim
    icon = "check"
    columns = ("direction", "certainty")
    filterset_class = ClaimFilterSet
    tabs = (
        (
            "内容",
            [
                FieldPanel("name"),
                FieldPanel("summary"),
                FieldRowPanel([FieldPanel("direction"), FieldPanel("certainty")]),
                FieldPanel("population"),
                FieldPanel("intervention"),
                FieldPanel("outcome"),
                FieldPanel("sources", widget=ChooseMany(Source)),
                FieldPanel("basis"),
            ],
        ),
        ("网址与发布", address_panels()),
    )


class EvidenceGroup(SnippetViewSetGroup):
    items = (SourceViewSet, ClaimViewSet)
    menu_label = "证据"
    menu_name = "evidence"
    menu_icon = "clipboard-list"
    menu_order = 120


register_snippet(EvidenceGroup)
