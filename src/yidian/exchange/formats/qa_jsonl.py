"""医生问答，每行一个 JSON：department, title, ask, answer"""

import io
from collections.abc import Iterator

from yidian.exchange.incoming import Consultation, Fault, json_lines, text_of

ORIGIN = LICENCE = ""
PAGES = False

_FIELDS = [name for name in Consultation.__dataclass_fields__ if name != "place"]
_REQUIRED = ("title", "ask", "answer")


def read(stream: io.BufferedIOBase) -> Iterator[Consultation | Fault]:
    """Consultations by line; fields that are not known are left aside."""
    for found in json_lines(stream):
        if isinstance(found, Fault):
            yield found
            continue
        place, record = found
        values, wrong = text_of(record, _FIELDS)
        missing = [name for name in _REQUIRED if name not in record]
        if wrong:
            yield Fault(place, wrong, "这里应当是文字")
        elif missing:
            yield Fault(place, missing[0], f"没有这些字段：{'、'.join(missing)}")
        else:
            yield Consultation(place, **values)
