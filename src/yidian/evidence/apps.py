from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    name = "yidian.evidence"
    verbose_name = "证据"
