"""What follows a change of public content: one function, called by the one receiver, by imports and by reindex."""

from collections.abc import Iterable

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from yidian.editorial.models import Entry
from yidian.editorial.rendering import glossary, is_current, render
from yidian.editorial.searchable import searched
from yidian.evidence.models import Appearance
from yidian.pagecache.actions import clear_cache, purge_on_commit
from yidian.publication.models import Publishable
from yidian.publication.turns import turn
from yidian.search.actions import index_later, index_names, remove_names
from yidian.terms.models import SynonymGroup

# A change of a hard word touches any page; more pages than this wait for `yidian reindex`, so that saving a word
# stays within seconds (about 2 ms a page).
MAX_RERENDERED_AT_ONCE = 2_000

# Names that a reader most likely means come first when two match alike.
_WEIGHTS = {"condition": 30, "article": 20, "guide": 20, "question": 10}


def entry_models() -> list[type[Entry]]:
    """Every kind of content that keeps a public form."""
    return [model for model in apps.get_models() if issubclass(model, Entry)]


def publishable_models() -> list[type[Publishable]]:
    """Every kind of content that is published and withdrawn."""
    return [model for model in apps.get_models() if issubclass(model, Publishable)]


def after_change(content: Publishable) -> None:
    """Bring everything derived into line with a published, changed or withdrawn content, in one transaction.

    Its public form and appearances, the names that find it, the public forms of pages that show it, the cached
    pages, which are purged at commit, and the full-text index, which looks at all of them again within a second.
    """
    with turn():
        purge: set[str] = set()
        for changed in (content, *_pages_showing(content)):
            refresh(changed)
            if changed.searchable or isinstance(changed, SynonymGroup):
                index_later(changed.kind, changed.pk)
            purge.update(changed.purge_keys())
        purge_on_commit(sorted(purge))


def may_change_picture(user, pk: int) -> bool:
    """Whether somebody may publish wherever a picture is public already."""
    shown_in = Appearance.objects.filter(reference=f"picture:{pk}")
    kinds = set(shown_in.values_list("content_kind", flat=True))
    models = [model for model in entry_models() if model.kind in kinds]
    return all(user.has_perm(f"{each._meta.app_label}.publish_{each._meta.model_name}") for each in models)


def after_picture_change(pk: int) -> None:
    """Bring the pages that show a picture into line: its file, its alt text or its absence is part of their form."""
    with turn():
        for page in _pages_referring([f"picture:{pk}"]):
            after_change(page)


def refresh(content: Publishable, words: dict | None = None) -> None:
    """Rebuild what is derived from one content alone; `words` saves reading the glossary again in a loop."""
    if content.searchable:
        if content.live:
            index_names(
                content.kind,
                content.pk,
                content.get_absolute_url(),
                content.title,
                content.searchable_names(),
                _WEIGHTS.get(content.kind, 0),
            )
        else:
            remove_names(content.kind, content.pk)
    if isinstance(content, Entry):
        _refresh_rendered(content, words)
    content.settle()


def _refresh_rendered(content: Entry, words: dict | None) -> None:
    appearances = Appearance.objects.filter(content_kind=content.kind, content_id=content.pk)
    if not content.live:
        appearances.delete()
        return
    rendered = render(content, words)
    content.rendered, content.searched = rendered, searched(content, rendered)
    type(content).objects.filter(pk=content.pk).update(rendered=rendered, searched=content.searched)
    if set(appearances.values_list("reference", flat=True)) != set(rendered["references"]):
        appearances.delete()
        Appearance.objects.bulk_create(
            Appearance(content_kind=content.kind, content_id=content.pk, reference=reference)
            for reference in rendered["references"]
        )


def _pages_showing(content: Publishable) -> Iterable[Entry]:
    if content.kind == "answer":
        yield from type(content).question.get_queryset().filter(pk__in=content.listings("question"))
        return
    if content.kind == "glossary_term":
        room = MAX_RERENDERED_AT_ONCE
        for model in entry_models():
            pages = list(model.objects.public().order_by("-pk")[:room])
            room -= len(pages)
            yield from pages
        return
    if isinstance(content, Entry):
        return
    yield from _pages_referring(content.references())


def _pages_referring(references: list[str]) -> Iterable[Entry]:
    by_kind = {model.kind: model for model in entry_models()}
    shown_in = Appearance.objects.filter(reference__in=references)
    for kind, pk in shown_in.values_list("content_kind", "content_id").distinct():
        yield from by_kind[kind].objects.filter(pk=pk)


def rebuild(progress=lambda pages, length: pages) -> int:
    """Rebuild everything derived from all public content; returns how many were rebuilt.

    `progress(iterable, length)` may wrap the loop to show how far it is.
    """
    words, count = glossary(), 0
    for model in publishable_models():
        every = model.objects.all()
        for content in progress(every.iterator(chunk_size=500), every.count()):
            with turn():
                refresh(content, words)
            count += 1
    clear_cache()
    return count


def stale_count() -> int:
    """How many public pages lack a current public form (0 after `rebuild`; counts at most 100 a kind)."""
    return sum(
        not is_current(content)
        for model in entry_models()
        for content in model.objects.public().only("rendered", "last_published_at", "live")[:100]
    )


def publish_now(content: Publishable, *, acting_user=None) -> None:
    """Publish content as it stands, saved or not, with today's date where none is given.

    ValidationError when something in it forbids that.
    """
    if faults := content.publication_faults():
        raise ValidationError(faults)
    if hasattr(content, "date_published") and not content.date_published:
        content.date_published = timezone.localdate()
    with transaction.atomic():
        if content.pk is None:
            content.live = False
            content.save()
        content.save_revision(user=acting_user, log_action=True).publish(user=acting_user)
    content.refresh_from_db()
