"""The conditions of rules in Kleene's three-valued logic, over one answer set or over many at once.

A truth is a pair of integers (certain, possible): bit i of `certain` says that answer set i makes the condition
true, bit i of `possible` that it may. (0, 0) is no, (0, 1) unknown, (1, 1) yes. Wide integers ask thousands of
answer sets in one pass, with the same code that asks one.
"""

import operator
import re
from collections.abc import Iterator, Mapping

Truth = tuple[int, int]
# ("answer", question), ("age", operator, years), ("sex", name), ("pregnant",), or all, any, not, at_least with parts
Condition = tuple

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_COMPARE = re.compile(r"(>=|<=|>|<)\s*(\d+(?:\.\d+)?)")
FACT_ATOMS = ("age", "sex", "pregnant")


class ConditionError(ValueError):
    """A condition that the language does not have; says in Chinese what is wrong."""


def read_condition(written, questions: Mapping) -> Condition:
    """The condition that a rule file writes as `chest_pain`, `{any: […]}`, `{compare: {age: ">= 65"}}` …

    `not` may stand only before age, sex and pregnancy: if it could stand before an answer, one more "yes" could
    lower a level.
    """
    if isinstance(written, str):
        if written == "pregnant":
            return ("pregnant",)
        if written not in questions:
            raise ConditionError(f"没有“{written}”这个问题。")
        return ("answer", written)
    if not isinstance(written, dict) or len(written) != 1:
        raise ConditionError(
            f"看不懂这个条件：{written!r}。每个条件只写 all、any、not、at_least、compare、sex 中的一个。"
        )
    ((word, value),) = written.items()
    if word in ("all", "any"):
        if not isinstance(value, list) or not value:
            raise ConditionError(f"{word} 后面要写一列条件。")
        return (word, *(read_condition(each, questions) for each in value))
    if word == "not":
        inner = read_condition(value, questions)
        if any(atom[0] == "answer" for atom in atoms_of(inner)):
            raise ConditionError("not 只能用于年龄、性别和怀孕，不能用于答案：否则多答一个“是”反而降级。")
        return ("not", inner)
    if word == "at_least":
        if not isinstance(value, dict) or set(value) != {"count", "of"} or not isinstance(value["of"], list):
            raise ConditionError("at_least 要写成 {count: 2, of: [条件, …]}。")
        if not isinstance(value["count"], int) or not 1 <= value["count"] <= len(value["of"]):
            raise ConditionError(f"at_least 的 count 要在 1 到 {len(value['of'])} 之间。")
        return ("at_least", value["count"], *(read_condition(each, questions) for each in value["of"]))
    if word == "compare":
        if not isinstance(value, dict) or list(value) != ["age"]:
            raise ConditionError('compare 只能比较年龄，例如 {compare: {age: ">= 65"}}。')
        return read_age(value["age"])
    if word == "sex":
        if value not in ("female", "male"):
            raise ConditionError(f"sex 只能是 female 或 male，不能是 {value!r}。")
        return ("sex", value)
    raise ConditionError(f"没有“{word}”这种条件。")


def read_age(written) -> Condition:
    """`">= 65"` as a condition; several joined by `and` in one string all hold. Years; three months are 0.25."""
    parts = [_COMPARE.fullmatch(part.strip()) for part in str(written).split("and")]
    if not all(parts):
        raise ConditionError(f'年龄写成 ">= 65"、"< 0.25" 或 ">= 1 and < 5"，不能是 {written!r}。')
    ages = [("age", part[1], float(part[2])) for part in parts if part]
    return ages[0] if len(ages) == 1 else ("all", *ages)


def atoms_of(condition: Condition) -> Iterator[Condition]:
    """The answers and facts that a condition asks for, in the order in which it is written."""
    if condition[0] in ("answer", *FACT_ATOMS):
        yield condition
        return
    for part in condition[1:]:
        if isinstance(part, tuple):
            yield from atoms_of(part)


def truth(condition: Condition, atoms: Mapping[Condition, Truth], everyone: int) -> Truth:
    """Whether the condition holds, given the truth of each atom; `everyone` has one bit set per answer set."""
    kind = condition[0]
    if kind == "all":
        certain = possible = everyone
        for part in condition[1:]:
            yes, maybe = truth(part, atoms, everyone)
            certain &= yes
            possible &= maybe
            if not possible:
                break
        return certain, possible
    if kind == "any":
        certain = possible = 0
        for part in condition[1:]:
            yes, maybe = truth(part, atoms, everyone)
            certain |= yes
            possible |= maybe
            if certain == everyone:
                break
        return certain, possible
    if kind == "not":
        certain, possible = truth(condition[1], atoms, everyone)
        return everyone & ~possible, everyone & ~certain
    if kind == "at_least":
        parts = [truth(part, atoms, everyone) for part in condition[2:]]
        return _at_least(condition[1], [yes for yes, _ in parts], everyone), _at_least(
            condition[1], [maybe for _, maybe in parts], everyone
        )
    return atoms[condition]


def _at_least(count: int, masks: list[int], everyone: int) -> int:
    reached = [everyone, *[0] * count]  # reached[k]: the answer sets with at least k of the masks so far
    for mask in masks:
        for k in range(count, 0, -1):
            reached[k] |= reached[k - 1] & mask
    return reached[count]


def holds_for_age(condition: Condition, age: float) -> bool:
    """Whether an age in years meets ("age", operator, years)."""
    return _OPERATORS[condition[1]](age, condition[2])
