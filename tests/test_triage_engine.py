"""From answers to a level: unknown never reassures, one more yes never lowers, the same facts give the same bytes."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yidian.cli.bench_triage import monotone
from yidian.triage import engine
from yidian.triage.engine import FactsError, assess, questions_in_order, replay
from yidian.triage.levels import LEVELS, SELF_CARE, raise_level, urgency
from yidian.triage.rulebook import load

BOOK = load()
ALL_NO = dict.fromkeys(BOOK.questions, "no")
MAN = {"age": 40, "sex": "male", "pregnant": "no"}

people = st.fixed_dictionaries(
    {
        "age": st.one_of(st.none(), st.floats(0, 110, allow_nan=False)),
        "sex": st.sampled_from(["female", "male", "unknown"]),
        "pregnant": st.sampled_from(["yes", "no", "unknown"]),
    }
)
# most answers no, so that single answers decide
answers = st.dictionaries(st.sampled_from(sorted(BOOK.questions)), st.sampled_from(["yes", "unknown"]), max_size=6)


def test_pressing_chest_pain_with_sweat_is_120_and_explains_itself():
    result = assess(BOOK, MAN | {"answers": ALL_NO | {"chest_pain": "yes", "chest_sweat": "yes"}})
    assert result.level == "emergency_call" and result.fired[0] == "heart-attack-pressure"
    why = result.explanation[0]
    assert [each["question"] for each in why["because"]] == ["chest_pain", "chest_sweat"]
    assert why["sources"] and "120" in why["heading"]


def test_all_no_is_self_care_and_nothing_known_is_the_same_day():
    assert assess(BOOK, MAN | {"answers": ALL_NO}).level == SELF_CARE
    result = assess(BOOK, {})
    assert result.level == "same_day" and not result.fired and result.guide is None
    assert set(result.not_excluded) == set(BOOK.rules)


@given(people, answers)
def test_an_unknown_that_leaves_a_rule_open_is_never_self_care(person, some):
    result = assess(BOOK, person | {"answers": ALL_NO | some})
    assert (result.level == SELF_CARE) == (not result.fired and not result.not_excluded)
    for rule in result.fired:
        assert urgency(result.level) >= urgency(BOOK.rules[rule].level)
    for rule in result.not_excluded:
        least = "same_day" if BOOK.rules[rule].level.startswith("emergency") else "appointment"
        assert urgency(result.level) >= urgency(least)


@given(people, answers, st.sampled_from(sorted(BOOK.questions)))
def test_a_further_yes_never_lowers(person, some, question):
    before = assess(BOOK, person | {"answers": ALL_NO | some}).level
    after = assess(BOOK, person | {"answers": ALL_NO | some | {question: "yes"}}).level
    assert urgency(after) >= urgency(before)


def test_a_further_yes_never_lowers_in_many_answer_sets_and_a_further_no_does():
    made = monotone(40_000)
    assert made == {"answer_sets": 40_000, "levels_that_fell": 0, "unknown_but_self_care": 0}
    assert monotone(40_000, lower=True)["levels_that_fell"] > 0  # the measure can see a fall


@settings(max_examples=30)
@given(people, answers, st.randoms(use_true_random=False))
def test_order_of_answers_and_rules_never_matters(person, some, chance):
    listed = list((ALL_NO | some).items())
    first = assess(BOOK, person | {"answers": dict(listed)})
    chance.shuffle(listed)
    names = list(BOOK.rules)
    chance.shuffle(names)
    shuffled = replace(BOOK, rules={name: BOOK.rules[name] for name in names})
    assert assess(shuffled, person | {"answers": dict(listed)}).as_json() == first.as_json()


def test_results_are_the_same_bytes_in_every_process():
    facts = {"age": 70, "sex": "female", "answers": {"chest_pain": "yes", "fever": "unknown", "face_droop": "yes"}}
    code = (
        "import json, sys\nfrom yidian.triage.engine import assess\nfrom yidian.triage.rulebook import load\n"
        "from yidian.triage.screen import screen\n"
        "sys.stdout.write(assess(load(), json.loads(sys.argv[1])).as_json())\n"
        "sys.stdout.write(json.dumps(screen('我妈嘴歪了，没有发烧，去年中风过').as_dict()))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(facts)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(made) == 1


def test_a_stored_result_replays_and_a_changed_one_does_not():
    result = assess(BOOK, MAN | {"answers": {"testicle_pain": "yes"}})
    stored = json.loads(result.as_json())
    assert replay(stored, BOOK).identical
    other = replay(stored | {"level": "self_care"}, BOOK)
    assert not other.identical and other.differs == ("level",)
    old = stored | {"hashes": stored["hashes"] | {"rules": "0" * 64}}
    assert replay(old, BOOK).differs == ("hashes",)
    made_by = {"questionnaire": engine.questions_sha256(BOOK), "rules": BOOK.sha256, "engine": engine.engine_sha256()}
    assert result.hashes == made_by and len(set(made_by.values())) == 3
    with pytest.raises(FactsError):
        replay({"level": "self_care"}, BOOK)


def test_a_man_is_not_pregnant_and_questions_of_others_do_not_hold_him_up():
    answers = {question: "no" for question, each in BOOK.questions.items() if each.asked is None}
    answers |= {question: "no" for question in BOOK.questions if not question.startswith(("preg", "postpartum"))}
    assert assess(BOOK, MAN | {"pregnant": "unknown", "answers": answers}).level == SELF_CARE
    woman = {"age": 30, "sex": "female", "pregnant": "yes", "answers": answers}
    assert "pregnancy-eclampsia" in assess(BOOK, woman).not_excluded


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ([], "JSON"),
        ({"agee": 3}, "agee"),
        ({"age": -1}, "age"),
        ({"age": True}, "age"),
        ({"age": float("nan")}, "age"),
        ({"sex": "x"}, "sex"),
        ({"pregnant": "maybe"}, "pregnant"),
        ({"pregnant": [1]}, "pregnant"),
        ({"answers": [1]}, "answers"),
        ({"answers": {"nobody": "yes"}}, "nobody"),
        ({"answers": {"chest_pain": "perhaps"}}, "chest_pain"),
        ({"answers": {"chest_pain": ["yes"]}}, "chest_pain"),
    ],
)
def test_facts_that_cannot_be_read_are_refused_by_name(facts, named):
    with pytest.raises(FactsError, match=named):
        assess(BOOK, facts)


def test_scores_raise_and_never_lower():
    for level in LEVELS:
        for band in (*LEVELS, None):
            assert urgency(raise_level(level, band)) == max(urgency(level), urgency(band))


def test_the_check_asks_the_most_dangerous_first():
    ordered = questions_in_order(BOOK)
    assert ordered[0].id == "not_waking" and {each.id for each in ordered} == set(BOOK.questions)


@pytest.mark.parametrize(("answer", "level"), [("no", SELF_CARE), ("unknown", "same_day")])
def test_one_answer_to_everything(answer, level):
    assert assess(BOOK, MAN | {"answers": dict.fromkeys(BOOK.questions, answer)}).level == level
