"""The cases of every rule: answers at which it only just fires, only just does not, and cannot be decided.

They are kept in `data/triage_cases.jsonl`, so that a change of any bound, operator or condition of a rule shows as a
change there. The smallest sets that make a condition true and the largest that leave it false fix it completely.
"""

from itertools import product
from pathlib import Path

from yidian.triage.conditions import atoms_of, holds_for_age, truth

CASES = Path(__file__).parent / "data" / "triage_cases.jsonl"
_STEP = 0.01  # years: less than any distance between two bounds
_TRUTHS = {(0, 0): "no", (0, 1): "unknown", (1, 1): "yes"}
_VERDICTS = {said: pair for pair, said in _TRUTHS.items()}


def verdict(when, facts) -> str:
    """yes, no or unknown: what a condition itself says to facts, whoever its questions are asked of."""
    known = {}
    for atom in atoms_of(when):
        if atom[0] == "answer":
            known[atom] = _VERDICTS[facts["answers"].get(atom[1], "unknown")]
        elif atom[0] == "age":
            known[atom] = _VERDICTS["yes" if holds_for_age(atom, facts["age"]) else "no"]
        elif atom[0] == "sex":
            known[atom] = _VERDICTS["yes" if facts["sex"] == atom[1] else "no"]
        else:
            known[atom] = _VERDICTS[facts["pregnant"]]
    return _TRUTHS[truth(when, known, 1)]


def people(when) -> list[dict]:
    """Everybody whom the condition could tell apart by age, sex and pregnancy."""
    found = set(atoms_of(when))
    bounds = {atom[2] for atom in found if atom[0] == "age"}
    ages = sorted({30.0, *(max(0.0, bound + step) for bound in bounds for step in (-_STEP, 0.0, _STEP))})
    sexes = ["female", "male"] if any(atom[0] in ("sex", "pregnant") for atom in found) else ["female"]
    pregnant = ["yes", "no"] if ("pregnant",) in found else ["no"]
    return [{"age": age, "sex": sex, "pregnant": state} for age, sex, state in product(ages, sexes, pregnant)]


def cases_of(rule) -> list:
    """[facts, verdict] for one rule."""
    questions = list(dict.fromkeys(atom[1] for atom in atoms_of(rule.when) if atom[0] == "answer"))
    everything = dict.fromkeys(questions, "yes")
    made = []
    fitting = None
    for person in people(rule.when):
        said = verdict(rule.when, person | {"answers": everything})
        made.append([person | {"answers": everything}, said])
        if said == "yes" and fitting is None:
            fitting = person
    assert fitting is not None, f"{rule.id} can never fire"
    held = {}
    for chosen in product((True, False), repeat=len(questions)):
        answers = {question: "yes" if yes else "no" for question, yes in zip(questions, chosen, strict=True)}
        held[chosen] = verdict(rule.when, fitting | {"answers": answers}) == "yes"
    for chosen, true in held.items():
        beside = [(*chosen[:at], not chosen[at], *chosen[at + 1 :]) for at in range(len(chosen))]
        if true and not any(held[other] for other in beside if sum(other) < sum(chosen)):
            made.append([fitting | {"answers": _answers(questions, chosen)}, "yes"])
            for at, yes in enumerate(chosen):
                if yes:
                    unsure = _answers(questions, chosen) | {questions[at]: "unknown"}
                    made.append([fitting | {"answers": unsure}, verdict(rule.when, fitting | {"answers": unsure})])
        if not true and all(held[other] for other in beside if sum(other) > sum(chosen)):
            made.append([fitting | {"answers": _answers(questions, chosen)}, "no"])
    return made


def _answers(questions, chosen) -> dict:
    return {question: "yes" if yes else "no" for question, yes in zip(questions, chosen, strict=True)}


def mutants(when):
    """The condition with one thing changed: a bound, an operator, all for any, a part or a `not` left out."""
    kind = when[0]
    if kind == "age":
        for other in (">=", ">", "<=", "<"):
            if other != when[1]:
                yield ("age", other, when[2])
        yield ("age", when[1], when[2] + _STEP)
        if when[2] >= _STEP:
            yield ("age", when[1], when[2] - _STEP)
    elif kind == "sex":
        yield ("sex", "male" if when[1] == "female" else "female")
    elif kind == "not":
        yield when[1]
        for inner in mutants(when[1]):
            yield ("not", inner)
    elif kind in ("all", "any"):
        yield ("any" if kind == "all" else "all", *when[1:])
        yield from _parts(when, 1)
    elif kind == "at_least":
        for count in (when[1] - 1, when[1] + 1):
            if 1 <= count <= len(when) - 2:
                yield ("at_least", count, *when[2:])
        yield from _parts(when, 2)


def _parts(when, first):
    for at in range(first, len(when)):
        if len(when) - first > 1 and (when[0] != "at_least" or when[1] < len(when) - first):
            yield when[:at] + when[at + 1 :]
        for inner in mutants(when[at]):
            yield (*when[:at], inner, *when[at + 1 :])
