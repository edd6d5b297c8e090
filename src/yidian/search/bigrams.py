"""How often characters stand side by side in the site's own texts, found by sound.

One file, read in a few milliseconds: the characters with their readings, then pairs of characters grouped by the
folded sounds of the pair, so that 抽金 brings 抽筋 and typed `choujin` brings both.
"""

import json
import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import accumulate
from math import log
from operator import add

from yidian.zh.aligned import align
from yidian.zh.grams import runs
from yidian.zh.pinyin import fold, readings

# Past this many characters every second text speaks for two, past as many again every fourth for four: the figures
# hardly change any more, and a million answers (200 million characters) are counted as 25 million would be.
COUNTED_CHARACTERS = 4_000_000
# Kept pairs, the most frequent first; 3 million characters of answers have 150,000. So the file stays under 10 MB.
MAX_PAIRS = 500_000
# What one mention of a term in the vocabulary counts: as much as this many texts, so that a term nobody has
# written about yet can be typed.
NAME_COUNT = 8
# From this weight in `ordinary_pairs.txt` a pair is a word that a reader may well mean: 鸡肉 is not a misspelt 肌肉.
WORD_WEIGHT = 8
# What stands in every question, so that a new site reads it where it is typed.
_ASKED = (
    "怎么办 怎么治 怎么治疗 怎么预防 怎么回事 怎么缓解 怎么样 为什么 什么原因 是什么 吃什么"
    " 吃什么药 吃什么好 有什么症状 什么症状 是怎么回事 有哪些 哪些症状 注意什么 挂什么科 做什么检查"
    " 能吃吗 可以吃吗 能不能 要不要 会不会 是不是 有没有 严重吗 传染吗 遗传吗 能治好吗 正常吗 多久"
    " 我 我的 我妈 我爸 妈妈 爸爸 爷爷 奶奶 老公 老婆 孩子 小孩 宝宝 儿子 女儿 老人 医生 请问"
    " 最近 晚上 早上 半夜 突然 经常 总是 一直 老是 很 不舒服 厉害 了 疼 痛 痒 肿 麻 酸 胀"
    " 疼得厉害 睡不着 吃不下"
)
_ASKED_COUNT = 60
_MAGIC = b"yidian-bigrams-1\n"


def hear(syllable: str) -> str:
    """A syllable without the differences of zh/z, ch/c, sh/s, -ng/-n and l/n."""
    heard = fold(syllable)
    return "n" + heard[1:] if heard.startswith("l") else heard


class Bigrams:
    """Counts of Han characters and of neighbouring pairs, by character and by sound."""

    def __init__(self, characters: str, read_as: list[list[str]], arrays: list[array]):
        """`arrays`: the counts of the characters; pairs, as two places in `characters` in one integer, in order; their
        counts, twice, and one more for an ordinary pair; for each two sounds where their pairs begin; and those pairs,
        as places among the pairs.
        """
        counts, self._pairs, self._numbers, self._begin, self._sounding = self._arrays = arrays
        self.characters = characters
        self.count_of = dict(zip(characters, counts, strict=True))
        self.total = sum(counts) or 1
        self.readings = dict(zip(characters, read_as, strict=True))
        self._order = {char: at for at, char in enumerate(characters)}
        self.heard = {char: _heard(syllables) for char, syllables in self.readings.items()}
        self.by_sound: dict[str, list[str]] = {}
        for char, sounds in self.heard.items():  # most frequent first
            for sound in sounds:
                self.by_sound.setdefault(sound, []).append(char)
        self._sounds = {sound: at for at, sound in enumerate(sorted(self.by_sound))}
        self._spelt: dict[str, dict[str, tuple[float, float]]] = {}
        self._beside: dict[tuple[str, str], dict[str, list[tuple[str, float]]]] = {}

    @classmethod
    def count(cls, texts: Iterable[str], names: Iterable[str]) -> "Bigrams":
        """From texts as they are, and the names of terms."""
        singles, pairs = _counted(texts)
        named = ((run, NAME_COUNT) for name in names for run in _han(name))
        for run, weight in (*named, *((asked, _ASKED_COUNT) for asked in _ASKED.split())):
            for char in run:
                singles[char] += weight
            for pair in map(add, run, run[1:]):
                pairs[pair] += weight
        ordinary = set()
        for first, second, weight in _ordinary_pairs():
            if weight >= WORD_WEIGHT:
                ordinary.add(first + second)
            singles[first] += weight
            singles[second] += weight
            pairs[first + second] += weight
        characters = [char for char, _ in sorted(singles.items(), key=lambda item: (-item[1], item[0]))][:65_000]
        order = {char: at for at, char in enumerate(characters)}
        kept = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MAX_PAIRS]
        packed = sorted(
            (order[p[0]] << 16 | order[p[1]], min(n, 2**31 - 1) << 1 | (p in ordinary))
            for p, n in kept
            if p[0] in order and p[1] in order
        )
        read_as = [list(readings(char)) for char in characters]
        begin, sounding = _by_two_sounds([pair for pair, _ in packed], [_heard(syllables) for syllables in read_as])
        arrays = [
            [singles[char] for char in characters],
            [pair for pair, _ in packed],
            [n for _, n in packed],
            begin,
            sounding,
        ]
        return cls("".join(characters), read_as, [array("I", values) for values in arrays])

    def pair(self, first: str, second: str) -> int:
        """How often the two characters stand side by side."""
        return self._number(first, second) >> 1

    def is_ordinary(self, first: str, second: str) -> bool:
        """Whether a dictionary of ordinary Chinese has the pair in words that are not rare."""
        return bool(self._number(first, second) & 1)

    def _number(self, first: str, second: str) -> int:
        order = self._order
        if first not in order or second not in order:
            return 0
        key = order[first] << 16 | order[second]
        at = bisect_left(self._pairs, key)
        return self._numbers[at] if at < len(self._pairs) and self._pairs[at] == key else 0

    def beside(self, heard: str, heard_next: str) -> dict[str, list[tuple[str, float]]]:
        """For each character of a folded sound those of the next sound that follow it, with the logarithm of the
        share of its places where they do.
        """
        found = self._beside.get((heard, heard_next))
        if found is None:
            found = {}
            if heard in self._sounds and heard_next in self._sounds:
                at = self._sounds[heard] * len(self._sounds) + self._sounds[heard_next]
                for place in self._sounding[self._begin[at] : self._begin[at + 1]]:
                    pair = self._pairs[place]
                    first, second = self.characters[pair >> 16], self.characters[pair & 0xFFFF]
                    share = log((self._numbers[place] >> 1) / self.count_of[first])
                    found.setdefault(first, []).append((second, share))
            if len(self._beside) < 20_000:  # some MB: of 80,000 those that people type
                self._beside[heard, heard_next] = found
        return found

    def log_share(self, char: str) -> float:
        """The logarithm of the character's share of all characters."""
        return log((self.count_of.get(char, 0) + 0.5) / self.total)

    def spelt(self, syllable: str) -> dict[str, tuple[float, float]]:
        """The characters that a typed syllable may mean, most frequent first, with their logarithmic share and the
        price of what is not quite theirs: another tongue's zh or -ng, a rare reading.
        """
        found = self._spelt.get(syllable)
        if found is None:
            chars = self.by_sound.get(hear(syllable), ())
            found = {char: (self.log_share(char), _strangeness(self.readings[char], syllable)) for char in chars}
            self._spelt[syllable] = found  # of syllables there are 410
        return found

    def dumps(self) -> bytes:
        """The bytes of the file; the same for the same counts."""
        head = {
            "characters": self.characters,
            "readings": [" ".join(self.readings[char]) for char in self.characters],
            "lengths": [len(values) for values in self._arrays],
        }
        return _MAGIC + json.dumps(head, ensure_ascii=False).encode() + b"\n" + b"".join(map(_little, self._arrays))

    @classmethod
    def loads(cls, content: bytes) -> "Bigrams":
        """From what `dumps` gave; ValueError for anything else."""
        if not content.startswith(_MAGIC):
            raise ValueError("not a file of bigrams")
        line_end = content.index(b"\n", len(_MAGIC))
        head = json.loads(content[len(_MAGIC) : line_end])
        at = line_end + 1
        if len(content) - at != 4 * sum(head["lengths"]):
            raise ValueError("the file of bigrams is cut short")
        arrays = []
        for length in head["lengths"]:
            arrays.append(_from_little(content[at : at + 4 * length]))
            at += 4 * length
        return cls(head["characters"], [line.split() for line in head["readings"]], arrays)


def _strangeness(known: list[str], syllable: str) -> float:
    if syllable in known:
        return 1.0 * known.index(syllable)
    return 4.0 if all(reading[0] != syllable[0] for reading in known) else 2.0


def _heard(syllables: list[str]) -> list[str]:
    return list(dict.fromkeys(map(hear, syllables)))


def _by_two_sounds(pairs: list[int], heard: list[list[str]]) -> tuple[list[int], list[int]]:
    """The places of the pairs, in order of their two sounds, and where each two sounds begin."""
    order = {sound: at for at, sound in enumerate(sorted({sound for sounds in heard for sound in sounds}))}
    sounds_of = [[order[sound] for sound in sounds] for sounds in heard]
    size = len(order)
    keyed = sorted(
        (first * size + second) << 32 | place
        for place, pair in enumerate(pairs)
        for first in sounds_of[pair >> 16]
        for second in sounds_of[pair & 0xFFFF]
    )
    begin = [0] * (size * size + 1)
    for key in keyed:
        begin[(key >> 32) + 1] += 1
    return list(accumulate(begin)), [key & 0xFFFFFFFF for key in keyed]


def _counted(texts: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Characters and pairs of neighbours in the Han runs of the texts."""
    singles: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    some_singles: Counter[str] = Counter()
    some_pairs: Counter[str] = Counter()
    read, weight = 0, 1
    for number, text in enumerate(texts):
        if number % weight:
            continue
        read += len(text)
        for run in _han(text):
            some_singles.update(run)
            some_pairs.update(map(add, run, run[1:]))
        if read > COUNTED_CHARACTERS:
            _add_times(singles, some_singles, weight)
            _add_times(pairs, some_pairs, weight)
            some_singles.clear()
            some_pairs.clear()
            read, weight = 0, weight * 2
    _add_times(singles, some_singles, weight)
    _add_times(pairs, some_pairs, weight)
    return singles, pairs


def _add_times(to: Counter[str], counted: Counter[str], times: int) -> None:
    for key, number in counted.items():
        to[key] += number * times


def _ordinary_pairs() -> Iterator[tuple[str, str, int]]:
    """Characters side by side in ordinary words, with the mentions that they count for."""
    weight = 0
    for line in files("yidian.search").joinpath("ordinary_pairs.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            weight = int(line[2:])
        elif not line.startswith("#"):
            yield from ((line[0], second, weight) for second in line[1:])


def _han(text: str) -> list[str]:
    return [run for run, is_han in runs(align(text).form) if is_han]


def _little(values: array) -> bytes:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _from_little(content: bytes) -> array:
    values = array("I")
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return values
