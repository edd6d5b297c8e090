"""Writes that keep search in line. Call them inside the transaction that changes the object."""

from collections.abc import Iterable

from django.db import connection

from yidian.search.keys import MATCHED_LENGTH, match_form, name_grams
from yidian.search.models import IndexRequest, Name, NameGram
from yidian.zh.normalise import clean
from yidian.zh.pinyin import initials, pinyin

# No entry has more names than this in earnest; more would fill the index for one object.
MAX_NAMES = 100

_COMPARED = ("url", "title", "text", "normal", "pinyin", "initials", "is_title", "weight")


def index_names(
    kind: str, object_id: str | int, url: str, title: str, names: Iterable[str] = (), weight: int = 0
) -> None:
    """Make an object findable by its title and its alternative names, in place of what was indexed for it."""
    rows = names_of(kind, object_id, url, title, names, weight)
    of_object = Name.objects.filter(kind=kind, object_id=str(object_id))
    # Most saves change no name: reading is a tenth of the price of writing postings again.
    wanted = {tuple(getattr(row, column) for column in _COMPARED) for row in rows}
    if set(of_object.values_list(*_COMPARED)) == wanted:
        return
    remove_names(kind, object_id)
    insert_names(rows)


def names_of(
    kind: str, object_id: str | int, url: str, title: str, names: Iterable[str] = (), weight: int = 0
) -> list[Name]:
    """The names by which an object is found, not saved yet.

    Names equal to the title or to each other in match form are kept once; a name of nothing visible is left
    out. `weight` decides between equally good matches; the larger first. At most MAX_NAMES names.
    """
    shown = clean(title).strip()
    rows: dict[str, Name] = {}
    for text in [title, *names]:
        normal = match_form(text)
        if not normal or normal in rows:
            continue
        if len(rows) == MAX_NAMES:
            break
        rows[normal] = Name(
            kind=kind,
            object_id=str(object_id),
            url=url,
            title=shown[:255],
            text=clean(text).strip()[:255],
            normal=normal,
            pinyin=pinyin(normal).replace(" ", "")[: MATCHED_LENGTH * 6],
            initials=initials(normal)[:MATCHED_LENGTH],
            is_title=text == title,
            weight=weight,
        )
    return list(rows.values())


def insert_names(names: list[Name]) -> None:
    """Make new objects findable by their `names_of`, any number at once."""
    _insert_postings(Name.objects.bulk_create(names))


def index_later(kind: str, object_id: str | int) -> None:
    """Have the full-text index look at an object again, published or not, once the transaction has committed."""
    IndexRequest.objects.create(kind=kind, object_id=str(object_id))


def remove_names(kind: str, object_id: str | int) -> None:
    """Make an object unfindable: nothing of it stays in the index."""
    gone = list(Name.objects.filter(kind=kind, object_id=str(object_id)).values_list("id", "normal"))
    if not gone:
        return
    for name, normal in gone:
        NameGram.objects.filter(gram__in=name_grams(normal), length=len(normal), name=name).delete()
    Name.objects.filter(id__in=[name for name, _ in gone]).delete()


def _insert_postings(names: list[Name]) -> None:
    """In plain SQL: model instances would cost ten times the insert itself, some 25 rows a name."""
    rows = [(gram, len(name.normal), name.pk) for name in names for gram in sorted(name_grams(name.normal))]
    table = connection.ops.quote_name(NameGram._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} (gram, length, name) VALUES (%s, %s, %s)", rows)  # noqa: S608 - our own table's name
