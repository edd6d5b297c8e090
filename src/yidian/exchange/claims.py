"""What the claims of a bundle are worth, and the steps of guides that rest on those that carry nothing."""

from collections.abc import Iterable

from yidian.encyclopedia.models import step_fault
from yidian.evidence.models import Verdict, verdict
from yidian.exchange.documents import Problem, Record


def is_public(record: Record) -> bool:
    """Whether a record of a bundle is one that readers see."""
    return not record.draft and record.values.get("status", "live") == "live"


def verdicts_of(claims: Iterable[Record], sources: set[str]) -> dict[str, tuple[str, Verdict]]:
    """What the claims of a bundle say, and what each is worth, by key; `sources` are the public ones."""
    found = {}
    for record in claims:
        sourced = is_public(record) and not sources.isdisjoint(record.values.get("sources", []))
        found[record.key] = (
            record.values.get("text", ""),
            verdict(record.values.get("direction", ""), sourced=sourced),
        )
    return found


def step_problems(record: Record, claims: dict[str, tuple[str, Verdict]]) -> Iterable[Problem]:
    """An error for each step of a guide that rests on a claim which does not carry it; in a draft a warning."""
    draft = record.values.get("status", "draft" if record.draft else "live") == "draft"
    for phase in record.values.get("phases", []):
        for step in phase["steps"]:
            for key in step.get("claims", []):
                text, worth = claims.get(key, ("", Verdict.SUPPORTED))  # one that is missing is said elsewhere
                if worth != Verdict.SUPPORTED:
                    line = next((each.line for each in record.references if (each.kind, each.key) == ("claim", key)), 0)
                    message = step_fault(step["name"], key, text, worth)
                    yield Problem(record.file, line, "claim", message, "warning" if draft else "error")
