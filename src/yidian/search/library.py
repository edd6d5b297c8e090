"""The site's full-text index in its folder: opened, kept up with the database, built again, replaced in one step.

YIDIAN_DATA/search/ holds one folder an index (a "generation") and the file `current` with the name of the one in
use; where an operator has vectors made, they stand in the generation's file `vectors`. Readers follow `current`. One
process at a time writes; a build goes on beside the index that serves, and every change that comes meanwhile is
remembered until both have seen it. A crash at any moment leaves `current` pointing at a whole index.
"""

import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.db import transaction

from yidian.search import backends, ranking
from yidian.search.backends import IndexBusy, IndexDamaged
from yidian.search.dense import Embedder, EmbedderUnavailable, embedder
from yidian.search.documents import key_of
from yidian.search.engine import Engine
from yidian.search.lexicon import Lexicon, Term
from yidian.search.models import IndexRequest, IndexState
from yidian.search.ranking import Model
from yidian.search.spelling import Speller
from yidian.search.vectors import Vectors

logger = logging.getLogger(__name__)

# Part of every generation's name: an index of other tokens, fields or rows is built again at the next start.
VERSION = 3
# Seconds until an index that could not be opened is tried again: reading its words first costs 0.4 s of CPU.
RETRY = 1.0
# Changes brought into the index at once: about a second of work.
BATCH = 2_000
# Things read at once while an index is built: 500 public forms are about 6 MB.
READ = 500
# The same, and changes brought in at once, where each text is encoded too: a few seconds of work.
ENCODED = 32


def _embedder() -> tuple[Embedder | None, str]:
    """What makes vectors of texts on this site, if anything, and its name."""
    return _opened(settings.YIDIAN_EMBEDDER, settings.YIDIAN_EMBEDDER_KEY, settings.YIDIAN_EMBEDDER_MODEL)


@lru_cache(maxsize=1)  # a model is read once a process
def _opened(name: str, key: str, model: str) -> tuple[Embedder | None, str]:
    try:
        return embedder(name, key=key, model=model), f"{name} {model}".strip()
    except (EmbedderUnavailable, ValueError) as error:
        logger.warning("检索没有用向量：%s", error)
        return None, ""


class NotReady(Exception):
    """There is no index that can be searched yet; one is being built or will be."""


class Library:
    """The index folder of one site, as one process sees it; safe to share between threads."""

    def __init__(self, folder: Path, backend: str):
        self.folder, self.backend = folder, backend
        self._lock = threading.Lock()
        self._opened: tuple[str, Engine] | None = None
        self._seen: tuple[int, ...] = ()
        self._read_with: tuple[int, ...] = ()
        self._failed: tuple[int, ...] = ()
        self._try_again = 0.0

    # reading

    def engine(self) -> Engine:
        """The index in use with all that is committed to it; NotReady when there is none."""
        try:
            seen = self._state()
        except OSError as error:
            raise NotReady("还没有索引") from error
        if self._opened is not None and seen == self._seen:
            return self._opened[1]
        if seen == self._failed and monotonic() < self._try_again:
            raise NotReady("索引正在重建")
        with self._lock:
            try:
                self._open()
                self._seen = self._state()
                return self._opened[1]
            except (OSError, IndexDamaged) as error:
                self._opened = None
                self._failed, self._try_again = seen, monotonic() + RETRY
                raise NotReady("索引正在重建") from error

    def _state(self) -> tuple[int, ...]:
        """What changes when the index, or what it is read with, changes."""
        return _changed(self.folder / "current"), _changed(self._meta), _changed_or_absent(self.model_path)

    @property
    def model_path(self) -> Path:
        """Where what was learned from the site's own questions is kept, whatever index is in use."""
        return self.folder / "model.npz"

    @property
    def _meta(self) -> Path:
        # What tantivy replaces at each commit; for any other backend the pointer alone says that something changed.
        name = self._opened[0] if self._opened else self.current() or "-"
        meta = self.folder / name / "index" / "meta.json"
        return meta if meta.exists() else self.folder / "current"

    def _open(self) -> None:
        name = self.current()
        if not name:
            raise IndexDamaged("没有索引")
        read_with = _changed(self.folder / name / "terms.json"), _changed_or_absent(self.model_path)
        if self._opened is not None and self._opened[0] == name and read_with == self._read_with:
            self._opened[1].index.refresh()
            return
        self._read_with = read_with
        self._opened = name, self._engine(name)

    def _vectors(self, name: str, earlier: Iterable[Path] = ()) -> Vectors | None:
        made_by, called = _embedder()
        if made_by is None:
            return None
        return Vectors(self.folder / name / "vectors", made_by, called, earlier)

    def _engine(self, name: str) -> Engine:
        folder = self.folder / name
        try:
            lexicon = Lexicon(json.loads((folder / "terms.json").read_text("utf-8")))
        except ValueError as error:
            raise IndexDamaged("词表读不了") from error
        try:
            speller = Speller.load(folder / "spelling")
        except (OSError, ValueError) as error:
            raise IndexDamaged("拼写统计读不了") from error
        index = backends.open_index(folder / "index", self.backend)
        return Engine(index, lexicon, speller, self._model(), self._vectors(name))

    def _model(self) -> Model | None:
        try:
            return ranking.load(self.model_path)
        except FileNotFoundError:
            return None
        except (ranking.ModelDamaged, OSError):
            logger.warning("学到的排序读不了，没有用上；请再运行一次 yidian search train")
            return None

    def current(self) -> str:
        """The name of the generation in use, empty when there is none."""
        with contextlib.suppress(OSError):
            return (self.folder / "current").read_text("ascii").strip()
        return ""

    def report_damage(self) -> None:
        """Says that the index in use cannot be read, so that it is built again."""
        with contextlib.suppress(OSError):
            (self.folder / "damaged").touch()
        self._opened = None

    # writing

    def is_due(self) -> bool:
        """Whether an index has to be built: none, of another version, of another database, or damaged."""
        name = self.current()
        if not name.startswith(f"{self.backend}-{VERSION}-") or (self.folder / "damaged").exists():
            return True
        if (self.folder / name / "damaged").exists() or not IndexState.objects.filter(generation=name).exists():
            return True
        try:
            self.engine()
        except NotReady:
            return True
        return False

    def catch_up(self, *, once: bool = False) -> int:
        """Brings every change that is committed into the index in use; how many there were.

        With `once` as many as are made visible together, for a process that has other things to do too. Does nothing
        while another process is doing it, or before the first index is built.
        """
        if not IndexRequest.objects.exclude(generation=self.current()).exists():
            return 0
        with _locked(self.folder / "write.lock") as held:
            name = self.current()
            if not held or not name:
                return 0
            try:
                engine = self._engine(name)
                return self._apply(engine, name, keep=self._is_building(), once=once)
            except IndexBusy:
                return 0
            except IndexDamaged:
                self.report_damage()
                logger.exception("检索索引读不了，将重建")
                return 0

    def _apply(self, engine: Engine, name: str, *, keep: bool, once: bool = False) -> int:
        done = 0
        batch = BATCH if engine.vectors is None else ENCODED
        while requests := list(IndexRequest.objects.exclude(generation=name).order_by("pk")[:batch]):
            wanted = {(request.kind, request.object_id) for request in requests}
            engine, more = self._learn_terms(engine, name, {kind for kind, _ in wanted})
            by_kind: dict[str, set[str]] = {}
            for kind, object_id in wanted | more:
                by_kind.setdefault(kind, set()).add(object_id)
            with engine.index.writer() as writer:
                for kind, ids in by_kind.items():
                    found = {document.object_id: document for document in source().documents(kind, sorted(ids))}
                    engine.write(writer, list(found.values()))
                    for object_id in sorted(ids - found.keys()):
                        writer.remove(key_of(kind, object_id))
                engine.commit(writer)
            applied = IndexRequest.objects.filter(pk__in=[request.pk for request in requests])
            # after the commit of the index: seeing a change twice does no harm, forgetting one does
            with transaction.atomic():
                import_module(settings.YIDIAN_INDEXED).indexed(wanted | more)
                if keep:
                    applied.update(generation=name)
                else:
                    applied.delete()
            done += len(requests)
            if once:
                break
        return done

    def _learn_terms(self, engine: Engine, name: str, kinds: set[str]) -> tuple[Engine, set[tuple[str, str]]]:
        """The engine with today's terms, and the documents that speak of those that changed, as (kind, id).

        Only when something of a kind that holds terms has changed.
        """
        if not kinds & set(source().TERM_KINDS):
            return engine, set()
        lexicon = Lexicon(source().terms())
        before, after = engine.lexicon.terms, lexicon.terms
        changed = {slug for slug in before.keys() | after.keys() if before.get(slug) != after.get(slug)}
        if not changed:
            return engine, set()
        speaking: set[str] = set()
        for slug in changed:
            old, new = (_words(terms.get(slug)) for terms in (before, after))
            speaking |= engine.speaking_of(slug, old ^ new)
        _replace(self.folder / name / "terms.json", _as_json(lexicon))
        return replace(engine, lexicon=lexicon), {tuple(key.split(":", 1)) for key in speaking}

    def build(self, progress: Callable = lambda things, length: things) -> int:
        """Builds the index from all that is public while the old one serves; how many documents it holds.

        Waits for another build that is going on. Vectors of texts come from the index in use, or from a build that
        was interrupted, where the text is the same.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / "build.lock", wait=True):
            self._sweep(keep="vectors")
            earlier = sorted(self.folder.glob("*/vectors"))
            name = f"{self.backend}-{VERSION}-{secrets.token_hex(6)}"
            # nobody is between looking whether a build goes on and forgetting a change
            with _locked(self.folder / "write.lock", wait=True):
                pass
            lexicon = Lexicon(source().terms())
            vectors = self._vectors(name, earlier)
            engine = Engine(backends.create(self.folder / name / "index", self.backend), lexicon, vectors=vectors)
            _replace(self.folder / name / "terms.json", _as_json(lexicon))
            count = 0

            def written(writer) -> Iterator[str]:
                """Every text, put into the index on the way, so that the library is read once."""
                nonlocal count
                for batch in source().every(progress, READ if vectors is None else ENCODED):
                    engine.write(writer, batch)
                    for document in batch:
                        yield document.title
                        yield document.body
                    count += len(batch)

            names = [name for term in lexicon.terms.values() for name in (term.name, *term.alternate_names)]
            with engine.index.writer(backends.BUILD_MEMORY) as writer:
                Speller.build(written(writer), names).save(self.folder / name / "spelling")
                engine.commit(writer)
            with _locked(self.folder / "write.lock", wait=True):
                self._apply(engine, name, keep=False)
                with transaction.atomic():
                    IndexState.objects.all().delete()
                    IndexState.objects.create(generation=name)
                _replace(self.folder / "current", name)
            with contextlib.suppress(OSError):
                (self.folder / "damaged").unlink()
            self._sweep()
            return count

    def _is_building(self) -> bool:
        with _locked(self.folder / "build.lock") as held:
            return not held

    def _sweep(self, keep: str = "") -> None:
        """Removes every generation but the one in use: what crashed builds left, and the one just replaced.

        A file that is to be kept stays alone in its folder.
        """
        current = self.current()
        for folder in self.folder.iterdir():
            if not folder.is_dir() or folder.name == current:
                continue
            if not (keep and (folder / keep).exists()):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            for path in folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != keep:
                    path.unlink(missing_ok=True)


def library() -> Library:
    """This site's index."""
    return _library(settings.YIDIAN_DATA / "search", settings.YIDIAN_SEARCH)


@lru_cache(maxsize=2)
def _library(folder: Path, backend: str) -> Library:
    return Library(folder, backend)


def source():
    """The module that reads what is public.

    `documents(kind, ids)`, `every(progress, size)`, `terms()`, `pairs()`, TERM_KINDS, WEIGHTS, SHOWN_BY_LEAD.
    """
    return import_module(settings.YIDIAN_SEARCHED)


def _words(term: Term | None) -> set[str]:
    return {term.name, *term.alternate_names} if term else set()


def _as_json(lexicon: Lexicon) -> str:
    return json.dumps(list(lexicon.terms.values()), ensure_ascii=False)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns


def _changed_or_absent(path: Path) -> int:
    try:
        return _changed(path)
    except OSError:
        return 0


def _replace(path: Path, text: str) -> None:
    """Writes a small file in one step that a power loss cannot halve."""
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process got the lock; held until the end, and given back by the system when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
