"""Vocabulary: parts of the body, populations, and hard words explained."""

from django.db import models

from yidian.publication.models import Publishable

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
