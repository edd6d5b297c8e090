from django.apps import AppConfig


class PageCacheConfig(AppConfig):
    name = "yidian.pagecache"
    label = "pagecache"
    verbose_name = "页面缓存"
    default_auto_field = "django.db.models.BigAutoField"
