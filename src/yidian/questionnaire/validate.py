"""Checking Questionnaires and QuestionnaireResponses; what is found is a FHIR OperationOutcome."""

from collections.abc import Iterable, Mapping
from typing import Any

from yidian.questionnaire.answering import check_response, find_questionnaire
from yidian.questionnaire.derivation import check_derivation
from yidian.questionnaire.items import VERSIONS, Questionnaire, parse_questionnaire
from yidian.questionnaire.outcome import Issue, operation_outcome
from yidian.questionnaire.reading import look_through, read_json
from yidian.questionnaire.responses import parse_response
from yidian.questionnaire.soundness import check_questionnaire
from yidian.questionnaire.structure import check_structure
from yidian.questionnaire.terminology import Terminology


def validate_questionnaire(document: Any, fhir_version: str = "R4", supplements: Iterable[Any] = ()) -> dict[str, Any]:
    """The OperationOutcome for a Questionnaire: bytes or text of JSON, or a document that `read_json` gave.

    `supplements` are documents (ValueSet, CodeSystem, Bundle …) that its value sets may need. `fhir_version` is R4,
    R4B or R5. Whatever the document holds, an outcome comes back; an unknown version is a ValueError.
    """
    return operation_outcome(questionnaire_issues(document, fhir_version, supplements))


def validate_response(
    response: Any,
    questionnaire: Any = None,
    fhir_version: str = "R4",
    supplements: Iterable[Any] = (),
) -> dict[str, Any]:
    """The OperationOutcome for a QuestionnaireResponse against its Questionnaire.

    Both are bytes or text of JSON, or documents that `read_json` gave. Without a questionnaire the one that the
    response names is looked for in the response itself and among the supplements; when it is not there, only the
    structure is checked, and a warning says so. Faults of the questionnaire itself are not listed here, but one that
    cannot be read is.
    """
    return operation_outcome(response_issues(response, questionnaire, fhir_version, supplements))


def questionnaire_issues(document: Any, fhir_version: str = "R4", supplements: Iterable[Any] = ()) -> list[Issue]:
    """The same as a list of issues; empty when there is nothing to say."""
    _known(fhir_version)
    found, issues = _read(document, "Questionnaire")
    if found is None:
        return issues
    beside = list(supplements)
    structure = check_structure(found, "Questionnaire", fhir_version)
    issues = [*issues, *structure]
    if any(issue.severity == "fatal" for issue in structure):
        return issues
    parsed = parse_questionnaire(found, fhir_version, beside)
    return [*issues, *check_questionnaire(found, parsed, beside), *check_derivation(found, parsed, beside)]


def response_issues(
    response: Any, questionnaire: Any = None, fhir_version: str = "R4", supplements: Iterable[Any] = ()
) -> list[Issue]:
    """The same as a list of issues; empty when there is nothing to say."""
    _known(fhir_version)
    found, issues = _read(response, "QuestionnaireResponse")
    if found is None:
        return issues
    structure = check_structure(found, "QuestionnaireResponse", fhir_version)
    issues = [*issues, *structure]
    if any(issue.severity == "fatal" for issue in structure):
        return issues
    beside = list(supplements)
    asked, owner, faults = _questionnaire(found, questionnaire, fhir_version, beside)
    issues += faults
    if asked is None:
        return issues
    terminology = Terminology(owner, beside)
    return [*issues, *check_response(found, parse_response(found), asked, terminology)]


def _questionnaire(
    response: Mapping, questionnaire: Any, fhir_version: str, supplements: list[Any]
) -> tuple[Questionnaire | None, Mapping | None, list[Issue]]:
    """The questionnaire that the response is checked against, the document that contains its value sets, and faults."""
    if questionnaire is None:
        found = find_questionnaire(response, supplements)
        named = response.get("questionnaire")
        if found is None:
            said = "没有写是哪份问卷的答案" if not named else "手边没有它写的那份问卷"
            said += "，只检查了形式，没有检查答案。可把问卷作为 FILE 或用 --with 给出。"
            severity = "warning" if named else "information"
            return None, None, [Issue(severity, "not-found", said, "QuestionnaireResponse.questionnaire")]
        # a contained questionnaire may use the value sets that are contained beside it
        owner = response if isinstance(named, str) and named.startswith("#") else found
        if owner is response:
            found = {**found, "contained": response.get("contained")}
    else:
        found, faults = _read(questionnaire, "Questionnaire")
        if not isinstance(found, Mapping) or found.get("resourceType") != "Questionnaire":
            said = "用来检查的问卷读不出来，答案没有检查。请先检查问卷。"
            return None, None, [Issue("fatal", "processing", said, "QuestionnaireResponse.questionnaire"), *faults]
        owner = found
    return parse_questionnaire(found, fhir_version, supplements), owner, []


def _read(document: Any, root: str) -> tuple[Any, list[Issue]]:
    if isinstance(document, bytes | str):
        return read_json(document, root)
    if document is None:
        return None, [Issue("fatal", "structure", "没有内容。", root)]
    return look_through(document, root)


def _known(fhir_version: str) -> None:
    if fhir_version not in VERSIONS:
        raise ValueError(f"FHIR version {fhir_version!r} is none of {', '.join(VERSIONS)}")
