from django.apps import AppConfig


class TermsConfig(AppConfig):
    name = "yidian.terms"
    verbose_name = "词汇"
