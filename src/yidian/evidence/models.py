"""The evidence ledger: sources, and the claims that rest on them with GRADE certainty."""

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.fields import ParentalManyToManyField

from yidian.publication.models import Publishable


class Basis(models.TextChoices):
    SOURCED = "sourced", "读过原文或摘要"
    GENERAL_KNOWLEDGE = "general_knowledge", "一般医学常识，出处待查"


class Source(Publishable):
    """A publication that claims rest on (ScholarlyArticle, MedicalGuideline; FHIR Citation)."""

    kind = "source"
    section = "sources"
    searchable = False

    class Kind(models.TextChoices):
        SYSTEMATIC_REVIEW = "systematic_review", "系统综述"
        RANDOMIZED_TRIAL = "randomized_trial", "随机对照试验"
        OBSERVATIONAL_STUDY = "observational_study", "观察性研究"
        GUIDELINE = "guideline", "指南"
        REGULATOR = "regulator", "监管机构"
        HEALTH_SERVICE = "health_service", "公共卫生机构"
        REVIEW = "review", "综述"
        CONSENSUS = "consensus", "专家共识"
        BOOK = "book", "图书"

    source_kind = models.CharField("类别", max_length=30, choices=Kind.choices)
    name = models.CharField("标题", max_length=500)
    authors = models.CharField("作者", max_length=500, blank=True)
    publisher = models.CharField("期刊或发布机构", max_length=300, blank=True)
    date_published = models.CharField("发表日期", max_length=10, blank=True, help_text="年份，或 年-月-日。")
    doi = models.CharField("DOI", max_length=200, blank=True)
    pmid = models.CharField("PMID", max_length=20, blank=True)
    isbn = models.CharField("ISBN", max_length=20, blank=True)
    document_number = models.CharField("文号", max_length=100, blank=True)
    url = models.URLField("网址", max_length=500, blank=True)
    locator = models.CharField("页码或章节", max_length=200, blank=True)
    access_date = models.DateField("查阅日期", null=True, blank=True)
    no_identifier_reason = models.CharField("没有编号的原因", max_length=300, blank=True)
    basis = models.CharField("依据", max_length=30, choices=Basis.choices, default=Basis.SOURCED)
    note = models.TextField("备注", max_length=1000, blank=True)
    superseded_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="supersedes", verbose_name="被取代于"
    )

    claims_at_deletion: list[str] | None = None

    class Meta:
        verbose_name = verbose_name_plural = "出处"
        ordering = ["slug"]

    def clean(self):
        super().clean()
        identifiers = (self.doi, self.pmid, self.isbn, self.document_number, self.url)
        if not any(identifiers) and not self.no_identifier_reason:
            raise ValidationError(
                {"no_identifier_reason": "请填 DOI、PMID、ISBN、文号或网址中的一项；都没有时，在这里写明原因。"}
            )

    def references(self) -> list[str]:
        # a claim's card says whether it has a source, on pages that do not cite the source themselves
        return [*super().references(), *self.claim_keys()]

    def claim_keys(self) -> list[str]:
        """The claims that rest on it, or rested on it when it was deleted."""
        if self.claims_at_deletion is not None:
            return self.claims_at_deletion
        return [f"claim:{slug}" for slug in self.claims.values_list("slug", flat=True)]

    def purge_keys(self) -> list[str]:
        return [f"source:{self.slug}", *self.claim_keys()]


class Verdict(models.TextChoices):
    """What may be done on the strength of a claim."""

    SUPPORTED = "supported", "证据支持"
    CONTRADICTED = "contradicted", "证据反对"
    UNSUPPORTED = "unsupported", "没有证据支持"


class Claim(Publishable):
    """One checkable statement with its population, direction, GRADE certainty and sources."""

    kind = "claim"
    section = "claims"
    searchable = False

    class Direction(models.TextChoices):
        SUPPORTS = "supports", "支持"
        CONTRADICTS = "contradicts", "反对"
        UNCLEAR = "unclear", "不清楚"

    class Certainty(models.TextChoices):
        """GRADE certainty of evidence (Guyatt 2008, BMJ 336:924)."""

        HIGH = "high", "高"
        MODERATE = "moderate", "中等"
        LOW = "low", "低"
        VERY_LOW = "very_low", "很低"

    name = models.CharField("主张", max_length=200, help_text="一个问题，加一句回答。")
    summary = models.CharField("一句话的理由", max_length=300, blank=True)
    population = models.CharField("人群", max_length=200, blank=True)
    intervention = models.CharField("做法", max_length=200, blank=True)
    outcome = models.CharField("结果", max_length=300, blank=True)
    direction = models.CharField("方向", max_length=20, choices=Direction.choices)
    certainty = models.CharField("把握", max_length=20, choices=Certainty.choices)
    sources = ParentalManyToManyField(Source, blank=True, related_name="claims", verbose_name="出处")
    basis = models.CharField("依据", max_length=30, choices=Basis.choices, default=Basis.SOURCED)

    class Meta:
        verbose_name = verbose_name_plural = "主张"
        ordering = ["slug"]

    @property
    def verdict(self) -> Verdict:
        """Whether evidence carries it; a claim that is unclear, withdrawn or without a public source is unsupported."""
        return verdict(self.direction, sourced=self.live and any(source.live for source in self.sources.all()))

    def purge_keys(self) -> list[str]:
        return [f"claim:{self.slug}", "list:claims"]


def verdict(direction: str, *, sourced: bool) -> Verdict:
    """The verdict on a claim of this direction that has, or has not, a public source."""
    if direction == Claim.Direction.CONTRADICTS:
        return Verdict.CONTRADICTED
    return Verdict.SUPPORTED if direction == Claim.Direction.SUPPORTS and sourced else Verdict.UNSUPPORTED


class Appearance(models.Model):
    """Where a source, claim, picture or hard word stands in public text: derived at publish, rebuilt by reindex."""

    content_kind = models.CharField(max_length=30)
    content_id = models.BigIntegerField()
    reference = models.CharField(max_length=140)  # "source:<slug>", "claim:<slug>", "population:<slug>" …

    class Meta:
        indexes = [models.Index(fields=["content_kind", "content_id"]), models.Index(fields=["reference"])]

    def __str__(self) -> str:
        return f"{self.content_kind} {self.content_id}: {self.reference}"
