"""From text to the tokens that stand in the index; the same for documents and queries, and for every backend."""

from collections.abc import Mapping, Sequence
from math import log
from typing import Protocol

from yidian.search.backends import Index, Term
from yidian.search.documents import Document
from yidian.search.understanding import Understood
from yidian.zh.grams import grams

# In front of a concept's name among the tokens; no gram of a text begins with it.
CONCEPT = "§"
# A title and its names count more than the text below them; at 1 an answer that repeats a word stands above the
# entry that is about it.
HEAD_WEIGHT = 2.5
# In a library of this size grams of this share of all documents cost two thirds of a query's time (200,000 answers:
# 3.8 ms of CPU with them, 1.2 ms without) and decide nothing (7,247 answers, nDCG@10: 0.229 with them, 0.231 without).
LARGE_LIBRARY = 2_000
COMMON_SHARE = 0.3
# 怎么办 and 请问医生 say little about the subject, but not nothing about the answer: nothing is found by them (a sixth
# of a query's time at 200,000 answers, and 1,500 questions of the corpus find as well without), but order changes.
FILLER_WEIGHT = 0.5
# A term that a correction or typed pinyin names.
GUESSED_WEIGHT = 0.9
# More terms than this are the long tail of a pasted paragraph; the rarest are kept.
MAX_TERMS = 64
# Text behind this is not indexed: nothing that a person wrote is longer.
MAX_BODY = 200_000


class Concepts(Protocol):
    """Whatever knows which concepts a text speaks of; `search.lexicon` does."""

    def concepts(self, text: str) -> Sequence[str]: ...


def head_tokens(document: Document, concepts: Concepts | None = None) -> list[str]:
    """The tokens of all names of a document, each once: a tenth name does not make the first count less."""
    found = {token: None for name in document.head for token in grams(name)}
    if concepts is not None:
        found |= {CONCEPT + concept: None for name in document.head for concept in concepts.concepts(name)}
    return list(found)


def body_tokens(document: Document, concepts: Concepts | None = None) -> list[str]:
    """The tokens of the text of a document in order, then the concepts that it speaks of, each once."""
    text = document.body[:MAX_BODY]
    found = grams(text)
    if concepts is not None:
        found += [CONCEPT + concept for concept in dict.fromkeys(concepts.concepts(text))]
    return found


def weighted_tokens(understood: Understood) -> dict[str, float]:
    """What to look for and how much it counts: the words of the query, its terms, and what was probably meant."""
    weights = dict.fromkeys(grams(understood.content), 1.0)
    for rewrite in understood.rewrites:
        for token in grams(rewrite.text):
            weights[token] = max(weights.get(token, 0.0), rewrite.weight)
    for mention in understood.mentions:
        sure = GUESSED_WEIGHT if mention.how in ("typo", "pinyin") else 1.0
        token = CONCEPT + mention.slug
        weights[token] = max(weights.get(token, 0.0), sure)
    return weights


def with_filler(tokens: Mapping[str, float], understood: Understood) -> dict[str, float]:
    """The weighted tokens of a query and those that every question has, for a second look at what was found."""
    return dict.fromkeys(grams(understood.normal), FILLER_WEIGHT) | tokens


def query_terms(index: Index, tokens: Mapping[str, float]) -> list[Term]:
    """Weighted tokens as terms over both fields, without those that decide nothing; at most MAX_TERMS tokens."""
    wanted = sorted(tokens)
    size = index.count()
    if len(wanted) > MAX_TERMS or size > LARGE_LIBRARY:
        frequency = {token: index.frequency("body", token) + index.frequency("head", token) for token in wanted}
        if size > LARGE_LIBRARY:
            wanted = [token for token in wanted if frequency[token] <= COMMON_SHARE * size] or wanted
        wanted = sorted(wanted, key=lambda token: (frequency[token] or size, token))[:MAX_TERMS]
    return [
        Term(field, token, field_weight * tokens[token])
        for token in wanted
        for field, field_weight in (("head", HEAD_WEIGHT), ("body", 1.0))
    ]


def held(index: Index, token: str) -> int:
    """How many documents hold a token, at least."""
    return max(index.frequency("head", token), index.frequency("body", token))


def rarity(index: Index, token: str) -> float:
    """How much a token says: BM25's inverse document frequency over whole documents (Robertson and Zaragoza 2009)."""
    size = index.count()
    holding = min(size, held(index, token))
    return log(1 + (size - holding + 0.5) / (holding + 0.5))
