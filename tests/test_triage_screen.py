"""Red flags in free text: what is there, what is not, where it stands, what it costs, and how good it is."""

import importlib.util
import json
import math
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from yidian.cli.bench_triage import judge
from yidian.triage import likeness
from yidian.triage.levels import urgency
from yidian.triage.rulebook import load
from yidian.triage.screen import screen

QUESTIONS = Path(__file__).parents[1] / "src" / "yidian" / "starter" / "bundle" / "questions"
SCRIPTS = Path(__file__).parents[1] / "scripts"
JUDGED = Path(__file__).parent / "data" / "red_flag_sentences.jsonl"
BOOK = load()


def level(text, **who):
    return screen(text, **who).level


def statuses(text):
    return {finding.status for finding in screen(text).findings}


@pytest.mark.parametrize(
    "text",
    [
        "我妈现在嘴歪了",
        "胸口像压了块大石头，冒冷汗",
        "不是没有胸痛，是疼得冒冷汗",
        "没有发烧，但是胸口压着疼，冒冷汗",
        "奶奶叫不醒了怎么办",
    ],
)
def test_what_is_there_now_is_an_emergency(text):
    assert level(text) == "emergency_call"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("没有胸痛", "negated"),
        ("没有发烧、抽搐、昏迷", "negated"),
        ("我爸去年抽搐过，现在都好了", "other"),
        ("我三年前晕倒过", "past"),
        ("如果突然叫不醒怎么办", "hypothetical"),
        ("怎么预防抽搐", "hypothetical"),
        ("新闻里有人跑步时突然晕倒", "other"),
    ],
)
def test_what_is_not_there_now_is_named_and_does_not_count(text, status):
    assert level(text) is None
    assert status in statuses(text)


ORDINARY = [
    "医生让我一直喝药，还要喝药多久",
    "在喝药调理，什么时候能停",
    "饭前喝药还是饭后喝药，已经喝了三天",
    "孩子感冒吃感冒药可以打针吗",
    "吃药打针都试过，没用",
    "甲钴胺、针灸哪个好，我还在吃降压药",
    "枸杞泡酒怎么喝",
    "吃了很多药都不管用",
    "癫痫病人四肢抽搐，平时吃什么好",
    "癫痫和惊厥有什么不同？",
    "快睡着时身体抽搐一下，正常吗",
    "眼皮一直抽搐怎么办",
    "被朋友拉黑了很难过",
    "孩子抽动症要吃什么药",
    "乙肝母婴截断怎么做",
    "过敏性哮喘，平时注意什么",
    "打完疫苗宝宝哭",
    "糖尿病人腿没劲怎么办",
    "小腿硬得像石头，按下去疼",
    "癫痫、破伤风、狂犬病也会吗？",
    "小腿突然痛，怎么知道是抽筋，还是血栓",
    "累得想死，想睡觉",
    "他一直在抽烟，劝不住",
    "这几天应酬特别多，胃痛",
    "背痛和脚发凉",
    "背痛，脚发凉怎么办",
    "上楼不喘，没有气短",
    "一直没意识到自己血压高",
    "每次来例假肚子疼得打滚",
    "癫痫十年了，每次发作都四肢抽搐，能治好吗",
    "我女儿前几天突然抽搐，送到医院检查，医生说是癫痫，吃什么药好",
    "抽象地说胸有成竹",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_questions_are_no_emergency(text):
    assert urgency(level(text)) < urgency("emergency")


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("老婆喝药自杀", "emergency_call"),
        ("他喝了农药", "emergency_call"),
        ("我想喝药死了算了", "emergency_call"),
        ("妈妈想不开喝药了", "emergency_call"),
        ("孩子误食降压药", "emergency"),
        ("吃了几十片安眠药", "emergency"),
        ("宝宝吞了一根针", "emergency"),
        ("女儿突然全身抽搐，应该吃什么药", "emergency_call"),
        ("四肢不由自主地抽搐，停不下来", "emergency_call"),
        ("脸部抽搐，口吐白沫，叫不醒", "emergency_call"),
        ("手指被机器截断", "emergency_call"),
        ("肚子不敢碰，一碰就疼", "emergency"),
        ("腿没劲，腰疼，尿不出来", "emergency"),
        ("孩子被老师打，身上青紫", "emergency"),
        ("过敏，喘不上气", "emergency_call"),
        ("右脚突然冰凉发白，又麻又疼", "emergency_call"),
        ("癫痫十年了，今天连着抽了三次没醒", "emergency_call"),
        ("从前胸到后背撕裂一样疼", "emergency_call"),
        ("小时候切了脾，今天烧到39度", "emergency"),
        ("生完娃第三天出院回家了，刚刚下面全是血，二十分钟湿透两片夜用", "emergency_call"),
    ],
)
def test_what_looks_like_them_and_is_one(text, least):
    assert urgency(level(text)) >= urgency(least)


def test_the_questions_of_the_starter_bundle_are_no_emergency():
    pages = [yaml.safe_load(path.read_text("utf-8").split("---")[1]) for path in sorted(QUESTIONS.glob("*.md"))]
    # the question about a throat that shuts tells of a breath that stops, and is one
    asked = [f"{page['name']}。{page.get('detail', '')}" for page in pages if page["about"] != "hou-jingluan"]
    assert len(asked) > 10
    assert [text for text in asked if urgency(level(text)) >= urgency("emergency")] == []
    assert level(asked[0] + "我妈现在嘴歪了，说话不清") == "emergency_call"


@pytest.mark.parametrize("cry", ["想死", "我想死", "好想死", "不想活", "我不想活了", "想自杀", "自杀", "活不下去了"])
def test_a_bare_cry_shows_where_help_is(cry):
    found = screen(cry)
    assert urgency(found.level) >= urgency("same_day")
    assert any("12356" in BOOK.rule(finding.rule).message for finding in found.findings if finding.status == "present")


def test_nothing_in_nothing():
    for text in ("", " ", "\u200b", "你好", "睡前怎么拉伸小腿", "血压正常，青菜多吃"):
        assert screen(text).as_dict() == {"level": None, "findings": []}


def test_age_sex_and_pregnancy_count_from_the_text_or_beside_it():
    assert urgency(level("宝宝2个月，发烧38.5")) >= urgency("emergency")
    assert urgency(level("发烧38.5", age=0.1)) >= urgency("emergency")
    assert level("发烧38.5", age=30) is None
    assert level("怀孕34周，血压165/110，头痛") == "emergency_call"
    assert level("血压165/110，头痛", pregnant=True) == "emergency_call"
    assert level("睾丸突然剧痛", sex="male") == "emergency" and level("睾丸突然剧痛", sex="female") is None


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("血糖2.8，喝了糖水还是手抖", "emergency"),
        ("抽搐了十分钟", "emergency_call"),
        ("体温40.2，胡言乱语", "emergency_call"),
        ("血压200/120，头痛，看东西花", "emergency_call"),
        ("血氧85", "emergency_call"),
        ("流鼻血半小时止不住", "emergency"),
    ],
)
def test_numbers_count(text, least):
    assert urgency(level(text)) >= urgency(least)


def test_a_span_is_in_code_points_of_the_input_whatever_was_hidden_in_it():
    text = "😀 我\u200b奶奶，叫\u200b不醒了"
    finding = screen(text).findings[0]
    start, end = finding.span
    assert text[start:end] == finding.text == "叫\u200b不醒"


def test_traditional_and_full_width_are_read_like_simplified():
    assert level("嘴歪了，說話不清楚") == level("嘴歪了，说话不清楚") == "emergency_call"
    assert level("血压２００／１２０，头痛") == "emergency_call"


@settings(max_examples=60)
@given(st.text(alphabet="胸口痛没有不发烧叫醒抽血，。 1?！突然吐我爸如果去年", max_size=80))
def test_any_text_gets_an_answer_with_spans_that_hold(text):
    found = screen(text)
    assert found == screen(text)
    for finding in found.findings:
        start, end = finding.span
        assert 0 <= start < end <= len(text) and text[start:end] == finding.text
        assert BOOK.rule(finding.rule).level == finding.level
    present = [urgency(finding.level) for finding in found.findings if finding.status == "present"]
    assert urgency(found.level) == max(present, default=0)


HOSTILE = [
    "没有胸痛" * 2500,
    "胸口" * 5000,
    "疼" * 10_000,
    "不" * 10_000,
    "1" * 10_000,
    "一" * 10_000,
    "突然右手" * 2500,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:4])
def test_a_long_hostile_text_costs_no_more_than_its_length(text):
    screen("胸痛")
    costs = []
    for part in (text[:2500], text):
        start = time.process_time()
        screen(part)
        costs.append(time.process_time() - start)
    assert costs[1] < 2 and costs[1] < 12 * costs[0] + 0.05  # four times the text; a square would be sixteen


def test_five_hundred_characters_cost_little():
    everyday = (
        "我今年三十五岁，平时工作忙，经常坐着，最近觉得小腿有点酸，晚上睡觉偶尔抽筋，想问问平时吃什么、怎么锻炼好。"
    )
    text = (everyday * 20)[:500]
    screen(text)
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(20):
            screen(text)
        rounds.append((time.process_time() - start) / 20)
    assert min(rounds) < 0.002  # an everyday text; one of red flags alone takes more: docs/benchmarks.md


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("凶口像压了块石头，冒冷汗", "胸口像压了块石头，冒冷汗"),
        ("手脚抽经，口吐白沫", "手脚抽筋，口吐白沫"),
        ("奶奶昏谜不醒", "奶奶昏迷不醒"),
        ("阿爸突然右手郁唔到，讲嘢唔清楚", "阿爸突然右手动不到，讲话不清楚"),
    ],
)
def test_what_is_misspelt_or_cantonese_is_read_as_it_is_meant(wrong, right):
    assert level(wrong) == level(right) == "emergency_call"
    found = screen(wrong).findings[0]
    assert found.text == wrong[slice(*found.span)]


def rows_of(part):
    file = JUDGED.with_name("red_flag_exam.jsonl") if part == "exam" else JUDGED
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [row for row in rows if row["part"] == part]


def test_likeness_raises_and_never_lowers(monkeypatch):
    rows = rows_of("dev")
    with_it = [screen(row["text"]) for row in rows]
    monkeypatch.setattr(likeness, "ALONE", math.inf)
    monkeypatch.setattr(likeness, "AGREES", math.inf)
    without = [screen(row["text"]) for row in rows]
    raised = [urgency(more.level) - urgency(less.level) for more, less in zip(with_it, without, strict=True)]
    assert min(raised) == 0 and max(raised) > 0
    assert not any(finding.rule == likeness.RULE for found in without for finding in found.findings)
    alike = [finding for found in with_it for finding in found.findings if finding.rule == likeness.RULE]
    assert alike and all(finding.level == likeness.LEVEL and finding.status == "present" for finding in alike)


def test_what_is_sure_counts_whatever_likeness_says_and_a_joke_falls_to_its_doubt(monkeypatch):
    sure = ["奶奶怎么叫都叫不醒，今天早上还好好的在院子里喂鸡", "婆婆喝了农药，现在在床上躺着，家里只有我一个人"]
    jest = "这两天房价高烧不退，我的钱包一直打寒战，晚上吃什么好"
    assert level(jest) is None
    for bound in ("CERTAIN", "ALONE", "AGREES", "DOUBTS", "DOUBTS_DEEPLY"):
        monkeypatch.setattr(likeness, bound, math.inf)
    assert [level(text) for text in sure] == ["emergency_call"] * 2
    for bound in ("DOUBTS", "DOUBTS_DEEPLY"):
        monkeypatch.setattr(likeness, bound, -math.inf)
    assert urgency(level(jest)) >= urgency("emergency")  # a rule does find it


def test_one_sentence_of_alarm_is_heard_among_ordinary_ones():
    ordinary = "周末带孩子去公园放风筝，回来做了红烧肉，作业还没写完，下周要开家长会，想问问怎么安排时间好。"
    assert level(ordinary * 3) is None
    assert level(ordinary + "我妈现在嘴歪了，说话不清。" + ordinary) == "emergency_call"


def test_what_is_shipped_is_what_is_learned_byte_for_byte():
    spec = importlib.util.spec_from_file_location("learn_red_flags", SCRIPTS / "learn_red_flags.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    # after a change of a sentence, a rule or the lexicon: scripts/compile_rules.py, then scripts/learn_red_flags.py
    made = script.packed(*script.learn(script.labelled(), script.ordinary()))
    assert made == likeness.LEARNED.read_text("utf-8")
    assert len(made.encode()) < 300_000


def test_stretches_cover_a_text_in_order_and_are_short():
    for row in rows_of("dev"):
        text = row["text"] * 5
        pieces = likeness.stretches(text)
        assert "".join(text[first:last] for first, last in pieces) == text
        assert max(last - first for first, last in pieces) <= likeness.LONGEST


# Never tuned on (docs/developers/red-flags.md), but for dev, which says that nothing broke. Reached: 0.984 and 0.929 on
# the held-out part, 0.948 and 0.914 on the examination; wanted: 0.97 and 0.9.
@pytest.mark.parametrize(
    ("part", "recall", "precision"), [("dev", 0.98, 0.97), ("held-out", 0.97, 0.92), ("exam", 0.94, 0.90)]
)
def test_the_judged_sentences(part, recall, precision):
    judged = judge(rows_of(part))
    assert judged["recall"] >= recall and judged["precision"] >= precision
