"""From a text to the forms under which its name is stored and asked for; the same for both sides."""

import re
import zlib
from itertools import pairwise

from yidian.zh.grams import HAN, runs
from yidian.zh.normalise import normalise
from yidian.zh.pinyin import fold, sound

# A longer name is found by its first characters; readers do not type more than a query's length either.
MATCHED_LENGTH = 100

_NOT_WORD = re.compile(r"[\W_]+")
_SPACE_BESIDE_HAN = re.compile(rf"(?<=[{HAN}]) | (?=[{HAN}])")

# Up to this length a name is also indexed by characters two apart, so that one wrong character in the middle
# of 高血压 leaves something to find it by; longer names keep enough bigrams without.
SKIP_LENGTH = 6


def match_form(text: str) -> str:
    """The normalised text without punctuation, and without spaces beside Chinese; at most MATCHED_LENGTH.

    A text of nothing but signs keeps them.
    """
    # Folding signs of a text a hundred times too long is wasted: 4 leaves room for what is dropped.
    normal = normalise(text[: MATCHED_LENGTH * 4])
    words = _NOT_WORD.sub(" ", normal).strip()
    return (_SPACE_BESIDE_HAN.sub("", words) or normal)[:MATCHED_LENGTH].strip()


def tokens(text: str) -> list[str]:
    """The parts of a query that its writer set apart by spaces or signs, in match form."""
    return [token for token in _NOT_WORD.sub(" ", normalise(text[: MATCHED_LENGTH * 4])).split() if token]


def sounds(normal: str) -> list[str]:
    """The folded sound of each character of Han runs, and whole Latin words."""
    found: list[str] = []
    for run, is_han in runs(normal):
        found += [sound(char) for char in run] if is_han else [run]
    return found


def sound_grams(heard: list[str], *, skips: bool) -> set[int]:
    """Hashes of neighbouring sounds, and of sounds two apart when `skips`."""
    grams = {_hash(f"{first} {second}") for first, second in pairwise(heard)}
    if skips:
        grams |= {_hash(f"{first} {second}") for first, second in zip(heard, heard[2:], strict=False)}
    return grams


def typed_grams(syllables: list[str]) -> set[int]:
    """The grams of typed pinyin."""
    return sound_grams([fold(syllable) for syllable in syllables], skips=len(syllables) <= SKIP_LENGTH)


def word_grams(normal: str) -> set[int]:
    """Hashes of Latin words, whole and in padded trigrams, so that a word with one wrong letter is found."""
    grams: set[int] = set()
    for run, is_han in runs(normal):
        if is_han:
            continue
        grams.add(_hash(f"={run}"))
        padded = f"^{run}$"
        grams |= {_hash(f"~{padded[at : at + 3]}") for at in range(len(padded) - 2)} if len(run) > 3 else set()
    return grams


def character_grams(normal: str) -> set[int]:
    """Hashes of the single Han characters."""
    return {_hash(char) for run, is_han in runs(normal) if is_han for char in run}


def name_grams(normal: str) -> set[int]:
    """Everything under which a name is indexed."""
    heard = sounds(normal)
    return sound_grams(heard, skips=len(heard) <= SKIP_LENGTH) | word_grams(normal) | character_grams(normal)


def query_grams(normal: str) -> set[int]:
    """What a query looks for: sounds and words; its character when it is a single one."""
    heard = sounds(normal)
    grams = sound_grams(heard, skips=len(heard) <= SKIP_LENGTH + 1) | word_grams(normal)
    return grams or character_grams(normal)


def _hash(gram: str) -> int:
    """A signed 32-bit integer, the same in every process."""
    return zlib.crc32(gram.encode()) - 2**31
