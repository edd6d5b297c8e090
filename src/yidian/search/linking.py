"""From a patient's way of speaking to the terms of the vocabulary, for whatever it takes: the ear of the search box."""

import re

from yidian.search.lexicon import Lexicon, Mention
from yidian.search.likeness import likeness
from yidian.search.spelling import Speller
from yidian.search.understanding import SHORT_QUERY, Understood, understand

# What patients put between a part and its complaint: 肚子一直有点疼 is 肚子疼.
_BETWEEN = re.compile(
    r"(?:老是|总是|一直|经常|常常|时常|有时候|有时|偶尔|突然|最近|特别|非常|十分|有点儿|有点|有些|一点|很|好|太|挺|真|又|老|总|都|还|就|也|在|会|得|了|着|的"
    r"|地|里面|里头|里|这里|那里|一阵阵|一阵|阵阵|隐隐作|隐隐|厉害|感觉|觉得|感到|老觉得|不停|不断|动不动|反复|越来越|左边|右边|左侧|右侧|左|右)+"
)
# What a complaint is of, not the complaint.
_WHERE_AND_WHO = ("body_part", "population")
# Characters before and behind a body part that may be one name with it: 半夜 + 腿 + 抽筋.
_REACH_BACK, _REACH = 2, 5
# How sure what resembles the query is, beside what it names.
_RESEMBLES = 0.7
# A part or a person named beside a complaint is less than a complaint that the wording resembles well.
_BESIDE = 0.4
# How sure the term is that a named one is a kind of.
_BROADER = 0.7


def link(query: str, lexicon: Lexicon, speller: Speller, limit: int = 10) -> list[tuple[str, float]]:
    """The terms that the query means, as (slug, score from 0 to 1), best first."""
    return linked(understand(query, lexicon, speller), lexicon, limit)


def linked(understood: Understood, lexicon: Lexicon, limit: int = 10) -> list[tuple[str, float]]:
    """The terms that an understood query means, as (slug, score from 0 to 1), best first.

    Named terms first (the longer the better), then those that a correction or typed pinyin names, then what is
    named when words between are left out or a body part is called by its other names, then what the names and
    descriptions of a term resemble; last what each of these is a kind of.
    """
    scores: dict[str, float] = {}

    def give(slug: str, score: float) -> None:
        scores[slug] = max(scores.get(slug, 0.0), score)

    def give_all(mentions: list[Mention], text: str, sure: float) -> None:
        for mention in mentions:
            length = mention.end - mention.start
            if mention.category in _WHERE_AND_WHO:
                least = 1.0 if length >= len(text) and mention.how != "inside" else _BESIDE
            else:
                least = 0.75 if mention.how == "inside" else 1.0
            give(mention.slug, sure * least - 0.05 / length)

    said = [mention for mention in understood.mentions if mention.how not in ("typo", "pinyin")]
    give_all(said, understood.content, 1.0)
    for rank, rewrite in enumerate(understood.rewrites):
        give_all(lexicon.find(rewrite.text), rewrite.text, 0.9 - 0.02 * rank)
    for slug in _plainer(understood.content, lexicon):
        give(slug, 0.8 if lexicon.terms[slug].category not in _WHERE_AND_WHO else _BESIDE - 0.1)
    resembled = likeness(lexicon)
    texts = [understood.content, *(rewrite.text for rewrite in understood.rewrites)]
    for text in texts:
        for slug, near in resembled.nearest(text[:SHORT_QUERY], limit):
            give(slug, _RESEMBLES * near)
    for slug, score in list(scores.items()):
        if broader := lexicon.terms[slug].broader:
            give(broader, _BROADER * score)
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(slug, round(score, 4)) for slug, score in ranked[:limit]]


def _plainer(content: str, lexicon: Lexicon) -> set[str]:
    """The terms that the same would name without what stands between, or with a body part by its other names."""
    plain = "".join(_BETWEEN.sub("", content).split())
    found = {mention.slug for mention in lexicon.find(plain)} if plain != content else set()
    for text in dict.fromkeys([content[:SHORT_QUERY], plain[:SHORT_QUERY]]):
        for mention in lexicon.find(text):
            if mention.category == "body_part":
                before, after = text[: mention.start], text[mention.end :]
                for name in lexicon.other_names[mention.slug][:12]:
                    found.update(_named_with(name, before, after, lexicon))
    return found


def _named_with(name: str, before: str, after: str, lexicon: Lexicon) -> set[str]:
    """The terms whose name is this one with a few characters of what stands before and after it."""
    known = lexicon.slugs_by_name
    heads = [before[-length:] if length else "" for length in range(min(len(before), _REACH_BACK) + 1)]
    return {
        slug
        for head in heads
        for length in range(min(len(after), _REACH) + 1)
        for slug in known.get(head + name + after[:length], ())
    }
