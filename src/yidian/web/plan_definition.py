"""An action guide as a FHIR R4 PlanDefinition (http://hl7.org/fhir/R4/plandefinition.html), for other systems to read.

What a reader is asked before the steps goes along as a contained Questionnaire; each step that an answer removes has
the condition that makes it applicable, and each question an action that says what to do instead.
"""

import re
from html import unescape

from yidian.editorial.blocks import Phase
from yidian.editorial.rendering import CITED
from yidian.web import guides
from yidian.web.jsonld import without_empty


def _days(count: int) -> dict:
    return {"value": count, "unit": "天", "system": "http://unitsofmeasure.org", "code": "d"}


# When to do the steps of a phase, from the moment of reading; when to escalate has no time.
_PHASE_TIMES = {
    Phase.NOW: {"timingDuration": _days(0)},
    Phase.TODAY: {"timingRange": {"low": _days(0), "high": _days(1)}},
    Phase.TWO_WEEKS: {"timingRange": {"low": _days(0), "high": _days(14)}},
}
# http://hl7.org/fhir/request-priority, by how soon to get help
_PRIORITIES = {"emergency_call": "stat", "emergency": "asap", "same_day": "urgent"}
_ASKED = "before-you-start"
_BLOCK_END = re.compile(r"</(?:p|li)>")
_TAG = re.compile(r"<[^>]+>")


def plan_definition(page: dict, entry: dict, slug: str, identifier: str) -> dict:
    """The resource as plain data; `page` and `entry` as a guide's page has them, `identifier` the guide's UUID."""
    awaits = entry["review_state"] == "awaiting"
    return without_empty(
        {
            "resourceType": "PlanDefinition",
            "id": slug[:64],
            "language": page["lang"],
            "contained": [_questionnaire(entry)] if entry["contraindications"] else None,
            "url": page["address"],
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{identifier}"}],
            "version": entry["date_modified"] or entry["date_published"],
            "name": "Guide" + "".join(part.capitalize() for part in slug.split("-")),
            "title": entry["name"],
            "type": _coded("http://terminology.hl7.org/CodeSystem/plan-definition-type", "clinical-protocol"),
            # no licensed clinician has looked at it yet
            "status": "draft" if awaits else "active",
            "experimental": awaits,
            "subjectCodeableConcept": _coded("http://hl7.org/fhir/resource-types", "Patient"),
            "date": entry["date_modified"] or entry["date_published"],
            "publisher": page["site_name"],
            "description": entry["description"],
            "purpose": "给大众看的健康知识：现在做什么，什么时候去看医生。",
            "usage": "\n".join(
                ["本内容不能作为治疗依据，如有不适请到医院就诊。"]
                + [f"可以：{_text(line)}" for line in entry["do"]]
                + [f"不要：{_text(line)}" for line in entry["dont"]]
            ),
            "lastReviewDate": entry["last_review_date"],
            "effectivePeriod": {"end": entry["review_due"]} if entry["review_due"] else None,
            "topic": [{"text": part["name"]} for part in entry["body_parts"]],
            "author": [{"name": (entry["author"] or {}).get("name") or "医典编辑部"}],
            "reviewer": [{"name": entry["reviewer"]["name"]}] if entry["reviewer"] else None,
            "relatedArtifact": [_source(source) for source in entry["sources"]],
            "action": [
                *([_asked(entry, page)] if entry["contraindications"] else []),
                *_phases(entry, page),
                *[_care(card, entry, page) for card in entry["care_advice"]],
            ],
        }
    )


def _text(html: str) -> str:
    return unescape(_TAG.sub("", _BLOCK_END.sub("\n", CITED.sub("", html)))).strip()


def _coded(system: str, code: str) -> dict:
    return {"coding": [{"system": system, "code": code}]}


def _source(source: dict) -> dict:
    named = [source[key] for key in ("authors", "title", "publisher", "date") if source.get(key)]
    return without_empty(
        {
            "type": "citation",
            "label": str(source["number"]),
            "display": source["title"],
            "citation": ". ".join(named),
            "url": f"https://doi.org/{source['doi']}" if source["doi"] else source["url"],
        }
    )


def _documentation(html: str, entry: dict, page: dict, claims: list[dict] = ()) -> list[dict]:
    """What a text cites and a step rests on."""
    cited = dict.fromkeys(CITED.findall(html))
    found = [_source(source) for source in entry["sources"] if str(source["number"]) in cited]
    return found + [
        {"type": "justification", "display": claim["text"], "url": page["origin"] + claim["url"]} for claim in claims
    ]


def _questionnaire(entry: dict) -> dict:
    options = [
        {"valueCoding": {"system": "urn:yidian:answer", "code": code, "display": guides.WORDS[code]}}
        for code in guides.ANSWERS
    ]
    return {
        "resourceType": "Questionnaire",
        "id": _ASKED,
        "status": "active",
        "title": "先回答几个问题",
        "item": [
            {"linkId": each["key"], "text": each["question"], "type": "choice", "answerOption": options}
            for each in entry["contraindications"]
        ],
    }


def _condition(each: dict, *, forbids: bool) -> dict:
    """That a question was answered with no, or not at all; or, where it `forbids`, with yes or unsure."""
    wanted = f"%resource.descendants().where(linkId = '{each['key']}').answer.value.where(code != 'no')"
    said = "答“是”或“不确定”" if forbids else "没有答“是”或“不确定”"
    expression = {
        "description": f"{each['question']}{said}",
        "language": "text/fhirpath",
        "expression": f"{wanted}.{'exists' if forbids else 'empty'}()",
    }
    return {"kind": "applicability", "expression": expression}


def _asked(entry: dict, page: dict) -> dict:
    return {
        "title": "先回答几个问题",
        "documentation": [{"type": "depends-on", "resource": f"#{_ASKED}"}],
        "selectionBehavior": "any",
        "groupingBehavior": "logical-group",
        "action": [
            without_empty(
                {
                    "id": f"instead-{each['key']}",
                    "title": each["question"],
                    "description": _text(each["instead"]),
                    "documentation": _documentation(each["instead"], entry, page),
                    "condition": [_condition(each, forbids=True)],
                }
            )
            for each in entry["contraindications"]
        ],
    }


def _phases(entry: dict, page: dict) -> list[dict]:
    stops = [
        {"kind": "stop", "expression": {"language": "text/plain", "expression": _text(line)}}
        for line in entry["stop_conditions"]
    ]
    made, number = [], 0
    for phase in entry["phases"]:
        steps = []
        for step in phase["steps"]:
            number += 1
            if step["withheld"]:
                continue
            html = str(step["html"])
            repeat = {"duration": step["seconds"], "durationUnit": "s"} if step["seconds"] else None
            steps.append(
                without_empty(
                    {
                        "id": step["key"],
                        "prefix": str(number),
                        "title": step["name"],
                        "description": _text(html),
                        "documentation": _documentation(html, entry, page, step["claims"]),
                        "condition": [
                            _condition(each, forbids=False)
                            for each in guides.removing(step, entry["contraindications"])
                        ],
                        "timingTiming": {"repeat": repeat} if repeat else None,
                        "participant": [{"type": "patient"}],
                    }
                )
            )
        if steps:
            group = {"title": phase["label"], "condition": stops, **_PHASE_TIMES.get(phase["phase"], {})}
            made.append(without_empty(group | {"groupingBehavior": "logical-group", "action": steps}))
    return made


def _care(card: dict, entry: dict, page: dict) -> dict:
    return without_empty(
        {
            "title": card["heading"],
            "description": "\n".join(_text(item) for item in card["items"]),
            "priority": _PRIORITIES.get(card["level"], "routine"),
            "documentation": _documentation("".join(card["items"]), entry, page),
        }
    )
