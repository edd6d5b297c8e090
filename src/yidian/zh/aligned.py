"""The matching form of a text, character by character, so that every match can be shown where it was written."""

import unicodedata
from typing import NamedTuple

from yidian.zh.normalise import normalise


class Aligned(NamedTuple):
    """A text in matching form; `starts` and `ends` give for each of its characters the stretch of the original.

    Both are None when the forms have the same length and stand one for one.
    """

    form: str
    starts: list[int] | None
    ends: list[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) of the form, not empty, in code points of the original text."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


class _Forms(dict[str, str]):
    """For each character what it becomes; filled as characters are met."""

    def __missing__(self, char: str) -> str:
        form = _form(char)
        # All of Unicode is 1.1 million characters: a text of rare ones must not stay in memory.
        if len(self) < 60_000:
            self[char] = form
        return form


_FORMS = _Forms()


def align(text: str) -> Aligned:
    """The text in lower case, 简体, half width, without accents and control characters, each blank a single space.

    Unlike `normalise` it looks at one character at a time: 頭髮 and 头发 are equal, é and e too. Dashes become
    spaces. Names and the texts they are looked for in must both come through here.
    """
    forms = list(map(_FORMS.__getitem__, text))
    form = "".join(forms)
    if len(form) == len(text) and "" not in forms and "  " not in form:
        return Aligned(form, None, None)
    letters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for at, piece in enumerate(forms):
        if piece == " " and letters and letters[-1] == " ":
            ends[-1] = at + 1
            continue
        for letter in piece:
            letters.append(letter)
            starts.append(at)
            ends.append(at + 1)
    return Aligned("".join(letters), starts, ends)


def _form(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Mn":
        return ""
    if category == "Pd" or char.isspace():
        return " "
    bare = "".join(part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) != "Mn")
    return normalise(bare)
