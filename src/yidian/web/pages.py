"""Turning a template and its data into a public page: 简体 or 繁體, tagged for the page cache."""

import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote

from csp.utils import build_policy
from django.conf import settings
from django.http import HttpResponse
from django.template import engines
from markupsafe import Markup

from yidian.zh.hant import to_hant

HANT_PREFIX = "/zh-hant"
# A link to a page of this site; not to what exists once, or in 繁體 already.
_LOCAL_LINK = re.compile(
    r'href="/(?!(?:zh-hant|media|static|assets|feeds|sitemaps|debug|admin)/|guides/[a-z0-9-]+/plandefinition\.json'
    r'|(?:sitemap\.xml|robots\.txt|favicon\.ico|healthz)")'
)


@cache
def _policy() -> str:
    """The public Content-Security-Policy, the same on every page."""
    return build_policy()


def address(path: str) -> str:
    """The full public address of a path on this site."""
    return settings.YIDIAN_ORIGIN + quote(path, safe="/?=&#-_.~")


def page_context(path: str, *, hant: bool = False, title: str, description: str = "", **more) -> dict:
    """What base.html needs to know of a page; `path` is the 简体 path."""
    return {
        "lang": "zh-Hant" if hant else "zh-Hans",
        "hant": hant,
        "title": title,
        "description": description,
        "canonical": HANT_PREFIX + path if hant else path,
        "address": address(HANT_PREFIX + path if hant else path),
        "feed": "/feeds/all.atom",
        "path": path,
        "url_hans": path,
        "url_hant": HANT_PREFIX + path,
        "site_name": settings.YIDIAN_SITE_NAME,
        "origin": settings.YIDIAN_ORIGIN,
        "breadcrumb": [],
        "og_type": "website",
        "beacon": False,
    } | more


def crumbs(prefix: str, *steps: tuple[str, str]) -> list[dict]:
    """The way from the home page, as names and 简体 paths."""
    return [{"name": name, "url": prefix + path} for name, path in (("首页", "/"), *steps)]


def render(template: str, page: dict, tags: Iterable[str] | None, status: int = 200, **context) -> HttpResponse:
    """The page as a response; `tags` name what it shows so that a change purges it, None keeps it out of the cache."""
    prefix = HANT_PREFIX if page["hant"] else ""
    if page["hant"] and page.get("jsonld"):
        # the page's own conversion leaves script elements alone; this one holds words for people
        page["jsonld"] = Markup(to_hant(page["jsonld"]))  # noqa: S704
    made = engines["jinja2"].env.get_template(template).render(page=page, prefix=prefix, **context)
    response = HttpResponse(to_hant(made) if page["hant"] else made, status=status)
    response["Content-Language"] = page["lang"]
    response["Content-Security-Policy"] = _policy()
    if tags is None:
        response["Cache-Control"] = "no-store"
    else:
        response["X-Page-Tags"] = " ".join(dict.fromkeys(tags))
    return response


def localise(data, hant: bool):
    """Links inside stored public HTML and data, moved under /zh-hant/ when the page is 繁體."""
    if not hant:
        return data
    if isinstance(data, dict):
        return {
            key: HANT_PREFIX + value
            if key == "url" and isinstance(value, str) and value.startswith("/")
            else localise(value, hant)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [localise(item, hant) for item in data]
    if isinstance(data, str):
        return _LOCAL_LINK.sub(f'href="{HANT_PREFIX}/', data) if 'href="/' in data else data
    return data
