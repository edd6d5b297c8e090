"""A Questionnaire as plain frozen data: R4 in meaning, R4B and R5 mapped to it, and a list of what is not executed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from yidian.questionnaire.terminology import Terminology, objects, read_weight
from yidian.questionnaire.values import (
    VALUE_TYPES,
    Coding,
    Value,
    choice,
    key,
    number,
    read_coding,
    text,
    whole,
)

FHIR = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"

VERSIONS = ("R4", "R4B", "R5")
MAX_DEPTH = 80  # items in items: all that 160 lists and objects can hold; Python's stack holds it safely

# What an answer to an item of this type may be (R4's, then R5's item types).
ANSWER_TYPES: dict[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    "decimal": ("decimal",),
    "integer": ("integer",),
    "date": ("date",),
    "dateTime": ("dateTime",),
    "time": ("time",),
    "string": ("string",),
    "text": ("string",),
    "url": ("uri",),
    "choice": ("Coding",),
    "open-choice": ("Coding", "string"),
    "attachment": ("Attachment",),
    "reference": ("Reference",),
    "quantity": ("Quantity",),
    "coding": ("Coding",),
}

# Constructs that change what is asked or counted and that Yidian does not carry out.
NOT_EXECUTED: dict[str, str] = {
    SDC + "sdc-questionnaire-calculatedExpression": "由表达式计算的答案（calculatedExpression）",
    FHIR + "questionnaire-calculatedExpression": "由表达式计算的答案（calculatedExpression）",
    SDC + "sdc-questionnaire-initialExpression": "由表达式给出的初值（initialExpression）",
    FHIR + "questionnaire-initialExpression": "由表达式给出的初值（initialExpression）",
    SDC + "sdc-questionnaire-enableWhenExpression": "由表达式决定是否提问（enableWhenExpression）",
    FHIR + "questionnaire-enableWhenExpression": "由表达式决定是否提问（enableWhenExpression）",
    SDC + "sdc-questionnaire-answerExpression": "由表达式给出的选项（answerExpression）",
    SDC + "sdc-questionnaire-candidateExpression": "由表达式给出的候选答案（candidateExpression）",
    SDC + "sdc-questionnaire-contextExpression": "由表达式给出的背景（contextExpression）",
    SDC + "sdc-questionnaire-answerOptionsToggleExpression": "由表达式开关的选项（answerOptionsToggleExpression）",
    SDC + "sdc-questionnaire-questionnaireAdaptive": "自适应问卷（questionnaireAdaptive）",
    SDC + "sdc-questionnaire-launchContext": "启动背景（launchContext）",
    SDC + "sdc-questionnaire-itemPopulationContext": "预填背景（itemPopulationContext）",
    SDC + "sdc-questionnaire-itemExtractionContext": "提取背景（itemExtractionContext）",
    SDC + "sdc-questionnaire-subQuestionnaire": "嵌入的问卷（subQuestionnaire）",
    FHIR + "questionnaire-constraint": "约束表达式（constraint）",
    FHIR + "targetConstraint": "约束表达式（targetConstraint）",
    FHIR + "cqf-expression": "表达式（cqf-expression）",
    FHIR + "cqf-calculatedValue": "由表达式计算的值（cqf-calculatedValue）",
    FHIR + "cqf-library": "表达式库（cqf-library）",
    FHIR + "variable": "变量（variable）",
    FHIR + "questionnaire-signatureRequired": "要求签名（signatureRequired）",
    FHIR + "questionnaire-referenceFilter": "引用的筛选（referenceFilter）",
}

# R5's element as R4 writes it.
_CONSTRAINT_OF_R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Questionnaire.item.answerConstraint"

# Extensions that are read here, or that only say how a thing looks.
_READ = {
    _CONSTRAINT_OF_R5,
    FHIR + "ordinalValue",
    FHIR + "itemWeight",
    FHIR + "minValue",
    FHIR + "maxValue",
    FHIR + "minLength",
    FHIR + "maxDecimalPlaces",
    FHIR + "maxSize",
    FHIR + "mimeType",
    FHIR + "regex",
    FHIR + "entryFormat",
    FHIR + "questionnaire-minOccurs",
    FHIR + "questionnaire-maxOccurs",
    FHIR + "questionnaire-optionExclusive",
    FHIR + "questionnaire-optionPrefix",
    FHIR + "questionnaire-hidden",
    FHIR + "questionnaire-unit",
    FHIR + "questionnaire-unitOption",
    FHIR + "questionnaire-unitValueSet",
    FHIR + "questionnaire-itemControl",
    FHIR + "questionnaire-referenceResource",
    FHIR + "questionnaire-choiceOrientation",
    FHIR + "questionnaire-sliderStepValue",
    FHIR + "questionnaire-displayCategory",
    FHIR + "questionnaire-derivationType",
    FHIR + "questionnaire-supportLink",
    FHIR + "rendering-xhtml",
    FHIR + "rendering-markdown",
    FHIR + "rendering-style",
    FHIR + "rendering-styleSensitive",
    FHIR + "translation",
    SDC + "sdc-questionnaire-openLabel",
    SDC + "sdc-questionnaire-optionExclusive",
    SDC + "sdc-questionnaire-unitOpen",
    SDC + "sdc-questionnaire-minQuantity",
    SDC + "sdc-questionnaire-maxQuantity",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that may be chosen; `weight` None when the questionnaire gives it none."""

    value: Value
    weight: Decimal | None = None
    initial_selected: bool = False
    exclusive: bool = False
    prefix: str = ""
    path: str = ""  # "" of those that come from a value set


@dataclass(frozen=True, slots=True)
class EnableWhen:
    """One condition: the item `question`, the operator, and the answer to compare with (None when unreadable)."""

    question: str
    operator: str
    answer: Value | None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Unexecuted:
    """A construct that Yidian does not carry out: where, its name or URL, and what it is in Chinese."""

    path: str
    name: str
    what: str
    modifier: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A group, a display text or a question with all that limits its answer.

    `type` is R4's: R5's `coding` becomes choice or open-choice by its answerConstraint. `answer_types` are FHIR's
    names of the value[x] that an answer may have. `options` come from answerOption, or from a value set at hand;
    `options_complete` is False where a value set is not at hand or not fully known. `path` is a FHIRPath.
    """

    link_id: str
    type: str
    text: str = ""
    prefix: str = ""
    codes: tuple[Coding, ...] = ()
    definition: str = ""
    enable_when: tuple[EnableWhen, ...] = ()
    enable_behavior: str = ""
    required: bool = False
    repeats: bool = False
    read_only: bool = False
    hidden: bool = False
    answer_types: tuple[str, ...] = ()
    answer_constraint: str = "optionsOnly"
    options: tuple[Option, ...] = ()
    options_complete: bool = True
    answer_value_set: str = ""
    initial: tuple[Value, ...] = ()
    max_length: int | None = None
    min_length: int | None = None
    max_decimal_places: int | None = None
    min_value: Value | None = None
    max_value: Value | None = None
    min_occurs: int | None = None
    max_occurs: int | None = None
    max_size: Decimal | None = None
    mime_types: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    regex: str = ""
    entry_format: str = ""
    control: str = ""
    unit: Coding | None = None
    unit_options: tuple[Coding, ...] = ()
    unit_value_set: str = ""
    unit_open: str = ""
    items: tuple["Item", ...] = ()
    path: str = ""
    by_key: Mapping[tuple, Option] = field(default_factory=dict, compare=False, repr=False)

    def option(self, value: Value) -> Option | None:
        """The option that this answer chooses, None when it is none of them; dates and times as written."""
        return self.by_key.get(key(value))


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The whole questionnaire; `unexecuted` lists every construct that is read and not carried out."""

    items: tuple[Item, ...]
    url: str = ""
    version: str = ""
    id: str = ""
    name: str = ""
    title: str = ""
    status: str = ""
    fhir_version: str = "R4"
    effective_start: str = ""
    effective_end: str = ""
    unexecuted: tuple[Unexecuted, ...] = ()
    by_link_id: Mapping[str, Item] = field(default_factory=dict, compare=False, repr=False)

    def walk(self) -> Iterator[Item]:
        """Every item in document order."""
        stack = list(reversed(self.items))
        while stack:
            item = stack.pop()
            yield item
            stack.extend(reversed(item.items))


def parse_questionnaire(document: Any, fhir_version: str = "R4", supplements: Iterable[Any] = ()) -> Questionnaire:
    """The Questionnaire in this JSON document; `supplements` are ValueSets and CodeSystems beside it.

    Reads what has the right shape and leaves out what has not: `validate_questionnaire` says what is wrong. Numbers
    should have been read as Decimal (`read_json`). Never raises for any JSON value.
    """
    root = document if isinstance(document, Mapping) else {}
    terminology = Terminology(root, supplements)
    reader = _Reader(fhir_version, terminology)
    items = reader.items(root, "Questionnaire", 0)
    period = root.get("effectivePeriod")
    period = period if isinstance(period, Mapping) else {}
    parsed = Questionnaire(
        items=items,
        url=text(root, "url"),
        version=text(root, "version"),
        id=text(root, "id"),
        name=text(root, "name"),
        title=text(root, "title"),
        status=text(root, "status"),
        fhir_version=fhir_version,
        effective_start=text(period, "start"),
        effective_end=text(period, "end"),
        unexecuted=tuple(list_unexecuted(root, "Questionnaire")),
    )
    index: dict[str, Item] = {}
    for item in parsed.walk():
        index.setdefault(item.link_id, item)
    object.__setattr__(parsed, "by_link_id", index)
    return parsed


class _Reader:
    def __init__(self, fhir_version: str, terminology: Terminology):
        self.r5 = fhir_version == "R5"
        self.terminology = terminology
        self.of_sets: dict[str, tuple[tuple[Option, ...], dict[tuple, Option], bool]] = {}

    def items(self, parent: Mapping, path: str, depth: int) -> tuple[Item, ...]:
        raw = parent.get("item")
        if not isinstance(raw, list) or depth >= MAX_DEPTH:
            return ()
        return tuple(
            self.item(entry, f"{path}.item[{place}]", depth)
            for place, entry in enumerate(raw)
            if isinstance(entry, Mapping)
        )

    def item(self, raw: Mapping, path: str, depth: int) -> Item:
        extensions = _by_url(raw)
        written = text(raw, "type")
        options, by_key, complete = self.options(raw, path)
        type_name, types, constraint = self.types(raw, written, options)
        return Item(
            link_id=text(raw, "linkId"),
            type=type_name,
            text=text(raw, "text"),
            prefix=text(raw, "prefix"),
            codes=tuple(read_coding(code) for code in objects(raw, "code")),
            definition=text(raw, "definition"),
            enable_when=tuple(
                EnableWhen(
                    text(condition, "question"),
                    text(condition, "operator"),
                    choice(condition, "answer"),
                    f"{path}.enableWhen[{place}]",
                )
                for place, condition in enumerate(objects(raw, "enableWhen"))
            ),
            enable_behavior=text(raw, "enableBehavior"),
            required=raw.get("required") is True,
            repeats=raw.get("repeats") is True,
            read_only=raw.get("readOnly") is True,
            hidden=_flag(extensions, FHIR + "questionnaire-hidden"),
            answer_types=types,
            answer_constraint=constraint,
            options=options,
            options_complete=complete,
            answer_value_set=text(raw, "answerValueSet"),
            initial=self.initial(raw),
            max_length=whole(raw.get("maxLength")),
            items=self.items(raw, path, depth + 1),
            path=path,
            by_key=by_key,
            **_limits(extensions),
        )

    def types(self, raw: Mapping, written: str, options: tuple[Option, ...]) -> tuple[str, tuple[str, ...], str]:
        """R4's type, the types that an answer may have, and R5's answerConstraint."""
        constraint = text(raw, "answerConstraint") or _code(raw, _CONSTRAINT_OF_R5)
        types = ANSWER_TYPES.get(written, ())
        if written in ("choice", "open-choice"):
            of_options = {option.value.type for option in options}
            if of_options and not text(raw, "answerValueSet"):
                types = tuple(sorted(of_options | ({"string"} if written == "open-choice" else set())))
            constraint = constraint or ("optionsOrString" if written == "open-choice" else "optionsOnly")
            if constraint == "optionsOrString":
                types = tuple(dict.fromkeys((*types, "string")))
            return written, types, constraint
        constraint = constraint or "optionsOnly"
        has_options = bool(options or text(raw, "answerValueSet"))
        if written == "coding":
            if constraint == "optionsOrString":
                return "open-choice", ("Coding", "string"), constraint
            return "choice", types, constraint if has_options else "optionsOrType"
        if has_options and constraint == "optionsOrString":
            types = tuple(dict.fromkeys((*types, "string")))
        return written, types, constraint if has_options else "optionsOrType"

    def options(self, raw: Mapping, path: str) -> tuple[tuple[Option, ...], dict[tuple, Option], bool]:
        """The options of one item, the same by `values.key`, and whether these are all."""
        found = []
        for place, entry in enumerate(objects(raw, "answerOption")):
            value = choice(entry, "value")
            if value is None:
                continue
            weight = read_weight(entry)
            if weight is None:  # on the value: valueCoding, or _valueInteger beside valueInteger
                weight = read_weight(entry.get("valueCoding"))
            for name in entry if weight is None else ():
                if name.startswith("_value"):
                    weight = read_weight(entry[name])
            if weight is None and value.type == "Coding":
                weight = self.terminology.weight(value.content)
            extensions = _by_url(entry)
            found.append(
                Option(
                    value=value,
                    weight=weight,
                    initial_selected=entry.get("initialSelected") is True,
                    exclusive=_flag(extensions, FHIR + "questionnaire-optionExclusive")
                    or _flag(extensions, SDC + "sdc-questionnaire-optionExclusive"),
                    prefix=_string(extensions, FHIR + "questionnaire-optionPrefix"),
                    path=f"{path}.answerOption[{place}]",
                )
            )
        own = {key(option.value): option for option in reversed(found)}
        canonical = text(raw, "answerValueSet")
        if not canonical:
            return tuple(found), own, True
        of_set, by_key, complete = self.of_set(canonical)
        if not found:
            return of_set, by_key, complete
        return (*found, *of_set), by_key | own, complete

    def of_set(self, canonical: str) -> tuple[tuple[Option, ...], dict[tuple, Option], bool]:
        """The options of a value set, made once however many items offer it."""
        if canonical not in self.of_sets:
            contents = self.terminology.value_set(canonical)
            concepts = contents.concepts if contents else ()
            options = tuple(Option(Value("Coding", concept.coding), concept.weight) for concept in concepts)
            by_key = {key(option.value): option for option in reversed(options)}
            self.of_sets[canonical] = options, by_key, contents is not None and contents.complete
        return self.of_sets[canonical]

    def initial(self, raw: Mapping) -> tuple[Value, ...]:
        read = (choice(entry, "value") for entry in objects(raw, "initial"))
        return tuple(value for value in read if value is not None)


def _by_url(element: Mapping) -> dict[str, list[Mapping]]:
    found: dict[str, list[Mapping]] = {}
    for extension in objects(element, "extension"):
        if url := text(extension, "url"):
            found.setdefault(url, []).append(extension)
    return found


def _code(element: Mapping, url: str) -> str:
    return next((text(entry, "valueCode") for entry in objects(element, "extension") if entry.get("url") == url), "")


def _flag(extensions: dict[str, list[Mapping]], url: str) -> bool:
    return any(extension.get("valueBoolean") is True for extension in extensions.get(url, ()))


def _string(extensions: dict[str, list[Mapping]], url: str) -> str:
    return next((text(extension, "valueString") for extension in extensions.get(url, ())), "")


def _integer(extensions: dict[str, list[Mapping]], url: str) -> int | None:
    return next((whole(extension.get("valueInteger")) for extension in extensions.get(url, ())), None)


def _bound(extensions: dict[str, list[Mapping]], *urls: str) -> Value | None:
    for url in urls:
        for extension in extensions.get(url, ()):
            if (value := choice(extension, "value", VALUE_TYPES)) is not None:
                return value
    return None


def _limits(extensions: dict[str, list[Mapping]]) -> dict[str, Any]:
    """What the extensions of an item say of its answers."""
    codings = {
        url: tuple(
            read_coding(entry["valueCoding"])
            for entry in extensions.get(url, ())
            if isinstance(entry.get("valueCoding"), Mapping)
        )
        for url in (FHIR + "questionnaire-unit", FHIR + "questionnaire-unitOption")
    }
    control = next(
        (entry.get("valueCodeableConcept") for entry in extensions.get(FHIR + "questionnaire-itemControl", ())), None
    )
    sizes = [
        number(entry.get(name))
        for entry in extensions.get(FHIR + "maxSize", ())
        for name in ("valueDecimal", "valueInteger")
    ]
    return {
        "min_length": _integer(extensions, FHIR + "minLength"),
        "max_decimal_places": _integer(extensions, FHIR + "maxDecimalPlaces"),
        "min_value": _bound(extensions, FHIR + "minValue", SDC + "sdc-questionnaire-minQuantity"),
        "max_value": _bound(extensions, FHIR + "maxValue", SDC + "sdc-questionnaire-maxQuantity"),
        "min_occurs": _integer(extensions, FHIR + "questionnaire-minOccurs"),
        "max_occurs": _integer(extensions, FHIR + "questionnaire-maxOccurs"),
        "max_size": next((size for size in sizes if size is not None), None),
        "mime_types": tuple(
            text(entry, "valueCode") or text(entry, "valueString") for entry in extensions.get(FHIR + "mimeType", ())
        ),
        "reference_types": tuple(
            text(entry, "valueCode") for entry in extensions.get(FHIR + "questionnaire-referenceResource", ())
        ),
        "regex": _string(extensions, FHIR + "regex"),
        "entry_format": _string(extensions, FHIR + "entryFormat"),
        "control": next((text(code, "code") for code in objects(control, "coding")), ""),
        "unit": next(iter(codings[FHIR + "questionnaire-unit"]), None),
        "unit_options": codings[FHIR + "questionnaire-unitOption"],
        "unit_value_set": next(
            (text(entry, "valueCanonical") for entry in extensions.get(FHIR + "questionnaire-unitValueSet", ())), ""
        ),
        "unit_open": next(
            (text(entry, "valueCode") for entry in extensions.get(SDC + "sdc-questionnaire-unitOpen", ())), ""
        ),
    }


def list_unexecuted(root: Any, path: str) -> Iterator[Unexecuted]:
    """Every extension, anywhere in the document, that is not read; every modifierExtension; every implicit rule."""
    stack: list[tuple[Any, str, int]] = [(root, path, 0)]
    while stack:
        element, place, depth = stack.pop()
        if depth > MAX_DEPTH * 3:
            continue
        if isinstance(element, Mapping):
            yield from _unexecuted_here(element, place)
            children = [
                (child, f"{place}.{name.removeprefix('_') if isinstance(name, str) else name}")
                for name, child in element.items()
                if isinstance(child, Mapping | list) and name not in ("extension", "modifierExtension", "contained")
            ]
        else:
            children = [(child, f"{place}[{index}]") for index, child in enumerate(element)]
        stack.extend(
            (child, inner, depth + 1) for child, inner in reversed(children) if isinstance(child, Mapping | list)
        )


def _unexecuted_here(element: Mapping, place: str) -> Iterator[Unexecuted]:
    if text(element, "implicitRules"):
        yield Unexecuted(f"{place}.implicitRules", "implicitRules", "隐含规则（implicitRules）", modifier=True)
    for name in ("extension", "modifierExtension"):
        raw = element.get(name)
        for index, extension in enumerate(raw if isinstance(raw, list) else ()):
            url = text(extension, "url") if isinstance(extension, Mapping) else ""
            modifier = name == "modifierExtension"
            if url and (modifier or url not in _READ):
                what = NOT_EXECUTED.get(url, "改变含义的扩展" if modifier else "不认识的扩展")
                yield Unexecuted(f"{place}.{name}[{index}]", url, what, modifier)
