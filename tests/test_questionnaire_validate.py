"""Checking FHIR questionnaires and responses: every rule with what keeps it and what breaks it."""

import copy
import json
import re
import time
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from yidian.cli.main import main
from yidian.questionnaire.outcome import has_errors
from yidian.questionnaire.patterns import Unmatchable, matches
from yidian.questionnaire.reading import read_json
from yidian.questionnaire.structure import check_structure
from yidian.questionnaire.validate import validate_questionnaire, validate_response
from yidian.questionnaire.wellknown import code_fault

FHIR = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
LIBRARY = Path(__file__).parent.parent / "src/yidian/selftests/library"


def extension(name, **value):
    return {"url": name if name.startswith("http") else FHIR + name, **value}


def coding(code, display="", system="http://example.org/cs"):
    return {"system": system, "code": code} | ({"display": display} if display else {})


def ask(link_id, kind, *extensions, **more):
    return {"linkId": link_id, "type": kind, "text": f"题 {link_id}", **more} | (
        {"extension": list(extensions)} if extensions else {}
    )


def form(*items, **more):
    return {
        "resourceType": "Questionnaire",
        "url": "http://example.org/q",
        "status": "active",
        "item": list(items),
    } | more


def sheet(*items, **more):
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "http://example.org/q",
        "status": "completed",
        "item": list(items),
    } | more


def fill(link_id, *answers, **more):
    return {"linkId": link_id} | ({"answer": list(answers)} if answers else {}) | more


OPTIONS = [
    {"valueCoding": coding("a", "甲"), "extension": [extension("ordinalValue", valueDecimal=1)]},
    {"valueCoding": coding("b", "乙"), "extension": [extension("ordinalValue", valueDecimal=2)]},
    {
        "valueCoding": coding("z", "都没有"),
        "extension": [extension("questionnaire-optionExclusive", valueBoolean=True)],
    },
]
WHOLE = form(
    ask("1", "choice", answerOption=OPTIONS, required=True, repeats=True),
    ask(
        "2",
        "group",
        item=[
            ask("2.1", "integer", extension("minValue", valueInteger=1), extension("maxValue", valueInteger=9)),
            ask(
                "2.2",
                "string",
                extension("minLength", valueInteger=2),
                extension("regex", valueString="[0-9]+号"),
                maxLength=5,
                enableWhen=[{"question": "1", "operator": "=", "answerCoding": coding("a")}],
            ),
            ask("2.3", "decimal", extension("maxDecimalPlaces", valueInteger=1)),
        ],
        repeats=True,
    ),
    ask("3", "boolean", item=[ask("3.1", "date")], required=True),
    ask("4", "display"),
    ask(
        "5",
        "quantity",
        extension("questionnaire-unitOption", valueCoding=coding("kg", "", "http://unitsofmeasure.org")),
    ),
    ask("6", "open-choice", answerValueSet="#vs"),
    id="whole",
    name="Whole",
    version="1",
    text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">全部&nbsp;题</div>'},
    contained=[
        {
            "resourceType": "ValueSet",
            "id": "vs",
            "status": "active",
            "compose": {"include": [{"system": "http://example.org/cs", "concept": [{"code": "p"}, {"code": "q"}]}]},
        }
    ],
)
FILLED = sheet(
    fill("1", {"valueCoding": coding("a", "甲")}, {"valueCoding": coding("b")}),
    fill(
        "2",
        item=[
            fill("2.1", {"valueInteger": 3}),
            fill("2.2", {"valueString": "12号"}),
            fill("2.3", {"valueDecimal": Decimal("1.5")}),
        ],
    ),
    fill("2", item=[fill("2.1", {"valueInteger": 9})]),
    fill("3", {"valueBoolean": True, "item": [fill("3.1", {"valueDate": "2026-08"})]}),
    fill("5", {"valueQuantity": {"value": 3, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}}),
    fill("6", {"valueString": "别的"}),
    authored="2026-08-31T08:30:00+08:00",
)


def errors(outcome):
    return [issue for issue in outcome["issue"] if issue["severity"] in ("error", "fatal")]


def found(outcome, severity="error"):
    return {
        (issue["code"], issue.get("expression", [""])[0]) for issue in outcome["issue"] if issue["severity"] == severity
    }


def changed(document, path, value=...):
    """A copy with the value at this path (names and indexes, with dots) replaced, added, or removed."""
    copied = copy.deepcopy(document)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    parent = copied
    for part in way:
        parent = parent[part]
    if value is ...:
        del parent[last]
    elif isinstance(parent, list) and last == len(parent):
        parent.append(value)
    else:
        parent[last] = value
    return copied


@pytest.mark.parametrize("version", ["R4", "R4B"])
def test_what_is_right_has_no_issue(version):
    for outcome in (validate_questionnaire(WHOLE, version), validate_response(FILLED, WHOLE, version)):
        assert outcome == {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "information", "code": "informational", "diagnostics": "没有发现问题。"}],
        }


def test_r5_has_its_own_types_and_elements():
    item = ask("1", "coding", answerOption=OPTIONS, answerConstraint="optionsOrString", disabledDisplay="hidden")
    document = form(item, versionAlgorithmString="semver")
    assert not errors(validate_questionnaire(document, "R5"))
    assert found(validate_questionnaire(document, "R4")) == {
        ("code-invalid", "Questionnaire.item[0].type"),
        ("structure", "Questionnaire.item[0].answerConstraint"),
        ("structure", "Questionnaire.item[0].disabledDisplay"),
        ("structure", "Questionnaire.versionAlgorithmString"),
        ("invariant", "Questionnaire.item[0].answerOption"),
    } - {("invariant", "Questionnaire.item[0].answerOption")}
    assert found(validate_questionnaire(WHOLE, "R5")) == {
        ("code-invalid", "Questionnaire.item[0].type"),
        ("code-invalid", "Questionnaire.item[5].type"),
    }
    filled = sheet(fill("1", {"valueString": "丙"}), identifier=[{"value": "1"}])
    assert not errors(validate_response(filled, document, "R5"))
    twice = sheet(fill("1", {"valueString": "丙"}), fill("1", {"valueString": "丁"}))
    assert ("structure", f"{R}[1]") in found(validate_response(twice, document, "R5"))
    assert ("required", "QuestionnaireResponse.questionnaire") in found(
        validate_response(changed(sheet(), "questionnaire"), document, "R5")
    )


I = "Questionnaire.item"  # noqa: E741 every path below begins with it
FAULTS = {
    "missing status": ("status", ..., "required", "Questionnaire.status"),
    "bogus status": ("status", "bogus", "code-invalid", "Questionnaire.status"),
    "unknown element": ("colour", "red", "structure", "Questionnaire.colour"),
    "wrong json type": ("experimental", "true", "value", "Questionnaire.experimental"),
    "list for one": ("title", ["a"], "structure", "Questionnaire.title"),
    "one for list": ("subjectType", "Patient", "structure", "Questionnaire.subjectType"),
    "no such resource": ("subjectType", ["Chicken"], "code-invalid", "Questionnaire.subjectType[0]"),
    "null": ("title", None, "structure", "Questionnaire.title"),
    "empty text": ("title", "", "value", "Questionnaire.title"),
    "empty list": ("code", [], "structure", "Questionnaire.code"),
    "empty object": ("code", [{}], "invariant", "Questionnaire.code[0]"),
    "bad id": ("id", "a b", "value", "Questionnaire.id"),
    "relative url": ("url", "q", "value", "Questionnaire.url"),
    "bad uuid": ("url", "urn:uuid:C757873D", "value", "Questionnaire.url"),
    "no such day": ("date", "2026-02-30", "value", "Questionnaire.date"),
    "clock without zone": ("date", "2026-02-03T10:00:00", "value", "Questionnaire.date"),
    "other digits": ("date", "２０２６", "value", "Questionnaire.date"),
    "period backwards": (
        "effectivePeriod",
        {"start": "2026-02", "end": "2025"},
        "invariant",
        "Questionnaire.effectivePeriod",
    ),
    "script in narrative": (
        "text.div",
        '<div xmlns="http://www.w3.org/1999/xhtml">a<script>1</script></div>',
        "invariant",
        "Questionnaire.text.div",
    ),
    "entities in narrative": (
        "text.div",
        '<!DOCTYPE x [<!ENTITY a "b">]><div>a</div>',
        "invariant",
        "Questionnaire.text.div",
    ),
    "broken narrative": ("text.div", "<div>", "invariant", "Questionnaire.text.div"),
    "nothing refers to it": (
        "item.5.answerValueSet",
        "http://example.org/vs",
        "invariant",
        "Questionnaire.contained[0]",
    ),
    "refers to nothing": ("item.5.answerValueSet", "#gone", "not-found", f"{I}[5].answerValueSet"),
    "contained in contained": (
        "contained.0.contained",
        [{"resourceType": "ValueSet", "id": "x"}],
        "invariant",
        "Questionnaire.contained[0].contained[0]",
    ),
    "extension without value": (
        "extension",
        [{"url": "http://example.org/x"}],
        "invariant",
        "Questionnaire.extension[0]",
    ),
    "extension without url": ("extension", [{"valueString": "x"}], "required", "Questionnaire.extension[0].url"),
    "extension with two values": (
        "extension",
        [{"url": "http://example.org/x", "valueString": "x", "valueCode": "x"}],
        "structure",
        "Questionnaire.extension[0].value",
    ),
    "weight as text": (
        "item.0.answerOption.0.extension.0",
        extension("ordinalValue", valueString="1"),
        "extension",
        f"{I}[0].answerOption[0].extension[0]",
    ),
    "weight on the item": (
        "item.0.extension",
        [extension("ordinalValue", valueDecimal=1)],
        "extension",
        f"{I}[0].extension[0]",
    ),
    "missing linkId": ("item.0.linkId", ..., "required", f"{I}[0].linkId"),
    "que-1 group": ("item.1.item", ..., "invariant", f"{I}[1]"),
    "que-1 display": ("item.3.item", [ask("9", "string")], "invariant", f"{I}[3]"),
    "que-2": ("item.1.item.0.linkId", "1", "duplicate", f"{I}[1].item[0].linkId"),
    "que-3": ("item.3.code", [coding("x")], "invariant", f"{I}[3].code"),
    "que-4": ("item.0.answerValueSet", "#vs", "invariant", f"{I}[0]"),
    "que-5": ("item.2.answerValueSet", "#vs", "invariant", f"{I}[2].answerValueSet"),
    "que-6": ("item.3.required", False, "invariant", f"{I}[3].required"),
    "que-7": ("item.1.item.1.enableWhen.0.operator", "exists", "invariant", f"{I}[1].item[1].enableWhen[0]"),
    "que-8": ("item.1.initial", [{"valueString": "x"}], "invariant", f"{I}[1].initial"),
    "que-9": ("item.3.readOnly", True, "invariant", f"{I}[3].readOnly"),
    "que-10": ("item.0.maxLength", 3, "invariant", f"{I}[0].maxLength"),
    "que-11": ("item.0.initial", [{"valueCoding": coding("a")}], "invariant", f"{I}[0].initial"),
    "que-12": (
        "item.1.item.1.enableWhen.1",
        {"question": "3", "operator": "=", "answerBoolean": True},
        "invariant",
        f"{I}[1].item[1]",
    ),
    "que-13": ("item.2.initial", [{"valueBoolean": True}] * 2, "invariant", f"{I}[2].initial"),
    "question as a type": ("item.2.type", "question", "code-invalid", f"{I}[2].type"),
    "condition on nothing": (
        "item.1.item.1.enableWhen.0.question",
        "gone",
        "not-found",
        f"{I}[1].item[1].enableWhen[0].question",
    ),
    "condition on itself": (
        "item.1.item.1.enableWhen.0.question",
        "2.2",
        "business-rule",
        f"{I}[1].item[1].enableWhen[0].question",
    ),
    "condition of another type": (
        "item.1.item.1.enableWhen.0.question",
        "3",
        "business-rule",
        f"{I}[1].item[1].enableWhen[0]",
    ),
    "no order": ("item.1.item.1.enableWhen.0.operator", ">", "business-rule", f"{I}[1].item[1].enableWhen[0].operator"),
    "circle": (
        "item.0.enableWhen",
        [{"question": "2.2", "operator": "exists", "answerBoolean": True}],
        "business-rule",
        f"{I}[0]",
    ),
    "initial of another type": ("item.2.initial", [{"valueString": "x"}], "business-rule", f"{I}[2].initial[0].value"),
    "initial out of range": (
        "item.1.item.0.initial",
        [{"valueInteger": 10}],
        "business-rule",
        f"{I}[1].item[0].initial[0].value",
    ),
    "range backwards": ("item.1.item.0.extension.0.valueInteger", 10, "business-rule", f"{I}[1].item[0]"),
    "length backwards": ("item.1.item.1.maxLength", 1, "business-rule", f"{I}[1].item[1]"),
    "two weights": (
        "item.0.answerOption.0.valueCoding.extension",
        [extension("itemWeight", valueDecimal=7)],
        "conflict",
        f"{I}[0].answerOption[0]",
    ),
    "check digit": (
        "code",
        [coding("44249-2", system="http://loinc.org")],
        "code-invalid",
        "Questionnaire.code[0].code",
    ),
    "same element id": ("item.2.id", "same", "duplicate", f"{I}[3].id"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_of_a_questionnaire_is_named_by_its_place(name):
    path, value, code, place = FAULTS[name]
    start = changed(WHOLE, "item.3.id", "same") if name == "same element id" else WHOLE
    assert not errors(validate_questionnaire(start))
    assert (code, place) in found(validate_questionnaire(changed(start, path, value)))


R = "QuestionnaireResponse.item"
NINE = "123456789"
ANSWER_FAULTS = {
    "missing status": ("status", ..., "required", "QuestionnaireResponse.status"),
    "required": ("item.3", ..., "required", "QuestionnaireResponse"),
    "unknown linkId": ("item.3.linkId", "9", "not-found", f"{R}[3].linkId"),
    "wrong place": ("item.1.item.0", fill("3.1", {"valueDate": "2026"}), "structure", f"{R}[1].item[0]"),
    "wrong order": ("item.5", fill("3", {"valueBoolean": True}), "structure", f"{R}[5]"),
    "wrong type": ("item.1.item.0.answer", [{"valueString": "3"}], "structure", f"{R}[1].item[0].answer[0].value"),
    "two answers": ("item.1.item.0.answer.1", {"valueInteger": 4}, "structure", f"{R}[1].item[0].answer"),
    "two items": ("item.4", fill("3", {"valueBoolean": True}), "structure", f"{R}[4]"),
    "too small": ("item.1.item.0.answer.0.valueInteger", 0, "business-rule", f"{R}[1].item[0].answer[0].value"),
    "too big": ("item.1.item.0.answer.0.valueInteger", 10, "business-rule", f"{R}[1].item[0].answer[0].value"),
    "too long": ("item.1.item.1.answer.0.valueString", f"{NINE}号", "too-long", f"{R}[1].item[1].answer[0].value"),
    "too short": ("item.1.item.1.answer.0.valueString", "1", "business-rule", f"{R}[1].item[1].answer[0].value"),
    "pattern": ("item.1.item.1.answer.0.valueString", "12楼", "business-rule", f"{R}[1].item[1].answer[0].value"),
    "decimals": (
        "item.1.item.2.answer.0.valueDecimal",
        Decimal("1.50"),
        "business-rule",
        f"{R}[1].item[2].answer[0].value",
    ),
    "not an option": ("item.0.answer.1.valueCoding", coding("c"), "code-invalid", f"{R}[0].answer[1].value"),
    "option of another system": (
        "item.0.answer.1.valueCoding.system",
        "http://other.org",
        "code-invalid",
        f"{R}[0].answer[1].value",
    ),
    "another option's words": (
        "item.0.answer.0.valueCoding.display",
        "乙",
        "business-rule",
        f"{R}[0].answer[0].value.display",
    ),
    "exclusive": ("item.0.answer.1.valueCoding", coding("z"), "business-rule", f"{R}[0].answer[1].value"),
    "not asked": ("item.0.answer.0.valueCoding", coding("b"), "business-rule", f"{R}[1].item[1]"),
    "other words": ("item.0.text", "别的题", "invariant", f"{R}[0].text"),
    "answer to a group": ("item.1.answer", [{"valueString": "x"}], "structure", f"{R}[1].answer"),
    "qrs-1": ("item.3.item", [fill("3.1")], "invariant", f"{R}[3]"),
    "nested beside the answer": ("item.3", fill("3", item=[fill("3.1")]), "structure", f"{R}[3].item"),
    "unit": ("item.4.answer.0.valueQuantity.code", "g", "code-invalid", f"{R}[4].answer[0].value"),
    "not in the value set": (
        "item.5.answer",
        [{"valueCoding": coding("r")}],
        "code-invalid",
        f"{R}[5].answer[0].value",
    ),
    "no such day": (
        "item.3.answer.0.item.0.answer.0.valueDate",
        "2026-13",
        "value",
        f"{R}[3].answer[0].item[0].answer[0].value",
    ),
}


@pytest.mark.parametrize("name", ANSWER_FAULTS)
def test_every_fault_of_a_response_is_named_by_its_place(name):
    path, value, code, place = ANSWER_FAULTS[name]
    outcome = validate_response(changed(FILLED, path, value), WHOLE)
    assert (code, place) in found(outcome), outcome


@pytest.mark.parametrize(
    ("status", "severity"),
    [("completed", "error"), ("amended", "error"), ("in-progress", "warning"), ("stopped", "warning")],
)
def test_only_a_finished_response_must_be_complete(status, severity):
    outcome = validate_response(changed(changed(FILLED, "item.3"), "status", status), WHOLE)
    assert found(outcome, severity) == {("required", "QuestionnaireResponse")}
    assert has_errors(outcome) is (severity == "error")


def test_what_is_not_asked_is_not_owed():
    yes = {"question": "1", "operator": "=", "answerBoolean": True}
    document = form(
        ask("1", "boolean"),
        ask("2", "string", required=True, enableWhen=[yes]),
        ask("3", "group", item=[ask("3.1", "string", required=True)]),
    )
    assert not errors(validate_response(sheet(fill("1", {"valueBoolean": False})), document))
    assert errors(validate_response(sheet(fill("1", {"valueBoolean": True})), document))
    group_begun = sheet(fill("1", {"valueBoolean": False}), {"linkId": "3", "text": "题 3"})
    assert ("required", f"{R}[1]") in found(validate_response(group_begun, document))


def one(item, *answers, beside=None, status="completed"):
    """Whether the only question's answers have errors."""
    document = form(ask("q1", **item), contained=beside) if beside else form(ask("q1", **item))
    filled = sheet(fill("q1", *answers), status=status) if answers else sheet(status=status)
    return bool(errors(validate_response(filled, document)))


PDF = {"contentType": "application/pdf", "data": "YWJj", "size": 3}
UCUM = "http://unitsofmeasure.org"
KILO, GRAM = ({"value": value, "system": UCUM, "code": code} for value, code in ((10, "kg"), (10, "g")))
ITEM_TYPES = {"kind": "choice", "answerValueSet": "http://hl7.org/fhir/ValueSet/item-type", "repeats": True}
PLACES = "http://hl7.org/fhir/ValueSet/jurisdiction"
COUNTRY = "urn:iso:std:iso:3166"


def limited(kind, *extensions, **more):
    return {"kind": kind, "extension": list(extensions), **more}


# Written after the cases of HL7's own validator tests (FHIR/fhir-test-cases, questionnaire module): the name there,
# a question, its answers, and whether HL7's Java validator reports an error.
HL7 = [
    (
        "attachment",
        limited("attachment", extension("mimeType", valueCode="application/pdf")),
        [{"valueAttachment": PDF}],
        False,
    ),
    (
        "attachment-content-type",
        limited("attachment", extension("mimeType", valueCode="image/png")),
        [{"valueAttachment": PDF}],
        True,
    ),
    ("attachment-inconsistent-size", {"kind": "attachment"}, [{"valueAttachment": PDF | {"size": 50200200}}], True),
    ("attachment-invalid-type", {"kind": "attachment"}, [{"valueString": "x"}], True),
    (
        "attachment-max-size",
        limited("attachment", extension("maxSize", valueDecimal=2)),
        [{"valueAttachment": PDF}],
        True,
    ),
    ("boolean-invalid-type", {"kind": "boolean"}, [{"valueString": "true"}], True),
    ("choice-answer-option", {"kind": "choice", "answerOption": OPTIONS}, [{"valueCoding": coding("c3")}], True),
    (
        "choice-answer-option-exclusive",
        {"kind": "choice", "answerOption": OPTIONS, "repeats": True},
        [{"valueCoding": coding("a")}, {"valueCoding": coding("z")}],
        True,
    ),
    (
        "choice-async",
        {"kind": "choice", "answerValueSet": PLACES},
        [{"valueCoding": coding("BD", "Australia", COUNTRY)}],
        True,
    ),
    (
        "choice-async",
        {"kind": "choice", "answerValueSet": PLACES},
        [{"valueCoding": coding("AU", "Australia", COUNTRY)}],
        False,
    ),
    (
        "choice-gender-coding-async",
        ITEM_TYPES,
        [{"valueCoding": coding("string", "Australia", "http://hl7.org/fhir/item-type")}],
        True,
    ),
    (
        "choice-gender-coding-async",
        ITEM_TYPES,
        [{"valueCoding": coding("boolean", "Boolean", "http://hl7.org/fhir/item-type")}],
        False,
    ),
    ("choice-invalid-type", {"kind": "choice", "required": True}, [{"valueString": "http://example.org"}], False),
    ("answerconstraint", {"kind": "choice", "answerOption": OPTIONS}, [{"valueString": "甲"}], True),
    (
        "choice-invalid-value-set-async",
        {"kind": "choice", "answerValueSet": "http://example.org/gone"},
        [{"valueCoding": coding("a")}],
        False,
    ),
    (
        "date-answer-option",
        {"kind": "date", "answerOption": [{"valueDate": "2020-01-01"}]},
        [{"valueDate": "2020-01-02"}],
        True,
    ),
    ("date-invalid-type", {"kind": "date"}, [{"valueString": "2020-01-01"}], True),
    (
        "date-min-max",
        limited("date", extension("maxValue", valueDate="2020-01-01")),
        [{"valueDate": "2020-01-02"}],
        True,
    ),
    ("date-time-invalid-type", {"kind": "dateTime"}, [{"valueDate": "2020-01-01"}], True),
    (
        "date-time-min-max",
        limited("dateTime", extension("minValue", valueDateTime="2020-01-02T00:00:00Z")),
        [{"valueDateTime": "2020-01-02T07:59:59+08:00"}],
        True,
    ),
    ("decimal", {"kind": "decimal"}, [{"valueDecimal": Decimal("1.1")}], False),
    ("decimal-invalid-type", {"kind": "decimal"}, [{"valueInteger": 1}], True),
    (
        "decimal-max-decimal-places",
        limited("decimal", extension("maxDecimalPlaces", valueInteger=2)),
        [{"valueDecimal": Decimal("1.234")}],
        True,
    ),
    (
        "decimal-min-max",
        limited("decimal", extension("minValue", valueDecimal=20)),
        [{"valueDecimal": Decimal("19.9")}],
        True,
    ),
    ("display-answer-included", {"kind": "display"}, [{"valueString": "x"}], True),
    ("integer", {"kind": "integer"}, [{"valueInteger": 1}], False),
    ("integer-answer-option", {"kind": "integer", "answerOption": [{"valueInteger": 1}]}, [{"valueInteger": 2}], True),
    ("integer-invalid-type", {"kind": "integer"}, [{"valueDecimal": Decimal("1.0")}], True),
    ("integer-min-max", limited("integer", extension("maxValue", valueInteger=2)), [{"valueInteger": 3}], True),
    (
        "invariant-questionnaire",
        limited("string", extension("questionnaire-constraint", extension=[{"url": "key", "valueId": "k"}])),
        [{"valueString": "x"}],
        False,
    ),
    ("open-choice-invalid-type", {"kind": "open-choice"}, [{"valueCode": "http://example.org"}], True),
    ("open-choice-string-async", {"kind": "open-choice", "answerValueSet": PLACES}, [{"valueString": "火星"}], False),
    ("quantity-invalid-type", {"kind": "quantity"}, [{"valueDecimal": 1}], True),
    (
        "quantity-min-max",
        limited("quantity", extension(SDC + "minQuantity", valueQuantity={"value": 50, "unit": "Kg"})),
        [{"valueQuantity": {"value": 10, "unit": "Kg"}}],
        True,
    ),
    (
        "quantity-min-max-compat-units",
        limited("quantity", extension(SDC + "minQuantity", valueQuantity=KILO)),
        [{"valueQuantity": GRAM}],
        True,
    ),
    (
        "quantity-min-max-compat-units",
        limited("quantity", extension(SDC + "maxQuantity", valueQuantity=KILO)),
        [{"valueQuantity": GRAM}],
        False,
    ),
    (
        "quantity-min-max-incompat-units",
        limited("quantity", extension(SDC + "minQuantity", valueQuantity=KILO)),
        [{"valueQuantity": KILO | {"code": "m"}}],
        True,
    ),
    (
        "quantity-units",
        limited("quantity", extension("questionnaire-unitOption", valueCoding=coding("kg", system=UCUM))),
        [{"valueQuantity": KILO}],
        False,
    ),
    (
        "quantity-units-invalid",
        limited("quantity", extension("questionnaire-unitOption", valueCoding=coding("km", system=UCUM))),
        [{"valueQuantity": KILO}],
        True,
    ),
    (
        "quantity-units-in-value-set",
        limited("quantity", extension("questionnaire-unitValueSet", valueCanonical=PLACES)),
        [{"valueQuantity": {"value": 1, "system": COUNTRY, "code": "AU"}}],
        False,
    ),
    (
        "quantity-units-not-in-value-set",
        limited("quantity", extension("questionnaire-unitValueSet", valueCanonical=PLACES)),
        [{"valueQuantity": KILO}],
        True,
    ),
    (
        "reference-absolute",
        {"kind": "reference"},
        [{"valueReference": {"reference": "https://example.org/Patient/1"}}],
        False,
    ),
    ("reference-relative", {"kind": "reference"}, [{"valueReference": {"reference": "Patient/1"}}], False),
    (
        "reference-invalid-resource-type",
        {"kind": "reference"},
        [{"valueReference": {"reference": "https://example.org/Chicken/1"}}],
        True,
    ),
    ("reference-invalid-type", {"kind": "reference"}, [{"valueString": "Patient/1"}], True),
    (
        "reference-invalid-url",
        {"kind": "reference"},
        [{"valueReference": {"reference": "ht sdtps://example.org/Patient/1"}}],
        True,
    ),
    (
        "reference-unconstrained-resource-type",
        limited("reference", extension("questionnaire-referenceResource", valueCode="Patient")),
        [{"valueReference": {"reference": "Organization/1"}}],
        True,
    ),
    ("string", {"kind": "string"}, [{"valueString": "a"}, {"valueString": "b"}], True),
    ("string-answer-option", {"kind": "string", "answerOption": [{"valueString": "a"}]}, [{"valueString": "b"}], True),
    ("string-invalid-type", {"kind": "string"}, [{"valueInteger": 1}], True),
    (
        "string-max-occurs",
        limited("string", extension("questionnaire-maxOccurs", valueInteger=2), repeats=True),
        [{"valueString": "a"}] * 3,
        True,
    ),
    (
        "string-min-occurs",
        limited("string", extension("questionnaire-minOccurs", valueInteger=2), repeats=True),
        [{"valueString": "a"}],
        True,
    ),
    ("string-min-max-length", limited("string", extension("minLength", valueInteger=3)), [{"valueString": "ab"}], True),
    ("string-regex", limited("string", extension("regex", valueString="a+")), [{"valueString": "aab"}], True),
    ("string-required", {"kind": "string", "required": True}, [], True),
    ("string-vs-text", {"kind": "string"}, [{"valueString": "a\r\nb"}], False),
    ("string-with-coding-async", {"kind": "string", "answerValueSet": PLACES}, [{"valueString": "Australia"}], True),
    ("text-invalid-type", {"kind": "text"}, [{"valueBoolean": True}], True),
    ("time", {"kind": "time", "answerOption": [{"valueTime": "08:00:00"}]}, [{"valueTime": "09:00:00"}], True),
    ("time-invalid-type", {"kind": "time"}, [{"valueString": "08:00:00"}], True),
    ("url-invalid-type", {"kind": "url"}, [{"valueCoding": coding("a")}], True),
    ("url-value", {"kind": "url"}, [{"valueUri": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520asdf"}], True),
    ("url-value", {"kind": "url"}, [{"valueUri": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}], False),
]


@pytest.mark.parametrize(("name", "item", "answers", "wrong"), HL7, ids=[f"{n}-{w}" for n, _, _, w in HL7])
def test_it_judges_as_hl7s_own_validator_does(name, item, answers, wrong):
    assert one(item, *answers) is wrong


def test_a_value_set_beside_decides_what_is_an_option():
    document = form(ask("q1", "choice", answerValueSet="http://example.org/vs"))
    filled = sheet(fill("q1", {"valueCoding": coding("b")}))
    system = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/cs",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a", "concept": [{"code": "a1"}]}, {"code": "b"}],
    }
    include = {"system": "http://example.org/cs", "filter": [{"property": "concept", "op": "is-a", "value": "a"}]}
    value_set = {"resourceType": "ValueSet", "url": "http://example.org/vs", "compose": {"include": [include]}}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": system}, {"resource": value_set}]}
    alone = validate_response(filled, document)
    assert not errors(alone)
    assert ("not-found", f"{R}[0].answer[0].value") in found(alone, "information")
    assert ("code-invalid", f"{R}[0].answer[0].value") in found(validate_response(filled, document, "R4", [bundle]))
    right = changed(filled, "item.0.answer.0.valueCoding.code", "a1")
    assert not errors(validate_response(right, document, "R4", [bundle]))


def test_the_questionnaire_is_found_by_the_name_in_the_response():
    wrong = changed(FILLED, "item.3")
    assert errors(validate_response(wrong, None, "R4", [WHOLE]))
    assert not errors(validate_response(FILLED, None, "R4", [WHOLE]))
    contained = sheet(
        fill("1", {"valueCoding": coding("a")}),
        questionnaire="#q",
        contained=[form(ask("1", "boolean"), id="q")],
    )
    assert ("structure", f"{R}[0].answer[0].value") in found(validate_response(contained))
    unknown = validate_response(FILLED)
    assert found(unknown, "warning") == {("not-found", "QuestionnaireResponse.questionnaire")}


def test_what_is_not_executed_is_said_and_not_dropped():
    document = form(
        ask("1", "decimal", extension(SDC + "calculatedExpression", valueExpression={"language": "text/fhirpath"})),
        ask("2", "string", modifierExtension=[extension("http://example.org/not", valueBoolean=True)]),
    )
    outcome = validate_questionnaire(document)
    assert ("not-supported", f"{I}[0].extension[0]") in found(outcome, "information")
    assert ("not-supported", f"{I}[1].modifierExtension[0]") in found(outcome, "warning")


DERIVATION = {
    "as it was": ("item.0.text", "别的话", None),
    "another type": ("item.0.type", "open-choice", f"{I}[0].type"),
    "an option more": ("item.0.answerOption.3", {"valueCoding": coding("new")}, f"{I}[0].answerOption[3]"),
    "an option less": ("item.0.answerOption.2", ..., None),
    "repeats": ("item.2.repeats", True, f"{I}[2].repeats"),
    "optional": ("item.2.required", ..., f"{I}[2].required"),
    "longer": ("item.1.item.1.maxLength", 6, f"{I}[1].item[1].maxLength"),
    "shorter": ("item.1.item.1.maxLength", 4, None),
    "a question more": ("item.6", ask("new", "string"), f"{I}[6]"),
}


@pytest.mark.parametrize("name", DERIVATION)
@pytest.mark.parametrize("mode", ["compliesWith", "extends", "inspiredBy"])
def test_a_derived_questionnaire_keeps_to_its_original(name, mode):
    path, value, place = DERIVATION[name]
    kind = extension(
        "questionnaire-derivationType", valueCoding=coding(mode, "", "http://hl7.org/fhir/questionnaire-derivationType")
    )
    derived = changed(WHOLE, path, value) | {
        "url": "http://example.org/derived",
        "derivedFrom": [WHOLE["url"]],
        "_derivedFrom": [{"extension": [kind]}],
    }
    free = mode == "inspiredBy" or (mode == "extends" and name == "a question more")
    expected = set() if place is None or free else {("business-rule", place)}
    assert found(validate_questionnaire(derived, "R4", [WHOLE])) == expected
    assert not errors(validate_questionnaire(derived))  # the original is not at hand


@pytest.mark.parametrize(
    ("system", "code", "right"),
    [
        ("http://loinc.org", "44249-1", True),
        ("http://loinc.org", "44249-2", False),
        ("http://loinc.org", "LA6568-5", True),
        ("http://snomed.info/sct", "22298006", True),
        ("http://snomed.info/sct", "22298007", False),
        ("http://example.org", "1", True),
        ("http://hl7.org/fhir/ValueSet/x", "1", False),
    ],
)
def test_check_digits(system, code, right):
    assert (code_fault(system, code) == "") is right


# --- patterns ---

PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\w", "^", "$"]),
    lambda inner: (
        st.builds(lambda x, y: x + y, inner, inner)
        | st.builds(lambda x: f"({x})", inner)
        | st.builds(lambda x, y: f"(?:{x}|{y})", inner, inner)
        | st.builds(lambda x, q: f"(?:{x}){q}", inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?"]))
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("ab1", max_size=6))
def test_patterns_match_what_python_matches(pattern, written):
    assert matches(pattern, written) == bool(re.fullmatch(pattern.replace("$", r"\Z"), written, re.ASCII))


def test_no_pattern_runs_away():
    began = time.process_time()
    assert not matches("(a+)+b", "a" * 2000)
    assert not matches("(a|aa)*c", "a" * 2000)
    assert time.process_time() - began < 5
    for pattern in (r"(?=a)", r"(a)\1", "[", "a{1,99999}", "(?i)(?:a{99}){99}"):
        with pytest.raises(Unmatchable):
            matches(pattern, "a")
    outcome = validate_response(
        sheet(fill("q1", {"valueString": "a"})), form(ask("q1", "string", extension("regex", valueString=r"(a)\1")))
    )
    assert not errors(outcome)
    assert ("not-supported", f"{R}[0].answer[0].value") in found(outcome, "information")


# --- anything at all ---


def assert_outcome(outcome):
    """A valid OperationOutcome by our own tables, that can be written as JSON."""
    json.dumps(outcome).encode()
    assert check_structure(outcome, "OperationOutcome") == []


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"\xff",
        b"nonsense",
        b"[]",
        b"3",
        b"null",
        b'{"resourceType": "Patient"}',
        b'{"resourceType": ["Questionnaire"]}',
        b'{"resourceType": "Questionnaire", "item": [{"linkId": "1", "linkId": "2", "type": "group"}]}',
        b'{"resourceType": "Questionnaire", "status": "active", "title": "\\ud800"}',
        b'{"resourceType": "Questionnaire", "item": [{"maxLength": 1e400000000000000000000}]}',
        b'{"resourceType": "Questionnaire", "item": [{"maxLength": NaN}]}',
        b'{"item":[' * 40_000,
        b'{"resourceType": "Questionnaire", "item": ' + b'[{"item": ' * 70 + b"[]" + b"}]" * 70 + b"}",
        b'{"resourceType": "Questionnaire", "item": [' + b"{}," * 60_000 + b"{}]}",
        b'{"resourceType": "Questionnaire", "title": "' + b"a" * 9_000_000 + b'"}',
    ],
    ids=range(16),
)
def test_malformed_input_gives_an_outcome_and_ends(written):
    began = time.process_time()
    for outcome in (validate_questionnaire(written), validate_response(written), validate_response(FILLED, written)):
        assert_outcome(outcome)
    assert has_errors(validate_questionnaire(written))
    assert time.process_time() - began < 20


def test_a_response_that_asks_for_too_much_ends():
    wide = form(ask("g", "group", repeats=True, item=[ask(str(n), "string") for n in range(1500)]))
    outcome = validate_response(sheet(*[{"linkId": "g"}] * 300), wide)
    assert ("too-costly", "QuestionnaireResponse") in found(outcome)


def places_of(document, path=()):
    """Every path into a JSON document."""
    children = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, child in children:
        yield (*path, name)
        yield from places_of(child, (*path, name))


VALUES = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**40,
        Decimal("1.5"),
        Decimal("NaN"),
        "",
        "x",
        "#vs",
        "\ud800",
        "1" * 300,
        [],
        {},
        [[]],
        [None],
        {"x": 1},
    ]
)


@settings(max_examples=150)
@given(st.data())
def test_no_change_of_a_document_breaks_the_check(data):
    document, filled = copy.deepcopy(WHOLE), copy.deepcopy(FILLED)
    for _ in range(data.draw(st.integers(1, 4))):
        target = data.draw(st.sampled_from([document, filled]))
        path = data.draw(st.sampled_from(list(places_of(target))))
        parent = target
        for name in path[:-1]:
            parent = parent[name]
        last = path[-1]
        deed = data.draw(st.sampled_from(["drop", "retype", "twice", "reorder", "deepen", "rename"]))
        if deed == "drop":
            del parent[last]
        elif deed == "retype":
            parent[last] = copy.deepcopy(data.draw(VALUES))
        elif deed == "twice":
            parent[last] = [parent[last], parent[last]]
        elif deed == "deepen":
            for _ in range(data.draw(st.sampled_from([1, 30]))):
                parent[last] = {"item": [parent[last]], "linkId": "1"}
        elif deed == "reorder" and isinstance(parent, list):
            parent.reverse()
        elif deed == "rename" and isinstance(parent, dict):
            parent[f"_{last}"] = parent.pop(last)
    version = data.draw(st.sampled_from(["R4", "R4B", "R5"]))
    assert_outcome(validate_questionnaire(document, version, [filled]))
    assert_outcome(validate_response(filled, document, version, [document]))


@settings(max_examples=60)
@given(st.data())
def test_a_planted_fault_is_found_among_others(data):
    name, other = data.draw(st.lists(st.sampled_from(sorted(ANSWER_FAULTS)), min_size=2, max_size=2, unique=True))
    path, value, code, place = ANSWER_FAULTS[name]
    noise = data.draw(st.sampled_from(["version", "name", "publisher"]))
    outcome = validate_response(changed(FILLED, path, value), changed(WHOLE, noise, data.draw(VALUES)))
    assert (code, place) in found(outcome), (name, other)


# --- the command ---


def run(*arguments, written=None):
    return CliRunner().invoke(main, ["questionnaire", "validate", *map(str, arguments)], input=written)


def saved(tmp_path, name, document):
    path = tmp_path / name
    path.write_text(json.dumps(document, default=float), "utf-8")
    return path


def test_the_command_checks_a_file_and_standard_input(tmp_path):
    right = run(saved(tmp_path, "q.json", WHOLE), "--json")
    assert right.exit_code == 0
    assert json.loads(right.stdout)["issue"][0]["diagnostics"] == "没有发现问题。"
    wrong = run("-", written=json.dumps(changed(WHOLE, "status"), default=float))
    assert wrong.exit_code == 1
    assert "错误：Questionnaire.status：缺少 status。" in wrong.stdout
    assert "1 个错误" in wrong.stderr
    broken = run("-", "--json", written="{")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["issue"][0]["severity"] == "fatal"
    assert run().exit_code == 2
    assert run("-", "--fhir", "R3").exit_code == 2


def test_the_command_checks_a_response(tmp_path):
    form_file, filled = saved(tmp_path, "q.json", WHOLE), saved(tmp_path, "r.json", FILLED)
    gap = saved(tmp_path, "gap.json", changed(FILLED, "item.3"))
    assert run(form_file, "--response", filled).exit_code == 0
    assert run(form_file, "--response", gap).exit_code == 1
    assert run("--response", filled, "--with", form_file).exit_code == 0
    assert run("--response", gap, "--with", form_file).exit_code == 1
    assert run(gap, "--with", form_file).exit_code == 1  # a response where the questionnaire is expected
    alone = run("--response", gap, "--json")
    assert alone.exit_code == 0
    assert json.loads(alone.stdout)["issue"][0]["code"] == "not-found"
    aside = run(saved(tmp_path, "odd.json", changed(WHOLE, "status")), "--response", filled)
    assert (aside.exit_code, "提醒：Questionnaire.status：问卷本身：" in aside.stdout) == (0, True)
    assert run(form_file, "--with", saved(tmp_path, "bad.json", {}).parent / "q.json").exit_code == 0
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json：不是 JSON" in run(form_file, "--with", tmp_path / "bad.json").stdout


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*.json")), ids=lambda path: path.stem)
def test_every_self_test_that_ships_is_a_sound_questionnaire(path):
    document, issues = read_json(path.read_bytes())
    assert issues == []
    assert not errors(validate_questionnaire(document))
    unanswered = {"resourceType": "QuestionnaireResponse", "status": "in-progress", "questionnaire": document["url"]}
    ran = CliRunner().invoke(main, ["questionnaire", "validate", "--response", "-"], input=json.dumps(unanswered))
    assert ran.exit_code == 0
    assert "手边没有" not in ran.stdout  # found by its name among those that ship
