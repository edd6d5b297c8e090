from django.apps import AppConfig


class EditorialConfig(AppConfig):
    name = "yidian.editorial"
    verbose_name = "编辑"

    def ready(self):
        from yidian.editorial import receivers  # noqa: F401  (connects the one receiver)
