"""Answering a reader: names and full text together, over what is public on this site."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from yidian.search.analysis import held, rarity
from yidian.search.backends import IndexDamaged
from yidian.search.documents import Document, key_of
from yidian.search.engine import CANDIDATES, Engine, Found
from yidian.search.find import (
    ALL_PARTS,
    CONTAINED,
    EXACT_NAME,
    EXACT_TITLE,
    INSIDE,
    PARTIAL,
    PREFIX,
    SAME_SOUND,
    SOUND,
    FoundName,
    find,
)
from yidian.search.library import NotReady, library, source
from yidian.search.linking import linked
from yidian.search.snippets import SNIPPET_LENGTH, best_sentence, covered
from yidian.search.understanding import Understood
from yidian.zh.grams import grams, runs
from yidian.zh.normalise import normalise
from yidian.zh.sentences import excerpt

logger = logging.getLogger(__name__)

# How much a match of the name adds to a full-text score that is 1 for the best. A reader who types a name wants that
# page first, whatever repeats the name more often; a name that only resembles decides between equals.
_NAMED = {
    EXACT_TITLE: 1.0,
    EXACT_NAME: 0.9,
    SAME_SOUND: 0.7,
    PREFIX: 0.4,
    CONTAINED: 0.3,
    ALL_PARTS: 0.3,
    SOUND: 0.3,
    INSIDE: 0.15,
    PARTIAL: 0.05,
}
NAMES = 30  # entries found by their names that are put among the others
# What has less of the best result's score than this shares only common words with the query.
WORTH_SHOWING = 0.25
# A query is answered when one of the first results holds this share of what it says.
ANSWERED = 0.5
# Of an account of several sentences no page holds as much.
ANSWERED_ACCOUNT = 0.2
SHORT = 30
# A name that holds this share of what a query says is what was asked for.
ASKED_BY_NAME = 0.8
LOOKED_AT = 3
# What resembles the query less than this is no guess: a question about anything but health resembles some term so
# much, and at most one right term in a hundred resembles its wording less.
WORTH_GUESSING = 0.2
# A character of a term that is named says about as much as two rare grams.
NAMED_CHARACTER = 4.0


@dataclass(frozen=True)
class Result:
    """A public document that answers, how well, and its sentence that does."""

    document: Document
    score: float
    snippet: str


class Meant(NamedTuple):
    """A term that a query means, by its standard name, and how sure that is, from 0 to 1.

    `named` says that the query names it, in whatever words, or a kind of it; otherwise its wording resembles the term.
    """

    name: str
    category: str
    sure: float
    named: bool


@dataclass(frozen=True)
class Answered:
    """What a site has on a query, best first, a page of it.

    `total` counts what was found, at most CANDIDATES; `capped` says that there may be more. `kinds` and `facets` count
    the kinds and the tags among them. `ready` is False while the full-text index is being built, when only names were
    looked at. `answerable` is False when nothing public holds enough of the query to be an answer. `words` are what to
    mark. `terms` are what the query means, best first: what it names, and what its wording resembles.
    """

    items: list[Result] = field(default_factory=list)
    total: int = 0
    capped: bool = False
    kinds: Counter = field(default_factory=Counter)
    facets: Counter = field(default_factory=Counter)
    ready: bool = True
    answerable: bool = False
    words: tuple[str, ...] = ()
    understood: Understood | None = None
    terms: tuple[Meant, ...] = ()


def ask(
    query: str,
    *,
    kinds: Iterable[str] = (),
    tags: Sequence[str] = (),
    limit: int = 20,
    offset: int = 0,
    in_each: int | None = None,
    filed: bool = False,
) -> Answered:
    """What answers the query, of some kinds and filed under all of some tags ("department:…"), a page at a time.

    With `in_each` only so many of one kind are on a page. `filed` brings along what each document is filed under.
    """
    kinds = list(kinds)
    groups = [[tag] for tag in tags]
    if kinds:
        groups.append([f"kind:{kind}" for kind in kinds])
    engine, understood, hits = _full_text(query, groups)
    names = [] if tags else _names(query, kinds, understood, engine, hits)  # they know no tags
    ranked = _ranked(hits, names)
    shown = ranked[offset : offset + limit]
    if in_each:
        shown = [each for each, place in zip(shown, _places(shown), strict=True) if place < in_each]
    documents = _documents(shown, filed)
    weights = _said(query, understood, engine)
    items = [
        Result(document, each.score, _snippet(document, weights))
        for each in shown
        if (document := documents.get(each.key))
    ]
    return Answered(
        items,
        total=len(ranked),
        capped=len(ranked) == CANDIDATES,
        kinds=Counter(each.kind for each in ranked),
        facets=Counter(tag for each in ranked for tag in each.tags),
        ready=engine is not None,
        answerable=_is_answered(items, understood, engine, weights),
        words=tuple(weights),
        understood=understood,
        terms=_meant(understood, engine),
    )


def meant(query: str) -> tuple[Meant, ...]:
    """The terms that a query means, best first; none while the index is being built."""
    try:
        engine = library().engine()
    except NotReady:
        return ()
    return _meant(engine.understand(query), engine)


def _meant(understood: Understood | None, engine: Engine | None) -> tuple[Meant, ...]:
    if understood is None or engine is None:
        return ()
    terms = engine.lexicon.terms
    named = {mention.slug for mention in understood.mentions}
    named |= {terms[slug].broader for slug in named}
    found = linked(understood, engine.lexicon)
    return tuple(
        Meant(terms[slug].name, terms[slug].category, sure, slug in named)
        for slug, sure in found
        if sure >= WORTH_GUESSING
    )


def _full_text(query: str, groups: list[list[str]]) -> tuple[Engine | None, Understood | None, list[Found]]:
    try:
        engine = library().engine()
        understood = engine.understand(query)
        return engine, understood, engine.search(query, tags=groups, understood=understood)
    except NotReady:
        return None, None, []
    except IndexDamaged:
        library().report_damage()
        logger.exception("检索索引读不了，将重建")
        return None, None, []


def _names(
    query: str, kinds: list[str], understood: Understood | None, engine: Engine | None, hits: list[Found]
) -> list[FoundName]:
    """What the query calls by its name, and what resembles that unless full text knows its words and found enough."""
    if understood is None or engine is None:
        return find(query, kinds or None, limit=NAMES)
    named = {word for mention in understood.mentions for word in _words(mention.surface)}
    unknown = any(not held(engine.index, word) for word in _words(understood.probable) - named)
    return find(understood.probable, kinds or None, limit=NAMES, resembling=unknown or len(hits) < NAMES)


def _words(text: str) -> set[str]:
    """The words of a text that are not Chinese."""
    return {run for run, is_han in runs(normalise(text)) if not is_han}


def _snippet(document: Document, weights: Mapping[str, float]) -> str:
    """What a result says: the lead of what was asked for by name, otherwise the sentence that answers best."""
    always = source().SHOWN_BY_LEAD
    named = covered(" ".join(document.head), weights) >= ASKED_BY_NAME * sum(weights.values())
    if document.lead and (named or document.kind in always):
        return excerpt(document.lead, SNIPPET_LENGTH)
    return best_sentence(document.body, weights)


def _places(shown: list[Found]) -> Iterator[int]:
    """For each the number of those before it that are of its kind."""
    seen: Counter = Counter()
    for each in shown:
        yield seen[each.kind]
        seen[each.kind] += 1


def _said(query: str, understood: Understood | None, engine: Engine | None) -> dict[str, float]:
    """The grams of what was asked, each with how much it says; of what was probably meant, where that is certain."""
    if understood is None or engine is None:
        return dict.fromkeys(grams(query), 1.0)
    texts = [understood.content, *(rewrite.text for rewrite in understood.rewrites[:1])]
    if understood.rewrites and understood.rewrites[0].why == "pinyin":
        texts = texts[1:]
    return {gram: rarity(engine.index, gram) for text in texts for gram in grams(text)}


def _ranked(hits: list[Found], names: list[FoundName]) -> list[Found]:
    weights = source().WEIGHTS
    tiers = {key_of(name.kind, name.object_id): name.tier for name in names}
    best = hits[0].score if hits else 1.0
    ranked = []
    for key, score, tags, named in [*hits, *(Found(key, 0.0) for key in tiers.keys() - {hit.key for hit in hits})]:
        tier = tiers.get(key, CONTAINED if named else None)
        if named and tier > CONTAINED:
            tier = CONTAINED
        score = score / best + (0.0 if tier is None else _NAMED[tier])
        if tier is None or tier > EXACT_NAME:
            score *= weights.get(key[: key.index(":")], 1.0)
        ranked.append((-score, key, tags))
    worth = WORTH_SHOWING * min(ranked)[0] if ranked else 0.0
    shown = sorted((round(score, 4), key, tags) for score, key, tags in ranked if score <= worth)
    return [Found(key, -score, tags) for score, key, tags in shown[:CANDIDATES]]


def _documents(shown: list[Found], filed: bool) -> dict[str, Document]:
    """The documents of some results as they stand in the database: what was withdrawn meanwhile is left out."""
    by_kind: dict[str, list[str]] = {}
    for each in shown:
        by_kind.setdefault(each.kind, []).append(each.object_id)
    found = (source().documents(kind, ids, filed=filed) for kind, ids in by_kind.items())
    return {document.key: document for documents in found for document in documents}


def _is_answered(
    items: list[Result], understood: Understood | None, engine: Engine | None, weights: Mapping[str, float]
) -> bool:
    """Whether one of the first results holds enough of what was said, and is about one of the complaints named.

    `weights` are those of `_said`.
    """
    if understood is None or engine is None:
        return bool(items)
    meant = understood.rewrites[0].text if understood.rewrites else understood.content
    mentions = [mention for mention in engine.lexicon.find(meant) if mention.how != "inside"]
    named = "".join(meant[mention.start : mention.end] for mention in mentions)
    rest = {gram: weights[gram] for gram in grams(meant) if gram not in named}
    parts = {mention.slug: len(mention.surface) * NAMED_CHARACTER for mention in mentions}
    whole = sum(rest.values()) + sum(parts.values())
    complaints = {mention.slug for mention in mentions if mention.category in ("symptom", "disease")}
    wanted = ANSWERED if len(meant) <= SHORT else ANSWERED_ACCOUNT
    kinds = source().WEIGHTS
    # a part of the body or a department is a way to an answer, not one
    answers = [item for item in items if kinds.get(item.document.kind, 1.0) >= 1]
    for item in answers[:LOOKED_AT]:
        head = " ".join(item.document.head)
        text = f"{head} {item.document.body}"
        missing = wanted * whole - covered(text, rest)
        if whole <= 0 or missing > sum(parts.values()):
            continue
        if complaints and not engine.lexicon.speaks_of(head, complaints):
            continue
        if missing <= 0 or missing <= sum(parts[slug] for slug in engine.lexicon.speaks_of(text, parts.keys())):
            return True
    return False
