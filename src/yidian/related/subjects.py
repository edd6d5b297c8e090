"""What an entry is about, and whether two entries may stand beside each other.

The rule is the same from both sides. Two entries go together when they are about the same condition or name the same
disease or symptom; when they are about a condition and its narrower form; and when the editors tied their conditions
and both are forms of one, or a title names what the other is about, or both are pages of conditions. Never when they
speak of different parts of the body, unless the condition itself spans both. Words in common are not enough: 肌肉痉挛,
面肌痉挛 and 喉痉挛 share one and are three things.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from yidian.answers.models import Question
from yidian.editorial.models import Entry
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.search.lexicon import Lexicon
from yidian.terms.models import BodyPart
from yidian.zh.aligned import align
from yidian.zh.grams import grams

KINDS: dict[str, type[Entry]] = {model.kind: model for model in (Condition, Article, ActionGuide, Question)}

# How close two subjects are, closest first.
SAME_QUESTION, SAME, NARROWER, BROADER, SISTER, TOUCHED = range(6)
# Titles that share this much of their bigrams ask the same. 肌肉痉挛是什么感觉 and 肌肉痉挛是什么意思 share 0.6.
SAME_TITLE = 0.7
# Of what a patient wrote, the beginning says what it is about.
MAX_LEAD = 160
# What sets one form of a disease apart: 酒精性肝炎 and 黄疸型肝炎 are two diseases that the vocabulary may know as one.
_QUALIFIED = re.compile(r"([\u3400-\u9fff]{2}[性型])$")
_NO_QUALIFIER = re.compile(r"[急慢突复发期良恶]性$")
# 全身 is every part and none.
_NO_PART = BodyPart.Region.WHOLE


@dataclass(frozen=True)
class Node:
    """A condition as the rule sees it."""

    pk: int
    name: str
    broader: int | None
    related: frozenset[int]
    parts: frozenset[int]


@dataclass
class World:
    """The conditions and parts of the body of a site, and the words for them."""

    lexicon: Lexicon
    conditions: dict[int, Node] = field(default_factory=dict)
    above: dict[int, frozenset[int]] = field(default_factory=dict)  # a part, and all that it belongs to
    condition_of: dict[str, int] = field(default_factory=dict)  # by the slug of the term
    part_of: dict[str, int] = field(default_factory=dict)

    @cached_property
    def narrower(self) -> dict[int, list[int]]:
        found = defaultdict(list)
        for node in self.conditions.values():
            if node.broader:
                found[node.broader].append(node.pk)
        return found

    def sharpest(self, parts: Iterable[int]) -> frozenset[int]:
        """Without the parts that only say where another of them is: 腿 beside 大腿."""
        known = {part for part in parts if part in self.above}
        return frozenset(part for part in known if not any(part in self.above[other] - {other} for other in known))

    def fit(self, one: frozenset[int], other: frozenset[int]) -> bool:
        """Whether some part of one is, holds or belongs to a part of the other; or one names none."""
        if not one or not other:
            return True
        return any(a in self.above[b] or b in self.above[a] for a in one for b in other)

    def name(self, topic: int | str) -> str:
        return self.conditions[topic].name if isinstance(topic, int) else self.lexicon.terms[topic].name


def world(lexicon: Lexicon) -> World:
    """What is public now; four queries."""
    made = World(lexicon)
    broader, names = {}, {}
    for pk, name, region, above in BodyPart.objects.public().values_list("pk", "name", "region", "broader"):
        if region != _NO_PART:
            broader[pk], names[pk] = above, name
    for pk in broader:
        chain, at = [], pk
        while at in broader and at not in chain:
            chain.append(at)
            at = broader[at]
        made.above[pk] = frozenset(chain)
    for pk, name in names.items():
        made.part_of |= {term.slug: pk for term in lexicon.named(align(name).form.strip())}
    related, parts = _held(Condition, "related"), _held(Condition, "body_parts")
    for pk, name, above in Condition.objects.public().values_list("pk", "name", "broader"):
        made.conditions[pk] = Node(pk, name, above, frozenset(related[pk]), made.sharpest(parts[pk]))
        made.condition_of |= {term.slug: pk for term in lexicon.named(align(name).form.strip())}
    return made


@dataclass(frozen=True)
class Subject:
    """What one entry is about. Topics are conditions (their ids) or terms (their slugs)."""

    kind: str
    pk: int
    name: str
    lead: str
    day: date | None
    about: int | None
    topics: frozenset[int | str]
    named: frozenset[int | str]  # terms of any category that the title names
    forms: frozenset[str]  # what the title says of its topics: 酒精性
    touches: frozenset[int]
    parts: frozenset[int]

    @property
    def key(self) -> tuple[str, int]:
        return self.kind, self.pk

    @cached_property
    def title(self) -> frozenset[str]:
        return bigrams(self.name)


def bigrams(text: str) -> frozenset[str]:
    """The character bigrams of a text's Han runs and its other words."""
    return frozenset(gram for gram in grams(text) if len(gram) > 1)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """How much of two sets is common to both, from 0 to 1; two empty sets have nothing in common."""
    return len(one & other) / len(one | other) if one and other else 0.0


def subjects(kind: str, ids: Iterable[int], known: World) -> dict[int, Subject]:
    """By id, the subjects of those entries of a kind that are public; three queries at most."""
    model = KINDS[kind]
    ids = list(ids)
    if not ids:
        return {}
    more = ["detail"] if kind == "question" else []
    about = [] if kind == "condition" else ["about"]
    rows = list(
        model.objects.public()
        .filter(pk__in=ids)
        .values_list("pk", "name", "description", "date_published", *about, *more)
    )
    pks = [row[0] for row in rows]
    related, parts = _held(model, "related", pks), _held(model, "body_parts", pks)
    found = {}
    for pk, name, description, day, *rest in rows:
        condition = pk if kind == "condition" else rest[0]
        detail = rest[1] if more else ""
        found[pk] = _subject(
            known,
            (kind, pk, name, detail[:MAX_LEAD] or description, day),
            condition if condition in known.conditions else None,
            related[pk],
            parts[pk],
        )
    return found


def _subject(known: World, own: tuple, about: int | None, related: set[int], parts: set[int]) -> Subject:
    title = _Named(known, own[2])
    topics, named_parts = title.diseases or title.symptoms, title.parts
    if not topics or not named_parts:
        # Of the symptoms in an account none is what it asks about; a disease in it most often is.
        lead = _Named(known, own[3])
        topics, named_parts = topics or lead.diseases, named_parts or lead.parts
    return Subject(
        *own,
        about=about,
        topics=frozenset([about]) if about else frozenset(topics),
        named=frozenset(title.terms),
        forms=frozenset() if about else frozenset(title.forms),
        touches=frozenset(pk for pk in related if pk in known.conditions),
        parts=known.sharpest(parts or named_parts),
    )


class _Named:
    """What a text names, sorted."""

    def __init__(self, known: World, text: str):
        self.diseases: set[int | str] = set()
        self.symptoms: set[int | str] = set()
        self.terms: set[int | str] = set()
        self.parts: set[int] = set()
        self.forms: set[str] = set()
        for mention in known.lexicon.find(text):
            if mention.category == "body_part":
                if mention.slug in known.part_of:
                    self.parts.add(known.part_of[mention.slug])
            elif mention.how != "inside" and mention.category != "population":
                topic = known.condition_of.get(mention.slug, mention.slug)
                self.terms.add(topic)
                if mention.category == "disease":
                    self.diseases.add(topic)
                    form = _QUALIFIED.search(text[: mention.start])
                    if form and not _NO_QUALIFIER.search(form[1]):
                        self.forms.add(form[1])
                elif mention.category == "symptom":
                    self.symptoms.add(topic)


def closeness(one: Subject, other: Subject, known: World) -> tuple[int, int | str | None] | None:
    """How close the other is to the one, and the topic that ties them; None when they do not go together."""
    if one.key == other.key:
        return None
    found = _relation(one, other, known)
    if found is None and ((one.topics and other.topics) or not one.named & other.named):
        return None
    if jaccard(one.title, other.title) >= SAME_TITLE:
        found = SAME_QUESTION, found[1] if found else None
    if found is None or _fit(one, other, known, found):
        return found
    return None


def _relation(one: Subject, other: Subject, known: World) -> tuple[int, int | str] | None:
    common = one.topics & other.topics
    if common:
        if one.forms and other.forms and not one.forms & other.forms:
            return None
        return SAME, min(common, key=str)
    relations = []
    for a in one.topics:
        for b in other.topics:
            if not (isinstance(a, int) and isinstance(b, int)):
                continue
            mine, theirs = known.conditions[a], known.conditions[b]
            if theirs.broader == a:
                relations.append((NARROWER, b))
            elif mine.broader == b:
                relations.append((BROADER, b))
            elif a not in other.touches | theirs.related and b not in one.touches | mine.related:
                continue
            elif mine.broader and mine.broader == theirs.broader:
                relations.append((SISTER, b))
            elif one.kind == other.kind == "condition" or a in other.named or b in one.named:
                # A tie alone is too wide: a guide for a clot warns of what not to do for a cramp, and is not about it.
                relations.append((TOUCHED, b))
    return min(relations, default=None)


def _fit(one: Subject, other: Subject, known: World, found: tuple) -> bool:
    if known.fit(one.parts, other.parts):
        return True
    condition = one.about
    if condition is None or condition != other.about:
        return False
    spanned = known.conditions[condition].parts
    return bool(spanned) and known.fit(one.parts, spanned) and known.fit(other.parts, spanned)


def _held(model: type[Entry], relation: str, ids: list[int] | None = None) -> dict[int, set[int]]:
    """What entries are tied to by a relation, by their ids; all of them when no ids are given."""
    if relation not in {field.name for field in model._meta.many_to_many}:
        return defaultdict(set)
    tie = model._meta.get_field(relation)
    through, own, other = tie.remote_field.through, tie.m2m_field_name(), tie.m2m_reverse_field_name()
    held = through.objects.all() if ids is None else through.objects.filter(**{f"{own}__in": ids})
    found: dict[int, set[int]] = defaultdict(set)
    for pk, held_pk in held.values_list(f"{own}_id", f"{other}_id"):
        found[pk].add(held_pk)
    return found
