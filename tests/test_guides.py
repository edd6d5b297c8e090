"""Action guides: who must not do a step does not see it; no step outlives its evidence; other systems read it all."""

import json
import re
from datetime import timedelta
from html import unescape
from unittest import mock

import content
import pytest
from click.testing import CliRunner
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from test_exchange import bring, files_of, write
from wagtail.test.utils.form_data import nested_form_data, streamfield

from yidian.cli.main import main
from yidian.editorial.schedules import keep_schedules
from yidian.encyclopedia.models import ActionGuide
from yidian.exchange.bundle import export_bundle
from yidian.exchange.check import check_bundle
from yidian.questionnaire.validate import validate_questionnaire
from yidian.triage.rulebook import HERE, RuleError, compile_folder, load

pytestmark = pytest.mark.django_db
ADDRESS = "/guides/xianzai-zenmeban/"


def steps(html: str) -> list[str]:
    """The names of the steps on a page, and 去掉 for those that are not there."""
    items = re.findall(r'<li class="(step(?: step--removed)?)".*?(?:<h3>(.*?)</h3>|</li>)', html, re.DOTALL)
    return ["去掉" if "removed" in kind else name for kind, name in items]


@pytest.fixture
def guide():
    content.source("src-one")
    held = [
        content.contraindication("zhong", question="一条腿肿吗？", removes=["gou", "an"], instead="去急诊[^src-one]。"),
        content.contraindication("huafalin", question="吃华法林吗？", removes=["k2"], instead="不要吃K2[^src-one]。"),
    ]
    held[0]["value"]["answered_by"] = ["yejian-tuichoujin/one-leg-swollen", "yejian-tuichoujin/cold-pale"]
    return content.guide(
        description="先勾脚尖。",
        supplies="毛巾\n椅子",
        contraindications=held,
        phases=[
            content.phase(
                {"key": "gou", "name": "勾脚尖", "text": "<p>慢慢勾[^src-one]。</p>", "seconds": 30},
                {"key": "an", "name": "按揉", "text": "<p>轻轻按。</p>"},
                {"name": "坐下", "text": "<p>坐稳。</p>"},
            ),
            content.phase({"key": "k2", "name": "试试K2", "text": "<p>一项试验[^src-one]。</p>"}, phase="two_weeks"),
        ],
        do="慢慢勾",
        dont="不要猛拉",
        stop_conditions="越拉越痛",
        care_advice=[content.card("emergency_call", "立即拨打 120，如果", "腿肿又气短[^src-one]")],
    )


def test_the_cached_page_shows_every_step_and_what_forbids_it(client, guide):
    response = client.get(ADDRESS)
    html = unescape(response.content.decode())
    assert steps(html) == ["勾脚尖", "按揉", "坐下", "试试K2"]
    assert html.index("吃华法林吗？") < html.index("不要吃K2") < html.index("勾脚尖</h3>")
    assert response["X-Page-Tags"] and not response.cookies
    assert "先拿好：毛巾、椅子。" in html


@pytest.mark.parametrize("answer", ["yes", "unsure", ""])
def test_yes_unsure_and_no_answer_remove_a_step_everywhere_on_the_page(client, guide, answer):
    given = {"c.zhong": answer, "c.huafalin": "no", "go": "answered"} if answer else {"c.huafalin": "no"}
    response = client.post(ADDRESS, given)
    html = unescape(response.content.decode())
    assert steps(html) == ["去掉", "去掉", "坐下", "试试K2"]
    assert "勾脚尖" not in html.replace("先勾脚尖。", "").split("<main", 1)[1], "nor in what says the steps in short"
    assert "慢慢勾" not in html and "不要猛拉" in html
    why = "因为您答“是”：一条腿肿吗？" if answer == "yes" else "因为您不确定：一条腿肿吗？"
    assert html.count(why) == 1 and "原因和上一步一样" in html and html.count("去急诊") >= 3
    assert response["Cache-Control"] == "no-store" and "X-Page-Tags" not in response
    assert not response.cookies and "c.zhong" not in response.request["QUERY_STRING"]
    assert 'content="noindex"' in html and "ld+json" not in html
    assert len(re.findall(r' id="([^"]*)"', html)) == len(set(re.findall(r' id="([^"]*)"', html)))


def test_a_lead_that_names_the_crisis_line_has_its_button_and_no_search_words_above_it(client, guide):
    shown = "也叫"
    assert "tel:12356" not in client.get(ADDRESS).content.decode().partition("</main>")[0]
    words = {"alternate_names": "想死怎么办\n不想活了", "description": "现在就打 12356，找人陪着。"}
    content.guide("huo-xiaqu", "先活过今晚", **words)
    page = client.get("/guides/huo-xiaqu/").content.decode().partition("</main>")[0]
    assert 'href="tel:12356"' in page and shown not in page and "想死怎么办" not in page
    held = [content.contraindication("yao", removes=["deng"])]
    first = content.phase({"key": "deng", "name": "等一等", "text": "<p>等。</p>"})
    content.guide("deng-yi-deng", "等一等", **words, contraindications=held, phases=[first])
    fitted = client.post("/guides/deng-yi-deng/", {"c.yao": "yes"}).content.decode().partition("</main>")[0]
    assert "现在就打" not in fitted.partition("<main")[2] and 'href="tel:12356"' in fitted
    content.population(slug="yunfu", name="孕妇", alternate_names="大肚子\n怀了孕")
    assert shown not in client.get("/populations/yunfu/").content.decode().partition("</main>")[0]
    content.condition(alternate_names="腿抽筋\n转筋")
    assert f"{shown} 腿抽筋、转筋" in client.get("/conditions/xiaotui-choujin/").content.decode()


def test_the_call_comes_first_and_many_reasons_are_said_once(client):
    content.source("src-one")
    held = [
        content.contraindication(key, question=f"{key}吗？", removes=["gou"], instead=f"{instead}[^src-one]。")
        for key, instead in [("yao", "先问医生"), ("zhong", "立即去急诊"), ("bing", "现在就拨打 120")]
    ]
    content.guide(
        contraindications=held, phases=[content.phase({"key": "gou", "name": "勾脚尖", "text": "<p>勾。</p>"})]
    )
    given = {"c.yao": "yes", "c.zhong": "unsure", "c.bing": "yes"}
    html = unescape(client.post(ADDRESS, given).content.decode()).partition('id="before-outcome"')[2]
    outcome, rest = html.partition("</ul>")[::2]
    assert outcome.index("拨打 120") < outcome.index("去急诊") < outcome.index("先问医生")
    removed = rest.partition("step--removed")[2].partition("</li>")[0]
    assert "您有 3 处答" in removed and "先问医生" not in removed
    two = unescape(client.post(ADDRESS, given | {"c.yao": "no"}).content.decode()).partition("step--removed")[2]
    assert two.index("拨打 120") < two.index("去急诊") < two.index("</li>")


def test_no_to_everything_leaves_every_step_and_reassures_nobody(client, guide):
    html = client.post(ADDRESS, {"c.zhong": "no", "c.huafalin": "no"}).content.decode()
    assert steps(html) == ["勾脚尖", "按揉", "坐下", "试试K2"]
    assert "不舒服变重，就停下来看医生" in html and "先勾脚尖。" in html


def test_an_answer_about_a_later_step_leaves_what_is_to_be_done_now(client, guide):
    html = client.post(ADDRESS, {"c.zhong": "no", "c.huafalin": "yes"}).content.decode()
    assert steps(html) == ["勾脚尖", "按揉", "坐下", "去掉"]
    assert "先勾脚尖。" in html and "慢慢勾" in html


def test_the_one_page_is_fitted_too_and_both_stand_in_the_other_script(client, guide):
    for prefix in ("", "/zh-hant"):
        plain = client.get(f"{prefix}{ADDRESS}handout/").content.decode()
        fitted = client.post(f"{prefix}{ADDRESS}handout/", {"c.zhong": "yes", "c.huafalin": "no"}).content.decode()
        assert ("勾脚尖" in plain or "勾腳尖" in plain) and "<li>坐下</li>" in plain
        assert not re.search("<li[^>]*>勾(脚|腳)尖</li>", fitted) and re.search(
            "<li>(这一步不做|這一步不做)</li>", fitted
        )
    page = client.post(ADDRESS, {"c.zhong": "yes", "c.huafalin": "no"}).content.decode()
    assert f'<form method="post" action="{ADDRESS}handout/">' in page and 'name="c.zhong" value="yes"' in page


def test_a_form_of_another_site_and_other_methods_are_refused(client, guide):
    assert client.post(ADDRESS, {}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.put(ADDRESS).status_code == 405
    assert client.post("/guides/mei-you/", {}).status_code == 404


def test_nothing_that_was_answered_is_stored_or_logged(client, guide, caplog, django_assert_max_num_queries):
    with caplog.at_level("DEBUG"), django_assert_max_num_queries(4) as asked:
        client.post(ADDRESS, {"c.zhong": "yes", "c.huafalin": "unsure"})
    assert all(query["sql"].startswith("SELECT") for query in asked.captured_queries)
    assert not [record for record in caplog.records if record.name != "django.db.backends"]


def test_answers_to_a_self_test_go_along_when_the_reader_presses_the_button(client, guide):
    ActionGuide.objects.filter(pk=guide.pk).update(slug="yice-tuizhong")
    given = {"a.dark-urine": "no", "a.one-leg-swollen": "yes", "at": "one-leg-swollen", "go": "next"}
    result = client.post("/self-tests/yejian-tuichoujin/", given).content.decode()
    button = re.search(r'<button[^>]*name="from"[^>]*>', result)[0]
    assert 'formaction="/guides/yice-tuizhong/"' in button and 'value="yejian-tuichoujin"' in button
    held = dict(re.findall(r'name="(a\.[^"]+)" value="([^"]+)"', result))
    html = unescape(client.post("/guides/yice-tuizhong/", held | {"from": "yejian-tuichoujin"}).content.decode())
    assert steps(html) == ["去掉", "去掉", "坐下", "试试K2"], "what the test did not ask stays a question"
    assert re.search(r'name="c.zhong" value="yes" checked', html) and 'name="c.huafalin" value="no" checked' not in html
    # a no in other words is not taken over
    no = {"a.one-leg-swollen": "no", "a.cold-pale": "no", "from": "yejian-tuichoujin"}
    html = client.post("/guides/yice-tuizhong/", no).content.decode()
    assert not re.search(r'name="c[^>]* checked', html) and "还有问题没有答" in html
    unsure = {"a.one-leg-swollen": "unsure", "from": "yejian-tuichoujin"}
    assert "因为您不确定" in client.post("/guides/yice-tuizhong/", unsure).content.decode()


# ---- what a step rests on ----


def resting_on(*claims):
    step = {"key": "la", "name": "睡前拉伸", "text": "<p>慢慢拉。</p>", "claims": [claim.pk for claim in claims]}
    return [content.phase(step, {"name": "坐下", "text": ""})]


FALLEN = [({"direction": "contradicts"}, "证据反对"), ({"direction": "unclear"}, "没有证据支持")]


@pytest.mark.parametrize(("change", "said"), FALLEN)
def test_a_guide_is_not_published_on_a_claim_that_does_not_carry_it(change, said):
    claim = content.claim("lashen", [content.source()], name="拉伸有用吗？有用。", direction="supports")
    content.guide(phases=resting_on(claim))
    fallen = content.claim("baifan", [content.source("src-two")], name="白费吗？", **change)
    with pytest.raises(
        ValidationError, match=f"步骤“睡前拉伸”依据的主张 baifan（白费吗？）现在是“{said}”.*请改掉或删去这一步"
    ):
        content.guide("bu-gongkai", phases=resting_on(claim, fallen))
    assert not ActionGuide.objects.filter(slug="bu-gongkai").exists()


def test_a_claim_without_a_public_source_carries_nothing():
    claim = content.claim("lashen", [], direction="supports")
    assert claim.verdict == "unsupported"
    with pytest.raises(ValidationError, match="没有证据支持"):
        content.guide(phases=resting_on(claim))


@pytest.mark.parametrize("falls", ["direction", "claim", "source"])
def test_a_step_does_not_outlive_its_claim_and_comes_back_with_it(client, falls):
    source = content.source()
    claim = content.claim("lashen", [source], name="拉伸有用吗？有用。", direction="supports")
    content.guide(phases=resting_on(claim))
    html = client.get(ADDRESS).content.decode()
    assert "睡前拉伸" in html and 'href="/claims/lashen/"' in html
    if falls == "direction":
        claim.direction = "contradicts"
        content.publish(claim)
    else:
        (claim if falls == "claim" else source).unpublish()
    html = client.get(ADDRESS).content.decode()
    assert "睡前拉伸" not in html and "这一步先不要做" in html and "坐下" in html
    assert "睡前拉伸" not in client.get(f"{ADDRESS}plandefinition.json").content.decode()
    checked = CliRunner().invoke(main, ["check"])
    assert checked.exit_code == 0 and f"提醒：{ADDRESS} 有一步已从页面撤下。步骤“睡前拉伸”" in checked.stdout
    if falls == "direction":
        claim.direction = "supports"
    content.publish(source if falls == "source" else claim)
    assert "睡前拉伸" in client.get(ADDRESS).content.decode()
    assert "撤下" not in CliRunner().invoke(main, ["check"]).stdout


@pytest.fixture
def root(django_user_model):
    browser = Client()
    browser.force_login(django_user_model.objects.create_superuser("root", password="x"))
    return browser


@pytest.mark.parametrize("deleted", ["claim", "source"])
def test_a_step_does_not_outlive_a_claim_or_source_that_an_editor_deletes(root, deleted):
    claim = content.claim("lashen", [content.source()], name="拉伸有用吗？有用。", direction="supports")
    content.guide(phases=resting_on(claim))
    gone = claim if deleted == "claim" else claim.sources.get()
    assert "睡前拉伸" in root.get(ADDRESS).content.decode()
    assert root.post(f"/admin/snippets/evidence/{deleted}/delete/{gone.pk}/").status_code == 302
    html = root.get(ADDRESS).content.decode()
    assert "睡前拉伸" not in html and "这一步先不要做" in html and "坐下" in html
    assert f"提醒：{ADDRESS} 有一步已从页面撤下。步骤“睡前拉伸”" in CliRunner().invoke(main, ["check"]).stdout
    with pytest.raises(ValidationError, match="步骤“睡前拉伸”依据的主张"):
        content.publish(ActionGuide.objects.get())


def guide_form(claim, removes="la", instead="不要拉[^src-one]。", **more):
    step = {"key": "la", "name": "睡前拉伸", "text": '{"blocks": [], "entityMap": {}}', "seconds": "30"}
    claims = {"count": "1", "0-deleted": "", "0-order": "0", "0-type": "item", "0-value": str(claim.pk)}
    phase = {"phase": "now", "headline": "现在做", "steps-count": "1", "steps-0-deleted": "", "steps-0-order": "0"}
    phase |= {f"steps-0-value-{name}": value for name, value in step.items()}
    phase |= {f"steps-0-value-claims-{name}": value for name, value in claims.items()}
    phase |= {f"steps-0-value-picture-{name}": "" for name in ("image", "alt", "caption")}
    asked = {"key": "shoushang", "question": "受过伤吗？", "instead": instead, "answered_by-count": "0"}
    asked |= {"removes-count": "1", "removes-0-deleted": "", "removes-0-order": "0", "removes-0-value": removes}
    form = {"name": "现在怎么做", "description": "先拉。", "do": "", "dont": "", "care_advice": streamfield([])}
    form |= {"phases": streamfield([("phase", phase)])}
    form |= {"contraindications": streamfield([("contraindication", asked)])}
    return nested_form_data(form) | more


def refused(response) -> str:
    assert response.status_code == 200
    html = unescape(response.content.decode())  # what is said inside a stream of blocks is JSON
    return html + re.sub(r"\\\\?u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), html)


def test_an_editor_publishes_what_holds_and_is_told_what_does_not(root):
    add = "/admin/snippets/encyclopedia/actionguide/add/"
    good = content.claim("lashen", [content.source()], name="拉伸有用吗？有用。", direction="supports")
    bad = content.claim("baifan", [content.source("src-two")], name="白费吗？", direction="contradicts")
    publish = {"action-publish": "1"}
    assert "步骤“睡前拉伸”依据的主张 baifan" in refused(root.post(add, guide_form(bad, **publish)))
    assert "没有编号是 meiyou 的步骤" in refused(root.post(add, guide_form(good, removes="meiyou", **publish)))
    assert "请引用出处" in refused(root.post(add, guide_form(good, instead="不要拉。", **publish)))
    assert not ActionGuide.objects.exists()
    assert root.post(add, guide_form(bad)).status_code == 302, "a draft may still have it"
    assert root.post(add, guide_form(good, slug="hao", **publish)).status_code == 302
    assert ActionGuide.objects.get(live=True).contraindications[0].value["removes"][0] == "la"


@pytest.mark.parametrize("was_public", [False, True])
def test_an_hour_that_comes_after_a_claim_fell_leaves_the_draft_and_tells_the_editors(root, was_public):
    claim = content.claim("lashen", [content.source()], name="拉伸有用吗？有用。", direction="supports")
    if was_public:
        content.guide("hao", description="原来的。", phases=resting_on(claim))
    later = timezone.now() + timedelta(days=2)
    at = {"go_live_at": timezone.localtime(later).strftime("%Y-%m-%d %H:%M"), "action-publish": "1"}
    edit = "/admin/snippets/encyclopedia/actionguide/"
    place = f"{edit}edit/{ActionGuide.objects.get().pk}/" if was_public else f"{edit}add/"
    assert root.post(place, guide_form(claim, slug="hao", **at)).status_code == 302
    guide = ActionGuide.objects.get()
    claim.unpublish()
    with mock.patch("django.utils.timezone.now", return_value=later + timedelta(hours=1)):
        keep_schedules()
        keep_schedules()
        page = root.get("/guides/hao/")
        assert page.status_code == (200 if was_public else 404)
        assert "先拉。" not in page.content.decode()
        told = [root.get("/admin/"), root.get(f"{edit}history/{guide.pk}/")]
        for shown in told:
            assert shown.content.decode().count("步骤“睡前拉伸”依据的主张 lashen") == 1
        content.publish(claim)
        again = root.post(f"{edit}edit/{guide.pk}/", guide_form(claim, slug="hao") | {"action-publish": "1"})
        assert again.status_code == 302
        assert "先拉。" in root.get("/guides/hao/").content.decode()
        assert "该公开的都公开了。" in root.get("/admin/").content.decode()


def test_an_approval_after_a_claim_fell_publishes_nothing(root, django_user_model):
    claim = content.claim("lashen", [content.source()], name="拉伸有用吗？有用。", direction="supports")
    editor = django_user_model.objects.create_user("bianji", password="x")
    editor.groups.add(Group.objects.get(name="Editors"))
    writing = Client()
    writing.force_login(editor)
    add = "/admin/snippets/encyclopedia/actionguide/add/"
    assert writing.post(add, guide_form(claim, slug="hao") | {"action-submit": "1"}).status_code == 302
    guide = ActionGuide.objects.get()
    claim.unpublish()
    task = guide.current_workflow_task_state.pk
    approve = f"/admin/snippets/encyclopedia/actionguide/workflow/action/{guide.pk}/approve/{task}/"
    assert root.post(approve, {"comment": ""}).status_code in {200, 302}
    assert root.get("/guides/hao/").status_code == 404
    assert "步骤“睡前拉伸”依据的主张 lashen" in root.get("/admin/").content.decode()


# ---- for other systems ----


def texts(found, name: str) -> list:
    """Every value of this name anywhere in a document."""
    if isinstance(found, list):
        return [each for item in found for each in texts(item, name)]
    if not isinstance(found, dict):
        return []
    return [found[name] for key in found if key == name] + [
        each for item in found.values() for each in texts(item, name)
    ]


def test_search_engines_get_sections_steps_time_and_supplies(client, guide):
    html = client.get(ADDRESS).content.decode()
    graph = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)[1])["@graph"]
    how_to = next(each for each in graph if each["@type"] == "HowTo")
    assert how_to["totalTime"] == "PT30S"
    assert [each["name"] for each in how_to["supply"]] == ["毛巾", "椅子"]
    assert {each["@type"] for each in how_to["supply"]} == {"HowToSupply"}
    now, later = how_to["step"]
    assert now["@type"] == "HowToSection" and now["url"].endswith(f"{ADDRESS}#phase-1")
    assert [(each["@type"], each["position"]) for each in now["itemListElement"]] == [
        ("HowToStep", n) for n in (1, 2, 3)
    ]
    assert now["itemListElement"][0]["timeRequired"] == "PT30S"
    assert "去急诊" in now["itemListElement"][0]["text"] and "去急诊" not in now["itemListElement"][2]["text"]
    assert later["itemListElement"][0]["position"] == 4


# http://hl7.org/fhir/R4/plandefinition.html: each element with its type; a list where it may repeat
RELATED = {"type": str, "label": str, "display": str, "citation": str, "url": str, "resource": str}
CODED = {"coding": [{"system": str, "code": str}], "text": str}
QUANTITY = {"value": int, "unit": str, "system": str, "code": str}
ACTION = {
    "id": str,
    "prefix": str,
    "title": str,
    "description": str,
    "priority": str,
    "documentation": [RELATED],
    "condition": [{"kind": str, "expression": {"description": str, "language": str, "expression": str}}],
    "timingDuration": QUANTITY,
    "timingRange": {"low": QUANTITY, "high": QUANTITY},
    "timingTiming": {"repeat": {"duration": int, "durationUnit": str}},
    "participant": [{"type": str}],
    "groupingBehavior": str,
    "selectionBehavior": str,
}
ACTION["action"] = [ACTION]
PLAN = {
    **dict.fromkeys(("resourceType", "id", "language", "url", "version", "name", "title", "status", "date"), str),
    **dict.fromkeys(("publisher", "description", "purpose", "usage", "lastReviewDate"), str),
    "contained": [dict],
    "identifier": [{"system": str, "value": str}],
    "type": CODED,
    "experimental": bool,
    "subjectCodeableConcept": CODED,
    "effectivePeriod": {"end": str},
    "topic": [CODED],
    "author": [{"name": str}],
    "reviewer": [{"name": str}],
    "relatedArtifact": [RELATED],
    "action": [ACTION],
}
CODES = {
    "kind": {"applicability", "start", "stop"},
    "priority": {"routine", "urgent", "asap", "stat"},
    "durationUnit": {"s", "min", "h", "d", "wk", "mo", "a"},
    "groupingBehavior": {"visual-group", "logical-group", "sentence-group"},
    "selectionBehavior": {"any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"},
}


def faults(found, shape, path="PlanDefinition"):
    """Where a document is not of a shape; FHIR forbids empty strings, lists and objects."""
    if isinstance(shape, list):
        if not isinstance(found, list) or not found:
            return [path]
        return [fault for n, each in enumerate(found) for fault in faults(each, shape[0], f"{path}[{n}]")]
    if isinstance(shape, dict):
        if not isinstance(found, dict) or not found:
            return [path]
        unknown = [f"{path}.{name}" for name in found if name not in shape]
        return unknown + [
            fault for name in found if name in shape for fault in faults(found[name], shape[name], f"{path}.{name}")
        ]
    return [] if type(found) is shape and found != "" else [path]


def test_a_plan_definition_is_what_fhir_r4_says(client, guide):
    response = client.get(f"{ADDRESS}plandefinition.json")
    assert response["Content-Type"].startswith("application/fhir+json") and response["X-Page-Tags"]
    plan = json.loads(response.content)
    assert faults(plan, PLAN) == []
    assert faults(plan | {"colour": "red", "title": ""}, PLAN) == ["PlanDefinition.colour", "PlanDefinition.title"]
    for name, allowed in CODES.items():
        assert set(texts(plan, name)) <= allowed and texts(plan, name), name
    assert plan["status"] == "draft" and plan["experimental"] is True, "no clinician has reviewed it"
    assert re.fullmatch(r"[A-Z]([A-Za-z0-9_]){0,254}", plan["name"]), "pdf-0"
    (asked,) = plan["contained"]
    issues = validate_questionnaire(json.dumps(asked))["issue"]
    assert not [each for each in issues if each["severity"] in {"error", "fatal"}]
    assert [item["linkId"] for item in asked["item"]] == ["zhong", "huafalin"]


def test_a_plan_definition_says_when_how_long_on_what_and_for_whom_not(client, guide):
    plan = json.loads(client.get(f"{ADDRESS}plandefinition.json").content)
    before, now, later, care = plan["action"]
    assert [each["id"] for each in before["action"]] == ["instead-zhong", "instead-huafalin"]
    assert before["action"][0]["condition"][0]["expression"]["expression"].endswith(".exists()")
    assert now["timingDuration"]["value"] == 0 and later["timingRange"]["high"]["value"] == 14
    hook, rub, sit = now["action"]
    assert hook["timingTiming"]["repeat"] == {"duration": 30, "durationUnit": "s"}
    assert hook["description"] == "慢慢勾。" and hook["documentation"][0]["label"] == "1"
    for step in (hook, rub):
        (condition,) = step["condition"]
        assert condition["kind"] == "applicability" and "zhong" in condition["expression"]["expression"]
        assert (
            condition["expression"]["expression"].endswith(".empty()")
            and "一条腿肿吗" in condition["expression"]["description"]
        )
    assert "condition" not in sit
    assert [each["kind"] for each in now["condition"]] == ["stop"] and care["priority"] == "stat"
    assert "不要：不要猛拉" in plan["usage"] and len(plan["relatedArtifact"]) == 1
    assert client.get("/guides/meiyou/plandefinition.json").status_code == 404
    said = CliRunner().invoke(main, ["guide", "plan", "xianzai-zenmeban"])
    assert said.exit_code == 0 and json.loads(said.stdout) == plan
    missing = CliRunner().invoke(main, ["guide", "plan", "meiyou"])
    assert missing.exit_code == 1 and missing.stdout == "" and "没有公开的行动指南 meiyou" in missing.stderr


# ---- what follows a rule ----


def test_every_emergency_has_a_guide_or_a_reason_and_most_have_a_guide():
    urgent = [rule for rule in load().rules.values() if rule.level in {"emergency", "emergency_call"}]
    assert all(bool(rule.guide) != bool(rule.no_guide) for rule in urgent)
    assert sum(bool(rule.guide) for rule in urgent) > 0.8 * len(urgent)


def test_a_table_of_guides_that_forgets_an_emergency_or_names_nothing_is_refused(tmp_path):
    (tmp_path / "rules").mkdir()
    for name in (
        "lexicon.yaml",
        "sources.yaml",
        "guides.yaml",
        *(f"rules/{each.name}" for each in (HERE / "rules").iterdir()),
    ):
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    table = tmp_path / "guides.yaml"
    written = table.read_text("utf-8")
    for old, new, said in (
        ("[choking, choked-since]", "[choking]", "choked-since.*急症要写明"),
        ("[choking, choked-since]", "[choking, choked-since, meiyou]", "没有“meiyou”这条规则"),
        ("[choking, choked-since]", "[choking, choked-since, stroke-now]", "写在两个指南下面"),
        ("  alcohol: ", "  choking: x\n  alcohol: ", "without 里写没有指南的规则"),
    ):
        assert old in written
        table.write_text(written.replace(old, new), "utf-8")
        with pytest.raises(RuleError, match=said):
            compile_folder(tmp_path)
    table.write_text(written, "utf-8")
    assert compile_folder(tmp_path)["rules"] == compile_folder(HERE)["rules"]


def test_a_fired_card_leads_to_its_guide_where_the_site_has_it(client):
    content.question(name="我爸突然嘴歪，左手没劲，怎么办？", slug="zhongfeng")
    assert "zhongfeng-zheyang-zuo" not in client.get("/questions/zhongfeng/").content.decode()
    content.guide("zhongfeng-zheyang-zuo", "可能是中风")
    for path in ("/questions/zhongfeng/", "/search?q=我爸突然嘴歪，左手没劲"):
        html = client.get(path).content.decode()
        card = html[html.index("care-card--emergency_call") :].split("</section>")[0]
        assert 'href="/guides/zhongfeng-zheyang-zuo/"' in card and "一步步怎么做：《可能是中风》" in card
    assert "list:guides" in client.get("/questions/zhongfeng/")["X-Page-Tags"].split()
    answers = {"a.age": "70", "a.topic.brain": "yes", "a.face_droop": "yes", "at": "face_droop", "go": "next"}
    html = client.post("/self-tests/wo-gai-zenme-ban/", answers).content.decode()
    assert 'href="/guides/zhongfeng-zheyang-zuo/"' in html[html.index("flag-card") :].split("</section>")[0]


# ---- as files ----

BUNDLE = {
    "bundle.yaml": "format: yidian-bundle/1\ntitle: 试\n",
    "evidence/sources.yaml": "- slug: src-one\n  kind: guideline\n  title: 指南\n  pmid: '1'\n",
    "evidence/claims.yaml": """\
- slug: lashen
  text: 拉伸有用吗？有用。
  direction: supports
  certainty: low
  sources: [src-one]
""",
    "guides/la.md": """\
---
name: 现在怎么做
description: 先拉。
supplies: [毛巾]
contraindications:
  - id: huafalin
    question: 您正在吃华法林吗？
    removes: [la]
    instead: 不要拉[^src-one]。
    answered_by: [yejian-tuichoujin/one-leg-swollen]
date_published: 2026-11-22
---

## 现在做 {phase: now}

### 拉 {id: la, seconds: 30}

慢慢拉[^src-one]。

{{claim: lashen}}
""",
}
WRONG = [
    (
        "evidence/claims.yaml",
        "supports",
        "contradicts",
        "步骤“拉”依据的主张 lashen（拉伸有用吗？有用。）现在是“证据反对”",
    ),
    ("evidence/claims.yaml", "supports", "unclear", "现在是“没有证据支持”"),
    ("evidence/claims.yaml", "  sources: [src-one]\n", "", "现在是“没有证据支持”"),
    ("guides/la.md", "removes: [la]", "removes: [tui]", "没有编号是 tui 的步骤"),
    ("guides/la.md", "不要拉[^src-one]。", "不要拉。", "huafalin 没有出处"),
    ("guides/la.md", "one-leg-swollen", "mei-you", "没有自测的题“yejian-tuichoujin/mei-you”"),
    ("guides/la.md", "{{claim: lashen}}", "{{claim: lashen}}\n\n{{claim: lashen}}", "在这一步写了两次"),
    ("guides/la.md", "{id: la, seconds: 30}", "{id: la-, seconds: 30}", "步骤的编号最多 40 个小写字母"),
]


def test_a_guide_as_files_passes_the_check_and_comes_back_byte_for_byte(tmp_path):
    folder = write(tmp_path / "in", BUNDLE)
    assert [each for each in check_bundle(folder) if each.level == "error"] == []
    assert bring(folder) == ("3 created, 0 updated, 0 unchanged, 0 rejected", [])
    export_bundle(tmp_path / "out")
    assert files_of(tmp_path / "out")["guides/la.md"].decode() == BUNDLE["guides/la.md"]


@pytest.mark.parametrize(("file", "old", "new", "said"), WRONG)
def test_what_a_guide_as_files_may_not_have_is_said(tmp_path, file, old, new, said):
    assert old in BUNDLE[file]
    folder = write(tmp_path / "in", BUNDLE | {file: BUNDLE[file].replace(old, new)})
    problems = [str(each) for each in check_bundle(folder) if each.level == "error"]
    assert any(said in each and each.startswith("guides/la.md") for each in problems), problems


def test_a_guide_whose_claim_fell_comes_in_with_a_word_and_without_the_step(client, tmp_path):
    wrong = BUNDLE["evidence/claims.yaml"].replace("supports", "contradicts")
    counts, said = bring(write(tmp_path / "in", BUNDLE | {"evidence/claims.yaml": wrong}))
    assert counts.endswith("0 rejected") and len(said) == 1 and "依据的主张 lashen" in said[0]
    html = client.get("/guides/la/").content.decode()
    assert "<h3>拉</h3>" not in html and "这一步先不要做" in html
