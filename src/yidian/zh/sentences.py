"""Sentences, excerpts, plain text, and text for a voice."""

import html
import re

from yidian.zh.normalise import clean

_SENTENCE = re.compile(r"[^。！？!?…\n]*(?:(?:[。！？!?]|…+)+[”’」』）)\"']*|\n+|\Z)|[^\n]+")
_CLAUSE_ENDS = "，、；：,;:。！？!?）)"
_SPACE = re.compile(r"\s+")

# Blocks end a line; everything else in our limited rich text is inline.
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_BLOCK_END = re.compile(
    r"<(?:br|hr)\b[^<>]*>|</?(?:p|h[1-6]|li|ul|ol|dl|dt|dd|div|section|blockquote|table|tr|figure|figcaption)\b[^<>]*>",
    re.IGNORECASE,
)
_CELL_END = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")


def plain(markup: str) -> str:
    """The text of our limited rich text: one line a block, no markup, entities resolved."""
    text = _HIDDEN.sub("", markup)
    text = _CELL_END.sub(" ", _BLOCK_END.sub("\n", text))
    text = clean(html.unescape(_TAG.sub("", text)))
    lines = (_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def sentences(text: str) -> list[str]:
    """The sentences of plain text with their closing punctuation and quotes; a line end also ends one.

    A full stop in ASCII does not end a sentence: it stands in numbers and abbreviations.
    """
    found = (_SPACE.sub(" ", sentence).strip() for sentence in _SENTENCE.findall(text))
    return [sentence for sentence in found if sentence]


def excerpt(text: str, limit: int = 90) -> str:
    """The first sentences, at most `limit` characters, cut at the end of a sentence or else of a clause.

    Ends in … only when a sentence had to be cut.
    """
    whole = sentences(text)
    taken = ""
    for sentence in whole:
        if len(taken) + len(sentence) > limit:
            break
        taken += sentence
    if taken or not whole:
        return taken
    start = whole[0][: max(limit - 1, 0)]
    cut = max(start.rfind(mark) for mark in _CLAUSE_ENDS)
    # A clause end in the first third would leave too little to understand.
    if cut >= limit // 3:
        start = start[:cut]
    return start.rstrip(_CLAUSE_ENDS + " ") + "…"


# A raised figure after a letter or a digit is a power: m², 10⁹/L.
_FOOTNOTE = re.compile(r"\s*(?:\[\d{1,3}(?:\s*[,，、–-]\s*\d{1,3})*\]|［\d{1,3}］|(?<![A-Za-z0-9])[¹²³⁴⁵⁶⁷⁸⁹⁰]+)")
_NUMBER = r"\d+(?:\.\d+)?"
_UNIT_NAMES = {
    "mg": "毫克",
    "g": "克",
    "kg": "千克",
    "μg": "微克",
    "µg": "微克",
    "ug": "微克",
    "mcg": "微克",
    "ng": "纳克",
    "ml": "毫升",
    "dl": "分升",
    "l": "升",
    "mm": "毫米",
    "cm": "厘米",
    "m": "米",
    "km": "千米",
    "mmol": "毫摩尔",
    "μmol": "微摩尔",
    "µmol": "微摩尔",
    "mmhg": "毫米汞柱",
    "kpa": "千帕",
    "kcal": "千卡",
    "kj": "千焦",
    "iu": "国际单位",
    "h": "小时",
    "min": "分钟",
    "s": "秒",
    "d": "天",
    "℃": "摄氏度",
    "°c": "摄氏度",
}
_UNITS = "|".join(sorted(map(re.escape, _UNIT_NAMES), key=len, reverse=True))
_MEASURE = re.compile(
    rf"(?P<number>{_NUMBER})\s*(?P<unit>{_UNITS})(?:\s*/\s*(?P<per>{_UNITS}))?(?P<square>²|\^2)?(?P<tail>(?:\s*/\s*[次日天周月年])?)"
    r"(?![A-Za-z])",
    re.IGNORECASE,
)
# An ASCII hyphen is a range only between short numbers that stand alone: 12-14, never a telephone number.
_RANGE = re.compile(
    rf"({_NUMBER})\s*(%|{_UNITS})?\s*(?:–|—|~|～)\s*(?={_NUMBER})"
    r"|(?<![\d.A-Za-z-])(\d{1,3}(?:\.\d+)?)-(?=\d{1,3}(?:\.\d+)?(?![\d.]*-|\d))",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b")
_PERCENT = re.compile(rf"({_NUMBER})\s*[%％]")
_PERCENT_RANGE = re.compile(rf"({_NUMBER})\s*[%％]?\s*到\s*({_NUMBER})\s*[%％]")
_SIGNS = (
    (re.compile(r"(?:≥|⩾|>=|≧)\s*(?=\d)"), "大于等于"),
    (re.compile(r"(?:≤|⩽|<=|≦)\s*(?=\d)"), "小于等于"),
    (re.compile(rf"[>＞]\s*(?={_NUMBER}\s*(?:℃|°C|摄氏度))"), "高于"),
    (re.compile(rf"[<＜]\s*(?={_NUMBER}\s*(?:℃|°C|摄氏度))"), "低于"),
    (re.compile(r"[>＞]\s*(?=\d)"), "大于"),
    (re.compile(r"[<＜]\s*(?=\d)"), "小于"),
    (re.compile(r"(?<=\d)\s*±\s*(?=\d)"), "加减"),
    (re.compile(r"±\s*(?=\d)"), "正负"),
    (re.compile(r"(?<!\d)−\s*(?=\d|百分之)"), "负"),
    (re.compile(r"(?<=[\da-z])\s*[×✕]\s*(?=\d)"), "乘"),
    (re.compile(r"≈\s*"), "约"),
    (re.compile(r"↑+"), "升高"),
    (re.compile(r"↓+"), "降低"),
    (re.compile(r"\s*(?:→|⇒|=>|->)\s*"), "，"),
    (re.compile(r"(?<=[\u3400-\u9fff])\s*/\s*(?=[\u3400-\u9fff])"), "或"),
)
_CIRCLED = {code: str(code - 0x2460 + 1) + " " for code in range(0x2460, 0x2474)}
_BULLET = re.compile(r"(?m)^\s*(?:[-*+•·●○■□▪◆◇▶►✓✔✗✘☑☐※]\s*)+")
# Emoji, dingbats, arrows that are left, geometric shapes, variation selectors.
_PICTURE = re.compile("[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\ufe00-\ufe0f\U0001f000-\U0001faff※]")


def read_aloud(text: str) -> str:
    """Plain text as a voice should say it: signs and units in words, no footnotes or pictures.

    体温 > 40 ℃ [1] → 体温高于40摄氏度; 10–20 mg → 10到20毫克; 30% → 百分之30; ①休息 → 1 休息.
    No number ever changes.
    """
    text = _BULLET.sub("", clean(text).translate(_CIRCLED))
    text = _FOOTNOTE.sub("", text)
    text = _DATE.sub(r"\1年\2月\3日", text)
    text = _RANGE.sub(lambda found: f"{found[1] or found[3]}{found[2] or ''}到", text)
    text = _PERCENT_RANGE.sub(r"百分之\1到百分之\2", text)
    text = _PERCENT.sub(r"百分之\1", text)
    for sign, word in _SIGNS:
        text = re.sub(rf"\s*{sign.pattern}", word, text)
    text = _MEASURE.sub(_say_measure, text)
    text = _PICTURE.sub("", text)
    return "\n".join(re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n")).strip()


def _say_measure(found: re.Match) -> str:
    unit, per = found["unit"], found["per"]
    # 3D, 5G and 4S are names, not measures; only the litre is also written in upper case.
    if len(unit) == 1 and unit.isupper() and unit != "L":
        return found[0]
    named = [_UNIT_NAMES[unit.lower()]] + ([_UNIT_NAMES[per.lower()]] if per else [])
    if found["square"]:
        named[-1] = "平方" + named[-1]
    if found["tail"]:
        named.append(found["tail"].replace("/", "").strip())
    return found["number"] + "每".join(named)
