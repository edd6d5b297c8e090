"""What everything public shares: an identity for life, drafts and revisions, and one read that keeps drafts in."""

import secrets
import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.module_loading import import_string
from modelcluster.models import ClusterableModel
from wagtail.log_actions import log
from wagtail.models import DraftStateMixin, LockableMixin, PreviewableMixin, RevisionMixin, WorkflowMixin

from yidian.publication.turns import take_turn
from yidian.zh.pinyin import slugify

# Identifiers of content that came without one are derived from what it is, so that two sites agree on them.
NAMESPACE = uuid.UUID("6b0f4c1e-6b54-5c52-9a55-70d1c3a6f1b0")

# what the history says of a version that was due and stayed a draft
REFUSED = "yidian.publish.refused"

valid_slug = RegexValidator(r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z", "只能用小写拼音字母、数字和短横线，例如 xiaotui-choujin。")


def derived_identifier(kind: str, slug: str) -> uuid.UUID:
    """The identifier of content that came without one: UUIDv5 of kind and slug."""
    return uuid.uuid5(NAMESPACE, f"{kind}/{slug}")


def new_token() -> str:
    """Eight random characters without vowels or look-alikes: 27^8 is 280 thousand million, so none is ever reused."""
    return "".join(secrets.choice("23456789bcdfghjkmnpqrstvwxz") for _ in range(8))


class PublicQuerySet(models.QuerySet):
    def public(self):
        """Only what readers may see: published and not withdrawn."""
        return self.filter(live=True)


class Publishable(WorkflowMixin, DraftStateMixin, LockableMixin, RevisionMixin, PreviewableMixin, ClusterableModel):
    """A thing with an address of its own that is drafted, reviewed, published and withdrawn."""

    kind: str  # the word for it in addresses of data: "article"
    section: str  # the word for it in public addresses: "articles"
    searchable = True  # it has a page of its own that readers find by searching
    gated = False  # something in it can forbid making it public
    listed_by: tuple[str, ...] = ()  # foreign keys to what lists it on its own page

    slug = models.CharField(
        "网址拼音",
        max_length=100,
        unique=True,
        blank=True,
        validators=[valid_slug],
        help_text="出现在网址里的拼音。留空会自动生成；公开之后不能再改。",
    )
    identifier = models.UUIDField("永久编号", default=uuid.uuid4, unique=True, editable=False)
    origin = models.CharField("来源", max_length=200, blank=True, help_text="从别处导入时，写明来自哪里。")
    licence = models.CharField("许可", max_length=200, blank=True, help_text="从别处导入时，写明许可条款。")

    objects = PublicQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def title(self) -> str:
        return self.name

    def clean(self):
        super().clean()
        if not self.slug:
            self.slug = self.free_slug()
        if self.pk and self.first_published_at:
            public = type(self).objects.filter(pk=self.pk).values_list("slug", flat=True).first()
            if public and public != self.slug:
                raise ValidationError({"slug": f"这一页已经公开过，网址不能再改。请改回 {public}。"})

    def save(self, *args, **kwargs):
        take_turn()
        if not self.slug:
            self.slug = self.free_slug()
        self._remember_listings(kwargs.get("update_fields"))
        super().save(*args, **kwargs)

    def _remember_listings(self, update_fields) -> None:
        moved = [name for name in self.listed_by if update_fields is None or name in update_fields]
        if self.pk and moved:
            row = type(self).objects.filter(pk=self.pk).values_list(*(f"{name}_id" for name in moved)).first()
            for name, pk in zip(moved, row or (), strict=False):
                self.__dict__.setdefault("_listed", {}).setdefault(name, set()).add(pk)

    def listings(self, name: str) -> list[int]:
        """What lists this by one of `listed_by`: now, and until this instance was saved."""
        before = self.__dict__.get("_listed", {}).get(name, ())
        return sorted({getattr(self, f"{name}_id"), *before} - {None})

    def free_slug(self) -> str:
        """A slug in pinyin that nothing of this kind has yet."""
        stem = slugify(self.title)[:80].strip("-") or new_token()
        taken = set(type(self).objects.filter(slug__startswith=stem).values_list("slug", flat=True))
        return next(slug for slug in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return f"/{self.section}/{self.slug}/"

    def searchable_names(self) -> list[str]:
        """Other names that a reader may type to find this; empty when it has none."""
        return [line.strip() for line in getattr(self, "alternate_names", "").splitlines() if line.strip()]

    def purge_keys(self) -> list[str]:
        """Tags of the cached pages that show this: its own page, and the listings of its kind."""
        return [f"{self.kind}:{self.pk}", f"list:{self.section}"]

    def references(self) -> list[str]:
        """By which names `evidence.Appearance` knows the pages that show this."""
        return [f"{self.kind}:{self.slug}"]

    def with_content_json(self, content):
        # a revision from before the first publication may carry another address
        return super().with_content_json(content | ({"slug": self.slug} if self.first_published_at else {}))

    def publish(self, revision, user=None, **options):
        """As Wagtail does; but what forbids that leaves the draft as it is, and stands in its history.

        An editor's form says the faults beside its fields. Here come the hours of schedules and the approvals of
        workflows, since when a claim may have fallen.
        """
        if self.gated:
            content = revision.as_object()
            due = not content.go_live_at or content.go_live_at <= timezone.now()
            if due and (faults := content.publication_faults()):
                self.revisions.filter(pk=revision.pk).update(approved_go_live_at=None)
                said = [fault for of in faults.values() for fault in of]
                log(instance=self, action=REFUSED, user=user, revision=revision, data={"faults": said})
                return
        super().publish(revision, user=user, **options)

    def publication_faults(self) -> dict[str, list[str]]:
        """What forbids making this public as it stands, by field; a draft may have it."""
        return {}

    def settle(self) -> None:
        """Bring what this kind alone derives into line; called after every change, inside its transaction."""

    def serve_preview(self, request, mode_name):
        return import_string(settings.YIDIAN_PREVIEW)(request, self)
