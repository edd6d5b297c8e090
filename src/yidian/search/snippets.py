"""The sentence of a text that answers a query, and which of its characters the query meant."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from yidian.zh.normalise import normalise
from yidian.zh.sentences import sentences

# Sentences looked at in one text: beyond that a page is so long that its first part has an answer too.
MAX_SENTENCES = 120
# Of a long sentence this much is shown, about three lines of a phone.
SNIPPET_LENGTH = 90
# A sentence in front is preferred to an equally good one far behind: editors put the answer first.
_POSITION = 0.01
# A headline or a question repeats what was asked, and “更多看……” sends elsewhere; the reader looks for what is said.
_STATED = ("。", "！", "；", "”", "」", ")", "）")
_ELSEWHERE = ("更多", "更全", "参见", "另见", "详见", "见", "一步一步怎么做")
_NOT_STATED = 0.15


def best_sentence(text: str, weights: Mapping[str, float], limit: int = SNIPPET_LENGTH) -> str:
    """The sentence with the most of what was asked, cut around it to `limit` characters; "" when none has any.

    `weights` says how much each gram of the query counts. By substring and not by grams of the text, which would
    cost a millisecond an article.
    """
    best, best_score = "", 0.0
    whole = text.lower()
    there = {gram: weight for gram, weight in weights.items() if gram in whole}
    for at, sentence in enumerate(sentences(text)[:MAX_SENTENCES] if there else ()):
        held = covered(sentence, there)
        # the square root keeps a long sentence from winning by its length alone, and a headline by its shortness
        score = held / (20 + len(sentence)) ** 0.5
        stated = sentence.endswith(_STATED) and not sentence.startswith(_ELSEWHERE)
        score *= (1.0 if stated else _NOT_STATED) - _POSITION * min(at, 20)
        if held and score > best_score:
            best, best_score = sentence, score
    return _window(best, weights, limit)


def covered(text: str, weights: Mapping[str, float]) -> float:
    """The weight of what was asked that stands in a text."""
    lower = text.lower()
    return sum([weight for gram, weight in weights.items() if gram in lower])


@lru_cache(maxsize=10_000)  # the characters in use; 0.1 µs each instead of 10
def _form(char: str) -> str:
    """The normal form of a character, a space for one that has several or none."""
    form = normalise(char) if char.isalnum() else char
    return form if len(form) == 1 else " "


def _window(sentence: str, weights: Mapping[str, float], limit: int) -> str:
    if len(sentence) <= limit:
        return sentence
    marked = marks(sentence, weights)
    start = max(0, (marked[0][0] if marked else 0) - limit // 4)
    for mark in "，；、：,;":
        cut = sentence.rfind(mark, max(0, start - 20), start + 1)
        if cut >= 0:
            start = cut + 1
            break
    end = start + limit
    return ("…" if start else "") + sentence[start:end].strip() + ("…" if end < len(sentence) else "")


def marks(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Where any of the words stands in the text, as [start, end) in order and apart; by normal form, so 痙攣 is 痉挛.

    Single Han characters are words only when nothing longer is asked for: 肉 in 肌肉 explains nothing.
    """
    flat = "".join(map(_form, text))
    longer = [word for word in words if len(word) > 1]
    wanted = longer or list(words)
    hit = bytearray(len(flat))
    for word in wanted:
        at = flat.find(word)
        while at >= 0:
            hit[at : at + len(word)] = b"\x01" * len(word)
            at = flat.find(word, at + 1)
    spans, start = [], None
    for at, on in enumerate([*hit, 0]):
        if on and start is None:
            start = at
        elif not on and start is not None:
            spans.append((start, at))
            start = None
    return spans
