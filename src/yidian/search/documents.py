"""What search knows of a public thing: plain text, whatever model it came from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """One public thing as it is searched.

    `head` holds what names it: its title first, then its alternative names; `body` the rest as plain text. `tags`
    are what results can be filtered by: "department:<slug>", "body_part:<slug>", "population:<slug>". `lead` is the
    part of the text that answers its name. `url`, `conditions` and `body_parts` (names) are for those who show it.
    """

    kind: str
    object_id: str
    head: tuple[str, ...]
    body: str = ""
    tags: tuple[str, ...] = ()
    lead: str = ""
    url: str = ""
    conditions: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.head[0]

    @property
    def key(self) -> str:
        return key_of(self.kind, self.object_id)

    @property
    def public_id(self) -> str:
        """What the outside knows it by, on every site that holds it: "question:h2f6k8pw"."""
        return f"{self.kind}:{self.url.strip('/').rpartition('/')[2]}"


def key_of(kind: str, object_id: str | int) -> str:
    """The one name of a document in every index: "question:123"."""
    return f"{kind}:{object_id}"
