"""What a dry run of somebody else's file would change, field by field, so that a person can read it."""

from collections.abc import Callable, Iterable

# A person looks at some and trusts the counts for the rest.
MAX_SHOWN = 20
# Characters of a value that are shown, from shortly before the first difference.
MAX_VALUE = 60
_LEAD = 10


class Changes:
    """Says the first MAX_SHOWN changes; `finish` says how many more there were."""

    def __init__(self, say: Callable[[str], None]):
        self._say, self._count = say, 0

    def say(self, heading: str, fields: Callable[[], Iterable[tuple[str, str, str]]]) -> None:
        """Says one record's change; `fields` gives each field's label, old and new text, and is asked only if shown."""
        self._count += 1
        if self._count > MAX_SHOWN:
            return
        self._say(heading)
        changed = [each for each in fields() if each[1] != each[2]]
        is_new = not any(old for _, old, _ in changed)
        for label, old, new in changed:
            pairs = enumerate(zip(old, new, strict=False))
            same = next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
            before = "" if is_new else f"{_shown(old, same)} → "
            self._say(f"  {label}：{before}{_shown(new, same)}")

    def finish(self) -> None:
        if self._count > MAX_SHOWN:
            self._say(f"……还有 {self._count - MAX_SHOWN:,} 条，不一一列出。")


def _shown(text: str, same: int) -> str:
    if not text:
        return "（无）"
    start = max(0, same - _LEAD) if same > _LEAD + 5 else 0
    cut = text[start : start + MAX_VALUE].replace("\n", " ")
    length = f"（共 {len(text):,} 字）" if len(text) > MAX_VALUE else ""
    return ("…" if start else "") + cut + ("…" if start + MAX_VALUE < len(text) else "") + length
