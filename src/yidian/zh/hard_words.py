"""Words that a reader with nine years of school does not know."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

# The 3,755 characters of level 1 of GB 2312 were chosen by how often they are used; school teaches about 3,500 of them.
# These lie beyond and are everyday words all the same: 脚踝, 牙龈, 癫痫, 打嗝, 痱子, 枸杞.
_EVERYDAY = frozenset(
    "踝睑癫痫跛龈跤痧跷踮蜷噎嗝痱痣痔疱疥癣瘙皲痂疖胯颧鬓眩哮膈鼾嚏盹瞌佝偻呷咯啰嗦喽哎哦噢嗯呗啦咦哟"
    "猕莓枸杞柚榴荸荠茼蒿苋莴芋豌豇藕蘑菇榛杏鳝鱿鲫鲤鳕蛤蚝饽馍饨馄饪烹焖炖炝酗碴碟匙筷奶酪麸藜嘌呤"
    "腌楂橘茯苓荞煲螃琥珀粽淇橄榄枇杷薏葚薰喱鲑莜煨涮祛孢黏瘾癖猝憔悴惚愣懵犟噘瑜伽嬉雳咔嗒"
    "毯褥袜掰捋搡撅蹭蹬踹趿跺跻蹒跚趔趄踉跄瞅瞧睁眯瞟睫咧咀嚼吮啃啄呛喷嗓喏噜嘟嘘吁"
)
_GB2312_LEVEL_2 = 0xD8  # the first byte at which level 2 begins
# Two capitals or more, digits among them: CK, MRI, HbA1c, EMG. Vitamins, and what stands on every pharmacy, are known.
_LATIN = re.compile(r"(?<![A-Za-z0-9/.])[A-Za-z]{0,2}[A-Z][A-Za-z0-9]*[A-Z0-9][A-Za-z0-9]*(?![A-Za-z])")
_KNOWN_LATIN = frozenset({"CT", "DNA", "SOS", "ICU", "AA", "QR", "WHO", "PDF", "APP", "VIP", "KTV", "SPF", "COVID"})
_VITAMIN = re.compile(r"[BDKQ]\d{0,2}")
# A word that is none after this character: 接受体检 has no 受体.
_NOT_AFTER = {"受体": "接遭承", "消融": "冰", "引流": "吸"}


def hard_words(text: str) -> Iterator[tuple[int, int]]:
    """Where a plain 简体 text has words that nine years of school do not teach: start and end, in order.

    What counts: the words of hard_words.txt, the longest at each place; Latin abbreviations; and characters beyond
    level 1 of GB 2312 that everyday life does not teach either.
    """
    covered = 0
    for found in _pattern().finditer(text):
        start, end = found.span()
        word = found[0]
        if start < covered or (start and text[start - 1] in _NOT_AFTER.get(word, "")):
            continue
        if word[0].isascii() and (word in _KNOWN_LATIN or _VITAMIN.fullmatch(word)):
            continue
        covered = end
        yield start, end


@cache
def _pattern() -> re.Pattern:
    listed = (files("yidian.zh") / "hard_words.txt").read_text("utf-8")
    words = [word for line in listed.splitlines() if not line.startswith("#") for word in line.split()]
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    rare = "".join(chr(code) for code in range(0x4E00, 0xA000) if _is_rare(chr(code)))
    return re.compile("|".join([*map(re.escape, longest_first), _LATIN.pattern, f"[{rare}]+"]))


def _is_rare(character: str) -> bool:
    try:
        return character.encode("gb2312")[0] >= _GB2312_LEVEL_2 and character not in _EVERYDAY
    except UnicodeEncodeError:
        return character not in _EVERYDAY
