"""What Chinese somebody means who types Latin letters: pinyin, whole or begun, and initials."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate, islice, pairwise, product
from math import log, prod
from typing import NamedTuple

from yidian.search.bigrams import Bigrams, hear
from yidian.zh.aligned import align
from yidian.zh.grams import runs
from yidian.zh.pinyin import initials, is_syllable, readings, split_syllables, syllables_from

# Longer stretches of letters are not read as pinyin: nobody types more without choosing characters.
MAX_LETTERS = 60
# Names that can be found by initials. More would make the file and its reading slow; short names come first.
MAX_NAMES = 60_000
MAX_NAME_LENGTH = 20
# Ways to cut letters into syllables and initials that are followed. `xiaotuicj` has 6 that begin a name.
_MAX_WAYS = 400
_BETWEEN_WORDS = 1.5
# Characters of a sound that are tried where no text has the pair.
_COMMON = 12
# Ways to read a name that are kept; more have only names with several rare characters.
_MAX_KEYS = 8
_STARTS_NO_SYLLABLE = frozenset("iuv")


class Reading(NamedTuple):
    """A Chinese text for typed letters, and how sure it is, from 0 to 1."""

    text: str
    confidence: float


class Names:
    """Names in order of their initials."""

    def __init__(self, keys: list[str], names: list[str]):
        self.keys, self.names = keys, names

    @classmethod
    def collect(cls, names: Iterable[str]) -> "Names":
        """The names in matching form without blanks and signs, short ones first when there are too many."""
        forms = dict.fromkeys("".join(run for run, _ in runs(align(name).form)) for name in names)
        short = [name for name in forms if 1 < len(name) <= MAX_NAME_LENGTH and not name.isascii()]
        kept = sorted(short, key=lambda name: (len(name), name))[:MAX_NAMES]
        keyed = sorted((key, name) for name in kept for key in _keys(name))
        return cls([key for key, _ in keyed], [name for _, name in keyed])

    def typed(self, letters: str, bigrams: Bigrams) -> list[Reading]:
        """The names that the letters (and Han characters among them) spell, best first, at most 10."""
        best: dict[str, float] = {}
        for units, low, high in self._ways(letters):
            for at in range(low, min(high, low + 200)):
                name = self.names[at]
                cost = _cost(units, name, bigrams)
                if cost is not None and cost < best.get(name, 9.0):
                    best[name] = cost
        common = {name: min((bigrams.pair(*pair) for pair in pairwise(name)), default=0) for name in best}
        ranked = sorted(best, key=lambda name: (round(best[name], 2), -common[name], name))[:10]
        return [Reading(name, 1 - best[name]) for name in ranked]

    def _ways(self, letters: str) -> list[tuple[list[str], int, int]]:
        """The cuts of the letters into units whose initials are a name's, with the place of those names."""
        found: list[tuple[list[str], int, int]] = []
        stack: list[tuple[int, str, list[str]]] = [(0, "", [])]
        steps = 0
        while stack and steps < _MAX_WAYS:
            steps += 1
            at, key, units = stack.pop()
            if at == len(letters):
                low = bisect_left(self.keys, key)
                high = bisect_left(self.keys, key + "\0", low)
                if low < high:
                    found.append((units, low, high))
                continue
            for unit in _units(letters, at):
                longer = key + _initial(unit)
                low = bisect_left(self.keys, longer)
                if low < len(self.keys) and self.keys[low].startswith(longer):
                    stack.append((at + len(unit), longer, [*units, unit]))
        return found


def _keys(name: str) -> set[str]:
    """The initials of a name, by each reading of its characters: 颈椎 is typed jz, whatever dictionaries say of 椎."""
    usual = initials(name).replace("l", "n")
    letters = [sorted({hear(one)[0] for one in readings(char)[:2]}) or [char] for char in name]
    ways = prod(map(len, letters))
    return {usual} | ({"".join(way) for way in product(*letters)} if ways <= _MAX_KEYS else set())


def read(letters: list[str], bigrams: Bigrams, before: str = "", after: str = "") -> list[Reading]:
    """The likeliest text for words of typed pinyin; `before`, `after`: the Han beside it.

    Confidence is the share of neighbouring characters in the text that stand so in the site's texts. Empty when
    the letters are not pinyin. The last syllable may be unfinished.
    """
    if sum(map(len, letters)) > MAX_LETTERS:
        return []
    joined = "".join(letters)
    walls = set(accumulate(map(len, letters[:-1])))
    # Who sets every syllable apart says nothing about words.
    between = _BETWEEN_WORDS if not all(map(is_syllable, letters)) else 0.0
    # For each place, by the sound before it: for each last character the score, the text, the number of familiar pairs.
    reached: dict[int, dict[str, dict[str, tuple[float, str, int]]]] = {0: {"": {"": (0.0, "", 0)}}}
    if before:
        reached[0] = {heard: {before: (0.0, "", 0)} for heard in bigrams.heard.get(before, [""])}
    for start in range(len(joined)):
        if start in reached:
            for syllable, length, price in _syllables(joined, start, walls):
                into = reached.setdefault(start + length, {}).setdefault(hear(syllable), {})
                _step(reached[start], syllable, price, between * (start in walls), into, bigrams)
    best: dict[str, tuple[float, int]] = {}
    for ends in reached.get(len(joined), {}).values():
        for char, (score, text, known) in ends.items():
            if after:
                score += _log_pair(bigrams, char, after)
                known += bool(bigrams.pair(char, after))
            if text and score > best.get(text, (-1e9, 0))[0]:
                best[text] = (score, known)
    ranked = sorted(best, key=lambda text: (-best[text][0], text))[:1]
    sides = bool(before) + bool(after)
    return [Reading(text, best[text][1] / max(len(text) - 1 + sides, 1)) for text in ranked]


def is_syllables(word: str) -> bool:
    """Whether a word can be whole syllables of pinyin, the last perhaps unfinished."""
    return split_syllables(word) is not None and len(word) > 1 and not only_initials(word)


def only_initials(word: str) -> bool:
    """Whether the letters hold no vowel, so that they are no pinyin."""
    return not any(vowel in word for vowel in "aeiouv")


def _step(held, syllable: str, price: float, between: float, into: dict, bigrams: Bigrams) -> None:
    """Lengthen every text that ends here by the characters that sound so.

    `between` is taken from a pair of neighbours and given to a new beginning, where the reader set words apart.
    """
    heard = hear(syllable)
    spelt = bigrams.spelt(syllable)
    for heard_before, ends in held.items():
        following = bigrams.beside(heard_before, heard)
        for before in ends.keys() & following.keys():
            score, text, known = ends[before]
            for char, share in following[before]:
                reached = score + price + share - between - spelt[char][1]
                if char not in into or (reached, text) > into[char][:2]:
                    into[char] = (reached, text + char, known + 1)
    # A beginning, or a pair that no text has: after the best text one of the commonest characters.
    score, text, known = max(end for ends in held.values() for end in ends.values())
    for char, (share, strangeness) in islice(spelt.items(), _COMMON if text and not between else None):
        reached = score + price + share - (3 - between) * bool(text) - strangeness
        if char not in into or reached > into[char][0]:
            into[char] = (reached, text + char, known)


def _log_pair(bigrams: Bigrams, first: str, second: str) -> float:
    count = bigrams.pair(first, second)
    return log(count / bigrams.count_of[first]) if count else bigrams.log_share(second) - 3


def _syllables(letters: str, at: int, walls: set[int]) -> list[tuple[str, int, float]]:
    """The syllables that can stand here, with their length in letters and a price for being unfinished."""
    wall = min((wall for wall in walls if wall > at), default=len(letters))
    found = [
        (letters[at:end], end - at, 0.0) for end in range(at + 1, min(at + 6, wall) + 1) if is_syllable(letters[at:end])
    ]
    rest = letters[at:wall]
    if wall == len(letters) and len(rest) < 6 and not is_syllable(rest):
        found += [(syllable, len(rest), -1.5) for syllable in syllables_from(rest)]
    return found


def _units(letters: str, at: int) -> list[str]:
    """What can stand for one character of a name: itself, an initial, a whole syllable; the longest comes last."""
    char = letters[at]
    if not char.isascii():
        return [char]
    found = [] if char in _STARTS_NO_SYLLABLE and at == 0 else [char]
    if letters[at : at + 2] in ("zh", "ch", "sh"):
        found.append(letters[at : at + 2])
    found += [letters[at:end] for end in range(at + 2, min(at + 6, len(letters)) + 1) if is_syllable(letters[at:end])]
    return found


def _initial(unit: str) -> str:
    first = unit[0] if unit.isascii() else initials(unit)[:1]
    return "n" if first == "l" else first


def _cost(units: list[str], name: str, bigrams: Bigrams) -> float | None:
    """From 0 (all syllables typed in full) to below 1; None when the units do not spell the name."""
    total = 0.0
    for unit, char in zip(units, name, strict=False):
        known = bigrams.readings.get(char, ())
        if unit == char:
            continue
        if unit in known:
            total += 0.1 * known.index(unit)
            continue
        if not unit.isascii() or not known:
            return None
        if is_syllable(unit) and len(unit) > 1:
            heard = hear(unit)
            if all(hear(reading) != heard for reading in known):
                return None
            total += 0.2 if any(reading[0] == unit[0] for reading in known) else 0.4
        elif any(reading.startswith(unit) for reading in known):
            total += 0.5
        else:
            return None
    return total / len(name)
