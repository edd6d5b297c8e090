import uuid

import django.core.validators
import django.db.models.deletion
import wagtail.models.preview
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("terms", "0001_initial"),
        ("wagtailcore", "0098_apitoken"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SynonymGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("live", models.BooleanField(default=True, editable=False, verbose_name="live")),
                (
                    "has_unpublished_changes",
                    models.BooleanField(default=False, editable=False, verbose_name="has unpublished changes"),
                ),
                (
                    "first_published_at",
                    models.DateTimeField(blank=True, db_index=True, null=True, verbose_name="first published at"),
                ),
                (
                    "last_published_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last published at"),
                ),
                ("go_live_at", models.DateTimeField(blank=True, null=True, verbose_name="go live date/time")),
                ("expire_at", models.DateTimeField(blank=True, null=True, verbose_name="expiry date/time")),
                ("expired", models.BooleanField(default=False, editable=False, verbose_name="expired")),
                ("locked", models.BooleanField(default=False, editable=False, verbose_name="locked")),
                ("locked_at", models.DateTimeField(editable=False, null=True, verbose_name="locked at")),
                (
                    "slug",
                    models.CharField(
                        blank=True,
                        help_text="出现在网址里的拼音。留空会自动生成；公开之后不能再改。",
                        max_length=100,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9]+(?:-[a-z0-9]+)*\\Z",
                                "只能用小写拼音字母、数字和短横线，例如 xiaotui-choujin。",
                            )
                        ],
                        verbose_name="网址拼音",
                    ),
                ),
                (
                    "identifier",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True, verbose_name="永久编号"),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True, help_text="从别处导入时，写明来自哪里。", max_length=200, verbose_name="来源"
                    ),
                ),
                (
                    "licence",
                    models.CharField(
                        blank=True, help_text="从别处导入时，写明许可条款。", max_length=200, verbose_name="许可"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="医学上规范的叫法。", max_length=100, unique=True, verbose_name="标准词"
                    ),
                ),
                (
                    "alternate_names",
                    models.TextField(
                        help_text="每行一个：俗称、病人的说法、缩写、英文名、旧称。只写意思相同的词；相近而不同的另立一组。",
                        verbose_name="同义的词",
                    ),
                ),
                (
                    "category",
                    models.CharField(
                        choices=[
                            ("symptom", "症状"),
                            ("disease", "疾病"),
                            ("body_part", "身体部位"),
                            ("population", "人群"),
                            ("test", "检查"),
                            ("drug", "药物"),
                            ("procedure", "治疗与手术"),
                            ("department", "科室"),
                            ("body_function", "身体机能"),
                            ("other", "其他"),
                        ],
                        db_index=True,
                        max_length=20,
                        verbose_name="类别",
                    ),
                ),
                (
                    "note",
                    models.TextField(
                        blank=True,
                        help_text="为什么算作或不算作同一个词。读者看不到。",
                        max_length=300,
                        verbose_name="给编辑的说明",
                    ),
                ),
                ("matched", models.TextField(default="", editable=False)),
                (
                    "latest_revision",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailcore.revision",
                        verbose_name="latest revision",
                    ),
                ),
                (
                    "live_revision",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailcore.revision",
                        verbose_name="live revision",
                    ),
                ),
                (
                    "locked_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="locked_%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="locked by",
                    ),
                ),
            ],
            options={
                "verbose_name": "同义词",
                "verbose_name_plural": "同义词",
                "ordering": ["slug"],
            },
            bases=(wagtail.models.preview.PreviewableMixin, models.Model),
        ),
    ]
