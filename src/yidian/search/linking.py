"""From a patient's way of speaking to the terms of the vocabulary, for whatever it takes: the ear of the search box."""

import re
from collections import Counter
from functools import lru_cache
from math import log, sqrt

from yidian.search.lexicon import Lexicon, Mention
from yidian.search.spelling import Speller
from yidian.search.understanding import SHORT_QUERY, understand
from yidian.zh.aligned import align
from yidian.zh.grams import runs

# What patients put between a part and its complaint: 肚子一直有点疼 is 肚子疼.
_BETWEEN = re.compile(
    r"(?:老是|总是|一直|经常|常常|时常|有时候|有时|偶尔|突然|最近|特别|非常|十分|有点儿|有点|有些|一点|很|好|太|挺|真|又|老|总|都|还|就|也|在|会|得|了|着|的"
    r"|地|里面|里头|里|这里|那里|一阵阵|一阵|阵阵|隐隐作|隐隐|厉害|感觉|觉得|感到|老觉得|不停|不断|动不动|反复|越来越|左边|右边|左侧|右侧|左|右)+"
)
# What a complaint is of, not the complaint.
_WHERE_AND_WHO = ("body_part", "population")
# Characters that mean the same of a complaint; both sides are written with the first of them.
_SAME = str.maketrans("疼酸烧泻腹脚干长", "痛痠热拉肚足燥生")


def link(query: str, lexicon: Lexicon, speller: Speller, limit: int = 10) -> list[tuple[str, float]]:
    """The terms that the query means, as (slug, score from 0 to 1), best first.

    Named terms first (the longer the better), then those that a correction or typed pinyin names, then what is
    named when words between are left out or a body part is called by its other names, then what shares most
    characters.
    """
    understood = understand(query, lexicon, speller)
    scores: dict[str, float] = {}

    def give(slug: str, score: float) -> None:
        scores[slug] = max(scores.get(slug, 0.0), score)

    def give_all(mentions: list[Mention], sure: float) -> None:
        for mention in mentions:
            least = 0.6 if mention.category in _WHERE_AND_WHO else 0.75 if mention.how == "inside" else 1.0
            give(mention.slug, sure * least - 0.05 / (mention.end - mention.start))

    give_all([mention for mention in understood.mentions if mention.how not in ("typo", "pinyin")], 1.0)
    for rank, rewrite in enumerate(understood.rewrites):
        give_all(lexicon.find(rewrite.text), 0.9 - 0.02 * rank)
    for text in _simpler(understood.content, lexicon):
        for mention in lexicon.find(text):
            give(mention.slug, 0.8 if mention.category not in _WHERE_AND_WHO else 0.5)
    texts = [understood.content, *(rewrite.text for rewrite in understood.rewrites)]
    for text in texts:
        for slug, likeness in similar(text[:SHORT_QUERY], lexicon, limit):
            give(slug, 0.7 * likeness)
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [(slug, round(score, 4)) for slug, score in ranked[:limit]]


def similar(text: str, lexicon: Lexicon, limit: int = 10) -> list[tuple[str, float]]:
    """The terms whose names share most characters and pairs with the text, with the cosine of the two."""
    index = _index(lexicon)
    asked = _weighed(_grams(text), index.weight)
    found: Counter[int] = Counter()
    for gram, weight in asked.items():
        for place, held in index.postings.get(gram, ()):
            found[place] += weight * held
    best: dict[str, float] = {}
    for place, score in found.most_common(limit * 4):
        for slug in lexicon.slugs_by_name[index.names[place]]:
            best[slug] = max(best.get(slug, 0.0), score)
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))[:limit]


class _NameIndex:
    def __init__(self, names: list[str]):
        self.names = names
        held = [_grams(name) for name in names]
        seen = Counter(gram for grams in held for gram in set(grams))
        self.weight = {gram: log(1 + len(names) / n) for gram, n in seen.items()}
        self.postings: dict[str, list[tuple[int, float]]] = {}
        for place, grams in enumerate(held):
            for gram, weight in _weighed(grams, self.weight).items():
                self.postings.setdefault(gram, []).append((place, weight))


@lru_cache(maxsize=4)  # the vocabulary in use, and the one before it while pages are still answered from that
def _index(lexicon: Lexicon) -> _NameIndex:
    return _NameIndex(sorted(lexicon.slugs_by_name))


def _grams(text: str) -> list[str]:
    found: list[str] = []
    for run, is_han in runs(align(text).form.translate(_SAME)):
        if is_han:
            found += [*run, *(run[at : at + 2] for at in range(len(run) - 1))]
        else:
            found += [run, *(f"{run[at : at + 3]}~" for at in range(len(run) - 2))]
    return found


def _weighed(grams: list[str], weight: dict[str, float]) -> dict[str, float]:
    """The grams on a vector of length one."""
    held = {gram: weight[gram] for gram in grams if gram in weight}
    length = sqrt(sum(value * value for value in held.values())) or 1.0
    return {gram: value / length for gram, value in held.items()}


def _simpler(content: str, lexicon: Lexicon) -> list[str]:
    """The same said more plainly: without what stands between, each body part by its other names."""
    plain = [content, "".join(_BETWEEN.sub("", content).split())]
    others = []
    for text in dict.fromkeys(plain):
        for mention in lexicon.find(text[:SHORT_QUERY]):
            if mention.category == "body_part":
                for name in lexicon.other_names[mention.slug][:12]:
                    others.append(text[: mention.start] + name + text[mention.end :])
    return [*plain[1:], *others[:60]]
