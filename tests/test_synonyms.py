"""The reviewed synonyms: words that are the same to a reader, in one group each, on every way in."""

import json
import re
from pathlib import Path

import content
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from wagtail.test.utils.form_data import nested_form_data

from yidian.exchange.bundle import export_bundle, import_bundle
from yidian.exchange.check import check_bundle
from yidian.exchange.documents import read_file
from yidian.search.keys import match_form
from yidian.terms.models import SynonymGroup
from yidian.terms.synonyms import synonym_rows

STARTER = Path(__file__).parent.parent / "src/yidian/starter/bundle"
PATH = "vocabulary/synonyms.yaml"
HEADER = "format: yidian-bundle/1\ntitle: 试\n"

# Near words that a reader must not be given for one another.
APART = [
    ("发烧", "感冒"),
    ("感冒", "流感"),
    ("心绞痛", "心梗"),
    ("甲亢", "甲减"),
    ("中风", "伤风"),
    ("高血压", "血压高"),
    ("糖尿病", "血糖高"),
    ("高血压", "低血压"),
    ("头晕", "眩晕"),
    ("咯血", "呕血"),
    ("打嗝", "嗳气"),
    ("抽筋", "抽搐"),
    ("抽筋", "肉跳"),
    ("阿司匹林", "布洛芬"),
    ("脑梗", "脑出血"),
    ("近视", "远视"),
    ("腹泻", "便秘"),
    ("尿频", "尿痛"),
    ("晕厥", "昏迷"),
    ("脚气", "脚气病"),
    ("痛风", "尿酸高"),
    ("缺钙", "血钙低"),
]
TOGETHER = [
    ("抽筋", "转筋"),
    ("拉肚子", "腹泻"),
    ("跑肚", "窜稀"),
    ("心梗", "心肌梗死"),
    ("中风", "脑卒中"),
    ("核磁", "MRI"),
    ("B超", "超声检查"),
    ("ＤＶＴ", "深静脉血栓"),
    ("發燒", "发热"),
    ("羊癫疯", "癫痫"),
    ("缠腰龙", "带状疱疹"),
    ("芬必得", "布洛芬"),
]


def group(name="肌肉痉挛", alternate="抽筋\n转筋", **more):
    return SynonymGroup(**{"name": name, "alternate_names": alternate, "category": "symptom"} | more)


def record(slug, name, words, category="symptom"):
    return f"- slug: {slug}\n  name: {name}\n  alternate_names: [{', '.join(words)}]\n  category: {category}\n"


def bundle(folder: Path, *records: str) -> Path:
    (folder / "vocabulary").mkdir(parents=True, exist_ok=True)
    (folder / "bundle.yaml").write_text(HEADER, "utf-8")
    (folder / PATH).write_text("".join(records), "utf-8")
    return folder


def bring(folder: Path) -> tuple[str, list[str]]:
    said: list[str] = []
    return str(import_bundle(folder, report=said.append)), said


@pytest.fixture(scope="module")
def starter():
    parsed = read_file(PATH, (STARTER / PATH).read_bytes())
    assert not parsed.problems
    return parsed.records


def words(record) -> list[str]:
    return [record.values["name"], *record.values["alternate_names"]]


@pytest.fixture(scope="module")
def group_of(starter) -> dict[str, list[str]]:
    """The groups that hold a word, by its match form."""
    groups: dict[str, list[str]] = {}
    for each in starter:
        for word in words(each):
            groups.setdefault(match_form(word), []).append(each.key)
    return groups


def test_no_word_of_the_starter_stands_in_two_groups(starter, group_of):
    assert {word: keys for word, keys in group_of.items() if len(keys) > 1} == {}
    assert len(starter) >= 2500
    # one character means too many things inside other words
    assert [word for word in group_of if len(word) < 2] == []


@pytest.mark.parametrize(
    "word",
    ["抽", "癌", "血块", "心口疼", "消炎药", "性病", "上感", "对眼", "时间短", "有喜", "经痛", "头痒", "无尿", "肝大"],
)
def test_words_that_mean_several_things_or_stand_across_others_are_left_out(group_of, word):
    """慢性病毒 is no 性病, 身上感觉 no 上感 (met in real questions), 神经痛 no 经痛, 肝大小正常 no 肝大."""
    assert match_form(word) not in group_of


@pytest.mark.parametrize(("one", "other"), APART)
def test_near_words_stand_apart(group_of, one, other):
    assert group_of[match_form(one)] != group_of[match_form(other)]


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_the_same_thing_stands_together(group_of, one, other):
    assert group_of[match_form(one)] == group_of[match_form(other)]


def test_the_words_of_a_group_never_name_two_parts_of_the_body(starter):
    parts = read_file("vocabulary/body-parts.yaml", (STARTER / "vocabulary/body-parts.yaml").read_bytes()).records
    part_of: dict[str, str] = {}
    for part in parts:
        for word in (part.values["name"], *part.values["alternate_names"]):
            assert part_of.setdefault(match_form(word), part.key) == part.key, word
    for expected in ("腿肚子", "小腿", "大腿根", "脚踝", "后脑勺", "心口", "胳肢窝"):
        assert match_form(expected) in part_of
    named = {
        each.key: {part_of[form] for word in words(each) if (form := match_form(word)) in part_of} for each in starter
    }
    assert {key: found for key, found in named.items() if len(found) > 1} == {}
    assert len(parts) >= 40 and sum(map(bool, named.values())) > 30
    broader = {part.key: part.values.get("broader") for part in parts}
    assert broader["xiaotui"] == "tui" and broader["fugugou"] == "datui"


@pytest.mark.django_db
def test_public_groups_are_read_as_rows_in_one_query(django_assert_num_queries):
    content.publish(group(slug="jirou-jingluan"))
    diarrhoea = group("腹泻", " 拉肚子 \r\n\r\nDiarrhea", slug="fuxie", descriptions="老往厕所跑\r\n")
    content.publish(diarrhoea)
    content.publish(group("水样便", "拉水", slug="shuiyangbian", broader=diarrhoea))
    group("便秘", "拉不出来", slug="bianmi", live=False).save()
    with django_assert_num_queries(1):
        rows = synonym_rows()
    assert rows == [
        ("fuxie", "腹泻", "symptom", ("拉肚子", "Diarrhea"), "", ("老往厕所跑",)),
        ("jirou-jingluan", "肌肉痉挛", "symptom", ("抽筋", "转筋"), "", ()),
        ("shuiyangbian", "水样便", "symptom", ("拉水",), "fuxie", ()),
    ]
    SynonymGroup.objects.get(slug="fuxie").unpublish()
    assert [slug for slug, *_ in synonym_rows()] == ["jirou-jingluan", "shuiyangbian"]


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["转筋", "轉筋", "转 筋", "“转筋”", "肌肉痉挛"])
def test_a_word_of_another_group_is_refused_and_the_group_named(word):
    group(slug="jirou-jingluan").save()
    with pytest.raises(ValidationError, match="“肌肉痉挛”（jirou-jingluan）"):
        group("抽搐", f"抽抽\n{word}", slug="chouchu").clean()
    group("抽搐", "抽抽\n转腿筋", slug="chouchu").clean()
    SynonymGroup.objects.get(slug="jirou-jingluan").clean()  # its own words are no others'


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("alternate", "said"),
    [("B超\nｂ超", "“ｂ超”和“B超”算同一个写法"), ("超 声", "“超 声”和“超声”算同一个写法")],
)
def test_a_group_with_one_word_twice_is_refused(alternate, said):
    with pytest.raises(ValidationError, match=said):
        group("超声", alternate).clean()


@pytest.mark.django_db
def test_a_bundle_brings_groups_and_they_go_out_alike(tmp_path):
    source = bundle(
        tmp_path / "in",
        record("fuxie", "腹泻", ["拉肚子", "Diarrhea"]),
        record("zhuanjin", "肌肉痉挛", ["抽筋", "转筋"]) + "  note: 抽搐另立一组。\n",
    )
    assert bring(source) == ("2 created, 0 updated, 0 unchanged, 0 rejected", [])
    export_bundle(tmp_path / "out")
    assert (tmp_path / "out" / PATH).read_bytes() == (source / PATH).read_bytes()
    assert bring(source)[0] == "0 created, 0 updated, 2 unchanged, 0 rejected"
    bundle(source, record("fuxie", "腹泻", ["拉肚子", "跑肚"]))
    assert bring(source)[0] == "0 created, 1 updated, 0 unchanged, 0 rejected"
    assert synonym_rows()[0][3] == ("拉肚子", "跑肚")


@pytest.mark.django_db
def test_an_import_refuses_a_word_of_another_group_and_keeps_the_rest(tmp_path):
    source = bundle(
        tmp_path,
        record("chouchu", "抽搐", ["抽抽"]),
        record("jirou-jingluan", "肌肉痉挛", ["抽筋", "抽抽"]),
        record("fuxie", "腹泻", ["拉肚子"]),
    )
    counts, said = bring(source)
    assert counts == "2 created, 0 updated, 0 unchanged, 1 rejected"
    assert len(said) == 1 and "“抽抽”已经在“抽搐”（chouchu）这一组里" in said[0]


@pytest.mark.django_db
def test_a_check_finds_doubled_words_in_the_bundle_beside_it_and_on_the_site(tmp_path):
    group("惊厥", "抽风", slug="jingjue").save()
    beside = bundle(tmp_path / "beside", record("fuxie", "腹泻", ["拉肚子"]))
    source = bundle(
        tmp_path / "source",
        record("chouchu", "抽搐", ["抽抽"]),
        record("jirou-jingluan", "肌肉痉挛", ["抽筋", "抽抽"]),
        record("laxi", "拉稀", ["拉肚子"]),
        record("fengfeng", "抽疯", ["抽风", "B超", "b超"]),
        record("haode", "便秘", ["拉不出来"]),
    )
    said = [str(problem) for problem in check_bundle(source, [beside])]
    expected = ("“抽抽”已经在“抽搐”", "“拉肚子”已经在“腹泻”", "“抽风”已经在“惊厥”", "“b超”和“B超”")
    assert len(said) == len(expected)
    for words in expected:
        assert [line for line in said if words in line and line.startswith(PATH + ":")], words


@pytest.mark.django_db
def test_a_word_moves_from_one_group_to_another_in_one_import(tmp_path):
    source = bundle(tmp_path, record("a", "腹泻", ["拉肚子"]), record("b", "便秘", ["拉不出来", "闹肚子"]))
    assert bring(source)[0] == "2 created, 0 updated, 0 unchanged, 0 rejected"
    bundle(source, record("a", "腹泻", ["拉肚子", "闹肚子"]), record("b", "便秘", ["拉不出来"]))
    assert bring(source) == ("0 created, 2 updated, 0 unchanged, 0 rejected", [])


@pytest.mark.django_db
def test_an_editor_adds_a_group_and_finds_it_again(client):
    client.force_login(User.objects.create_superuser("root", password="x"))
    address = "/admin/snippets/terms/synonymgroup/"
    form = {"name": "肌肉痉挛", "alternate_names": "抽筋\r\n转筋", "category": "symptom", "note": "", "slug": ""}
    form |= {"origin": "", "licence": "", "go_live_at": "", "expire_at": ""}
    assert client.post(f"{address}add/", nested_form_data(form | {"action-publish": "x"})).status_code == 302
    assert [row[1] for row in synonym_rows()] == ["肌肉痉挛"]
    again = client.post(f"{address}add/", nested_form_data(form | {"name": "抽搐", "alternate_names": "轉筋"}))
    assert "“轉筋”已经在“肌肉痉挛”" in json.dumps(again.context["form"].errors, ensure_ascii=False)
    for query, shown in (("q=转筋", True), ("category=symptom", True), ("category=drug", False)):
        assert ("肌肉痉挛" in client.get(f"{address}?{query}").content.decode()) is shown
    assert re.search(r"<td[^>]*>\s*症状\s*</td>", client.get(address).content.decode())


@pytest.mark.django_db
def test_one_number_for_two_groups_costs_the_second_only(tmp_path):
    """Groups are written many at once; what the database refuses is found and said one by one."""
    number = "  identifier: 6f1c2a0e-0000-4000-8000-00000000000{}\n"
    folder = bundle(
        tmp_path,
        record("deng-long-bing", "灯笼病", ["灯笼"]) + number.format(1),
        record("la-zhu-zheng", "蜡烛症", ["蜡烛"]) + number.format(1),
        record("zhu-tai-zheng", "烛台症", ["烛台"]) + number.format(2),
    )
    counts, said = bring(folder)
    assert counts == "2 created, 0 updated, 0 unchanged, 1 rejected"
    assert len(said) == 1 and said[0].startswith(f"{PATH}:6: ") and "冲突" in said[0]
    assert set(SynonymGroup.objects.values_list("slug", flat=True)) == {"deng-long-bing", "zhu-tai-zheng"}
    assert bring(folder)[0] == "0 created, 0 updated, 2 unchanged, 1 rejected"


@pytest.mark.django_db
def test_a_group_does_not_stand_above_itself(tmp_path):
    above = record("deng-long-bing", "灯笼病", ["灯笼"]) + "  broader: {}\n"
    counts, said = bring(bundle(tmp_path, above.format("deng-long-bing")))
    assert counts == "0 created, 0 updated, 0 unchanged, 1 rejected" and "自己的上面" in said[0]
    counts, said = bring(bundle(tmp_path, above.format("la-zhu-zheng"), record("la-zhu-zheng", "蜡烛症", ["蜡烛"])))
    assert counts == "2 created, 0 updated, 0 unchanged, 0 rejected"
    assert SynonymGroup.objects.get(slug="deng-long-bing").broader.name == "蜡烛症"
