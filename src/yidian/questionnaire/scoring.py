"""Scores, bands and red flags of a self-test: a closed set of operators on Decimal, written as data in its sidecar.

A number that cannot be known is None and stays None through every operator; a condition that cannot be known is None
and is neither fired nor excluded. 不确定 is an answer without a weight, so it never counts as 0.

The same operators are in ``scoring.js`` beside this file; tests hold the two to identical results.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, DecimalException
from typing import Any

from yidian.questionnaire.enablement import enabled
from yidian.questionnaire.hashes import hashes_of
from yidian.questionnaire.items import Item, Questionnaire, parse_questionnaire
from yidian.questionnaire.responses import ResponseItem, parse_response
from yidian.questionnaire.values import Value

LEVELS = ("self_care", "appointment", "same_day", "emergency", "emergency_call")
# A rule that cannot be excluded asks for a doctor: today when the rule is an emergency, otherwise by appointment.
_WHEN_UNKNOWN = {"emergency_call": "same_day", "emergency": "same_day"}
UNSURE = "unsure"
NUMERIC = {"decimal", "integer", "quantity"}
_YES_NO = {True: "yes", False: "no"}

Answers = Mapping[str, tuple]


class SidecarError(ValueError):
    """A sidecar that does not say what to compute: the message names the place in it."""


@dataclass(frozen=True)
class Option:
    code: str
    display: str
    weight: Decimal | None
    system: str = ""


@dataclass(frozen=True)
class Asked:
    """One question of a self-test."""

    link_id: str
    text: str
    type: str
    options: tuple[Option, ...] = ()
    unit: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    in_months: bool = False  # an age in years with decimals, which people say in months while it is low

    def option(self, code: str) -> Option | None:
        return next((option for option in self.options if option.code == code), None)


@dataclass(frozen=True)
class Gate:
    """An item that is asked only when `conditions` hold and `parent` is asked."""

    link_id: str
    parent: str
    any_of: bool
    conditions: tuple[tuple[str, str, Any], ...]  # question, operator, and a code, a number or a bool


@dataclass(frozen=True)
class Form:
    """A questionnaire and its sidecar, read once; what `outcome` works on."""

    questionnaire: Mapping
    sidecar: Mapping
    asked: Mapping[str, Asked]
    parsed: Questionnaire
    gates: tuple["Gate", ...]  # items that depend on answers, or stand in such items, in document order
    looks_at: Mapping[str, tuple[str, ...]]  # rule → the questions that it looks at
    hashes: Mapping[str, str]  # of questionnaire, rules and engine
    simple: bool  # no question repeats or waits for a later one, so that one pass over the gates decides


@dataclass
class _Sheet:
    """One set of answers while it is scored."""

    form: Form
    answers: Answers
    enabled: frozenset[str]
    scores: dict[str, Decimal | None] = field(default_factory=dict)

    def codes(self, link_id: str) -> tuple:
        if link_id not in self.form.asked:
            raise SidecarError(f"没有这一题：{link_id}")
        return self.answers.get(link_id, ()) if link_id in self.enabled else ()


# ---- reading ----


def _number(value: Any) -> Decimal | None:
    try:
        return None if value is None or isinstance(value, bool) else Decimal(str(value))
    except DecimalException:
        return None


def _code(value: Value) -> str:
    """What a choice is called in a sidecar: its code, or its plain value."""
    return _YES_NO[value.content] if value.type == "boolean" else getattr(value.content, "code", str(value.content))


def _limit(value: Value | None) -> Decimal | None:
    content = getattr(value, "content", None)
    return content if isinstance(content, Decimal) else _number(getattr(content, "value", content))


def _asked(item: Item) -> Asked:
    options = []
    for option in item.options:
        code, content = _code(option.value), option.value.content
        display = getattr(content, "display", "") or code
        options.append(Option(code, display, option.weight, getattr(content, "system", "")))
    return Asked(
        link_id=item.link_id,
        text=item.text,
        type=item.type,
        options=tuple(options),
        unit=item.unit.display if item.unit else "",
        minimum=_limit(item.min_value),
        maximum=_limit(item.max_value),
        in_months=item.type == "decimal" and item.unit is not None and item.unit.code == "a",
    )


def prepare(questionnaire: Mapping, sidecar: Mapping) -> Form:
    """The two documents read once, for any number of answer sets."""
    parsed = parse_questionnaire(questionnaire)
    asked = {item.link_id: _asked(item) for item in parsed.walk() if item.type not in {"group", "display"}}
    gates, simple = _gates(parsed)
    looks_at = {rule["id"]: tuple(_link_ids(rule["when"])) for rule in sidecar.get("red_flags", ())}
    return Form(questionnaire, sidecar, asked, parsed, gates, looks_at, hashes_of(questionnaire, sidecar), simple)


def _gates(parsed: Questionnaire) -> tuple[tuple[Gate, ...], bool]:
    """What decides which questions are asked, and whether the quick way of `asked_ids` may decide it."""
    found: list[Gate] = []
    seen: set[str] = set()
    simple = True

    def walk(items: Iterable[Item], parent: str) -> None:
        nonlocal simple
        for item in items:
            simple &= not item.repeats and item.link_id not in seen
            seen.add(item.link_id)
            conditions = []
            for each in item.enable_when:
                wanted = _given(each.answer) if each.answer else None
                if each.operator == "exists" and each.answer:
                    wanted = each.answer.content
                simple &= wanted is not None and each.question in seen and each.question != item.link_id
                conditions.append((each.question, each.operator, wanted))
            if conditions or parent:
                found.append(Gate(item.link_id, parent, item.enable_behavior == "any", tuple(conditions)))
            walk(item.items, item.link_id if conditions or parent else "")

    walk(parsed.items, "")
    return tuple(found), simple


def asked_ids(form: Form, answers: Answers) -> frozenset[str]:
    """The questions that are asked: `enablement.enabled`, in one pass where the questionnaire allows it."""
    if not form.gates:
        return frozenset(form.asked)
    if not form.simple:
        return enabled(form.parsed, parse_response(response_of(form, answers))) & form.asked.keys()
    closed: set[str] = set()
    for gate in form.gates:
        if gate.parent in closed or (gate.conditions and not _opens(gate, answers, closed)):
            closed.add(gate.link_id)
    return frozenset(form.asked.keys() - closed)


def _opens(gate: Gate, answers: Answers, closed: set[str]) -> bool:
    for question, operator, wanted in gate.conditions:
        held = _meets(answers.get(question, ()) if question not in closed else (), operator, wanted)
        if held is gate.any_of:
            return held
    return not gate.any_of


def _meets(given: tuple, operator: str, wanted: Any) -> bool:
    if operator == "exists":
        return bool(given) is wanted
    if operator == "!=":
        return wanted not in given
    if operator == "=":
        return wanted in given
    compared = COMPARISONS[operator]
    return any(isinstance(each, Decimal) and isinstance(wanted, Decimal) and compared(each, wanted) for each in given)


def answers_of(response: Any) -> dict[str, tuple]:
    """linkId → what was answered there: codes of choices, Decimals; unanswered questions are absent. Never raises."""
    return _answers_in(parse_response(response).items)


def _answers_in(items: Iterable[ResponseItem]) -> dict[str, tuple]:
    found: dict[str, tuple] = {}
    for item in items:
        for answer in item.answers:
            given = _given(answer.value) if answer.value else None
            if given is not None and given != "":
                found[item.link_id] = (*found.get(item.link_id, ()), given)
            found |= _answers_in(answer.items)
        found |= _answers_in(item.items)
    return found


def _given(value: Value) -> Decimal | str | None:
    if value.type in {"decimal", "integer"}:
        return _number(value.content)
    return value.content.value if value.type == "Quantity" else _code(value)


def screens(form: Form, answers: Answers) -> list[tuple[str, list[str]]]:
    """What is asked together: the text of each group at the top and its questions, other questions one by one."""
    shown = asked_ids(form, answers)
    found = []
    for item in form.parsed.items:
        asked = [each for each in _questions_in(item) if each in shown]
        if asked:
            found.append((item.text if item.items else "", asked))
    return found


def _questions_in(item: Item) -> Iterable[str]:
    if item.type not in {"group", "display"}:
        yield item.link_id
    for each in item.items:
        yield from _questions_in(each)


def response_of(form: Form, answers: Answers, *, words: bool = True) -> dict:
    """A FHIR R4 QuestionnaireResponse holding `answers`, nested as the questionnaire is; `words` repeats its texts."""

    def value(asked: Asked, given: Any) -> dict:
        if isinstance(given, Decimal):
            if asked.type == "integer":
                return {"valueInteger": int(given)}
            number = int(given) if given == given.to_integral_value() else float(given)
            return {"valueQuantity": {"value": number}} if asked.type == "quantity" else {"valueDecimal": number}
        option = asked.option(given)
        display = option.display if option and words else ""
        coding = {"system": option.system if option else "", "code": given, "display": display}
        return {"valueCoding": {key: value for key, value in coding.items() if value}}

    def branch(items) -> list[dict]:
        made = []
        for item in items or ():
            children = branch(item.get("item"))
            given = answers.get(item["linkId"], ())
            asked = form.asked.get(item["linkId"])
            shape = {"linkId": item["linkId"]} | ({"text": item["text"]} if words and "text" in item else {})
            if asked and given:
                answered = [value(asked, each) for each in given]
                if children:
                    answered[0]["item"] = children
                made.append(shape | {"answer": answered})
            elif children and not asked:
                made.append(shape | {"item": children})
        return made

    response: dict = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    if url := form.questionnaire.get("url"):
        response["questionnaire"] = url
    if made := branch(form.questionnaire.get("item")):
        response["item"] = made
    return response


# ---- operators ----


def _value(sheet: _Sheet, link_id: str) -> Decimal | None:
    given = sheet.codes(link_id)
    return given[0] if len(given) == 1 and isinstance(given[0], Decimal) else None


def _weight(sheet: _Sheet, link_id: str) -> Decimal | None:
    given, total = sheet.codes(link_id), Decimal(0)
    for code in given:
        option = sheet.form.asked[link_id].option(code) if isinstance(code, str) else None
        if option is None or option.weight is None:
            return None
        total += option.weight
    return total if given else None


def _every(sheet: _Sheet, expressions: list) -> list[Decimal] | None:
    values = [number(sheet, expression) for expression in expressions]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _sum(sheet: _Sheet, expressions: list) -> Decimal | None:
    values = _every(sheet, expressions)
    return None if values is None else sum(values, Decimal(0))


def _weights(sheet: _Sheet, link_ids: list) -> Decimal | None:
    return _sum(sheet, [{"weight": link_id} for link_id in link_ids])


def _weighted_sum(sheet: _Sheet, terms: list) -> Decimal | None:
    values = _every(sheet, [term["of"] for term in terms])
    if values is None:
        return None
    return sum((Decimal(str(term["by"])) * value for term, value in zip(terms, values, strict=True)), Decimal(0))


def _max(sheet: _Sheet, expressions: list) -> Decimal | None:
    values = _every(sheet, expressions)
    return max(values) if values else None


def _min(sheet: _Sheet, expressions: list) -> Decimal | None:
    values = _every(sheet, expressions)
    return min(values) if values else None


def _count_if(sheet: _Sheet, conditions: list) -> Decimal | None:
    held = [holds(sheet, condition) for condition in conditions]
    return None if None in held else Decimal(held.count(True))


def row_of(table: Iterable[Mapping], value: Decimal | None) -> Mapping | None:
    """The first row whose `below` the value does not reach; None without a value."""
    if value is None:
        return None
    return next((row for row in table if "below" not in row or value < Decimal(str(row["below"]))), None)


def _lookup(sheet: _Sheet, table: Mapping) -> Decimal | None:
    row = row_of(table["table"], number(sheet, table["of"]))
    return _number(row["gives"]) if row else None


def _choose(sheet: _Sheet, choice: Mapping) -> Decimal | None:
    given = sheet.codes(choice["by"])
    if len(given) != 1 or given[0] not in choice["cases"]:
        return None
    return number(sheet, choice["cases"][given[0]])


def _bmi(sheet: _Sheet, body: Mapping) -> Decimal | None:
    kilograms, centimetres = number(sheet, body["kg"]), number(sheet, body["cm"])
    if kilograms is None or not centimetres:
        return None
    # one decimal, because the national standard's limits have one: 23.9 is normal, 24.0 is not
    return (kilograms * 10_000 / (centimetres * centimetres)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _score(sheet: _Sheet, name: str) -> Decimal | None:
    if name not in sheet.scores:
        raise SidecarError(f"还没有算出 {name}：分数要先写后用")
    return sheet.scores[name]


NUMBERS: dict[str, Callable[[_Sheet, Any], Decimal | None]] = {
    "value": _value,
    "weight": _weight,
    "weights": _weights,
    "sum": _sum,
    "weighted_sum": _weighted_sum,
    "max": _max,
    "min": _min,
    "count_if": _count_if,
    "lookup": _lookup,
    "choose": _choose,
    "bmi": _bmi,
    "score": _score,
}


def number(sheet: _Sheet, expression: Any) -> Decimal | None:
    """The value of a numeric expression; None when an answer that it needs is missing or 不确定."""
    if not isinstance(expression, dict):
        value = _number(expression)
        if value is None:
            raise SidecarError(f"不是数：{expression!r}")
        return value
    operator, argument = _single(expression)
    if operator not in NUMBERS:
        raise SidecarError(f"没有这个算法：{operator}")
    return NUMBERS[operator](sheet, argument)


def _single(expression: Mapping) -> tuple[str, Any]:
    try:
        ((operator, argument),) = expression.items()
    except ValueError as error:
        raise SidecarError(f"一处只写一个算法：{sorted(expression)}") from error
    return operator, argument


def _is(sheet: _Sheet, pair: Mapping) -> bool | None:
    ((link_id, code),) = pair.items()
    if link_id not in sheet.enabled:
        if link_id not in sheet.form.asked:
            raise SidecarError(f"没有这一题：{link_id}")
        return False  # a question that does not apply
    given = sheet.answers.get(link_id)
    if not given:
        return None
    return True if code in given else None if UNSURE in given else False


COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
}


def _compare(sheet: _Sheet, triple: list) -> bool | None:
    left, sign, right = triple
    if sign not in COMPARISONS:
        raise SidecarError(f"没有这个比较：{sign}")
    a, b = number(sheet, left), number(sheet, right)
    return None if a is None or b is None else COMPARISONS[sign](a, b)


def _all(sheet: _Sheet, conditions: list) -> bool | None:
    known = True
    for condition in conditions:
        held = holds(sheet, condition)
        if held is False:
            return False  # most rules of the general check end here, at a closed topic
        known = known and held is not None
    return True if known else None


def _any(sheet: _Sheet, conditions: list) -> bool | None:
    known = True
    for condition in conditions:
        held = holds(sheet, condition)
        if held:
            return True
        known = known and held is not None
    return False if known else None


def _not(sheet: _Sheet, condition: Mapping) -> bool | None:
    held = holds(sheet, condition)
    return None if held is None else not held


def _at_least(sheet: _Sheet, counted: Mapping) -> bool | None:
    held = [holds(sheet, condition) for condition in counted["of"]]
    if held.count(True) >= counted["count"]:
        return True
    return None if held.count(True) + held.count(None) >= counted["count"] else False


CONDITIONS: dict[str, Callable[[_Sheet, Any], bool | None]] = {
    "is": _is,
    "compare": _compare,
    "all": _all,
    "any": _any,
    "not": _not,
    "at_least": _at_least,
}


def holds(sheet: _Sheet, condition: Mapping) -> bool | None:
    """Whether a condition holds; None when the answers do not say."""
    try:
        ((operator, argument),) = condition.items()
        judge = CONDITIONS[operator]
    except (AttributeError, ValueError, KeyError) as error:
        raise SidecarError(f"不是条件：{condition!r}") from error
    return judge(sheet, argument)


def between(sheet: _Sheet, expression: Any) -> tuple[Decimal, Decimal] | None:
    """The least and the most that a sum of weights comes to, whatever the answers that are missing turn out to be.

    None for what is no sum of weights, and while nothing in it has been answered: that would say nothing.
    """
    limits = _between(sheet, expression)
    return limits[:2] if limits and limits[2] else None


def _between(sheet: _Sheet, expression: Any) -> tuple[Decimal, Decimal, bool] | None:
    """The least, the most, and whether an answer has a part in them."""
    value = number(sheet, expression)
    if value is not None:
        return value, value, isinstance(expression, dict)
    operator, argument = _single(expression)
    if operator == "score":
        return _between(sheet, sheet.form.sidecar["scores"][argument]["is"])
    if operator == "weight" and argument in sheet.enabled:
        weights = [option.weight for option in sheet.form.asked[argument].options if option.weight is not None]
        return (min(weights), max(weights), False) if weights else None
    if operator not in {"weights", "sum"}:
        return None
    limits = [_between(sheet, {"weight": each} if operator == "weights" else each) for each in argument]
    parts = [each for each in limits if each]
    if len(parts) < len(limits):
        return None
    return (
        sum((low for low, _high, _told in parts), Decimal(0)),
        sum((high for _low, high, _told in parts), Decimal(0)),
        any(told for _low, _high, told in parts),
    )


# ---- words ----


def plain(value: Decimal) -> str:
    """A number as a person writes it: 22.9, 24, never 2.4E+1."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def months_of(asked: Asked, value: Decimal) -> int | None:
    """The age of a child under two as people say it; None for whole years and for what no number of months is."""
    months = round(value * 12)
    if not asked.in_months or value >= 2 or (months and months % 12 == 0) or years_of(months) != value:
        return None
    return months


def years_of(months: int) -> Decimal:
    """Months as years with two decimals, as an age is kept: three months are 0.25."""
    return round(Decimal(months) / 12, 2)


def answer_text(asked: Asked, given: tuple) -> str:
    """What the reader answered, in the words of the question; empty when nothing was."""
    words = []
    for each in given:
        if isinstance(each, Decimal):
            months = months_of(asked, each)
            words.append(f"{plain(each)} {asked.unit}".strip() if months is None else f"{months} 个月")
        else:
            option = asked.option(each)
            words.append(option.display if option else each)
    return "、".join(words)


def _figure(sheet: _Sheet, expression: Any) -> str:
    value = number(sheet, expression)
    return "" if value is None else plain(value)


def _written(sheet: _Sheet, expression: Any) -> str:
    """How a number came about, in figures: 1 + 0 + 2."""
    if not isinstance(expression, dict):
        return plain(Decimal(str(expression)))
    operator, argument = _single(expression)
    if operator == "value":
        return answer_text(sheet.form.asked[argument], sheet.codes(argument))
    if operator == "weights":
        return " + ".join(_figure(sheet, {"weight": link_id}) for link_id in argument)
    if operator == "sum":
        return " + ".join(_written(sheet, each) for each in argument)
    if operator == "weighted_sum":
        return _written_terms(sheet, argument)
    if operator in {"max", "min"}:
        word = "最大" if operator == "max" else "最小"
        return f"{word}（{'，'.join(_written(sheet, each) for each in argument)}）"
    if operator == "lookup":
        return _written(sheet, argument["of"])
    if operator == "choose":
        return _written(sheet, argument["cases"][sheet.codes(argument["by"])[0]])
    if operator == "bmi":
        metres = _figure(sheet, {"weighted_sum": [{"by": 0.01, "of": argument["cm"]}]})
        return f"{_figure(sheet, argument['kg'])} ÷（{metres} × {metres}）"
    return _figure(sheet, expression)


def _written_terms(sheet: _Sheet, terms: list) -> str:
    written = ""
    for place, term in enumerate(terms):
        by, of = Decimal(str(term["by"])), _written(sheet, term["of"])
        sign = ("− " if by < 0 else "") if place == 0 else (" − " if by < 0 else " + ")
        written += sign + (of if abs(by) == 1 else f"{plain(abs(by))} × {of}")
    return written


def _reads_a_table(expression: Any) -> bool:
    """Whether the number is read off a table, so that the line says 计 and not =."""
    if not isinstance(expression, dict):
        return False
    return "lookup" in expression or any(map(_reads_a_table, expression.get("choose", {}).get("cases", {}).values()))


def _explained(sheet: _Sheet) -> list[str]:
    lines = []
    for name, rule in sheet.form.sidecar.get("scores", {}).items():
        value, unit = sheet.scores[name], rule.get("unit", "")
        if value is None:
            limits = between(sheet, {"score": name})
            known = f"至少 {plain(limits[0])} {unit}，最多 {plain(limits[1])} {unit}" if limits else "算不出"
            lines.append(f"{rule['label']}：{known}。{rule['missing']}")
            continue
        written, result = _written(sheet, rule["is"]), f"{plain(value)} {unit}".strip()
        if _reads_a_table(rule["is"]):
            result = f"{written}，计 {result}"
        elif written != plain(value):
            result = f"{written} = {result}"
        lines.append(f"{rule['label']}：{result}")
    return lines


def _link_ids(expression: Any) -> list[str]:
    """The questions that an expression looks at, in order, each once."""
    found: list[str] = []
    if isinstance(expression, dict):
        for operator, argument in expression.items():
            if operator in {"value", "weight"}:
                found.append(argument)
            elif operator == "weights":
                found += argument
            elif operator == "is":
                found += list(argument)
            elif operator == "by" and isinstance(argument, str):
                found.append(argument)
            else:
                found += _link_ids(argument)
    elif isinstance(expression, list):
        for each in expression:
            found += _link_ids(each)
    return list(dict.fromkeys(found))


# ---- the result ----


def _bands(sheet: _Sheet) -> list[tuple[Mapping, Mapping]]:
    """The band that each banded score falls in, in the order of the sidecar."""
    scales = sheet.form.sidecar.get("bands", ())
    rows = ((scale, row_of(scale["table"], number(sheet, scale["of"]))) for scale in scales)
    return [(scale, row) for scale, row in rows if row]


def _open_bands(sheet: _Sheet) -> list[tuple[Mapping, list[Mapping]]]:
    """The rows that a scale without a number may still come to, by what is answered already; those that say nothing
    are left out.
    """
    found = []
    for scale in sheet.form.sidecar.get("bands", ()):
        limits = between(sheet, scale["of"]) if number(sheet, scale["of"]) is None else None
        if limits:
            low, high = (scale["table"].index(row_of(scale["table"], limit)) for limit in limits)
            found.append((scale, scale["table"][low : high + 1]))
    return found


def _highest(levels: list[str]) -> str | None:
    return max(levels, key=LEVELS.index, default=None)


def scored(form: Form, answers: Answers) -> _Sheet:
    """The answers with every score of the sidecar worked out."""
    sheet = _Sheet(form, answers, asked_ids(form, answers))
    for name, rule in form.sidecar.get("scores", {}).items():
        sheet.scores[name] = number(sheet, rule["is"])
    return sheet


def judged(sheet: _Sheet) -> tuple[list, list, list, list, str | None]:
    """The bands, those still open, the rules that fired, those not excluded, and the level that follows."""
    bands, open_bands = _bands(sheet), _open_bands(sheet)
    fired, open_rules = [], []
    for rule in sheet.form.sidecar.get("red_flags", ()):
        held = holds(sheet, rule["when"])
        if held:
            fired.append(rule)
        elif held is None:
            open_rules.append(rule)
    levels = [rule["level"] for rule in fired]
    levels += [_WHEN_UNKNOWN.get(rule["level"], "appointment") for rule in open_rules]
    levels += [row["level"] for _scale, row in bands if row.get("level")]
    # what is missing may raise the level of a score, so the least of what it may come to already counts; but not as
    # reassurance
    least = [min((row["level"] for row in rows), key=LEVELS.index) for _scale, rows in open_bands]
    levels += [level for level in least if level != "self_care"]
    return bands, open_bands, fired, open_rules, _highest(levels) or sheet.form.sidecar.get("otherwise")


def outcome(form: Form, answers: Answers) -> dict:
    """What the answers come to: the shape that `yidian questionnaire score --json` prints.

    ``scores`` are numbers or None; ``band`` is the code of the first band that applies, ``bands`` those of every scale;
    ``level`` is the highest of fired rules, rules that could not be excluded (raised to at least an appointment) and
    bands, None when nothing says. ``between`` holds the least and the most of each score that is a sum of which a part
    is missing, ``bands_between`` the first and the last band that it may fall in.
    """
    sheet = scored(form, answers)
    bands, open_bands, fired, open_rules, level = judged(sheet)

    def shown(rule: Mapping, answered: bool) -> dict:
        because = []
        for link_id in form.looks_at[rule["id"]]:
            given = sheet.codes(link_id)
            if (bool(given) and UNSURE not in given) == answered and link_id in sheet.enabled:
                said = answer_text(form.asked[link_id], given)
                because.append({"linkId": link_id, "question": form.asked[link_id].text, "answer": said})
        message = rule["message"] if answered else rule.get("unknown", rule["message"])
        return {
            "id": rule["id"],
            "level": rule["level"],
            "heading": rule["heading"],
            "message": message,
            "because": because,
        }

    explanation = _explained(sheet)
    for scale, row in bands:
        explanation.append(f"{scale['label']}：{_figure(sheet, scale['of'])}，属于“{row['name']}”（{row['range']}）")
    return {
        "enabled": [link_id for link_id in form.asked if link_id in sheet.enabled],
        "scores": {name: _json_number(value) for name, value in sheet.scores.items()},
        "band": bands[0][1]["code"] if bands else None,
        "bands": {scale["code"]: row["code"] for scale, row in bands},
        "between": {
            name: [_json_number(limit) for limit in limits]
            for name, value in sheet.scores.items()
            if value is None and (limits := between(sheet, {"score": name}))
        },
        "bands_between": {scale["code"]: [rows[0]["code"], rows[-1]["code"]] for scale, rows in open_bands},
        "level": level,
        "red_flags": [shown(rule, True) for rule in fired],
        "not_excluded": [shown(rule, False) for rule in open_rules],
        "explanation": explanation,
    }


def _json_number(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def score(questionnaire: Mapping, sidecar: Mapping, response: Mapping) -> dict:
    """A QuestionnaireResponse scored as its self-test's sidecar says; see `outcome`."""
    return outcome(prepare(questionnaire, sidecar), answers_of(response))
