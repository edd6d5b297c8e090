"""Vocabulary in the editors' admin."""

from wagtail.admin.panels import FieldPanel
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from yidian.publication.admin import ContentFilterSet, ContentViewSet, address_panels, with_names
from yidian.terms.models import BodyPart, GlossaryTerm, Population, SynonymGroup

NAMES = [FieldPanel("name"), FieldPanel("alternate_names"), FieldPanel("description")]


class BodyPartViewSet(ContentViewSet):
    model = BodyPart
    icon = "user"
    columns = ("region", "broader")
    tabs = (
        ("内容", [*NAMES, FieldPanel("region"), FieldPanel("broader")]),
        ("网址与发布", address_panels()),
    )

    def get_queryset(self, request):
        return with_names(super().get_queryset(request), "broader")


class PopulationViewSet(ContentViewSet):
    model = Population
    icon = "group"
    tabs = (("内容", NAMES), ("网址与发布", address_panels()))


class GlossaryTermViewSet(ContentViewSet):
    model = GlossaryTerm
    icon = "help"
    columns = ("definition",)
    tabs = (
        ("内容", [FieldPanel("name"), FieldPanel("definition"), FieldPanel("alternate_names")]),
        ("网址与发布", address_panels()),
    )


class SynonymGroupFilterSet(ContentFilterSet):
    class Meta:
        model = SynonymGroup
        fields = ["status", "category"]


class SynonymGroupViewSet(ContentViewSet):
    model = SynonymGroup
    icon = "link"
    columns = ("category",)
    search_fields = ["name", "alternate_names", "descriptions", "slug"]
    filterset_class = SynonymGroupFilterSet
    tabs = (
        (
            "内容",
            [
                FieldPanel("name"),
                FieldPanel("alternate_names"),
                FieldPanel("descriptions"),
                FieldPanel("category"),
                FieldPanel("broader"),
                FieldPanel("note"),
            ],
        ),
        ("网址与发布", address_panels()),
    )


class TermsGroup(SnippetViewSetGroup):
    items = (BodyPartViewSet, PopulationViewSet, GlossaryTermViewSet, SynonymGroupViewSet)
    menu_label = "词汇"
    menu_name = "terms"
    menu_icon = "tag"
    menu_order = 140


register_snippet(TermsGroup)
