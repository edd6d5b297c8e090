"""One form of a text for matching, and one for keeping."""

import re
import unicodedata
from functools import cache

# Controls but tab and line ends; zero-width and bidi controls (they hide or reorder what a reader sees);
# noncharacters, which no file format promises to carry.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """The text as written, without control, bidi and zero-width characters; lone surrogates become �.

    Tabs and line ends stay. The result can be stored in any database and encoded as UTF-8.
    """
    return _UNWANTED.sub("", _SURROGATE.sub("\ufffd", text))


def normalise(text: str) -> str:
    """The form in which two spellings of the same words are equal, for matching only.

    NFKC, lower case, 简体, no control, bidi or zero-width characters, white space folded to single spaces
    and stripped; lone surrogates become �.
    """
    folded = unicodedata.normalize("NFKC", clean(text)).lower()
    # Lower case can decompose (İ), and NFKC can bring a zero-width or a space character of its own.
    folded = _SPACE.sub(" ", clean(unicodedata.normalize("NFKC", folded))).strip()
    return folded if folded.isascii() else _to_hans().convert(folded)


@cache
def _to_hans():
    from opencc import OpenCC

    return OpenCC("t2s")
