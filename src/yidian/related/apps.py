from django.apps import AppConfig


class RelatedConfig(AppConfig):
    name = "yidian.related"
    verbose_name = "延展阅读"
