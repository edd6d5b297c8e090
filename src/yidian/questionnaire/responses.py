"""A QuestionnaireResponse as plain frozen data; R4, R4B and R5 write it alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yidian.questionnaire.items import MAX_DEPTH
from yidian.questionnaire.values import Value, choice, text


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `value` None when it has none that can be read. `items` are the questions nested under it."""

    value: Value | None
    items: tuple["ResponseItem", ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class ResponseItem:
    """One group or question as it was filled in."""

    link_id: str
    text: str = ""
    answers: tuple[Answer, ...] = ()
    items: tuple["ResponseItem", ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """The whole response; `questionnaire` is the canonical URL that it names."""

    items: tuple[ResponseItem, ...]
    questionnaire: str = ""
    status: str = ""


def parse_response(document: Any) -> Response:
    """The QuestionnaireResponse in this JSON document; what has not the right shape is left out. Never raises."""
    root = document if isinstance(document, Mapping) else {}
    return Response(
        _items(root, "QuestionnaireResponse", 0), questionnaire=text(root, "questionnaire"), status=text(root, "status")
    )


def _items(parent: Mapping, path: str, depth: int) -> tuple[ResponseItem, ...]:
    raw = parent.get("item")
    if not isinstance(raw, list) or depth >= MAX_DEPTH:
        return ()
    return tuple(
        _item(entry, f"{path}.item[{place}]", depth) for place, entry in enumerate(raw) if isinstance(entry, Mapping)
    )


def _item(raw: Mapping, path: str, depth: int) -> ResponseItem:
    answers = raw.get("answer")
    return ResponseItem(
        link_id=text(raw, "linkId"),
        text=text(raw, "text"),
        answers=tuple(
            Answer(
                choice(entry, "value"),
                _items(entry, f"{path}.answer[{place}]", depth + 1),
                f"{path}.answer[{place}]",
            )
            for place, entry in enumerate(answers if isinstance(answers, list) else ())
            if isinstance(entry, Mapping)
        ),
        items=_items(raw, path, depth + 1),
        path=path,
    )
