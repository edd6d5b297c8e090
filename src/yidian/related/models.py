"""What stands next to each page, worked out beforehand. All of it is derived and can be made again."""

from django.db import models
from django.db.models import Q

_LISTED = ("question", "article", "guide", "condition")


class Reading(models.Model):
    """An entry whose further reading has been worked out, even when nothing was found to stand beside it."""

    kind = models.CharField(max_length=20)
    object_id = models.BigIntegerField()

    class Meta:
        verbose_name = verbose_name_plural = "延展阅读"
        constraints = [models.UniqueConstraint(fields=["kind", "object_id"], name="one_reading_an_entry")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.object_id}"


class Link(models.Model):
    """One row of an entry's further reading: the entry that it leads to, and why, in the reader's words.

    One of the four is set. They are foreign keys so that a page reads its cards with its links in one statement, and so
    that those who list a changed entry are found.
    """

    pk = models.CompositePrimaryKey("reading_id", "position")
    reading = models.ForeignKey(Reading, models.CASCADE, related_name="links", db_index=False)
    position = models.SmallIntegerField()
    question = models.ForeignKey("answers.Question", models.CASCADE, null=True, related_name="+", db_index=False)
    article = models.ForeignKey("encyclopedia.Article", models.CASCADE, null=True, related_name="+", db_index=False)
    guide = models.ForeignKey("encyclopedia.ActionGuide", models.CASCADE, null=True, related_name="+", db_index=False)
    condition = models.ForeignKey("encyclopedia.Condition", models.CASCADE, null=True, related_name="+", db_index=False)
    why = models.CharField(max_length=60)

    class Meta:
        verbose_name = verbose_name_plural = "延展阅读的一条"
        # partial: each link is in one of them, not in four
        indexes = [
            models.Index(fields=[kind], condition=Q(**{f"{kind}__isnull": False}), name=f"link_to_{kind}")
            for kind in _LISTED
        ]

    def __str__(self) -> str:
        return self.why


class ReadingRequest(models.Model):
    """An entry whose further reading has to be worked out again.

    `spreads`: it changed itself, so that those beside it are looked at too; theirs do not spread further.
    """

    kind = models.CharField(max_length=20)
    object_id = models.BigIntegerField()
    spreads = models.BooleanField(default=False)

    class Meta:
        verbose_name = verbose_name_plural = "待更新的延展阅读"
        constraints = [
            models.UniqueConstraint(fields=["kind", "object_id", "spreads"], name="one_reading_request_an_entry")
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.object_id}"
