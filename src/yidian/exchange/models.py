"""What the last import or export saw, so that an import never overwrites what an editor changed since."""

from django.db import models


class ImportedBundle(models.Model):
    """A bundle that was imported here; the first one's title and licence head the site's own export."""

    title = models.CharField("标题", max_length=200, unique=True)
    licence = models.CharField("许可", max_length=200, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "导入过的内容包"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title


class ImportedRecord(models.Model):
    """The content of one record when it was last imported or exported, and the bundle that first brought it."""

    kind = models.CharField(max_length=30)
    key = models.CharField(max_length=140)
    digest = models.CharField(max_length=64)  # SHA-256 of its canonical values
    brought_by = models.ForeignKey(ImportedBundle, models.SET_NULL, null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "导入过的记录"
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="a_record_once")]

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"
