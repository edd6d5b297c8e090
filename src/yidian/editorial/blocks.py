"""The blocks that an entry's body is made of: the same closed set that the bundle carries."""

from django.core.exceptions import ValidationError
from django.db import models
from wagtail import blocks
from wagtail.images.blocks import ImageChooserBlock
from wagtail.snippets.blocks import SnippetChooserBlock

from yidian.evidence.models import Source
from yidian.publication.richtext import FEATURES, citations, clean_html, clean_text

# A step's or a question's name inside its guide; beside a radio button's name in a form, never in an address.
KEY, MAX_KEY = r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z", 40
CITATION_HELP = "引用出处：在句号前写 [^出处的网址拼音]，例如 [^cochrane-2020-magnesium]。"


class HealthAspect(models.TextChoices):
    """schema.org HealthAspectEnumeration, in the order a reader meets them."""

    OVERVIEW = "overview", "概述"
    SYMPTOMS = "symptoms", "症状"
    CAUSES = "causes", "原因"
    RISK_FACTORS = "risk_factors", "哪些人容易得"
    DIAGNOSIS = "diagnosis", "检查与诊断"
    TREATMENT = "treatment", "治疗"
    SELF_CARE = "self_care", "自我护理"
    PREVENTION = "prevention", "预防"
    PROGNOSIS = "prognosis", "会怎样发展"
    LIVING_WITH = "living_with", "日常生活"
    SEE_DOCTOR = "see_doctor", "什么时候看医生"
    SPECIAL_POPULATIONS = "special_populations", "特殊人群"
    EVIDENCE = "evidence", "证据"


class CareLevel(models.TextChoices):
    """How soon to get help, most urgent first."""

    EMERGENCY_CALL = "emergency_call", "立即拨打 120"
    EMERGENCY = "emergency", "立即去急诊"
    SAME_DAY = "same_day", "今天就去看医生"
    APPOINTMENT = "appointment", "约时间看医生"
    SELF_CARE = "self_care", "自己可以做的"


class Phase(models.TextChoices):
    NOW = "now", "现在做"
    TODAY = "today", "今天做"
    TWO_WEEKS = "two_weeks", "两周内"
    ESCALATE = "escalate", "什么时候要求助"


def items_of(raw: list | None) -> list:
    """The values of a raw ListBlock, with the ids that Wagtail stores around them or without."""
    return [item["value"] if isinstance(item, dict) and item.get("type") == "item" else item for item in raw or []]


def check_citations(text: str) -> None:
    """Raises ValidationError when a text cites a source that does not exist."""
    cited = citations(text)
    known = set(Source.objects.filter(slug__in=cited).values_list("slug", flat=True)) if cited else set()
    if missing := [slug for slug in cited if slug not in known]:
        raise ValidationError(f"没有这个出处：{'、'.join(missing)}。请先在“证据 › 出处”里添加，或改正拼写。")


class CitingCharBlock(blocks.CharBlock):
    """One line of plain text that may cite sources."""

    def clean(self, value):
        value = super().clean(value)
        check_citations(value)
        return value

    def get_prep_value(self, value):
        return clean_text(super().get_prep_value(value) or "")


class TextBlock(blocks.RichTextBlock):
    """Rich text of the closed subset; whatever else is pasted in is dropped at the gate."""

    def __init__(self, **kwargs):
        kwargs.setdefault("label", "文字")
        kwargs.setdefault("help_text", CITATION_HELP)
        super().__init__(features=FEATURES, **kwargs)

    def clean(self, value):
        value = super().clean(value)
        check_citations(value.source)
        return value

    def get_prep_value(self, value):
        return clean_html(super().get_prep_value(value) or "")


class PictureBlock(blocks.StructBlock):
    image = ImageChooserBlock(label="图片")
    alt = blocks.CharBlock(label="替代文字", max_length=300, help_text="看不见图的人会听到这句话：说清楚图里有什么。")
    caption = blocks.CharBlock(label="图注", max_length=200, required=False)

    class Meta:
        label = "图片"
        icon = "image"


class StepPictureBlock(PictureBlock):
    """A picture that a step may have or not: StructBlock asks for its fields even where it is not required itself."""

    image = ImageChooserBlock(label="图片", required=False)
    alt = blocks.CharBlock(
        label="替代文字",
        max_length=300,
        required=False,
        help_text="有图就要写。看不见图的人会听到这句话：说清楚图里有什么。",
    )

    def clean(self, value):
        value = super().clean(value)
        if value["image"] and not value["alt"]:
            raise blocks.StructBlockValidationError({"alt": ValidationError("请写替代文字：说清楚图里有什么。")})
        return value


class PopulationBlock(blocks.StructBlock):
    population = SnippetChooserBlock("terms.Population", label="人群")
    text = TextBlock()

    class Meta:
        label = "给某一类人的建议"
        icon = "group"


class BodyBlock(blocks.StreamBlock):
    """What stands inside a module or an answer."""

    text = TextBlock()
    claim = SnippetChooserBlock("evidence.Claim", label="主张", icon="check")
    population = PopulationBlock()
    picture = PictureBlock()


class ModuleBlock(blocks.StructBlock):
    """One part of an entry, by health aspect (schema.org HealthTopicContent)."""

    health_aspect = blocks.ChoiceBlock(choices=HealthAspect.choices, label="方面")
    headline = blocks.CharBlock(label="小标题", max_length=100)
    body = BodyBlock(label="内容")

    class Meta:
        label = "一节"
        icon = "doc-full"


class CareAdviceBlock(blocks.StructBlock):
    level = blocks.ChoiceBlock(choices=CareLevel.choices, label="多快")
    heading = blocks.CharBlock(label="标题", max_length=60, help_text="写清动作和时间，例如“立即拨打 120，如果”。")
    items = blocks.ListBlock(CitingCharBlock(max_length=200, label="一条"), label="条目", min_num=1)

    class Meta:
        label = "就医建议"
        icon = "warning"


class KeyBlock(blocks.RegexBlock):
    """A short name inside one guide, by which its other parts refer to it."""

    def __init__(self, **kwargs):
        made = {"regex": KEY, "max_length": MAX_KEY, "error_messages": {"invalid": "只用小写字母、数字和短横线。"}}
        super().__init__(**made | kwargs)


class StepBlock(blocks.StructBlock):
    key = KeyBlock(
        label="编号", required=False, help_text="“先回答几个问题”用它说去掉哪一步，例如 lashen。定了就不要改。"
    )
    name = blocks.CharBlock(label="做什么", max_length=100)
    text = TextBlock(required=False)
    claims = blocks.ListBlock(
        SnippetChooserBlock("evidence.Claim", label="主张"),
        label="依据的主张",
        default=[],
        help_text="这一步靠它们成立。证据反对或不支持的主张不能放；劝人不要做的，在文字里引用出处。",
    )
    seconds = blocks.IntegerBlock(label="计时（秒）", required=False, min_value=1, max_value=3600)
    picture = StepPictureBlock(required=False)

    class Meta:
        label = "一步"
        icon = "order"


class ContraindicationBlock(blocks.StructBlock):
    """Who must not do some steps: a question that the reader can say yes to, and what to do instead."""

    key = KeyBlock(label="编号", help_text="例如 huafalin。定了就不要改。")
    question = blocks.CharBlock(
        label="问读者什么", max_length=100, help_text="能答“是”的一句话，例如“您正在吃华法林吗？”。答“不确定”按“是”算。"
    )
    removes = blocks.ListBlock(KeyBlock(label="步骤的编号"), label="去掉哪些步骤", min_num=1)
    instead = CitingCharBlock(
        label="改成告诉读者什么", max_length=200, help_text="不要做什么，改做什么。要引用出处：[^出处的网址拼音]。"
    )
    answered_by = blocks.ListBlock(
        blocks.CharBlock(label="自测的一题", max_length=140),
        label="哪些自测的题已经问过",
        default=[],
        help_text="写成 自测/题号，例如 yejian-tuichoujin/one-leg-swollen。那一题答“是”就是这里答“是”。",
    )

    class Meta:
        label = "一个问题"
        icon = "help"

    def clean(self, value):
        value = super().clean(value)
        if not citations(value["instead"]):
            raise blocks.StructBlockValidationError({"instead": ValidationError("请引用出处：[^出处的网址拼音]。")})
        return value


class PhaseBlock(blocks.StructBlock):
    phase = blocks.ChoiceBlock(choices=Phase.choices, label="阶段")
    headline = blocks.CharBlock(label="小标题", max_length=100)
    steps = blocks.ListBlock(StepBlock(), label="步骤", min_num=1)

    class Meta:
        label = "阶段"
        icon = "history"
