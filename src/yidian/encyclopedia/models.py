"""Conditions, articles and action guides."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from wagtail.fields import StreamField

from yidian.editorial.blocks import ContraindicationBlock, ModuleBlock, PhaseBlock
from yidian.editorial.models import Entry
from yidian.evidence.models import Claim, Verdict
from yidian.zh.pinyin import index_letter

# A reader in pain answers a screen of questions, not a questionnaire.
MAX_CONTRAINDICATIONS = 8
ONE_A_LINE = "每行一条，可以引用出处：[^出处的网址拼音]。"


class Condition(Entry):
    """A disease or a symptom (MedicalCondition, MedicalSignOrSymptom)."""

    kind = "condition"
    section = "conditions"
    listed_by = ("broader",)

    class Kind(models.TextChoices):
        DISEASE = "disease", "疾病"
        SYMPTOM = "symptom", "症状"

    index_letter = models.CharField(max_length=1, default="#", editable=False, db_index=True)
    condition_kind = models.CharField("类别", max_length=20, choices=Kind.choices)
    modules = StreamField([("module", ModuleBlock())], blank=True, verbose_name="正文")
    broader = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="narrower", verbose_name="上级病症"
    )
    related = ParentalManyToManyField("self", blank=True, symmetrical=False, verbose_name="相关病症")

    class Meta:
        verbose_name = verbose_name_plural = "病症"
        ordering = ["slug"]

    def save(self, *args, **kwargs):
        self.index_letter = index_letter(self.name)
        super().save(*args, **kwargs)


class MedicalCode(models.Model):
    """A condition's code in a public coding system."""

    class System(models.TextChoices):
        ICD10 = "ICD-10", "ICD-10"
        ICD11 = "ICD-11", "ICD-11"
        MESH = "MeSH", "MeSH"

    condition = ParentalKey(Condition, on_delete=models.CASCADE, related_name="codes")
    system = models.CharField("编码系统", max_length=20, choices=System.choices)
    value = models.CharField("编码", max_length=30)

    class Meta:
        verbose_name = verbose_name_plural = "编码"
        ordering = ["pk"]
        indexes = [models.Index(fields=["system", "value"])]
        constraints = [models.UniqueConstraint(fields=["condition", "system", "value"], name="a_code_once")]

    def __str__(self) -> str:
        return f"{self.system} {self.value}"


class Article(Entry):
    """An article that answers one question at length (MedicalWebPage)."""

    kind = "article"
    section = "articles"
    listed_by = ("about",)

    about = models.ForeignKey(
        Condition,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="articles",
        verbose_name="关于哪个病症",
    )
    modules = StreamField([("module", ModuleBlock())], blank=True, verbose_name="正文")
    keywords = models.TextField("关键词", blank=True, help_text="每行一个。")
    related = ParentalManyToManyField(
        Condition, blank=True, related_name="touched_by_articles", verbose_name="还涉及哪些病症"
    )

    class Meta:
        verbose_name = verbose_name_plural = "文章"
        ordering = ["-date_published", "-pk"]
        indexes = [
            models.Index(
                fields=["about", "date_published", "id"], condition=models.Q(live=True), name="article_public_about"
            )
        ]


class ActionGuide(Entry):
    """What to do now, today and in two weeks, and when to get help (HowTo, FHIR PlanDefinition)."""

    kind = "guide"
    section = "guides"
    gated = True
    listed_by = ("about",)
    citing_fields = ("do", "dont", "stop_conditions")

    about = models.ForeignKey(
        Condition, models.SET_NULL, null=True, blank=True, related_name="guides", verbose_name="关于哪个病症"
    )
    supplies = models.TextField("要用到什么", blank=True, help_text="每行一样，例如：毛巾。读者先拿好再开始。")
    phases = StreamField([("phase", PhaseBlock())], blank=True, verbose_name="步骤")
    do = models.TextField("要做", blank=True, help_text=ONE_A_LINE)
    dont = models.TextField("不要做", blank=True, help_text=ONE_A_LINE + "每条都以“不要”开头。")
    stop_conditions = models.TextField("什么时候停下", blank=True, help_text=ONE_A_LINE)
    contraindications = StreamField(
        [("contraindication", ContraindicationBlock())],
        blank=True,
        max_num=MAX_CONTRAINDICATIONS,
        verbose_name="先回答几个问题",
        help_text="哪些人不要做哪几步。读者答“是”或“不确定”，那几步就不显示。",
    )
    related = ParentalManyToManyField(
        Condition, blank=True, related_name="touched_by_guides", verbose_name="还涉及哪些病症"
    )

    class Meta:
        verbose_name = verbose_name_plural = "行动指南"
        ordering = ["slug"]
        indexes = [
            models.Index(
                fields=["about", "date_published", "id"], condition=models.Q(live=True), name="guide_public_about"
            )
        ]

    def clean_fields(self, exclude=None):
        super().clean_fields(exclude=exclude)
        steps = [step["key"] for step in self.steps() if step["key"]]
        asked = [block.value["key"] for block in self.contraindications]
        unknown = dict.fromkeys(
            key for each in self.contraindications for key in each.value["removes"] if key not in steps
        )
        faults = {}
        if twice := sorted({key for key in steps if steps.count(key) > 1}):
            faults["phases"] = f"步骤的编号 {'、'.join(twice)} 用了两次，请换一个。"
        if unknown:
            faults["contraindications"] = f"没有编号是 {'、'.join(unknown)} 的步骤：请改正拼写，或给那一步写上编号。"
        elif twice := sorted({key for key in asked if asked.count(key) > 1}):
            faults["contraindications"] = f"编号 {'、'.join(twice)} 用了两次，请换一个。"
        if faults:
            raise ValidationError(faults)

    def condition_ids(self) -> list[int]:
        # the page of a condition also lists the guides about its narrower forms
        about = super().condition_ids()
        broader = Condition.objects.filter(narrower__in=about).values_list("pk", flat=True) if about else ()
        return [*about, *broader]

    def steps(self) -> Iterable:
        """The values of the guide's steps in the order of reading."""
        return (step for phase in self.phases for step in phase.value["steps"])

    def publication_faults(self) -> dict[str, list[str]]:
        chosen = dict.fromkeys((step["name"], claim.pk) for step in self.steps() for claim in step["claims"] if claim)
        # read afresh: a block may hold the claim as it was when the form was opened
        claims = Claim.objects.prefetch_related("sources").in_bulk({pk for _, pk in chosen})
        faults = [
            step_fault(name, claim.slug, claim.name, claim.verdict)
            for name, pk in chosen
            if (claim := claims.get(pk)) and claim.verdict != Verdict.SUPPORTED
        ]
        deleted = dict.fromkeys(step["name"] for step in self.steps() if not all(step["claims"]))
        faults += [f"步骤“{name}”依据的主张已经删除。请改掉这一步，或换一条有证据支持的主张。" for name in deleted]
        return {"phases": faults} if faults else {}


def withheld_steps() -> Iterable[tuple[str, str]]:
    """Slugs of public guides with what is wrong with each step whose claim has fallen; two queries a guide."""
    for guide in ActionGuide.objects.public().order_by("slug"):
        for fault in guide.publication_faults().get("phases", []):
            yield guide.slug, fault


def step_fault(step: str, slug: str, text: str, verdict: Verdict) -> str:
    """What is said of a step that rests on a claim which does not carry it."""
    return (
        f"步骤“{step}”依据的主张 {slug}（{text}）现在是“{verdict.label}”，不能照着做。"
        "请改掉或删去这一步，换一条有证据支持的主张；劝人不要做的，不放主张，在文字里引用出处。"
    )
