"""Numbers that people write: temperatures, pressures, sugar, oxygen, pulse, durations, pills, ages."""

import re

_DIGIT = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
# bounded, so that a long row of digits costs no more than its length
_N = r"(?<![\d零〇一二两三四五六七八九十百])(\d{1,4}(?:\.\d)?|[零〇一二两三四五六七八九十百几半]{1,4})"
_UNITS = {"分": 1.0, "小": 60.0, "钟": 60.0, "天": 1440.0, "个": 60.0}
_TEMP = re.compile(
    r"(?<![\d.])(3[3-9]|4[0-3])(?:[.点](\d))?(\d?)(?:度(\d|[一二三四五六七八九半])?|℃|"
    r"°c?)?(?![周岁\d个天片粒元块/号分年月楼层])"
)
_TEMP_CN = re.compile(r"(三十[四五六七八九]|四十[一二]?)(?:度|点)([一二三四五六七八九半])?")
_TEMP_NEAR = re.compile(r"烧|热|温|度|℃|寒|退|高达")
_PRESSURE = re.compile(r"(?<!\d)(\d{2,3})\s*/\s*(\d{2,3})(?!\d)")
_PRESSURE_ONE = re.compile(r"(?:血压|高压|收缩压)[^\d，,。]{0,6}(\d{2,3})(?![\d/.])")
_GLUCOSE = re.compile(r"血糖[^\d，,。]{0,8}(\d{1,2}(?:\.\d+)?)(?!\d)")
_GLUCOSE_CN = re.compile(r"血糖[^\d，,。]{0,6}([一二三])点")
_SPO2 = re.compile(r"(?:血氧|氧饱和度?|饱和度)[^\d，,。]{0,6}(\d{2})(?!\d)")
_PULSE = re.compile(r"(?:心率|脉搏|心跳)[^\d，,。一二]{0,6}(\d{2,3}|一百[一二三四五六七八九]?十?)(?!\d)")
_BREATHS = re.compile(r"呼吸[^，,。]{0,6}?(\d{2}|[二三四五六七八]十)(?:多)?次")
_MINUTES = re.compile(rf"{_N}(?:多|来)?(?:个)?(?:多)?(分钟|分|小时|钟头|钟)")
_PILLS = re.compile(rf"{_N}(?:多|来)?(片|粒|颗)")
_WEEKS = re.compile(
    r"孕(\d{1,2}|[一二三四五六七八九十]+)\+?周|怀孕(\d{1,2})\+?周|(?<!\d)(\d{1,2})周(?=破水|早产|见红|胎动|产检|宫缩)"
)
_YEARS = re.compile(rf"{_N}(?:周)?岁(?:半|多)?(?![时那后烧就以]|的?时候|开始)")
_MONTHS = re.compile(
    rf"{_N}(?:个)?(?:半|多)?月(?:多)?(?:大|龄|的?(?:宝|孩|婴|娃|小孩|儿子|女儿|男|女))|(?:宝宝|孩子|婴儿|"
    rf"娃|出生|才|刚满){_N}个(?:半|多)?月"
)
_DAYS = re.compile(rf"(?:出生|生下来?|新生儿|生后)(?:才|第|刚|了)?{_N}(天|周|个?月)|{_N}(天|周)大?的?(?:宝|婴|娃|新生)")


def number(written: str) -> float:
    """十二 → 12, 半 → 0.5, 几 → 3, 一百七 → 170; digits as they stand."""
    if written[0].isdigit():
        return float(written)
    if written == "半":
        return 0.5
    if len(written) == 2 and _DIGIT.get(written[1], 0) == _DIGIT.get(written[0], 9) + 1:
        written = written[0]  # 两三, 七八: the smaller
    written = written.replace("几", "三").replace("半", "")
    if "百" in written:
        head, _, tail = written.partition("百")
        rest = number(tail) if tail else 0.0
        return _DIGIT.get(head, 1) * 100 + (rest * 10 if len(tail) == 1 and tail != "十" else rest)
    if "十" in written:
        head, _, tail = written.partition("十")
        return _DIGIT.get(head, 1) * 10 + _DIGIT.get(tail, 0)
    return float("".join(str(_DIGIT.get(each, 0)) for each in written) or 0)


def measures(text: str) -> list[tuple[str, float, int, int]]:
    """(name, value, start, end) of every measure that the text states; nothing when it has no number."""
    found: list[tuple[str, float, int, int]] = []
    for hit in _TEMP.finditer(text):
        near = text[max(0, hit.start() - 8) : hit.end() + 2]
        if _TEMP_NEAR.search(near) and "血糖" not in near and "血压" not in near:
            part = hit[2] or hit[4]
            tenth = 5 if part == "半" else number(part) if part else 0
            found.append(("temp", float(hit[1]) + tenth / 10, hit.start(), hit.end()))
    for hit in _TEMP_CN.finditer(text):
        tenth = 5 if hit[2] == "半" else number(hit[2]) if hit[2] else 0
        found.append(("temp", number(hit[1]) + tenth / 10, hit.start(), hit.end()))
    for hit in _PRESSURE.finditer(text):
        high, low = float(hit[1]), float(hit[2])
        if 50 <= high <= 300 and 20 <= low < high:
            found += [("sbp", high, hit.start(), hit.end()), ("dbp", low, hit.start(), hit.end())]
    for hit in _PRESSURE_ONE.finditer(text):
        if 40 <= float(hit[1]) <= 300:
            found.append(("sbp", float(hit[1]), hit.start(), hit.end()))
    for name, pattern in (
        ("glucose", _GLUCOSE),
        ("glucose", _GLUCOSE_CN),
        ("spo2", _SPO2),
        ("pulse", _PULSE),
        ("breaths", _BREATHS),
    ):
        found += [(name, number(hit[1]), hit.start(), hit.end()) for hit in pattern.finditer(text)]
    for hit in _MINUTES.finditer(text):
        found.append(("minutes", number(hit[1]) * _UNITS[hit[2][0]], hit.start(), hit.end()))
    for hit in _PILLS.finditer(text):
        found.append(("pills", number(hit[1]), hit.start(), hit.end()))
    for hit in _WEEKS.finditer(text):
        found.append(("weeks", number(hit[1] or hit[2] or hit[3]), hit.start(), hit.end()))
    for hit in _YEARS.finditer(text):
        found.append(("age", number(hit[1]), hit.start(), hit.end()))
    for hit in _MONTHS.finditer(text):
        found.append(("age", number(hit[1] or hit[2]) / 12, hit.start(), hit.end()))
    for hit in _DAYS.finditer(text):
        value, unit = number(hit[1] or hit[3]), (hit[2] or hit[4])[0]
        found.append(("age", value / {"天": 365.25, "周": 52.2}.get(unit, 12), hit.start(), hit.end()))
    return found
