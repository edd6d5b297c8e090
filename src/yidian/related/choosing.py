"""Choosing what stands next to one entry: candidates by subject and by words, the rule, the order, each answer once."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet

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


def choose(kind: str, pk: int, engine: Engine, known: World) -> list[Chosen]:
    """What stands next to a public entry, closest first, at most FURTHER_READING; about 12 queries."""
    one = subjects(kind, [pk], known).get(pk)
    if one is None:
        return []
    likeness = _alike(one, engine)
    wanted: dict[str, set[int]] = defaultdict(set)
    for other_kind, other_pk in [*likeness, *_by_condition(one, known)]:
        wanted[other_kind].add(other_pk)
    ranked = []
    for other_kind, ids in wanted.items():
        for other in subjects(other_kind, ids, known).values():
            close = closeness(one, other, known)
            if close is None:
                continue
            far_apart = one.parts != other.parts and not one.parts & other.parts
            day = other.day.toordinal() if other.day else 0
            order = (close[0], far_apart, -likeness.get(other.key, 0.0), -day, other.kind, -other.pk)
            ranked.append((order, other, why(one, other, close, known)))
    ranked.sort(key=lambda each: each[0])
    # The condition that a page is about stands on it in a box of its own; it comes back when there is nothing else.
    elsewhere = [each for each in ranked if each[1].kind != "condition" or each[1].pk != one.about] or ranked
    touching = [each for each in elsewhere if each[0][0] == TOUCHED]
    kept = [each[1:] for each in elsewhere if each[0][0] != TOUCHED or each in touching[:TOUCHING]]
    return [Chosen(*other.key, reason) for other, reason in _once(one, kept)]


def _alike(one: Subject, engine: Engine) -> dict[tuple[str, int], float]:
    """Entries by how much their words are like this one's, 1 for the most alike."""
    kinds = [[f"kind:{kind}" for kind in KINDS]]
    hits = [
        hit
        for hit in engine.alike(f"{one.name}\n{one.lead}", limit=ALIKE, tags=kinds)
        if (hit.kind, hit.object_id) != (one.kind, str(one.pk))
    ]
    return {(hit.kind, int(hit.object_id)): hit.score / hits[0].score for hit in hits}


def _by_condition(one: Subject, known: World) -> list[tuple[str, int]]:
    topics = [topic for topic in one.topics if isinstance(topic, int)]
    found: list[tuple[str, int]] = []
    for topic in topics:
        node = known.conditions[topic]
        near = [topic, *known.narrower.get(topic, [])[:NEWEST]]
        family = {*near, *node.related, *one.touches}
        if node.broader in known.conditions:
            near.append(node.broader)
            family |= {node.broader, *known.narrower.get(node.broader, [])}
        found += [("condition", pk) for pk in sorted(family)[: 2 * NEWEST]]
        for kind, model in KINDS.items():
            if kind == "condition":
                continue
            public = model.objects.public()
            for pk in near:
                found += _newest(kind, public.filter(about=pk))
            found += _newest(kind, public.filter(related=topic))
    return found


def _newest(kind: str, found: QuerySet) -> list[tuple[str, int]]:
    newest = found.order_by("-date_published", "-pk").values_list("pk", flat=True)[:NEWEST]
    return [(kind, pk) for pk in newest]


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


def _once(one: Subject, ranked: list[tuple[Subject, str]]) -> list[tuple[Subject, str]]:
    """The first of those that say the same, until there are enough."""
    kept: list[tuple[Subject, str]] = []
    said: list[tuple[Subject, frozenset[str]]] = []
    if one.kind == "question":
        said.append((one, _answers([one.pk])[one.pk]))
    texts: dict[int, frozenset[str]] = {}
    for position, (other, reason) in enumerate(ranked):
        if len(kept) == FURTHER_READING:
            break
        if other.kind == "question":
            if other.pk not in texts:
                ahead = [each.pk for each, _ in ranked[position : position + NEWEST] if each.kind == "question"]
                texts = _answers(ahead)
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


def _answers(ids: list[int]) -> dict[int, frozenset[str]]:
    """The bigrams of the leading answers of questions; of their leads where there is none."""
    rows = Question.objects.filter(pk__in=ids).values_list("pk", "description", "lead_answer", "rendered")
    found = {}
    for pk, description, lead, rendered in rows:
        blocks = (rendered or {}).get("answers", {}).get(str(lead), [])
        text = " ".join(plain(block["html"]) for block in blocks if "html" in block)
        found[pk] = bigrams(text or description)
    return found
