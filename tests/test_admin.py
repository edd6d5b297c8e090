"""The editors' admin through its own forms: draft, preview, publish, schedule, withdraw; who may do what; the gate."""

import json
import re
from datetime import datetime, timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from unittest import mock

import content
import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image
from wagtail.models import Revision
from wagtail.test.utils.form_data import inline_formset, nested_form_data, rich_text, streamfield

from yidian.answers.models import Answer, Question
from yidian.editorial.actions import after_change
from yidian.editorial.illustrations import check_svg
from yidian.editorial.models import ErrorReport, Illustration
from yidian.editorial.schedules import keep_schedules
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.evidence.models import Claim, Source
from yidian.people.models import Hospital, Physician
from yidian.terms.models import BodyPart

pytestmark = pytest.mark.django_db

KINDS = [
    "encyclopedia/condition",
    "encyclopedia/article",
    "encyclopedia/actionguide",
    "answers/question",
    "answers/answer",
    "people/physician",
    "people/hospital",
    "people/department",
    "terms/bodypart",
    "terms/population",
    "terms/glossaryterm",
    "terms/synonymgroup",
    "evidence/source",
    "evidence/claim",
    "editorial/correction",
]
FEATURES = ["bold", "italic", "ol", "ul", "link"]


def sign_in(client, group=None):
    user = User.objects.create_user(group or "root", password="x", is_superuser=group is None)
    if group:
        user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    return user


@pytest.fixture
def root(client):
    sign_in(client)
    return client


def url(kind, action="", pk=None):
    return f"/admin/snippets/{kind}/{action}/{f'{pk}/' if pk else ''}" if action else f"/admin/snippets/{kind}/"


def body(html, aspect="overview", headline="什么是它"):
    module = {
        "health_aspect": aspect,
        "headline": headline,
        "body": streamfield([("text", html if html.startswith("{") else rich_text(html, features=FEATURES))]),
    }
    return streamfield([("module", module)])


def condition_form(**more):
    return nested_form_data(
        {
            "name": "小腿抽筋",
            "description": "小腿抽筋多半几分钟就会过去。",
            "condition_kind": "symptom",
            "slug": "",
            "modules": body("<p>肌肉累了。</p>"),
            "care_advice": streamfield([]),
            "codes": inline_formset([]),
            "alternate_names": "",
            "broader": "",
            "author": "",
            "reviewer": "",
            "origin": "",
            "licence": "",
            "date_published": "",
            "date_modified": "",
            "last_review_date": "",
            "review_due": "",
            "go_live_at": "",
            "expire_at": "",
        }
        | more
    )


def errors(response):
    return response.context["form"].errors


def public_text(client):
    """Everything public that may show an entry: home, lists, search, feeds, sitemaps and its own page."""
    client.cookies.clear()
    pages = ["/", "/conditions/", "/conditions/xiaotui-choujin/", "/zh-hant/conditions/xiaotui-choujin/"]
    pages += ["/articles/", "/questions/", "/search?q=小腿抽筋", "/search?q=CANARY", "/feeds/conditions.atom"]
    pages += ["/sitemap.xml", "/sitemaps/conditions-0.xml", "/departments/", "/corrections/"]
    text = ""
    for page in pages:
        response = client.get(page)
        assert response.status_code in {200, 404}, page
        text += response.content.decode() if response.status_code == 200 else ""
    return text


# --- the way of an entry ---------------------------------------------------------------------------------------


def test_a_condition_from_draft_to_public_and_back(client):
    user = sign_in(client)
    content.source("cochrane-2020")
    made = client.post(
        url("encyclopedia/condition", "add"),
        condition_form(modules=body("<p>多半会自己好。[^cochrane-2020]</p>", headline="会好吗")),
    )
    assert made.status_code == 302, errors(made)
    condition = Condition.objects.get()
    assert (condition.slug, condition.live) == ("xiaotui-choujin", False)
    page = "/conditions/xiaotui-choujin/"
    assert client.get(page).status_code == 404

    edit = url("encyclopedia/condition", "edit", condition.pk)
    preview = url("encyclopedia/condition", "preview", condition.pk)
    assert client.post(preview, condition_form(description="只在预览里。")).json()["is_valid"]
    shown = client.get(preview)
    assert shown.status_code == 200
    assert "只在预览里。" in shown.content.decode()
    assert client.get(page).status_code == 404

    form = condition_form(slug=condition.slug, modules=body("<p>多半会自己好。[^cochrane-2020]</p>", headline="会好吗"))
    assert client.post(edit, form | {"action-publish": "1"}).status_code == 302
    public = client.get(page)
    assert public.status_code == 200
    assert "多半会自己好。" in public.content.decode()
    assert 'id="source-1"' in public.content.decode()
    condition.refresh_from_db()
    assert condition.date_published == timezone.localdate()
    for where in ("/conditions/", "/search?q=小腿抽筋", "/feeds/conditions.atom", "/sitemaps/conditions-0.xml"):
        assert "xiaotui-choujin" in client.get(where).content.decode(), where

    assert client.post(edit, form | {"description": "还在改。"}).status_code == 302
    assert "还在改。" not in client.get(page).content.decode()
    assert client.post(edit, form | {"description": "改好了。", "action-publish": "1"}).status_code == 302
    assert "改好了。" in client.get(page).content.decode()

    compare = client.get(
        f"{url('encyclopedia/condition', 'history', condition.pk)}revisions/compare/earliest...latest/"
    )
    assert compare.status_code == 200
    assert "改好了" in compare.content.decode()
    assert client.get(url("encyclopedia/condition", "history", condition.pk)).status_code == 200

    assert client.post(url("encyclopedia/condition", "unpublish", condition.pk)).status_code == 302
    client.cookies.clear()
    assert client.get(page).status_code == 404
    for where in ("/", "/conditions/", "/search?q=小腿抽筋", "/feeds/conditions.atom", "/sitemaps/conditions-0.xml"):
        assert "xiaotui-choujin" not in client.get(where).content.decode(), where
    assert Revision.objects.filter(user=user).count() >= 4


def test_a_schedule_acts_at_its_time(root):
    later = timezone.now() + timedelta(days=2)
    form = condition_form(go_live_at=timezone.localtime(later).strftime("%Y-%m-%d %H:%M"))
    assert root.post(url("encyclopedia/condition", "add"), form | {"action-publish": "1"}).status_code == 302
    page = "/conditions/xiaotui-choujin/"
    keep_schedules()
    assert root.get(page).status_code == 404
    with mock.patch("django.utils.timezone.now", return_value=later + timedelta(hours=1)):
        keep_schedules()
    assert root.get(page).status_code == 200
    assert "xiaotui-choujin" in root.get("/search?q=小腿抽筋").content.decode()


def test_an_expiry_withdraws(root):
    condition = content.condition()
    Condition.objects.filter(pk=condition.pk).update(expire_at=timezone.now() - timedelta(minutes=1))
    assert root.get("/conditions/xiaotui-choujin/").status_code == 200
    keep_schedules()
    assert root.get("/conditions/xiaotui-choujin/").status_code == 404


def test_one_failure_holds_up_no_other_hour_and_leaves_nothing_half_done(root):
    later = timezone.now() + timedelta(days=2)
    at = {"go_live_at": timezone.localtime(later).strftime("%Y-%m-%d %H:%M"), "action-publish": "1"}
    for slug in ("aa-huai", "hao"):
        content.condition(f"{slug}-guoqi", expire_at=later)
        assert (
            root.post(url("encyclopedia/condition", "add"), condition_form(name=slug, slug=slug) | at).status_code
            == 302
        )

    def fail(changed):
        if "huai" in changed.slug:
            raise RuntimeError
        after_change(changed)

    fine, failing = (
        ["/conditions/hao/", "/conditions/hao-guoqi/"],
        ["/conditions/aa-huai/", "/conditions/aa-huai-guoqi/"],
    )
    hour = mock.patch("django.utils.timezone.now", return_value=later + timedelta(hours=1))
    with hour, mock.patch("yidian.editorial.receivers.after_change", fail), pytest.raises(RuntimeError):
        keep_schedules()
    assert [root.get(page).status_code for page in fine + failing] == [200, 404, 404, 200]
    with hour:
        keep_schedules()
    assert [root.get(page).status_code for page in failing] == [200, 404]


def test_an_expiry_that_an_editor_puts_off_in_time_does_not_act(root):
    past = timezone.now() - timedelta(minutes=1)
    first, second = content.condition("yi", "一", expire_at=past), content.condition("er", "二", expire_at=past)
    put_off = {"expire_at": timezone.now() + timedelta(days=1), "description": "刚改过。"}

    def meanwhile(changed):
        other = second if changed.pk == first.pk else first
        Condition.objects.filter(pk=other.pk, live=True).update(**put_off)
        after_change(changed)

    with mock.patch("yidian.editorial.receivers.after_change", meanwhile):
        keep_schedules()
    assert sorted(Condition.objects.values_list("live", "description"))[1] == (True, "刚改过。")


def test_no_word_of_a_draft_is_public(client):
    sign_in(client)
    canary = "CANARY小腿抽筋"
    form = condition_form(name=canary, description=canary, slug="xiaotui-choujin", modules=body(f"<p>{canary}</p>"))
    client.post(url("encyclopedia/condition", "add"), form)
    condition = Condition.objects.get()
    # the search page repeats the reader's own words, so a title's mark alone proves nothing: the link does
    text = public_text(client)
    assert canary not in text
    assert "/conditions/xiaotui-choujin/" not in text.replace("/zh-hant", "")
    client.force_login(User.objects.get())
    client.post(url("encyclopedia/condition", "edit", condition.pk), form | {"action-publish": "1"})
    text = public_text(client)
    assert text.count(canary) > 5
    client.force_login(User.objects.get())
    changed = condition_form(name="HIDDEN", description="HIDDEN", slug="xiaotui-choujin", modules=body("<p>HIDDEN</p>"))
    client.post(url("encyclopedia/condition", "edit", condition.pk), changed)
    assert "HIDDEN" not in public_text(client)


def test_a_new_entry_can_be_previewed_before_it_is_saved(root):
    preview = url("encyclopedia/condition", "preview")
    assert root.post(preview, condition_form()).json() == {"is_valid": True, "is_available": True}
    shown = root.get(preview)
    assert shown.status_code == 200
    assert "小腿抽筋多半几分钟就会过去。" in shown.content.decode()
    assert "frame-ancestors 'self'" in shown.headers["Content-Security-Policy"]
    assert not Condition.objects.exists()


def empty_form(kind):
    streams = ("modules", "phases", "contraindications", "care_advice", "body")
    lists = ("codes", "credentials")
    return nested_form_data(
        {"name": "试"} | {name: streamfield([]) for name in streams} | {name: inline_formset([]) for name in lists}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_draft_is_previewed_or_refused_but_never_fails(root, kind):
    for action in ("add", "preview"):
        assert root.post(url(kind, action), empty_form(kind)).status_code in {200, 302}
    assert root.get(url(kind, "preview")).status_code == 200


def test_the_address_is_fixed_once_public(root):
    condition = content.condition()
    edit = url("encyclopedia/condition", "edit", condition.pk)
    field = re.search(r'<input[^>]*name="slug"[^>]*>', root.get(edit).content.decode())[0]
    assert "disabled" in field
    root.post(edit, condition_form(slug="bie-de", **{"action-publish": "1"}))
    condition.refresh_from_db()
    assert condition.slug == "xiaotui-choujin"


def test_a_date_given_by_publishing_stays(root):
    condition = content.condition()
    first = timezone.make_aware(datetime(2026, 1, 5, 12))
    Condition.objects.filter(pk=condition.pk).update(first_published_at=first, date_published=None)
    root.post(
        url("encyclopedia/condition", "edit", condition.pk),
        condition_form(slug=condition.slug) | {"action-publish": "1"},
    )
    condition.refresh_from_db()
    assert str(condition.date_published) == "2026-01-05"


def test_an_old_version_does_not_bring_back_an_old_address(root):
    root.post(url("encyclopedia/condition", "add"), condition_form(slug="jiu", description="旧的。"))
    condition = Condition.objects.get()
    old, edit = condition.latest_revision, url("encyclopedia/condition", "edit", condition.pk)
    assert root.post(edit, condition_form(slug="xin") | {"action-publish": "1"}).status_code == 302
    reverted = condition_form(slug="xin", description="旧的。", revision=old.pk) | {"action-publish": "1"}
    assert root.post(edit, reverted).status_code == 302
    old.publish()
    assert root.get("/conditions/jiu/").status_code == 404
    assert "旧的。" in root.get("/conditions/xin/").content.decode()


# --- the gate --------------------------------------------------------------------------------------------------


def draftail(*paragraphs, entities=()):
    """What the editor posts, without the editor's own checks."""
    return json.dumps(
        {
            "blocks": [
                {
                    "key": f"k{n}",
                    "type": kind,
                    "text": text,
                    "depth": 0,
                    "inlineStyleRanges": styles,
                    "entityRanges": of,
                }
                for n, (kind, text, styles, of) in enumerate(paragraphs)
            ],
            "entityMap": {str(n): entity for n, entity in enumerate(entities)},
        }
    )


def test_hostile_rich_text_is_clean_when_stored_and_shown(root):
    raw = draftail(
        ("unstyled", "<script>alert(1)</script><b onclick=x>字</b>", [{"offset": 0, "length": 3, "style": "CODE"}], []),
        ("unstyled", "点这里", [], [{"offset": 0, "length": 3, "key": 0}]),
        ("unstyled", "再点", [], [{"offset": 0, "length": 2, "key": 1}]),
        ("unstyled", "每次\u202e 05 毫克\u200b", [{"offset": 2, "length": 1, "style": "BOLD"}], []),
        ("unstyled", "别处", [], [{"offset": 0, "length": 2, "key": 3}]),
        ("header-two", "题目", [], []),
        ("atomic", " ", [], [{"offset": 0, "length": 1, "key": 2}]),
        entities=[
            {"type": "LINK", "mutability": "MUTABLE", "data": {"url": "javascript:alert(1)"}},
            {"type": "LINK", "mutability": "MUTABLE", "data": {"url": "/conditions/a/", "onclick": "x"}},
            {"type": "EMBED", "mutability": "IMMUTABLE", "data": {"url": "https://evil.example/", "html": "<iframe>"}},
            {"type": "LINK", "mutability": "MUTABLE", "data": {"url": "//evil.example/"}},
        ],
    )
    made = root.post(url("encyclopedia/condition", "add"), condition_form(modules=body(raw)) | {"action-publish": "1"})
    assert made.status_code == 302
    stored = str(Condition.objects.values_list("modules", flat=True).get().get_prep_value())
    shown = root.get("/conditions/xiaotui-choujin/").content.decode()
    main = shown[shown.index("<main") : shown.index("</main>")]
    for text in (stored, main):
        assert not re.search(
            r"<(script|iframe|style|b onclick)[ >]|javascript:|<[^>]+onclick|evil|\u202e|\u200b", text
        ), text
    assert 'href="/conditions/a/"' in stored
    assert "点这里" in stored


@pytest.mark.parametrize("html", ["<p>没有这个。[^bu-cunzai]</p>"])
def test_an_unknown_source_is_said_beside_the_field(root, html):
    refused = root.post(url("encyclopedia/condition", "add"), condition_form(modules=body(html)))
    assert refused.status_code == 200
    # the editor gets the words as JSON, and shows them at the block
    assert "没有这个出处：bu-cunzai" in unescape(refused.content.decode()).encode().decode("unicode_escape", "ignore")
    assert "modules" in errors(refused)
    assert not Condition.objects.exists()


def test_an_unknown_source_in_a_line_is_said_beside_the_field(root):
    form = nested_form_data(
        {
            "name": "现在怎么做",
            "description": "伸直腿。",
            "phases": streamfield([]),
            "contraindications": streamfield([]),
            "care_advice": streamfield([]),
            "do": "伸直腿[^you-de]\n喝水[^mei-you]",
            "dont": "",
        }
    )
    content.source("you-de")
    refused = root.post(url("encyclopedia/actionguide", "add"), form)
    assert list(errors(refused)) == ["do"]
    assert "mei-you" in str(errors(refused)["do"])
    assert "you-de、" not in str(errors(refused)["do"])
    content.source("mei-you")
    assert root.post(url("encyclopedia/actionguide", "add"), form).status_code == 302


def test_a_source_can_be_cited_as_soon_as_it_is_written(root):
    form = nested_form_data(
        {"name": "Magnesium", "source_kind": "systematic_review", "pmid": "1", "slug": "mg", "basis": "sourced"}
    )
    assert root.post(url("evidence/source", "add"), form | {"action-publish": "1"}).status_code == 302
    made = root.post(url("encyclopedia/condition", "add"), condition_form(modules=body("<p>镁。[^mg]</p>")))
    assert made.status_code == 302


def test_plain_text_loses_hidden_characters(root):
    root.post(url("encyclopedia/condition", "add"), condition_form(name="小\u200b腿\u202e抽筋"))
    assert Condition.objects.get().name == "小腿抽筋"


def test_the_editor_offers_only_what_can_be_kept(root):
    page = root.get(url("encyclopedia/condition", "add")).content.decode()
    for unwanted in ("wagtailadmin_choose_page", "choose-page/?", "choose-email-link", "choose-phone-link", "embed"):
        assert unwanted not in page
    assert "choose-external-link" in page
    modal = root.get("/admin/choose-external-link/?allow_email_link=true&allow_phone_link=true").json()["html"]
    assert "choose-email-link" not in modal
    assert 'name="external-link-chooser-url"' in modal


# --- lists, choosers, size -------------------------------------------------------------------------------------


def selects(html):
    return re.findall(r'<select[^>]*name="([^"]+)"', html)


@pytest.fixture
def crowd():
    """Enough of everything to tell a bounded form from one that lists its choices."""
    Condition.objects.bulk_create(
        Condition(name=f"病{n}", slug=f"bing-{n}", condition_kind="disease", description="x", live=True)
        for n in range(300)
    )
    Physician.objects.bulk_create(Physician(name=f"医{n}", slug=f"yi-{n}", live=True) for n in range(300))
    Hospital.objects.bulk_create(Hospital(name=f"院{n}", slug=f"yuan-{n}", live=True) for n in range(300))
    BodyPart.objects.bulk_create(BodyPart(name=f"部{n}", slug=f"bu-{n}", region="leg") for n in range(300))
    Source.objects.bulk_create(Source(name=f"源{n}", slug=f"yuan-{n}", source_kind="book") for n in range(300))


@pytest.mark.parametrize("kind", KINDS)
def test_no_form_and_no_list_names_every_choice(root, crowd, kind, django_assert_max_num_queries):
    root.get(url(kind, "add"))  # what is read once a process
    with django_assert_max_num_queries(40):
        form = root.get(url(kind, "add")).content.decode()
    with django_assert_max_num_queries(25):
        listing = root.get(url(kind)).content.decode()
    relations = {"broader", "about", "question", "author", "author_hospital", "reviewer", "related", "hospital"}
    relations |= {"department", "superseded_by", "sources", "body_parts", "departments", "populations"}
    for html in (form, listing):
        assert not relations & set(selects(html))
        assert html.count("<option") < 60
    assert form.count("病") < 40


def test_choosers_and_lists_find_chinese_words(root, crowd):
    content.condition()
    for where in (
        url("encyclopedia/condition") + "?q=抽筋",
        "/admin/snippets/choose/encyclopedia/condition/results/?q=抽筋",
    ):
        found = root.get(where).content.decode()
        assert "小腿抽筋" in found
        assert "病12" not in found


def test_lists_are_cut_into_pages(root, crowd):
    page = root.get(url("encyclopedia/condition")).content.decode()
    assert len(re.findall(r'id="snippet_\d+_title"', page)) == 30
    assert root.get(url("encyclopedia/condition") + "?p=999&ordering=nonsense").status_code == 200


def test_the_list_of_a_big_table_is_a_seek(root, crowd):
    from django.db import connection

    objects = Condition.snippet_viewset.get_queryset(None).order_by(*Condition.snippet_viewset.ordering)[:30]
    if connection.vendor == "sqlite":
        plan = objects.explain()
        assert "TEMP B-TREE" not in plan.upper(), plan


def test_answers_are_listed_by_question_and_doctor(root):
    doctor = content.physician(hospital=content.hospital())
    first, second = content.question("第一问？", answers=()), content.question("第二问？", answers=())
    today = timezone.localdate()
    mine = content.publish(
        Answer(
            question=first,
            author=doctor,
            author_hospital=doctor.hospital,
            date_created=today,
            body=[content.text("<p>甲</p>")],
        )
    )
    content.publish(Answer(question=second, date_created=today, body=[content.text("<p>乙</p>")]))
    for query in (f"question={first.pk}", f"author={doctor.pk}", f"author_hospital={doctor.hospital_id}"):
        listing = root.get(url("answers/answer") + "results/?" + query).content.decode()
        assert "第一问？" in listing
        assert "第二问？" not in listing
    edit = root.get(url("answers/question", "edit", first.pk)).content.decode()
    assert url("answers/answer", "edit", mine.pk) in edit
    assert f"{url('answers/answer', 'add')}?question={first.pk}" in edit
    assert "第一问？" in root.get(f"{url('answers/answer', 'add')}?question={first.pk}").content.decode()
    for nonsense in ("999999", "x", "1' or 1", "٣", "9" * 40):
        assert root.get(url("answers/answer", "add"), {"question": nonsense}).status_code == 200


def test_an_answer_keeps_what_the_doctor_was(root):
    doctor = content.physician(hospital=content.hospital())
    question = content.question(answers=())
    form = nested_form_data(
        {
            "question": question.pk,
            "body": streamfield([("text", rich_text("<p>不是。</p>", features=FEATURES))]),
            "author": doctor.pk,
            "author_job_title": "",
            "author_hospital": "",
            "date_created": "2026-01-02",
        }
    )
    assert root.post(url("answers/answer", "add"), form | {"action-publish": "1"}).status_code == 302
    answer = Answer.objects.get()
    assert (answer.author_job_title, answer.author_hospital) == ("主任医师", doctor.hospital)
    missing = root.post(url("answers/answer", "add"), form | {"question": ""})
    assert "question" in errors(missing)


def test_several_are_chosen_and_taken_away(root):
    parts = [content.body_part(), content.body_part("datui", "大腿")]
    condition = content.condition(body_parts=[parts[0]])
    edit = url("encyclopedia/condition", "edit", condition.pk)
    page = root.get(edit).content.decode()
    assert f'name="body_parts" value="{parts[0].pk}"' in page
    root.post(edit, condition_form() | {"body_parts": [part.pk for part in parts], "action-publish": "1"})
    condition = Condition.objects.get()
    assert set(condition.body_parts.all()) == set(parts)
    refused = root.post(edit, condition_form() | {"body_parts": ["999", "x"]})
    assert "body_parts" in errors(refused)
    root.post(edit, condition_form() | {"action-publish": "1"})
    assert not Condition.objects.get().body_parts.exists()


# --- pictures --------------------------------------------------------------------------------------------------

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'
HARMLESS = [
    SVG + '<style>.a{fill:url(#b)}</style><use xlink:href="#b"/><rect class="a" width="9" height="9"/></svg>',
    '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
    '"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">' + SVG + '<image href="data:image/png;base64,AAAA"/></svg>',
    SVG + '<x:namedview xmlns:x="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd" src="http://a/"/></svg>',
]
HARMFUL = [
    SVG + "<script>alert(1)</script></svg>",
    SVG + '<g onclick="alert(1)"/></svg>',
    SVG + "<foreignObject/></svg>",
    SVG + '<image href="https://evil.example/a.png"/></svg>',
    SVG + '<use xlink:href="data:image/svg+xml;base64,AA"/></svg>',
    SVG + '<a href="javascript:alert(1)"/></svg>',
    SVG + '<set attributeName="href" to="javascript:alert(1)"/></svg>',
    SVG + '<style>@import "https://evil.example"</style></svg>',
    SVG + "<style>a{b:url(//evil.example)}</style></svg>",
    SVG + r"<style>a{b:u\72l(//evil.example)}</style></svg>",
    SVG + '<rect fill="url( &quot;https://evil.example&quot;)"/></svg>',
    SVG + '<x:script xmlns:x="http://www.w3.org/1999/xhtml"/></svg>',
    SVG + '<g xml:base="https://evil.example/"/></svg>',
    '<?xml-stylesheet href="https://evil.example"?>' + SVG + "</svg>",
    '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG + "<text>&a;</text></svg>",
    SVG + "<g>" * 300 + "</g>" * 300 + "</svg>",
    '<?xml version="1.0" encoding="gbk"?>' + SVG + "</svg>",
    "<svg><rect/></svg>",
    "<html/>",
    "",
]


@pytest.mark.parametrize("drawing", HARMLESS)
def test_a_harmless_drawing_is_kept(drawing):
    check_svg(drawing.encode())


@pytest.mark.parametrize("drawing", HARMFUL)
def test_a_drawing_that_does_more_than_show_is_refused(drawing):
    with pytest.raises(ValidationError):
        check_svg(drawing.encode())


def test_the_drawings_of_the_starter_encyclopedia_pass():
    import yidian.starter

    drawings = list((Path(yidian.starter.__file__).parent / "bundle" / "images").glob("*.svg"))
    assert drawings
    for drawing in drawings:
        check_svg(drawing.read_bytes())


def png():
    drawn = BytesIO()
    Image.new("RGB", (4, 4)).save(drawn, "PNG")
    return SimpleUploadedFile("a.png", drawn.getvalue(), "image/png")


def test_pages_follow_a_picture_that_is_replaced_described_anew_or_deleted(root, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    root.post("/admin/images/add/", {"title": "腿", "file": png(), "alt": "一条腿", "collection": 1})
    picture = Illustration.objects.get()
    shown = {"type": "picture", "value": {"image": picture.pk, "alt": "", "caption": ""}}
    content.article(modules=[content.module(shown)])
    page = "/articles/weishenme-choujin/"
    assert picture.file.url in root.get(page).content.decode()
    form = {"title": "腿", "alt": "两条腿", "collection": 1, "file": png()}
    form |= {f"focal_point_{name}": "" for name in ("x", "y", "width", "height")}
    assert root.post(f"/admin/images/{picture.pk}/", form).status_code == 302
    now = Illustration.objects.get()
    html = root.get(page).content.decode()
    assert now.file.url != picture.file.url and now.file.url in html and "两条腿" in html
    assert root.post(f"/admin/images/{picture.pk}/delete/").status_code == 302
    assert "两条腿" not in root.get(page).content.decode()


def test_a_picture_needs_its_alt_text(root, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    refused = root.post("/admin/images/add/", {"title": "腿", "file": png(), "alt": ""})
    assert "alt" in errors(refused)
    kept = root.post("/admin/images/add/", {"title": "腿", "file": png(), "alt": "一条腿", "collection": 1})
    assert kept.status_code == 302
    assert Illustration.objects.get().alt == "一条腿"


def test_a_harmful_drawing_is_refused_at_both_doors(root, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    bad = SimpleUploadedFile("a.svg", HARMFUL[0].encode(), "image/svg+xml")
    refused = root.post("/admin/images/add/", {"title": "腿", "file": bad, "alt": "腿", "collection": 1})
    assert "不允许的内容" in str(errors(refused)["file"])
    bad = SimpleUploadedFile("a.svg", HARMFUL[0].encode(), "image/svg+xml")
    many = root.post(
        "/admin/images/multiple/add/", {"title": "腿", "files[]": bad}, headers={"X-Requested-With": "XMLHttpRequest"}
    )
    assert many.json()["success"] is False
    assert not list(tmp_path.rglob("*.svg"))


def test_a_drawing_opened_by_its_address_can_run_nothing(root, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    good = SimpleUploadedFile("a.svg", HARMLESS[0].encode(), "image/svg+xml")
    assert (
        root.post("/admin/images/add/", {"title": "腿", "file": good, "alt": "腿", "collection": 1}).status_code == 302
    )
    served = root.get(Illustration.objects.get().file.url)
    assert b"".join(served.streaming_content).startswith(b"<svg")
    policy = served.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    served.close()
    assert root.get("/media/../secret-key").status_code in {400, 404}


# --- who may do what, and what they see ------------------------------------------------------------------------


def test_editors_write_and_moderators_publish(client):
    sign_in(client, "Editors")
    made = client.post(url("encyclopedia/condition", "add"), condition_form() | {"action-publish": "1"})
    assert made.status_code == 302
    condition = Condition.objects.get()
    assert not condition.live, "an editor's publish button is not offered, and a forged one saves a draft"
    assert client.post(url("encyclopedia/condition", "unpublish", condition.pk)).status_code in {302, 403}
    assert client.get(url("encyclopedia/condition", "delete", condition.pk)).status_code == 302
    handed_in = client.post(
        url("encyclopedia/condition", "edit", condition.pk),
        condition_form(slug=condition.slug) | {"action-submit": "1"},
    )
    assert handed_in.status_code == 302
    condition.refresh_from_db()
    assert condition.current_workflow_state

    sign_in(client, "Moderators")
    assert "小腿抽筋" in client.get("/admin/").content.decode()
    form = condition_form(slug=condition.slug) | {"action-publish": "1"}
    assert client.post(url("encyclopedia/condition", "edit", condition.pk), form).status_code == 302
    assert Condition.objects.get().live


@pytest.mark.parametrize("group", ["Editors", "Moderators"])
@pytest.mark.parametrize("kind", [*KINDS, "editorial/errorreport"])
def test_both_groups_reach_every_kind(client, group, kind):
    sign_in(client, group)
    assert client.get(url(kind)).status_code == 200
    assert client.get(url(kind, "add")).status_code == (302 if kind == "editorial/errorreport" else 200)


def test_nobody_enters_without_signing_in(client):
    for path in ("/admin/", url("encyclopedia/condition"), url("encyclopedia/condition", "preview")):
        assert client.get(path).status_code == 302
    sign_in(client, "Editors")
    assert client.get("/admin/users/").status_code == 302


def test_a_doctor_or_hospital_of_answers_stays_and_why_is_said(root):
    place = content.hospital()
    doctor = content.physician()
    answer = Answer(question=content.question(), author=doctor, author_hospital=place, date_created="2026-01-02")
    answer.body = [content.text("<p>多数不是。</p>")]
    content.publish(answer)
    for kind, held in (("people/physician", doctor), ("people/hospital", place)):
        for path in (url(kind, "delete", held.pk), f"/admin/bulk/{kind}/delete/?id={held.pk}"):
            refused = root.post(path, follow=True)
            assert refused.status_code == 200
            assert "没有删除：还有1 条回答用到它" in refused.content.decode()
    assert Physician.objects.exists() and Hospital.objects.exists()
    answer.delete()
    assert root.post(url("people/physician", "delete", doctor.pk)).status_code == 302
    assert not Physician.objects.exists()


def test_no_file_becomes_public_past_the_reviewers(client):
    sign_in(client, "Editors")
    made = SimpleUploadedFile("a.html", b"<h1>a</h1>", "text/html")
    form = {"title": "a", "collection": 1, "tags": "", "file": made}
    for path in ("/admin/documents/add/", "/admin/documents/multiple/add/", "/admin/documents/chooser/create/"):
        assert client.post(path, form).status_code == 404
    assert client.get("/media/documents/a.html").status_code == 404


# Wagtail leaves the file of the thumbnail beside its form open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_picture_on_a_public_page_is_changed_by_those_who_publish(client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    sign_in(client, "Editors")
    form = {"title": "腿", "collection": 1} | {f"focal_point_{name}": "" for name in ("x", "y", "width", "height")}
    client.post("/admin/images/add/", form | {"file": png(), "alt": "一条腿"})
    picture = Illustration.objects.get()
    edit = f"/admin/images/{picture.pk}/"
    assert client.post(edit, form | {"alt": "一条左腿"}).status_code == 302, "no page shows it yet"
    shown = {"type": "picture", "value": {"image": picture.pk, "alt": "", "caption": ""}}
    content.article(modules=[content.module(shown)])
    for change in ({"alt": "没事"}, {"alt": "一条左腿", "file": png()}):
        refused = client.post(edit, form | change)
        assert refused.status_code == 200 and "请交给能发布的人来改" in refused.content.decode()
    assert client.post(edit, form | {"alt": "一条左腿", "title": "左腿"}).status_code == 302
    assert "一条左腿" in client.get("/articles/weishenme-choujin/").content.decode()
    sign_in(client, "Moderators")
    assert client.post(edit, form | {"alt": "右腿"}).status_code == 302
    assert "右腿" in client.get("/articles/weishenme-choujin/").content.decode()


def test_a_lock_keeps_others_out(client):
    condition = content.condition()
    sign_in(client, "Moderators")
    assert client.post(url("encyclopedia/condition", "lock", condition.pk)).status_code == 302
    sign_in(client, "Editors")
    client.post(url("encyclopedia/condition", "edit", condition.pk), condition_form(description="偷改。"))
    assert "偷改。" not in str(Condition.objects.get().get_latest_revision().content)


def test_the_menu_holds_this_work_and_nothing_else(root):
    page = root.get("/admin/").content.decode()
    props = json.loads(re.search(r'id="wagtail-sidebar-props"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    packed = json.dumps(props, ensure_ascii=False)
    names = re.findall(r'"name": (?:"|\{"_val": ")([^"]+)"[^{}]*?"label": "([^"]+)"', packed)
    labels = [label for _name, label in names]
    for label in (
        "百科",
        "病症",
        "文章",
        "行动指南",
        "问答",
        "问题",
        "回答",
        "医生",
        "医院",
        "科室",
        "出处",
        "主张",
        "更正",
    ):
        assert label in labels, labels
    assert not {"explorer", "documents", "help", "snippets"} & {name for name, _label in names}


def test_home_shows_what_waits(root, django_assert_max_num_queries):
    today = timezone.localdate()
    doctor = content.physician()
    content.article(
        name="该审了",
        slug="gai-shen",
        reviewer=doctor,
        last_review_date=today - timedelta(days=400),
        review_due=today - timedelta(days=1),
    )
    content.article(
        name="还早", slug="hai-zao", reviewer=doctor, last_review_date=today, review_due=today + timedelta(days=300)
    )
    draft = content.condition(name="改了一半")
    draft.save_revision()
    question = content.question("答了一半？", answers=("<p>甲</p>",))
    question.answers.get().save_revision()
    ErrorReport.objects.create(page="/", text="这里写反了。")
    ErrorReport.objects.create(page="/", text="早已改好。", handled=True)
    root.get("/admin/")
    with django_assert_max_num_queries(40):
        home = root.get("/admin/").content.decode()
    for shown in (
        "该审了",
        "已过期",
        "改了一半",
        "对“答了一半？”的回答",
        "这里写反了。",
        url("encyclopedia/article", "add"),
    ):
        assert shown in home
    for hidden in ("还早", "早已改好。"):
        assert hidden not in home


def test_an_error_report_is_answered_and_cannot_be_rewritten(root):
    report = ErrorReport.objects.create(page="/", text="这里写反了。")
    form = {"handled": "on", "outcome": "已改正。", "text": "别的话"}
    assert root.post(url("editorial/errorreport", "edit", report.pk), form).status_code == 302
    report.refresh_from_db()
    assert (report.handled, report.outcome, report.text) == (True, "已改正。", "这里写反了。")


def test_the_admin_speaks_chinese(root, client):
    article = content.article()
    pages = [root.get(url("encyclopedia/article", "edit", article.pk)), root.get("/admin/"), root.get("/admin/images/")]
    client.cookies.clear()
    pages.append(client.get("/admin/login/"))
    for page in pages:
        html = page.content.decode()
        assert 'lang="zh-hans"' in html
        for english in (
            ">Save draft<",
            ">Publish<",
            "Password",
            "Sign in",
            "editor guide",
            ">Images<",
            "Keyboard shortcuts",
        ):
            assert english not in html, english


def test_every_kind_keeps_a_claim_of_its_own_models():
    """The kinds listed here are all there are, so that a new one cannot be left without its tests."""
    from yidian.editorial.actions import publishable_models

    assert {f"{model._meta.app_label}/{model._meta.model_name}" for model in publishable_models()} == set(KINDS)
    assert {Article, ActionGuide, Claim, Question} <= set(publishable_models())


def test_long_lists_say_where_they_end(root, crowd, monkeypatch):
    monkeypatch.setattr("yidian.publication.admin.MAX_LISTED", 299)
    listing = url("encyclopedia/condition")
    chooser = "/admin/snippets/choose/encyclopedia/condition/results/?q=病"
    for where in (listing, listing + "?p=10", listing + "?q=病", chooser):
        assert "299+" in root.get(where).content.decode()
    assert "实际更多" in root.get(listing + "?q=病").content.decode()
    assert len(re.findall(r'id="snippet_\d+_title"', root.get(listing + "?p=11").content.decode())) == 29
    monkeypatch.setattr("yidian.publication.admin.MAX_LISTED", 300)
    for where in (listing, listing + "?q=病", chooser):
        page = root.get(where).content.decode()
        assert "300+" not in page
        assert "300" in page
        assert "实际更多" not in page
