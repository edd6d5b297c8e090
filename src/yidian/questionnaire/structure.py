"""Whether a document has the shape of its FHIR type: elements, types, how often, codes, extensions, references."""

import re
from collections.abc import Iterator, Mapping
from html.entities import name2codepoint
from typing import Any

from yidian.questionnaire.definitions import (
    OPAQUE,
    PRIMITIVES,
    RESOURCE_TYPES,
    ElementDefinition,
    TypeDefinition,
    types_of,
)
from yidian.questionnaire.outcome import Issue, quote
from yidian.questionnaire.primitives import base64_size, fault
from yidian.questionnaire.reading import join
from yidian.questionnaire.values import Value, compare, number, text
from yidian.questionnaire.wellknown import code_fault, name_fault

_MAX_FAULTS = 5_000  # then the document is something else, and looking on costs seconds
_MAX_NESTING = 200  # elements in elements; `read_json` allows 160 lists and objects


def check_structure(document: Any, resource_type: str, fhir_version: str = "R4") -> list[Issue]:
    """The faults of the document as a resource of this type in R4, R4B or R5, each with its FHIRPath.

    Invariants of the data types and of DomainResource (ele-1, ext-1, dom-2 … dom-5, txt-1, per-1, qty-3, att-1, ref-1)
    are included; those of Questionnaire and QuestionnaireResponse are not.
    """
    if not isinstance(document, Mapping):
        said = f"应该是一个 {resource_type} 对象，这里是{quote(document)}。"
        return [Issue("fatal", "structure", said, resource_type)]
    found = document.get("resourceType")
    if found != resource_type:
        said = f"应该写 “resourceType”: “{resource_type}”" + (f"，这里是 {quote(found)}。" if found else "。")
        return [Issue("fatal", "structure" if found else "required", said, resource_type)]
    checker = _Checker(fhir_version, document)
    try:
        checker.resource(document, resource_type, resource_type, contained=False)
    except _EnoughError:
        checker.issues.append(Issue("fatal", "too-costly", "错误太多，没有检查下去。请改正后再来。", resource_type))
    return checker.issues


class _EnoughError(Exception):
    """More faults than anyone reads."""


class _Checker:
    def __init__(self, fhir_version: str, root: Mapping):
        self.types = types_of(fhir_version)
        self.issues: list[Issue] = []
        self.contained = {text(entry, "id") for entry in _objects(root.get("contained"))} - {""}
        self.referred: set[str] = set()
        self.ids: dict[str, set[str]] = {}  # element ids by the path of their resource

    def say(self, code: str, diagnostics: str, path: str, severity: str = "error") -> None:
        if len(self.issues) >= _MAX_FAULTS:
            raise _EnoughError
        self.issues.append(Issue(severity, code, diagnostics, path))

    # --- resources ---

    def resource(self, found: Mapping, type_name: str, path: str, *, contained: bool) -> None:
        definition = self.types.get(type_name)
        if definition is None or "contained" not in definition.elements:
            self.say("informational", f"没有检查 {quote(type_name)}：医典不用这种资源。", path, "information")
            self.collect_references(found)
            return
        self.elements(found, definition, path, 0)
        inner = found.get("contained")
        for place, entry in enumerate(inner if isinstance(inner, list) else ()):
            if isinstance(entry, Mapping):
                self.contained_resource(entry, f"{path}.contained[{place}]", inside=contained)
        if not contained:
            self.unused_contained(found, path)

    def contained_resource(self, found: Mapping, path: str, *, inside: bool) -> None:
        if inside:
            self.say("invariant", "dom-2：包含的资源里不能再包含资源。", path)
            return
        kind = found.get("resourceType")
        if not isinstance(kind, str):
            self.say("required", "缺少 resourceType。", path)
            return
        if kind not in RESOURCE_TYPES:
            self.say("structure", f"没有 {quote(kind)} 这种资源。", f"{path}.resourceType")
            return
        if not text(found, "id"):
            self.say("required", "包含的资源要有 id，否则没有办法引用它。", path)
        meta = found.get("meta")
        if isinstance(meta, Mapping):
            if "versionId" in meta or "lastUpdated" in meta:
                self.say("invariant", "dom-4：包含的资源不能有 meta.versionId 和 meta.lastUpdated。", f"{path}.meta")
            if "security" in meta:
                self.say("invariant", "dom-5：包含的资源不能有 meta.security。", f"{path}.meta")
        self.resource(found, kind, path, contained=True)

    def unused_contained(self, root: Mapping, path: str) -> None:
        inner = root.get("contained")
        seen: set[str] = set()
        for place, entry in enumerate(inner if isinstance(inner, list) else ()):
            identity = text(entry, "id") if isinstance(entry, Mapping) else ""
            if identity and identity in seen:
                self.say("duplicate", f"有两个包含的资源都叫 {quote(identity)}。", f"{path}.contained[{place}].id")
            seen.add(identity)
            if identity and f"#{identity}" not in self.referred and not _refers_to_owner(entry):
                said = f"dom-3：没有一处引用包含的资源 {quote(identity)}。请引用它，或去掉它。"
                self.say("invariant", said, f"{path}.contained[{place}]")

    def collect_references(self, found: Any) -> None:
        stack = [found]
        while stack:
            element = stack.pop()
            if isinstance(element, Mapping):
                stack.extend(element.values())
            elif isinstance(element, list):
                stack.extend(element)
            elif isinstance(element, str) and element.startswith("#"):
                self.referred.add(element)

    # --- elements ---

    def elements(self, found: Mapping, definition: TypeDefinition, path: str, depth: int) -> None:
        """One object as this type: every property, then what is missing."""
        is_resource = "language" in definition.elements and "meta" in definition.elements
        present: dict[ElementDefinition, list[str]] = {}
        for name in found:
            if not isinstance(name, str):
                continue
            if is_resource and name == "resourceType":
                continue
            bare = name.removeprefix("_")
            known = definition.elements.get(bare)
            if known is None or (name != bare and known[1] not in PRIMITIVES):
                self.unknown(name, definition, path)
                continue
            element, type_name = known
            names = present.setdefault(element, [])
            if bare not in names:
                names.append(bare)
                self.property(found, bare, element, type_name, path, depth, definition.name)
        for element, names in present.items():
            if len(names) > 1:
                said = f"{element.name}[x] 只能写一种，这里写了 {'、'.join(names)}。"
                self.say("structure", said, f"{path}.{element.name}")
        for element in definition.required:
            if element not in present:
                choices = " 或 ".join(definition.names(element)[:4]) + (" …" if len(element.types) > 4 else "")
                self.say("required", f"缺少 {choices}。", f"{path}.{element.name}")
        if not found or (set(found) <= {"id"} and not is_resource):
            self.say("invariant", "ele-1：空的对象。请写上内容，或整个去掉。", path)
        if not is_resource and isinstance(identity := found.get("id"), str):
            resource = re.match(r"\w+(?:\.contained\[\d+\])?", path)
            seen = self.ids.setdefault(resource.group() if resource else "", set())
            if identity in seen:
                self.say("duplicate", f"同一份资源里有两个元素的 id 都是 {quote(identity)}。", f"{path}.id")
            seen.add(identity)
        if rule := _RULES.get(definition.name):
            self.issues.extend(rule(found, path))

    def unknown(self, name: str, definition: TypeDefinition, path: str) -> None:
        if name == "resourceType":
            said = "这里不能有 resourceType。"
        else:
            said = f"{definition.name} 没有 {quote(name)} 这个元素。请看有没有写错，或写错了地方。"
        self.say("structure", said, join(path, name))

    def property(
        self,
        parent: Mapping,
        name: str,
        element: ElementDefinition,
        type_name: str,
        path: str,
        depth: int,
        owner: str,
    ) -> None:
        place = f"{path}.{element.name}"
        primitive = type_name in PRIMITIVES
        raw, beside = parent.get(name), parent.get(f"_{name}")
        if not element.many:
            if name in parent and isinstance(raw, list):
                self.say("structure", "这里只能有一个，不能写成列表。", place)
                return
            if isinstance(beside, list):
                self.say("structure", "这里只能有一个，不能写成列表。", place)
                return
            if name in parent and raw is None and not (primitive and beside):
                self.say("structure", "不能是 null；没有就整个去掉。", place)
                return
            self.single(raw, beside, element, type_name, place, depth, owner)
            return
        for written, label in ((raw, name), (beside, f"_{name}")):
            if label in parent and not isinstance(written, list):
                self.say("structure", "应该是列表，请用 [ ] 括起来。", place)
                return
            if label in parent and not written:
                self.say("structure", "不能是空的列表；没有就整个去掉。", place)
                return
        values, besides = raw or [], beside or []
        for index in range(max(len(values), len(besides))):
            value = values[index] if index < len(values) else None
            extra = besides[index] if index < len(besides) else None
            if value is None and extra is None:
                self.say("structure", "列表里不能有 null。", f"{place}[{index}]")
            else:
                self.single(value, extra, element, type_name, f"{place}[{index}]", depth, owner)

    def single(
        self,
        value: Any,
        beside: Any,
        element: ElementDefinition,
        type_name: str,
        path: str,
        depth: int,
        owner: str,
    ) -> None:
        if depth > _MAX_NESTING:
            self.say("too-costly", "套得太深，没有检查下去。", path)
        elif type_name in PRIMITIVES:
            if beside is not None:
                self.beside(beside, value is not None, path, depth)
            if value is not None:
                self.primitive(value, element, type_name, path)
        elif type_name == "Resource":
            if not isinstance(value, Mapping):
                self.say("structure", f"应该是一个对象，这里是 {quote(value)}。", path)
        elif not isinstance(value, Mapping):
            self.say("structure", f"应该是一个 {type_name} 对象，这里是 {quote(value)}。", path)
        elif type_name in OPAQUE:
            self.collect_references(value)
            if not value:
                self.say("invariant", "ele-1：空的对象。请写上内容，或整个去掉。", path)
        else:
            if type_name == "Extension":
                self.extension(value, path, owner)
            if type_name == "Reference":
                self.reference(value, path)
            self.elements(value, self.types[type_name], path, depth + 1)

    def beside(self, beside: Any, has_value: bool, path: str, depth: int) -> None:
        """The id and extensions of a primitive, written under its name with `_` before it."""
        if not isinstance(beside, Mapping):
            self.say("structure", f"“_” 开头的元素应该是一个对象，这里是 {quote(beside)}。", path)
        elif not (has_value and set(beside) == {"id"} and isinstance(beside["id"], str)):
            self.elements(beside, self.types["Element"], path, depth + 1)

    def primitive(self, value: Any, element: ElementDefinition, type_name: str, path: str) -> None:
        if said := fault(type_name, value):
            self.say("value", f"{quote(value)} 不能作 {type_name}：{said}。", path)
            return
        if element.codes is not None and value not in element.codes:
            allowed = "、".join(sorted(element.codes)[:18])
            self.say("code-invalid", f"{quote(value)} 不在允许的代码里：{allowed}。", path)
        if element.binding == "resource-type" and value not in RESOURCE_TYPES:
            self.say("code-invalid", f"{quote(value)} 不是资源的类型。", path)
        if type_name == "canonical":
            self.canonical(value, path)
        elif type_name == "xhtml":
            self.issues.extend(_check_xhtml(value, path))
        elif type_name in ("uri", "url") and value.startswith("#"):
            self.referred.add(value)

    def canonical(self, value: str, path: str) -> None:
        if value.startswith("#"):
            self.referred.add(value)
            if value[1:] not in self.contained:
                self.say("not-found", f"没有包含名叫 {quote(value)} 的资源。", path)
        elif not _is_absolute(value):
            self.say("value", f"{quote(value)} 应该是完整的网址（例如以 http:// 开头），或是 # 加包含资源的 id。", path)

    def reference(self, value: Mapping, path: str) -> None:
        target = text(value, "reference")
        if target.startswith("#"):
            self.referred.add(target)
            if target != "#" and target[1:] not in self.contained:
                self.say("invariant", f"ref-1：没有包含名叫 {quote(target)} 的资源。", path)
        elif target and not _is_reference(target):
            self.say("value", f"{quote(target)} 不是引用：应该像 Patient/1，或是完整的网址。", path)
        if not any(name in value for name in ("reference", "identifier", "display", "extension", "_reference", "type")):
            self.say("structure", "引用里要有 reference、identifier 或 display。", path)

    def extension(self, value: Mapping, path: str, owner: str) -> None:
        url = value.get("url")
        if isinstance(url, str) and url and not _is_absolute(url) and ".extension[" not in path.rpartition(".")[0]:
            self.say("value", f"扩展的 url {quote(url)} 应该是完整的网址。", path)
        has_value = any(isinstance(name, str) and name.lstrip("_").startswith("value") for name in value)
        known = _EXTENSION_VALUES.get(url) if isinstance(url, str) else None
        if isinstance(url, str) and owner not in _EXTENSION_PLACES.get(url, (owner,)):
            self.say("extension", f"这个扩展不能用在 {owner} 上，在这里不起作用。", path)
        if known and has_value and not any(name in value or f"_{name}" in value for name in known):
            self.say("extension", f"这个扩展的值要写成 {' 或 '.join(known)}。", path)
        if has_value and "extension" in value:
            self.say("invariant", "ext-1：扩展里要么有值，要么有下一层扩展，不能都有。", path)
        elif not has_value and "extension" not in value:
            self.say("invariant", "ext-1：扩展里没有值。", path)


def _objects(found: Any) -> list[Mapping]:
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _is_absolute(url: str) -> bool:
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", url))


def _is_reference(target: str) -> bool:
    if _is_absolute(target):
        return True
    return bool(
        re.fullmatch(r"/?[A-Z][A-Za-z]*/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#\S+)?", target)
    )


def _refers_to_owner(entry: Any) -> bool:
    stack = [entry]
    while stack:
        found = stack.pop()
        if isinstance(found, Mapping):
            if found.get("reference") == "#":
                return True
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
    return False


_FHIR = "http://hl7.org/fhir/StructureDefinition/"
_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
# What the extensions that limit or weigh answers hold (FHIR 4.0.1 and SDC 3.0); of another type they would be lost.
_EXTENSION_VALUES: dict[str, tuple[str, ...]] = {
    _FHIR + "ordinalValue": ("valueDecimal",),
    _FHIR + "itemWeight": ("valueDecimal",),
    _FHIR + "minValue": ("valueDate", "valueDateTime", "valueTime", "valueDecimal", "valueInteger", "valueQuantity"),
    _FHIR + "maxValue": ("valueDate", "valueDateTime", "valueTime", "valueDecimal", "valueInteger", "valueQuantity"),
    _FHIR + "minLength": ("valueInteger",),
    _FHIR + "maxDecimalPlaces": ("valueInteger",),
    _FHIR + "maxSize": ("valueDecimal",),
    _FHIR + "mimeType": ("valueCode",),
    _FHIR + "regex": ("valueString",),
    _FHIR + "entryFormat": ("valueString",),
    _FHIR + "questionnaire-minOccurs": ("valueInteger",),
    _FHIR + "questionnaire-maxOccurs": ("valueInteger",),
    _FHIR + "questionnaire-optionExclusive": ("valueBoolean",),
    _FHIR + "questionnaire-optionPrefix": ("valueString",),
    _FHIR + "questionnaire-hidden": ("valueBoolean",),
    _FHIR + "questionnaire-unit": ("valueCoding",),
    _FHIR + "questionnaire-unitOption": ("valueCoding",),
    _FHIR + "questionnaire-unitValueSet": ("valueCanonical",),
    _FHIR + "questionnaire-itemControl": ("valueCodeableConcept",),
    _FHIR + "questionnaire-referenceResource": ("valueCode",),
    _SDC + "minQuantity": ("valueQuantity",),
    _SDC + "maxQuantity": ("valueQuantity",),
}

_ON_ITEM = ("Questionnaire.item",)
_WEIGHED = (
    *("Questionnaire.item.answerOption", "Coding", "Element", "ValueSet.concept", "ValueSet.contains"),
    "CodeSystem.concept",
)
# Where they have a meaning; "Element" is what stands beside a primitive.
_EXTENSION_PLACES: dict[str, tuple[str, ...]] = {
    _FHIR + "ordinalValue": _WEIGHED,
    _FHIR + "itemWeight": _WEIGHED,
    _FHIR + "questionnaire-optionExclusive": _WEIGHED,
    _FHIR + "questionnaire-optionPrefix": _WEIGHED,
    _FHIR + "questionnaire-minOccurs": _ON_ITEM,
    _FHIR + "questionnaire-maxOccurs": _ON_ITEM,
    _FHIR + "questionnaire-hidden": _ON_ITEM,
    _FHIR + "questionnaire-unit": _ON_ITEM,
    _FHIR + "questionnaire-unitOption": _ON_ITEM,
    _FHIR + "questionnaire-itemControl": _ON_ITEM,
    _FHIR + "questionnaire-referenceResource": _ON_ITEM,
    _SDC + "minQuantity": _ON_ITEM,
    _SDC + "maxQuantity": _ON_ITEM,
}


# --- the invariants of the data types ---


def _check_period(found: Mapping, path: str) -> Iterator[Issue]:
    start, end = text(found, "start"), text(found, "end")
    if start and end and compare(Value("dateTime", start), Value("dateTime", end)) == 1:
        yield Issue("error", "invariant", "per-1：开始不能晚于结束。", path)


def _check_quantity(found: Mapping, path: str) -> Iterator[Issue]:
    if found.get("code") and not found.get("system"):
        yield Issue("error", "invariant", "qty-3：写了单位的 code，就要写它的 system。", path)


def _check_range(found: Mapping, path: str) -> Iterator[Issue]:
    ends = [number(end.get("value")) for name in ("low", "high") if isinstance(end := found.get(name), Mapping)]
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        yield Issue("error", "invariant", "rng-2：下限不能高于上限。", path)


def _check_ratio(found: Mapping, path: str) -> Iterator[Issue]:
    if ("numerator" in found) != ("denominator" in found):
        yield Issue("error", "invariant", "rat-1：分子和分母要么都有，要么都没有。", path)


def _check_attachment(found: Mapping, path: str) -> Iterator[Issue]:
    data, size = text(found, "data"), found.get("size")
    if data and not found.get("contentType"):
        yield Issue("error", "invariant", "att-1：有 data 就要写 contentType。", path)
    if isinstance(size, str) and size.isdecimal() and len(size) < 20:  # R5 writes it as integer64, in quotes
        size = int(size)
    if data and isinstance(size, int) and not fault("base64Binary", data) and base64_size(data) != size:
        yield Issue("error", "value", f"写的大小是 {size} 字节，附件其实是 {base64_size(data)} 字节。", f"{path}.size")


def _check_coding(found: Mapping, path: str) -> Iterator[Issue]:
    system = text(found, "system")
    if system and not _is_absolute(system):
        yield Issue("error", "value", f"{quote(system)} 不是完整的网址；编码系统要用它的网址。", f"{path}.system")
    code, display = text(found, "code"), text(found, "display")
    if code and not system:
        said = f"编码 {quote(code)} 没有写 system，不知道是哪个编码系统的。"
        yield Issue("information", "incomplete", said, path)
    if said := code_fault(system, code):
        yield Issue("error", "code-invalid", f"{quote(code)} {said}。", f"{path}.code")
    if display and (name := name_fault(system, code, display)):
        said = f"{quote(code)} 的名称是 {quote(name)}，这里写的是 {quote(display)}。"
        yield Issue("error", "code-invalid", said, f"{path}.display")


_RULES = {
    "Period": _check_period,
    "Quantity": _check_quantity,
    "Age": _check_quantity,
    "Count": _check_quantity,
    "Distance": _check_quantity,
    "Duration": _check_quantity,
    "Range": _check_range,
    "Ratio": _check_ratio,
    "Attachment": _check_attachment,
    "Coding": _check_coding,
}

_XHTML = "{http://www.w3.org/1999/xhtml}"
_FORBIDDEN = frozenset(
    ["script", "form", "input", "button", "object", "embed", "iframe", "frame", "link", "meta", "base", "style", "html"]
).union(["head", "body"])
_MAX_XHTML = 500_000  # characters that are parsed


def _check_xhtml(written: str, path: str) -> Iterator[Issue]:
    """txt-1 and txt-2: well-formed, one <div> in XHTML's namespace, nothing active, not empty."""
    from xml.etree import ElementTree

    if "<!" in written.replace("<!--", "") or len(written) > _MAX_XHTML:
        yield Issue("error", "invariant", "txt-1：这里只能是一个 <div>，不能有文档类型和 CDATA，也不能太长。", path)
        return
    named = re.sub(r"&(\w{2,8});", _character, written)
    try:
        root = ElementTree.fromstring(named)  # noqa: S314 see above
    except (ElementTree.ParseError, ValueError, RecursionError):
        yield Issue("error", "invariant", "txt-1：不是合格的 XHTML，请检查标签是否成对。", path)
        return
    if root.tag != f"{_XHTML}div":
        said = '最外层应该是 <div xmlns="http://www.w3.org/1999/xhtml">。'
        yield Issue("error", "invariant", f"txt-1：{said}", path)
        return
    for element in root.iter():
        name = element.tag.removeprefix(_XHTML) if isinstance(element.tag, str) else ""
        active = [name for name in element.attrib if name.lower().startswith("on")]
        if name in _FORBIDDEN or active:
            said = f"txt-1：不能有 {quote(active[0] if active else name)}，只能有文字和版式。"
            yield Issue("error", "invariant", said, path)
    if not "".join(root.itertext()).strip() and root.find(f".//{_XHTML}img") is None:
        yield Issue("error", "invariant", "txt-2：里面要有文字。", path)


def _character(found: re.Match) -> str:
    """HTML's named characters, which FHIR's narrative may use and XML does not know."""
    name = found.group(1)
    code = name2codepoint.get(name)
    return found.group() if code is None or name in ("lt", "gt", "amp", "quot", "apos") else chr(code)
