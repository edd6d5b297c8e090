"""Style and script of public pages: put together once at start from the components' own files, named by their hash."""

import hashlib
import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpResponse

_WEB = Path(__file__).parent
_STATIC = _WEB / "static" / "yidian"


def _style_files() -> list[Path]:
    return [
        _STATIC / "tokens.css",
        _STATIC / "layout.css",
        *sorted((_WEB / "components").glob("*/style.css")),
    ]


# Texts stay as they are. What goes: comments, the brackets of a lone parameter, blanks around signs, line ends behind
# signs that end no statement, indentation. Other line ends may end a statement, and a blank keeps - from another.
_PARTS = (
    r'("(?:\\.|[^"\\\n])*"|`[^`]*`)',
    r" *//.*",
    r"\((\w+)\)\s*(?==>)",
    r"(?<!\+) (\+) (?!\+)",
    r"\s*(=>|[?:,(\[&|]+)\s*",
    r" *([;{])\s*",
    r" *([=<>})*!\]]+) *",
    r"^\s+",
)
_SCRIPT = re.compile("|".join(_PARTS), re.MULTILINE)


def _self_test_script() -> bytes:
    """The engine and its page in one file, without what only people need: a third of it."""
    files = (_WEB.parent / "questionnaire" / "scoring.js", _STATIC / "selftest-page.js")
    script = "".join(path.read_text("utf-8") for path in files)
    return _SCRIPT.sub(lambda found: "".join(filter(None, found.groups())), script).encode()


@cache
def _built() -> dict[str, tuple[bytes, str]]:
    """File name with hash → content and media type."""
    files = {
        "yidian.css": (b"\n".join(path.read_bytes() for path in _style_files()), "text/css; charset=utf-8"),
        "head.js": ((_STATIC / "head.js").read_bytes(), "text/javascript; charset=utf-8"),
        "page.js": ((_STATIC / "page.js").read_bytes(), "text/javascript; charset=utf-8"),
        "selftest.js": (_self_test_script(), "text/javascript; charset=utf-8"),
        "guide.js": ((_STATIC / "guide.js").read_bytes(), "text/javascript; charset=utf-8"),
    }
    built = {}
    for name, (content, media_type) in files.items():
        stem, _, suffix = name.partition(".")
        built[f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"] = (content, media_type)
    return built


class assets:
    """Addresses of this release's style and scripts: `.css`, `.head_js`, `.js`, `.self_test_js`, `.guide_js`."""

    def __init__(self):
        if settings.DEBUG:
            _built.cache_clear()
        self.css, self.head_js, self.js, self.self_test_js, self.guide_js = (f"/assets/{name}" for name in _built())


def static(path: str) -> str:
    """The address of a static file."""
    return settings.STATIC_URL + path


def favicon(request) -> HttpResponse:
    """The icon, at the address that browsers ask unasked; as SVG, which every current browser takes."""
    icon = (_STATIC / "favicon.svg").read_bytes()
    response = HttpResponse(icon, content_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})
    response["X-Page-Tags"] = "assets"
    return response


def asset(request, name: str) -> HttpResponse:
    """One built file; its name holds its hash, so browsers keep it for a year."""
    if name not in _built():
        raise Http404
    content, media_type = _built()[name]
    response = HttpResponse(content, content_type=media_type)
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["X-Page-Tags"] = "assets"
    return response
