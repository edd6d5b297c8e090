from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "yidian.search"
    label = "search"
    verbose_name = "查找"
