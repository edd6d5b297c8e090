"""The encyclopedia that a new site starts with: every page of it, as a reader in either script gets it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.db import transaction
from django.test import Client, override_settings
from wagtail.models import Collection

from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.exchange.bundle import import_bundle
from yidian.triage import rulebook
from yidian.zh.sentences import read_aloud

STARTER = Path(__file__).parent.parent / "src/yidian/starter/bundle"
DEMO = STARTER.parent / "demo"
ENTRIES = ("conditions", "articles", "questions", "guides")
AWAITS = {"": "等待执业医师审核", "/zh-hant": "等待執業醫師審核"}
BLOCKS = {"h1", "h2", "h3", "p", "li", "dt", "dd", "figcaption"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """What a reader can follow on a page, and what a voice reads of it."""

    def __init__(self, address: str, status: int, html: str):
        super().__init__()
        self.address, self.status, self.html = address, status, html
        self.ids: list[str] = []
        self.links: list[str] = []
        self.unnamed_pictures = 0
        self.spoken = ""
        self._open: list[tuple[str, bool, bool]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if name := attributes.get("id"):
            self.ids.append(name)
        for kind in ("href", "src"):
            if kind in attributes:
                self.links.append(attributes[kind])
        if tag == "img" and not attributes.get("alt"):
            self.unnamed_pictures += 1
        if tag in BLOCKS:
            self.spoken += "\n"
        if tag in VOID:
            return
        reads, silent = self._open[-1][1:] if self._open else (False, False)
        classes = set((attributes.get("class") or "").split())
        silent = (
            silent
            or tag in ("nav", "script", "svg")
            or {"data-read-skip", "hidden"} & attributes.keys()
            or {"cite", "term-note", "population-filter"} & classes
        )
        self._open.append((tag, reads or "data-read" in attributes, bool(silent)))

    def handle_endtag(self, tag):
        # the templates leave out optional end tags nowhere, so every end tag closes the last element
        if self._open and tag not in VOID:
            assert self._open.pop()[0] == tag, f"{self.address}: </{tag}> closes nothing"

    def handle_data(self, data):
        if self._open and self._open[-1][1] and not self._open[-1][2]:
            self.spoken += data

    def bundle_file(self) -> Path | None:
        section, _, rest = self.address.removeprefix("/zh-hant").strip("/").partition("/")
        file = STARTER / section / f"{rest}.md"
        return file if section in ENTRIES and "/" not in rest and file.is_file() else None


def crawl() -> dict[str, Page]:
    """Every page that links lead to from the front page of either script, by address."""
    client = Client(SERVER_NAME="127.0.0.1")
    pages: dict[str, Page] = {}
    found = ["/", "/zh-hant/"]
    while found:
        address = found.pop()
        if address in pages:
            continue
        response = client.get(address)
        html = response.content.decode() if response.get("Content-Type", "").startswith("text/html") else ""
        page = pages[address] = Page(address, response.status_code, html)
        for link in page.links:
            there = urldefrag(internal(address, link) or "")[0]
            if there and not re.match(r"/(?:media|static|assets|admin)/|/corrections/report/\?", there):
                found.append(there)
    return pages


def internal(address: str, link: str) -> str | None:
    parts = urlsplit(urljoin(f"http://127.0.0.1:8000{address}", link))
    if parts.scheme not in ("http", "https") or parts.hostname != "127.0.0.1":
        return None
    return parts._replace(scheme="", netloc="").geturl()


def repeated(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


@pytest.fixture(scope="module")
def _database(django_db_setup, django_db_blocker, tmp_path_factory):
    """The starter encyclopedia and then, above it, the demonstration; nothing of either stays."""
    media = override_settings(MEDIA_ROOT=tmp_path_factory.mktemp("media"))
    with media, django_db_blocker.unblock(), transaction.atomic():
        # a test with transactions of its own empties every table behind it, Wagtail's root collection too
        if not Collection.objects.exists():
            Collection.add_root(name="Root")
        yield
        transaction.set_rollback(True)


def brought(folder: Path) -> None:
    said: list[str] = []
    counts = import_bundle(folder, report=said.append)
    assert not counts.rejected and not said, said


@pytest.fixture(scope="module")
def library(_database):
    brought(STARTER)
    models = {"conditions": Condition, "articles": Article, "guides": ActionGuide}
    return {
        "pages": crawl(),
        "modules": {
            condition.slug: {block.value["health_aspect"] for block in condition.modules}
            for condition in Condition.objects.all()
        },
        "counts": {name: model.objects.filter(live=True).count() for name, model in models.items()},
    }


@pytest.fixture(scope="module")
def pages(library) -> dict[str, Page]:
    return library["pages"]


@pytest.fixture(scope="module")
def with_demo(library) -> dict[str, Page]:
    brought(DEMO)
    return crawl()


def front_matter(file: Path) -> str:
    return file.read_text(encoding="utf-8").split("\n---\n", 1)[0]


def records(path: str) -> list[str]:
    text = (STARTER / path).read_text(encoding="utf-8")
    return [record for record in re.split(r"^- ", text, flags=re.MULTILINE) if record.strip()]


def entry_files() -> list[Path]:
    return [file for section in ENTRIES for file in sorted((STARTER / section).glob("*.md"))]


def test_every_page_is_there_in_both_scripts(pages):
    assert {address: page.status for address, page in pages.items() if page.status != 200} == {}
    for file in entry_files():
        address = f"/{file.parent.name}/{file.stem}/"
        assert {address, f"/zh-hant{address}", f"{address}handout/"} <= pages.keys()
    plain = {address for address in pages if not address.startswith("/zh-hant/") and pages[address].html}
    assert {f"/zh-hant{address}" for address in plain} <= pages.keys()


def test_structured_data_parses_and_names_its_page(pages):
    for address, page in pages.items():
        blocks = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page.html, re.DOTALL)
        parsed = [json.loads(block) for block in blocks]
        if page.bundle_file():
            graph = parsed[0]["@graph"]
            assert [node["@type"] for node in graph if node.get("@id", "").endswith(address)], address
            assert "author" not in graph[0] or graph[0]["author"]["@type"] == "Organization", address


def test_every_link_and_anchor_leads_somewhere(pages):
    assert {address: twice for address, page in pages.items() if (twice := repeated(page.ids))} == {}
    broken = []
    for address, page in pages.items():
        for link in page.links:
            there, anchor = urldefrag(internal(address, link) or "")
            if there in pages and anchor and anchor not in pages[there].ids:
                broken.append((address, link))
    assert broken == []


def test_pictures_are_there_and_say_what_they_show(pages, _database):
    client = Client(SERVER_NAME="127.0.0.1")
    assert [address for address, page in pages.items() if page.unnamed_pictures] == []
    shown = {link for page in pages.values() for link in page.links if link.startswith("/media/")}
    assert len(shown) >= len(records("images/images.yaml")) - 1
    for url in shown:
        response = client.get(url)
        assert response.status_code == 200, url
        assert b"".join(response.streaming_content), url  # read to its end, which closes the file


def test_every_citation_is_a_numbered_footnote(pages):
    for address, page in pages.items():
        assert "[^" not in page.html, address
        if file := page.bundle_file():
            written = len(re.findall(r"\[\^[a-z0-9-]+\]", file.read_text(encoding="utf-8")))
            shown = re.findall(
                r'<sup class="cite"><a href="#source-(\d+)" id="cite-\1-\d+"[^>]*>\[\1\]</a></sup>', page.html
            )
            assert len(shown) == written, address


def test_every_source_can_be_found_or_says_why_not():
    sources = records("evidence/sources.yaml")
    assert len(sources) > 50
    without = [
        s.split("\n")[0]
        for s in sources
        if not re.search(r"^  (?:doi|pmid|isbn|document_number|url|no_identifier_reason): \S", s, re.MULTILINE)
    ]
    assert without == []


def test_every_condition_says_what_to_feel_why_what_to_do_and_when_to_go(library):
    assert library["modules"].keys() == {file.stem for file in (STARTER / "conditions").glob("*.md")}
    for slug, aspects in library["modules"].items():
        assert {"symptoms", "causes", "self_care", "see_doctor"} <= aspects, slug


ACTION = re.compile(r"拨打 120|去急诊|看医生|约.*(?:医生|科)|联系|可以做的|马上做")
CLOCK = re.compile(r"立即|马上|今天|今晚|现在|[一两三四0-9]周内|之前|以后|时|路上|的时候")


def test_every_page_has_care_advice_whose_headings_name_action_and_clock():
    for file in entry_files():
        headings = re.findall(r"^    heading: (.+)$", front_matter(file), re.MULTILINE)
        assert 1 <= len(headings) <= 3, file.name
        for heading in headings:
            assert ACTION.search(heading) and CLOCK.search(heading), f"{file.name}: {heading}"


def test_every_page_awaits_review_and_no_invented_person_has_written_it(pages):
    seen = 0
    for address, page in pages.items():
        if page.bundle_file():
            seen += 1
            awaits = AWAITS["/zh-hant" if address.startswith("/zh-hant/") else ""]
            assert f"<b>{awaits}</b>" in page.html, address
            assert "/doctors/" not in "".join(
                re.findall(r'class="(?:byline|doctor-line)".*?</(?:div|p)>', page.html, re.DOTALL)
            )
        if address.endswith("/handout/"):
            assert AWAITS["/zh-hant" if address.startswith("/zh-hant/") else ""] in page.html, address
    assert seen == 2 * len(entry_files())
    for file in entry_files():
        assert not re.search(r"^ *(?:author|reviewer)", front_matter(file), re.MULTILINE), file.name
    assert not (STARTER / "people/physicians.yaml").exists()


def test_what_the_demonstration_brings_is_marked_wherever_it_shows(pages, with_demo):
    people = set(
        re.findall(r"name: (演示(?:医生|.*医院).*)", "".join(f.read_text() for f in (DEMO / "people").glob("*.yaml")))
    )
    assert len(people) > 4
    named = re.compile("|".join(sorted(people, key=len, reverse=True)))
    assert [address for address, page in pages.items() if named.search(page.html)] == []
    marked = 0
    for address, page in with_demo.items():
        if address.startswith("/zh-hant/"):
            continue
        for line in re.findall(r'<p class="doctor-line">.*?</p>', page.html, re.DOTALL):
            if named.search(line):
                marked += 1
                assert '<span class="tag tag--demo">演示</span>' in line, address
        if named.search(page.html):
            assert "tag--demo" in page.html or re.search("<b>演示(?:人物|医院)</b>|只为演示网站而写", page.html), (
                address
            )
    assert marked > 50


def test_as_much_as_was_promised(library):
    counts = library["counts"]
    assert counts["conditions"] >= 14 and counts["articles"] >= 8 and counts["guides"] >= 5
    assert len(list((STARTER / "questions").glob("*.md"))) >= 16
    assert len(records("vocabulary/body-parts.yaml")) >= 12
    assert len(records("vocabulary/populations.yaml")) >= 8
    assert len(records("people/departments.yaml")) >= 12
    assert len(records("vocabulary/glossary.yaml")) >= 60


SAID = re.compile(r"[\u3400-\u9fffA-Za-z0-9β，。、；：？！（）“”《》·….,:;()'\s-]")


def test_a_voice_meets_no_symbols(pages):
    for page in pages.values():
        if file := page.bundle_file():
            said = read_aloud(page.spoken)
            assert len(said) > len(file.read_text(encoding="utf-8")) / 4, page.address
            left = [said[max(0, n - 10) : n + 10] for n, sign in enumerate(said) if not SAID.match(sign)]
            assert left == [], page.address


FORBIDDEN = [  # rule or fact, guide, question, what goes
    ("RF15", "liangzhou-shuiqian-lashen", "xin-yao", "满六周还常抽，约医生"),
    ("RF15", "xiaotui-choujin-fazuo", "xin-yao", "还常抽，约一次医生"),
    ("RF18", "yundong-hou-choujin", "jia", "喝几口运动饮料或水"),
    ("RF19", "liangzhou-shuiqian-lashen", "kuining", "第14天：看记录表"),
    ("warfarin and K2", "liangzhou-shuiqian-lashen", "huafalin", "65岁以上，想试维生素K2，先问医生"),
    ("RF02", "xiaotui-choujin-fazuo", "yice-zhong", "把腿伸直，脚尖慢慢勾向自己"),
    ("a chemical under cling film", "tangshang-shaoshang", "huaxue", "冲完，盖一层保鲜膜"),
    ("water on a live wire", "tangshang-shaoshang", "chudian", "流动的凉水，冲够20分钟"),
    ("a swollen face under cling film", "tangshang-shaoshang", "lian", "冲完，盖一层保鲜膜"),
    ("confused by heat and given a drink", "zhongshu-reshebing", "hutu", "完全清醒：小口喝凉水"),
    ("told to drink little", "zhongshu-reshebing", "xian-shui", "完全清醒：小口喝凉水"),
    ("a small child or one helper in a cold bath", "zhongshu-reshebing", "pao-bu-de", "泡得了，就泡凉水"),
    ("drowsy and fed", "dixuetang", "mihu", "能咽：马上喝大半杯果汁，或一汤匙糖化水"),
    ("acarbose and cane sugar", "dixuetang", "akabotang", "能咽：马上喝大半杯果汁，或一汤匙糖化水"),
]


@pytest.mark.parametrize(("_why", "slug", "key", "gone"), FORBIDDEN)
def test_a_step_that_may_harm_is_not_shown_to_whoever_said_so(pages, _database, _why, slug, key, gone):
    asked = dict.fromkeys(re.findall(r'name="(c\.[a-z0-9-]+)"', pages[f"/guides/{slug}/"].html), "no")
    assert f"c.{key}" in asked and f"<h3>{gone}</h3>" in pages[f"/guides/{slug}/"].html
    client = Client(SERVER_NAME="127.0.0.1")
    assert f"<h3>{gone}</h3>" in client.post(f"/guides/{slug}/", asked).content.decode()
    for answer in ("yes", "unsure"):
        fitted = client.post(f"/guides/{slug}/", asked | {f"c.{key}": answer})
        html = fitted.content.decode().split("<main", 1)[1].split("entry__more")[0]
        assert fitted.status_code == 200 and gone not in html and "step--removed" in html
        ids = re.findall(r'\sid="([^"]+)"', html)
        assert len(ids) == len(set(ids)) > 0, "what stands instead is a copy: its citations name nothing"


def test_every_rule_leads_to_a_guide_that_is_there(pages):
    for rule in rulebook.load().rules.values():
        assert rule.guide is None or pages[f"/guides/{rule.guide}/"].status == 200, rule.id
