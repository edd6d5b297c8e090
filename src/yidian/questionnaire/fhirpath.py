"""The scores of a self-test as FHIRPath, so that other FHIR software computes them from the Questionnaire alone.

A weight is read by `answer.weight()`, which the common clients know; an answer without a weight (不确定), or none at
all, makes the expression empty, as it makes our score None.
"""

from collections.abc import Mapping
from typing import Any

CALCULATED = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"


def with_scores(questionnaire: Mapping, sidecar: Mapping) -> dict:
    """The Questionnaire with one read-only item `score.<name>` for each score, calculated by the client."""
    scores = sidecar.get("scores", {})
    items = []
    for name, rule in scores.items():
        expression = {"language": "text/fhirpath", "expression": fhirpath(rule["is"], scores)}
        items.append(
            {
                "linkId": f"score.{name}",
                "extension": [{"url": CALCULATED, "valueExpression": expression}],
                "text": rule["label"],
                "type": "decimal",
                "readOnly": True,
            }
        )
    return {**questionnaire, "item": [*questionnaire["item"], *items]}


def _answer(link_id: str) -> str:
    return f"%resource.repeat(item).where(linkId='{link_id}').answer"


def _lookup(table: Mapping, scores: Mapping) -> str:
    of, rest = fhirpath(table["of"], scores), "{}"
    for row in reversed(table["table"]):
        gives = "{}" if row["gives"] is None else str(row["gives"])
        rest = f"iif({of} < {row['below']}, {gives}, {rest})" if "below" in row else gives
    return f"iif(({of}).exists(), {rest}, {{}})"


def _choose(choice: Mapping, scores: Mapping) -> str:
    rest = "{}"
    for code, expression in choice["cases"].items():
        rest = f"iif({_answer(choice['by'])}.value.code = '{code}', {fhirpath(expression, scores)}, {rest})"
    return rest


def _count_if(conditions: list, scores: Mapping) -> str:
    known, counted = [], []
    for condition in conditions:
        ((link_id, code),) = condition["is"].items()
        value = f"{_answer(link_id)}.value.code"
        known.append(f"({value}.exists() and {value} != 'unsure')")
        counted.append(f"iif({value} = '{code}', 1, 0)")
    return f"iif({' and '.join(known)}, {' + '.join(counted)}, {{}})"


def fhirpath(expression: Any, scores: Mapping) -> str:
    """One numeric expression of a sidecar as FHIRPath; NotImplementedError for the operators no self-test exports."""
    if not isinstance(expression, Mapping):
        return str(expression)
    ((operator, argument),) = expression.items()
    if operator == "value":
        return f"{_answer(argument)}.value"
    if operator == "weight":
        return f"{_answer(argument)}.weight()"
    if operator == "weights":
        return " + ".join(f"{_answer(link_id)}.weight()" for link_id in argument)
    if operator == "sum":
        return " + ".join(f"({fhirpath(each, scores)})" for each in argument)
    if operator == "weighted_sum":
        return " + ".join(f"({term['by']}) * ({fhirpath(term['of'], scores)})" for term in argument)
    if operator == "lookup":
        return _lookup(argument, scores)
    if operator == "choose":
        return _choose(argument, scores)
    if operator == "count_if":
        return _count_if(argument, scores)
    if operator == "bmi":
        kg, cm = fhirpath(argument["kg"], scores), fhirpath(argument["cm"], scores)
        return f"(({kg}) * 10000 / (({cm}) * ({cm}))).round(1)"
    if operator == "score":
        return fhirpath(scores[argument]["is"], scores)
    raise NotImplementedError(operator)
