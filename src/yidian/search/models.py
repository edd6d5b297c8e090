"""The index of titles and alternative names, and what the full-text index still has to learn. All of it is derived."""

from django.db import models

from yidian.search.keys import MATCHED_LENGTH


class Name(models.Model):
    """One title or alternative name of one public object, in each form in which readers type it."""

    kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    url = models.CharField(max_length=500)
    title = models.CharField(max_length=255)
    text = models.CharField(max_length=255)
    normal = models.CharField(max_length=MATCHED_LENGTH, db_index=True)
    pinyin = models.CharField(max_length=MATCHED_LENGTH * 6, db_index=True)
    initials = models.CharField(max_length=MATCHED_LENGTH, db_index=True)
    is_title = models.BooleanField()
    weight = models.IntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["kind", "object_id"], name="search_name_object")]

    def __str__(self) -> str:
        return self.text


class NameGram(models.Model):
    """A posting: the name holds the gram. Read in order of length, so that a cut keeps the short names.

    `gram` is a 32-bit hash and `name` the plain id of a Name: at a million names this table has about
    25 million rows, and a foreign key's own index would add half its size again. A posting whose name is
    gone is harmless, since every candidate is read back from Name.
    """

    pk = models.CompositePrimaryKey("gram", "length", "name")
    gram = models.IntegerField()
    length = models.SmallIntegerField()
    name = models.BigIntegerField()

    class Meta:
        verbose_name = "名称片段"

    def __str__(self) -> str:
        return f"{self.gram}:{self.name}"


class IndexRequest(models.Model):
    """A public thing that changed and that the full-text index has yet to look at again.

    Written in the transaction of the change, so that a process killed after its commit leaves it behind.
    `generation` names the index that has seen it already, while another is being built and has not.
    """

    kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    generation = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "待检索的改动"

    def __str__(self) -> str:
        return f"{self.kind}:{self.object_id}"


class IndexState(models.Model):
    """Which full-text index belongs to this database; one row. An index beside another database's is not used."""

    generation = models.CharField(max_length=40)

    class Meta:
        verbose_name = verbose_name_plural = "检索索引"

    def __str__(self) -> str:
        return self.generation
