"""Choosing what stands next to one entry: candidates by subject and by words, the rule, the order, each answer once."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from yidian.answers.models import Question
from yidian.related.subjects import (
    BROADER,
    KINDS,
    NARROWER,
    SAME,
    SAME_QUESTION,
    SISTER,
    TOUCHED,
    Subject,
    World,
    bigrams,
    closeness,
    jaccard,
    subjects,
)
from yidian.search.engine import Engine
from yidian.zh.sentences import plain

# A page shows this many, the seed page's number; more are behind the condition's own page.
FURTHER_READING = 16
# Beside what only touches the subject, this many rows at most, the closest by their words.
TOUCHING = 3
# Candidates by their words; behind them the subject is another one in all but 1 % of the rows of the judged sample.
ALIKE = 60
# Candidates by their condition: the newest of each kind about it, and of those that touch it.
NEWEST = 24
# Answers that share this much of their bigrams say the same.
SAME_ANSWER = 0.8
# And those of the same question from here on.
SAME_ANSWER_TO_THE_SAME = 0.5


@dataclass(frozen=True)
class Chosen:
    """An entry that stands next to another, and why, in the reader's words."""

    kind: str
    pk: int
    why: str


class Shelf:
    """What has been read of a site while further reading is worked out, so that many entries read each thing once.

    Two thirds of the cost of a single entry are its 22 statements; neighbours ask for the same.
    """

    def __init__(self, known: World):
        self.known = known
        self._subjects: dict[tuple[str, int], Subject | None] = {}
        self._newest: dict[tuple[str, str, int], list[tuple[str, int]]] = {}
        self._answers: dict[int, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._subjects)

    def look_at(self, entries: Iterable[tuple[str, int]]) -> None:
        """Reads the subjects of entries, as (kind, id), in three statements a kind."""
        wanted: dict[str, set[int]] = defaultdict(set)
        for key in entries:
            if key not in self._subjects:
                wanted[key[0]].add(key[1])
        for kind, ids in wanted.items():
            found = subjects(kind, sorted(ids), self.known)
            self._subjects |= {(kind, pk): found.get(pk) for pk in ids}

    def subject(self, key: tuple[str, int]) -> Subject | None:
        """What a public entry is about; None for one that is not public."""
        if key not in self._subjects:
            self.look_at([key])
        return self._subjects[key]

    def newest(self, kind: str, relation: str, pk: int) -> list[tuple[str, int]]:
        """The newest entries of a kind that are tied to a condition."""
        asked = kind, relation, pk
        if asked not in self._newest:
            tied = KINDS[kind].objects.public().filter(**{relation: pk}).order_by("-date_published", "-pk")
            self._newest[asked] = [(kind, each) for each in tied.values_list("pk", flat=True)[:NEWEST]]
        return self._newest[asked]

    def answers(self, ids: Iterable[int]) -> dict[int, frozenset[str]]:
        """The bigrams of the leading answers of questions; of their leads where there is none."""
        ids = list(ids)
        missing = [pk for pk in ids if pk not in self._answers]
        rows = Question.objects.filter(pk__in=missing).values_list("pk", "description", "lead_answer", "rendered")
        for pk, description, lead, rendered in rows if missing else ():
            blocks = (rendered or {}).get("answers", {}).get(str(lead), [])
            text = " ".join(plain(block["html"]) for block in blocks if "html" in block)
            self._answers[pk] = bigrams(text or description)
        return {pk: self._answers.get(pk, frozenset()) for pk in ids}


def choose(entries: Iterable[tuple[str, int]], engine: Engine, shelf: Shelf) -> dict[tuple[str, int], list[Chosen]]:
    """What stands next to public entries, given as (kind, id), closest first, at most FURTHER_READING each."""
    entries = list(entries)
    shelf.look_at(entries)
    public = {key: one for key in entries if (one := shelf.subject(key)) is not None}
    likeness = {key: _alike(one, engine) for key, one in public.items()}
    wanted = {key: {*likeness[key], *_by_condition(one, shelf)} for key, one in public.items()}
    shelf.look_at(set().union(*wanted.values()))
    kept = {key: _ranked(one, wanted[key], likeness[key], shelf) for key, one in public.items()}
    first = [[each.pk for each, _ in ranked[:NEWEST] if each.kind == "question"] for ranked in kept.values()]
    shelf.answers({pk for ids in first for pk in ids})
    return {
        key: [Chosen(*other.key, reason) for other, reason in _once(public[key], kept[key], shelf)]
        if key in public
        else []
        for key in entries
    }


def _ranked(
    one: Subject, wanted: Iterable[tuple[str, int]], likeness: dict[tuple[str, int], float], shelf: Shelf
) -> list[tuple[Subject, str]]:
    """Those of the wanted that go together with the one, closest first, and why."""
    ranked = []
    for other in map(shelf.subject, wanted):
        close = closeness(one, other, shelf.known) if other else None
        if close is None:
            continue
        far_apart = one.parts != other.parts and not one.parts & other.parts
        day = other.day.toordinal() if other.day else 0
        order = (close[0], far_apart, -likeness.get(other.key, 0.0), -day, other.kind, -other.pk)
        ranked.append((order, other, why(one, other, close, shelf.known)))
    ranked.sort(key=lambda each: each[0])
    # The condition that a page is about stands on it in a box of its own; it comes back when there is nothing else.
    elsewhere = [each for each in ranked if each[1].kind != "condition" or each[1].pk != one.about] or ranked
    touching = [each for each in elsewhere if each[0][0] == TOUCHED]
    return [each[1:] for each in elsewhere if each[0][0] != TOUCHED or each in touching[:TOUCHING]]


def _alike(one: Subject, engine: Engine) -> dict[tuple[str, int], float]:
    """Entries by how much their words are like this one's, 1 for the most alike."""
    kinds = [[f"kind:{kind}" for kind in KINDS]]
    hits = [
        hit
        for hit in engine.alike(f"{one.name}\n{one.lead}", limit=ALIKE, tags=kinds)
        if (hit.kind, hit.object_id) != (one.kind, str(one.pk))
    ]
    return {(hit.kind, int(hit.object_id)): hit.score / hits[0].score for hit in hits}


def _by_condition(one: Subject, shelf: Shelf) -> list[tuple[str, int]]:
    known = shelf.known
    found: list[tuple[str, int]] = []
    for topic in [topic for topic in one.topics if isinstance(topic, int)]:
        node = known.conditions[topic]
        near = [topic, *known.narrower.get(topic, [])[:NEWEST]]
        family = {*near, *node.related, *one.touches}
        if node.broader in known.conditions:
            near.append(node.broader)
            family |= {node.broader, *known.narrower.get(node.broader, [])}
        found += [("condition", pk) for pk in sorted(family)[: 2 * NEWEST]]
        for kind in KINDS:
            if kind != "condition":
                for pk in near:
                    found += shelf.newest(kind, "about", pk)
                found += shelf.newest(kind, "related", topic)
    return found


def why(one: Subject, other: Subject, close: tuple, known: World) -> str:
    """Why the other stands next to the one, for the reader of the one."""
    relation, topic = close
    if relation == SAME_QUESTION and one.kind == other.kind == "question":
        return "问的是同一件事"
    if topic is None:
        return "讲的是同一件事"
    name = known.name(topic)
    if relation in (SAME, SAME_QUESTION):
        if other.kind == "condition" and other.pk == topic:
            return f"讲的就是{name}"
        return f"关于{name}" if one.kind == "condition" else f"同样关于{name}"
    if other.kind == "condition":
        narrower = "它的一种" if one.kind == "condition" else "其中一种"
        return {NARROWER: narrower, BROADER: "更大的一类", SISTER: "同一类"}.get(relation, "相关的病症")
    if relation == NARROWER:
        return f"关于它的一种：{name}" if one.kind == "condition" else f"关于其中一种：{name}"
    if relation == BROADER:
        return f"关于更大的一类：{name}"
    if relation == SISTER:
        return f"同一类里的：{name}"
    touched = [topic for topic in one.topics if topic in other.touches]
    return f"也讲到{known.name(touched[0])}" if touched else f"讲这里提到的{name}"


def _once(one: Subject, ranked: list[tuple[Subject, str]], shelf: Shelf) -> list[tuple[Subject, str]]:
    """The first of those that say the same, until there are enough."""
    kept: list[tuple[Subject, str]] = []
    said: list[tuple[Subject, frozenset[str]]] = []
    if one.kind == "question":
        said.append((one, shelf.answers([one.pk])[one.pk]))
    texts: dict[int, frozenset[str]] = {}
    for position, (other, reason) in enumerate(ranked):
        if len(kept) == FURTHER_READING:
            break
        if other.kind == "question":
            if other.pk not in texts:
                ahead = ranked[position : position + NEWEST]
                texts = shelf.answers([each.pk for each, _ in ahead if each.kind == "question"])
            text = texts[other.pk]
            if any(_say_the_same(other, text, *each) for each in said):
                continue
            said.append((other, text))
        kept.append((other, reason))
    return kept


def _say_the_same(other: Subject, text: frozenset[str], shown: Subject, shown_text: frozenset[str]) -> bool:
    alike = jaccard(text, shown_text)
    if alike >= SAME_ANSWER:
        return True
    return alike >= SAME_ANSWER_TO_THE_SAME and jaccard(other.title, shown.title) >= 0.5
