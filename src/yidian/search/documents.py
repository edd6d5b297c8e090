"""What search knows of a public thing: plain text, whatever model it came from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """One public thing as it is searched.

    `head` holds what names it: its title first, then its alternative names; `body` the rest as plain text. `tags`
    are what results can be filtered by: "department:<slug>", "body_part:<slug>", "population:<slug>".
    """

    kind: str
    object_id: str
    head: tuple[str, ...]
    body: str = ""
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return key_of(self.kind, self.object_id)


def key_of(kind: str, object_id: str | int) -> str:
    """The one name of a document in every index: "question:123"."""
    return f"{kind}:{object_id}"
