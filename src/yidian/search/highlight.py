"""Which characters of a shown name the query matched."""

from functools import lru_cache
from itertools import pairwise

from yidian.search.keys import match_form
from yidian.zh.pinyin import initials, sound


def spans(text: str, normal: str, heard: list[str], letters: str) -> list[tuple[int, int]]:
    """The stretches [start, end) of `text` that a query matched, in order and apart.

    The query comes in match form (`normal`), as sounds (`heard`) and, when it was typed in Latin letters,
    as these (`letters`). By characters where it can; else by sound; else by initials.
    """
    forms = [_form(char) for char in text]
    return (
        _by_characters(forms, normal.replace(" ", ""))
        or _joined([span for word in normal.split() for span in _by_characters(forms, word)])
        or _by_sounds(forms, heard)
        or (_by_initials(forms, letters) if letters else [])
    )


@lru_cache(maxsize=10_000)  # the characters in use; a microsecond each instead of ten
def _form(char: str) -> str:
    return match_form(char) if char.isalnum() else ""


def _by_characters(forms: list[str], wanted: str) -> list[tuple[int, int]]:
    owners = [at for at, form in enumerate(forms) for _ in form]
    joined = "".join(forms)
    if not joined or not wanted:
        return []
    at = joined.find(wanted)
    if at >= 0:
        return [(owners[at], owners[at + len(wanted) - 1] + 1)]
    if len(joined) > 1 and joined in wanted:
        return [(owners[0], owners[-1] + 1)]
    return []


def _by_sounds(forms: list[str], heard: list[str]) -> list[tuple[int, int]]:
    """Characters that sound with a neighbour as two neighbours of the query do."""
    places = [at for at, form in enumerate(forms) if form]
    said = [sound(forms[at]) if len(forms[at]) == 1 else forms[at] for at in places]
    pairs = set(pairwise(heard))
    marked: set[int] = set()
    for n, pair in enumerate(pairwise(said)):
        if pair in pairs:
            marked |= {places[n], places[n + 1]}
    return _joined([(at, at + 1) for at in marked])


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches in order, those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _by_initials(forms: list[str], letters: str) -> list[tuple[int, int]]:
    """The first characters, when their initials are what was typed."""
    typed = ""
    start = next((at for at, form in enumerate(forms) if form), 0)
    for at, form in enumerate(forms):
        typed += initials(form)
        if typed == letters:
            return [(start, at + 1)]
        if not letters.startswith(typed):
            break
    return []
