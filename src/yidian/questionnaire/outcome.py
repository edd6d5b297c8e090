"""What a check found, as a FHIR OperationOutcome."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SEVERITIES = ("fatal", "error", "warning", "information")
MAX_ISSUES = 1_000  # a report of more is not read; the worst come first when some must go
_MAX_QUOTE = 80  # characters of the reader's own text in a message


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding: FHIR's severity and IssueType, the sentence for people, and the FHIRPath of the place."""

    severity: str
    code: str
    diagnostics: str
    expression: str = ""


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The OperationOutcome of these issues; without any it says in one `information` that nothing was found."""
    found = list(dict.fromkeys(issues))
    if len(found) > MAX_ISSUES:
        rest = len(found) - MAX_ISSUES
        found = sorted(found, key=lambda issue: SEVERITIES.index(issue.severity))[:MAX_ISSUES]
        found.append(Issue("information", "too-costly", f"另有 {rest} 条没有列出。请先改正上面的，再检查一次。"))
    if not found:
        found = [Issue("information", "informational", "没有发现问题。")]
    return {"resourceType": "OperationOutcome", "issue": [_written(issue) for issue in found]}


def has_errors(outcome: dict[str, Any]) -> bool:
    """Whether any issue is an error or fatal."""
    return any(issue["severity"] in ("error", "fatal") for issue in outcome["issue"])


def _written(issue: Issue) -> dict[str, Any]:
    written: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "diagnostics": printable(issue.diagnostics),
    }
    if issue.expression:
        written["expression"] = [printable(issue.expression)]
    return written


def quote(found: object) -> str:
    """What was written, short enough for a message: a text in “ ”, a JSON value as it stands."""
    if isinstance(found, str):
        shown = found if len(found) <= _MAX_QUOTE else f"{found[:_MAX_QUOTE]}…"
        return f"“{printable(shown)}”"
    if found is None:
        return "null"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, dict):
        return "一个对象"
    if isinstance(found, list):
        return "一个列表"
    shown = str(found)
    return shown if len(shown) <= _MAX_QUOTE else f"{shown[:_MAX_QUOTE]}…"


def printable(written: str) -> str:
    """The text without what FHIR's string may not hold: control characters and lone surrogates become �."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", written)
