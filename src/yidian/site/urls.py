"""All addresses: the public site twice (简体, and 繁體 under /zh-hant/), the beacon, and the admin."""

import errno

from django.conf import settings
from django.http import Http404
from django.urls import include, path, re_path
from django.views.i18n import JavaScriptCatalog
from django.views.static import serve as serve_media
from wagtail.admin import urls as wagtailadmin_urls

from yidian.web import urls as web_urls
from yidian.web.faults import not_found

handler400 = "yidian.web.faults.bad_request"
handler403 = "yidian.web.faults.forbidden"
handler404 = "yidian.web.faults.not_found"
handler500 = "yidian.web.faults.server_error"

# A drawing opened by its own address shows itself and runs nothing, whatever it holds.
MEDIA_CSP = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def media(request, path: str):
    """An uploaded file, which the browser may show but not run."""
    try:
        response = serve_media(request, path, document_root=settings.MEDIA_ROOT)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR):  # no file can have this name
            raise Http404 from error
        raise
    response.headers["Content-Security-Policy"] = MEDIA_CSP
    return response


urlpatterns = [
    # Wagtail's catalogue of its scripts' words, with the Chinese that it lacks
    path("admin/jsi18n/", JavaScriptCatalog.as_view(packages=["wagtail.admin", "yidian.editorial"])),
    # Wagtail's documents would be public as soon as they are uploaded, by whoever may write drafts
    re_path("^admin/documents/", lambda request: not_found(request)),
    path("admin/", include(wagtailadmin_urls)),
    path("", include("yidian.readership.urls")),
    re_path(r"^media/(?P<path>.+)$", media),
    path("zh-hant/", include(web_urls.localised), {"hant": True}),
    path("", include(web_urls.once)),
    path("", include(web_urls.localised)),
]
