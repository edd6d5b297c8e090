"""Atom feeds: what is new in each part, and what was corrected."""

from datetime import datetime, time

from django.http import HttpResponse
from django.utils import timezone
from django.utils.feedgenerator import Atom1Feed

from yidian.editorial.models import Correction
from yidian.web import queries
from yidian.web.faults import read_only
from yidian.web.pages import address

FEED_LENGTH = 50


def _moment(day) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(8)))


@read_only
def feed(request, section: str) -> HttpResponse:
    """The newest public entries of one part or of all, or the newest corrections."""
    if section == "corrections":
        label = "更正记录"
        found = Correction.objects.public().order_by("-date_published", "-pk")[:FEED_LENGTH]
        items = [
            (f"更正：{each.name}", each.page, each.text, each.date_published, each.date_published) for each in found
        ]
    else:
        label = queries.KIND_LABELS.get(section, "最近发布")
        items = []
        for each in [section] if section in queries.ENTRIES else queries.ENTRIES:
            found = queries.ENTRIES[each].objects.public().filter(date_published__isnull=False)
            fields = ("name", "slug", "description", "date_published", "date_modified")
            items += [
                (name, f"/{each}/{slug}/", description, published, modified or published)
                for name, slug, description, published, modified in found.order_by(
                    "-date_published", "-pk"
                ).values_list(*fields)[:FEED_LENGTH]
            ]
        items = sorted(items, key=lambda item: item[3], reverse=True)[:FEED_LENGTH]
    made = Atom1Feed(
        title=f"医典 · {label}",
        link=address("/" if section == "all" else f"/{section}/"),
        feed_url=address(f"/feeds/{section}.atom"),
        description="",
        language="zh-Hans",
        author_name="医典编辑部",
    )
    for name, path, description, published, updated in items:
        made.add_item(
            title=name,
            link=address(path),
            description=description,
            pubdate=_moment(published),
            updateddate=_moment(updated),
            unique_id=address(path) + (f"#{published.isoformat()}" if section == "corrections" else ""),
        )
    response = HttpResponse(made.writeString("utf-8"), content_type="application/atom+xml; charset=utf-8")
    listed = queries.ENTRIES if section == "all" else [section]
    response["X-Page-Tags"] = " ".join(f"list:{each}" for each in listed)
    return response
