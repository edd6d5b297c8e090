"""The vocabulary that ships with the package, as rows for a Lexicon, without a database."""

from functools import cache
from importlib.resources import files

import yaml

from yidian.search.lexicon import Lexicon
from yidian.search.spelling import Speller

_BUNDLE = files("yidian.starter") / "bundle"


@cache
def rows():
    found = [_row(row, row["category"]) for row in _read("synonyms")]
    for kind, file in (("body_part", "body-parts"), ("population", "populations")):
        found += [_row(row | {"slug": f"{kind}:{row['slug']}"}, kind) for row in _read(file)]
    for page in sorted((_BUNDLE / "conditions").iterdir(), key=lambda page: page.name):
        head = yaml.safe_load(page.read_text(encoding="utf-8").split("---")[1])
        found.append(_row(head | {"slug": page.name.removesuffix(".md")}, head["kind"]))
    return found


@cache
def lexicon():
    return Lexicon(rows())


@cache
def speller():
    names = [name for _, name, _, others in rows() for name in (name, *others)]
    folders = ("conditions", "articles", "guides", "questions")
    pages = sorted((page for folder in folders for page in (_BUNDLE / folder).iterdir()), key=str)
    return Speller.build([page.read_text(encoding="utf-8") for page in pages], names)


def _read(name):
    return yaml.safe_load((_BUNDLE / "vocabulary" / f"{name}.yaml").read_text(encoding="utf-8"))


def _row(row, category):
    return row["slug"], row["name"], category, tuple(row.get("alternate_names", ()))
