"""How often each page was read, and which reading events were counted lately."""

from django.db import models


class ViewCountQuerySet(models.QuerySet):
    def counts_for(self, pages: list[str]) -> dict[str, int]:
        """The count of every page asked for, 0 when it was never read; one query."""
        counts = dict.fromkeys(pages, 0)
        counts.update(self.filter(page__in=pages).values_list("page", "count"))
        return counts

    def most_viewed(self, prefix: str, limit: int) -> list[tuple[str, int]]:
        """Pages whose path starts with ``prefix`` (``/articles/``) and their counts, most read first.

        ``prefix`` is a whole section with both slashes: the index holds the section, not every beginning.
        """
        rows = self.filter(section=section_of(prefix)).order_by("-count", "page")
        return list(rows.values_list("page", "count")[:limit])


class ViewCount(models.Model):
    page = models.CharField("页面", max_length=120, unique=True)
    section = models.CharField("栏目", max_length=20, editable=False)
    count = models.PositiveBigIntegerField("阅读次数", default=0)

    objects = ViewCountQuerySet.as_manager()

    class Meta:
        verbose_name = "阅读次数"
        verbose_name_plural = "阅读次数"
        indexes = [models.Index(fields=["section", "-count", "page"], name="most_viewed")]

    def __str__(self) -> str:
        return f"{self.page} {self.count}"


class ViewEvent(models.Model):
    """A reading event that has been counted, kept for as long as the same event could arrive again."""

    id = models.UUIDField(primary_key=True)
    received = models.DateField("收到日期", db_index=True)

    class Meta:
        verbose_name = "已计数的阅读"
        verbose_name_plural = "已计数的阅读"

    def __str__(self) -> str:
        return str(self.id)


def section_of(page: str) -> str:
    """``articles`` for ``/articles/leg-cramps/`` and for ``/articles/``."""
    return page.split("/", 2)[1]


def counts_for(pages: list[str]) -> dict[str, int]:
    """The count of every page asked for, 0 when it was never read; one query."""
    return ViewCount.objects.counts_for(pages)


def most_viewed(prefix: str, limit: int) -> list[tuple[str, int]]:
    """Pages whose path starts with ``prefix`` (``/articles/``) and their counts, most read first."""
    return ViewCount.objects.most_viewed(prefix, limit)
