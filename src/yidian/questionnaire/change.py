"""What would change a result: the fewest answers, moved as little as possible."""

from collections.abc import Iterator
from decimal import Decimal

from yidian.questionnaire.scoring import NUMERIC, UNSURE, Answers, Form, answer_text, asked_ids, judged, scored

# A change of answers is looked for among one answer, then two: three would be no small change, and cost seconds.
_PAIRS_UP_TO = 20
# Numbers are moved by whole units up to this far, and then the last unit in tenths.
_STEPS_EACH_WAY = 60
_TENTHS = 10


def _result(form: Form, answers: Answers) -> tuple[str | None, dict[str, tuple[str, bool]]]:
    """The level, and of each scale the band, or the least that it may come to, and whether it is only that."""
    bands, open_bands, _fired, _open, level = judged(scored(form, answers))
    found = {scale["code"]: (row["code"], False) for scale, row in bands}
    return level, found | {scale["code"]: (rows[0]["code"], True) for scale, rows in open_bands}


def _differ(one: tuple, other: tuple) -> bool:
    return one[0] != other[0] or {scale: band for scale, (band, _) in one[1].items()} != {
        scale: band for scale, (band, _) in other[1].items()
    }


def _choices(form: Form, link_id: str, given: tuple) -> list[tuple[Decimal, tuple]]:
    """The other answers to a question of choices, each with how far away it is, the nearest first."""
    codes = [option.code for option in form.asked[link_id].options if option.code != UNSURE]
    if not given or given[0] not in codes:
        return [(Decimal(1), (code,)) for code in codes]  # what is open is as near to one answer as to another
    here = codes.index(given[0])
    order = sorted(range(len(codes)), key=lambda place: (abs(place - here), place))
    return [(Decimal(abs(place - here)), (codes[place],)) for place in order if (codes[place],) != given]


def _numbers(form: Form, link_id: str, given: tuple, steps: range, unit: Decimal) -> Iterator[tuple[Decimal, tuple]]:
    """The numbers around the one given that the question takes, each with how far away it is, the nearest first."""
    asked = form.asked[link_id]
    for step in steps:
        for value in (given[0] - step * unit, given[0] + step * unit):
            low = asked.minimum is None or value >= asked.minimum
            if low and (asked.maximum is None or value <= asked.maximum):
                yield step * unit, (value,)


def _candidates(form: Form, link_id: str, given: tuple) -> list[tuple[Decimal, tuple]]:
    if form.asked[link_id].options:
        return _choices(form, link_id, given)
    if form.asked[link_id].type not in NUMERIC or not given:
        return []
    return list(_numbers(form, link_id, given, range(1, _STEPS_EACH_WAY + 1), Decimal(1)))


def smallest_change(form: Form, answers: Answers) -> dict | None:
    """The fewest answers, each moved as little as possible, that would give another level or band; None without any.

    One answer is tried, then two; a choice is moved by places, a number by units of its own. The answer is
    ``{"changes": [{linkId, question, from, to}], "level", "band", "at_least"}``, where ``at_least`` says that answers
    are still missing and the band may be higher. Attributes that nobody can choose (``fixed`` in
    the sidecar: age, sex) are left alone.
    """
    now = _result(form, answers)
    if now[0] is None:
        return None
    fixed = form.sidecar.get("fixed", ())
    shown = asked_ids(form, answers)
    movable = [link_id for link_id in form.asked if link_id in shown and link_id not in fixed]
    options = {link_id: _candidates(form, link_id, answers.get(link_id, ())) for link_id in movable}
    one_by_one = [(far, link_id, given) for link_id in movable for far, given in options[link_id]]
    for far, link_id, given in sorted(one_by_one, key=lambda each: each[0]):
        if _differ(now, _result(form, {**answers, link_id: given})):
            return _told(form, answers, _nearer(form, answers, now, link_id, far) or {link_id: given})
    if len(movable) > _PAIRS_UP_TO or any(form.asked[link_id].type in NUMERIC for link_id in movable):
        return None
    pairs = [
        (far + farther, {first: one, second: two})
        for place, first in enumerate(movable)
        for second in movable[place + 1 :]
        for far, one in options[first]
        for farther, two in options[second]
    ]
    for _far, changes in sorted(pairs, key=lambda each: each[0]):
        if _differ(now, _result(form, {**answers, **changes})):
            return _told(form, answers, changes)
    return None


def _nearer(form: Form, answers: Answers, now: tuple, link_id: str, far: Decimal) -> dict[str, tuple] | None:
    """The same change in tenths of its last unit, where the question takes such numbers."""
    if form.asked[link_id].type not in NUMERIC - {"integer"}:
        return None
    last_unit = range(int(far - 1) * _TENTHS + 1, int(far) * _TENTHS)
    for _far, given in _numbers(form, link_id, answers[link_id], last_unit, Decimal("0.1")):
        if _differ(now, _result(form, {**answers, link_id: given})):
            return {link_id: given}
    return None


def _told(form: Form, answers: Answers, changes: dict[str, tuple]) -> dict:
    level, bands = _result(form, {**answers, **changes})
    band, at_least = next(iter(bands.values()), (None, False))
    return {
        "changes": [
            {
                "linkId": link_id,
                "question": form.asked[link_id].text,
                "from": answer_text(form.asked[link_id], answers.get(link_id, ())),
                "to": answer_text(form.asked[link_id], given),
            }
            for link_id, given in changes.items()
        ],
        "level": level,
        "band": band,
        "at_least": at_least,
    }
