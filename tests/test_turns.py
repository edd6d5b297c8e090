"""Several at once: whoever changes content at the same moment, the end is as if one had come after the other."""

import threading
import time
from datetime import timedelta

import content
import pytest
from django.db import connection, transaction
from django.utils import timezone
from test_exchange import bring, files_of, write

from yidian.answers.models import Question
from yidian.editorial.models import UnansweredQuery
from yidian.editorial.schedules import keep_schedules
from yidian.encyclopedia.models import Article, Condition
from yidian.evidence.models import Claim
from yidian.exchange.bundle import export_bundle
from yidian.search.library import library

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/articles/weishenme-choujin/"
# Seconds that the first holds its transaction open, and that the second has to come as far as it can.
HELD = 1.0


def while_another(first, second):
    """Runs `second` while `first` has done its work and not yet committed it."""
    done, failed = threading.Event(), []

    def run():
        try:
            with transaction.atomic():
                first()
                done.set()
                time.sleep(HELD)
        except Exception as error:  # noqa: BLE001 - said in the test's own thread
            failed.append(error)
        finally:
            done.set()
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    done.wait()
    try:
        second()
    finally:
        thread.join()
    assert not failed, failed


def showing(*claims):
    return content.module(content.text("<p>肌肉累了。</p>"), *({"type": "claim", "value": each.pk} for each in claims))


def withdraw(model, slug):
    with transaction.atomic():
        model.objects.get(slug=slug).unpublish()


def test_two_claims_withdrawn_at_once_are_both_gone(client):
    claims = [content.claim(slug, name=f"主张{slug}？") for slug in ("jia", "yi")]
    content.article(modules=[showing(*claims)])
    assert "主张jia？" in client.get(PAGE).content.decode()
    while_another(lambda: withdraw(Claim, "jia"), lambda: withdraw(Claim, "yi"))
    html = client.get(PAGE).content.decode()
    assert "主张jia？" not in html and "主张yi？" not in html


def test_a_claim_withdrawn_while_an_article_with_it_is_published_is_gone(client):
    claim = content.claim("jia", name="主张jia？")
    while_another(lambda: content.article(modules=[showing(claim)]), lambda: withdraw(Claim, "jia"))
    assert "主张jia？" not in client.get(PAGE).content.decode()


def test_an_article_published_while_its_claim_is_withdrawn_shows_nothing_of_it(client):
    claim = content.claim("jia", name="主张jia？")
    while_another(lambda: withdraw(Claim, "jia"), lambda: content.article(modules=[showing(claim)]))
    assert "主张jia？" not in client.get(PAGE).content.decode()


def edit(slug, description, publish):
    article = Article.objects.get(slug=slug)
    article.description = description
    revision = article.save_revision()
    if publish:
        revision.publish()


@pytest.mark.parametrize("publish", [True, False], ids=["published", "draft"])
def test_an_import_sees_what_an_editor_is_just_saving(tmp_path, publish):
    content.article()
    export_bundle(tmp_path / "out")
    name = "articles/weishenme-choujin.md"
    files = files_of(tmp_path / "out")
    write(tmp_path / "new", files | {name: files[name].replace("多半是肌肉累了。".encode(), "包里的。".encode())})
    brought = []
    while_another(
        lambda: edit("weishenme-choujin", "编辑的。", publish), lambda: brought.append(bring(tmp_path / "new"))
    )
    assert "1 rejected" in brought[0][0]
    assert any("没有覆盖" in line for line in brought[0][1])
    article = Article.objects.get()
    assert article.description == ("编辑的。" if publish else "多半是肌肉累了。")
    assert article.get_latest_revision_as_object().description == "编辑的。"


def test_an_expiry_and_an_editor_who_puts_it_off_at_the_same_moment(client):
    article = content.article(expire_at=timezone.now() - timedelta(minutes=1))

    def put_off():
        article.expire_at = timezone.now() + timedelta(days=1)
        article.description = "刚改过。"
        article.save_revision().publish()

    while_another(put_off, keep_schedules)
    assert "刚改过。" in client.get(PAGE).content.decode()


def test_a_question_deleted_while_its_condition_changes_ends_both(client):
    condition = content.condition()
    content.question(slug="wen", about=condition)

    def rename():
        Condition.objects.get().delete()

    while_another(rename, lambda: Question.objects.get().delete())
    assert client.get("/questions/wen/").status_code == 404


def test_a_search_that_nothing_answers_waits_for_no_writer(client, quick_search):
    content.condition()
    library().build()
    took = []

    def search():
        began = time.monotonic()
        assert "还没有正好回答" in client.get("/search?q=孩子腿骨折了怎么办").content.decode()
        took.append(time.monotonic() - began)

    search()
    while_another(lambda: content.condition("er", "二"), search)
    assert took[1] < HELD / 2
    assert UnansweredQuery.objects.filter(text="孩子腿骨折了").exists()
