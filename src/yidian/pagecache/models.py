"""Purges that a transaction has promised and nobody has yet carried out."""

from django.db import models


class PurgeRequest(models.Model):
    """One promise to drop every cached page that carries any of ``tags``.

    The row is written inside the transaction that changes the content, so a process killed between its
    commit and the purge leaves the row behind, and ``actions.drain_purges`` carries the purge out.
    """

    tags = models.JSONField("标签")
    created = models.DateTimeField("提出时间", auto_now_add=True)

    class Meta:
        verbose_name = "待清除的页面"
        verbose_name_plural = "待清除的页面"

    def __str__(self) -> str:
        return " ".join(self.tags)
