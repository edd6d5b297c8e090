"""Keeping further reading up: what changed, and what stands beside it, is worked out again, a few entries at a time.

Search tells of each change once its own index knows it (setting YIDIAN_INDEXED), in the transaction that crosses the
change off its list. Earlier would be too early: further reading is found through that index. So nothing is forgotten
when a process dies, and neither `search` nor `editorial` has to know of what is derived above them.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from django.db import transaction
from django.db.models import Max

from yidian.encyclopedia.models import Condition
from yidian.pagecache.actions import purge_on_commit
from yidian.related.choosing import Chosen, choose
from yidian.related.models import Link, Reading, ReadingRequest
from yidian.related.subjects import KINDS, World, world
from yidian.search.backends import IndexDamaged
from yidian.search.engine import Engine
from yidian.search.library import NotReady, library
from yidian.search.models import IndexRequest
from yidian.terms.models import BodyPart

# A tick of the ticker leaves room for purges: at 20 ms an entry this is a fifth of one processor.
TICK_ENTRIES = 10
TICK_SECONDS = 0.05
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
    """What one process remembers between ticks: the conditions of the site, and how far it has looked."""

    def __init__(self):
        self._world: World | None = None
        self._stamp: tuple | None = None
        self._looked: dict[str, int | None] = dict.fromkeys(KINDS, 0)

    def tick(self) -> int:
        """Works out what is asked for, or what nobody has worked out yet; how many entries, at most TICK_ENTRIES.

        Nothing while the index is behind or being built.
        """
        started, done = time.process_time(), 0
        requests = list(ReadingRequest.objects.order_by("pk")[:TICK_ENTRIES])
        missing = [] if requests else self._missing()
        if (not requests and not missing) or IndexRequest.objects.filter(generation="").exists():
            return 0
        try:
            engine = library().engine()
            known = self.known(engine)
            for request in requests:
                with transaction.atomic():
                    make(request.kind, request.object_id, engine, known, spreads=request.spreads)
                    request.delete()
                done += 1
                if time.process_time() - started > TICK_SECONDS:
                    return done
            for kind, pk in missing:
                if time.process_time() - started > TICK_SECONDS:
                    break
                make(kind, pk, engine, known)
                self._looked[kind] = pk
                done += 1
        except NotReady:
            return done
        except IndexDamaged:
            library().report_damage()
        return done

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
            lacking = sorted(set(window) - set(made.values_list("object_id", flat=True)))[:TICK_ENTRIES]
            if not lacking:
                self._looked[kind] = window[-1]
            return [(kind, pk) for pk in lacking]
        return []


def _stamp(model) -> tuple:
    public = model.objects.public()
    return public.count(), public.aggregate(last=Max("last_published_at"))["last"]


def make(kind: str, pk: int, engine: Engine, known: World, *, spreads: bool = False) -> list[Chosen]:
    """Works out and keeps what stands next to an entry; nothing is kept of one that is not public.

    With `spreads`, the entries that list it and those that it lists are asked for too.
    """
    chosen = choose(kind, pk, engine, known)
    public = KINDS[kind].objects.public().filter(pk=pk).exists() if not chosen else True
    with transaction.atomic():
        if spreads:
            listing = _listing(kind, pk)
            _request({*listing, *((each.kind, each.pk) for each in chosen)}, spreads=False)
        if not public:
            Reading.objects.filter(kind=kind, object_id=pk).delete()
            return []
        # two processes at the same entry take turns
        reading, _new = Reading.objects.select_for_update().get_or_create(kind=kind, object_id=pk)
        links = [
            Link(reading=reading, position=position, why=each.why, **{f"{each.kind}_id": each.pk})
            for position, each in enumerate(chosen)
        ]
        if [_shape(link) for link in reading.links.order_by("position")] != [_shape(link) for link in links]:
            reading.links.all().delete()
            Link.objects.bulk_create(links)
            purge_on_commit([f"{kind}:{pk}"])
    return chosen


def _shape(link: Link) -> tuple:
    return link.question_id, link.article_id, link.guide_id, link.condition_id, link.why


def _listing(kind: str, pk: int) -> set[tuple[str, int]]:
    """The entries that list this one; at most MOST_TOUCHED."""
    found = Link.objects.filter(**{f"{kind}_id": pk}).values_list("reading__kind", "reading__object_id")
    return set(found[:MOST_TOUCHED])


def rebuild(progress: Callable[[Iterable, int], Iterable] = lambda entries, length: entries) -> int:
    """Works out the further reading of every public entry again; how many there are. Needs a search index."""
    engine = library().engine()
    known = world(engine.lexicon)
    for kind, model in KINDS.items():
        Reading.objects.filter(kind=kind).exclude(object_id__in=model.objects.public().values("pk")).delete()
    count = sum(model.objects.public().count() for model in KINDS.values())
    for kind, pk in progress(_every(), count):
        make(kind, pk, engine, known)
    ReadingRequest.objects.all().delete()
    return count


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
            chosen = make(kind, pk, engine, world(engine.lexicon), spreads=spreads)
            requests.delete()
        return chosen
    return [
        Chosen(other, getattr(link, f"{other}_id"), link.why)
        for link in reading.links.order_by("position")
        for other in KINDS
        if getattr(link, f"{other}_id")
    ]
