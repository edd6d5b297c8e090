from django.apps import AppConfig


class AnswersConfig(AppConfig):
    name = "yidian.answers"
    verbose_name = "问答"
