"""Which terms a wording resembles: a patient's sentence against every name and description of every term."""

from collections import Counter
from functools import lru_cache
from math import log

import numpy as np

from yidian.search.lexicon import Lexicon
from yidian.zh.aligned import align
from yidian.zh.grams import runs

# Characters that mean the same of a complaint; both sides are written with the first of them.
_SAME = str.maketrans("疼酸烧泻腹脚干长", "痛痠热拉肚足燥生")
# Of the weights of both sides, how much a wording's own counts: below a half, a long question about a short
# description loses less. Chosen with _TOGETHER by finding left-out names again (docs/developers/understanding.md).
_OF_THE_NAME = 0.3
# How much it adds that several names of one term resemble the wording.
_TOGETHER = 0.6
# Names with less than this share of the best one's likeness are not looked at closer.
_WITHIN = 0.2


class Likeness:
    """The names and descriptions of a lexicon, found by characters and pairs in common.

    About 0.2 ms of CPU a wording and 5 MB for 25,000 names.
    """

    def __init__(self, lexicon: Lexicon):
        self.slugs = list(lexicon.terms)
        place = {slug: at for at, slug in enumerate(self.slugs)}
        owned = {(form, place[slug]): None for form, slugs in lexicon.slugs_by_name.items() for slug in slugs}
        for term in lexicon.terms.values():
            for description in term.descriptions:
                owned[align(description).form.strip(), place[term.slug]] = None
        rows = [_grams(text) for text, _ in owned]
        seen = Counter(gram for row in rows for gram in row)
        self._place = {gram: at for at, gram in enumerate(seen)}
        self._weights = np.array([log(1 + len(rows) / count) ** 2 for count in seen.values()], np.float32)
        held = np.fromiter((self._place[gram] for row in rows for gram in row), np.int32)
        of = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row) for row in rows])
        order = np.argsort(held, kind="stable")
        self._starts = np.searchsorted(held[order], np.arange(len(seen) + 1)).astype(np.int32)
        self._rows = of[order]
        self._size = np.bincount(of, self._weights[held], len(rows)) ** _OF_THE_NAME
        self._owners = np.fromiter((owner for _, owner in owned), np.int32)

    def nearest(self, text: str, limit: int = 10) -> list[tuple[str, float]]:
        """The terms that share most with a text, as (slug, likeness from 0 to 1), best first."""
        asked = [self._place[gram] for gram in _grams(text) if gram in self._place]
        if not asked:
            return []
        spans = [self._rows[self._starts[at] : self._starts[at + 1]] for at in asked]
        weights = self._weights[asked]
        shared = np.bincount(np.concatenate(spans), np.repeat(weights, list(map(len, spans))), len(self._size))
        shared /= self._size
        nearest = np.flatnonzero(shared > _WITHIN * shared.max())
        owners, found = self._owners[nearest], shared[nearest] / float(weights.sum()) ** (1 - _OF_THE_NAME)
        best = np.zeros(len(self.slugs))
        np.maximum.at(best, owners, found)
        best += _TOGETHER * np.sqrt(np.bincount(owners, found**2, len(best)))
        best /= 1 + _TOGETHER
        terms = np.unique(owners)  # sorting all 3,000 would cost as much as the rest
        order = terms[np.argsort(-best[terms], kind="stable")][:limit].tolist()
        return [(self.slugs[at], min(float(best[at]), 1.0)) for at in order]


@lru_cache(maxsize=2)  # the vocabulary in use, and the one before it while pages are still answered from that
def likeness(lexicon: Lexicon) -> Likeness:
    """The likeness of a lexicon, made once."""
    return Likeness(lexicon)


def _grams(text: str) -> dict[str, None]:
    """Each character and pair of neighbours of Han, each Latin word and its beginnings of three letters, once."""
    found: dict[str, None] = {}
    for run, is_han in runs(align(text).form.translate(_SAME)):
        if is_han:
            found.update(dict.fromkeys(run))
            found.update(dict.fromkeys(map(str.__add__, run, run[1:])))
        else:
            found[run] = None
            found.update(dict.fromkeys(f"{run[at : at + 3]}~" for at in range(len(run) - 2)))
    return found
