from django.apps import AppConfig


class PublicationConfig(AppConfig):
    name = "yidian.publication"
    verbose_name = "发布"
