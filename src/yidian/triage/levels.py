"""How soon to get help: five levels, from calling 120 to looking after oneself."""

EMERGENCY_CALL, EMERGENCY, SAME_DAY, APPOINTMENT, SELF_CARE = LEVELS = (
    "emergency_call",
    "emergency",
    "same_day",
    "appointment",
    "self_care",
)
NAMES = {
    EMERGENCY_CALL: "立即拨打 120",
    EMERGENCY: "马上去急诊",
    SAME_DAY: "今天就医",
    APPOINTMENT: "预约就诊",
    SELF_CARE: "自己照护，留意变化",
}
_URGENCY = {level: len(LEVELS) - place for place, level in enumerate(LEVELS)}

# Not knowing is never reassuring: what a rule that cannot be excluded raises the result to.
WHEN_NOT_EXCLUDED = {
    EMERGENCY_CALL: SAME_DAY,
    EMERGENCY: SAME_DAY,
    SAME_DAY: APPOINTMENT,
    APPOINTMENT: APPOINTMENT,
}


def urgency(level: str | None) -> int:
    """5 for emergency_call down to 1 for self_care; 0 for no level. KeyError for a level that does not exist."""
    return 0 if level is None else _URGENCY[level]


def raise_level(level: str, other: str | None) -> str:
    """The more urgent of the two: a score's band may raise what the red flags say and never lower it."""
    return other if other is not None and urgency(other) > urgency(level) else level
