"""Entry, the abstract base of everything that is written and reviewed, and what belongs to editing it."""

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from modelcluster.fields import ParentalManyToManyField
from wagtail.fields import StreamField
from wagtail.images.models import AbstractImage, AbstractRendition

from yidian.editorial.blocks import CareAdviceBlock, check_citations
from yidian.editorial.illustrations import check_svg
from yidian.people.models import Department, Physician
from yidian.publication.models import Publishable
from yidian.publication.richtext import is_local_path
from yidian.terms.models import ALTERNATE_NAMES_HELP, BodyPart, Population

# More cards than this and none of them is read (nhsuk service manual: few cards, self-contained).
MAX_CARE_CARDS = 5


class Illustration(AbstractImage):
    """A picture whose alt text is required, known to the bundle by its file name."""

    alt = models.CharField(
        "替代文字", max_length=300, help_text="看不见图的人会听到这句话：说清楚图里有什么，不写“图片”。"
    )
    credit = models.CharField("作者与许可", max_length=200, blank=True)
    bundle_name = models.CharField(
        "文件名",
        max_length=100,
        blank=True,
        db_index=True,
        editable=False,
        validators=[RegexValidator(r"\A[a-z0-9][a-z0-9._-]*\Z")],
    )

    admin_form_fields = ("title", "file", "alt", "credit", "collection", "tags")

    class Meta(AbstractImage.Meta):
        verbose_name = verbose_name_plural = "图片"

    @property
    def default_alt_text(self) -> str:
        return self.alt

    def clean(self):
        super().clean()
        new = self.file and not self.file._committed
        if new and self.file.name.lower().endswith(".svg"):
            try:
                self.file.seek(0)
                check_svg(self.file.read())
                self.file.seek(0)
            except ValidationError as refused:
                raise ValidationError({"file": refused}) from refused


class IllustrationRendition(AbstractRendition):
    image = models.ForeignKey(Illustration, models.CASCADE, related_name="renditions")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "filter_spec", "focal_point_key"], name="one_rendition_a_filter")
        ]


class Entry(Publishable):
    """A page of the encyclopedia: names, lead, care advice, byline, and review dates that act."""

    name = models.CharField("标题", max_length=200)
    alternate_names = models.TextField("其他叫法", blank=True, help_text=ALTERNATE_NAMES_HELP)
    description = models.TextField("导语", max_length=160, help_text="先给答案：一两句话，最多 160 个字，不用格式。")
    care_advice = StreamField(
        [("card", CareAdviceBlock())],
        blank=True,
        max_num=MAX_CARE_CARDS,
        verbose_name="什么时候就医",
        help_text="按紧急程度从高到低，最好不超过三张。",
    )
    body_parts = ParentalManyToManyField(BodyPart, blank=True, related_name="%(class)ss", verbose_name="身体部位")
    departments = ParentalManyToManyField(Department, blank=True, related_name="%(class)ss", verbose_name="科室")
    populations = ParentalManyToManyField(Population, blank=True, related_name="%(class)ss", verbose_name="人群")
    author = models.ForeignKey(
        Physician,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="written_%(class)ss",
        verbose_name="作者",
        help_text="留空即署名医典编辑部。",
    )
    reviewer = models.ForeignKey(
        Physician,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reviewed_%(class)ss",
        verbose_name="审核医师",
        help_text="留空时，页面会写明等待执业医师审核。",
    )
    date_published = models.DateField("发布日期", null=True, blank=True, db_index=True)
    date_modified = models.DateField("更新日期", null=True, blank=True)
    last_review_date = models.DateField("审核日期", null=True, blank=True, db_index=True)
    review_due = models.DateField("下次审核日期", null=True, blank=True, db_index=True)
    # the same as plain text, as results of a search show it (editorial.searchable)
    searched = models.TextField(blank=True, editable=False)
    # the public form of the text, made at publish so that reading costs one row (editorial.rendering)
    rendered = models.JSONField(null=True, blank=True, editable=False)

    # fields of plain text, one statement a line, each of which may cite sources
    citing_fields: tuple[str, ...] = ()

    class Meta:
        abstract = True

    def clean(self):
        super().clean()
        if self.reviewer_id and self.reviewer_id == self.author_id:
            raise ValidationError({"reviewer": "作者不能审核自己写的内容，请换一位审核医师。"})
        if bool(self.reviewer_id) != bool(self.last_review_date):
            raise ValidationError({"last_review_date": "审核医师和审核日期要么都填，要么都不填。"})
        if self.last_review_date and self.review_due and self.review_due <= self.last_review_date:
            raise ValidationError({"review_due": "下次审核日期要晚于审核日期。"})

    def purge_keys(self) -> list[str]:
        return [*super().purge_keys(), "home", *(f"condition:{pk}" for pk in self.condition_ids())]

    def condition_ids(self) -> list[int]:
        """Conditions whose pages show this entry."""
        return [pk for name in self.listed_by for pk in self.listings(name)]

    def public_answers(self) -> Iterable:
        """Answers that stand on this entry's page, in the order of reading."""
        return ()

    def with_content_json(self, content):
        return super().with_content_json(content | {"rendered": None, "searched": ""})

    def serializable_data(self):
        # a revision never carries derived data
        derived = ("rendered", "searched")
        return {field: value for field, value in super().serializable_data().items() if field not in derived}

    def clean_fields(self, exclude=None):
        super().clean_fields(exclude=exclude)
        unknown = {}
        for field in self.citing_fields:
            try:
                check_citations(getattr(self, field))
            except ValidationError as refused:
                unknown[field] = refused
        if unknown:
            raise ValidationError(unknown)

    def save(self, *args, **kwargs):
        if self.live and not self.date_published:
            # not today: the revision that has no date may be published again much later
            self.date_published = timezone.localdate(self.first_published_at)
        super().save(*args, **kwargs)


class Correction(Publishable):
    """A mistake put right in public (schema.org CorrectionComment)."""

    kind = "correction"
    section = "corrections"
    searchable = False

    name = models.CharField("更正了哪一页", max_length=200)
    page = models.CharField("网址", max_length=200, help_text="以 / 开头，例如 /articles/…/。")
    text = models.TextField("原来怎么写，现在怎么写，为什么", max_length=1000)
    date_published = models.DateField("更正日期")

    class Meta:
        verbose_name = verbose_name_plural = "更正"
        ordering = ["-date_published", "-pk"]

    def clean(self):
        super().clean()
        if not is_local_path(self.page):
            raise ValidationError({"page": "请写本站的网址，以一个 / 开头，例如 /articles/…/。"})


class Redirect(models.Model):
    """Where an address that no page has any more leads; pages that exist always come first."""

    # As long as a record's key in exchange.ImportedRecord.
    from_path = models.CharField(
        "旧网址", max_length=140, unique=True, help_text="以 / 开头，例如 /archives/123.html；不写 /zh-hant。"
    )
    to_path = models.CharField("新网址", max_length=200, help_text="本站的一页，以 / 开头，例如 /articles/…/。")

    class Meta:
        verbose_name = verbose_name_plural = "旧网址"
        ordering = ["from_path"]

    def __str__(self) -> str:
        return self.from_path

    def clean(self):
        super().clean()
        if not is_local_path(self.from_path) or re.search(r"[?#\s]", self.from_path):
            raise ValidationError({"from_path": "请写本站的旧网址：以一个 / 开头，没有空格、问号和 #。"})
        if self.from_path.startswith("/zh-hant/"):
            raise ValidationError({"from_path": "请写简体的网址，繁體的会跟着走。"})
        if not is_local_path(self.to_path):
            raise ValidationError({"to_path": "请写本站的网址，以一个 / 开头，例如 /articles/…/。"})
        target = re.split(r"[?#]", self.to_path)[0]
        if target == self.from_path or Redirect.objects.filter(from_path=target).exclude(pk=self.pk).exists():
            raise ValidationError({"to_path": "那个网址也已经搬走，会绕圈。请写最后的网址。"})


class ErrorReport(models.Model):
    """What a reader says is wrong on a page; holds no identity, is seen by editors only."""

    page = models.CharField("网址", max_length=200)
    quote = models.TextField("原文", max_length=500, blank=True)
    text = models.TextField("哪里不对", max_length=2000)
    created = models.DateTimeField("收到时间", auto_now_add=True)
    handled = models.BooleanField("已处理", default=False)
    outcome = models.TextField("处理结果", max_length=1000, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "读者指出的错误"
        ordering = ["handled", "-created"]

    def __str__(self) -> str:
        return f"{self.page}（{self.created:%Y-%m-%d}）"


class UnansweredQuery(models.Model):
    """A short question that nothing public answered, and how often it was asked; never by whom.

    The day is all that is kept of when, and after DAYS_KEPT without being asked again it is forgotten.
    """

    text = models.CharField("问题", max_length=40, unique=True)
    times = models.PositiveIntegerField("次数", default=1)
    first_asked = models.DateField("第一次")
    last_asked = models.DateField("最近一次", db_index=True)
    handled = models.BooleanField("已处理", default=False, db_index=True)

    class Meta:
        verbose_name = verbose_name_plural = "未解答的问题"
        ordering = ["handled", "-times", "-last_asked", "pk"]

    def __str__(self) -> str:
        return self.text
