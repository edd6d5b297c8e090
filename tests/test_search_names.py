"""Finding titles and alternative names by what readers type."""

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from yidian.search.actions import MAX_NAMES, index_names, remove_names
from yidian.search.find import CANDIDATES, MAX_LIMIT, find, suggest
from yidian.search.models import Name, NameGram
from yidian.search.named import names_hold, pack_asked, pack_names

ENTRIES = [
    ("肌肉痉挛", ["抽筋", "肌肉抽筋", "muscle cramp"]),
    ("小腿抽筋", ["腓肠肌痉挛", "腿抽筋"]),
    ("面肌痉挛", ["HFS"]),
    ("深静脉血栓", ["DVT", "deep vein thrombosis"]),
    ("高血压", ["hypertension"]),
    ("大腿肌肉痉挛的主要原因", []),
    ("偏头痛", ["migraine"]),
    ("脑梗死", ["脑梗塞", "中风"]),
    ("小腿水肿", []),
    ("鼻塞", []),
    ("C反应蛋白", ["CRP"]),
]


@pytest.fixture
def entries(db):
    for number, (title, names) in enumerate(ENTRIES):
        index_names("condition", number, f"/conditions/{number}/", title, names)


def titles(query, **options):
    return [item.title for item in find(query, **options)]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("肌肉痉挛", "肌肉痉挛"),
        ("肌肉痙攣", "肌肉痉挛"),
        (" 肌肉 痉挛？", "肌肉痉挛"),
        ("腓肠肌痉挛", "小腿抽筋"),
        ("大腿肌肉", "大腿肌肉痉挛的主要原因"),
        ("血栓", "深静脉血栓"),
        ("jiroujingluan", "肌肉痉挛"),
        ("jirou jingluan", "肌肉痉挛"),
        ("JiRou", "肌肉痉挛"),
        ("jingmai", "深静脉血栓"),
        ("bisai", "鼻塞"),
        ("jrjl", "肌肉痉挛"),
        ("xtcj", "小腿抽筋"),
        ("小腿cj", "小腿抽筋"),
        ("小腿chou", "小腿抽筋"),
        ("小腿抽经", "小腿抽筋"),
        ("肌肉痉孪", "肌肉痉挛"),
        ("脑埂死", "脑梗死"),
        ("小腿抽箭", "小腿抽筋"),
        ("小腿抽大筋", "小腿抽筋"),
        ("深静血栓", "深静脉血栓"),
        ("高皿压", "高血压"),
        ("抽筋 小腿", "小腿抽筋"),
        ("抽筋小腿", "小腿抽筋"),
        ("半夜小腿抽筋怎么办", "小腿抽筋"),
        ("医生说我有DVT怎么治", "深静脉血栓"),
        ("Muscle Cramp", "肌肉痉挛"),
        ("cramp", "肌肉痉挛"),
        ("muscel cramp", "肌肉痉挛"),
        ("migrane", "偏头痛"),
        ("hypertention", "高血压"),
        ("栓", "深静脉血栓"),
    ],
)
def test_found_first(entries, query, first):
    assert titles(query)[0] == first


@pytest.mark.parametrize("query", ["糖尿病", "tangniaobing", "tnb", "diabetes", "肺", "rp", "rombos", "%", "_", "*"])
def test_what_is_not_there_is_not_found(entries, query):
    assert find(query) == []


def test_order_of_tiers(db):
    names = {
        "title": ("抽筋", []),
        "name": ("肌肉痉挛", ["抽筋"]),
        "prefix": ("抽筋原因", []),
        "contained": ("小腿抽筋", []),
        "sound": ("抽金", []),
    }
    for kind, (title, alternatives) in reversed(names.items()):
        index_names(kind, 1, f"/{kind}/", title, alternatives)
    assert [item.kind for item in find("抽筋")] == ["title", "name", "prefix", "contained", "sound"]


def test_shorter_names_come_first_and_weight_decides_ties(db):
    index_names("article", 1, "/1/", "小腿抽筋的原因和处理")
    index_names("article", 2, "/2/", "小腿抽筋护理", weight=1)
    index_names("article", 3, "/3/", "小腿抽筋预防", weight=5)
    assert [item.object_id for item in find("小腿抽筋")] == ["3", "2", "1"]


@pytest.mark.parametrize("query", ["小腿抽筋", "小腿抽筋？", "小腿, 抽筋"])
def test_of_titles_that_differ_only_in_signs_the_one_written_so_comes_first(db, query):
    for number, title in enumerate(["小腿抽筋？", "小腿, 抽筋", "小腿抽筋"]):
        index_names("question", number, f"/{number}/", title)
    assert titles(query)[0] == query
    assert len(titles(query)) == 3


def test_an_object_is_found_once_and_says_which_name_matched(entries):
    found = find("抽筋")
    assert len({(item.kind, item.object_id) for item in found}) == len(found)
    assert (found[0].title, found[0].name, found[0].url) == ("肌肉痉挛", "抽筋", "/conditions/0/")
    by_title = find("小腿抽筋")[0]
    assert by_title.name is None


def test_kinds_and_limit(entries):
    index_names("article", 1, "/articles/1/", "小腿抽筋")
    assert {item.kind for item in find("小腿抽筋", kinds=["article"])} == {"article"}
    assert find("小腿抽筋", kinds=[]) == []
    assert find("痉挛", limit=1) == find("痉挛")[:1] != []
    assert find("痉挛", limit=-1) == []
    assert len(find("痉挛", limit=10**9)) <= MAX_LIMIT


def test_indexing_again_replaces_and_removing_leaves_nothing(entries):
    index_names("condition", 0, "/new/", "肌痉挛症", [])
    assert titles("muscle cramp") == []
    assert find("肌痉挛症")[0].url == "/new/"
    for number in range(len(ENTRIES)):
        remove_names("condition", number)
    assert (Name.objects.count(), NameGram.objects.count()) == (0, 0)
    assert titles("高血压") == []


def test_indexing_the_same_again_writes_nothing(entries, django_assert_num_queries):
    with django_assert_num_queries(1):
        index_names("condition", 1, "/conditions/1/", *ENTRIES[1])


def test_the_index_changes_with_the_callers_transaction(entries):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        index_names("condition", 99, "/99/", "荨麻疹")
        raise ZeroDivisionError
    assert titles("荨麻疹") == []


def test_names_are_limited_and_doublets_and_blanks_left_out(db):
    index_names("condition", 1, "/1/", "高血压", ["高血壓", " ", "\u200b", "", *[f"名称{n}" for n in range(500)]])
    assert Name.objects.count() == MAX_NAMES
    assert Name.objects.filter(normal="高血压").count() == 1


@pytest.mark.parametrize("query", ["小腿抽筋", "半夜小腿抽筋怎么办" * 20, "癌", "😀"])
def test_a_chinese_search_is_at_most_three_queries(entries, django_assert_max_num_queries, query):
    with django_assert_max_num_queries(3):
        find(query)


@pytest.mark.parametrize("query", ["xtcj", "小腿cj", "muscle cramp " * 20])
def test_any_search_is_at_most_five_queries(entries, django_assert_num_queries, query):
    with django_assert_num_queries(5):
        find(query)


def test_suggestions_begin_as_typed_and_fall_back_to_what_contains_it(entries):
    assert [item.title for item in suggest("小腿")] == ["小腿抽筋", "小腿水肿"]
    assert suggest("xiaotuich")[0].title == "小腿抽筋"
    assert [item.title for item in suggest("mus")] == ["肌肉痉挛"]
    assert "深静脉血栓" in [item.title for item in suggest("血栓")]
    assert len(suggest("小", limit=1)) == 1
    assert suggest("") == []


def test_among_more_names_than_candidates_the_exact_one_is_still_first(db):
    for number in range(CANDIDATES + 20):
        index_names("question", number, f"/{number}/", f"小腿抽筋{number}")
    index_names("condition", 1, "/1/", "小腿抽筋")
    assert find("小腿抽筋")[0].kind == "condition"
    assert CANDIDATES < len(find("小腿抽筋", limit=MAX_LIMIT)) <= MAX_LIMIT


HOSTILE = [
    "",
    " ",
    "\x00",
    "小腿\x00抽筋",
    "\ud800",
    "小腿\udfff",
    "😀👨‍👩‍👧",
    "'; DROP TABLE search_name; --",
    '" OR 1=1',
    "a AND NOT (b",
    ".*[(+?",
    "%_\\%",
    "{}%s%(x)s",
    "\u202e筋抽腿小",
    "a" * 10_000,
    "痛" * 10_000,
    "小腿抽筋 " * 2_000,
    "\u200b" * 10_000,
    "é" * 200,
    "İ" * 200,
    "𠀀𠮷",
]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_queries_give_a_result(entries, query):
    find(query)
    suggest(query)


TEXT = st.text(st.characters(exclude_categories=()), max_size=120) | st.text(
    "小腿抽筋痉挛肌肉xtcj %_'\"*\x00\ud800，？ 😀", max_size=120
)


class AnyText(TestCase):
    @settings(max_examples=100, deadline=None)
    @given(TEXT, st.lists(TEXT, max_size=3))
    def test_any_text_can_be_indexed_found_and_removed(self, query, others):
        for number, text in enumerate([query, *others]):
            index_names("any", number, f"/{number}/", text, others)
        find(query)
        suggest(query)
        for number in range(len(others) + 1):
            remove_names("any", number)
        assert not NameGram.objects.exists()

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.text("小腿抽筋痉挛肌肉头痛ct1 ？-", min_size=1, max_size=100), min_size=1, max_size=12))
    def test_every_title_is_found_first_by_its_exact_self(self, texts):
        texts = list({text.strip() for text in texts if text.strip()})
        for number, text in enumerate(texts):
            index_names("any", number, f"/{number}/", text, texts[number - 1 : number])
        for text in texts:
            assert find(text)[0].title == text


@pytest.mark.django_db
def test_a_homophone_of_the_whole_name_comes_before_a_name_inside_the_query():
    index_names("body_part", 1, "/body-parts/xiaotui/", "小腿")
    index_names("condition", 1, "/conditions/xiaotui-choujin/", "小腿抽筋")
    assert [item.title for item in find("小腿抽经")][:2] == ["小腿抽筋", "小腿"]


HAN = st.text(st.sampled_from("小腿抽筋痉挛𠮷㗎鱻龘〇犇"), min_size=1, max_size=6)


@given(st.lists(HAN, min_size=1, max_size=4), HAN)
@settings(max_examples=300)
def test_a_name_packed_into_the_index_holds_what_the_name_holds(names, asked):
    assert names_hold(pack_names(names), pack_asked(asked)) == any(asked in name for name in names)


@pytest.mark.parametrize(
    ("names", "asked", "held"),
    [
        (["小腿抽筋"], "抽筋 小腿", True),
        (["小腿抽筋"], "抽筋，大腿", False),
        (["C反应蛋白"], "C 反应", True),
        (["MRI检查"], "mr", False),
        (["小腿痙攣"], "痉挛", True),
        (["小腿抽筋"], "", False),
        (["肺癌"], "癌", True),
        (["肺癌"], "痛", False),  # the last byte of 癌 is that of 痛
        (["肺癌", "癌痛"], "痛", True),
        ([], "抽筋", False),
    ],
)
def test_every_part_that_was_asked_must_stand_in_the_names(names, asked, held):
    assert names_hold(pack_names(names), pack_asked(asked)) is held
