from django.apps import AppConfig


class ReadershipConfig(AppConfig):
    name = "yidian.readership"
    label = "readership"
    verbose_name = "阅读次数"
    default_auto_field = "django.db.models.BigAutoField"
