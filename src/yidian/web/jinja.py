"""The Jinja2 environment of public pages."""

from pathlib import Path

from django.conf import settings
from django.utils import translation
from jinja2 import Environment

from yidian.web.assets import assets, static

COMPONENTS = Path(__file__).parent / "components"


def environment(**options) -> Environment:
    """The environment that Django's Jinja2 backend renders public pages with."""
    options |= {"trim_blocks": True, "lstrip_blocks": True, "auto_reload": settings.DEBUG}
    made = Environment(extensions=["jinja2.ext.i18n"], **options)  # noqa: S701  (Django sets autoescape)
    made.install_gettext_callables(translation.gettext, translation.ngettext, newstyle=True)
    made.globals |= {"static": static, "assets": assets(), "site_name": settings.YIDIAN_SITE_NAME}
    return made
