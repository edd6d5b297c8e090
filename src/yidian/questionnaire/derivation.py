"""Whether a questionnaire keeps to the one that it says it is derived from (extension questionnaire-derivationType)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from yidian.questionnaire.items import FHIR, Item, Questionnaire, parse_questionnaire
from yidian.questionnaire.outcome import Issue, quote
from yidian.questionnaire.terminology import objects, resources
from yidian.questionnaire.values import text

_MODES = "http://hl7.org/fhir/questionnaire-derivationType"


def check_derivation(document: Mapping, parsed: Questionnaire, supplements: Iterable[Any]) -> Iterator[Issue]:
    """What a derived questionnaire may not change, where the one it comes from is at hand.

    After HL7's validator: `extends` may add questions, `compliesWith` may not; neither may change a type, let a
    question repeat, make a required one optional, allow longer answers or offer other options.
    """
    named, beside = document.get("derivedFrom"), document.get("_derivedFrom")
    bases = {text(base, "url"): base for base in resources(supplements, "Questionnaire")}
    for place, canonical in enumerate(named if isinstance(named, list) else ()):
        path = f"Questionnaire.derivedFrom[{place}]"
        element = beside[place] if isinstance(beside, list) and place < len(beside) else None
        mode = _mode(element)
        base = bases.get(canonical.partition("|")[0]) if isinstance(canonical, str) else None
        if base is None:
            said = f"手边没有 {quote(canonical)}，是否守它的规矩没有检查。可用 --with 给出。"
            yield Issue("information", "not-found", said, path)
        elif mode in ("extends", "compliesWith"):
            original = parse_questionnaire(base, parsed.fhir_version, supplements)
            for item in parsed.walk():
                yield from _check_item(item, original.by_link_id.get(item.link_id), may_add=mode == "extends")
        elif mode != "inspiredBy":
            said = "没有写明是哪种派生（questionnaire-derivationType），是否守它的规矩没有检查。"
            yield Issue("information", "incomplete", said, path)


def _mode(element: Any) -> str:
    for extension in objects(element, "extension"):
        coding = extension.get("valueCoding")
        if extension.get("url") == FHIR + "questionnaire-derivationType" and isinstance(coding, Mapping):
            return text(coding, "code") if text(coding, "system") == _MODES else ""
    return ""


def _check_item(item: Item, original: Item | None, *, may_add: bool) -> Iterator[Issue]:
    def wrong(said: str, name: str = "") -> Issue:
        said = f"{quote(item.link_id)} 和原来的问卷不合：{said}。"
        return Issue("error", "business-rule", said, f"{item.path}.{name}" if name else item.path)

    if original is None:
        if not may_add:
            yield wrong("原来没有这一题")
        return
    if item.type != original.type:
        yield wrong(f"题型原来是 {original.type}", "type")
    if item.repeats and not original.repeats:
        yield wrong("原来不能答几次", "repeats")
    if original.required and not item.required:
        yield wrong("原来是必答的", "required")
    if original.max_length is not None and (item.max_length is None or item.max_length > original.max_length):
        yield wrong(f"原来最多 {original.max_length} 个字", "maxLength")
    own = [option for option in item.options if option.path]
    if original.answer_value_set and own:
        yield wrong("原来的选项来自 ValueSet", "answerOption")
    elif original.options and not original.answer_value_set:
        if item.answer_value_set or not own:
            yield wrong("原来写明了选项", "answerOption")
        for option in own:
            if original.option(option.value) is None:
                yield wrong("原来没有这个选项", option.path.rpartition(".")[2])
