"""A result that can be kept: a FHIR QuestionnaireResponse that carries what it came to, and can be made again.

The hashes say by which questionnaire, rules and engine. The browser's engine writes the same bytes (``scoring.js``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yidian.questionnaire.hashes import canonical
from yidian.questionnaire.scoring import Answers, Form, answers_of, asked_ids, outcome, response_of

EXTENSION = "urn:yidian:self-test-result"
_SAYS = ("band", "bands", "bands_between", "between", "level", "scores")


class NoResult(ValueError):
    """A document that holds no result of ours: says in Chinese what is wrong."""


def conclusion(form: Form, answers: Answers) -> dict:
    """What the answers come to without any sentence, so that it is the same in 简体 and 繁體; rules by their ids."""
    found = outcome(form, answers)
    rules = {name: [rule["id"] for rule in found[name]] for name in ("red_flags", "not_excluded")}
    return {name: found[name] for name in _SAYS} | rules


def kept(form: Form, answers: Answers, *, authored: str = "", words: bool = True) -> dict:
    """What is asked and answered as a QuestionnaireResponse, with an extension that holds the result and the hashes.

    Without `words` it repeats no text of the questionnaire: in 繁體 they would not be the questionnaire's own.
    """
    shown = asked_ids(form, answers)
    answers = {link_id: given for link_id, given in answers.items() if link_id in shown}
    parts = [{"url": name, "valueString": text} for name, text in _parts_of(form, answers).items()]
    response = response_of(form, answers, words=words) | ({"authored": authored} if authored else {})
    return response | {"extension": [{"url": EXTENSION, "extension": parts}]}


def _parts_of(form: Form, answers: Answers) -> dict[str, str]:
    return {**form.hashes, "result": canonical(conclusion(form, answers))}


@dataclass(frozen=True, slots=True)
class Replay:
    """Whether a kept result comes out again byte for byte, what differs when it does not, and the result of now."""

    identical: bool
    differs: tuple[str, ...]
    now: dict


def replay(document: Any, form: Form) -> Replay:
    """A kept result made again from its own answers. NoResult when it holds none."""
    before = _parts_in(document)
    answers = answers_of(document)
    after = _parts_of(form, answers)
    differs = tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
    return Replay(not differs, differs, conclusion(form, answers))


def _parts_in(document: Any) -> dict[str, str]:
    held = document.get("extension") if isinstance(document, Mapping) else None
    for each in held if isinstance(held, list) else ():
        if isinstance(each, Mapping) and each.get("url") == EXTENSION and isinstance(each.get("extension"), list):
            parts = [part for part in each["extension"] if isinstance(part, Mapping)]
            return {part["url"]: str(part.get("valueString")) for part in parts if isinstance(part.get("url"), str)}
    raise NoResult("里面没有自测的结果。")
