"""Terms in texts, misspelt and typed words, and what a query wants, for any text at all."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipped_vocabulary import lexicon, speller

from yidian.search.asking import INTENTS
from yidian.search.lexicon import Lexicon
from yidian.search.linking import link
from yidian.search.spelling import Speller
from yidian.search.understanding import understand
from yidian.zh.aligned import align

ROWS = [
    ("jirou-jingluan", "肌肉痉挛", "symptom", ["抽筋", "转筋", "muscle cramp"]),
    ("xiaotui-choujin", "小腿抽筋", "symptom", ["腿肚子抽筋"]),
    ("body_part:xiaotui", "小腿", "body_part", []),
    ("body_part:tui", "腿部", "body_part", ["腿"]),
    ("body_part:tou", "头部", "body_part", ["头"]),
    ("erxing-tangniaobing", "2型糖尿病", "disease", ["T2DM"]),
    ("tangniaobing", "糖尿病", "disease", ["diabetes", "消渴"]),
    ("toutong", "头痛", "symptom", ["头疼"]),
    ("naogengsi", "脑梗死", "disease", ["中风"]),
    ("mianshenjing", "周围性面瘫", "disease", ["中风"]),
    ("ct", "CT检查", "test", ["CT"]),
]
SMALL = Lexicon(ROWS)


def slugs(text):
    return [mention.slug for mention in SMALL.find(text)]


# Lexicon


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("小腿抽筋怎么办", ["xiaotui-choujin", "body_part:xiaotui", "jirou-jingluan"]),
        ("小腿总是抽筋", ["body_part:xiaotui", "jirou-jingluan"]),
        ("肌肉痙攣", ["jirou-jingluan"]),
        ("Ⅱ型糖尿病", ["erxing-tangniaobing", "tangniaobing"]),
        ("二型糖尿病", ["erxing-tangniaobing", "tangniaobing"]),
        ("Ｍｕｓｃｌｅ\u3000 CRAMPS", ["jirou-jingluan"]),
        ("做了CT没事", ["ct"]),
        ("中风", ["naogengsi", "mianshenjing"]),
        ("头疼", ["toutong", "body_part:tou"]),
        ("我头昏", ["body_part:tou"]),
    ],
)
def test_terms_are_found_in_whatever_words(text, found):
    assert slugs(text) == found


@pytest.mark.parametrize("text", ["", "头孢", "枕头", "CTA", "octopus", "muscle cramping", "机筋", "🦵"])
def test_what_only_looks_like_a_term_is_none(text):
    assert slugs(text) == []


def test_documents_and_queries_meet_in_a_concept():
    assert set(SMALL.concepts("腓肠肌痉挛即小腿转筋")) & set(SMALL.concepts("抽筋")) == {"jirou-jingluan"}


def test_spans_are_those_of_the_text_as_written():
    text = "\u200b我的　　肌\u200b肉痙攣，２型糖尿病"
    assert [text[found.start : found.end] for found in SMALL.find(text)] == ["肌\u200b肉痙攣", "２型糖尿病", "糖尿病"]
    assert [found.how for found in SMALL.find(text)] == ["name", "name", "inside"]


def test_rows_with_one_slug_are_one_term():
    twice = Lexicon([("a", "感冒", "disease", ["伤风"]), ("a", "普通感冒", "disease", ["着凉"], "b")])
    assert twice.terms["a"] == ("a", "感冒", "disease", ("伤风", "普通感冒", "着凉"), "", ())


# Spelling


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("痉孪", "痉挛"),
        ("抽经", "抽筋"),
        ("高皿压", "高血压"),
        ("糖料病能吃西瓜吗", "糖尿病"),
        ("心机梗死", "心肌梗死"),
        ("膀光炎", "膀胱炎"),
        ("偏头通", "偏头痛"),
        ("荨麻诊", "荨麻疹"),
        ("扁体桃炎", "扁桃体炎"),
        ("带疱状疹", "带状疱疹"),
        ("肺结合", "肺结核"),
        ("migrane", "migraine"),
        ("hypertention", "hypertension"),
    ],
)
def test_a_misspelt_term_is_corrected(query, meant):
    understood = understand(query, lexicon(), speller())
    assert [one.replacement for one in understood.corrections] == [meant]
    assert query.replace(understood.corrections[0].original, meant) == understood.rewrites[0].text
    assert understood.terms


@pytest.mark.parametrize(
    "query",
    [
        "高血压",
        "脚麻",
        "鸡肉能吃吗",
        "试试",
        "医治",
        "我家孩子不爱说话",
        "几针疫苗",
        "月经推迟",
        "防止复发",
        "血压的标准",
    ],
)
def test_what_is_right_is_left_alone(query):
    assert understand(query, lexicon(), speller()).corrections == []


@pytest.mark.parametrize(
    ("query", "rewritten"),
    [
        ("jirou jingluan", "肌肉痉挛"),
        ("jiroujingluan", "肌肉痉挛"),
        ("JiRou JingLuan", "肌肉痉挛"),
        ("jirou jingl", "肌肉痉挛"),
        ("jrjl", "肌肉痉挛"),
        ("xiaotuichoujin", "小腿抽筋"),
        ("xiaotui cj", "小腿抽筋"),
        ("小腿cj", "小腿抽筋"),
        ("小腿choujin", "小腿抽筋"),
        ("dtcj", "大腿抽筋"),
        ("tangliaobing", "糖尿病"),
        ("gaoxieya", "高血压"),
        ("tou teng", "头疼"),
        ("fasao", "发烧"),
        ("naduzi", "拉肚子"),
        ("jzb", "颈椎病"),
        ("tnb chi shenme", "糖尿病吃什么"),
        ("haizi fashao zenme ban", "孩子发烧怎么办"),
        ("xinzangbing zenme yufang", "心脏病怎么预防"),
        ("ct jiancha", "ct 检查"),
    ],
)
def test_typed_letters_are_read_as_chinese(query, rewritten):
    understood = understand(query, lexicon(), speller())
    assert rewritten in [rewrite.text for rewrite in understood.rewrites][:3]
    assert understood.terms or understood.body_parts


@pytest.mark.parametrize(
    "query", ["COPD", "CT", "muscle cramp", "what is this", "can i eat", "http://", "x", "12", "qqq", "zzzz"]
)
def test_other_letters_are_not(query):
    assert understand(query, lexicon(), speller()).rewrites == []


@pytest.mark.parametrize(
    ("query", "probable"),
    [("dtjc", "大腿抽筋"), ("xtcj", "小腿抽筋"), ("ct", "ct"), ("小腿抽经", "小腿抽筋"), ("抽血经过", "抽血经过")],
)
def test_letters_that_can_be_read_and_sure_corrections_are_what_was_probably_meant(query, probable):
    assert understand(query, lexicon(), speller()).probable == probable


def test_a_speller_is_the_same_after_a_file(tmp_path):
    path = tmp_path / "speller"
    speller().save(path)
    again = Speller.load(path)
    again.save(tmp_path / "again")
    assert path.read_bytes() == (tmp_path / "again").read_bytes()
    for query in ("小腿抽经", "jrjl", "choujin zenmeban"):
        assert understand(query, lexicon(), again) == understand(query, lexicon(), speller())


@pytest.mark.parametrize("content", [b"", b"{}", b"{}\n", b"[]\n", b'{"terms":[],"names":[],"keys":[]}\nyidian'])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "speller"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        Speller.load(path)


def test_a_site_without_texts_or_terms_has_a_speller_too():
    empty = Speller.build([], [])
    assert understand("小腿抽经 jrjl", Lexicon([]), empty).terms == []


# Understanding


@pytest.mark.parametrize(
    ("query", "intent"),
    [
        ("小腿抽筋是什么原因引起的", "cause"),
        ("为什么会头疼", "cause"),
        ("我妈头晕是咋回事", "cause"),
        ("抽筋怎么办", "treatment"),
        ("小腿半夜抽经了咋办", "treatment"),
        ("choujin zenmeban", "treatment"),
        ("糖尿病有哪些症状", "symptom"),
        ("糖尿病能吃西瓜吗", "diet"),
        ("痛风吃什么好", "diet"),
        ("感冒吃什么药", "drug"),
        ("怎么预防中风", "prevention"),
        ("脂肪肝严重吗", "danger"),
        ("甲亢要做什么检查", "test"),
        ("头晕挂什么科", "department"),
        ("发烧什么时候要去医院", "when_to_see_doctor"),
        ("肌肉痉挛", None),
    ],
)
def test_what_is_wanted(query, intent):
    assert understand(query, lexicon(), speller()).intent == intent
    assert intent is None or intent in INTENTS


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ("请问医生，小腿抽筋怎么办呢？", "小腿抽筋"),
        ("头疼是什么原因引起的", "头疼"),
        ("肌肉痉挛", "肌肉痉挛"),
        ("怎么办", "怎么办"),
        ("？？？", "???"),
    ],
)
def test_content_is_the_query_without_what_every_question_has(query, content):
    assert understand(query, lexicon(), speller()).content == content


def test_terms_parts_and_people_are_told_apart():
    understood = understand("孕妇小腿抽筋", lexicon(), speller())
    assert (understood.terms[0], understood.body_parts) == ("小腿痉挛", ["小腿"])
    assert "孕妇" in understood.populations


def test_of_an_account_the_telling_sentences_remain():
    account = (
        "你好，我是一名教师，平时工作很忙，周末也常常加班，家里还有老人要照顾，一直没有时间去医院看看。"
        "上个月带学生去春游，那天天气很好，大家都玩得很开心，回来以后也没有觉得哪里不对。"
        "最近半夜小腿抽筋，疼得睡不着。我老公说没事，让我多休息，可是我还是不放心，所以来这里问一问大家。请问是缺钙吗？"
    )
    understood = understand(account, lexicon(), speller())
    assert "小腿抽筋" in understood.content
    assert "缺钙" in understood.content
    assert "春游" not in understood.content
    assert len(understood.content) <= 120


ANYTHING = st.text(max_size=200) | st.text(
    st.sampled_from("小腿抽筋经痉孪挛糖尿病tcjxiaou 　，。？\u200b\ud800🦵'\"<>&%_-*0"), max_size=60
)


@given(ANYTHING)
@settings(max_examples=300)
def test_any_text_is_understood(text):
    understood = understand(text, lexicon(), speller())
    for found in [*understood.mentions, *understood.corrections]:
        assert 0 <= found.start < found.end <= len(text)
    for mention in understood.mentions:
        assert mention.surface == text[mention.start : mention.end]
        assert mention.slug in lexicon().terms
    for one in understood.corrections:
        assert one.original == text[one.start : one.end]
        assert 0 < one.confidence <= 1
    spans = [(one.start, one.end) for one in understood.corrections]
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert bool(understood.content) == bool(understood.normal)
    assert understood == understand(text, lexicon(), speller())
    assert all(0 < rewrite.weight <= 1 and rewrite.text != text for rewrite in understood.rewrites)


@given(
    st.lists(st.sampled_from(["二型糖尿病", "T2DM", "嗜睡", "手", "脚趾抽筋", "腿", "头", "，", "孢", "机", "dm"])).map(
        "".join
    )
)
@settings(max_examples=200)
def test_whether_a_text_speaks_of_some_terms_is_what_all_its_terms_say(text):
    named = set(lexicon().concepts(text))
    parts = {slug for name in ("手", "头", "腿", "脚趾") for slug in lexicon().slugs_by_name[name]}
    asked = parts | set(list(lexicon().terms)[::7]) | set(list(named)[::2])
    assert lexicon().speaks_of(text, asked) == named & asked
    assert lexicon().speaks_of(text, named) == named


@given(ANYTHING)
@settings(max_examples=200)
def test_the_matching_form_is_stable_and_keeps_its_places(text):
    aligned = align(text)
    assert align(aligned.form).form == aligned.form
    places = [aligned.span(at, at + 1) for at in range(len(aligned.form))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)


@given(ANYTHING)
@settings(max_examples=100)
def test_a_corrected_text_needs_no_correction_there(text):
    """What was corrected is a term, so that it is not corrected again."""
    for rewrite in understand(text, lexicon(), speller()).rewrites:
        if rewrite.why == "typo":
            assert lexicon().find(rewrite.text)


@given(ANYTHING)
@settings(max_examples=100)
def test_any_text_is_linked_to_known_terms_best_first(text):
    linked = link(text, lexicon(), speller())
    assert len(linked) <= 10
    assert [score for _, score in linked] == sorted((score for _, score in linked), reverse=True)
    assert len({slug for slug, _ in linked}) == len(linked)
    assert all(slug in lexicon().terms and 0 <= score <= 1 for slug, score in linked)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        "xian" * 2_500,
        "a b " * 2_500,
        "抽" * 10_000,
        "小腿抽经" * 2_500,
        "'; DROP TABLE search_name; --",
        "<script>alert(1)</script>" * 400,
        "\ud800" * 10_000,
        "\x00\x01\x02抽筋",
        'AND OR NOT * ( ) " : ~ ^',
        "ﷺ" * 10_000,
        "①②③" * 3_000,
    ],
)
def test_hostile_texts_take_bounded_time(text):
    start = time.process_time()
    understand(text, lexicon(), speller())
    # 0.3 s is what a whole page may take; on the slowest of these it took 0.1 s.
    assert time.process_time() - start < 1
