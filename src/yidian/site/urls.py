"""All addresses: the public site twice (简体, and 繁體 under /zh-hant/), the beacon, and the admin."""

from django.conf import settings
from django.urls import include, path, re_path
from django.views.static import serve as serve_media
from wagtail.admin import urls as wagtailadmin_urls

from yidian.web import urls as web_urls

handler400 = "yidian.web.faults.bad_request"
handler403 = "yidian.web.faults.forbidden"
handler404 = "yidian.web.faults.not_found"
handler500 = "yidian.web.faults.server_error"

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("", include("yidian.readership.urls")),
    re_path(r"^media/(?P<path>.+)$", serve_media, {"document_root": settings.MEDIA_ROOT}),
    path("zh-hant/", include(web_urls.localised), {"hant": True}),
    path("", include(web_urls.once)),
    path("", include(web_urls.localised)),
]
