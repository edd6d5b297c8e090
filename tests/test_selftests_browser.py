"""The browser's engine against ours on 10,000 answer sets a self-test, and both against LHC-Forms, in Chromium."""

import functools
import http.server
import json
import random
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from loopback import serving

from yidian.questionnaire.change import smallest_change
from yidian.questionnaire.fhirpath import with_scores
from yidian.questionnaire.result import kept
from yidian.questionnaire.scoring import outcome, response_of
from yidian.selftests.library import self_tests
from yidian.web.assets import asset, assets

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip("没有 chromium，两个计分引擎没有比对：apt-get install chromium", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="没有 playwright，两个计分引擎没有比对")

ROOT = Path(__file__).parent.parent
LFORMS = ROOT / ".cache/lforms/package/dist/lforms"
ANSWER_SETS = 10_000
CLOSED_TOPICS = 0.8  # a reader has something in a few topics; all open, a set costs five times the time
CHANGES = 20  # answer sets a self-test whose smallest change is compared too: each tries hundreds of answers
# Answer sets a self-test whose every word is compared; of the others the names of the rules, and one digit a question.
IN_FULL = 300
LHC_SETS = 6
COUNTING = [test for test in self_tests().values() if test.sidecar["scores"]]
each = pytest.mark.parametrize("test", self_tests().values(), ids=lambda test: test.slug)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def engine(browser):
    page = browser.new_page()
    # as it is served, without what only people need
    page.add_script_tag(content=asset(None, assets().self_test_js.rpartition("/")[2]).content.decode())
    yield page
    page.close()


def drawn(test, rnd, count: int, skipped: float, unsure: float) -> list[tuple[str | None, ...]]:
    """Answer sets: of each question one answer in the order of asking, None where it is skipped."""

    def column(asked) -> list[str | None]:
        if asked.options:
            codes = [option.code for option in asked.options]
            shares = [unsure if code == "unsure" else 1 for code in codes]
            if asked.link_id.startswith("topic."):
                shares = [CLOSED_TOPICS if code == "no" else 1 - CLOSED_TOPICS for code in codes]
            none = sum(shares) * skipped / (1 - skipped)
            return rnd.choices([None, *codes], [none, *shares], k=count)
        parts = 1 if asked.type == "integer" else 10
        numbers = range(int(asked.minimum) * parts, int(asked.maximum) * parts + 1)
        return [None if rnd.random() < skipped else str(Decimal(n) / parts) for n in rnd.choices(numbers, k=count)]

    return list(zip(*map(column, test.form.asked.values()), strict=True))


def answers_from(test, given: tuple[str | None, ...]) -> dict[str, tuple]:
    asked = test.form.asked.values()
    return {
        each.link_id: (value,) if each.options else (Decimal(value),)
        for each, value in zip(asked, given, strict=True)
        if value is not None
    }


# One text goes in and one comes out: Playwright's own packing of millions of values takes longer than the scoring.
RUN = """given => {
  const [questionnaire, sidecar, hashes, sets, full, changes] = JSON.parse(given);
  const { decimal, kept, prepare, outcome, smallestChange } = window.yidianSelfTest;
  const form = prepare(questionnaire, sidecar, hashes), asked = [...form.asked.values()];
  return JSON.stringify(sets.map((given, i) => {
    const answers = new Map();
    asked.forEach((each, place) => {
      if (given[place] === null) return;
      answers.set(each.linkId, [each.options.length ? given[place] : decimal(given[place])]);
    });
    const found = outcome(form, answers);
    if (i >= full) {
      const enabled = new Set(found.enabled);
      found.enabled = asked.map(each => enabled.has(each.linkId) ? "1" : "0").join("");
      for (const rules of ["red_flags", "not_excluded"]) found[rules] = found[rules].map(rule => rule.id);
    }
    return [found, i < changes ? [smallestChange(form, answers), kept(form, answers, "2026-11-26", i % 2 > 0)] : null];
  }));
}"""


def in_browser(engine, test, sets):
    form = test.form
    given = json.dumps([form.questionnaire, form.sidecar, form.hashes, sets, IN_FULL, CHANGES], default=float)
    return json.loads(engine.evaluate(RUN, given))


@each
def test_both_engines_agree(engine, test):
    rnd = random.Random(test.slug)  # noqa: S311  (examples, no secret)
    sets = drawn(test, rnd, ANSWER_SETS, 0.05, 0.3)
    theirs = in_browser(engine, test, sets)
    assert len(theirs) == ANSWER_SETS
    for place, (given, (found, change)) in enumerate(zip(sets, theirs, strict=True)):
        answers = answers_from(test, given)
        ours = outcome(test.form, answers)
        if place >= IN_FULL:
            enabled = set(ours["enabled"])
            ours["enabled"] = "".join("1" if link_id in enabled else "0" for link_id in test.form.asked)
            for rules in ("red_flags", "not_excluded"):
                ours[rules] = [rule["id"] for rule in ours[rules]]
        assert found == ours, given
        if place < CHANGES:
            ours = [
                smallest_change(test.form, answers),
                kept(test.form, answers, authored="2026-11-26", words=place % 2 > 0),
            ]
            assert change == ours, given


def test_the_comparison_sees_one_weight_that_differs(engine):
    test = self_tests()["phq-9"]
    changed = json.loads(json.dumps(test.form.questionnaire, default=float))
    changed["item"][4]["answerOption"][2]["extension"][0]["valueDecimal"] = 3
    sets = [["2"] * 9]
    found = json.loads(engine.evaluate(RUN, json.dumps([changed, test.sidecar, {}, sets, 1, 0])))
    assert found[0][0]["scores"]["total"] == 19 != outcome(test.form, answers_from(test, sets[0]))["scores"]["total"]


# ---- LHC-Forms, the National Library of Medicine's own form filler ----

LHC_PAGE = """<!doctype html><meta charset="utf-8"><div id="form"></div>
<script src="/webcomponent/assets/lib/zone.min.js"></script><script src="/webcomponent/lhc-forms.js"></script>
<script src="/fhir/lformsFHIRAll.min.js"></script>"""
FILL = """async ([questionnaire, wait]) => {
  await LForms.Util.addFormToPage(questionnaire, 'form', {prepopulate: false, fhirVersion: 'R4'});
  await new Promise(done => setTimeout(done, wait));
  return LForms.Util.getFormFHIRData('QuestionnaireResponse', 'R4');
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Says nothing."""


@pytest.fixture(scope="module")
def lhc(browser):
    if not LFORMS.is_dir():
        pytest.skip("没有 LHC-Forms，总分没有和它比对：make .cache/lforms（要 npm）")
    with serving(functools.partial(Quiet, directory=str(LFORMS))) as address:
        page = browser.new_page()
        page.route("**/form.html", lambda route: route.fulfill(body=LHC_PAGE, content_type="text/html"))
        page.goto(f"{address}/form.html")
        page.wait_for_function("!!(window.LForms && LForms.FHIR && LForms.Util.addFormToPage)")
        yield page
        page.close()


def exported(test) -> dict:
    return json.loads(json.dumps(with_scores(test.form.questionnaire, test.sidecar), default=float))


def scores_in(response: dict) -> dict:
    """The scores that the client calculated, by name; what it left empty is absent."""
    return {
        item["linkId"].removeprefix("score."): next(iter(item["answer"][0].values()))
        for item in response.get("item", ())
        if item["linkId"].startswith("score.") and item.get("answer")
    }


def test_every_self_test_that_counts_is_compared():
    assert [test.slug for test in self_tests().values() if test not in COUNTING] == ["wo-gai-zenme-ban"]


@pytest.mark.parametrize("test", COUNTING, ids=lambda test: test.slug)
def test_lhc_forms_computes_the_same_scores(lhc, test):
    rnd = random.Random(test.slug)  # noqa: S311  (examples, no secret)
    differing, totals = [], 0
    for given in [*drawn(test, rnd, LHC_SETS - 2, 0, 0.02), *drawn(test, rnd, 2, 0.1, 0.02)]:
        answers = answers_from(test, given)
        form = exported(test)
        filled = {item["linkId"]: item["answer"] for item in response_of(test.form, answers).get("item", ())}
        for item in form["item"]:
            if item["linkId"] in filled:
                item["initial"] = filled[item["linkId"]]
        ours = {name: value for name, value in outcome(test.form, answers)["scores"].items() if value is not None}
        theirs = scores_in(lhc.evaluate(FILL, [form, 40]))
        if theirs != ours:  # a busy machine may need longer
            theirs = scores_in(lhc.evaluate(FILL, [form, 2_000]))
        totals += len(ours)
        if theirs != ours:
            differing.append((given, ours, theirs))
    assert not differing
    assert totals, "something was compared"


def test_lhc_forms_counts_what_a_reader_clicks(lhc):
    test = self_tests()["phq-9"]
    lhc.evaluate(FILL, [exported(test), 40])
    for place in range(9):
        lhc.locator(f"input[id='phq9-{place + 1}/1']").click()
        lhc.locator("#completionOptions li").nth(place % 4).click()
    lhc.wait_for_timeout(200)
    answers = {f"phq9-{place + 1}": (str(place % 4),) for place in range(9)}
    found = lhc.evaluate("LForms.Util.getFormFHIRData('QuestionnaireResponse', 'R4')")
    assert scores_in(found) == outcome(test.form, answers)["scores"] == {"total": 12}
