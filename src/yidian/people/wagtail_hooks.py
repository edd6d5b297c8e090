"""Doctors, hospitals and departments in the editors' admin."""

from wagtail.admin.panels import FieldPanel, FieldRowPanel, InlinePanel, MultiFieldPanel
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from yidian.people.models import Department, Hospital, Physician
from yidian.publication.admin import (
    ContentFilterSet,
    ContentViewSet,
    address_panels,
    chooser_filter,
    with_names,
)


class PhysicianFilterSet(ContentFilterSet):
    hospital = chooser_filter("医院", Hospital)
    department = chooser_filter("科室", Department)

    class Meta:
        model = Physician
        fields = ["status", "hospital", "department", "demonstration"]


class PhysicianViewSet(ContentViewSet):
    model = Physician
    icon = "user"
    columns = ("job_title", "hospital", "department")
    filterset_class = PhysicianFilterSet
    tabs = (
        (
            "内容",
            [
                FieldPanel("name"),
                FieldPanel("job_title"),
                FieldPanel("hospital"),
                FieldPanel("department"),
                FieldPanel("description"),
                FieldPanel("knows_about"),
                FieldPanel("conflict_of_interest"),
                FieldPanel("demonstration"),
            ],
        ),
        (
            "资质",
            [
                InlinePanel(
                    "credentials",
                    heading="资质",
                    label="一项资质",
                    help_text="向发证机构查证过的资质。查证人和查证日期都填上，页面才会显示“已查证”。",
                    panels=[
                        FieldPanel("category"),
                        FieldPanel("recognized_by"),
                        FieldRowPanel([FieldPanel("valid_from"), FieldPanel("expires")]),
                        FieldRowPanel([FieldPanel("verified_by"), FieldPanel("verified_on")]),
                    ],
                )
            ],
        ),
        ("网址与发布", address_panels()),
    )

    def get_queryset(self, request):
        return with_names(super().get_queryset(request), "hospital", "department")


class HospitalFilterSet(ContentFilterSet):
    class Meta:
        model = Hospital
        fields = ["status", "demonstration"]


class HospitalViewSet(ContentViewSet):
    model = Hospital
    icon = "home"
    columns = ("hospital_grade", "region")
    filterset_class = HospitalFilterSet
    tabs = (
        (
            "内容",
            [
                FieldPanel("name"),
                FieldPanel("alternate_names"),
                FieldPanel("region"),
                FieldPanel("description"),
                MultiFieldPanel(
                    [FieldPanel("hospital_grade"), FieldPanel("grade_source"), FieldPanel("grade_as_of")],
                    heading="等级与出处",
                ),
                FieldPanel("demonstration"),
            ],
        ),
        ("网址与发布", address_panels()),
    )


class DepartmentViewSet(ContentViewSet):
    model = Department
    icon = "folder-open-inverse"
    tabs = (
        ("内容", [FieldPanel("name"), FieldPanel("alternate_names"), FieldPanel("description")]),
        ("网址与发布", address_panels()),
    )


class PeopleGroup(SnippetViewSetGroup):
    items = (PhysicianViewSet, HospitalViewSet, DepartmentViewSet)
    menu_label = "人物与机构"
    menu_name = "people"
    menu_icon = "group"
    menu_order = 130


register_snippet(PeopleGroup)
