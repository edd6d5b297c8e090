"""What a reader asks: the terms in the words of the vocabulary, what was probably meant, and what is wanted of them."""

import re
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from yidian.search.asking import FILLER, intent_of
from yidian.search.lexicon import Lexicon, Mention
from yidian.search.spelling import Correction, Speller
from yidian.search.typed import Reading, is_syllables
from yidian.zh.aligned import align

# Nobody reads further in a search box; a whole record pasted in is still understood by its beginning.
MAX_QUERY = 10_000
# A longer text is an account: what it asks stands in a few of its sentences.
SHORT_QUERY = 100
MAX_REWRITES = 6
_SURE_ENOUGH = 0.5
# A spelling this certain is looked up among the names in place of what was typed.
SURE = 0.7


class Rewrite(NamedTuple):
    """A text to search beside what was asked; `why` is "typo" or "pinyin", weight from 0 to 1."""

    text: str
    weight: float
    why: str


@dataclass(frozen=True)
class Understood:
    """A query as the search takes it. Spans are in code points of the query as typed.

    `concepts` are the slugs of the mentions, each once: what to look for among a document's `Lexicon.concepts`.
    `terms`, `body_parts` and `populations` are standard names in order of the text, longest first where one
    stands inside another, with what corrections and typed pinyin name. `content` is the normal text without what
    every question has (怎么办, 请问医生), of an account its telling sentences; never empty unless the query is.
    `intent` is one of `asking.INTENTS` or None.
    """

    query: str
    normal: str
    content: str
    intent: str | None
    mentions: list[Mention]
    concepts: list[str]
    terms: list[str]
    body_parts: list[str]
    populations: list[str]
    corrections: list[Correction]
    rewrites: list[Rewrite]

    @property
    def probable(self) -> str:
        """The query, spelt as it was surely meant; letters that can be read say nothing else."""
        sure = (rewrite.text for rewrite in self.rewrites if rewrite.why == "pinyin" or rewrite.weight >= SURE)
        return next(sure, self.query)


_SIGNS = re.compile(r"[^\w\s]+|_+")
_SPACES = re.compile(r"\s+")
_SENTENCE = re.compile(r"[^。！？!?；;\n\r]+[。！？!?；;\n\r]*")
_CLAUSE = re.compile(r"[^，,、：:\s]+[，,、：:\s]*")
_QUESTION = re.compile(r"[?？吗呢]|怎么|什么|为何|为啥|咋|如何|是不是|会不会|能不能|请问")
_LATIN = re.compile("[a-z]+")
# English words that are no syllables: who writes one of them writes English.
_ENGLISH = {"and", "are", "do", "does", "eat", "for", "has", "have", "how", "i", "in", "is", "it", "my", "of", "on"}
_ENGLISH |= {"http", "https", "www", "pain", "the", "to", "treat", "treatment", "what", "when", "why", "with"}
_HAN_BEFORE = re.compile(r"[\u3400-\u9fff]+$")
_HAN_AFTER = re.compile(r"[\u3400-\u9fff]+")


def understand(query: str, lexicon: Lexicon, speller: Speller) -> Understood:
    """What the query says and probably means; for any text, never an error. Its first MAX_QUERY characters count.

    About 0.5 ms of CPU for a short query and 4 ms for 500 characters. The corrections and rewrites stand beside
    what was asked, they do not replace it: the caller searches both and says so.
    """
    query = query[:MAX_QUERY]
    aligned = align(query)
    form = aligned.form
    mentions = lexicon.find(query)
    doubted = speller.correct(query, [(mention.start, mention.end) for mention in mentions])
    corrections = [one for one in doubted if align(one.original).form not in lexicon.described]
    meant = [
        found for one in corrections for found in _meant(query, one.start, one.end, one.replacement, "typo", lexicon)
    ]
    rewrites = _corrected(query, corrections)
    for start, end, reading in _latin_readings(query, mentions, speller):
        rewrites.append(Rewrite(_replaced(query, [(start, end, reading.text)]), round(reading.confidence, 3), "pinyin"))
        meant += _meant(query, start, end, reading.text, "pinyin", lexicon)
    mentions = [one._replace(how="inside") if any(_holds(other, one) for other in meant) else one for one in mentions]
    mentions = sorted({*mentions, *meant}, key=lambda found: (found.start, -found.end, found.slug, found.how))
    content = _content(_informative(query, mentions) if len(form) > SHORT_QUERY else form, lexicon)
    return Understood(
        query=query,
        normal=form.strip(),
        content=content or form.strip(),
        intent=intent_of(form) or (intent_of(rewrites[0].text) if rewrites else None),
        mentions=mentions,
        concepts=list(dict.fromkeys(mention.slug for mention in mentions)),
        terms=_names(mentions, lambda category: category not in ("body_part", "population")),
        body_parts=_names(mentions, lambda category: category == "body_part"),
        populations=_names(mentions, lambda category: category == "population"),
        corrections=corrections,
        rewrites=list({rewrite.text: rewrite for rewrite in reversed(rewrites)}.values())[::-1][:MAX_REWRITES],
    )


def _names(mentions: list[Mention], wanted) -> list[str]:
    return list(dict.fromkeys(mention.name for mention in mentions if wanted(mention.category)))


def _meant(query: str, start: int, end: int, text: str, how: str, lexicon: Lexicon) -> list[Mention]:
    """The terms of a text that was probably meant, where it was written otherwise."""
    return [
        found._replace(start=start, end=end, surface=query[start:end], how=found.how if found.how == "inside" else how)
        for found in lexicon.find(text)
    ]


def _holds(other: Mention, one: Mention) -> bool:
    return other.start <= one.start and one.end <= other.end and other.end - other.start > one.end - one.start


def _corrected(query: str, corrections: list[Correction]) -> list[Rewrite]:
    if not corrections:
        return []
    text = _replaced(query, [(one.start, one.end, one.replacement) for one in corrections])
    return [Rewrite(text, min(one.confidence for one in corrections), "typo")]


def _replaced(query: str, changes: list[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        query = query[:start] + new + query[end:]
    return query


def _latin_readings(query: str, mentions: list[Mention], speller: Speller) -> list[tuple[int, int, Reading]]:
    """What the Latin letters outside of known names may spell, at most two readings for each of four stretches."""
    aligned = align(query)
    form = aligned.form
    named = [(mention.start, mention.end) for mention in mentions]
    found: list[tuple[int, int, Reading]] = []
    free = [word for word in _LATIN.finditer(form) if not _overlaps(aligned.span(*word.span()), named)]
    for stretch in _side_by_side(free)[:4]:
        first, last = stretch[0].start(), stretch[-1].end()
        start, end = aligned.span(first, last)
        words = [word.group() for word in stretch]
        if not _ENGLISH.isdisjoint(words):
            continue
        before, after = _HAN_BEFORE.search(form[:first]), _HAN_AFTER.match(form, last)
        readings = speller.typed(words, before.group() if before else "", after.group() if after else "")
        if not readings and len(words) > 1:
            readings = [_by_parts(words[:12], speller)]
        best = list({one.text: one for one in readings if one.confidence >= _SURE_ENOUGH}.values())
        found += [(start, end, reading) for reading in best[:MAX_REWRITES]]
    return found


def _overlaps(span: tuple[int, int], named: list[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in named)


def _side_by_side(words: list[re.Match]) -> list[list[re.Match]]:
    """The words in groups of which only one sign stands between neighbours."""
    groups: list[list[re.Match]] = []
    for word in words:
        if groups and word.start() == groups[-1][-1].end() + 1 and word.string[word.start() - 1] in " '":
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _by_parts(words: list[str], speller: Speller) -> Reading:
    """Words of which some are initials: tnb chi shenme."""
    parts: list[Reading] = []
    for whole, group in groupby(words, key=is_syllables):
        if whole:
            parts += speller.typed(list(group))[:1]
        else:
            parts += [_best(speller.typed([word])) or Reading(word, 0.0) for word in group]
    return Reading("".join(part.text for part in parts), max((part.confidence for part in parts), default=0.0))


def _best(readings: list[Reading]) -> Reading | None:
    return next((reading for reading in readings if reading.confidence >= _SURE_ENOUGH), None)


def _content(form: str, lexicon: Lexicon) -> str:
    """The form without filler outside the terms that it names."""
    named = [(mention.start, mention.end) for mention in lexicon.find(form)]

    def emptied(filler: re.Match) -> str:
        inside = any(filler.start() < end and start < filler.end() for start, end in named)
        return filler.group() if inside else " "

    return _SPACES.sub(" ", _SIGNS.sub(" ", FILLER.sub(emptied, form))).strip()


def _informative(query: str, mentions: list[Mention]) -> str:
    """The sentences of an account that say most, in its order, as far as SHORT_QUERY characters."""
    pieces = [piece.span() for piece in _SENTENCE.finditer(query)]
    # Many write without full stops.
    pieces = [span for begin, end in pieces for span in _clauses(query, begin, end)]
    weights = {}
    for begin, end in pieces:
        here = {one.slug for one in mentions if begin <= one.start and one.end <= end}
        asks = bool(_QUESTION.search(query, begin, end))
        weights[begin, end] = (2 * len(here) + asks, -begin)
    taken: list[tuple[int, int]] = []
    room = SHORT_QUERY
    for span in sorted(pieces, key=lambda span: weights[span], reverse=True):
        length = min(span[1] - span[0], SHORT_QUERY)
        if length <= room or not taken:
            taken.append((span[0], span[0] + length))
            room -= length
    return align(" ".join(query[begin:end] for begin, end in sorted(taken))).form


def _clauses(query: str, begin: int, end: int) -> list[tuple[int, int]]:
    if end - begin <= SHORT_QUERY // 2:
        return [(begin, end)]
    return [clause.span() for clause in _CLAUSE.finditer(query, begin, end)]
