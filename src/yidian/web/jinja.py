"""The Jinja2 environment of public pages."""

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils import translation
from jinja2 import Environment
from jinja2.ext import Extension
from markupsafe import Markup

from yidian.web.assets import assets, static

COMPONENTS = Path(__file__).parent / "components"

_SHOWN = re.compile(r"""\{\{-?\s*_\((["'])((?:(?!\1)[^\\{}])*)\1\)\s*-?\}\}""")
_INSIDE = re.compile(r"""(?<![\w.])_\((["'])((?:(?!\1)[^\\])*)\1\)""")


class TranslatedAtLoad(Extension):
    """Turns `_("…")` without variables into its translation when a template is loaded.

    A page shows some ninety such strings; looked up at every request they took a third of its CPU. Strings with
    variables are looked up once and filled in when they are shown. One environment serves one language.
    """

    def preprocess(self, source, name, filename=None):
        def text(match: re.Match) -> str:
            return translation.gettext(match[2]) % {}

        def literal(match: re.Match) -> str:
            return repr(text(match))

        return _INSIDE.sub(literal, _SHOWN.sub(lambda match: str(self._escaped(text(match))), source))

    @staticmethod
    def _escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def environment(**options) -> Environment:
    """The environment that Django's Jinja2 backend renders public pages with."""
    options |= {"trim_blocks": True, "lstrip_blocks": True, "auto_reload": settings.DEBUG}
    made = Environment(extensions=["jinja2.ext.i18n", TranslatedAtLoad], **options)  # noqa: S701  (Django sets autoescape)
    made.install_gettext_callables(cache(translation.gettext), cache(translation.ngettext), newstyle=True)
    made.globals |= {"static": static, "assets": assets(), "site_name": settings.YIDIAN_SITE_NAME}

    @cache
    def fragment(template: str, **arguments) -> Markup:
        """A part of a page that depends on nothing but its arguments, rendered once: the same on every page."""
        return Markup(made.get_template(template).render(**arguments))  # noqa: S704

    made.globals["fragment"] = fragment
    return made
