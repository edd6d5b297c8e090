"""What becomes public or is withdrawn at its hour: each by itself, as it stands then, whatever befalls the others."""

from collections.abc import Callable
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone
from wagtail.models import Revision

from yidian.editorial.actions import entry_models, publishable_models
from yidian.pagecache.actions import clear_cache, purge_on_commit
from yidian.publication.models import Publishable
from yidian.publication.turns import turn

# Pages that are named one by one when a day turns; more, of one import, and the whole cache is dropped.
MOST_NAMED = 1_000
# The day that this process has turned to, if any.
_turned: list[date] = []


def keep_schedules() -> None:
    """Withdraws what has expired and publishes what is due; raises the last error once everything had its turn.

    Instead of Wagtail's command, which one failure stops every minute from then on, and which writes what it read at
    its start over what an editor saved meanwhile.
    """
    failed: list[Exception] = []
    now = timezone.now()
    _alone(failed, _turn_the_day)
    for model in publishable_models():
        expired = model.objects.filter(live=True, expire_at__lt=now).order_by("expire_at")
        for pk in expired.values_list("pk", flat=True):
            _alone(failed, lambda model=model, pk=pk: _withdraw(model, pk))
    due = Revision.objects.filter(approved_go_live_at__lt=now).order_by("approved_go_live_at")
    for pk in due.values_list("pk", flat=True):
        _alone(failed, lambda pk=pk: _publish(pk))
    if failed:
        raise failed[-1]


def _alone(failed: list[Exception], work: Callable[[], None]) -> None:
    try:
        with turn():
            work()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others keep their hour
        failed.append(error)


def _turn_the_day() -> None:
    """Drops the pages whose review fell due at midnight: a page from the cache would go on saying 已审核 for a day."""
    today = timezone.localdate()
    if _turned == [today]:
        return
    past = today - timedelta(days=1)
    tags: list[str] = []
    for model in entry_models():
        due = model.objects.public().filter(review_due=past).values_list("pk", flat=True)
        tags += [f"{model.kind}:{pk}" for pk in due[: MOST_NAMED + 1]]
    if len(tags) > MOST_NAMED:
        transaction.on_commit(clear_cache, robust=True)
    else:
        purge_on_commit(tags)
    transaction.on_commit(lambda: _turned.__setitem__(slice(None), [today]))


def _withdraw(model: type[Publishable], pk: int) -> None:
    held = model.objects.filter(pk=pk, live=True, expire_at__lt=timezone.now()).first()
    if held is not None:
        held.unpublish(set_expired=True, log_action="wagtail.unpublish.scheduled")


def _publish(pk: int) -> None:
    still_due = Revision.objects.filter(pk=pk, approved_go_live_at__lt=timezone.now()).first()
    if still_due is not None:
        still_due.publish(log_action="wagtail.publish.scheduled")
