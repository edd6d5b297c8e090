"""FHIR questionnaires: what is read from them, and which questions are asked."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yidian.questionnaire.enablement import TooManyPlaces, cycles, enabled, places
from yidian.questionnaire.items import parse_questionnaire
from yidian.questionnaire.reading import read_json
from yidian.questionnaire.responses import parse_response
from yidian.questionnaire.values import Coding, Quantity, Value, compare, equal

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
WEIGHT = "http://hl7.org/fhir/StructureDefinition/itemWeight"


def q(*items, **more):
    return {"resourceType": "Questionnaire", "status": "active", "item": list(items), **more}


def question(link_id, kind="boolean", *conditions, **more):
    written = {"linkId": link_id, "type": kind, **more}
    if conditions:
        written["enableWhen"] = [
            {"question": on, "operator": operator, **answer} for on, operator, answer in conditions
        ]
    if len(conditions) > 1:
        written.setdefault("enableBehavior", "all")
    return written


def group(link_id, *items, **more):
    return {"linkId": link_id, "type": "group", "item": list(items), **more}


def r(*items):
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "item": list(items)}


def answered(link_id, *values, items=()):
    answers = [{name: value} for entry in values for name, value in entry.items()]
    if items:
        answers[0]["item"] = list(items)
    return {"linkId": link_id, "answer": answers}


def asked(questionnaire, response):
    return enabled(parse_questionnaire(questionnaire), parse_response(response))


YES, NO = {"valueBoolean": True}, {"valueBoolean": False}


def on(operator, **answer):
    return ("a", operator, answer)


@pytest.mark.parametrize(
    ("condition", "answers", "shown"),
    [
        (on("exists", answerBoolean=True), [YES], True),
        (on("exists", answerBoolean=True), [], False),
        (on("exists", answerBoolean=False), [], True),
        (on("exists", answerBoolean=False), [NO], False),
        (on("=", answerBoolean=True), [YES], True),
        (on("=", answerBoolean=True), [NO], False),
        (on("=", answerBoolean=True), [], False),
        (on("!=", answerBoolean=True), [], True),  # no answer has an equal value
        (on("!=", answerInteger=3), [{"valueInteger": 2}, {"valueInteger": 3}], False),
        (on("!=", answerInteger=3), [{"valueInteger": 2}, {"valueInteger": 4}], True),
        (on("=", answerInteger=3), [{"valueInteger": 2}, {"valueInteger": 3}], True),  # one answer is enough
        (on(">", answerInteger=3), [{"valueInteger": 4}], True),
        (on(">", answerInteger=3), [{"valueInteger": 3}], False),
        (on(">=", answerInteger=3), [{"valueInteger": 3}], True),
        (on("<", answerDecimal=Decimal("0.3")), [{"valueDecimal": Decimal("0.29999")}], True),
        (on("<=", answerDecimal=Decimal("0.30")), [{"valueDecimal": Decimal("0.3")}], True),
        (on("<", answerDecimal=Decimal("0.3")), [{"valueInteger": 0}], True),
        (on("=", answerString="是"), [{"valueString": "是"}], True),
        (on("=", answerString="是"), [{"valueString": "否"}], False),
        (on(">", answerDate="2020-02"), [{"valueDate": "2020-03-01"}], True),
        (on(">", answerDate="2020-02"), [{"valueDate": "2020-02-10"}], False),  # agrees as far as it goes: unknown
        (on("=", answerDate="2020-02-10"), [{"valueDate": "2020-02-10"}], True),
        (on("<", answerTime="08:30:00"), [{"valueTime": "08:29:59.5"}], True),
        (on("=", answerDateTime="2020-01-01T08:00:00+08:00"), [{"valueDateTime": "2020-01-01T00:00:00Z"}], True),
        (on(">", answerDateTime="2020-01-01T08:00:00"), [{"valueDateTime": "2020-01-01T09:00:00Z"}], False),
        (on("=", answerCoding={"system": "s", "code": "1"}), [{"valueCoding": {"system": "s", "code": "1"}}], True),
        (on("=", answerCoding={"system": "s", "code": "1"}), [{"valueCoding": {"system": "t", "code": "1"}}], False),
        (on("=", answerCoding={"system": "s", "code": "1"}), [{"valueString": "1"}], False),
        (on("=", answerCoding={"code": "1"}), [{"valueCoding": {"system": "s", "code": "1"}}], True),
        (on("!=", answerCoding={"code": "1"}), [{"valueCoding": {"system": "s", "code": "1"}}], False),
        (
            on(">", answerQuantity={"value": 1, "system": "http://unitsofmeasure.org", "code": "m"}),
            [{"valueQuantity": {"value": 101, "system": "http://unitsofmeasure.org", "code": "cm"}}],
            True,
        ),
        (
            on(">", answerQuantity={"value": 1, "system": "http://unitsofmeasure.org", "code": "m"}),
            [{"valueQuantity": {"value": 101, "system": "http://unitsofmeasure.org", "code": "kg"}}],
            False,
        ),
        (on("=", answerReference={"reference": "Patient/1"}), [{"valueReference": {"reference": "Patient/1"}}], True),
    ],
)
def test_one_condition(condition, answers, shown):
    questionnaire = q(question("a", "integer", repeats=True), question("b", "boolean", condition))
    response = r(answered("a", *answers)) if answers else r()
    assert ("b" in asked(questionnaire, response)) is shown


@pytest.mark.parametrize(
    ("behaviour", "given_yes", "shown"),
    [
        ("all", "ab", True),
        ("all", "a", False),
        ("any", "a", True),
        ("any", "", False),
        (None, "a", False),
        (None, "ab", True),
    ],
)
def test_several_conditions(behaviour, given_yes, shown):
    conditions = [("a", "=", {"answerBoolean": True}), ("b", "=", {"answerBoolean": True})]
    third = question("c", "boolean", *conditions)
    if behaviour:
        third["enableBehavior"] = behaviour
    else:
        del third["enableBehavior"]  # an error; only what both readings say is said
    response = r(*[answered(link_id, YES if link_id in given_yes else NO) for link_id in "ab"])
    assert ("c" in asked(q(question("a"), question("b"), third), response)) is shown


def test_a_disabled_question_counts_as_not_answered_and_takes_its_children_along():
    yes = {"answerBoolean": True}
    questionnaire = q(
        question("a"),
        group("g", question("b"), enableWhen=[{"question": "a", "operator": "=", **yes}]),
        question("c", "boolean", ("b", "=", yes)),
        question("d", "boolean", ("c", "exists", {"answerBoolean": False})),
    )
    filled = [{"linkId": "g", "item": [answered("b", YES)]}, answered("c", YES)]
    assert asked(questionnaire, r(answered("a", YES), *filled)) == {"a", "g", "b", "c"}
    assert asked(questionnaire, r(answered("a", NO), *filled)) == {"a", "d"}


def test_the_nearest_answer_is_meant_in_repeated_groups():
    inner = group("g", question("a"), question("b", "boolean", ("a", "=", {"answerBoolean": True})), repeats=True)
    outside = question("c", "boolean", ("a", "=", {"answerBoolean": True}))
    response = r(
        {"linkId": "g", "item": [answered("a", YES)]},
        {"linkId": "g", "item": [answered("a", NO)]},
        {"linkId": "g"},
    )
    found = places(parse_questionnaire(q(inner, outside)), parse_response(response))
    assert [place.enabled for place in found if place.item.link_id == "b"] == [True, False, False]
    assert [place.enabled for place in found if place.item.link_id == "c"] == [False]  # the last one before it


def test_a_nested_question_sees_the_answer_above_it():
    child = question("b", "boolean", ("a", "=", {"answerInteger": 2}))
    questionnaire = q(question("a", "integer", item=[child], repeats=True))
    assert "b" in asked(questionnaire, r(answered("a", {"valueInteger": 2})))
    assert "b" not in asked(questionnaire, r(answered("a", {"valueInteger": 1})))


def test_cycles_are_found_and_decide_nothing():
    yes = {"answerBoolean": True}
    parsed = parse_questionnaire(
        q(
            question("a", "boolean", ("b", "=", yes)),
            question("b", "boolean", ("a", "=", yes)),
            question("c", "boolean", ("c", "=", yes)),
            question("d", "boolean", ("a", "=", yes)),
            question("e"),
        )
    )
    assert sorted(map(sorted, cycles(parsed))) == [["a", "b"], ["c"]]
    states = {place.item.link_id: place.enabled for place in places(parsed, parse_response(r(answered("a", YES))))}
    assert states == {"a": None, "b": None, "c": None, "d": None, "e": True}


def test_without_enable_behaviour_only_what_is_certain_is_said():
    yes = {"answerBoolean": True}
    third = question("c", "boolean", ("a", "=", yes), ("b", "=", yes))
    del third["enableBehavior"]
    parsed = parse_questionnaire(q(question("a"), question("b"), third))
    for answers, state in (((YES, YES), True), ((YES, NO), None), ((NO, NO), False)):
        response = parse_response(r(answered("a", answers[0]), answered("b", answers[1])))
        assert places(parsed, response)[-1].enabled is state


def test_a_long_chain_and_too_many_repetitions_end():
    yes = {"answerBoolean": True}
    chain = [question(str(n), "boolean", (str(n + 1), "=", yes)) for n in range(5000)]
    response = r(*[answered(str(n), YES) for n in range(5001)])
    assert len(asked(q(*chain, question("5000")), response)) == 5001
    wide = q(group("g", *[question(str(n)) for n in range(1000)], repeats=True))
    with pytest.raises(TooManyPlaces):
        asked(wide, r(*[{"linkId": "g"}] * 200))


CODED = {"system": "http://x", "code": "1"}


def _weighed(url, where):
    extension = [{"url": url, "valueDecimal": Decimal("1.50")}]
    options = [{"valueCoding": dict(CODED)}]
    item = {"linkId": "a", "type": "choice"}
    contained = []
    if where == "option":
        options[0]["extension"] = extension
    elif where == "coding":
        options[0]["valueCoding"]["extension"] = extension
    elif where == "code system":
        concept = {"code": "1", "extension": extension}
        contained = [{"resourceType": "CodeSystem", "url": "http://x", "content": "complete", "concept": [concept]}]
    else:
        item["answerValueSet"] = "#vs"
        concept = {"code": "1", "extension": extension}
        value_set = {"resourceType": "ValueSet", "id": "vs"}
        if where == "compose":
            value_set["compose"] = {"include": [{"system": "http://x", "concept": [concept]}]}
        else:
            value_set["expansion"] = {"contains": [{"system": "http://x", **concept}]}
        contained = [value_set]
    if "answerValueSet" not in item:
        item["answerOption"] = options
    return q(item, contained=contained)


@pytest.mark.parametrize("url", [ORDINAL, WEIGHT])
@pytest.mark.parametrize("where", ["option", "coding", "compose", "expansion", "code system"])
def test_a_weight_is_read_at_every_legal_position(url, where):
    item = parse_questionnaire(_weighed(url, where)).items[0]
    assert [option.weight for option in item.options] == [Decimal("1.50")]
    assert item.option(Value("Coding", Coding("http://x", "1", "other words"))).weight == Decimal("1.50")
    assert item.option(Value("Coding", Coding("http://x", "2"))) is None


def test_a_value_set_beside_the_questionnaire_gives_the_options():
    item = q({"linkId": "a", "type": "choice", "answerValueSet": "http://v"})
    concept = {"system": "http://x", "concept": [{"code": "1"}, {"code": "2"}]}
    value_set = {
        "resourceType": "ValueSet",
        "url": "http://v",
        "compose": {"include": [concept], "exclude": [{"system": "http://x", "concept": [{"code": "2"}]}]},
    }
    alone, beside = parse_questionnaire(item).items[0], parse_questionnaire(item, "R4", [value_set]).items[0]
    assert (alone.options, alone.options_complete) == ((), False)
    assert ([option.value.content.code for option in beside.options], beside.options_complete) == (["1"], True)


@pytest.mark.parametrize(
    ("written", "kind", "types"),
    [
        ({"type": "coding"}, "choice", ("Coding",)),
        ({"type": "coding", "answerConstraint": "optionsOrString"}, "open-choice", ("Coding", "string")),
        ({"type": "integer", "answerOption": [{"valueInteger": 1}]}, "integer", ("integer",)),
    ],
)
def test_r5_is_read_as_r4(written, kind, types):
    item = parse_questionnaire(q({"linkId": "a", **written}), "R5").items[0]
    assert (item.type, item.answer_types) == (kind, types)


def test_what_is_not_executed_is_listed_with_its_place():
    expression = {"url": "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"}
    strange = {"url": "http://example.org/strange", "valueBoolean": True}
    document = q(
        question("a", "decimal", extension=[expression]),
        question("b", modifierExtension=[strange], _text={"extension": [strange]}),
    )
    found = {(entry.path, entry.modifier) for entry in parse_questionnaire(document).unexecuted}
    assert found == {
        ("Questionnaire.item[0].extension[0]", False),
        ("Questionnaire.item[1].modifierExtension[0]", True),
        ("Questionnaire.item[1].text.extension[0]", False),
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["item", "answer", "linkId", "type", "extension", "url", "answerOption", "enableWhen", "code"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(ANYTHING, ANYTHING)
def test_reading_and_deciding_never_raise(questionnaire, response):
    assert isinstance(asked(questionnaire, response), frozenset)


MOMENTS = st.sampled_from(
    ["2020", "2020-01", "2020-01-31", "2020-01-31T10:00:00Z", "2020-01-31T10:00:00", "2020-01-31T12:00:00+02:00", "x"]
)
UNITS = st.sampled_from(["m", "cm", "kg", "g", "a", "mo", "nonsense"])
QUANTITIES = st.builds(
    lambda value, code: Quantity(value, "", "", "http://unitsofmeasure.org", code),
    st.decimals(-1000, 1000, places=2),
    UNITS,
)
VALUES = (
    st.builds(Value, st.just("dateTime"), MOMENTS)
    | st.builds(Value, st.just("Quantity"), QUANTITIES)
    | st.builds(Value, st.just("decimal"), st.decimals(allow_nan=False, allow_infinity=False, places=3))
)


@given(VALUES, VALUES)
def test_comparing_is_the_same_from_both_sides(left, right):
    one, other = compare(left, right), compare(right, left)
    assert (one is None) == (other is None)
    assert one is None or one == -other
    assert equal(left, right) == equal(right, left)


@pytest.mark.parametrize(
    ("written", "code", "path"),
    [
        (b"", "structure", None),
        (b"\xff\xfe{}", "structure", None),
        (b'{"resourceType": "Questionnaire", "item": [{}, {"linkId": }]}', "structure", "Questionnaire.item[1].linkId"),
        (b'{"a": 1', "structure", "$this.a"),
        (b'{"item": [{"linkId": "1", "linkId": "2"}]}', "structure", "$this.item[0].linkId"),
        (b'{"a": [NaN]}', "value", "$this.a[0]"),
        (b'{"a": 1e999999999999999999999}', "value", "$this.a"),
        (b'{"a": ' + b"9" * 5000 + b"}", "value", "$this.a"),
        (b'{"a": "\\ud800"}', "structure", "$this.a"),
        (b"[" * 100_000, "too-costly", None),
        (b"[" * 200 + b"]" * 200, "too-costly", None),
        (b"[" + b"1," * 400_000 + b"1]", "too-costly", None),
        (b'"' + b"a" * 10_000_001 + b'"', "too-long", None),
    ],
)
def test_bad_json_is_named_by_its_place(written, code, path):
    _, issues = read_json(written)
    assert code in [issue.code for issue in issues]
    if path:
        assert path in [issue.expression for issue in issues]


def test_good_json_gives_decimals_and_no_issue():
    document, issues = read_json('\ufeff{"a": 1.10, "b": 2, "c": "\\ud83d\\ude00"}')
    assert (document, issues) == ({"a": Decimal("1.10"), "b": 2, "c": "😀"}, [])
    assert str(document["a"]) == "1.10"
    assert json.loads("1.10") != document["a"]  # what a float would have made of it
