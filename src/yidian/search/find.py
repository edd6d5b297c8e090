"""Find published objects by what readers type: names whole or in part, by sound, by initials, misspelt.

At most 5 database queries a search (3 when the query is all Chinese), whatever the size of the index.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.db import connection

from yidian.search.keys import match_form, query_grams, sounds, tokens, typed_grams
from yidian.search.models import Name, NameGram
from yidian.zh.grams import runs
from yidian.zh.normalise import clean
from yidian.zh.pinyin import fold, initials, pinyin, split_syllables

# Rows that one search may bring from each index, so that a search of common words costs what a rare one does. Twice
# what is put beside full text; each costs 10 µs to compare. What is cut shares least with the query, or is longest.
CANDIDATES = 60
# Postings read for all grams of a query together: about 1 ms of CPU on SQLite.
POSTINGS = 3_000
MIN_POSTINGS_PER_GRAM = 80
# Names inside a longer query are looked up whole, up to this length: longer names are found by their grams.
# A query of 100 characters asks for some 1,100 of them, about 2 ms.
CONTAINED_LENGTH = 12
MAX_LIMIT = 100

# How well a name answers, best first.
EXACT_TITLE, EXACT_NAME, PREFIX, CONTAINED, ALL_PARTS, SAME_SOUND, INSIDE, SOUND, PARTIAL = range(9)


@dataclass(frozen=True)
class FoundName:
    """One object: its title, and the alternative name that matched, if it was one."""

    kind: str
    object_id: str
    url: str
    title: str
    name: str | None
    tier: int


def find(
    query: str, kinds: Iterable[str] | None = None, limit: int = 20, *, resembling: bool = True
) -> list[FoundName]:
    """The objects whose title or alternative name the query means, best first, each object once.

    Any string is a query; nothing in it is an operator. Only its first 100 characters count.
    Order: exact title, exact alternative name, names that begin with the query, names that contain it, all its
    parts in another order, names inside the query, the same sound or typed pinyin, most of it; within
    each the length nearest to the query's, then weight. Without `resembling` only names that are the query, begin
    with it, in letters too, or stand in it: for half of the price.
    """
    asked = _Asked(query)
    kinds = None if kinds is None else list(kinds)
    if not asked.normal or kinds == []:
        return []
    pools = [*_beginning(asked, kinds), _whole(asked, kinds)]
    if resembling:
        pools.append(_sharing(asked, kinds))
    return _best(asked, pools, limit)


def suggest(prefix: str, limit: int = 8, kinds: Iterable[str] | None = None) -> list[FoundName]:
    """What the reader may be about to type: names beginning so, in characters, pinyin or initials.

    Falls back to everything `find` finds when these are fewer than `limit`.
    """
    asked = _Asked(prefix)
    kinds = None if kinds is None else list(kinds)
    if not asked.normal or kinds == []:
        return []
    found = _best(asked, _beginning(asked, kinds), limit)
    return found if len(found) >= limit else find(prefix, kinds, limit)


class _Row(NamedTuple):
    id: int
    kind: str
    object_id: str
    url: str
    title: str
    text: str
    normal: str
    pinyin: str
    initials: str
    is_title: bool
    weight: int


class _Asked:
    """A query in every form in which it is compared."""

    def __init__(self, query: str):
        self.written = clean(query[:400]).strip()
        self.normal = match_form(query)
        self.has_latin = any(not is_han for _, is_han in runs(self.normal))

    @cached_property
    def letters(self) -> str:
        return pinyin(self.normal).replace(" ", "")

    @cached_property
    def initials(self) -> str:
        """What the query is if its Latin part is initials: 小腿cj → xtcj."""
        return initials(self.normal)

    @cached_property
    def typed(self) -> list[str] | None:
        """The syllables, when the Latin part can be read as pinyin."""
        return split_syllables(self.letters) if self.has_latin else None

    @cached_property
    def heard(self) -> list[str]:
        return [fold(syllable) for syllable in self.typed] if self.typed else sounds(self.normal)

    @cached_property
    def parts(self) -> list[str]:
        return tokens(self.written)

    @cached_property
    def characters(self) -> frozenset[str]:
        return frozenset(self.normal)

    @cached_property
    def grams(self) -> list[int]:
        grams = query_grams(self.normal)
        return sorted(grams | typed_grams(self.typed) if self.typed else grams)

    @cached_property
    def positions(self) -> dict[str, int]:
        """For each sound a bit mask of where it stands in the query."""
        masks: dict[str, int] = {}
        for at, sound in enumerate(self.heard):
            masks[sound] = masks.get(sound, 0) | 1 << at
        return masks

    def common_with(self, heard: list[str]) -> int:
        """The length of the longest common subsequence of sounds (Hyyrö's bit-parallel recurrence)."""
        everything = (1 << len(self.heard)) - 1
        row = everything
        for sound in heard:
            matched = row & self.positions.get(sound, 0)
            row = ((row + matched) | (row - matched)) & everything
        return len(self.heard) - row.bit_count()


def _rows(condition: str, values: Sequence[object], kinds: list[str] | None, order: str) -> list[_Row]:
    """The names that meet a condition. In SQL of our own: the ORM makes it anew each time, for twice what it costs."""
    table, columns = connection.ops.quote_name(Name._meta.db_table), ", ".join(_Row._fields)
    only = f" AND kind IN ({_places(kinds)})" if kinds is not None else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {table} WHERE {condition}{only} ORDER BY {order} LIMIT %s",  # noqa: S608 - our own
            [*values, *(kinds or ()), CANDIDATES],
        )
        return [_Row(*row) for row in cursor.fetchall()]


def _places(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def _whole(asked: _Asked, kinds: list[str] | None) -> list[_Row]:
    """Names equal to the query or to a stretch of it that begins and ends with a character or a word."""
    starts, ends = [], []
    at = 0
    for run, is_han in runs(asked.normal):
        at = asked.normal.index(run, at)
        starts += range(at, at + len(run)) if is_han else [at]
        ends += range(at + 1, at + len(run) + 1) if is_han else [at + len(run)]
        at += len(run)
    wanted = {asked.normal[s:e] for s in starts for e in ends if 1 < e - s <= CONTAINED_LENGTH}
    wanted.add(asked.normal)
    longest_first = "LENGTH(normal) DESC, is_title DESC, weight DESC, id"
    return _rows(f"normal IN ({_places(wanted)})", sorted(wanted), kinds, longest_first)


def _beginning(asked: _Asked, kinds: list[str] | None) -> list[list[_Row]]:
    """Names that begin with the query as written; when it has Latin letters, also by pinyin and initials."""
    pools = [_begins("normal", asked.normal, kinds)]
    if asked.has_latin:
        pools.append(_begins("pinyin", asked.letters, kinds))
        # One letter is the initial of everything.
        if len(asked.initials) > 1:
            pools.append(_begins("initials", asked.initials, kinds))
    return pools


def _begins(column: str, prefix: str, kinds: list[str] | None) -> list[_Row]:
    """A prefix test that an index answers: SQLite's LIKE does not, nor PostgreSQL's comparison by locale."""
    if connection.vendor == "sqlite":
        return _rows(f"{column} >= %s AND {column} < %s", [prefix, prefix + "\U0010ffff"], kinds, column)
    escaped = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return _rows(f"{column} LIKE %s", [f"{escaped}%"], kinds, column)


def _sharing(asked: _Asked, kinds: list[str] | None) -> list[_Row]:
    """The names that share most grams with the query.

    Only placeholders are repeated: no text of the query enters the statement.
    """
    if not asked.grams:
        return []
    quote = connection.ops.quote_name
    columns = ", ".join(f"n.{quote(column)}" for column in _Row._fields)
    each = max(POSTINGS // len(asked.grams), MIN_POSTINGS_PER_GRAM)
    branch = (
        f"SELECT * FROM (SELECT name, length FROM {quote(NameGram._meta.db_table)}"  # noqa: S608 - our table's name
        " WHERE gram = %s ORDER BY length, name LIMIT %s) AS b"
    )
    postings = " UNION ALL ".join([branch] * len(asked.grams))
    parameters: list[object] = [value for gram in asked.grams for value in (gram, each)]
    only = ""
    if kinds is not None:
        of_kind = f"SELECT 1 FROM {quote(Name._meta.db_table)} k WHERE k.id = p.name"  # noqa: S608 - likewise
        only = f" WHERE EXISTS ({of_kind} AND k.kind IN ({_places(kinds)}))"
        parameters += kinds
    shared = (
        f"SELECT p.name, COUNT(*) AS grams, MIN(p.length) AS length FROM ({postings}) AS p{only}"  # noqa: S608 - likewise
        " GROUP BY p.name ORDER BY grams DESC, length, p.name LIMIT %s"
    )
    sql = f"SELECT {columns} FROM ({shared}) AS c JOIN {quote(Name._meta.db_table)} n ON n.id = c.name"  # noqa: S608 - likewise
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, CANDIDATES])
        return [_Row(*values) for values in cursor.fetchall()]


def _best(asked: _Asked, pools: list[list[_Row]], limit: int) -> list[FoundName]:
    best: dict[tuple[str, str], tuple[tuple, _Row]] = {}
    for row in {row.id: row for pool in pools for row in pool}.values():
        fit = _fit(asked, row)
        if fit is None:
            continue
        tier, grade = fit
        key = (
            tier,
            grade,
            abs(len(row.normal) - len(asked.normal)),
            -row.weight,
            not row.is_title,
            row.normal,
            row.id,
        )
        held = best.get((row.kind, row.object_id))
        if held is None or key < held[0]:
            best[row.kind, row.object_id] = (key, row)
    ranked = sorted(best.values(), key=lambda entry: entry[0])
    return [
        FoundName(row.kind, row.object_id, row.url, row.title, None if row.is_title else row.text, key[0])
        for key, row in ranked[: min(max(limit, 0), MAX_LIMIT)]
    ]


def _fit(asked: _Asked, row: _Row) -> tuple[int, float] | None:
    """The tier of a name and, within it, a grade (smaller is better); None when it does not answer."""
    name, query = row.normal, asked.normal
    if name == query:
        return (EXACT_TITLE if row.is_title else EXACT_NAME), float(row.text != asked.written)
    if name.startswith(query):
        return PREFIX, 0
    if _contains(name, query, whole_words=False):
        return CONTAINED, 0
    if len(asked.parts) > 1 and all(_contains(name, part, whole_words=False) for part in asked.parts):
        return ALL_PARTS, 0
    if not asked.has_latin and len(query) == len(name) > 2 and asked.characters == frozenset(name):
        return ALL_PARTS, 1
    # before the names inside it: 小腿抽经 means 小腿抽筋 rather than 小腿
    heard = sounds(name)
    if not asked.has_latin and heard == asked.heard:
        return SAME_SOUND, 0
    if len(name) > 1 and _contains(query, name, whole_words=True):
        return INSIDE, 0
    return _sound_fit(asked, row, heard) or _partial_fit(asked, name, heard)


def _sound_fit(asked: _Asked, row: _Row, heard: list[str]) -> tuple[int, float] | None:
    if asked.has_latin:
        if row.pinyin == asked.letters:
            return SOUND, 0
        if row.initials == asked.initials:
            return SOUND, 1
        if row.pinyin.startswith(asked.letters):
            return SOUND, 2
        if len(asked.initials) > 1 and row.initials.startswith(asked.initials):
            return SOUND, 3
    if len(asked.heard) > 1 and (_within(asked.heard, heard) or (len(heard) > 1 and _within(heard, asked.heard))):
        return SOUND, 4
    return None


def _partial_fit(asked: _Asked, name: str, heard: list[str]) -> tuple[int, float] | None:
    common = asked.common_with(heard)
    # Two thirds: one wrong character in three, two in six.
    if common > 1 and 3 * common >= 2 * min(len(heard), len(asked.heard)):
        return PARTIAL, -round(2 * common / (len(heard) + len(asked.heard)), 3)
    if asked.has_latin and _has_close_word(asked.normal, name):
        return PARTIAL, 0
    return None


def _contains(whole: str, part: str, *, whole_words: bool) -> bool:
    """Whether the part stands in the whole, not from inside a Latin word (`whole_words`: nor to inside one)."""
    at = whole.find(part)
    while at >= 0:
        end = at + len(part)
        starts_word = not (at and _one_word(whole[at - 1], whole[at]))
        ends_word = not (whole_words and end < len(whole) and _one_word(whole[end - 1], whole[end]))
        if starts_word and ends_word:
            return True
        at = whole.find(part, at + 1)
    return False


def _one_word(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _within(part: list[str], whole: list[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(whole)} "


def _has_close_word(query: str, name: str) -> bool:
    """Whether a Latin word of four letters or more is one letter away from one of the name's."""
    asked = [run for run, is_han in runs(query) if not is_han and len(run) > 3]
    held = [run for run, is_han in runs(name) if not is_han]
    return any(_one_letter_apart(word, other) for word in asked for other in held)


def _one_letter_apart(word: str, other: str) -> bool:
    """Equal, or one letter wrong, missing or extra, or two neighbours swapped."""
    if abs(len(word) - len(other)) > 1:
        return False
    same = 0
    while same < min(len(word), len(other)) and word[same] == other[same]:
        same += 1
    rest, other_rest = word[same:], other[same:]
    return (
        rest[1:] == other_rest[1:]
        or rest == other_rest[1:]
        or rest[1:] == other_rest
        or (rest[:2] == other_rest[1::-1] and rest[2:] == other_rest[2:])
    )
