"""Whether what was asked stands in a document's name, told from bytes that the index keeps with the document."""

from collections.abc import Iterable, Sequence

from yidian.search.keys import match_form, tokens
from yidian.search.ranking import ENDS, packed, units

# Names beyond these are found by their words alone.
MOST_NAMES = 40
_BETWEEN = b"\x00"


def pack_names(names: Iterable[str]) -> bytes:
    """The match forms of a document's first names, about 1.4 bytes a Chinese character."""
    forms = dict.fromkeys(map(match_form, list(names)[:MOST_NAMES]))
    return _BETWEEN.join([packed(units(form)) for form in forms])


def pack_asked(text: str) -> list[bytes]:
    """What a name has to hold to answer a text: each part that its writer set apart by spaces or signs."""
    return [packed(units(part)) for part in tokens(text) or [match_form(text)] if part]


def names_hold(names: bytes, asked: Sequence[bytes]) -> bool:
    """Whether packed names hold everything that was asked; never where nothing was."""
    for wanted in asked:
        at = names.find(wanted)
        # the same bytes from inside a longer code on are another character
        while at > 0 and names[at - 1] >= ENDS:
            at = names.find(wanted, at + 1)
        if at < 0:
            return False
    return bool(asked)
