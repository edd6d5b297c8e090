"""Scoring by a closed set of operators: every operator known and unknown, and every self-test that ships."""

import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from yidian.cli.bench_selftests import scoring
from yidian.cli.main import main
from yidian.questionnaire.change import smallest_change
from yidian.questionnaire.hashes import hashes_of
from yidian.questionnaire.result import EXTENSION, NoResult, kept, replay
from yidian.questionnaire.scoring import (
    CONDITIONS,
    LEVELS,
    NUMBERS,
    Asked,
    SidecarError,
    answer_text,
    answers_of,
    months_of,
    outcome,
    prepare,
    response_of,
    score,
    years_of,
)
from yidian.questionnaire.validate import response_issues
from yidian.selftests.library import FOLDER, read, self_tests

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
TESTS = self_tests().values()
each_test = pytest.mark.parametrize("test", TESTS, ids=lambda test: test.slug)


def dice(seed):
    return random.Random(seed)  # noqa: S311  (examples, no secret)


def choice(link_id, **weights):
    options = []
    for code, weight in weights.items():
        extension = {} if weight is None else {"extension": [{"url": ORDINAL, "valueDecimal": weight}]}
        options.append(extension | {"valueCoding": {"code": code, "display": code}})
    return {"linkId": link_id, "text": link_id, "type": "choice", "answerOption": options}


QUESTIONNAIRE = {
    "resourceType": "Questionnaire",
    "status": "active",
    "item": [
        choice("a", yes=1, no=0, unsure=None),
        choice("b", yes=2, no=0, unsure=None),
        choice("sex", male=None, female=None),
        {"linkId": "cm", "text": "cm", "type": "decimal"},
        {"linkId": "kg", "text": "kg", "type": "decimal"},
    ],
}
YES, NO, UNSURE = ("yes",), ("no",), ("unsure",)


def number(expression, **answers):
    sidecar = {"scores": {"x": {"label": "x", "is": expression, "missing": "缺"}}}
    return outcome(prepare(QUESTIONNAIRE, sidecar), answers)["scores"]["x"]


def holds(condition, **answers):
    rule = {"id": "r", "when": condition, "level": "emergency", "heading": "去", "message": "去"}
    found = outcome(prepare(QUESTIONNAIRE, {"red_flags": [rule]}), answers)
    return True if found["red_flags"] else None if found["not_excluded"] else False


TABLE = [{"below": 18.5, "gives": 0}, {"below": 24, "gives": 1}, {"gives": 2}]
NUMBER_CASES = [
    ({"value": "cm"}, {"cm": (Decimal(170),)}, 170),
    ({"value": "cm"}, {}, None),
    ({"weight": "a"}, {"a": YES}, 1),
    ({"weight": "a"}, {"a": UNSURE}, None),
    ({"weights": ["a", "b"]}, {"a": YES, "b": YES}, 3),
    ({"weights": ["a", "b"]}, {"a": YES}, None),
    ({"weights": ["a", "b"]}, {"a": YES, "b": UNSURE}, None),
    ({"sum": [{"weight": "a"}, 0.1, 0.2]}, {"a": NO}, 0.3),
    (
        {"weighted_sum": [{"by": 0.5, "of": {"weight": "a"}}, {"by": -1, "of": {"weight": "b"}}]},
        {"a": YES, "b": YES},
        -1.5,
    ),
    ({"weighted_sum": [{"by": 2, "of": {"weight": "a"}}]}, {}, None),
    ({"max": [{"weight": "a"}, {"weight": "b"}]}, {"a": YES, "b": YES}, 2),
    ({"max": [{"weight": "a"}, {"weight": "b"}]}, {"a": YES}, None),
    ({"min": [{"weight": "a"}, {"weight": "b"}]}, {"a": YES, "b": YES}, 1),
    ({"count_if": [{"is": {"a": "yes"}}, {"is": {"b": "no"}}]}, {"a": YES, "b": YES}, 1),
    ({"count_if": [{"is": {"a": "yes"}}, {"is": {"b": "no"}}]}, {"a": YES, "b": UNSURE}, None),
    ({"lookup": {"of": {"value": "cm"}, "table": TABLE}}, {"cm": (Decimal("18.4"),)}, 0),
    ({"lookup": {"of": {"value": "cm"}, "table": TABLE}}, {"cm": (Decimal("18.5"),)}, 1),
    ({"lookup": {"of": {"value": "cm"}, "table": TABLE}}, {"cm": (Decimal(24),)}, 2),
    (
        {"lookup": {"of": {"value": "cm"}, "table": [{"below": 1, "gives": None}, {"gives": 3}]}},
        {"cm": (Decimal(0),)},
        None,
    ),
    ({"lookup": {"of": {"value": "cm"}, "table": TABLE}}, {}, None),
    ({"choose": {"by": "sex", "cases": {"male": 1, "female": 2}}}, {"sex": ("female",)}, 2),
    ({"choose": {"by": "sex", "cases": {"male": 1}}}, {"sex": ("female",)}, None),
    ({"choose": {"by": "sex", "cases": {"male": 1}}}, {}, None),
    ({"bmi": {"kg": {"value": "kg"}, "cm": {"value": "cm"}}}, {"kg": (Decimal(65),), "cm": (Decimal(200),)}, 16.3),
    ({"bmi": {"kg": {"value": "kg"}, "cm": {"value": "cm"}}}, {"kg": (Decimal(70),), "cm": (Decimal(175),)}, 22.9),
    ({"bmi": {"kg": {"value": "kg"}, "cm": {"value": "cm"}}}, {"kg": (Decimal(70),), "cm": (Decimal(0),)}, None),
    ({"bmi": {"kg": {"value": "kg"}, "cm": {"value": "cm"}}}, {"kg": (Decimal(70),)}, None),
]


@pytest.mark.parametrize(("expression", "answers", "expected"), NUMBER_CASES)
def test_each_number_is_exact_or_unknown(expression, answers, expected):
    assert number(expression, **answers) == expected


CONDITION_CASES = [
    ({"is": {"a": "yes"}}, {"a": YES}, True),
    ({"is": {"a": "yes"}}, {"a": NO}, False),
    ({"is": {"a": "yes"}}, {"a": UNSURE}, None),
    ({"is": {"a": "yes"}}, {}, None),
    ({"compare": [{"weight": "a"}, ">=", 1]}, {"a": YES}, True),
    ({"compare": [{"weight": "a"}, ">", 1]}, {"a": YES}, False),
    ({"compare": [{"weight": "a"}, "<=", 1]}, {"a": YES}, True),
    ({"compare": [{"weight": "a"}, "<", 1]}, {"a": YES}, False),
    ({"compare": [{"weight": "a"}, "=", 1]}, {"a": YES}, True),
    ({"compare": [{"weight": "a"}, ">=", 1]}, {"a": UNSURE}, None),
    ({"all": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}, {"a": YES, "b": YES}, True),
    ({"all": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}, {"a": NO}, False),
    ({"all": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}, {"a": YES}, None),
    ({"any": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}, {"a": YES}, True),
    ({"any": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}, {"a": NO}, None),
    ({"any": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}, {"a": NO, "b": NO}, False),
    ({"not": {"is": {"a": "yes"}}}, {"a": NO}, True),
    ({"not": {"is": {"a": "yes"}}}, {"a": YES}, False),
    ({"not": {"is": {"a": "yes"}}}, {"a": UNSURE}, None),
    ({"at_least": {"count": 2, "of": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}}, {"a": YES, "b": YES}, True),
    ({"at_least": {"count": 2, "of": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}}, {"a": YES}, None),
    ({"at_least": {"count": 2, "of": [{"is": {"a": "yes"}}, {"is": {"b": "yes"}}]}}, {"a": NO}, False),
]


@pytest.mark.parametrize(("condition", "answers", "expected"), CONDITION_CASES)
def test_each_condition_is_yes_no_or_unknown(condition, answers, expected):
    assert holds(condition, **answers) is expected


def test_every_operator_has_cases():
    assert {next(iter(case[0])) for case in NUMBER_CASES} == set(NUMBERS) - {"score"}
    assert {next(iter(case[0])) for case in CONDITION_CASES} == set(CONDITIONS)


@pytest.mark.parametrize(
    "expression",
    [
        {"eval": "1"},
        {"sum": [1], "max": [2]},
        {"score": "later"},
        {"weight": "nowhere"},
        "abc",
        {"compare": [1, "~", 2]},
    ],
)
def test_what_is_no_operator_is_refused(expression):
    with pytest.raises(SidecarError):
        number(expression)


@pytest.mark.parametrize(("level", "raised"), [("emergency_call", "same_day"), ("emergency", "same_day")])
def test_an_emergency_that_cannot_be_excluded_means_a_doctor_today(level, raised):
    rule = {"id": "r", "when": {"is": {"a": "yes"}}, "level": level, "heading": "去", "message": "去"}
    form = prepare(QUESTIONNAIRE, {"red_flags": [rule]})
    assert outcome(form, {"a": UNSURE})["level"] == outcome(form, {})["level"] == raised
    assert outcome(form, {"a": YES})["level"] == level
    assert outcome(form, {"a": NO})["level"] is None


def test_another_rule_that_cannot_be_excluded_means_an_appointment():
    for level in ("same_day", "appointment", "self_care"):
        rule = {"id": "r", "when": {"is": {"a": "yes"}}, "level": level, "heading": "去", "message": "去"}
        assert outcome(prepare(QUESTIONNAIRE, {"red_flags": [rule]}), {})["level"] == "appointment"


def test_a_question_that_is_not_asked_counts_as_no_and_its_answer_as_none():
    asked = json.loads(json.dumps(QUESTIONNAIRE))
    asked["item"][1]["enableWhen"] = [{"question": "a", "operator": "=", "answerCoding": {"code": "yes"}}]
    rule = {"id": "r", "when": {"is": {"b": "yes"}}, "level": "emergency", "heading": "去", "message": "去"}
    sidecar = {"red_flags": [rule], "scores": {"x": {"label": "x", "is": {"weight": "b"}, "missing": "缺"}}}
    form = prepare(asked, sidecar)
    shown, hidden = outcome(form, {"a": YES, "b": YES}), outcome(form, {"a": NO, "b": YES})
    assert shown["level"] == "emergency" and shown["scores"]["x"] == 2 and "b" in shown["enabled"]
    assert hidden["level"] is None and hidden["scores"]["x"] is None and "b" not in hidden["enabled"]


# ---- what ships ----


def every_answer(asked):
    if asked.options:
        return [(), *((option.code,) for option in asked.options)]
    middle = (asked.minimum + asked.maximum) // 2
    return [(), (asked.minimum,), (middle,), (asked.maximum,)]


def some(test, number):
    """How many answer sets are drawn: a tenth where there are hundreds of questions."""
    return range(number // 10 if len(test.form.asked) > 100 else number)


def drawn(test, rnd):
    answers = {link_id: rnd.choice(every_answer(asked)) for link_id, asked in test.form.asked.items()}
    return {link_id: given for link_id, given in answers.items() if given}


@each_test
def test_a_response_goes_out_and_comes_back(test):
    rnd = dice(5)
    for _ in some(test, 50):
        answers = drawn(test, rnd)
        response = json.loads(json.dumps(response_of(test.form, answers)))
        assert answers_of(response) == answers
        assert score(test.form.questionnaire, test.sidecar, response) == outcome(test.form, answers)


@each_test
def test_every_answer_ends_in_a_band_or_says_why_not(test):
    rnd = dice(7)
    for _ in some(test, 300):
        answers = drawn(test, rnd)
        found = outcome(test.form, answers)
        assert found["level"] in {None, *LEVELS}
        assert all(line for line in found["explanation"])
        if test.sidecar["kind"] == "score":
            assert (found["band"] is None) == (found["scores"]["total"] is None)
            assert found["band"] or any("算不出" in line or "至少" in line for line in found["explanation"])


@each_test
def test_what_is_left_out_is_never_reassuring(test):
    """Taking an answer away never brings a better level than the answers that excluded something gave."""
    rnd = dice(11)
    for _ in some(test, 200):
        answers = drawn(test, rnd)
        found = outcome(test.form, answers)
        for link_id in rnd.sample(list(answers), min(len(answers), 15)):
            less = outcome(test.form, {key: value for key, value in answers.items() if key != link_id})
            gone = {rule["id"] for rule in found["red_flags"]} - {rule["id"] for rule in less["red_flags"]}
            assert gone <= {rule["id"] for rule in less["not_excluded"]}


@pytest.mark.parametrize(
    ("slug", "items", "limits"),
    [
        ("phq-9", 9, {0: "minimal", 4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 14: "moderate"}),
        ("phq-9", 9, {15: "moderately_severe", 19: "moderately_severe", 20: "severe", 27: "severe"}),
        ("gad-7", 7, {0: "minimal", 4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 14: "moderate", 15: "severe"}),
        ("phq-2", 2, {2: "negative", 3: "positive", 6: "positive"}),
        ("gad-2", 2, {2: "negative", 3: "positive", 6: "positive"}),
    ],
)
def test_totals_fall_in_their_bands(slug, items, limits):
    form = self_tests()[slug].form
    for total, band in limits.items():
        left, answers = total, {}
        for link_id in form.asked:
            answers[link_id] = (str(min(3, left)),)
            left -= min(3, left)
        found = outcome(form, answers)
        assert (found["scores"]["total"], found["band"], len(answers)) == (total, band, items)


@given(st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_phq9_is_a_plain_sum_and_item_nine_always_brings_help(values):
    form = self_tests()["phq-9"].form
    found = outcome(form, {f"phq9-{place}": (str(value),) for place, value in enumerate(values, start=1)})
    assert found["scores"]["total"] == sum(values)
    fired = [rule["id"] for rule in found["red_flags"]]
    assert fired == (["phq9-self-harm"] if values[8] else [])
    if values[8]:
        assert LEVELS.index(found["level"]) >= LEVELS.index("same_day")
        assert "12356" in found["red_flags"][0]["message"] and "120" in found["red_flags"][0]["message"]


def test_phq9_without_item_nine_is_not_reassuring():
    form = self_tests()["phq-9"].form
    found = outcome(form, {f"phq9-{place}": ("0",) for place in range(1, 9)})
    assert (found["scores"]["total"], found["level"]) == (None, "appointment")
    assert "12356" in found["not_excluded"][0]["message"]


def person(**more):
    made = {"age": 45, "height": 170, "weight": 70, "waist": 88, "systolic": 132} | more
    numbers = {key: (Decimal(str(value)),) for key, value in made.items() if not isinstance(value, str)}
    return {"sex": ("male",), "family": ("no",)} | numbers | {k: (v,) for k, v in made.items() if isinstance(v, str)}


# The guideline's table, one row for each of its limits.
DIABETES = [
    *[("age_points", {"age": age}, points) for age, points in
      [(19, None), (20, 0), (24, 0), (25, 4), (34, 4), (35, 8), (39, 8), (40, 11), (44, 11), (45, 12), (49, 12),
       (50, 13), (54, 13), (55, 15), (59, 15), (60, 16), (64, 16), (65, 18), (74, 18), (75, None)]],
    *[("systolic_points", {"systolic": value}, points) for value, points in
      [(109, 0), (110, 1), (119, 1), (120, 3), (129, 3), (130, 6), (139, 6), (140, 7), (149, 7), (150, 8), (159, 8),
       (160, 10)]],
    *[("waist_points", {"waist": value, "sex": "male"}, points) for value, points in
      [(74.9, 0), (75, 3), (79.9, 3), (80, 5), (84.9, 5), (85, 7), (89.9, 7), (90, 8), (94.9, 8), (95, 10)]],
    *[("waist_points", {"waist": value, "sex": "female"}, points) for value, points in
      [(69.9, 0), (70, 3), (74.9, 3), (75, 5), (79.9, 5), (80, 7), (84.9, 7), (85, 8), (89.9, 8), (90, 10)]],
    *[("bmi_points", {"height": 200, "weight": value}, points) for value, points in
      [(87.6, 0), (88, 1), (95.6, 1), (96, 3), (119.6, 3), (120, 5)]],
    ("family_points", {"family": "yes"}, 6), ("family_points", {"family": "no"}, 0),
    ("family_points", {"family": "unsure"}, None),
    ("sex_points", {"sex": "male"}, 2), ("sex_points", {"sex": "female"}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "more", "points"), DIABETES)
def test_the_diabetes_score_follows_the_table(name, more, points):
    assert outcome(self_tests()["tangniaobing-fengxian"].form, person(**more))["scores"][name] == points


def test_the_diabetes_score_adds_up_and_recommends_a_test_from_25():
    form = self_tests()["tangniaobing-fengxian"].form
    most = outcome(form, person(age=70, systolic=180, waist=120, weight=120, family="yes"))
    assert (most["scores"]["total"], most["band"], most["level"]) == (51, "high", "appointment")
    edge = person(age=40, systolic=115, waist=80, weight=60, family="yes")  # 11 + 1 + 5 + 0 + 6 + 2
    assert outcome(form, edge)["scores"]["total"] == 25 and outcome(form, edge)["band"] == "high"
    below = outcome(form, edge | {"systolic": (Decimal(105),)})
    assert (below["scores"]["total"], below["band"], below["level"]) == (24, "below", "self_care")


@pytest.mark.parametrize(
    ("who", "weight", "band"),
    [
        ("adult", 18.4, "underweight"), ("adult", 18.5, "normal"), ("adult", 23.9, "normal"),
        ("adult", 24, "overweight"), ("adult", 27.9, "overweight"), ("adult", 28, "obese"),
        ("elder", 21.9, "elder_low"), ("elder", 22, "elder_normal"),
        ("elder", 26.9, "elder_normal"), ("elder", 27, "elder_high"), ("pregnant", 24, None), ("minor", 24, None),
    ],
)  # fmt: skip
def test_body_mass_follows_the_standard(who, weight, band):
    answers = {"who": (who,), "height": (Decimal(100),), "weight": (Decimal(str(weight)),)}
    found = outcome(self_tests()["bmi-yaowei"].form, answers)
    assert (found["scores"]["bmi"], found["band"]) == (weight, band)


@pytest.mark.parametrize(
    ("sex", "waist", "code"),
    [
        ("male", 84.9, "waist_normal"), ("male", 85, "waist_pre"), ("male", 89.9, "waist_pre"),
        ("male", 90, "waist_central"),
        ("female", 79.9, "waist_normal"), ("female", 80, "waist_pre"), ("female", 85, "waist_central"),
    ],
)  # fmt: skip
def test_the_waist_follows_the_standard(sex, waist, code):
    answers = {"who": ("adult",), "sex": (sex,), "waist": (Decimal(str(waist)),)}
    assert outcome(self_tests()["bmi-yaowei"].form, answers)["bands"] == {f"waist_{sex}": code}


def test_gds15_counts_each_item_in_its_direction():
    form = self_tests()["gds-15"].form
    low = {f"gds-{n}": ("yes" if n in {1, 5, 7, 11, 13} else "no",) for n in range(1, 16)}
    high = {link_id: ("no" if given == ("yes",) else "yes",) for link_id, given in low.items()}
    assert outcome(form, low)["scores"]["total"] == 0
    assert outcome(form, high)["scores"]["total"] == 15 and outcome(form, high)["band"] == "likely"
    assert outcome(form, low | {"gds-3": ("unsure",)})["scores"]["total"] is None


def came_to(form, answers):
    """The level, and of each scale the band or the least that it may be: what a reader calls the result."""
    found = outcome(form, answers)
    return found["level"], found["bands"] | {scale: ends[0] for scale, ends in found["bands_between"].items()}


def moves(test, answers):
    """Every single move that a reader could make, with how far it is: by hand, to hold the search to."""
    shown = outcome(test.form, answers)["enabled"]
    for link_id in shown:
        asked, given = test.form.asked[link_id], answers.get(link_id, ())
        if link_id in test.sidecar.get("fixed", ()):
            continue
        codes = [option.code for option in asked.options if option.code != "unsure"]
        for place, code in enumerate(codes):
            if given != (code,):
                yield abs(place - codes.index(given[0])) if given and given[0] in codes else 1, {link_id: (code,)}
        if not codes and given:
            tenths = 10 if asked.type == "integer" else 1
            for step in range(tenths, 601, tenths):
                for value in (given[0] - Decimal(step) / 10, given[0] + Decimal(step) / 10):
                    if asked.minimum <= value <= asked.maximum:
                        yield Decimal(step) / 10, {link_id: (value,)}


@each_test
def test_the_smallest_change_does_what_it_says_and_no_smaller_one_does(test):
    rnd = dice(13)
    sizes = set()
    for _ in some(test, 20):
        answers = drawn(test, rnd)
        before = came_to(test.form, answers)
        if before[0] is None:
            continue
        change = smallest_change(test.form, answers)
        singles = list(moves(test, answers))
        if change is None:
            assert not any(came_to(test.form, answers | move) != before for far, move in singles if far == int(far))
            continue
        moved = {}
        for each in change["changes"]:
            asked = test.form.asked[each["linkId"]]
            by_words = {option.display: (option.code,) for option in asked.options}
            moved[each["linkId"]] = by_words.get(each["to"]) or (Decimal(each["to"].split()[0]),)
        after = came_to(test.form, answers | moved)
        assert after != before and after[0] == change["level"]
        assert change["band"] in {None, *after[1].values()}
        far = next((far for far, move in singles if move == moved), 61)
        assert len(moved) == 2 or far < 61
        # between two whole steps only the last is searched in tenths, so a band narrower than a step could be missed
        for nearer, move in singles:
            assert nearer >= far or came_to(test.form, answers | move) == before, (change, move)
        sizes.add(len(moved))
    assert sizes or test.sidecar["kind"] in {"diary", "triage"} or not test.sidecar["bands"], "something was compared"


@each_test
def test_a_rule_is_open_when_what_is_missing_could_still_make_it_fire_and_only_then(test):
    rnd = dice(17)
    ages = [
        Decimal(age) for age in ("0.05", "0.2", "0.5", "2", "4", "8", "12", "17", "30", "45", "55", "62", "70", "85")
    ]
    people = [{"sex": (sex,), "pregnant": (pregnant,)} for sex in ("female", "male") for pregnant in ("yes", "no")]
    people = [who | {"age": (age,)} for who in people for age in ages] if test.sidecar["kind"] == "triage" else [{}]
    seen = 0
    for _ in some(test, 40):
        answers = {key: given for key, given in drawn(test, rnd).items() if rnd.random() < 0.6}
        found = outcome(test.form, answers)
        fired, still_open = ({rule["id"] for rule in found[name]} for name in ("red_flags", "not_excluded"))
        reached = set()
        for who in people:
            worst = {
                link_id: (asked.options[-1 if asked.options[0].weight is not None else 0].code,)
                if asked.options
                else (asked.maximum,)
                for link_id, asked in test.form.asked.items()
                if answers.get(link_id, ("unsure",)) == ("unsure",)
            }
            known = {link_id: given for link_id, given in answers.items() if given != ("unsure",)}
            whole = worst | who | known
            reached |= {rule["id"] for rule in outcome(test.form, whole)["red_flags"]}
        assert fired <= reached
        assert reached - fired == still_open
        seen += len(still_open)
    assert seen or not test.sidecar["red_flags"]


LIKERT = st.lists(st.none() | st.integers(0, 3), min_size=7, max_size=7)


@given(LIKERT)
def test_a_total_with_gaps_lies_between_what_is_shown(values):
    form = self_tests()["gad-7"].form
    answers = {f"gad7-{place}": (str(value),) for place, value in enumerate(values, start=1) if value is not None}
    found, missing = outcome(form, answers), values.count(None)
    known = sum(value for value in values if value is not None)
    if missing in (0, 7):
        assert found["between"] == found["bands_between"] == {}
        assert (found["scores"]["total"], found["level"] is None) == ((known, False) if not missing else (None, True))
        return
    assert found["scores"]["total"] is found["band"] is None
    assert found["between"] == {"total": [known, known + 3 * missing]}
    ends = [outcome(form, answers | {f"gad7-{place}": (filled,) for place, value in enumerate(values, start=1)
            if value is None}) for filled in "03"]  # fmt: skip
    assert found["bands_between"] == {"severity": [end["band"] for end in ends]}
    assert any(f"至少 {known} 分，最多 {known + 3 * missing} 分" in line for line in found["explanation"])
    # what is missing may raise the level: the least of it counts, unless it would reassure
    assert found["level"] == (None if ends[0]["level"] == "self_care" else ends[0]["level"])


def test_item_nine_acts_whatever_is_missing():
    form = self_tests()["phq-9"].form
    alone = outcome(form, {"phq9-9": ("1",)})
    assert alone["level"] == "same_day" and "12356" in alone["red_flags"][0]["message"]
    assert alone["between"] == {"total": [1, 25]} and alone["bands_between"] == {"severity": ["minimal", "severe"]}
    most = outcome(form, {f"phq9-{place}": ("3",) for place in range(1, 8)})
    assert (most["level"], most["bands_between"]) == ("same_day", {"severity": ["severe", "severe"]})
    assert [rule["id"] for rule in most["not_excluded"]] == ["phq9-self-harm"]


# ---- a result that is kept ----


@each_test
def test_a_kept_result_is_made_again_byte_for_byte(test):
    rnd = dice(19)
    for _ in some(test, 20):
        written = json.dumps(kept(test.form, drawn(test, rnd), authored="2026-11-26T08:00:00+08:00"))
        document = json.loads(written)
        made = replay(document, test.form)
        assert made.identical and not made.differs
        assert not [each for each in response_issues(document, test.form.questionnaire) if each.severity == "error"]
        parts = {part["url"]: part for part in document["extension"][0]["extension"]}
        assert set(parts) == {"questionnaire", "rules", "engine", "result"}
        for name, part in parts.items():
            held, part["valueString"] = part["valueString"], "0"
            assert replay(document, test.form).differs == (name,)
            part["valueString"] = held


def test_the_hashes_tell_questionnaire_rules_and_engine_apart():
    test = self_tests()["phq-9"]
    plain = hashes_of(test.form.questionnaire, test.sidecar)
    assert plain == test.form.hashes and all(len(value) == 64 for value in plain.values())
    worded = hashes_of(dict(test.form.questionnaire) | {"title": "别的"}, test.sidecar)
    ruled = hashes_of(test.form.questionnaire, dict(test.sidecar) | {"otherwise": "appointment"})
    about = hashes_of(test.form.questionnaire, dict(test.sidecar) | {"minutes": 9})
    assert [name for name in plain if worded[name] != plain[name]] == ["questionnaire"]
    assert [name for name in plain if ruled[name] != plain[name]] == ["rules"]
    assert about == plain


@pytest.mark.parametrize("document", [None, [], {}, {"extension": 3}, {"extension": [4, {"url": EXTENSION}]}])
def test_what_holds_no_result_is_refused(document):
    with pytest.raises(NoResult):
        replay(document, self_tests()["phq-9"].form)


def test_a_childs_age_is_said_in_months_and_kept_in_years():
    age = Asked("age", "多大？", "decimal", unit="岁", in_months=True)
    for months in range(24):
        said = f"{months} 个月" if months % 12 or not months else f"{months // 12} 岁"
        assert answer_text(age, (years_of(months),)) == said
    for years in ("0.3", "2", "2.5", "34", "1.51"):
        assert months_of(age, Decimal(years)) is None and answer_text(age, (Decimal(years),)) == f"{years} 岁"
    assert answer_text(Asked("weight", "", "decimal", unit="公斤"), (Decimal("0.25"),)) == "0.25 公斤"


def test_the_bench_scores_every_self_test():
    assert set(scoring(1)) == set(self_tests())


# ---- the command ----


def run(*arguments, stdin=None):
    return CliRunner().invoke(main, ["questionnaire", "score", *arguments], input=stdin)


def test_the_command_scores_as_the_contract_says():
    form = self_tests()["phq-9"].form
    response = json.dumps(response_of(form, dict.fromkeys(form.asked, ("1",))))
    result = run("phq-9", "--response", "-", "--json", stdin=response)
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {"enabled", "scores", "band", "level", "red_flags", "not_excluded", "explanation"} <= set(found)
    assert (found["scores"], found["band"], found["level"]) == ({"total": 9}, "mild", "same_day")
    by_hand = {"linkId": "phq9-9", "answer": [{"valueCoding": {"code": "3"}}]}
    by_hand = json.dumps({"resourceType": "QuestionnaireResponse", "item": [by_hand]})
    assert json.loads(run("phq-9", "--response", "-", "--json", stdin=by_hand).stdout)["level"] == "same_day"
    said = run(str(FOLDER / "phq-9.json"), "--response", "-", stdin=response).stdout
    assert "= 9 分" in said and "12356" in said and "没有发现什么也不说明没有病" in said


@pytest.mark.parametrize(
    "stdin",
    [
        "no JSON",
        "[]",
        '{"resourceType": "Patient"}',
        "null",
        '{"a": NaN}',
        '{"resourceType": "QuestionnaireResponse", "item": [{"linkId": "phq9-1", "answer": [{"valueInteger": 3}]}]}',
        '{"resourceType":"QuestionnaireResponse","item":[{"linkId":"phq9-1","answer":[{"valueCoding":{"code":"7"}}]}]}',
        '{"resourceType": "QuestionnaireResponse", "item": [{"linkId": "x", "answer": [{"valueString": "1"}]}]}',
    ],
)
def test_the_command_names_what_is_wrong(stdin):
    result = run("phq-9", "--response", "-", "--json", stdin=stdin)
    assert result.exit_code == 1 and result.stderr
    assert json.loads(result.stdout)["resourceType"] == "OperationOutcome"
    assert run("nothing", "--response", "-", stdin="{}").exit_code == 2


@pytest.mark.parametrize(
    "broken",
    [
        [1],
        {"item": 3},
        {"item": [None, {"answer": 4}]},
        {"item": [{"linkId": "phq9-1", "answer": [{"valueCoding": 7}]}]},
    ],
)
def test_a_broken_response_is_scored_as_unanswered(broken):
    test = self_tests()["phq-9"]
    assert score(test.form.questionnaire, test.sidecar, broken)["scores"] == {"total": None}


def test_a_self_test_is_two_files(tmp_path):
    for suffix in (".json", ".yaml"):
        (tmp_path / f"mine{suffix}").write_bytes((FOLDER / f"phq-2{suffix}").read_bytes())
    assert read(tmp_path / "mine.json").slug == "mine"
    response = json.dumps({"resourceType": "QuestionnaireResponse"})
    assert run(str(tmp_path / "mine.json"), "--response", "-", "--json", stdin=response).exit_code == 0
    Path(tmp_path / "mine.yaml").unlink()
    assert run(str(tmp_path / "mine.json"), "--response", "-", stdin=response).exit_code == 2
