"""Pinyin without tones: for addresses, the A–Z and finding by sound."""

import re
from bisect import bisect_left
from functools import cache, lru_cache

from yidian.zh.grams import runs
from yidian.zh.normalise import normalise

# Characters with one reading in medical text, whatever phrase they stand in: a reader who types 血 by its
# sound types xue, also where dictionaries give xie (吐血, 便血).
_ALWAYS = {"血": "xue", "肋": "lei", "黏": "nian", "椎": "zhui"}

# Words that pypinyin reads wrongly, or reads as their everyday homograph.
_PHRASES = {
    "大夫": "dài fū",
    "鼻塞": "bí sāi",
    "耳塞": "ěr sāi",
    "塞住": "sāi zhù",
    "着床": "zhuó chuáng",
    "剥脱": "bō tuō",
    "剥脱性": "bō tuō xìng",
    "弹响": "tán xiǎng",
    "弹响指": "tán xiǎng zhǐ",
    "弹响髋": "tán xiǎng kuān",
    "系带": "xì dài",
    "舌系带": "shé xì dài",
    "咯痰": "kǎ tán",
    "咬嚼": "yǎo jiáo",
    "嚼食": "jiáo shí",
    "嚼碎": "jiáo suì",
    "咽痛": "yān tòng",
    "粘膜": "nián mó",
    "粘液": "nián yè",
    "粘附": "nián fù",
    "玄参": "xuán shēn",
    "数脉": "shuò mài",
    "鱼刺卡": "yú cì qiǎ",
    "卡喉": "qiǎ hóu",
    "卡喉咙": "qiǎ hóu lóng",
    "卡在": "qiǎ zài",
    "头皮屑": "tóu pí xiè",
    "掉色": "diào shǎi",
    "膀胱": "páng guāng",
    "痉挛": "jìng luán",
    "骨髓": "gǔ suǐ",
    "扁桃体": "biǎn táo tǐ",
    "着凉": "zháo liáng",
    "长期": "cháng qī",
    "尿泡": "suī pāo",
}

# Every syllable of standard pinyin, ü as v, as input methods take it.
_SYLLABLES = frozenset(
    re.findall(
        r"\w+",
        """
        a ai an ang ao ba bai ban bang bao bei ben beng bi bian biao bie bin bing bo bu ca cai can
        cang cao ce cen ceng cha chai chan chang chao che chen cheng chi chong chou chu chua chuai
        chuan chuang chui chun chuo ci cong cou cu cuan cui cun cuo da dai dan dang dao de dei den
        deng di dia dian diao die ding diu dong dou du duan dui dun duo e ei en eng er fa fan fang
        fei fen feng fo fou fu ga gai gan gang gao ge gei gen geng gong gou gu gua guai guan guang
        gui gun guo ha hai han hang hao he hei hen heng hong hou hu hua huai huan huang hui hun huo
        ji jia jian jiang jiao jie jin jing jiong jiu ju juan jue jun ka kai kan kang kao ke ken
        keng kong kou ku kua kuai kuan kuang kui kun kuo la lai lan lang lao le lei leng li lia lian
        liang liao lie lin ling liu long lou lu luan lue lun luo lv ma mai man mang mao me mei men
        meng mi mian miao mie min ming miu mo mou mu na nai nan nang nao ne nei nen neng ni nian
        niang niao nie nin ning niu nong nou nu nuan nue nuo nv o ou pa pai pan pang pao pei pen
        peng pi pian piao pie pin ping po pou pu qi qia qian qiang qiao qie qin qing qiong qiu qu
        quan que qun ran rang rao re ren reng ri rong rou ru ruan rui run ruo sa sai san sang sao se
        sen seng sha shai shan shang shao she shei shen sheng shi shou shu shua shuai shuan shuang
        shui shun shuo si song sou su suan sui sun suo ta tai tan tang tao te teng ti tian tiao tie
        ting tong tou tu tuan tui tun tuo wa wai wan wang wei wen weng wo wu xi xia xian xiang xiao
        xie xin xing xiong xiu xu xuan xue xun ya yan yang yao ye yi yin ying yo yong you yu yuan
        yue yun za zai zan zang zao ze zei zen zeng zha zhai zhan zhang zhao zhe zhen zheng zhi
        zhong zhou zhu zhua zhuai zhuan zhuang zhui zhun zhuo zi zong zou zu zuan zui zun zuo
        """,
    )
)
_IN_ORDER = tuple(sorted(_SYLLABLES))
_LONGEST_SYLLABLE = 6  # zhuang
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def words(text: str) -> list[list[str]]:
    """The syllables of a text, word by word: 肌肉痉挛 CT → [["ji", "rou"], ["jing", "luan"], ["ct"]].

    Words are those of pypinyin's dictionary; what it does not group is joined in twos, which is right for
    most Chinese words and needs no segmenter. Latin words and numbers stay as one syllable.
    """
    found: list[list[str]] = []
    for run, is_han in runs(normalise(text)):
        if is_han:
            found += _han_words(run)
        else:
            found.append([run])
    return found


def syllables(text: str) -> list[str]:
    """All syllables in order, Latin words and numbers as they stand in lower case."""
    return [syllable for word in words(text) for syllable in word]


def pinyin(text: str) -> str:
    """The reading, syllables of a word together and words apart: 肌肉痉挛 → "jirou jingluan"."""
    return " ".join("".join(word) for word in words(text))


def initials(text: str) -> str:
    """The first letter of every syllable, Latin words whole: 肌肉痉挛 → "jrjl", CT检查 → "ctjc"."""
    letters = []
    for run, is_han in runs(normalise(text)):
        letters.append("".join(word[0] for word in _read(run)) if is_han else run)
    return "".join(letters)


def slugify(text: str, max_length: int = 80) -> str:
    """Words joined by hyphens, only a–z, 0–9 and hyphen: 小腿抽筋 → "xiaotui-choujin".

    Cut at a hyphen when it must be cut. Empty when nothing in the text can be written in ASCII letters:
    the caller brings its own fallback, such as an identifier.
    """
    slug = _NOT_SLUG.sub("-", pinyin(text)).strip("-")
    if len(slug) <= max_length:
        return slug
    whole_words = slug[: max_length + 1].rpartition("-")[0]
    return whole_words or slug[:max_length]


def index_letter(text: str) -> str:
    """The letter under which an A–Z lists the text, "A" to "Z"; "#" for everything else."""
    first = initials(text)[:1].upper()
    return first if first.isascii() and first.isalpha() else "#"


def split_syllables(letters: str) -> list[str] | None:
    """Typed pinyin cut into the fewest syllables: "jiroujingluan" → ji rou jing luan; else None.

    A last syllable may be unfinished ("jirouj"): it is left out.
    """
    # For each reachable end of a prefix: how many syllables it takes, and where the last one starts.
    best: dict[int, tuple[int, int]] = {0: (0, 0)}
    for end in range(1, len(letters) + 1):
        ways = [
            (best[start][0] + 1, start)
            for start in range(max(0, end - _LONGEST_SYLLABLE), end)
            if start in best and letters[start:end] in _SYLLABLES
        ]
        if ways:
            best[end] = min(ways)
    end = max(best)
    rest = letters[end:]
    if not end or (rest and not any(syllable.startswith(rest) for syllable in _SYLLABLES)):
        return None
    cut: list[str] = []
    while end:
        start = best[end][1]
        cut.append(letters[start:end])
        end = start
    return cut[::-1]


@lru_cache(maxsize=30_000)  # more than every Han character in use; a few MB
def sound(char: str) -> str:
    """How one Han character sounds to an ear that hears no tones and no zh/z, ch/c, sh/s, -ng/-n.

    Always the same for the same character, whatever stands beside it, so that sounds can be indexed;
    the character itself when it has no known reading.
    """
    return fold(_read(char)[0])


def readings(char: str) -> tuple[str, ...]:
    """The readings of one Han character that people type, the usual one first, at most three; none when unknown."""
    usual = _read(char)[0]
    if usual == char:
        return ()
    style = _pypinyin().Style.NORMAL
    others = _pypinyin().pinyin(char, style=style, heteronym=True)[0]
    plain = (reading.replace("nve", "nue").replace("lve", "lue") for reading in others)
    # A fourth reading (嗽 read shu) is known to dictionaries, not to those who type.
    return tuple(reading for reading in dict.fromkeys([usual, *plain]) if reading in _SYLLABLES)[:3]


def is_syllable(letters: str) -> bool:
    """Whether the letters are a whole syllable of standard pinyin, ü written v."""
    return letters in _SYLLABLES


def syllables_from(beginning: str) -> list[str]:
    """The syllables that begin so, in order of the alphabet."""
    low = bisect_left(_IN_ORDER, beginning)
    return list(_IN_ORDER[low : bisect_left(_IN_ORDER, beginning + "{", low)])  # "{" comes after "z"


def fold(syllable: str) -> str:
    """A syllable without the differences that southern speakers and quick typists do not make."""
    if syllable[:2] in ("zh", "ch", "sh"):
        syllable = syllable[0] + syllable[2:]
    return syllable[:-1] if syllable.endswith(("ang", "eng", "ing")) else syllable


def _han_words(run: str) -> list[list[str]]:
    read = _read(run)
    grouped: list[list[str]] = []
    at = 0
    loose: list[str] = []
    for word in _segmenter().cut(run):
        reading = read[at : at + len(word)]
        at += len(word)
        if len(word) == 1:
            loose += reading
            if len(loose) == 2:
                grouped.append(loose)
                loose = []
            continue
        if loose:
            grouped.append(loose)
            loose = []
        grouped.append(reading)
    return [*grouped, loose] if loose else grouped


def _read(run: str) -> list[str]:
    """One syllable for each character of a Han run; the character itself where none is known."""
    readings = _pypinyin().lazy_pinyin(run, errors=list)
    return [
        _ALWAYS.get(char) or reading.replace("nve", "nue").replace("lve", "lue")
        for char, reading in zip(run, readings, strict=True)
    ]


@cache
def _pypinyin():
    import pypinyin

    pypinyin.load_phrases_dict(
        {phrase: [[syllable] for syllable in reading.split()] for phrase, reading in _PHRASES.items()}
    )
    return pypinyin


@cache
def _segmenter():
    _pypinyin()
    from pypinyin.seg.mmseg import seg

    return seg
