"""Drafts, schedules, redirects and pictures travel with the rest: a library made at random comes back byte for byte."""

import random
import re
import uuid
from datetime import UTC, datetime, timedelta

import content
import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone
from test_exchange import bring, empty, files_of, write

from yidian.answers.models import Answer, Question
from yidian.editorial.models import Redirect
from yidian.editorial.schedules import keep_schedules
from yidian.encyclopedia.models import Article, Condition
from yidian.exchange.bundle import export_bundle
from yidian.exchange.check import check_bundle
from yidian.exchange.documents import ANSWER_FIELDS, KINDS, read_file, written_document, written_list
from yidian.people.models import Physician

WORDS = [
    "小腿",
    "抽筋",
    "a: b",
    "#x",
    "'q'",
    '"z"',
    "- 1",
    "true",
    "12",
    "[x]",
    "{y}",
    "*",
    "\\",
    "&a",
    "!t",
    "%",
    "~",
    "|",
]
RICH = [
    "<p>慢慢<b>拉</b>。</p>",
    "<p>看[^source-1]。</p>",
    "<ul><li>一</li><li># 二</li></ul>",
    '<p><a href="/articles/article-1/">去</a></p>',
]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'
FREE = {"slug", "status", "go_live_at", "expire_at", "identifier", "file", "from", "id", "contraindications"}


class Library:
    """Records of every kind with fields filled or left out at random."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)  # noqa: S311
        self.keys = {name: [f"{name.replace('_', '-')}-{n}" for n in (1, 2, 3, 4)] for name in KINDS}
        self.keys["image"] = ["picture.svg"]
        self.keys["redirect"] = ["/old/1.html", "/旧/"]

    def word(self, limit: int = 0) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 4)))[: limit or None].strip()

    def day(self) -> str:
        return f"20{self.random.randint(10, 25)}-0{self.random.randint(1, 9)}-11"

    def moment(self, year: int) -> str:
        return f"{year}-0{self.random.randint(1, 9)}-11 08:{self.random.choice(['00', '30', '30:15'])}"

    def value(self, field, key: str):
        if field.shape == "paragraphs":
            return "\n".join(self.word() for _ in range(self.random.randint(1, 3)))
        if field.shape == "choice":
            return self.random.choice(field.choices)
        if field.shape == "date":
            return self.day()
        if field.shape == "flag":
            return True
        if field.shape in {"one", "many", "slugs"}:
            there = self.keys[field.kind]
            if field.shape == "one":
                chosen = self.random.choice(there)
                return None if field.kind == "synonym_group" and chosen == key else chosen  # refused: test_synonyms
            return sorted(self.random.sample(there, self.random.randint(0, len(there))))
        if field.shape in {"names", "lines"}:
            words = dict.fromkeys(self.word() for _ in range(self.random.randint(1, 3)))
            # a synonym stands in one group only
            if key.startswith("synonym-group"):
                return [f"{word} {key} {number}" for number, word in enumerate(words)]
            return list(words)
        if field.shape == "records":
            return [self.record(field.fields, key) for _ in range(self.random.randint(1, 2))]
        return self.word(field.limit)

    def record(self, fields, key: str) -> dict:
        made = {}
        for each in fields:
            if each.name in FREE or each.name == "answers":
                continue
            if each.required or self.random.random() < 0.5:
                value = self.value(each, key)
                if value not in (None, [], each.default):
                    made[each.name] = value
        if made.get("author") == made.get("reviewer") or not ("reviewer" in made and "last_review_date" in made):
            made.pop("reviewer", None)
            made.pop("last_review_date", None)
        if "review_due" in made:
            made["review_due"] = "2031-01-01"
        return made

    def life(self, draft: bool = False) -> dict:
        status = (
            self.random.choice([None, "scheduled", "draft"]) if not draft else self.random.choice([None, "scheduled"])
        )
        made = {"status": status} if status else {}
        if status == "scheduled" or (self.random.random() < 0.3 and (draft or status)):
            made["go_live_at"] = self.moment(2041)
        if self.random.random() < 0.3:
            made["expire_at"] = self.moment(2042)
        if not draft and self.random.random() < 0.3:
            made["identifier"] = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        return made

    def blocks(self) -> list[dict]:
        some = [
            {"text": self.random.choice(RICH)},
            {"claim": "claim-1"},
            {"picture": {"image": "picture.svg", "alt": self.word(), "caption": self.word()}},
            {"population": "population-2", "text": self.random.choice(RICH)},
        ]
        return [{"text": "<p>好。</p>"}, *self.random.sample(some[1:], self.random.randint(0, 3))]

    def body(self, kind) -> dict:
        if kind.body == "modules":
            return {"modules": [{"health_aspect": "overview", "headline": self.word(), "body": self.blocks()}]}
        if kind.body == "phases":
            step = {"name": "拉", "text": self.random.choice(RICH)} | self.random.choice([{}, {"seconds": 30}])
            step |= self.random.choice([{}, {"id": "la"}, {"id": "la", "claims": ["claim-1"]}])
            asked = {"id": "huafalin", "question": self.word(), "removes": ["la"], "instead": "不要拉[^source-1]。"}
            asked |= self.random.choice([{}, {"answered_by": ["yejian-tuichoujin/one-leg-swollen"]}])
            body = {"phases": [{"phase": "now", "headline": self.word(), "steps": [step]}]}
            return body | ({"contraindications": [asked]} if "id" in step else {})
        return {}

    def page(self, kind, key: str, draft: bool = False) -> dict:
        made = self.record(kind.draft_fields if draft else kind.fields, key) | self.body(kind)
        if kind.has_drafts:
            made |= self.life(draft)
        made |= {"name": key} if "name" in made else {}
        made |= {"doi": "10.1/x"} if kind.name == "source" else {}
        made |= {"page": "/articles/article-1/"} if kind.name == "correction" else {}
        made |= {"to": "/articles/article-1/"} if kind.name == "redirect" else {}
        return made

    def answers(self, names, draft: bool = False) -> list[dict]:
        return [
            {"id": name}
            | self.record(ANSWER_FIELDS, name)
            | self.life(draft)
            | ({"slug": name} if len(name) > 2 else {})
            | {"body": self.blocks()}
            for name in names
        ]

    def files(self) -> dict[str, str | bytes]:
        files: dict[str, str | bytes] = {"images/picture.svg": SVG}
        for kind in KINDS.values():
            pages, drafts = [], []
            for key in sorted(self.keys[kind.name]):
                page = self.page(kind, key)
                if kind.name == "question":
                    page["answers"] = self.answers(["a1", "a2", f"of-its-own-{key}"])
                pages.append((key, page))
                live = [answer for answer in page.get("answers", []) if "status" not in answer]
                if kind.has_drafts and "status" not in page and self.random.random() < 0.7:
                    draft = self.page(kind, key, draft=True)
                    changed = self.answers([answer["id"] for answer in live[:1]], draft=True)
                    drafts.append((key, draft | ({"answers": changed} if changed else {})))
            for records, path_of in ((pages, kind.path_of), (drafts, kind.draft_path_of)):
                if kind.is_folder:
                    files |= {
                        path_of(key): canonical(kind, path_of(key), written_document(kind, key, made))
                        for key, made in records
                    }
                elif records:
                    files[path_of("")] = canonical(kind, path_of(""), written_list(kind, records))
        return files


def canonical(kind, path: str, text: str) -> str:
    parsed = read_file(path, text.encode())
    assert [str(problem) for problem in parsed.problems] == []
    records = [(record.key, record.values) for record in parsed.records]
    return written_document(kind, *records[0]) if kind.is_folder else written_list(kind, records)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(5))
def test_a_library_made_at_random_comes_back(tmp_path, seed):
    files = Library(seed).files()
    folder = write(tmp_path / "in", files)
    errors = [str(problem) for problem in check_bundle(folder) if problem.level == "error"]
    assert [each for each in errors if "依据的主张" not in each] == []  # a claim at random may not carry a step
    counts, said = bring(folder)
    assert [each for each in said if "依据的主张" not in each] == []
    assert re.fullmatch(r"\d+ created, 0 updated, 0 unchanged, 0 rejected", counts)
    export_bundle(tmp_path / "out")
    out = files_of(tmp_path / "out")
    assert out == files_of(folder)
    total = counts.split()[0]
    assert bring(folder)[0] == f"0 created, 0 updated, {total} unchanged, 0 rejected"
    empty()
    assert bring(tmp_path / "out")[0] == counts
    export_bundle(tmp_path / "again")
    assert files_of(tmp_path / "again") == out


def edited(row, **changes):
    for name, value in changes.items():
        setattr(row, name, value)
    return row.save_revision()


@pytest.mark.django_db
def test_what_editors_left_unpublished_travels_and_is_published_there(tmp_path):
    soon = timezone.now() + timedelta(days=2)
    edited(content.condition("aa", "甲"), description="还没公开。")
    edited(content.article("wen", "文"), description="定时的。", go_live_at=soon).publish()
    edited(content.physician("yi"), description="新的介绍。")
    content.article("yaoche", "要撤", expire_at=soon)
    waiting = Article(slug="deng", name="等", description="等着。", live=False, go_live_at=soon)
    waiting.save()
    waiting.save_revision().publish()
    question = content.question(answers=("<p>甲</p>", "<p>乙</p>"), slug="qq")
    second = Answer.objects.filter(question=question).order_by("pk").last()
    edited(second, body=[content.text("<p>改过的乙</p>")])
    export_bundle(tmp_path / "one")
    out = files_of(tmp_path / "one")
    assert "还没公开。" in out["conditions/aa.draft.md"].decode()
    assert "还没公开。" not in out["conditions/aa.md"].decode()
    assert "status: scheduled\ngo_live_at: " in out["articles/wen.draft.md"].decode()
    assert "status: scheduled\ngo_live_at: " in out["articles/deng.md"].decode()
    assert "expire_at: " in out["articles/yaoche.md"].decode()
    assert "新的介绍。" in out["people/physicians.draft.yaml"].decode()
    assert "改过的乙" in out["questions/qq.draft.md"].decode()
    assert out["questions/qq.draft.md"].decode().count("## {answer") == 1

    empty()
    assert bring(tmp_path / "one")[1] == []
    export_bundle(tmp_path / "two")
    assert files_of(tmp_path / "two") == out
    assert Condition.objects.get(slug="aa").description != "还没公开。"
    for model, slug in ((Condition, "aa"), (Physician, "yi"), (Question, "qq")):
        row = model.objects.get(slug=slug)
        assert row.live
        assert row.has_unpublished_changes is (model is not Question)
    Condition.objects.get(slug="aa").latest_revision.publish()
    assert Condition.objects.get(slug="aa").description == "还没公开。"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(days=3))
        keep_schedules()
    assert Article.objects.get(slug="wen").description == "定时的。"
    assert Article.objects.get(slug="deng").live
    assert not Article.objects.get(slug="yaoche").live


@pytest.mark.django_db
def test_an_editors_newer_draft_is_never_overwritten(tmp_path):
    row = content.condition("aa", "甲")
    edited(row, description="草稿一。")
    export_bundle(tmp_path)
    path = tmp_path / "conditions/aa.draft.md"
    text = path.read_text()
    path.write_text(text.replace("草稿一。", "作者改的草稿。"))
    assert bring(tmp_path)[0].startswith("0 created, 1 updated")
    row = Condition.objects.get(slug="aa")
    assert (row.live, row.get_latest_revision_as_object().description) == (True, "作者改的草稿。")
    # the page and its draft, both changed outside
    page = tmp_path / "conditions/aa.md"
    page.write_text(page.read_text().replace("小腿抽筋多半", "抽筋多半"))
    path.write_text(text.replace("草稿一。", "又改。"))
    assert bring(tmp_path)[0].startswith("0 created, 2 updated")
    row = Condition.objects.get(slug="aa")
    assert row.description.startswith("抽筋多半")
    assert row.get_latest_revision_as_object().description == "又改。"

    edited(row, description="编辑的草稿。")
    path.write_text(text.replace("草稿一。", "作者的。"))
    counts, said = bring(tmp_path)
    assert counts.startswith("0 created, 0 updated")
    assert "更新的、还没公开的修改" in said[0]
    Condition.objects.filter(pk=row.pk).update(has_unpublished_changes=False)
    assert "已经公开或放弃" in bring(tmp_path)[1][0]
    row.latest_revision.publish()
    assert ["改过" in line for line in bring(tmp_path)[1]] == [True, False]
    assert Condition.objects.get(slug="aa").description == "编辑的草稿。"
    assert bring(tmp_path, overwrite=True)[0].endswith("0 rejected")
    assert Condition.objects.get(slug="aa").get_latest_revision_as_object().description == "作者的。"


DRAFT = "---\nname: 甲\nkind: disease\ndescription: 改。\n{}---\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("conditions/zz.draft.md", DRAFT.format(""), "不知道是谁的修改"),
        ("conditions/bb.draft.md", DRAFT.format(""), "还没有公开"),
        ("conditions/aa.draft.md", DRAFT.format("status: live\n"), "没有“live”"),
        ("conditions/aa.draft.md", DRAFT.format("status: scheduled\n"), "什么时候公开"),
        ("conditions/aa.draft.md", DRAFT.format("go_live_at: 明天\n"), "不是时刻"),
        ("conditions/aa.draft.md", DRAFT.format("broader: nirgends\n"), "没有这个"),
        ("conditions/aa.md", DRAFT.format("date_published: 2026-01-01\ngo_live_at: 2041-01-01 08:00\n"), "已经公开"),
        ("redirects.yaml", "- from: old\n  to: /a/\n", "旧网址"),
        ("redirects.yaml", "- from: /old\n  to: //evil.cn/\n", "本站的网址"),
        ("redirects.yaml", "- from: /a/\n  to: /a/\n", "绕圈"),
        ("redirects.yaml", "- from: /a/\n  to: /b/\n- from: /b/\n  to: /a/\n", "绕圈"),
    ],
)
def test_wrong_drafts_and_redirects_are_refused(tmp_path, path, text, said):
    content.condition("aa", "甲")
    Condition.objects.create(slug="bb", name="乙", description="草稿", condition_kind="disease", live=False)
    export_bundle(tmp_path)
    counts, told = bring(write(tmp_path, {path: text}))
    assert counts.endswith(" 1 rejected")
    assert said in told[0]
    assert not Condition.objects.get(slug="aa").has_unpublished_changes


@pytest.mark.django_db
def test_an_old_address_leads_to_the_page_in_both_scripts(client, tmp_path):
    content.article("wen", "文")
    content.condition("aa", "甲")
    moved = {"/archives/1.html": "/articles/wen/", "/conditions/aa/": "/", "/旧/": "/articles/wen/#a"}
    redirects = "".join(f"- from: {old}\n  to: {new}\n" for old, new in moved.items())
    assert bring(write(tmp_path, {"redirects.yaml": redirects}))[0].startswith("3 created")
    for old, new in (
        ("/archives/1.html", "/articles/wen/"),
        ("/zh-hant/archives/1.html", "/zh-hant/articles/wen/"),
        ("/旧/", "/articles/wen/#a"),
    ):
        response = client.get(old)
        assert (response.status_code, response["Location"]) == (301, new)
        assert response["Cache-Control"] == "public, max-age=3600"
        assert "X-Page-Tags" not in response
    assert client.post("/archives/1.html").status_code == 404
    assert client.get("/archives/2.html").status_code == 404
    assert client.get("/conditions/aa/").status_code == 200
    Redirect.objects.all().delete()
    assert client.get("/archives/1.html").status_code == 404


@pytest.mark.django_db
def test_moderators_say_in_the_admin_where_an_old_address_leads(client, django_user_model):
    moderator = django_user_model.objects.create_user("shen", password="x")
    moderator.groups.add(Group.objects.get(name="Moderators"))
    client.force_login(moderator)
    add = reverse(Redirect.snippet_viewset.get_url_name("add"))
    content.article("wen", "文")
    assert "本站的网址" in client.post(add, {"from_path": "/old/", "to_path": "https://evil.cn/"}).content.decode()
    assert client.post(add, {"from_path": "/old/", "to_path": "/articles/wen/"}).status_code == 302
    assert client.get("/old/")["Location"] == "/articles/wen/"
    assert "/old/" in client.get(reverse(Redirect.snippet_viewset.get_url_name("list"))).content.decode()
    moderator.groups.set([Group.objects.get(name="Editors")])
    assert client.get(add, follow=True).redirect_chain
