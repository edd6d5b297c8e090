"""ValueSets and CodeSystems that are at hand: contained in a document or given beside it. Nothing is fetched."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from yidian.questionnaire.values import Coding, number, read_coding, text
from yidian.questionnaire.wellknown import SYSTEMS, VALUE_SETS

WEIGHT_URLS = (
    "http://hl7.org/fhir/StructureDefinition/ordinalValue",
    "http://hl7.org/fhir/StructureDefinition/itemWeight",
)
_WEIGHT_PROPERTIES = ("itemWeight", "ordinalValue")
_MAX_CONCEPTS = 100_000  # of one value set; questionnaires offer a few, and a bomb of includes must end
_MAX_LOOKED_AT = 1_000_000  # over all value sets of one document: some seconds
_MAX_INCLUDES = 20  # value sets that include value sets that …


def objects(parent: Any, name: str) -> list[Mapping]:
    """The objects in the list under this name; what is no object is left out."""
    found = parent.get(name) if isinstance(parent, Mapping) else None
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def read_weight(element: Any) -> Decimal | None:
    """The weight in this element's extensions, under either URL; None when there is none."""
    for extension in objects(element, "extension"):
        if extension.get("url") in WEIGHT_URLS:
            for name in ("valueDecimal", "valueInteger"):
                if (weight := number(extension.get(name))) is not None:
                    return weight
    return None


@dataclass(frozen=True, slots=True)
class Concept:
    """One code of a value set; `weight` when the value set or its code system gives one."""

    coding: Coding
    weight: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """What is known of a value set: its concepts, and whether those are all."""

    concepts: tuple[Concept, ...]
    complete: bool
    excluded: tuple[Coding, ...] = ()

    def has(self, coding: Coding) -> bool | None:
        """Whether the code belongs to it; None when what is at hand cannot tell. A version is not compared."""
        for concept in self.concepts:
            if concept.coding.code == coding.code and concept.coding.system == coding.system:
                return True
        if not self.complete and coding not in self.excluded:
            return None
        return False


class Terminology:
    """The value sets and code systems of some documents, found by canonical URL (with or without |version) or #id."""

    def __init__(self, owner: Mapping | None = None, supplements: Iterable[Any] = ()):
        self._sets: dict[str, Mapping] = {}
        self._systems: dict[str, list[Mapping]] = {}
        self._read: dict[str, Contents | None] = {}
        self._codes: dict[str, dict[str, Decimal | None]] = {}
        self._looked_at = 0
        for resource in objects(owner, "contained"):
            self._add(resource)
            if identity := text(resource, "id"):
                self._sets.setdefault(f"#{identity}", resource)
        for supplement in supplements:
            for resource in _flatten(supplement):
                self._add(resource)

    def _add(self, resource: Mapping) -> None:
        url = text(resource, "url")
        if resource.get("resourceType") == "ValueSet" and url:
            self._sets.setdefault(url, resource)
            if version := text(resource, "version"):
                self._sets.setdefault(f"{url}|{version}", resource)
        elif resource.get("resourceType") == "CodeSystem" and url:
            self._systems.setdefault(url, []).append(resource)

    def find(self, canonical: str) -> Mapping | None:
        """The resource under this URL or #id; another version of it is not taken for it."""
        return self._sets.get(canonical)

    def value_set(self, canonical: str) -> Contents | None:
        """The contents of the value set, None when it is not at hand."""
        return self._value_set(canonical, 0)

    def _value_set(self, canonical: str, depth: int) -> Contents | None:
        if canonical not in self._read:
            self._read[canonical] = None  # what a value set that includes itself finds
            found = self.find(canonical)
            if found is None:
                self._read[canonical] = _well_known(canonical)
            elif found.get("resourceType") == "ValueSet" and depth <= _MAX_INCLUDES:
                self._read[canonical] = self._expand(found, depth)
        return self._read[canonical]

    def weight(self, coding: Coding) -> Decimal | None:
        """The weight that a code system at hand gives this code."""
        return self._known(coding.system).get(coding.code)

    def knows(self, coding: Coding) -> bool | None:
        """Whether a code system at hand has this code; None when none that is complete is at hand."""
        if coding.code in self._known(coding.system):
            return True
        return False if self._is_complete(coding.system) else None

    def _is_complete(self, system: str) -> bool:
        return any(text(source, "content") == "complete" for source in self._systems.get(system, ()))

    def _known(self, system: str) -> dict[str, Decimal | None]:
        """The codes at hand of this system, each with its weight."""
        if system not in self._codes:
            known: dict[str, Decimal | None] = {}
            for source in self._systems.get(system, ()):
                for concept, _ in _walk(source):
                    code, weight = text(concept, "code"), _concept_weight(concept)
                    if known.get(code) is None:
                        known[code] = weight
            self._codes[system] = known
        return self._codes[system]

    def _expand(self, resource: Mapping, depth: int) -> Contents:
        expansion = resource.get("expansion")
        if isinstance(expansion, Mapping) and objects(expansion, "contains"):
            return self._from_expansion(expansion)
        found: dict[tuple[str, str], Concept] = {}
        complete = True
        compose = resource.get("compose")
        includes = objects(compose, "include")
        for include in includes:
            concepts, all_known = self._include(include, depth)
            complete = complete and all_known
            for concept in concepts:
                found.setdefault((concept.coding.system, concept.coding.code), concept)
                if len(found) > _MAX_CONCEPTS:
                    return Contents(tuple(found.values()), complete=False)
        excluded = []
        for exclude in objects(compose, "exclude"):
            concepts, all_known = self._include(exclude, depth)
            if not all_known:
                complete = False
            for concept in concepts:
                excluded.append(concept.coding)
                found.pop((concept.coding.system, concept.coding.code), None)
        return Contents(tuple(found.values()), complete and bool(includes), tuple(excluded))

    def _from_expansion(self, expansion: Mapping) -> Contents:
        concepts = []
        for entry, _ in _walk(expansion, "contains"):
            coding = read_coding(entry)
            if coding.code and entry.get("abstract") is not True:
                weight = _concept_weight(entry)
                concepts.append(Concept(coding, self.weight(coding) if weight is None else weight))
            if len(concepts) > _MAX_CONCEPTS:
                return Contents(tuple(concepts), complete=False)
        total = expansion.get("total")
        return Contents(tuple(concepts), not isinstance(total, int) or total <= len(concepts))

    def _include(self, include: Mapping, depth: int) -> tuple[list[Concept], bool]:
        """The concepts of one include or exclude, and whether these are all of it."""
        system = text(include, "system")
        own, complete = self._own_concepts(include, system)
        inner = include.get("valueSet")
        for canonical in inner if isinstance(inner, list) else []:
            contents = self._value_set(canonical, depth + 1) if isinstance(canonical, str) else None
            if contents is None:
                return own or [], False
            complete = complete and contents.complete
            codes = {(concept.coding.system, concept.coding.code) for concept in contents.concepts}
            if own is None:
                own = list(contents.concepts)
            else:  # several value sets, or a system beside them: what all of them have
                own = [concept for concept in own if (concept.coding.system, concept.coding.code) in codes]
        return own or [], complete and own is not None

    def _own_concepts(self, include: Mapping, system: str) -> tuple[list[Concept] | None, bool]:
        listed = objects(include, "concept")
        if listed:
            concepts = []
            for entry in listed:
                coding = Coding(system, text(entry, "code"), text(entry, "display"), text(include, "version"))
                weight = _concept_weight(entry)
                concepts.append(Concept(coding, self.weight(coding) if weight is None else weight))
            return concepts, True
        if not system:
            return None, True
        sources = self._systems.get(system, ())
        complete = self._is_complete(system)
        concepts = []
        filters = objects(include, "filter")
        for source in sources:
            for entry, ancestors in _walk(source):
                self._looked_at += 1
                if self._looked_at > _MAX_LOOKED_AT:
                    return concepts, False
                kept = _passes(entry, ancestors, filters)
                complete = complete and kept is not None
                if kept and entry.get("abstract") is not True:
                    coding = Coding(system, text(entry, "code"), text(entry, "display"), text(source, "version"))
                    concepts.append(Concept(coding, _concept_weight(entry)))
        return concepts, complete


def _well_known(canonical: str) -> Contents | None:
    systems = VALUE_SETS.get(canonical.partition("|")[0], ())
    if not systems or not all(system in SYSTEMS for system in systems):
        return None
    concepts = [
        Concept(Coding(system, code, display)) for system in systems for code, display in SYSTEMS[system].items()
    ]
    return Contents(tuple(concepts), complete=True)


def _flatten(supplement: Any) -> Iterator[Mapping]:
    """The resource itself; of a Bundle its entries; of both what they contain."""
    if not isinstance(supplement, Mapping):
        return
    yield supplement
    yield from objects(supplement, "contained")
    if supplement.get("resourceType") == "Bundle":
        for entry in objects(supplement, "entry"):
            if isinstance(resource := entry.get("resource"), Mapping):
                yield resource
                yield from objects(resource, "contained")


def resources(supplements: Iterable[Any], resource_type: str) -> list[Mapping]:
    """The resources of this type among the documents given beside, Bundles opened."""
    return [
        resource
        for supplement in supplements
        for resource in _flatten(supplement)
        if resource.get("resourceType") == resource_type
    ]


def _walk(parent: Mapping, name: str = "concept") -> Iterator[tuple[Mapping, tuple[str, ...]]]:
    """Every concept of the tree with the codes of its ancestors, nearest last."""
    stack: list[tuple[Mapping, tuple[str, ...]]] = [(entry, ()) for entry in reversed(objects(parent, name))]
    while stack:
        entry, ancestors = stack.pop()
        yield entry, ancestors
        below = (*ancestors, text(entry, "code"))
        stack.extend((child, below) for child in reversed(objects(entry, name)))


def _concept_weight(concept: Mapping) -> Decimal | None:
    weight = read_weight(concept)
    for entry in objects(concept, "property") if weight is None else ():
        if entry.get("code") in _WEIGHT_PROPERTIES:
            for name in ("valueDecimal", "valueInteger"):
                if (weight := number(entry.get(name))) is not None:
                    return weight
    return weight


def _passes(entry: Mapping, ancestors: tuple[str, ...], filters: list[Mapping]) -> bool | None:
    """Whether the concept passes the hierarchical filters; None when there is one of another kind."""
    for wanted in filters:
        operator, value = text(wanted, "op"), text(wanted, "value")
        if text(wanted, "property") not in ("concept", "code") or operator not in ("is-a", "descendent-of", "="):
            return None
        itself = text(entry, "code") == value
        if operator == "=" and not itself:
            return False
        if operator == "is-a" and not (itself or value in ancestors):
            return False
        if operator == "descendent-of" and value not in ancestors:
            return False
    return True
