"""Vocabulary: parts of the body, populations, hard words explained, and words that mean the same."""

from django.core.exceptions import ValidationError
from django.db import models

from yidian.publication.models import Publishable
from yidian.search.keys import match_form

ALTERNATE_NAMES_HELP = "每行一个。写上俗称、别称和病人常用的说法，读者用它们也能搜到。"


class BodyPart(Publishable):
    kind = "body_part"
    section = "body-parts"

    class Region(models.TextChoices):
        HEAD = "head", "头面"
        NECK = "neck", "颈部"
        CHEST = "chest", "胸部"
        ABDOMEN = "abdomen", "腹部"
        BACK = "back", "腰背"
        ARM = "arm", "上肢"
        LEG = "leg", "下肢"
        SKIN = "skin", "皮肤"
        WHOLE = "whole", "全身"

    name = models.CharField("名称", max_length=100)
    alternate_names = models.TextField("其他叫法", blank=True, help_text=ALTERNATE_NAMES_HELP)
    description = models.TextField("一句话说明", max_length=300, blank=True)
    region = models.CharField("区域", max_length=20, choices=Region.choices, db_index=True)
    broader = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="narrower", verbose_name="上级部位"
    )

    class Meta:
        verbose_name = verbose_name_plural = "身体部位"
        ordering = ["slug"]

    def purge_keys(self) -> list[str]:
        return [*super().purge_keys(), "home"]


class Population(Publishable):
    kind = "population"
    section = "populations"

    name = models.CharField("名称", max_length=100)
    alternate_names = models.TextField("其他叫法", blank=True, help_text=ALTERNATE_NAMES_HELP)
    description = models.TextField("一句话说明", max_length=300, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "人群"
        ordering = ["slug"]

    def purge_keys(self) -> list[str]:
        return [*super().purge_keys(), "home"]


class GlossaryTerm(Publishable):
    """A hard word and one plain sentence, shown in place wherever the word stands in public text."""

    kind = "glossary_term"
    section = "glossary"
    searchable = False

    name = models.CharField("词", max_length=50, unique=True)
    alternate_names = models.TextField("其他写法", blank=True, help_text="每行一个，在正文里同样会得到解释。")
    definition = models.CharField("解释", max_length=200, help_text="一句大白话，最好不超过 60 个字。")

    class Meta:
        verbose_name = verbose_name_plural = "难词解释"
        ordering = ["slug"]


class SynonymGroup(Publishable):
    """Words that are the same thing to a reader: a standard term, and how else people say and write it."""

    kind = "synonym_group"
    section = "synonyms"
    searchable = False

    class Category(models.TextChoices):
        SYMPTOM = "symptom", "症状"
        DISEASE = "disease", "疾病"
        BODY_PART = "body_part", "身体部位"
        POPULATION = "population", "人群"
        TEST = "test", "检查"
        DRUG = "drug", "药物"
        PROCEDURE = "procedure", "治疗与手术"
        DEPARTMENT = "department", "科室"
        BODY_FUNCTION = "body_function", "身体机能"
        OTHER = "other", "其他"

    name = models.CharField("标准词", max_length=100, unique=True, help_text="医学上规范的叫法。")
    alternate_names = models.TextField(
        "同义的词",
        help_text="每行一个：俗称、病人的说法、缩写、英文名、旧称。只写意思相同的词；相近而不同的另立一组。",
    )
    descriptions = models.TextField(
        "病人的形容",
        blank=True,
        help_text="每行一个：病人怎么形容它，或一个词有几种意思时，这是其中一种。只用来猜读者要找什么，不算同义词，几组可以有同一句。",
    )
    category = models.CharField("类别", max_length=20, choices=Category.choices, db_index=True)
    broader = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="narrower",
        verbose_name="更大的类",
        help_text="读者说这个词，也可能要找它所属的病或类：大三阳的上面是乙型肝炎。",
    )
    note = models.TextField(
        "给编辑的说明", max_length=300, blank=True, help_text="为什么算作或不算作同一个词。读者看不到。"
    )
    # Every word in match form between line ends, so that one read finds the group that has a word.
    matched = models.TextField(editable=False, default="")

    class Meta:
        verbose_name = verbose_name_plural = "同义词"
        ordering = ["slug"]

    def words(self) -> list[str]:
        """The standard term and then the others, as written."""
        return [word for word in (self.name, *self.searchable_names()) if word]

    def clean(self):
        self.clean_alone()
        forms = {match_form(word): word for word in self.words()}
        having = models.Q(pk__in=[])
        for form in forms:
            having |= models.Q(matched__contains=f"\n{form}\n")
        other = type(self).objects.filter(having).exclude(slug=self.slug).first()
        if other:
            word = next(word for form, word in forms.items() if f"\n{form}\n" in other.matched)
            field = "name" if word == self.name else "alternate_names"
            raise ValidationError({field: taken_message(word, other.name, other.slug)})

    def clean_alone(self):
        """What can be refused without a look at the other groups."""
        super().clean()
        if self.broader_id and self.broader_id == self.pk:
            raise ValidationError({"broader": OWN_BROADER})
        forms: dict[str, str] = {}
        for word in self.words():
            form = match_form(word)
            if form in forms:
                raise ValidationError({"alternate_names": f"“{word}”和“{forms[form]}”算同一个写法，请留下一个。"})
            forms[form] = word

    def keep_match_forms(self) -> None:
        """What every save does, for rows that are written many at once."""
        self.matched = "\n".join(["", *map(match_form, self.words()), ""])

    def save(self, *args, **kwargs):
        self.keep_match_forms()
        super().save(*args, **kwargs)

    def purge_keys(self) -> list[str]:
        """None: no page shows it; what it changes is how queries are understood."""
        return []


OWN_BROADER = "一组词不能在自己的上面，请选别的组，或留空。"


def taken_message(word: str, name: str, slug: str) -> str:
    """What an editor reads whose word belongs to another group."""
    return f"“{word}”已经在“{name}”（{slug}）这一组里；一个词只能属于一组，请从其中一组删掉，意思相同就合并。"
