"""The terms that a text names, in whatever words: 抽筋 and 痉挛 are one."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from operator import add
from typing import NamedTuple

from yidian.zh.aligned import align

# Everyday words that hold the one character of a body part and do not speak of it. They only stop that
# reading: 头孢 says nothing about the head, 不足 nothing about the feet.
_NOT_THE_PART = frozenset(
    """
    头孢 罐头 馒头 开头 里头 外头 后头 前头 念头 骨头 舌头 枕头 码头 点头 回头 老头 奶头 龟头 乳头 石头 苗头 镜头 拳头
    指头 头绪 头条 起头 口头 巨头 街头 年头 劲头 床头 手头 头一 头天 头几 头胎 头次 到头 锄头 木头 芋头 插头 源头 案头
    手机 手术 对手 手续 手段 手法 动手 着手 手册 入手 分手 手工 手淫 选手 助手 凶手 新手 高手 下手 随手 亲手 二手 手游
    手感 歌手 水手 手把 人手 手表 手边 放手 住手 插手 手持 手写
    担心 放心 小心 中心 点心 关心 心情 恶心 心理 耐心 信心 粗心 热心 心里 开心 伤心 操心 空心 心得 心态 核心 安心 细心
    心想 心疼 甘心 闹心 烦心 决心 良心 爱心 贴心 心愿 用心 心机 心烦 专心 分心 同心 好心 心灵 心意 掌心 手心 脚心
    夹心 背心 灰心 心思 糟心 揪心 诚心 存心 离心 向心 偏心 实心 耳朵 省心 真心 违心 无心 有心 心酸 心甘 心急 心累
    口服 伤口 人口 胃口 出口 入口 进口 口味 窗口 切口 创口 门口 口径 借口 接口 口诀 口感 裂口 疮口 刀口 缺口 路口 口罩
    口腔 口才 口碑 口红 口述 口头 户口 港口 关口 口袋 口令 瘘口 吻合口 开口 海口 口吃 宫口 口语
    眼镜 心眼 一眼 肚脐眼 屁眼 眼下 眼前 眼光 亲眼 眼看 起眼 转眼 眼神 扎眼 针眼 毛眼 鸡眼 眼里 字眼 耳眼 肛眼
    背景 违背 背后 背叛 背着 背书 背包 背心 手背 脚背 背诵 后背 背部 足背
    电脑 大脑 小脑 脑袋 脑子 脑白金 樟脑 头脑 脑海
    胸怀 胸有成竹 心胸 木耳 银耳 耳机 耳光 耳钉 耳环 脾气 胆固醇 胆小 大胆 胆碱 胆量 胆红素 胆敢 胆汁
    皮蛋 橘皮 陈皮 调皮 皮鞋 皮带 皮质 皮肤 桂皮 地皮 橡皮 皮球 脑皮 皮炎 头皮 包皮 表皮 脸皮 俏皮 皮试 皮下 皮脂 皮革
    脚本 阵脚 脚步 手脚 山脚 脚跟 不足 充足 足够 满足 足球 足月 十足 足以 足足 足疗 远足 立足 足量 补足 知足 足底
    牙膏 牙签 牙刷 爪牙 月牙 牙齿 豆腐脑 牙线 牙具 香肠 腊肠 火腿 狗腿 鸡腿 羊腿 猪腿 腿子 鸭腿 猪肝 鸡肝 鸭肝 羊肝 牛肝
    猪肺 猪心 猪腰 猪肚 羊肚 牛肚 猪脑 鸡心 猪蹄 猪手 猪脚 凤爪 猪肾 鼻祖 嘴巴 嘴唇 奶嘴 嘴硬 插嘴 张嘴 烟嘴 贪嘴
    肩负 并肩 颈椎 宫颈 瓶颈 子宫颈 膝盖 腰果 山腰 腰带 腰子 腰围 骨气 骨干 排骨 骨肉 腹地 空腹 肺腑 肾上腺 肝素 心电图
    舌战 喉舌 面部 面包 面条 面粉 方面 里面 外面 上面 下面 前面 后面 表面 全面 平面 面积 面对 面临 见面 对面 面前 面食
    体面 当面 见面 界面 切面 侧面 正面 反面 负面 面试 面霜 面膜 面子 书面 地面 路面 水面 断面 面向 面目 层面 片面 双面
    四肢 血清 血糖 血压 血脂 血型 血管 血栓 血红 血小板
    """.split()  # noqa: SIM905 - a list of 300 strings would be a page of quotes
)

# 2型 and 二型, 3期 and Ⅲ期: one name is written with all of them.
_DEGREE = re.compile("([1-4一二三四]|i{1,3}|iv)(?=[型度期级])")
_NUMERALS = ({"1", "一", "i"}, {"2", "二", "ii"}, {"3", "三", "iii"}, {"4", "四", "iv"})


class Term(NamedTuple):
    """One term: its slug, standard name, category and other names.

    `broader` is the slug of the term that it is a kind of, if any. `descriptions` are how patients describe it, and
    words that mean several things: no names of it, so only `linking` reads them.
    """

    slug: str
    name: str
    category: str
    alternate_names: tuple[str, ...]
    broader: str = ""
    descriptions: tuple[str, ...] = ()


class Mention(NamedTuple):
    """A term named in a text: [start, end) in code points of the text, and the surface as written there.

    `how`: "name" for the standard name, "alternate" for another name, "inside" when it stands inside a longer
    mention (抽筋 inside 小腿抽筋).
    """

    start: int
    end: int
    slug: str
    name: str
    category: str
    surface: str
    how: str


class Lexicon:
    """Finds terms by any of their names. About 0.1 ms for 500 characters, whatever the number of names."""

    def __init__(self, groups: Iterable[Sequence]):
        """From rows like `Term`, of which the last two values may be left out; rows with the same slug are one term."""
        self.terms: dict[str, Term] = {}
        for row in groups:
            term = Term(*row)
            names = dict.fromkeys(term.alternate_names)
            held = self.terms.get(term.slug)
            if held is not None:
                names = dict.fromkeys([*held.alternate_names, term.name, *names])
                term = held
            names.pop(term.name, None)
            self.terms[term.slug] = term._replace(alternate_names=tuple(names), descriptions=tuple(term.descriptions))
        self.slugs_by_name: dict[str, list[str]] = {}
        for term in self.terms.values():
            for name in (term.name, *term.alternate_names):
                for form in _spellings(align(name).form.strip()):
                    slugs = self.slugs_by_name.setdefault(form, [])
                    if term.slug not in slugs:
                        slugs.append(term.slug)
        self._standard = {slug: _spellings(align(term.name).form.strip()) for slug, term in self.terms.items()}
        known = self.slugs_by_name.keys() | _NOT_THE_PART
        self._single = {name for name in known if len(name) == 1}
        lengths: dict[str, set[int]] = {}
        for name in known:
            if len(name) > 1:
                lengths.setdefault(name[:2], set()).add(len(name))
        self._lengths = {head: tuple(sorted(found, reverse=True)) for head, found in lengths.items()}

    def find(self, text: str) -> list[Mention]:
        """All terms named in the text, in order, the longer before those inside it.

        A Latin name counts only as a whole word. Inside a longer name stand only names of two characters or
        more, and the body part of a symptom or disease (腿 in 腿抽筋); a term is not reported inside itself.
        """
        aligned = align(text)
        form = aligned.form
        mentions: list[Mention] = []
        for start, end, outer in self._matches(form):
            for slug in self.slugs_by_name.get(form[start:end], ()):
                if not self._counts(slug, start, end, outer, form):
                    continue
                term = self.terms[slug]
                how = "name" if form[start:end] in self._standard[slug] else "alternate"
                if any(self.slugs_by_name.get(form[s:e]) for s, e in outer):
                    how = "inside"
                begin, stop = aligned.span(start, end)
                mentions.append(Mention(begin, stop, slug, term.name, term.category, text[begin:stop], how))
        return mentions

    def concepts(self, text: str) -> list[str]:
        """The slugs of the terms that the text names, each once, in order: what a document is indexed under."""
        return list(dict.fromkeys(mention.slug for mention in self.find(text)))

    def speaks_of(self, text: str, slugs: AbstractSet[str]) -> set[str]:
        """Those of the slugs whose terms the text names, as `concepts` has them; a tenth of its price where none is."""
        form = align(text).form
        possible = {slug for slug in slugs if any(name in form for name in self._spelt.get(slug, ()))}
        return possible & set(self.concepts(text)) if possible else possible

    def named(self, form: str) -> list[Term]:
        """The terms that have exactly this name, given in the form of `zh.aligned`."""
        return [self.terms[slug] for slug in self.slugs_by_name.get(form, ())]

    @cached_property
    def described(self) -> frozenset[str]:
        """All descriptions in the form of `zh.aligned`: words that are right as they stand, though no names."""
        return frozenset(align(words).form.strip() for term in self.terms.values() for words in term.descriptions)

    @cached_property
    def _spelt(self) -> dict[str, list[str]]:
        spelt: dict[str, list[str]] = {}
        for name, slugs in self.slugs_by_name.items():
            for slug in slugs:
                spelt.setdefault(slug, []).append(name)
        return spelt

    @cached_property
    def other_names(self) -> dict[str, list[str]]:
        """For each slug all names in the form of `zh.aligned`, the standard one first."""
        return {
            term.slug: list(dict.fromkeys(align(name).form.strip() for name in (term.name, *term.alternate_names)))
            for term in self.terms.values()
        }

    def _matches(self, form: str) -> list[tuple[int, int, list[tuple[int, int]]]]:
        """Every known name in the form as [start, end), with the longer ones it stands inside."""
        found: list[tuple[int, int]] = []
        known, lengths_of = self.slugs_by_name, self._lengths
        for start, head in enumerate(map(add, form, form[1:] + " ")):
            for length in lengths_of.get(head, ()):
                name = form[start : start + length]
                if len(name) == length and (name in known or name in _NOT_THE_PART):
                    found.append((start, start + length))
            if head[0] in self._single:
                found.append((start, start + 1))
        whole = [(start, end) for start, end in found if _is_whole(form, start, end)]
        matches = []
        open_ones: list[tuple[int, int]] = []
        for start, end in whole:  # by start, longest first
            open_ones = [span for span in open_ones if span[1] > start]
            matches.append((start, end, [span for span in open_ones if span[1] >= end]))
            open_ones.append((start, end))
        return matches

    def _counts(self, slug: str, start: int, end: int, outer: list[tuple[int, int]], form: str) -> bool:
        if not outer:
            return True
        holders = [self.slugs_by_name.get(form[s:e], ()) for s, e in outer]
        if any(slug in slugs for slugs in holders):
            return False
        if end - start > 1:
            return True
        return self.terms[slug].category == "body_part" and all(
            any(self.terms[holder].category in ("symptom", "disease") for holder in slugs) for slugs in holders
        )


def _is_whole(form: str, start: int, end: int) -> bool:
    """Whether the match does not begin or end inside a Latin word or number."""
    if start and _is_letter(form[start]) and _is_letter(form[start - 1]):
        return False
    return not (end < len(form) and _is_letter(form[end]) and _is_letter(form[end - 1]))


def _is_letter(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _spellings(form: str) -> set[str]:
    """The name; with its type or degree in each numeral; an English name in the plural. None for an empty name."""
    if form.isascii():
        return {form, f"{form}s"} if len(form) > 3 and form[-1].isalpha() else {form} - {""}
    found = _DEGREE.search(form)
    if not found:
        return {form}
    same = next(numerals for numerals in _NUMERALS if found.group() in numerals)
    return {f"{form[: found.start()]}{numeral}{form[found.end() :]}" for numeral in same}
