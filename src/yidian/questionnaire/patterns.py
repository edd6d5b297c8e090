"""Regular expressions of questionnaires, matched in bounded time: no pattern and no answer can make it run away.

Python's own matcher backtracks, and (a+)+$ would hold a server for hours. The pattern is read by Python's parser and
run as an automaton that is in all its states at once (Thompson 1968): time is at most states × characters.
"""

import importlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

# the standard library's own reading of a pattern: since 3.11 under names that type checkers do not know
op: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

_MAX_STATES = 5_000
_MAX_STEPS = 20_000_000  # states × characters: some seconds at worst

_Test = Callable[[str], bool]


class Unmatchable(ValueError):
    """The pattern is wrong, uses what is not supported (lookaround, back references), or would cost too much."""


def matches(pattern: str, written: str) -> bool:
    """Whether the whole text fits the pattern. Raises Unmatchable."""
    if cost(pattern, written) > _MAX_STEPS:
        raise Unmatchable
    return _automaton(pattern).run(written)


def cost(pattern: str, written: str) -> int:
    """The steps that matching may take, some million a second. Raises Unmatchable."""
    return (len(written) + 1) * len(_automaton(pattern).states)


@lru_cache(maxsize=64)
def _automaton(pattern: str) -> "_Automaton":
    return _Automaton(pattern)


class _Automaton:
    """States are [test, next…]; a state without a test is left at once for each of its next ones."""

    def __init__(self, pattern: str):
        self.states: list[tuple[_Test | str | None, list[int]]] = []
        try:
            tree = parser.parse(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise Unmatchable from error
        self.ignore_case = bool(tree.state.flags & re.IGNORECASE)
        if tree.state.flags & (re.MULTILINE | re.DOTALL | re.VERBOSE):
            raise Unmatchable
        start = self.state(None)
        end = self.sequence(tree, start)
        self.start, self.end = start, end

    def state(self, test: _Test | str | None) -> int:
        if len(self.states) >= _MAX_STATES:
            raise Unmatchable
        self.states.append((test, []))
        return len(self.states) - 1

    def link(self, source: int, target: int) -> None:
        self.states[source][1].append(target)

    def sequence(self, tree: Any, start: int) -> int:
        for kind, argument in tree:
            start = self.part(kind, argument, start)
        return start

    def part(self, kind: Any, argument: Any, start: int) -> int:
        """Adds this piece after the state `start`; answers the state after it."""
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self.repeat(*argument, start)
        if kind is op.SUBPATTERN:
            _, added, removed, inner = argument
            if added or removed:
                raise Unmatchable
            return self.sequence(inner, start)
        if kind is op.BRANCH:
            end = self.state(None)
            for branch in argument[1]:
                opening = self.state(None)
                self.link(start, opening)
                self.link(self.sequence(branch, opening), end)
            return end
        if kind is op.AT:
            if argument not in (op.AT_BEGINNING, op.AT_BEGINNING_STRING, op.AT_END, op.AT_END_STRING):
                raise Unmatchable
            at_start = argument in (op.AT_BEGINNING, op.AT_BEGINNING_STRING)
            state = self.state("start" if at_start else "end")
        else:
            state = self.state(self.test(kind, argument))
        after = self.state(None)
        self.link(start, state)
        self.link(state, after)
        return after

    def repeat(self, least: int, most: Any, inner: Any, start: int) -> int:
        if least > _MAX_STATES:
            raise Unmatchable
        for _ in range(least):
            start = self.sequence(inner, start)
        if most is op.MAXREPEAT:
            loop = self.state(None)
            self.link(start, loop)
            self.link(self.sequence(inner, loop), loop)
            after = self.state(None)
            self.link(loop, after)
            return after
        after = self.state(None)
        self.link(start, after)
        for _ in range(int(most) - least):
            before = len(self.states)
            start = self.sequence(inner, start)
            self.link(start, after)
            if len(self.states) == before:  # nothing repeated is nothing
                break
        return after

    def test(self, kind: Any, argument: Any) -> _Test:
        if kind is op.ANY:
            return lambda character: character != "\n"
        if kind is op.LITERAL:
            return self.one_of([(op.LITERAL, argument)], inside=True)
        if kind is op.NOT_LITERAL:
            return self.one_of([(op.LITERAL, argument)], inside=False)
        if kind is op.IN:
            negated = bool(argument) and argument[0][0] is op.NEGATE
            return self.one_of(argument[1:] if negated else argument, inside=not negated)
        raise Unmatchable

    def one_of(self, members: list, *, inside: bool) -> _Test:
        ranges, categories = [], []
        for kind, argument in members:
            if kind is op.LITERAL:
                ranges.append((argument, argument))
            elif kind is op.RANGE:
                ranges.append(argument)
            elif kind is op.CATEGORY and argument in _CATEGORIES:
                categories.append(_CATEGORIES[argument])
            else:
                raise Unmatchable
        variants = (str.lower, str.upper) if self.ignore_case else (str,)

        def test(character: str) -> bool:
            for variant in variants:
                form = variant(character)
                code = ord(form) if len(form) == 1 else ord(character)
                if any(low <= code <= high for low, high in ranges):
                    return inside
            return any(category(character) for category in categories) == inside

        return test

    def run(self, written: str) -> bool:
        length = len(written)
        active = self.reach({self.start}, 0, length)
        for place, character in enumerate(written):
            stepped = {
                target
                for state in active
                if callable(test := self.states[state][0]) and test(character)
                for target in self.states[state][1]
            }
            if not stepped:
                return False
            active = self.reach(stepped, place + 1, length)
        return self.end in active

    def reach(self, states: set[int], place: int, length: int) -> set[int]:
        """These states and all that are reached from them without reading a character."""
        seen = set(states)
        stack = list(states)
        while stack:
            state = stack.pop()
            test, targets = self.states[state]
            if test is None or (test == "start" and place == 0) or (test == "end" and place == length):
                for target in targets:
                    if target not in seen:
                        seen.add(target)
                        stack.append(target)
        return seen


_CATEGORIES: dict[Any, _Test] = {
    op.CATEGORY_DIGIT: lambda character: "0" <= character <= "9",  # as in Java and JavaScript, not every script's
    op.CATEGORY_NOT_DIGIT: lambda character: not "0" <= character <= "9",
    op.CATEGORY_SPACE: lambda character: character in " \t\n\r\f\v",
    op.CATEGORY_NOT_SPACE: lambda character: character not in " \t\n\r\f\v",
    op.CATEGORY_WORD: lambda character: character == "_" or (character.isascii() and character.isalnum()),
    op.CATEGORY_NOT_WORD: lambda character: character != "_" and not (character.isascii() and character.isalnum()),
}
