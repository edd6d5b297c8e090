from django.apps import AppConfig


class EncyclopediaConfig(AppConfig):
    name = "yidian.encyclopedia"
    verbose_name = "百科"
