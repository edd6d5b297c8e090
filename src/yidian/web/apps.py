from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "yidian.web"
    verbose_name = "公开页面"
