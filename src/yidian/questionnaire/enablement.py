"""Which questions are asked: FHIR's enableWhen over the answers, three-valued (yes, no, cannot be said)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from yidian.questionnaire.items import EnableWhen, Item, Questionnaire
from yidian.questionnaire.responses import Answer, Response, ResponseItem
from yidian.questionnaire.values import Value, compare, equal

MAX_PLACES = 100_000  # items as filled in; a few kB of JSON could otherwise ask for billions (repeats × items)

MAX_CONDITIONS = 500_000  # to decide, over all places: some seconds


class TooManyPlaces(ValueError):
    """The response repeats a large group so often that it is not worth following."""


class Place:
    """One item where it stands in a response, or where it would stand (`node` is None when it is not filled in).

    `enabled` is True, False, or None when FHIR gives no answer (a cycle, values that cannot be compared).
    `path` is the FHIRPath of the item, or of the place where it is missing.
    """

    __slots__ = ("enabled", "end", "index", "item", "node", "parent", "path", "under")

    def __init__(self, item: Item, node: ResponseItem | None, parent: "Place | None", path: str):
        self.item = item
        self.node = node
        self.parent = parent
        self.path = path
        self.index = 0
        self.end = 0  # one past the last place below this one
        self.under: tuple[int, int] = (0, 0)  # the range of places that share its container
        self.enabled: bool | None = True

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answers given here."""
        return self.node.answers if self.node else ()


def enabled(questionnaire: Questionnaire, response: Response) -> frozenset[str]:
    """The linkIds of the items that are asked, at one place at least. What cannot be said is not among them."""
    return frozenset(place.item.link_id for place in places(questionnaire, response) if place.enabled)


def places(questionnaire: Questionnaire, response: Response) -> list[Place]:
    """Every item of the questionnaire at every place of the response, in document order, with its enablement.

    A repeated group gives one place for each repetition; what is not filled in gives one place without a node.
    Raises TooManyPlaces above MAX_PLACES.
    """
    found: list[Place] = []
    _lay_out(questionnaire.items, response.items, None, "QuestionnaireResponse", found)
    if sum(len(place.item.enable_when) for place in found) > MAX_CONDITIONS:
        raise TooManyPlaces
    by_link_id: dict[str, list[Place]] = {}
    for place in found:
        by_link_id.setdefault(place.item.link_id, []).append(place)
    order, circular = _order(questionnaire)
    indexes = {link_id: [place.index for place in occurrences] for link_id, occurrences in by_link_id.items()}
    for link_id in order:
        for place in by_link_id.get(link_id, ()):
            own: bool | None = True
            if link_id in circular:
                own = None
            elif place.item.enable_when:
                results = [
                    _meets(condition, _nearest(place, condition.question, by_link_id, indexes))
                    for condition in place.item.enable_when
                ]
                own = _combine(results, place.item.enable_behavior)
            above = place.parent.enabled if place.parent else True
            place.enabled = _all([above, own])
    return found


def cycles(questionnaire: Questionnaire) -> list[tuple[str, ...]]:
    """The groups of linkIds whose conditions depend on each other, so that none can be decided."""
    dependencies = _dependencies(questionnaire)
    return [tuple(group) for group in _components(dependencies) if _is_circular(group, dependencies)]


def _lay_out(
    items: Iterable[Item], nodes: Iterable[ResponseItem], parent: Place | None, path: str, found: list[Place]
) -> None:
    """Adds the places of one level and of all below it, in document order."""
    filled: dict[str, list[ResponseItem]] = {}
    for node in nodes:
        filled.setdefault(node.link_id, []).append(node)
    start = len(found)
    here = []
    for item in items:
        for node in filled.get(item.link_id) or (None,):
            place = Place(item, node, parent, node.path if node else path)
            place.index = len(found)
            if place.index >= MAX_PLACES:
                raise TooManyPlaces
            found.append(place)
            here.append(place)
            if item.items:
                if node and node.answers:
                    for answer in node.answers:
                        _lay_out(item.items, answer.items, place, answer.path, found)
                else:
                    _lay_out(item.items, node.items if node else (), place, place.path, found)
            place.end = len(found)
    for place in here:
        place.under = (start, len(found))


def _nearest(
    place: Place, link_id: str, by_link_id: dict[str, list[Place]], indexes: dict[str, list[int]]
) -> Place | None:
    """The occurrence of the question that a condition here means.

    FHIR: first among the ancestors, then before, then after. Before and after are looked for in the same repetition
    first, then in what surrounds it: another repetition's answer never stands in for one's own.
    """
    occurrences, where = by_link_id.get(link_id), indexes.get(link_id, [])
    if not occurrences:
        return None
    ancestor = place.parent
    while ancestor is not None:
        if ancestor.item.link_id == link_id:
            return ancestor
        ancestor = ancestor.parent
    around: Place | None = place
    while around is not None:
        start, end = around.under
        first, last = bisect_left(where, start), bisect_left(where, end)
        before = bisect_right(where, place.index - 1)
        if before > first:
            return occurrences[before - 1]
        if first < last:
            return occurrences[first]
        around = around.parent
    return None


def _meets(condition: EnableWhen, asked: Place | None) -> bool | None:
    if asked is None:
        return None
    values = [answer.value for answer in asked.answers if answer.value is not None]
    unanswered = _compare_answers(condition, [])
    if asked.enabled is False or not values:  # a disabled question counts as not answered, whatever is kept in it
        return unanswered
    answered = _compare_answers(condition, values)
    if asked.enabled is None and answered != unanswered:
        return None
    return answered


def _compare_answers(condition: EnableWhen, values: list[Value]) -> bool | None:
    """FHIR's questionnaire-enable-operator: one answer that fits is enough; != asks that no answer is equal."""
    expected = condition.answer
    if expected is None:
        return None
    if condition.operator == "exists":
        return bool(values) == expected.content if expected.type == "boolean" else None
    if condition.operator in ("=", "!="):
        found = _any([_is_meant(value, expected) for value in values])
        return found if condition.operator == "=" or found is None else not found
    wanted = _ORDERS.get(condition.operator)
    if wanted is None:
        return None
    orders = (compare(value, expected) for value in values)
    return _any([None if order is None else order in wanted for order in orders])


def _is_meant(value: Value, expected: Value) -> bool | None:
    """Equal; a condition whose Coding names no system means the code of any system, as HL7's validator reads it."""
    if value.type == expected.type == "Coding" and expected.content.code and not expected.content.system:
        return value.content.code == expected.content.code
    return equal(value, expected)


def _combine(results: list[bool | None], behaviour: str) -> bool | None:
    """What several conditions come to; without enableBehavior, which FHIR asks for, only what any reading says."""
    if behaviour == "any":
        return _any(results)
    if behaviour == "all" or _all(results) == _any(results):
        return _all(results)
    return None


_ORDERS = {">": (1,), "<": (-1,), ">=": (0, 1), "<=": (-1, 0)}


def _any(results: list[bool | None]) -> bool | None:
    if True in results:
        return True
    return None if None in results else False


def _all(results: list[bool | None]) -> bool | None:
    if False in results:
        return False
    return None if None in results else True


def _dependencies(questionnaire: Questionnaire) -> dict[str, set[str]]:
    """For each linkId what must be decided before it: its parent, and the questions of its conditions."""
    found: dict[str, set[str]] = {}
    stack: list[tuple[Item, str | None]] = [(item, None) for item in reversed(questionnaire.items)]
    while stack:
        item, parent = stack.pop()
        needed = found.setdefault(item.link_id, set())
        if parent is not None:
            needed.add(parent)
        needed.update(condition.question for condition in item.enable_when)
        stack.extend((child, item.link_id) for child in reversed(item.items))
    return found


def _order(questionnaire: Questionnaire) -> tuple[list[str], set[str]]:
    """The linkIds so that each comes after what it depends on, and those that depend on themselves."""
    dependencies = _dependencies(questionnaire)
    order: list[str] = []
    circular: set[str] = set()
    for group in _components(dependencies):
        order.extend(group)
        if _is_circular(group, dependencies):
            circular.update(group)
    return order, circular


def _is_circular(group: list[str], dependencies: dict[str, set[str]]) -> bool:
    return len(group) > 1 or group[0] in dependencies[group[0]]


def _components(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Strongly connected components, dependencies first (Tarjan's, without recursion: chains may be long)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(sorted(graph[root])))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, edges = work[-1]
            for other in edges:
                if other not in graph:
                    continue
                if other not in number:
                    number[other] = low[other] = len(number)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in on_stack:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    group = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        group.append(member)
                        if member == node:
                            break
                    yield group[::-1]
