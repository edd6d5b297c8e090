"""Self-tests as files and as pages: the library's contract, and a reader's way through without JavaScript."""

import gzip
import json
import random
import re
from decimal import Decimal
from html import unescape

import content
import pytest
import yaml
from click.testing import CliRunner

from yidian.cli.main import main
from yidian.cli.start import check_self_tests
from yidian.cli.words import Failure
from yidian.questionnaire.enablement import enabled
from yidian.questionnaire.responses import parse_response
from yidian.questionnaire.result import replay
from yidian.questionnaire.scoring import CONDITIONS, LEVELS, NUMBERS, asked_ids, outcome, response_of
from yidian.questionnaire.validate import questionnaire_issues, response_issues
from yidian.search.library import library
from yidian.selftests import finding, general
from yidian.selftests.checking import KINDS, faults
from yidian.selftests.library import FOLDER, own_faults, read, self_tests
from yidian.triage import engine, rulebook
from yidian.zh.hant import to_hant

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
SLUGS = list(self_tests())
each = pytest.mark.parametrize("slug", SLUGS)
each_file = pytest.mark.parametrize("slug", sorted(path.stem for path in FOLDER.glob("*.json")))
GENERAL = "wo-gai-zenme-ban"


# ---- one JSON file and a sidecar ----


def expressions(data):
    if isinstance(data, dict):
        yield data
        for value in data.values():
            yield from expressions(value)
    elif isinstance(data, list):
        for value in data:
            yield from expressions(value)


@each_file
def test_each_questionnaire_is_canonical_r4(slug):
    found = json.loads((FOLDER / f"{slug}.json").read_text("utf-8"))
    assert (found["resourceType"], found["id"], found["status"]) == ("Questionnaire", slug, "active")
    assert found["url"] == f"urn:yidian:self-test:{slug}"
    assert found["title"] and found["description"].endswith("。") and found["copyright"]
    for item in found["item"]:
        assert item["type"] in {"choice", "integer", "decimal"}, "a yes or no is a choice, so that unsure is an answer"
        codes = [option["valueCoding"]["code"] for option in item.get("answerOption", ())]
        assert len(set(codes)) == len(codes)
        if "yes" in codes:
            assert codes == ["yes", "no", "unsure"]
        for option in item.get("answerOption", ()):
            assert "extension" not in option["valueCoding"], "clients read a weight only from the option itself"
            weights = [each["url"] for each in option.get("extension", ())]
            assert weights in ([], [ORDINAL])
            assert not (weights and option["valueCoding"]["code"] == "unsure")


@each
def test_each_sidecar_says_what_a_reader_must_know(slug):
    test = self_tests()[slug]
    sidecar = test.sidecar
    assert sidecar["kind"] in KINDS and sidecar["review"] == "awaiting"
    for key in ("audience", "instructions", "validated", "missing"):
        assert sidecar[key].strip()
    assert sidecar["licence"]["owner"] and sidecar["licence"]["terms"]
    assert sidecar["certainty"]["level"] in {"high", "moderate", "low", "very_low"} and sidecar["certainty"]["text"]
    assert sidecar["not"] and 1 <= sidecar["minutes"] <= 10
    names = [source["id"] for source in sidecar["sources"]]
    assert names and len(set(names)) == len(names)
    for source in sidecar["sources"]:
        assert source["title"] and source["publisher"] and source["read"] in {"text", "abstract", "known"}
        assert any(source.get(key) for key in ("url", "doi", "pmid", "document_number")), "a reader can look it up"
    for rule in sidecar["red_flags"]:
        assert rule["level"] in LEVELS and rule["heading"] and rule["message"]
        assert rule["sources"] and set(rule["sources"]) <= set(names)
    for scale in sidecar["bands"]:
        limits = [row.get("below") for row in scale["table"]]
        assert limits[-1] is None and limits[:-1] == sorted(limits[:-1])
        assert all(row["level"] in LEVELS and row["text"] and row["range"] for row in scale["table"])
        codes = [row["code"] for row in scale["table"]]
        assert len(set(codes)) == len(codes)
    for score in sidecar["scores"].values():
        assert score["label"] and score["missing"]
    assert sidecar.get("next") is None or sidecar["next"] in SLUGS


@each_file
def test_each_sidecar_speaks_only_of_questions_that_are_asked(slug):
    test = self_tests()[slug]
    text = (FOLDER / f"{slug}.yaml").read_text("utf-8")
    assert not re.search(r"\beval\b|\bexec\b|__|\blambda\b", text)
    used = set()
    for found in expressions([test.sidecar["scores"], test.sidecar["bands"], test.sidecar["red_flags"]]):
        for key, value in found.items():
            if key in {"value", "weight"}:
                used.add(value)
            elif key == "weights":
                used |= set(value)
            elif key == "is" and len(value) == 1 and next(iter(value)) not in {*NUMBERS, *CONDITIONS}:
                (link_id,) = value
                used.add(link_id)
                assert value[link_id] in {option.code for option in test.form.asked[link_id].options}
            elif key == "by" and isinstance(value, str):
                used.add(value)
    assert used == set(test.form.asked), "every question counts for something, and nothing else is counted"
    assert set(test.sidecar.get("fixed", ())) <= set(test.form.asked)
    outcome(test.form, {})  # every operator is known


# ---- an operator's own ----


def nodes(value, place=()):
    yield place
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from nodes(inner, (*place, key))


def with_put(document, place, value):
    """The document with something else at one place of it."""
    if not place:
        return value
    made = json.loads(json.dumps(document))
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return made


def own(folder, slug, *, of="phq-2", **changed):
    """The two files of an operator's own self-test, made from one that ships."""
    questionnaire = json.loads((FOLDER / f"{of}.json").read_text("utf-8"))
    sidecar = yaml.safe_load((FOLDER / f"{of}.yaml").read_text("utf-8")) | changed
    folder.mkdir(exist_ok=True)
    (folder / f"{slug}.json").write_text(json.dumps(questionnaire | {"id": slug, "url": f"urn:own:{slug}"}), "utf-8")
    (folder / f"{slug}.yaml").write_text(yaml.safe_dump(sidecar, allow_unicode=True), "utf-8")
    return folder / f"{slug}.json"


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("YIDIAN_SELF_TESTS", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    self_tests.cache_clear()
    yield tmp_path / "own"
    self_tests.cache_clear()


@each_file
def test_what_ships_passes_the_check_that_an_operators_own_must_pass(slug):
    assert faults(FOLDER / f"{slug}.json") == []


def test_an_operators_own_self_test_is_shown_and_scored(own_folder, client):
    own(own_folder, "xinqing", keywords=["心情"])
    check_self_tests()
    reader = start(client, "xinqing").answer("phq2-1", "3").answer("phq2-2", "3").press(go="result")
    assert "= 6 分" in reader.html and 'href="/self-tests/xinqing/"' in client.get("/self-tests/").content.decode()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"licence": {"terms": "公开"}}, "没有写 licence 的 owner"),
        ({"licence": {"owner": "某人"}}, "没有写 licence 的 terms"),
        ({"sources": []}, "sources 要写成一列"),
        ({"kind": "quiz"}, "kind 只能是"),
        ({"scores": {"total": {"label": "总分", "missing": "缺", "is": {"eval": "1"}}}}, "看不懂这个算法"),
        (
            {"scores": {"total": {"label": "总分", "missing": "缺", "is": {"weights": ["phq2-9"]}}}},
            "没有这一题：phq2-9",
        ),
        ({"scores": {"total": {"label": "总分", "missing": "缺", "is": {"score": "later"}}}}, "先写后用"),
        (
            {"red_flags": [{"id": "r", "level": "emergency", "heading": "去", "message": "去"}]},
            "红旗 r：要写 id 和 when",
        ),
        ({"red_flags": [{"id": "r", "when": {"is": {"phq2-1": "7"}}}]}, "没有 '7' 这个选项"),
    ],
)
def test_an_operators_own_with_a_fault_is_refused_at_the_start(own_folder, changed, said):
    own(own_folder, "xinqing", **changed)
    with pytest.raises(Failure) as refused:
        check_self_tests()
    assert said in refused.value.message and "xinqing.json" in refused.value.message
    assert "没有启动" in refused.value.message


def test_an_operators_own_takes_no_name_that_is_taken_and_needs_both_files(own_folder, monkeypatch):
    own(own_folder, "phq-2")
    assert "自带的自测已经用了" in own_faults()[0]
    (own_folder / "phq-2.json").rename(own_folder / "Xin Qing.json")
    assert "旁边没有 Xin Qing.yaml" in own_faults()[0]
    (own_folder / "phq-2.yaml").rename(own_folder / "Xin Qing.yaml")
    assert any("文件名要用拼音" in fault for fault in own_faults())
    (own_folder / "Xin Qing.json").write_text("{", "utf-8")
    assert own_faults()[0].startswith("Xin Qing.json：")
    monkeypatch.setenv("YIDIAN_SELF_TESTS", str(own_folder / "nothing"))
    assert "不存在" in own_faults()[0]


def test_whatever_stands_in_the_two_files_is_said_and_never_raised(tmp_path):
    """And what is let through scores every answer set without a fault."""
    rnd = random.Random(23)  # noqa: S311  (examples, no secret)
    refused = 0
    for slug in ("yejian-tuichoujin", "tangniaobing-fengxian"):
        whole = [
            json.loads((FOLDER / f"{slug}.json").read_text("utf-8")),
            yaml.safe_load((FOLDER / f"{slug}.yaml").read_text("utf-8")),
        ]
        places = [place for place in nodes(whole) if place]
        for place in rnd.sample(places, 30):
            broken = with_put(whole, place, rnd.choice([None, 3, "x", [], {}, True, ["x"], {"x": 1}, [{}]]))
            path = tmp_path / f"{slug}.json"
            path.write_text(json.dumps(broken[0]), "utf-8")
            path.with_suffix(".yaml").write_text(json.dumps(broken[1]), "utf-8")
            if faults(path):
                refused += 1
                continue
            form = read(path).form
            for _ in range(3):
                asked = [each for each in form.asked.values() if each.options]
                outcome(form, {each.link_id: (rnd.choice(each.options).code,) for each in asked})
    assert 30 < refused < 60


# ---- the general check: made from the red flags ----


def facts(answers: dict) -> dict:
    """The same answers as `yidian triage assess` takes them; what a closed topic holds is no."""
    book = rulebook.load()

    def said(link_id: str) -> str:
        given = answers.get(link_id, ("unknown",))[0]
        return "unknown" if given == "unsure" else given

    closed = {topic for topic in general.TOPICS if said(f"topic.{topic}") == "no"}
    return {
        "age": float(answers["age"][0]) if "age" in answers else None,
        "sex": said("sex"),
        "pregnant": said("pregnant"),
        "answers": {each.id: "no" if each.topic in closed else said(each.id) for each in book.questions.values()},
    }


AGES = ["0.08", "0.25", "1", "5", "12", "14", "30", "45", "59", "60", "61", "80"]


def test_the_general_check_says_what_triage_says():
    form, book = self_tests()[GENERAL].form, rulebook.load()
    rnd = random.Random(21)  # noqa: S311  (examples, no secret)
    levels = set()
    for _ in range(120):
        answered, mostly = rnd.random(), rnd.choice(["no", "no", "yes", "unsure"])
        answers: dict[str, tuple] = {}
        if rnd.random() < 0.8:
            answers["age"] = (Decimal(rnd.choice(AGES)),)
        for link_id, asked in form.asked.items():
            if link_id != "age" and rnd.random() < answered:
                codes = [option.code for option in asked.options]
                answers[link_id] = (mostly if mostly in codes and rnd.random() < 0.7 else rnd.choice(codes),)
        ours, theirs = outcome(form, answers), engine.assess(book, facts(answers))
        assert ours["level"] == theirs.level
        assert {rule["id"] for rule in ours["red_flags"]} == set(theirs.fired)
        assert {rule["id"] for rule in ours["not_excluded"]} == set(theirs.not_excluded)
        assert asked_ids(form, answers) == form.asked.keys() & enabled(
            form.parsed, parse_response(response_of(form, answers))
        )
        levels.add(theirs.level)
    assert {"emergency_call", "same_day"} <= levels
    well = dict.fromkeys(form.asked, ("no",)) | {"age": (Decimal(40),), "sex": ("male",)}
    assert outcome(form, well)["level"] == "self_care"
    assert outcome(form, {})["level"] == "same_day", "not knowing is never reassuring"


def test_every_topic_and_question_of_triage_is_asked():
    book, form = rulebook.load(), self_tests()[GENERAL].form
    assert {each.topic for each in book.questions.values()} <= set(general.TOPICS)
    assert book.questions.keys() <= form.asked.keys()
    assert not [issue for issue in questionnaire_issues(form.questionnaire) if issue.severity in {"error", "fatal"}]
    for rule in self_tests()[GENERAL].sidecar["red_flags"]:
        assert rule["crisis"] == (book.rules[rule["id"]].topic == "mind")


# ---- pages ----

pytestmark = pytest.mark.django_db


def fields(html: str) -> dict[str, str]:
    """What the form on the page would send besides the button that is pressed."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html)
    return {name: unescape(value) for name, value in hidden}


def heading(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", re.search(r"<h1[^>]*>(.*?)</h1>", html, re.DOTALL)[1])).strip()


def stage(html: str) -> str:
    return re.search(r'id="self-test" data-stage="(\w+)"', html)[1]


class Reader:
    """A reader without JavaScript: reads the page, presses one button, gets the next page."""

    def __init__(self, client, path):
        self.client, self.path = client, path
        self.response = client.get(path)
        self.html = self.response.content.decode()

    def press(self, **button):
        self.response = self.client.post(self.path, fields(self.html) | button)
        self.html = self.response.content.decode()
        assert self.response["Cache-Control"] == "no-store"
        assert not self.response.cookies and "X-Page-Tags" not in self.response
        return self

    def answer(self, link_id, value):
        number = {"go": "next"} if f'type="text" name="a.{link_id}"' in self.html else {}
        return self.press(**{f"a.{link_id}": value}, **number)


def start(client, slug, prefix=""):
    return Reader(client, f"{prefix}/self-tests/{slug}/").press(go="start")


def test_the_list_names_every_self_test_and_is_cached(client):
    response = client.get("/self-tests/")
    html = response.content.decode()
    assert response["X-Page-Tags"] == "self-tests"
    for test in self_tests().values():
        assert f'href="{test.url}"' in html and test.title in html
    hant = client.get("/zh-hant/self-tests/").content.decode()
    assert 'href="/zh-hant/self-tests/phq-9/"' in hant and to_hant("抑郁自测") in hant


@each
def test_each_page_is_cached_and_says_what_the_test_is_not(client, slug, django_assert_max_num_queries):
    test = self_tests()[slug]
    for prefix in ("", "/zh-hant"):
        with django_assert_max_num_queries(2):
            response = client.get(f"{prefix}{test.url}")
        html = response.content.decode()
        assert response.status_code == 200 and response["X-Page-Tags"].startswith("self-tests")
        assert not response.cookies and stage(html) == "intro"
        written = to_hant if prefix else str
        for said in [test.title, *test.sidecar["not"], test.sidecar["licence"]["owner"], "等待执业医师审核"]:
            assert written(said) in unescape(html), said
        block = re.search(r'<script type="application/json" id="self-test-definition">(.*?)</script>', html, re.DOTALL)[
            1
        ]
        definition = json.loads(block)
        assert len(definition["questionnaire"]["item"]) == len(test.form.questionnaire["item"])


def test_phq9_from_the_first_question_to_the_result(client):
    test = self_tests()["phq-9"]
    reader = start(client, "phq-9")
    for place, link_id in enumerate(test.form.asked, start=1):
        assert heading(reader.html) == test.form.asked[link_id].text
        assert f"第 {place} 题，共 9 题" in reader.html
        reader.answer(link_id, "1" if link_id == "phq9-9" else "2")
    assert stage(reader.html) == "review" and reader.html.count("test-answers__question") == 9
    assert reader.html.index("12356") < reader.html.index("您的答案"), "help comes before everything else"
    reader.press(go="result")
    assert stage(reader.html) == "result"
    assert reader.html.index("拨打心理援助 12356") < reader.html.index("中重度抑郁症状")
    assert "= 17 分" in reader.html and "筛查不是诊断，没有发现什么也不说明没有病" in reader.html
    assert "没有保存" in reader.html and test.form.hashes["rules"][:12] in reader.html
    assert "今天就去看医生" in reader.html
    reader.press(go="to:phq9-9").answer("phq9-9", "0").press(go="result")
    assert "flag-card" not in reader.html and "= 16 分" in reader.html


def test_back_keeps_answers_and_skip_drops_them(client):
    reader = start(client, "gad-2").answer("gad2-1", "3")
    assert "第 2 题" in reader.html
    reader.press(go="back")
    assert "第 1 题" in reader.html and 'value="3" class="is-chosen"' in reader.html
    reader.press(go="skip").press(go="skip")
    assert stage(reader.html) == "review" and reader.html.count("没有答") == 2
    reader.press(go="result")
    assert "算不出" in reader.html and "约时间看医生" not in reader.html
    reader.press(go="to:gad2-1").answer("gad2-1", "3").press(go="skip").press(go="result")
    assert "至少 3 分，最多 6 分" in reader.html and "约时间看医生" in reader.html
    reader.press(go="to:gad2-1").answer("gad2-1", "1").press(go="skip").press(go="result")
    assert "还不能定是哪一档" in reader.html and "最高可能到“需要再细看”" in reader.html
    assert "约时间看医生" not in reader.html and "没有到需要细查的分数" not in reader.html
    assert stage(start(client, "gad-2").press(go="leave").html) == "intro"


def test_a_fired_emergency_stops_the_test(client):
    reader = start(client, "yejian-tuichoujin").answer("dark-urine", "yes")
    assert stage(reader.html) == "result" and "先停在这里" in reader.html
    assert "立即去急诊" in reader.html and "浓茶色" in reader.html and "怎么算出来的" not in reader.html
    number = re.search(r'<a href="#source-(\d)">', reader.html)[1]
    assert "Rhabdomyolysis" in reader.html[reader.html.index(f'id="source-{number}"') :][:300]
    reader.press(go="to:dark-urine").answer("dark-urine", "no")
    assert stage(reader.html) == "question" and "第 2 题" in reader.html


def test_a_doubt_is_not_taken_as_no(client):
    test = self_tests()["yejian-tuichoujin"]
    reader = start(client, "yejian-tuichoujin")
    for link_id in test.form.asked:
        reader.answer(link_id, "unsure")
    reader.press(go="result")
    assert (
        "还没有排除" in reader.html and "今天就去看医生" in reader.html and "没有这里问到的危险信号" not in reader.html
    )
    reader = start(client, "yejian-tuichoujin")
    for link_id in test.form.asked:
        reader.answer(link_id, "no")
    reader.press(go="result")
    assert "没有这里问到的危险信号" in reader.html and "还没有排除" not in reader.html


@pytest.mark.parametrize(
    ("typed", "said"), [("", "请写一个数"), ("高", "请写一个数"), ("9", "之间"), ("1e2", "请写一个数")]
)
def test_a_number_that_is_none_is_asked_again(client, typed, said):
    reader = start(client, "bmi-yaowei").answer("who", "adult").answer("sex", "male").answer("height", typed)
    assert reader.response.status_code == 422
    assert said in reader.html and 'aria-invalid="true"' in reader.html


def test_numbers_are_read_as_people_type_them(client):
    reader = start(client, "bmi-yaowei").answer("who", "adult").answer("sex", "female")
    reader.answer("height", " １６０ ").answer("weight", "60.5").answer("waist", "82")
    assert stage(reader.html) == "review"
    reader.press(go="result")
    assert "23.6" in reader.html and "体重正常" in reader.html and "中心型肥胖前期" in reader.html


def test_the_way_through_in_traditional_script(client):
    reader = start(client, "gad-2", "/zh-hant").answer("gad2-1", "3").answer("gad2-2", "3").press(go="result")
    assert to_hant("需要再细看") in reader.html and 'lang="zh-Hant"' in reader.html


def test_a_result_is_taken_along_and_made_again(client, tmp_path):
    """The reader's own files: text for people, data that replays; served to nobody else and kept nowhere."""
    reader = start(client, "yejian-tuichoujin")
    for link_id in self_tests()["yejian-tuichoujin"].form.asked:
        reader.answer(link_id, "unsure" if link_id == "cold-pale" else "no")
    reader.press(go="result")
    form = fields(reader.html)
    text, data = (client.post(reader.path, form | {"go": go}) for go in ("save-text", "save-data"))
    for response, suffix in ((text, "txt"), (data, "json")):
        assert response["Cache-Control"] == "no-store" and not response.cookies
        assert re.fullmatch(
            rf'attachment; filename="yejian-tuichoujin-\d{{4}}-\d\d-\d\d\.{suffix}"', response["Content-Disposition"]
        )
    said = text.content.decode()
    for line in ("夜里腿抽筋核对清单", "建议：今天就去看医生", "还没有排除的情况", "不确定", "这次结果依据：问卷 "):
        assert line in said, line
    assert "<" not in said and "复制" not in said and "改\n" not in said
    path = tmp_path / "mine.json"
    path.write_bytes(data.content)

    def replayed():
        return CliRunner().invoke(main, ["triage", "replay", str(path), "--json"])

    assert replayed().exit_code == 0 and json.loads(replayed().stdout)["now"]["level"] == "same_day"
    path.write_text(path.read_text("utf-8").replace('"code": "unsure"', '"code": "no"'), "utf-8")
    assert replayed().exit_code == 1 and json.loads(replayed().stdout)["differs"] == ["result"]
    path.write_text('{"resourceType": "QuestionnaireResponse", "questionnaire": "urn:x"}', "utf-8")
    assert replayed().exit_code == 1 and "没有 'urn:x' 这个自测" in replayed().stderr


def test_a_stopped_result_is_taken_along_too(client):
    reader = start(client, "yejian-tuichoujin").answer("dark-urine", "yes")
    said = client.post(reader.path, fields(reader.html) | {"go": "save-text"}).content.decode()
    assert "先停在这里" in said and "立即去急诊" in said and "怎么算出来的" not in said
    hant = start(client, "gad-2", "/zh-hant").answer("gad2-1", "3").answer("gad2-2", "3").press(go="result")
    data = json.loads(client.post(hant.path, fields(hant.html) | {"go": "save-data"}).content)
    assert not response_issues(data, self_tests()["gad-2"].form.questionnaire), "no text but the questionnaire's own"
    assert replay(data, self_tests()["gad-2"].form).identical
    said = client.post(hant.path, fields(hant.html) | {"go": "save-text"}).content.decode()
    assert to_hant("需要再细看") in said and "篩查不是診斷" in said


@pytest.mark.parametrize(
    "go", ["", "save-text", "save-data", "to:nothing", "to:", "back", "next", "result", "什么", "start"]
)
def test_whatever_is_sent_a_page_comes_back(client, go):
    for sent in ({"go": go}, {"go": go, "at": "x" * 500, "a.phq9-1": "9", "a.x": "1"}, {"a.phq9-1": "\x00" * 50}):
        response = client.post("/self-tests/phq-9/", sent)
        assert response.status_code in {200, 422} and response["Cache-Control"] == "no-store"
        assert "xxxx" not in response.content.decode()


def test_what_is_refused(client):
    assert client.get("/self-tests/nothing/").status_code == 404
    assert client.put("/self-tests/phq-9/").status_code == 405
    assert client.post("/self-tests/").status_code == 405
    assert client.post("/self-tests/phq-9/", {}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_the_script_is_small_and_only_where_it_is_needed(client):
    html = client.get("/self-tests/phq-9/").content.decode()
    address = re.search(r'src="(/assets/selftest\.[0-9a-f]+\.js)"', html)[1]
    script = client.get(address).content
    _, engine, page = script.split(b'(function(){"use strict";')
    assert 10_000 < len(engine) < 20_000 and 10_000 < len(page) < 15_500
    assert len(gzip.compress(script)) < 11_250
    assert not re.search(rb"^ | //|^//", script, re.MULTILINE), "indentation and comments stay behind"
    for path in ("/", "/self-tests/"):
        assert address not in client.get(path).content.decode()


def test_answers_in_the_address_are_not_read(client):
    html = client.get("/self-tests/phq-9/?a.phq9-9=3&go=result").content.decode()
    assert stage(html) == "intro" and "flag-card" not in html


def test_nothing_that_was_answered_is_logged_or_stored(client, caplog, django_assert_max_num_queries):
    reader = start(client, "phq-9")
    with caplog.at_level("DEBUG"), django_assert_max_num_queries(2) as asked:
        for link_id in self_tests()["phq-9"].form.asked:
            reader.answer(link_id, "3")
        reader.press(go="result")
    assert stage(reader.html) == "result"
    assert not caplog.records
    # the guide that follows is read, by a name that no answer is part of
    assert all(query["sql"].startswith("SELECT") and "guide" in query["sql"] for query in asked.captured_queries)


def test_self_tests_are_linked_from_where_readers_are(client):
    about = content.condition("yejian-tuichoujin", "夜里腿抽筋")
    content.article("yejian", "夜里腿为什么抽筋", about=about)
    content.condition("biede", "别的病")
    link = 'href="{}/self-tests/yejian-tuichoujin/"'
    for path in ("/conditions/yejian-tuichoujin/", "/articles/yejian/"):
        assert link.format("") in client.get(path).content.decode(), path
        assert link.format("/zh-hant") in client.get(f"/zh-hant{path}").content.decode(), path
    assert link.format("") not in client.get("/conditions/biede/").content.decode()
    home = client.get("/").content.decode()
    sitemap = client.get("/sitemaps/pages-0.xml").content.decode()
    for test in self_tests().values():
        assert f'href="{test.url}"' in home and f"{test.url}</loc>" in sitemap
    page = client.get("/self-tests/yejian-tuichoujin/").content.decode()
    assert 'href="/conditions/yejian-tuichoujin/"' in page


def test_self_tests_are_found_and_suggested(client, quick_search, settings, monkeypatch):
    settings.YIDIAN_SEARCHED = "yidian.site.searched"
    content.condition("yiyuzheng", "抑郁症", description="心情低落、提不起劲，持续两周以上。")
    finding.bring_in_line()
    library().build()

    def shown(path):
        return client.get(path).content.decode()

    def suggested(typed):
        found = client.get("/search/suggestions", {"q": typed}).json()["suggestions"]
        return {each["name"]: each["kind"] for each in found}

    link = 'href="/self-tests/phq-9/"'
    for q in ("抑郁自测", "phq9", "PHQ-9", "抑郁"):
        assert link in shown(f"/search?q={q}"), q
    narrowed = shown("/search?q=抑郁&kind=self-tests")
    assert link in narrowed and "/conditions/" not in re.search(r"<main.*</main>", narrowed, re.DOTALL)[0]
    assert f'href="/zh-hant{self_tests()["phq-9"].url}"' in shown("/zh-hant/search?q=抑郁自测")
    assert suggested("抑郁自")["抑郁自测（PHQ-9）"] == suggested("yyzc")["抑郁自测（PHQ-9）"] == "自测"
    assert "抑郁症" in shown("/search?q=抑郁症")
    # a release without it: nothing leads to a page that is gone
    left = {slug: test for slug, test in self_tests().items() if slug != "phq-9"}
    monkeypatch.setattr(finding, "self_tests", lambda: left)
    finding.bring_in_line()
    assert link not in shown("/search?q=抑郁自测") and "抑郁自测（PHQ-9）" not in suggested("抑郁自")
    assert library().catch_up() and link not in shown("/search?q=抑郁自测")
    # and one that has it again: also found by what its page says, which is in the index alone
    monkeypatch.setattr(finding, "self_tests", self_tests)
    finding.bring_in_line()
    assert library().catch_up() and link in shown("/search?q=过去两周的心情和精神")


def test_the_guide_that_follows_is_one_of_the_starter_and_is_not_shown_beside_a_red_flag(client):
    starter = FOLDER.parent.parent / "starter/bundle"
    for test in self_tests().values():
        assert "guide" not in test.sidecar or (starter / f"guides/{test.sidecar['guide']}.md").is_file()
        for condition in test.sidecar.get("about", ()):
            assert (starter / f"conditions/{condition}.md").is_file()
    content.guide("liangzhou-shuiqian-lashen", "两周睡前拉伸计划")
    link = 'href="/guides/liangzhou-shuiqian-lashen/"'
    assert link in client.get("/self-tests/yejian-tuichoujin/").content.decode()
    reader = start(client, "yejian-tuichoujin").answer("dark-urine", "yes")
    assert stage(reader.html) == "result" and link not in reader.html
