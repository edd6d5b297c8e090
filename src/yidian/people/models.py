"""Doctors, hospitals and departments, with what was verified about them and when."""

from django.db import models
from modelcluster.fields import ParentalKey

from yidian.publication.models import Publishable


class Department(Publishable):
    kind = "department"
    section = "departments"

    name = models.CharField("名称", max_length=100)
    alternate_names = models.TextField("其他叫法", blank=True, help_text="每行一个。")
    description = models.TextField("看什么病，什么时候挂这个科", max_length=300, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "科室"
        ordering = ["slug"]

    def purge_keys(self) -> list[str]:
        return [*super().purge_keys(), "home", "list:doctors"]


class Hospital(Publishable):
    kind = "hospital"
    section = "hospitals"

    name = models.CharField("名称", max_length=200)
    alternate_names = models.TextField("其他叫法", blank=True, help_text="每行一个。")
    hospital_grade = models.CharField("等级", max_length=20, blank=True, help_text="例如 三级甲等。")
    grade_source = models.CharField("等级出处", max_length=300, blank=True, help_text="等级必须写明出处。")
    grade_as_of = models.DateField("等级查证日期", null=True, blank=True)
    region = models.CharField("地区", max_length=100, blank=True)
    description = models.TextField("简介", max_length=1000, blank=True)
    demonstration = models.BooleanField("演示", default=False, help_text="演示机构，并不存在，页面上会标出。")

    class Meta:
        verbose_name = verbose_name_plural = "医院"
        ordering = ["slug"]

    def purge_keys(self) -> list[str]:
        return [*super().purge_keys(), "cards", "list:doctors"]


class Physician(Publishable):
    kind = "physician"
    section = "doctors"

    name = models.CharField("姓名", max_length=50)
    job_title = models.CharField("职称", max_length=50, blank=True, help_text="例如 主任医师。")
    hospital = models.ForeignKey(
        Hospital, models.SET_NULL, null=True, blank=True, related_name="physicians", verbose_name="医院"
    )
    department = models.ForeignKey(
        Department, models.SET_NULL, null=True, blank=True, related_name="physicians", verbose_name="科室"
    )
    description = models.TextField("简介", max_length=1000, blank=True)
    knows_about = models.TextField("擅长", blank=True, help_text="每行一个病症的网址拼音，例如 jirou-jingluan。")
    conflict_of_interest = models.TextField("利益关系", max_length=500, blank=True, help_text="没有就写“无”。")
    demonstration = models.BooleanField("演示", default=False, help_text="演示医生，并非真人，页面上会标出。")

    class Meta:
        verbose_name = verbose_name_plural = "医生"
        ordering = ["slug"]

    def purge_keys(self) -> list[str]:
        # cards with a doctor's name stand on many pages; a doctor changes rarely, so all of them are made again
        return [*super().purge_keys(), "cards", f"doctor:{self.slug}"]


class Credential(models.Model):
    """Something about a doctor that was checked against its issuer (schema.org EducationalOccupationalCredential)."""

    physician = ParentalKey(Physician, on_delete=models.CASCADE, related_name="credentials")
    category = models.CharField("类别", max_length=100, help_text="例如 医师资格证书、医师执业证书、职称。")
    recognized_by = models.CharField("发证机构", max_length=200)
    valid_from = models.DateField("生效日期", null=True, blank=True)
    expires = models.DateField("到期日期", null=True, blank=True)
    verified_by = models.CharField("查证人", max_length=100, blank=True)
    verified_on = models.DateField("查证日期", null=True, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "资质"
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.category}（{self.recognized_by}）"
