"""What a text says that cannot wait, as care cards: read where it was typed, kept nowhere."""

from yidian.encyclopedia.models import ActionGuide
from yidian.triage import rulebook
from yidian.triage.levels import urgency
from yidian.triage.screen import Finding, screen
from yidian.web import queries

# Two say what to do; a third takes the reader away from doing it.
MOST_CARDS = 2


def findings(text: str) -> list[Finding]:
    """The red flags that are present in a text, most urgent first, each rule once."""
    present: dict[str, Finding] = {}
    for finding in screen(text).findings:
        if finding.status == "present":
            present.setdefault(finding.rule, finding)
    return sorted(present.values(), key=lambda finding: (-urgency(finding.level), finding.span))


def guides(slugs, prefix: str) -> dict[str, dict]:
    """Names and addresses of those of these guides that are public, by slug; one query, none for no slug."""
    wanted = {slug for slug in slugs if slug}
    if not wanted:
        return {}
    found = queries.names("guides", ActionGuide.objects.filter(slug__in=wanted), prefix)
    return {row["slug"]: row for row in found}


def cards(text: str, prefix: str) -> list[dict]:
    """Care cards for the red flags in a text, as the component takes them.

    Each has the words that it answers to, and the guide that follows where this site has it.
    """
    book = rulebook.load()
    made = []
    for finding in findings(text):
        rule = book.rule(finding.rule)
        if any(card["heading"] == rule.heading for card in made):
            continue
        card = {"level": finding.level, "heading": rule.heading, "items": [rule.message], "because": finding.text}
        made.append(card | {"guide": rule.guide})
    worst = urgency(made[0]["level"]) if made else 0
    # what can wait is not shown beside what cannot
    shown = [card for card in made if urgency(card["level"]) >= worst - 1][:MOST_CARDS]
    public = guides([card["guide"] for card in shown], prefix)
    return [card | {"guide": public.get(card["guide"])} for card in shown]
