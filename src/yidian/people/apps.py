from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "yidian.people"
    verbose_name = "人物与机构"
