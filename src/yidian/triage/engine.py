"""From answers to a level: which red flags fire, which cannot be excluded, and why.

Kleene's logic of yes, no and unknown. The result is the most urgent rule that fired; a rule that could not be
excluded raises it too, so that not knowing never ends in looking after oneself. Same facts, same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from yidian.triage.conditions import Condition, Truth, atoms_of, holds_for_age, truth
from yidian.triage.levels import (
    SELF_CARE,
    WHEN_NOT_EXCLUDED,
    raise_level,
    urgency,
)
from yidian.triage.rulebook import Question, Rule, Rulebook

ANSWERS = ("yes", "no", "unknown")
SEXES = ("female", "male", "unknown")
OLDEST = 130.0  # years: beyond this an age is a typing error
_NO, _UNKNOWN, _YES = (0, 0), (0, 1), (1, 1)
_ANSWERED: dict[str, Truth] = {"no": _NO, "unknown": _UNKNOWN, "yes": _YES}
# pregnancy is not asked of children under 9 or people over 60; between them it may be unknown
_FERTILE_FROM, _FERTILE_TO = 9.0, 60.0


class FactsError(ValueError):
    """Facts that cannot be assessed; says in Chinese what is wrong."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a set of answers comes to. `explanation` has one entry for each rule in `fired` and `not_excluded`."""

    level: str
    fired: tuple[str, ...]
    not_excluded: tuple[str, ...]
    explanation: tuple[dict, ...]
    guide: str | None
    facts: dict
    hashes: dict

    def as_dict(self) -> dict:
        return {
            "level": self.level,
            "fired": list(self.fired),
            "not_excluded": list(self.not_excluded),
            "explanation": list(self.explanation),
            "guide": self.guide,
            "facts": self.facts,
            "hashes": self.hashes,
        }

    def as_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, UTF-8; equal results are equal bytes."""
        return canonical(self.as_dict())


def canonical(value) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_facts(given, book: Rulebook) -> dict:
    """Facts in their one form: age in years or None, sex, pregnant, and the answers that are known, sorted.

    FactsError names what is wrong. Questions without an answer count as unknown, and a man is not pregnant.
    """
    if not isinstance(given, Mapping):
        raise FactsError("要写成一个 JSON 对象：{age, sex, pregnant, answers}。")
    for name in given:
        if name not in ("age", "sex", "pregnant", "answers"):
            raise FactsError(f"没有“{name}”这一项，只有 age、sex、pregnant、answers。")
    age = given.get("age")
    if age is not None and (isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 <= age <= OLDEST):
        raise FactsError(f"age 是 0 到 {OLDEST:.0f} 的数（岁），不能是 {age!r}。")
    sex = given.get("sex") or "unknown"
    if sex not in SEXES:
        raise FactsError(f"sex 只能是 female、male 或 unknown，不能是 {sex!r}。")
    pregnant = given.get("pregnant")
    pregnant = {True: "yes", False: "no", None: "unknown"}.get(pregnant, pregnant) if _hashable(pregnant) else pregnant
    if pregnant not in ANSWERS:
        raise FactsError(f"pregnant 只能是 yes、no 或 unknown，不能是 {pregnant!r}。")
    answers = given.get("answers") or {}
    if not isinstance(answers, Mapping):
        raise FactsError("answers 要写成 {问题编号: yes、no 或 unknown}。")
    for question, answer in answers.items():
        if question not in book.questions:
            raise FactsError(f"没有“{question}”这个问题。运行 yidian triage questions 看全部问题。")
        if not isinstance(answer, str) or answer not in ANSWERS:
            raise FactsError(f"{question} 的回答只能是 yes、no 或 unknown，不能是 {answer!r}。")
    if sex == "male" or (age is not None and not _FERTILE_FROM <= age <= _FERTILE_TO):
        pregnant = "no"
    known = {question: answers[question] for question in sorted(answers) if answers[question] != "unknown"}
    return {"age": None if age is None else float(age), "sex": sex, "pregnant": pregnant, "answers": known}


def _hashable(value) -> bool:
    return value is None or isinstance(value, (bool, str))


def atoms(facts: Mapping, book: Rulebook) -> dict[Condition, Truth]:
    """The truth of everything that rules ask, from facts as `read_facts` gives them."""
    sex, age = facts["sex"], facts["age"]
    found: dict[Condition, Truth] = {("pregnant",): _ANSWERED[facts["pregnant"]]}
    for name in ("female", "male"):
        found["sex", name] = _UNKNOWN if sex == "unknown" else _YES if sex == name else _NO
    for atom in _ages(book):
        found[atom] = _UNKNOWN if age is None else _YES if holds_for_age(atom, age) else _NO
    answers = facts["answers"]
    for question in book.questions.values():
        answered = _ANSWERED[answers.get(question.id, "unknown")]
        if question.asked is not None and truth(question.asked, found, 1) == _NO:
            answered = _NO  # it does not concern this person
        found["answer", question.id] = answered
    return found


_AGES: dict[str, tuple[Condition, ...]] = {}


def _ages(book: Rulebook) -> tuple[Condition, ...]:
    if book.sha256 not in _AGES:
        conditions = [rule.when for rule in book.rules.values()]
        conditions += [question.asked for question in book.questions.values() if question.asked]
        found = {atom for condition in conditions for atom in atoms_of(condition) if atom[0] == "age"}
        _AGES[book.sha256] = tuple(sorted(found))
    return _AGES[book.sha256]


def assess(book: Rulebook, given: Mapping) -> Assessment:
    """The level for these facts, with the rules that made it so. FactsError when the facts cannot be read.

    `given`: {age: years or None, sex, pregnant, answers: {question: yes | no | unknown}}.
    """
    facts = read_facts(given, book)
    known = atoms(facts, book)
    fired: list[Rule] = []
    open_rules: list[Rule] = []
    for rule in book.rules.values():
        certain, possible = truth(rule.when, known, 1)
        if certain:
            fired.append(rule)
        elif possible:
            open_rules.append(rule)
    fired.sort(key=_order)
    open_rules.sort(key=_order)
    level = SELF_CARE
    for rule in fired:
        level = raise_level(level, rule.level)
    for rule in open_rules:
        level = raise_level(level, WHEN_NOT_EXCLUDED[rule.level])
    guides = [rule.guide for rule in fired if rule.guide and rule.level == fired[0].level]
    return Assessment(
        level=level,
        fired=tuple(rule.id for rule in fired),
        not_excluded=tuple(rule.id for rule in open_rules),
        explanation=tuple(
            [_explain(rule, "fired", known, book) for rule in fired]
            + [_explain(rule, "not_excluded", known, book) for rule in open_rules]
        ),
        guide=guides[0] if guides else None,
        facts=facts,
        hashes={"questionnaire": questions_sha256(book), "rules": book.sha256, "engine": engine_sha256()},
    )


def _order(rule: Rule) -> tuple:
    return -urgency(rule.level), rule.id


def _explain(rule: Rule, status: str, known: Mapping, book: Rulebook) -> dict:
    """The rule with the answers it rests on: those that are yes when it fired, those still open when not excluded."""
    wanted = _YES if status == "fired" else _UNKNOWN
    because = []
    for atom in dict.fromkeys(atoms_of(rule.when)):
        if known[atom] == wanted:
            if atom[0] == "answer":
                because.append({"question": atom[1], "text": book.questions[atom[1]].text})
            else:
                because.append({"fact": atom[0]})
    return {
        "rule": rule.id,
        "version": rule.version,
        "status": status,
        "level": rule.level,
        "heading": rule.heading,
        "message": rule.message,
        "because": because,
        "sources": list(rule.sources),
    }


@cache
def questions_sha256(book: Rulebook) -> str:
    """The hash of what is asked, of whom, and in which words."""
    asked = [[each.id, each.text, each.asked] for each in book.questions.values()]
    return hashlib.sha256(canonical(asked).encode()).hexdigest()


@cache
def engine_sha256() -> str:
    """The hash of the code that decides: levels, conditions, engine."""
    total = hashlib.sha256()
    for name in ("conditions.py", "engine.py", "levels.py"):
        total.update((Path(__file__).parent / name).read_bytes())
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Replay:
    """Whether a stored result comes out again byte for byte, and what differs when it does not."""

    identical: bool
    differs: tuple[str, ...]
    now: Assessment


def replay(result, book: Rulebook) -> Replay:
    """A stored result made again from its own facts. FactsError when it is no result of ours."""
    if not isinstance(result, Mapping) or "facts" not in result or "hashes" not in result:
        raise FactsError("这不是 yidian triage assess 的结果：缺 facts 或 hashes。")
    now = assess(book, result["facts"])
    made = now.as_dict()
    differs = tuple(name for name in sorted(set(made) | set(result)) if made.get(name) != result.get(name))
    return Replay(canonical(made) == canonical(result), differs, now)


def questions_in_order(book: Rulebook) -> list[Question]:
    """The questions of the general check, most dangerous first: as the most urgent rules need them."""
    ordered = sorted(book.rules.values(), key=lambda rule: -urgency(rule.level))
    asked = dict.fromkeys(atom[1] for rule in ordered for atom in atoms_of(rule.when) if atom[0] == "answer")
    return [book.questions[identifier] for identifier in asked]
