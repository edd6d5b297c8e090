"""The WSGI application that every server runs: Django, with the page cache ahead of it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yidian.site.settings")
_django = get_wsgi_application()  # before anything that needs the settings and the apps

from yidian.pagecache.wsgi import PageCache  # noqa: E402 the apps have to be loaded first

application = PageCache(_django)
