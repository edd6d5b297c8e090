"""Sitemaps that hold for a million addresses: an index of files, each a range of ids, so that none is a deep offset."""

from xml.sax.saxutils import escape

from django.http import Http404, HttpResponse

from yidian.evidence.models import Claim
from yidian.selftests.library import self_tests
from yidian.web import queries
from yidian.web.faults import read_only
from yidian.web.pages import HANT_PREFIX, address

# The protocol allows 50,000 addresses and 50 MB a file; each id here gives two addresses with two alternates each.
IDS_A_FILE = 10_000
STATIC_PAGES = ("/", "/about/", "/editorial-policy/", "/privacy/", "/emergency/", "/corrections/")

_MODELS = queries.ENTRIES | queries.PLACES | {"claims": Claim}


def _xml(body: str, tags: str) -> HttpResponse:
    response = HttpResponse(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n', content_type="application/xml; charset=utf-8"
    )
    response["X-Page-Tags"] = tags
    return response


@read_only
def index(request) -> HttpResponse:
    """One line a file: the fixed pages, then each kind cut into ranges of ids."""
    files = ["pages-0"]
    for section, model in _MODELS.items():
        # not MAX(): with a filter beside it, that reads every row
        highest = model.objects.public().order_by("-pk").values_list("pk", flat=True).first()
        if highest is not None:
            files += [f"{section}-{number}" for number in range(highest // IDS_A_FILE + 1)]
    lines = "".join(f"<sitemap><loc>{escape(address(f'/sitemaps/{name}.xml'))}</loc></sitemap>" for name in files)
    body = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{lines}</sitemapindex>'
    return _xml(body, " ".join(f"list:{section}" for section in _MODELS))


def _url(path: str, modified: str | None) -> str:
    hans, hant = escape(address(path)), escape(address(HANT_PREFIX + path))
    alternates = (
        f'<xhtml:link rel="alternate" hreflang="zh-Hans" href="{hans}"/>'
        f'<xhtml:link rel="alternate" hreflang="zh-Hant" href="{hant}"/>'
    )
    dated = f"<lastmod>{modified}</lastmod>" if modified else ""
    return "".join(f"<url><loc>{place}</loc>{dated}{alternates}</url>" for place in (hans, hant))


@read_only
def section(request, section: str, number: str) -> HttpResponse:
    """The public addresses of one kind whose ids fall in one range."""
    if section == "pages":
        if int(number):
            raise Http404
        lists = (f"/{each}/" for each in _MODELS if each != "claims")
        tests = ("/self-tests/", *(test.url for test in self_tests().values()))
        urls = [_url(path, None) for path in (*STATIC_PAGES, *lists, *tests)]
    elif section in _MODELS:
        model, start = _MODELS[section], int(number) * IDS_A_FILE
        dated = section in queries.ENTRIES
        fields = ("slug", "date_modified", "date_published") if dated else ("slug",)
        found = model.objects.public().filter(pk__gte=start, pk__lt=start + IDS_A_FILE).order_by("pk")
        urls = [
            _url(f"/{section}/{row[0]}/", (row[1] or row[2]).isoformat() if dated and (row[1] or row[2]) else None)
            for row in found.values_list(*fields)
        ]
        if not urls:
            raise Http404
    else:
        raise Http404
    opened = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml">'
    return _xml(f"{opened}{''.join(urls)}</urlset>", f"list:{section}")


@read_only
def robots(request) -> HttpResponse:
    """Everything public may be read by robots; the admin, searches and reports are none of theirs."""
    lines = ["User-agent: *", "Disallow: /admin/", "Disallow: /search", "Disallow: /zh-hant/search"]
    lines += ["Disallow: /beacon/", "Disallow: /corrections/report/", "", f"Sitemap: {address('/sitemap.xml')}", ""]
    response = HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")
    response["X-Page-Tags"] = "assets"
    return response
