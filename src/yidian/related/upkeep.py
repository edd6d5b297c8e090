"""Keeping further reading up: what changed, and what stands beside it, is worked out again, a few entries at a time.

Search tells of each change once its own index knows it (setting YIDIAN_INDEXED), in the transaction that crosses the
change off its list. Earlier would be too early: further reading is found through that index. So nothing is forgotten
when a process dies, and neither `search` nor `editorial` has to know of what is derived above them.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from django.db import OperationalError, transaction
from django.db.models import Max

from yidian.encyclopedia.models import Condition
from yidian.pagecache.actions import purge_on_commit
from yidian.related.choosing import Chosen, Shelf, choose
from yidian.related.models import Link, Reading, ReadingRequest
from yidian.related.subjects import KINDS, World, world
from yidian.search.backends import IndexDamaged
from yidian.search.engine import Engine
from yidian.search.library import NotReady, library
from yidian.search.models import IndexRequest
from yidian.terms.models import BodyPart

logger = logging.getLogger(__name__)

# An entry: its kind and its id.
Key = tuple[str, int]

# A tick of the ticker leaves room for purges: this is a fifth of one processor.
TICK_ENTRIES = 10
TICK_BATCH = 5
TICK_SECONDS = 0.05
# Minutes after which an entry that failed again and again is tried again; it begins with two.
LONGEST_WAIT = 24 * 60
# Entries worked out at once when all are: they share what they read. Each time as much as SHELF was read, a megabyte
# for a thousand, it is forgotten.
TOGETHER = 50
SHELF = 20_000
# Ids looked at in a tick when searching for entries that nobody has worked out yet.
WINDOW = 2_000
# A condition or a part of the body that changes touches this many entries of each kind; the rest wait for `reindex`.
MOST_TOUCHED = 2_000


def indexed(changes: Iterable[tuple[str, str]]) -> None:
    """Notes entries, as (kind, id), that changed and that the search index has just seen."""
    wanted: set[tuple[str, int]] = set()
    touched: set[tuple[str, int]] = set()
    for kind, object_id in changes:
        if kind in KINDS:
            wanted.add((kind, int(object_id)))
        if kind in ("condition", "body_part"):
            touched |= _filed_under(kind, int(object_id))
    _request(wanted, spreads=True)
    _request(touched - wanted, spreads=False)


def _filed_under(kind: str, pk: int) -> set[tuple[str, int]]:
    found = set()
    for other, model in KINDS.items():
        if kind == "body_part":
            filed = model.objects.public().filter(body_parts=pk)
        elif other == "condition":
            filed = model.objects.public().filter(broader=pk)
        else:
            filed = model.objects.public().filter(about=pk)
        found |= {(other, entry) for entry in filed.order_by("-pk").values_list("pk", flat=True)[:MOST_TOUCHED]}
    return found


def _request(entries: Iterable[tuple[str, int]], *, spreads: bool) -> None:
    ReadingRequest.objects.bulk_create(
        (ReadingRequest(kind=kind, object_id=pk, spreads=spreads) for kind, pk in sorted(entries)),
        batch_size=500,
        ignore_conflicts=True,
    )


class Upkeep:
    """What one process remembers between ticks: the conditions of the site, how far it has looked, and what failed."""

    def __init__(self):
        self._world: World | None = None
        self._stamp: tuple | None = None
        self._looked: dict[str, int | None] = dict.fromkeys(KINDS, 0)
        # how often an entry failed, and when by the monotonic clock it is tried again
        self._failed: dict[Key, tuple[int, float]] = {}

    def tick(self) -> int:
        """Works out what is asked for, or what nobody has worked out yet; how many entries, at most TICK_ENTRIES.

        Nothing while the index is behind or being built. An entry that fails is put off and holds up nobody.
        """
        started, done = time.process_time(), 0
        asked = _last_request()
        requested = self._requested()
        due = requested or dict.fromkeys(self._missing(), False)
        if not due or IndexRequest.objects.filter(generation="").exists():
            return 0
        try:
            engine = library().engine()
            shelf = Shelf(self.known(engine))
            for batch in _in_batches(due, TICK_BATCH):
                failed = made({key: due[key] for key in batch}, engine, shelf, asked=asked)
                for key in batch:
                    if not requested:
                        self._looked[key[0]] = key[1]
                    if key in failed:
                        self._put_off(key, failed[key])
                    else:
                        self._failed.pop(key, None)
                done += len(batch)
                if time.process_time() - started > TICK_SECONDS:
                    break
        except NotReady:
            return done
        except IndexDamaged:
            library().report_damage()
        return done

    def _requested(self) -> dict[Key, bool]:
        """The next entries that are asked for and not put off, and whether those beside them are looked at too."""
        now = time.monotonic()
        waiting = {key for key, (_, again) in self._failed.items() if again > now}
        # an entry has two requests at most
        rows = ReadingRequest.objects.order_by("pk").values_list("kind", "object_id", "spreads")
        due: dict[Key, bool] = {}
        for kind, pk, spreads in rows[: TICK_ENTRIES + 2 * len(waiting)]:
            if (kind, pk) not in waiting:
                due[kind, pk] = due.get((kind, pk), False) or spreads
        return dict(islice(due.items(), TICK_ENTRIES))

    def _put_off(self, key: Key, error: Exception) -> None:
        failures = self._failed.get(key, (0, 0.0))[0] + 1
        minutes = min(2**failures, LONGEST_WAIT)
        self._failed[key] = failures, time.monotonic() + 60 * minutes
        # neither the message nor the trace of an error is written down: both may quote the entry
        logger.warning("%s:%s 的延展阅读没有配好（%s），%d 分钟后再试", *key, type(error).__name__, minutes)

    def known(self, engine: Engine) -> World:
        """The conditions and parts of the body as they are now; read again when one of them changed."""
        stamp = (id(engine.lexicon), *map(_stamp, (Condition, BodyPart)))
        if self._world is None or stamp != self._stamp:
            self._world, self._stamp = world(engine.lexicon), stamp
        return self._world

    def _missing(self) -> list[tuple[str, int]]:
        """The next entries without further reading; each id is looked at once in the life of a process."""
        for kind, model in KINDS.items():
            after = self._looked[kind]
            if after is None:
                continue
            window = list(
                model.objects.public().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:WINDOW]
            )
            if not window:
                self._looked[kind] = None  # later ones come with a request
                continue
            made = Reading.objects.filter(kind=kind, object_id__gte=window[0], object_id__lte=window[-1])
            asked_for = {pk for failed, pk in self._failed if failed == kind}
            lacking = sorted(set(window) - set(made.values_list("object_id", flat=True)) - asked_for)[:TICK_ENTRIES]
            if not lacking:
                self._looked[kind] = window[-1]
            return [(kind, pk) for pk in lacking]
        return []


def _stamp(model) -> tuple:
    public = model.objects.public()
    return public.count(), public.aggregate(last=Max("last_published_at"))["last"]


def made(entries: Mapping[Key, bool], engine: Engine, shelf: Shelf, *, asked: int) -> dict[Key, Exception]:
    """As `make`; those that failed, each with its error.

    They stay asked for, the others only by requests after the one of number `asked`: what was asked for since may have
    changed since too.
    """
    try:
        with transaction.atomic():
            make(entries, engine, shelf)
            for kind, ids in _by_kind(entries).items():
                ReadingRequest.objects.filter(pk__lte=asked, kind=kind, object_id__in=ids).delete()
        return {}
    except (NotReady, IndexDamaged, OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one entry, the others go on
        if len(entries) == 1:
            _request(entries, spreads=False)
            return dict.fromkeys(entries, error)
    failed: dict[Key, Exception] = {}
    for key, spreads in entries.items():
        failed |= made({key: spreads}, engine, shelf, asked=asked)
    return failed


def make(entries: Mapping[Key, bool], engine: Engine, shelf: Shelf) -> dict[Key, list[Chosen]]:
    """Works out and keeps what stands next to entries, given as (kind, id); nothing is kept of one that is not public.

    Where an entry's value is true, those that list it and those that it lists are asked for too.
    """
    chosen = choose(entries, engine, shelf)
    with transaction.atomic():
        beside: set[Key] = set()
        for key, spreads in entries.items():
            if spreads:
                beside |= {*_listing(*key), *((each.kind, each.pk) for each in chosen[key])}
        _request(beside, spreads=False)
        gone = [key for key in entries if shelf.subject(key) is None]
        for kind, ids in _by_kind(gone).items():
            Reading.objects.filter(kind=kind, object_id__in=ids).delete()
        _keep({key: chosen[key] for key in entries if key not in set(gone)})
    return chosen


def _keep(chosen: Mapping[Key, list[Chosen]]) -> None:
    for kind, ids in _by_kind(chosen).items():
        # two processes at the same entry take turns
        locked = Reading.objects.select_for_update().filter(kind=kind, object_id__in=ids).order_by("pk")
        readings = {reading.object_id: reading for reading in locked}
        new = [Reading(kind=kind, object_id=pk) for pk in ids if pk not in readings]
        if new:
            Reading.objects.bulk_create(new, ignore_conflicts=True)
            readings = {reading.object_id: reading for reading in locked.all()}
        before: dict[int, list[tuple]] = defaultdict(list)
        held = Link.objects.filter(reading__in=[each.pk for each in readings.values()]).order_by("position")
        for reading, *row in held.values_list("reading", *(f"{each}_id" for each in KINDS), "why"):
            before[reading].append(tuple(row))
        changed = [pk for pk in ids if before[readings[pk].pk] != [_row(each) for each in chosen[kind, pk]]]
        Link.objects.filter(reading__in=[readings[pk].pk for pk in changed]).delete()
        Link.objects.bulk_create(
            Link(reading_id=readings[pk].pk, position=position, why=each.why, **{f"{each.kind}_id": each.pk})
            for pk in changed
            for position, each in enumerate(chosen[kind, pk])
        )
        purge_on_commit([f"{kind}:{pk}" for pk in changed])


def _by_kind(entries: Iterable[Key]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for kind, pk in entries:
        found[kind].append(pk)
    return found


def _last_request() -> int:
    return ReadingRequest.objects.aggregate(last=Max("pk"))["last"] or 0


def _in_batches(entries: Iterable[Key], size: int) -> Iterator[list[Key]]:
    found = iter(entries)
    while batch := list(islice(found, size)):
        yield batch


def _row(chosen: Chosen) -> tuple:
    """A link as it is stored."""
    return *(chosen.pk if kind == chosen.kind else None for kind in KINDS), chosen.why


def _listing(kind: str, pk: int) -> set[tuple[str, int]]:
    """The entries that list this one; at most MOST_TOUCHED."""
    found = Link.objects.filter(**{f"{kind}_id": pk}).values_list("reading__kind", "reading__object_id")
    return set(found[:MOST_TOUCHED])


def rebuild(progress: Callable[[Iterable, int], Iterable] = lambda entries, length: entries) -> int:
    """Works out the further reading of every public entry again; of how many. Needs a search index.

    Entries that fail are said in the log and stay asked for.
    """
    engine = library().engine()
    known = world(engine.lexicon)
    asked = _last_request()
    for kind, model in KINDS.items():
        Reading.objects.filter(kind=kind).exclude(object_id__in=model.objects.public().values("pk")).delete()
    count = sum(model.objects.public().count() for model in KINDS.values())
    shelf, failed = Shelf(known), {}
    for batch in _in_batches(progress(_every(), count), TOGETHER):
        if len(shelf) > SHELF:
            shelf = Shelf(known)
        failed |= made(dict.fromkeys(batch, False), engine, shelf, asked=asked)
    ReadingRequest.objects.filter(pk__lte=asked).delete()
    _request(failed, spreads=False)
    for key, error in failed.items():
        logger.warning("%s:%s 的延展阅读没有配好（%s）", *key, type(error).__name__)
    return count - len(failed)


def _every() -> Iterator[tuple[str, int]]:
    for kind, model in KINDS.items():
        after = 0
        while ids := list(
            model.objects.public().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:WINDOW]
        ):
            yield from ((kind, pk) for pk in ids)
            after = ids[-1]


def up_to_date(kind: str, pk: int) -> list[Chosen]:
    """What stands next to a public entry, worked out now when that is due; [] while there is no search index."""
    reading = Reading.objects.filter(kind=kind, object_id=pk).first()
    requests = ReadingRequest.objects.filter(kind=kind, object_id=pk)
    if reading is None or requests.exists():
        try:
            engine = library().engine()
        except NotReady:
            return []
        spreads = requests.filter(spreads=True).exists()
        with transaction.atomic():
            chosen = make({(kind, pk): spreads}, engine, Shelf(world(engine.lexicon)))
            requests.delete()
        return chosen[kind, pk]
    return [
        Chosen(other, getattr(link, f"{other}_id"), link.why)
        for link in reading.links.order_by("position")
        for other in KINDS
        if getattr(link, f"{other}_id")
    ]
