from django.apps import AppConfig


class ExchangeConfig(AppConfig):
    name = "yidian.exchange"
    verbose_name = "导入导出"
