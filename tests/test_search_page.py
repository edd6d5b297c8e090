"""The search page and its box through the public door: what is found, what is said about it, what is never said."""

import json
import re

import content
import pytest
from django.contrib.auth import get_user_model

from yidian.editorial import unanswered
from yidian.editorial.models import UnansweredQuery
from yidian.search.library import library
from yidian.terms.models import SynonymGroup

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(quick_search):
    leg = content.body_part()
    cramp = content.condition(alternate_names="腿抽筋\n腓肠肌痉挛", body_parts=[leg])
    content.question(about=cramp, body_parts=[leg], answers=["<p>多数腿抽筋和缺钙没有关系。</p>"])
    content.condition("shenjingmai-xueshuan", "深静脉血栓", description="腿里的静脉结了血块，一侧腿肿痛。")
    content.article(about=cramp)
    for number in range(6):
        content.question(f"半夜腿抽筋怎么办？第{number}问", about=cramp)
    content.publish(SynonymGroup(name="抽筋", alternate_names="痉挛\n转筋", category="symptom"))
    hepatitis = SynonymGroup(name="乙型肝炎", alternate_names="乙肝", category="disease")
    content.publish(hepatitis)
    content.publish(SynonymGroup(name="乙肝e抗原阳性", alternate_names="大三阳", category="test", broader=hepatitis))
    parkinson = SynonymGroup(name="帕金森病", alternate_names="震颤麻痹", category="disease")
    parkinson.descriptions = "走路小碎步越走越快停不住\n手像搓药丸一样抖"
    content.publish(parkinson)
    library().build()


def results(client, q, **more):
    page = client.get("/search", {"q": q, **more}).content.decode()
    main = page.partition("<main")[2]
    return [
        re.sub(r"<[^>]+>", "", name) for name in re.findall(r'<li class="search-result">\s*<h3>(.*?)</h3>', main, re.S)
    ]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("小腿抽筋", "小腿抽筋"),
        ("小腿转筋", "小腿抽筋"),
        ("小腿抽经", "小腿抽筋"),
        ("xiaotui choujin", "小腿抽筋"),
        ("xtcj", "小腿抽筋"),
        ("xtjc", "小腿抽筋"),
        ("腿肿", "深静脉血栓"),
        ("腿抽筋 缺钙?", "腿抽筋是不是缺钙？"),
        ("医生您好，我妈妈半夜老是小腿抽筋，疼得睡不着，请问是怎么回事？该怎么治疗呢？谢谢医生", "小腿抽筋"),
    ],
)
def test_the_right_page_is_first(client, site, q, first):
    assert results(client, q)[0] == first


def test_what_was_meant_is_said_and_what_was_asked_stays(client, site):
    page = client.get("/search?q=小腿抽经").content.decode()
    assert "也按这样找了：" in page
    assert re.search(r'<a href="/search\?q=[^"]*">小腿抽筋</a>', page)
    assert 'value="小腿抽经"' in page
    assert "您是不是要找：" not in page, "the corrected text says it"
    assert "也按这样找了：" not in client.get("/search?q=小腿抽筋").content.decode()


@pytest.mark.parametrize(
    ("q", "terms"),
    [
        ("大三阳", ["乙肝e抗原阳性", "乙型肝炎"]),
        ("奶奶走路小碎步越走越快", ["帕金森病"]),
        ("我妈手老像搓药丸那样抖怎么回事", ["帕金森病"]),
        ("走路小睡步越走越快", ["帕金森病"]),
        ("乙型肝炎", []),
        ("明天去不去看电影", []),
    ],
)
def test_the_terms_that_a_wording_may_mean_are_offered_beside_it(client, site, q, terms):
    page = client.get("/search", {"q": q}).content.decode()
    offered = page.partition("您是不是要找：")[2].partition("</p>")[0]
    assert re.findall(r'<a href="/search\?q=[^"]+">([^<]+)</a>', offered) == terms
    assert f'value="{q}"' in page
    names = [each["name"] for each in json.loads(client.get("/search/suggestions", {"q": q}).content)["suggestions"]]
    assert names[:1] == terms[:1] or not terms


def test_a_result_shows_the_sentence_that_answers_its_date_and_its_review_state(client, site):
    page = client.get("/search?q=腿抽筋缺钙").content.decode()
    result = page.partition("腿抽筋是不是缺钙")[2] or page
    plain = re.sub(r"<[^>]+>", "", page)
    assert "多数腿抽筋和缺钙没有关系。" in plain
    assert "<mark>" in result and "医典编辑部" in plain and "2026-01-02" in plain
    assert "等待医师审核" in plain


def test_what_was_asked_for_by_name_and_every_guide_show_their_lead(client, site):
    step = content.phase({"name": "把他挪到树荫下", "text": "<p>晒晕的人手脚会发麻。</p>"})
    content.guide("shaiyun", "晒晕了：现在怎么做", description="先挪到凉处，再浇凉水。", phases=[step])
    told = [content.module(content.text("<p>晒晕症不传染。</p>"))]
    content.condition("shaiyun-bing", "晒晕症", description="晒久了头晕。", modules=told)
    library().build()
    for q in ("晒晕了", "晒晕手脚发麻"):
        page = client.get("/search", {"q": q}).content.decode()
        assert "先挪到凉处，再浇凉水。" in re.sub("</?mark>", "", page), q
        assert "手脚会发麻" not in re.sub("</?mark>", "", page), "a step without what comes before it"
    assert "晒久了头晕。" in re.sub("</?mark>", "", client.get("/search?q=晒晕症").content.decode())
    assert "晒晕症不传染。" in re.sub("</?mark>", "", client.get("/search?q=晒晕症传染").content.decode())


def test_groups_are_short_and_lead_to_the_rest(client, site):
    page = client.get("/search?q=半夜腿抽筋怎么办").content.decode()
    assert page.count("半夜腿抽筋怎么办") >= 4
    assert sum("怎么办？第" in name for name in results(client, "半夜腿抽筋怎么办")) == 4
    more = re.search(r'<a class="search-more" href="([^"]+)">更多问答</a>', page)[1].replace("&amp;", "&")
    rest = client.get(more).content.decode()
    assert rest.count("第5问") == 1
    assert "看全部类别" in rest


def test_results_narrow_by_body_part_and_widen_again(client, site):
    page = client.get("/search?q=腿抽筋").content.decode()
    narrow = re.search(r'<a href="([^"]*body_part=xiaotui[^"]*)"', page)[1].replace("&amp;", "&")
    narrowed = client.get(narrow).content.decode()
    assert "第3问" not in narrowed and "小腿抽筋" in narrowed
    assert "去掉条件：小腿" in narrowed
    assert results(client, "腿抽筋", body_part="meiyou") == []


@pytest.mark.parametrize("more", [{"kind": "nothing"}, {"department": "../x"}, {"population": "a" * 500}])
def test_a_filter_that_does_not_exist_is_left_out(client, site, more):
    assert results(client, "小腿抽筋", **more)[0] == "小腿抽筋"


@pytest.mark.parametrize("number", ["0", "-1", "x", "99999", "²"])
def test_a_page_that_does_not_exist_is_not_found(client, site, number):
    assert client.get("/search", {"q": "抽筋", "kind": "questions", "page": number}).status_code == 404


def test_nothing_found_says_what_to_do(client, site):
    page = client.get("/search?q=zzzzqqq").content.decode()
    assert "没有找到“zzzzqqq”" in page and "换个说法试试" in page


def test_what_nothing_answers_is_said_and_counted_without_a_reader(client, site):
    assert "还没有正好回答这个问题的内容" in client.get("/search?q=孩子腿骨折了怎么办").content.decode()
    client.get("/search?q=孩子腿骨折了怎么办")
    assert [(each.text, each.times) for each in UnansweredQuery.objects.all()] == [("孩子腿骨折了", 2)]
    columns = {field.name for field in UnansweredQuery._meta.fields}
    assert columns == {"id", "text", "times", "first_asked", "last_asked", "handled"}


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("腿上长痘怎么办", True),  # nothing answers: what helps stands above what is only near
        ("小腿抽筋", False),
        ("腿抽筋，胸口压榨样疼，冒冷汗", False),  # the card above says what to do
    ],
)
def test_the_emergency_line_stands_first_where_nothing_else_helps(client, site, q, first):
    page = client.get("/search", {"q": q}).content.decode().partition("<main")[2]
    assert page.count('emergency-strip"') == 1
    assert (page.index('emergency-strip"') < page.index('search-result"')) is first
    way = "/self-tests/wo-gai-zenme-ban/"
    assert (way in page) is first and client.get(way).status_code == 200


@pytest.mark.parametrize(
    "q",
    [
        "小腿抽筋",  # answered
        "我叫李雷腿骨折了",
        "腿骨折了加微信13800138000",
        "a@b.example 骨折",
        "broken bone",
        "骨折" + "很长的经过" * 20,
    ],
)
def test_what_is_answered_or_could_name_somebody_is_not_counted(client, site, q):
    client.get("/search", {"q": q})
    assert not UnansweredQuery.objects.exists()


def test_the_operator_can_switch_the_count_off(client, site, settings):
    settings.YIDIAN_UNANSWERED = False
    client.get("/search?q=孩子腿骨折了怎么办")
    assert not UnansweredQuery.objects.exists()


def test_the_list_of_unanswered_questions_is_bounded_and_forgets(site, monkeypatch):
    from datetime import timedelta

    monkeypatch.setattr(unanswered, "MOST", 20)
    for number in range(50):
        assert unanswered.note(f"没有的病{number}")
    assert UnansweredQuery.objects.count() <= 20
    unanswered.note("没有的病49")
    last = UnansweredQuery.objects.get(text="没有的病49")
    assert unanswered.forget_old(last.last_asked + timedelta(days=180)) == 0
    assert unanswered.forget_old(last.last_asked + timedelta(days=181)) > 0
    assert not UnansweredQuery.objects.exists()


def test_editors_see_what_is_missing_and_find_by_other_words(client, site):
    user = get_user_model().objects.create_superuser("chief", password="a long password")
    client.get("/search?q=孩子腿骨折了怎么办")
    client.force_login(user)
    assert "孩子腿骨折了" in client.get("/admin/snippets/editorial/unansweredquery/").content.decode()
    found = client.get("/admin/snippets/encyclopedia/condition/", {"q": "转筋"}).content.decode()
    assert "小腿抽筋" in found and "深静脉血栓" not in found


def test_suggestions_are_names_with_addresses(client, site):
    response = client.get("/search/suggestions?q=xiaotui")
    found = json.loads(response.content)["suggestions"]
    assert {"name": "小腿抽筋", "also": "", "url": "/conditions/xiaotui-choujin/", "kind": "病症"} in found
    assert response["Cache-Control"] == "no-store"
    hant = json.loads(client.get("/zh-hant/search/suggestions?q=xiaotui").content)["suggestions"]
    assert {"url": "/zh-hant/conditions/xiaotui-choujin/", "kind": "病症"}.items() <= hant[-1].items() or any(
        each["url"] == "/zh-hant/conditions/xiaotui-choujin/" for each in hant
    )
    assert json.loads(client.get("/search/suggestions").content) == {"suggestions": []}


BAD = [
    "", " ", "?", "a" * 10_000, "腿" * 10_000, "😀😀", "\x00\x01", "'; DROP TABLE x;--", "<script>alert(1)</script>",
    "AND OR NOT", '+腿 -筋 "抽" *', "(((", "title:x", "\ud800抽筋", "٣٤٥", "ｃｈｏｕｊｉｎ", "\u202e抽筋",
    "抽筋\n\n抽筋",
]  # fmt: skip


@pytest.mark.parametrize("path", ["/search", "/zh-hant/search", "/search/suggestions"])
def test_any_text_is_answered_with_a_page(client, site, path):
    for q in BAD:
        response = client.get(path, {"q": q.encode("utf-8", "surrogatepass")})
        assert (response.status_code, response["Cache-Control"]) == (200, "no-store"), q[:40]
        assert not response.cookies
        assert b"<script>alert" not in response.content


def test_an_answer_is_not_found_in_another_readers_page(client, site):
    """Nothing of a search is kept in the page cache, under any address."""
    for path in ("/search?q=小腿抽筋", "/zh-hant/search?q=小腿抽筋", "/search/suggestions?q=小腿"):
        assert "X-Page-Tags" not in client.get(path)
