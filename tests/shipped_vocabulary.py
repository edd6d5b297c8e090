"""The vocabulary that ships with the package, as rows for a Lexicon, without a database."""

from functools import cache
from importlib.resources import files

import yaml

from yidian.search.lexicon import Lexicon
from yidian.search.spelling import Speller

_BUNDLE = files("yidian.starter") / "bundle"
_LISTED = {"body_part": "body-parts", "population": "populations"}


@cache
def rows():
    """What `editorial.searchable.terms` reads from a site with the starter."""
    found = [_row(row, row["category"]) for row in _read("synonyms")]
    slugs = {word: slug for slug, name, _, others, *_ in found for word in (name, *others)}
    things = [(row, kind) for kind, file in _LISTED.items() for row in _read(file)]
    for page in sorted((_BUNDLE / "conditions").iterdir(), key=lambda page: page.name):
        head = yaml.safe_load(page.read_text(encoding="utf-8").split("---")[1])
        things.append((head | {"slug": page.name.removesuffix(".md")}, "condition"))
    for row, kind in things:
        slug = slugs.get(row["name"], f"{kind}:{row['slug']}")
        found.append(_row(row | {"slug": slug, "broader": ""}, row.get("kind", kind)))
    return found


@cache
def lexicon():
    return Lexicon(rows())


@cache
def speller():
    names = [name for _, name, _, others, *_ in rows() for name in (name, *others)]
    folders = ("conditions", "articles", "guides", "questions")
    pages = sorted((page for folder in folders for page in (_BUNDLE / folder).iterdir()), key=str)
    return Speller.build([page.read_text(encoding="utf-8") for page in pages], names)


def _read(name):
    return yaml.safe_load((_BUNDLE / "vocabulary" / f"{name}.yaml").read_text(encoding="utf-8"))


def _row(row, category):
    names = tuple(map(str, row.get("alternate_names", ())))
    return row["slug"], row["name"], category, names, row.get("broader", ""), tuple(row.get("descriptions", ()))
