"""FHIR values of answers and options as plain frozen Python, and how two of them compare."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Coding:
    """A code; "" where a part is not given."""

    system: str = ""
    code: str = ""
    display: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured amount; `value` is None when it has none, "" where a text is not given."""

    value: Decimal | None = None
    comparator: str = ""
    unit: str = ""
    system: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A link to another resource."""

    reference: str = ""
    type: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file; `size` in bytes as stated, `data` in base64."""

    content_type: str = ""
    url: str = ""
    title: str = ""
    size: int | None = None
    data: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One value[x]: `type` is FHIR's name (boolean, decimal, Coding …).

    `content` is a bool, Decimal, int, str (dates and times as written), Coding, Quantity, Reference or Attachment.
    """

    type: str
    content: Any


def text(parent: Mapping, name: str) -> str:
    """The text under this name, "" when there is none or it is no text."""
    found = parent.get(name)
    return found if isinstance(found, str) else ""


def whole(raw: object) -> int | None:
    """The whole number, None for anything else (a bool too)."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw
    return None


def number(raw: object) -> Decimal | None:
    """The number as a Decimal, exactly as written; None for anything else and for what is not finite."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        raw = Decimal(raw)
    if isinstance(raw, float):
        raw = Decimal(repr(raw))
    if not isinstance(raw, Decimal) or not raw.is_finite() or abs(raw.adjusted()) > MAX_EXPONENT:
        return None
    return raw


MAX_EXPONENT = 400  # more than a double has; a product of two stays far inside what Decimal can hold


_TEXTS = frozenset(
    [
        "string",
        "markdown",
        "code",
        "id",
        "uri",
        "url",
        "canonical",
        "oid",
        "uuid",
        "date",
        "dateTime",
        "time",
        "instant",
    ]
)


def read_value(type_name: str, raw: object) -> Value | None:
    """The value of this FHIR type, None when `raw` has not its shape. Says nothing about its format."""
    content: object = None
    if type_name == "boolean":
        content = raw if isinstance(raw, bool) else None
    elif type_name in ("integer", "positiveInt", "unsignedInt"):
        content = whole(raw)
    elif type_name == "decimal":
        content = number(raw)
    elif type_name in _TEXTS:
        content = raw if isinstance(raw, str) else None
    elif isinstance(raw, Mapping):
        content = _read_complex(type_name, raw)
    return None if content is None else Value(type_name, content)


def _read_complex(type_name: str, raw: Mapping) -> object:
    if type_name == "Coding":
        return read_coding(raw)
    if type_name == "Quantity":
        return Quantity(
            number(raw.get("value")), text(raw, "comparator"), text(raw, "unit"), text(raw, "system"), text(raw, "code")
        )
    if type_name == "Reference":
        return Reference(text(raw, "reference"), text(raw, "type"), text(raw, "display"))
    if type_name == "Attachment":
        return Attachment(
            text(raw, "contentType"), text(raw, "url"), text(raw, "title"), whole(raw.get("size")), text(raw, "data")
        )
    return None


def read_coding(raw: Mapping) -> Coding:
    """The Coding written in this object."""
    return Coding(text(raw, "system"), text(raw, "code"), text(raw, "display"), text(raw, "version"))


VALUE_TYPES = (
    "boolean",
    "decimal",
    "integer",
    "date",
    "dateTime",
    "time",
    "string",
    "uri",
    "Attachment",
    "Coding",
    "Quantity",
    "Reference",
)


def choice(parent: Mapping, stem: str, types: tuple[str, ...] = VALUE_TYPES) -> Value | None:
    """The first value[x], answer[x] … of this object that can be read, None when there is none."""
    for type_name in types:
        name = stem + type_name[0].upper() + type_name[1:]
        if name in parent and (value := read_value(type_name, parent[name])) is not None:
            return value
    return None


# --- comparing ---------------------------------------------------------------------------------------------------

# UCUM units that measure the same, as a multiple of one base; enough for what questionnaires ask in. No affine units.
_UNITS: dict[str, tuple[str, Decimal]] = {
    code: (base, Decimal(factor))
    for base, members in {
        "g": {"kg": "1000", "g": "1", "mg": "0.001", "ug": "0.000001", "t": "1000000"}
        | {"[lb_av]": "453.59237", "[oz_av]": "28.349523125"},
        "m": {"km": "1000", "m": "1", "dm": "0.1", "cm": "0.01", "mm": "0.001", "um": "0.000001"}
        | {"[in_i]": "0.0254", "[ft_i]": "0.3048", "[mi_i]": "1609.344"},
        "s": {"wk": "604800", "d": "86400", "h": "3600", "min": "60", "s": "1", "ms": "0.001"},
        "mo": {"a": "12", "mo": "1"},
        "L": {
            "L": "1",
            "l": "1",
            "dL": "0.1",
            "dl": "0.1",
            "cL": "0.01",
            "mL": "0.001",
            "ml": "0.001",
            "uL": "0.000001",
        },
        "mol": {"mol": "1", "mmol": "0.001", "umol": "0.000001", "nmol": "0.000000001"},
        "mol/L": {"mol/L": "1", "mmol/L": "0.001", "umol/L": "0.000001"},
        "g/L": {"g/L": "1", "mg/L": "0.001", "g/dL": "10", "mg/dL": "0.01", "ug/L": "0.000001", "ng/mL": "0.000001"},
        "Pa": {"kPa": "1000", "Pa": "1", "mm[Hg]": "133.322"},
        "kJ": {"kJ": "1", "J": "0.001"},
        "cal": {"kcal": "1", "cal": "0.001"},
    }.items()
    for code, factor in members.items()
}
UCUM = "http://unitsofmeasure.org"

_TWO = "([0-9][0-9])"
_CLOCK = rf"T{_TWO}(?::{_TWO}(?::{_TWO}(?:\.([0-9]+))?)?)?(Z|[+-][0-9][0-9]:[0-9][0-9])?"
_DATE_TIME = re.compile(rf"([0-9]{{4}})(?:-{_TWO}(?:-{_TWO}(?:{_CLOCK})?)?)?")
_TIME = re.compile(rf"{_TWO}:{_TWO}(?::{_TWO}(?:\.([0-9]+))?)?")
_NUMBERS = frozenset(["integer", "decimal", "positiveInt", "unsignedInt"])
_DATES = frozenset(["date", "dateTime", "instant"])
_STRINGS = frozenset(["string", "markdown", "code", "id", "uri", "url", "canonical"])


def kind(type_name: str) -> str:
    """The family in which values can be compared: number, moment, time, text, or the type itself."""
    if type_name in _NUMBERS:
        return "number"
    if type_name in _DATES:
        return "moment"
    return "text" if type_name in _STRINGS else type_name


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1 as `left` is before, equal to or after `right`; None when FHIR gives no answer.

    No answer: other kinds, partial dates that agree as far as they go, a time zone on one side only where that
    decides, and quantities in units that do not measure the same (after FHIRPath's rules for comparison).
    """
    family = kind(left.type)
    if family != kind(right.type):
        return None
    if family in ("number", "text"):
        return _order(left.content, right.content)
    if family == "moment":
        return _compare_moments(left.content, right.content)
    if family == "time":
        first, second = _TIME.fullmatch(left.content), _TIME.fullmatch(right.content)
        return _compare_parts(_parts(first), _parts(second)) if first and second else None
    if family == "Quantity":
        return _compare_quantities(left.content, right.content)
    return None


def equal(left: Value, right: Value) -> bool | None:
    """Whether both are the same; None when that cannot be said. Values of other kinds are not the same.

    A Coding is compared by system and code, as FHIR says for enableWhen and options; without a code by its display.
    """
    family = kind(left.type)
    if family != kind(right.type):
        return False
    if family == "boolean":
        return left.content == right.content
    if family == "Coding":
        return same_coding(left.content, right.content)
    if family == "Reference":
        return left.content.reference == right.content.reference if left.content.reference else None
    if family == "Attachment":
        return left.content == right.content
    order = compare(left, right)
    if order is None and family == "moment" and _precision(left.content) != _precision(right.content):
        return None
    return None if order is None else order == 0


def key(value: Value) -> tuple:
    """What two values that `equal` calls the same have in common, for sets; of values that can be decided by it.

    Dates and quantities are taken as written.
    """
    content = value.content
    if isinstance(content, Coding):
        return ("Coding", content.system, content.code or ("", content.display))
    if isinstance(content, Reference):
        return ("Reference", content.reference)
    return (kind(value.type), content)


def same_coding(left: Coding, right: Coding) -> bool:
    """Whether both mean the same concept: system and code, without any code the display."""
    if left.code or right.code:
        return left.code == right.code and left.system == right.system
    return left.system == right.system and left.display == right.display


def _order(left, right) -> int:
    return (left > right) - (left < right)


def _precision(written: str) -> int:
    found = _DATE_TIME.fullmatch(written)
    return sum(part is not None for part in found.groups()[:6]) if found else 0


def _parts(found: re.Match) -> list[Decimal | None]:
    groups = list(found.groups())
    fraction = groups.pop() if found.re is _TIME else groups[6]
    numbers: list[Decimal | None] = [None if part is None else Decimal(part) for part in groups[:6]]
    if fraction is not None and numbers[-1] is not None:
        numbers[-1] += Decimal(f"0.{fraction}")
    return numbers


def _compare_parts(left: list, right: list) -> int | None:
    for first, second in zip(left, right, strict=True):
        if first is None and second is None:
            return 0
        if first is None or second is None:
            return None
        if first != second:
            return _order(first, second)
    return 0


def _moment(found: re.Match) -> datetime | None:
    year, month, day, hour, minute, second, _, zone = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), min(int(second or 0), 59))
        if zone and zone != "Z":
            shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            moment = moment - shift if zone[0] == "+" else moment + shift
    except (ValueError, OverflowError):
        return None
    return moment


def _compare_moments(left: str, right: str) -> int | None:
    first, second = _DATE_TIME.fullmatch(left), _DATE_TIME.fullmatch(right)
    if not first or not second:
        return None
    zones = first.group(8), second.group(8)
    if first.group(4) is None or second.group(4) is None or zones == (None, None) or zones[0] == zones[1]:
        return _compare_parts(_parts(first), _parts(second))
    moments = _moment(first), _moment(second)
    if moments[0] is None or moments[1] is None:
        return None
    if None in zones and abs(moments[0] - moments[1]) <= timedelta(hours=14):  # the widest offset there is
        return None
    if moments[0] != moments[1]:
        return _order(moments[0], moments[1])
    return _order(Decimal(f"0.{first.group(7) or 0}"), Decimal(f"0.{second.group(7) or 0}"))


def _compare_quantities(left: Quantity, right: Quantity) -> int | None:
    if left.value is None or right.value is None or left.comparator or right.comparator:
        return None
    units = [(q.system, q.code) if q.code else ("", q.unit) for q in (left, right)]
    if units[0] == units[1]:
        return _order(left.value, right.value)
    bases = [_UNITS.get(code) if system == UCUM else None for system, code in units]
    if bases[0] and bases[1] and bases[0][0] == bases[1][0]:
        return _order(left.value * bases[0][1], right.value * bases[1][1])
    return None
