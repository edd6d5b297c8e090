"""What a text says that cannot wait, as care cards: read where it was typed, kept nowhere."""

from yidian.triage import rulebook
from yidian.triage.levels import urgency
from yidian.triage.screen import Finding, screen

# Two say what to do; a third takes the reader away from doing it.
MOST_CARDS = 2


def findings(text: str) -> list[Finding]:
    """The red flags that are present in a text, most urgent first, each rule once."""
    present: dict[str, Finding] = {}
    for finding in screen(text).findings:
        if finding.status == "present":
            present.setdefault(finding.rule, finding)
    return sorted(present.values(), key=lambda finding: (-urgency(finding.level), finding.span))


def cards(text: str) -> list[dict]:
    """Care cards for the red flags in a text, as the component takes them, each with the words that it answers to."""
    book = rulebook.load()
    made = []
    for finding in findings(text):
        rule = book.rule(finding.rule)
        if any(card["heading"] == rule.heading for card in made):
            continue
        made.append({"level": finding.level, "heading": rule.heading, "items": [rule.message], "because": finding.text})
    worst = urgency(made[0]["level"]) if made else 0
    # what can wait is not shown beside what cannot
    return [card for card in made if urgency(card["level"]) >= worst - 1][:MOST_CARDS]
