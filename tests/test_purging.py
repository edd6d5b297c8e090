"""Whatever a change alters on any public page, the change drops from the page cache: every page before and after."""

import re
from datetime import date, datetime, time, timedelta
from functools import partial
from unittest import mock

import content
import pytest
from django.db import transaction
from django.utils import timezone
from wagtail.images.tests.utils import get_test_image_file

from yidian.answers.models import Answer, Question
from yidian.editorial import schedules
from yidian.editorial.actions import rebuild
from yidian.editorial.models import Correction, Illustration
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.evidence.models import Claim, Source
from yidian.pagecache.models import PurgeRequest
from yidian.people.models import Department, Hospital, Physician
from yidian.terms.models import BodyPart, GlossaryTerm, Population
from yidian.web import queries

pytestmark = pytest.mark.django_db

FIXED = ["/", "/corrections/", "/self-tests/", "/sitemap.xml", "/conditions/a-z/x/", "/conditions/a-z/d/"]
FIXED += [f"/{section}/" for section in (*queries.ENTRIES, *queries.PLACES)]
FIXED += [f"/feeds/{name}.atom" for name in ("all", "corrections", *queries.ENTRIES)]
FIXED += [f"/sitemaps/{name}-0.xml" for name in (*queries.ENTRIES, *queries.PLACES, "claims")]


@pytest.fixture
def library(tmp_path, settings):
    """One of everything, each shown by as many others as can show it."""
    settings.MEDIA_ROOT = tmp_path
    leg = content.body_part("tui", "腿")
    content.body_part("xiaotui", "小腿", broader=leg)
    content.body_part("shou", "手", region="arm")
    department = content.publish(Department(slug="shenjing-ke", name="神经科"))
    place = content.hospital()
    doctor = content.physician(hospital=place, department=department, knows_about="xiaotui-choujin")
    content.term()
    pregnant = content.population()
    picture = Illustration.objects.create(title="腿", alt="一条腿", file=get_test_image_file())
    source = content.source()
    content.source("src-two", pmid="1")
    claim = content.claim("lashen", [source], direction="supports")
    spasm = content.condition("jingluan", "痉挛")
    cramp = content.condition(broader=spasm, alternate_names="抽筋")
    content.condition("dengzhao", "等着")
    body = content.module(
        content.text("<p>腓肠肌累了[^src-two]。</p>"),
        {"type": "claim", "value": claim.pk},
        {"type": "population", "value": {"population": pregnant.pk, "text": "<p>多休息。</p>"}},
        {"type": "picture", "value": {"image": picture.pk, "alt": "", "caption": ""}},
    )
    article = content.article(about=cramp, modules=[body], author=doctor)
    for entry in (article, cramp):
        entry.body_parts = [BodyPart.objects.get(slug="xiaotui")]
        entry.departments = [department]
        entry.populations = [pregnant]
        content.publish(entry)
    step = {"name": "拉一拉", "text": "<p>慢慢来。</p>", "claims": [claim.pk]}
    content.guide(about=cramp, phases=[content.phase(step)])
    content.guide("dabu", "只讲主张的指南", phases=[content.phase({"name": "走一走", "claims": [claim.pk]})])
    content.article("zhi-you-zhuzhang", "只有一条主张", modules=[content.module({"type": "claim", "value": claim.pk})])
    question = content.question(slug="wen", about=cramp)
    content.publish(
        Answer(
            slug="wen-yi",
            question=question,
            author=doctor,
            author_hospital=place,
            author_job_title="主任医师",
            date_created=date(2026, 2, 3),
            body=[content.text("<p>睡前拉一拉[^src-two]。</p>")],
        )
    )
    content.publish(
        Correction(
            slug="gai",
            name="小腿抽筋",
            page="/conditions/xiaotui-choujin/",
            text="改。",
            date_published=date(2026, 1, 1),
        )
    )


def addresses():
    for section, model in (queries.ENTRIES | queries.PLACES | {"claims": Claim}).items():
        for slug in model.objects.values_list("slug", flat=True):
            yield f"/{section}/{slug}/"
            if section in queries.ENTRIES:
                yield f"/{section}/{slug}/handout/"
    yield from (f"/guides/{slug}/plandefinition.json" for slug in ActionGuide.objects.values_list("slug", flat=True))
    yield from FIXED


_MOMENT = re.compile(rb"<updated>[^<]*</updated>")


def every_page(client, paths):
    shown = {}
    for path in paths:
        answer = client.get(path)
        assert answer.status_code in {200, 404}, path
        # an empty feed was updated whenever it is read
        shown[path] = (
            answer.status_code,
            _MOMENT.sub(b"", answer.content),
            set(answer.headers.get("X-Page-Tags", "").split()),
        )
    return shown


def publish(model, slug, **changes):
    row = model.objects.get(slug=slug)
    for name, value in changes.items():
        setattr(row, name, value)
    content.publish(row)


def withdraw(model, slug):
    model.objects.get(slug=slug).unpublish()


def delete(model, slug):
    model.objects.get(slug=slug).delete()


def describe(alt):
    picture = Illustration.objects.get()
    picture.alt = alt
    picture.save()


def one(model, slug):
    return model.objects.get(slug=slug)


EVERYTHING = [
    (Condition, "xiaotui-choujin"),
    (Condition, "jingluan"),
    (Article, "weishenme-choujin"),
    (ActionGuide, "xianzai-zenmeban"),
    (Question, "wen"),
    (Answer, "wen-yi"),
    (Claim, "lashen"),
    (Source, "src-one"),
    (Source, "src-two"),
    (Physician, "yanshi-jia"),
    (Hospital, "yanshi-yiyuan"),
    (Department, "shenjing-ke"),
    (BodyPart, "tui"),
    (BodyPart, "xiaotui"),
    (Population, "yunfu"),
    (GlossaryTerm, "feichangji"),
    (Correction, "gai"),
]


def all_of(what, change, but=()):
    return {
        f"{model.kind} {slug} {what}": partial(change, model, slug) for model, slug in EVERYTHING if model not in but
    }


WITHDRAWN = all_of("withdrawn", withdraw)
RENAMED = all_of("renamed", partial(publish, name="另一个名字"), but=[Answer])
DELETED = all_of("deleted", delete, but=[Physician, Hospital])  # protected by what they wrote
MOVED = {
    "an article moved to another condition": lambda: publish(
        Article, "weishenme-choujin", about=one(Condition, "dengzhao")
    ),
    "an article moved to no condition": lambda: publish(Article, "weishenme-choujin", about=None),
    "a guide moved": lambda: publish(ActionGuide, "xianzai-zenmeban", about=one(Condition, "dengzhao")),
    "a question moved": lambda: publish(Question, "wen", about=one(Condition, "dengzhao")),
    "a condition moved below another": lambda: publish(
        Condition, "xiaotui-choujin", broader=one(Condition, "dengzhao")
    ),
    "a condition moved to the top": lambda: publish(Condition, "xiaotui-choujin", broader=None),
    "an answer moved": lambda: publish(Answer, "wen-yi", question=content.question("另一个问题", slug="wen-er")),
    "an article by another": lambda: publish(
        Article, "weishenme-choujin", author=content.physician("yanshi-yi", name="演示医生乙")
    ),
    "a body part moved": lambda: publish(BodyPart, "xiaotui", broader=one(BodyPart, "shou")),
    "a doctor moved": lambda: publish(Physician, "yanshi-jia", hospital=content.hospital("er-yuan", name="演示医院二")),
    "a doctor of another department": lambda: publish(
        Physician, "yanshi-jia", department=content.publish(Department(slug="guke", name="骨科"))
    ),
    "an article filed elsewhere": lambda: publish(Article, "weishenme-choujin", body_parts=[one(BodyPart, "shou")]),
    "a condition filed elsewhere": lambda: publish(Condition, "xiaotui-choujin", departments=[]),
}
OTHER = {
    "a picture described anew": lambda: describe("两条腿"),
    "a picture deleted": lambda: Illustration.objects.get().delete(),
    "a new claim": lambda: content.claim("xin"),
    "a new condition": lambda: content.condition("xin", "新病症"),
    "a new word": lambda: content.term("jirou", "肌肉", "会收缩的组织。"),
    "a claim of another source": lambda: publish(Claim, "lashen", sources=[one(Source, "src-two")]),
    "a claim without a source": lambda: publish(Claim, "lashen", sources=[]),
    "a source of general knowledge": lambda: publish(Source, "src-one", basis="general_knowledge"),
}


@pytest.mark.parametrize(
    "changes", [WITHDRAWN, RENAMED, DELETED, MOVED, OTHER], ids=["withdrawn", "renamed", "deleted", "moved", "other"]
)
def test_what_a_change_alters_leaves_the_cache(client, library, changes):
    before = every_page(client, list(addresses()))
    forgotten, behind = {}, {}
    for name, change in changes.items():
        with transaction.atomic():
            PurgeRequest.objects.all().delete()
            change()
            purged = {tag for tags in PurgeRequest.objects.values_list("tags", flat=True) for tag in tags}
            after = every_page(client, before)
            forgotten[name] = [
                path for path, was in before.items() if was[:2] != after[path][:2] and not was[2] & purged
            ]
            rebuild()
            again = every_page(client, [path for path in before if path.count("/") == 3])
            behind[name] = [path for path, made in again.items() if made[:2] != after[path][:2]]
            transaction.set_rollback(True)
    assert not {name: paths for name, paths in forgotten.items() if paths}, "pages that stay in the cache"
    assert not {name: paths for name, paths in behind.items() if paths}, "pages that only reindex puts right"


def test_a_review_that_falls_due_at_midnight_shows_on_cached_pages(client, monkeypatch):
    monkeypatch.setattr(schedules, "_turned", [])
    due = date(2031, 5, 20)
    doctor = content.physician()
    reviewed = {"reviewer": doctor, "last_review_date": date(2031, 1, 1)}
    content.article(review_due=due, **reviewed)
    content.article("lai", "以后", review_due=due + timedelta(days=1), **reviewed)
    pages = ["/articles/weishenme-choujin/", "/articles/weishenme-choujin/handout/", "/articles/lai/"]

    def at(hour, minute, day=due):
        moment = timezone.make_aware(datetime.combine(day, time(hour, minute)))
        with mock.patch("django.utils.timezone.now", return_value=moment):
            schedules.keep_schedules()
            purged = {tag for tags in PurgeRequest.objects.values_list("tags", flat=True) for tag in tags}
            PurgeRequest.objects.all().delete()
            return every_page(client, pages), purged

    before, _ = at(23, 59)
    assert at(23, 59)[1] == set()
    after, purged = at(0, 1, due + timedelta(days=1))
    changed = [path for path in pages if before[path][1] != after[path][1]]
    assert changed == pages[:2]
    assert all(before[path][2] & purged for path in changed) and not before[pages[2]][2] & purged
