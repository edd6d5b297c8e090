"""Conditions, articles and action guides in the editors' admin."""

from wagtail.admin.panels import FieldPanel, FieldRowPanel, InlinePanel
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from yidian.editorial.admin import EntryFilterSet, EntryViewSet, entry_tabs
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.publication.admin import ChooseMany, chooser_filter, with_names

RELATED = FieldPanel("related", widget=ChooseMany(Condition))


class ConditionFilterSet(EntryFilterSet):
    broader = chooser_filter("上级病症", Condition)

    class Meta:
        model = Condition
        fields = ["status", "review", "condition_kind", "broader"]


class ConditionViewSet(EntryViewSet):
    model = Condition
    icon = "doc-full"
    columns = ("condition_kind",)
    search_fields = ["name", "slug", "alternate_names"]
    filterset_class = ConditionFilterSet
    tabs = entry_tabs(
        [FieldPanel("condition_kind"), FieldPanel("modules")],
        [
            FieldPanel("broader"),
            RELATED,
            InlinePanel(
                "codes",
                heading="编码",
                label="一个编码",
                panels=[FieldRowPanel([FieldPanel("system"), FieldPanel("value")])],
            ),
        ],
    )


class _AboutFilterSet(EntryFilterSet):
    about = chooser_filter("关于哪个病症", Condition)


class ArticleFilterSet(_AboutFilterSet):
    class Meta:
        model = Article
        fields = ["status", "review", "about"]


class ArticleViewSet(EntryViewSet):
    model = Article
    icon = "openquote"
    columns = ("about",)
    filterset_class = ArticleFilterSet
    tabs = entry_tabs([FieldPanel("modules")], [FieldPanel("about"), RELATED, FieldPanel("keywords")])

    def get_queryset(self, request):
        return with_names(super().get_queryset(request), "about")


class ActionGuideFilterSet(_AboutFilterSet):
    class Meta:
        model = ActionGuide
        fields = ["status", "review", "about"]


class ActionGuideViewSet(EntryViewSet):
    model = ActionGuide
    icon = "tasks"
    columns = ("about",)
    filterset_class = ActionGuideFilterSet
    tabs = entry_tabs(
        [
            FieldPanel("contraindications"),
            FieldPanel("supplies"),
            FieldPanel("phases"),
            FieldPanel("stop_conditions"),
            FieldPanel("do"),
            FieldPanel("dont"),
        ],
        [FieldPanel("about"), RELATED],
    )

    def get_queryset(self, request):
        return with_names(super().get_queryset(request), "about")


class EncyclopediaGroup(SnippetViewSetGroup):
    items = (ConditionViewSet, ArticleViewSet, ActionGuideViewSet)
    menu_label = "百科"
    menu_name = "encyclopedia"
    menu_icon = "doc-full-inverse"
    menu_order = 100


register_snippet(EncyclopediaGroup)
