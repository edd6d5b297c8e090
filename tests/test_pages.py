"""Public pages through HTTP: what a reader gets, what it costs, and what must never be there."""

import json
import re
from datetime import date, timedelta
from urllib.parse import quote

import content
import pytest
from content import card, module, publish, text
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yidian.editorial.models import ErrorReport
from yidian.zh.hant import to_hant

pytestmark = pytest.mark.django_db


@pytest.fixture
def library():
    """One of everything, tied together as in the starter encyclopedia."""
    source = content.source()
    claim = content.claim(sources=[source])
    yunfu = content.population()
    content.term()
    xiaotui = content.body_part()
    body = [
        module(
            text("<p>腓肠肌累了[^src-one]，腓肠肌会收紧。</p>"),
            {"type": "claim", "value": claim.pk},
            {"type": "population", "value": {"population": yunfu.pk, "text": "<p>孕妇可以这样做。</p>"}},
        )
    ]
    condition = content.condition(
        alternate_names="腿抽筋\n转筋", modules=body, care_advice=[card("emergency_call", "立即拨打 120，如果")]
    )
    condition.body_parts.add(xiaotui)
    condition.codes.create(system="ICD-10", value="R25.2")
    publish(condition)
    hospital = content.hospital()
    doctor = content.physician(hospital=hospital)
    article = content.article(about=condition, modules=body, keywords="抽筋")
    guide = content.guide(about=condition)
    question = content.question(about=condition)
    return {
        "condition": condition,
        "article": article,
        "guide": guide,
        "question": question,
        "doctor": doctor,
        "hospital": hospital,
        "claim": claim,
    }


PATHS = [
    "/",
    "/conditions/",
    "/conditions/a-z/x/",
    "/conditions/xiaotui-choujin/",
    "/conditions/xiaotui-choujin/handout/",
    "/articles/",
    "/articles/weishenme-choujin/",
    "/questions/",
    "/guides/",
    "/guides/xianzai-zenmeban/",
    "/doctors/",
    "/doctors/yanshi-jia/",
    "/hospitals/",
    "/hospitals/yanshi-yiyuan/",
    "/departments/",
    "/body-parts/",
    "/body-parts/xiaotui/",
    "/populations/",
    "/populations/yunfu/",
    "/claims/magnesium/",
    "/search",
    "/search?q=腿抽筋",
    "/corrections/",
    "/corrections/report/",
    "/about/",
    "/editorial-policy/",
    "/privacy/",
    "/emergency/",
]


@pytest.mark.parametrize("prefix", ["", "/zh-hant"])
def test_every_page_is_there_in_both_scripts_without_cookie_or_foreign_host(client, library, prefix):
    question = f"/questions/{library['question'].slug}/"
    for path in [*PATHS, question, f"{question}handout/"]:
        response = client.get(prefix + path)
        assert response.status_code == 200, path
        assert not response.cookies, path
        csp = response["Content-Security-Policy"]
        assert "unsafe" not in csp and "default-src 'none'" in csp
        html = response.content.decode()
        assert f'lang="{"zh-Hant" if prefix else "zh-Hans"}"' in html
        assert not re.search(r"<script(?![^>]*(?:src=|application/ld\+json))", html), f"inline script on {path}"
        assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)\s*=", html), f"inline style or handler on {path}"
        loaded = re.findall(r'<(?:script|img|link|iframe|source)[^>]*?(?:src|href)="([^"]+)"', html)
        foreign = [url for url in loaded if "://" in url and not url.startswith("http://127.0.0.1:8000/")]
        assert not foreign, path
        kept = re.findall(r'\s(data-[a-z-]+)="([^"]*[\u4e00-\u9fff][^"]*)"', html)
        assert all(name.startswith("data-say-") for name, _ in kept), f"words for scripts elsewhere on {path}"
        assert not prefix or all(to_hant(words) == words for _, words in kept), f"scripts would say 简体 on {path}"


def test_only_a_condition_says_what_it_is_also_called(client, library):
    guide = content.guide(slug="ban", name="腿抽筋时", about=library["condition"], alternate_names="抽筋了怎么办")
    assert "也叫 腿抽筋、转筋" in client.get("/conditions/xiaotui-choujin/").content.decode()
    assert "也叫" not in client.get(guide.get_absolute_url()).content.decode()


QUERY_BUDGET = {
    "/articles/weishenme-choujin/": 4,
    "/conditions/xiaotui-choujin/": 5,
    "/guides/xianzai-zenmeban/": 4,
    "/conditions/": 2,
    "/questions/": 2,
    "/doctors/yanshi-jia/": 5,
    "/hospitals/yanshi-yiyuan/": 2,
    "/body-parts/xiaotui/": 6,
    "/claims/magnesium/": 5,
    "/search?q=腿抽筋": 21,
    "/": 18,
    "/corrections/": 1,
    "/about/": 0,
    "/no-such-page/": 1,  # whether it is an old address
}


@pytest.mark.parametrize("path", QUERY_BUDGET)
def test_a_cold_page_stays_within_its_queries(client, library, path, django_assert_max_num_queries):
    with django_assert_max_num_queries(QUERY_BUDGET[path]):
        client.get(path)


def test_a_question_page_costs_no_more_with_twenty_answers(client, django_assert_max_num_queries):
    condition = content.condition()
    question = content.question(about=condition, answers=[f"<p>第{n}条回答。</p>" for n in range(20)])
    with django_assert_max_num_queries(5):
        html = client.get(f"/questions/{question.slug}/").content.decode()
    assert all(f"第{n}条回答" in html for n in range(20))


def test_the_article_page_holds_what_a_reader_needs(client, library):
    html = client.get("/articles/weishenme-choujin/").content.decode()
    for expected in (
        "小腿为什么抽筋",
        "多半是肌肉累了。",
        "医典编辑部",
        "等待执业医师审核",
        "孕妇可以这样做",
        "补镁能预防抽筋吗",
        'href="#source-1"',
        'id="source-1"',
        "22341378",
        "不能作为治疗依据",
        "/conditions/xiaotui-choujin/",
        "腿抽筋是不是缺钙？",
        "正在抽筋：现在怎么做",
        "/corrections/report/?page=/articles/weishenme-choujin/",
        "/articles/weishenme-choujin/handout/",
        timezone.localdate().isoformat(),
    ):
        assert expected in html, expected
    assert html.count('href="#term-feichangji"') == 1, "a hard word is explained where it first stands"
    assert "小腿后面那块大肌肉。" in html


def test_the_home_page_shows_nothing_twice(client, library):
    for number in range(8):
        content.guide(slug=f"zhinan-{number}", name=f"指南第{number}篇", about=library["condition"])
        content.article(slug=f"wenzhang-{number}", name=f"文章第{number}篇")
    main = client.get("/").content.decode().partition("<main")[2].partition("</main")[0]
    shown = re.findall(r'href="(/(?:articles|guides|questions|conditions)/[^"/]+/)"', main)
    assert len(shown) >= 14 and len(shown) == len(set(shown))


def test_the_parts_of_the_body_are_those_with_something_to_read_from_head_to_toe(client, library):
    content.body_part("erbu", "耳部", region="head")
    face = content.body_part("mianbu", "面部", region="head")
    shown = client.get("/body-parts/").content.decode().partition("<main")[2]
    assert "耳部" not in shown and "面部" not in shown and "小腿" in shown
    content.article(slug="lian-chou", name="半边脸抽", body_parts=[face])
    shown = client.get("/body-parts/").content.decode().partition("body-map__list")[2]
    assert "耳部" not in shown and shown.index("面部") < shown.index("小腿")


def test_hant_turns_text_and_links_but_not_addresses(client, library):
    html = client.get("/zh-hant/articles/weishenme-choujin/").content.decode()
    assert "小腿為什麼抽筋" in html
    assert 'href="/zh-hant/conditions/xiaotui-choujin/"' in html
    assert 'hreflang="zh-Hans"' in html and "/articles/weishenme-choujin/" in html
    assert "补镁" not in html


def jsonld(response):
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', response.content.decode(), re.S)
    return {json.dumps(node["@type"]): node for node in json.loads(found[1])["@graph"]}


def test_structured_data_speaks_schema_org(client, library):
    article = jsonld(client.get("/articles/weishenme-choujin/"))
    assert article['"MedicalWebPage"']["about"]["name"] == "小腿抽筋"
    assert article['"BreadcrumbList"']["itemListElement"][-1]["name"] == "小腿为什么抽筋"
    condition = jsonld(client.get("/conditions/xiaotui-choujin/"))['"MedicalWebPage"']["about"]
    assert condition["@type"] == "MedicalSignOrSymptom"
    assert condition["code"] == [{"@type": "MedicalCode", "codingSystem": "ICD-10", "codeValue": "R25.2"}]
    asked = jsonld(client.get(f"/questions/{library['question'].slug}/"))['"QAPage"']["mainEntity"]
    assert asked["acceptedAnswer"]["text"] == "多数不是。"
    assert '"HowTo"' in jsonld(client.get("/guides/xianzai-zenmeban/"))
    doctor = jsonld(client.get("/doctors/yanshi-jia/"))['["IndividualPhysician", "Person"]']
    assert doctor["hospitalAffiliation"]["name"] == "演示医院"


def test_text_cannot_break_out_of_structured_data_or_html(client):
    content.condition(name="</script><script>alert(1)</script>", description='"><img src=x onerror=alert(1)>')
    html = client.get("/conditions/xiaotui-choujin/").content.decode()
    assert "<script>alert" not in html and "<img src=x" not in html


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<p>甲<script>alert(1)</script></p>", "<p>甲</p>"),
        ('<p onclick="x()" style="color:red">甲</p>', "<p>甲</p>"),
        ("<strong>甲</strong><em>乙</em>", "<b>甲</b><i>乙</i>"),
        ('<a href="java&#x0a;script:alert(1)">甲</a>', "<a>甲</a>"),
        ('<a href="//evil.example">甲</a>', "<a>甲</a>"),
        ('<a href="/&#x200b;/evil.example">甲</a>', "<a>甲</a>"),
        ('<a href="/\\evil.example">甲</a>', "<a>甲</a>"),
        ('<a href="/&#x9;/evil.example">甲</a>', "<a>甲</a>"),
        ('<a href="/conditions/a/">甲</a>', '<a href="/conditions/a/">甲</a>'),
        ("<p>5&#x202e;0 mg\u202e 甲<br>乙</p>", "<p>50 mg 甲 乙</p>"),
        ('<img src=x onerror="alert(1)"><iframe src="//x"></iframe><svg onload=alert(1)>', ""),
    ],
)
def test_the_gate_for_rich_text(written, kept):
    from yidian.publication.richtext import clean_html

    assert clean_html(written) == kept
    assert clean_html(kept) == kept


def test_review_dates_act(client):
    doctor = content.physician(name="演示医生乙", slug="yanshi-yi")
    today = timezone.localdate()
    content.article(slug="a", name="甲", reviewer=doctor, last_review_date=today, review_due=today + timedelta(1))
    content.article(
        slug="b", name="乙", reviewer=doctor, last_review_date=date(2020, 1, 1), review_due=date(2021, 1, 1)
    )
    content.article(slug="c", name="丙")
    states = [client.get(f"/articles/{slug}/").content.decode() for slug in "abc"]
    assert "等待执业医师审核" not in states[0] and "演示医生乙" in states[0]
    assert "已过复审日期" in states[1] or "过了复审" in states[1] or "复审日期" in states[1]
    assert "等待执业医师审核" in states[2]


@pytest.mark.parametrize("section", ["conditions", "articles", "questions", "guides"])
def test_feeds_and_sitemaps_name_what_is_public(client, library, section):
    entry = library[
        {"conditions": "condition", "articles": "article", "questions": "question", "guides": "guide"}[section]
    ]
    feed = client.get(f"/feeds/{section}.atom")
    assert feed["Content-Type"].startswith("application/atom+xml")
    assert entry.get_absolute_url() in feed.content.decode()
    index = client.get("/sitemap.xml").content.decode()
    number = entry.pk // 10_000
    assert f"/sitemaps/{section}-{number}.xml" in index
    urls = client.get(f"/sitemaps/{section}-{number}.xml").content.decode()
    assert entry.get_absolute_url() in urls and "/zh-hant" + entry.get_absolute_url() in urls


def everything_public(client):
    """Every public text a crawler can reach from here."""
    seen, queue, texts = set(), ["/", "/sitemap.xml", "/search?q=隐藏", "/zh-hant/"], []
    queue += [f"/feeds/{section}.atom" for section in ("conditions", "articles", "questions", "guides", "corrections")]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        response = client.get(path)
        body = response.content.decode(errors="replace")
        texts.append((path, body))
        for url in re.findall(r'(?:href="|<loc>)([^"<]+)', body):
            url = url.removeprefix("http://127.0.0.1:8000").partition("#")[0]
            if url.startswith("/") and not url.startswith(("/static/", "/assets/", "/media/", "/debug/")):
                queue.append(url.replace("&amp;", "&"))
    return texts


@pytest.mark.parametrize("published", [True, False])
def test_a_draft_is_in_no_page_feed_or_sitemap(client, library, published):
    """The crawl finds the canary when it is published: the zero of the draft has its positive control."""
    canary = "隐藏金丝雀"
    for make, slug in ((content.condition, "hidden-a"), (content.article, "hidden-b"), (content.guide, "hidden-c")):
        more = {} if make is content.condition else {"about": library["condition"]}
        entry = make(slug=slug, name=f"{canary}{slug}", **more)
        if not published:
            entry.unpublish()
    question = content.question(name=f"{canary}问题", about=library["condition"], answers=[f"<p>{canary}回答</p>"])
    if not published:
        question.unpublish()
        answer = library["question"].answers.first()
        answer.body = [text(f"<p>{canary}草稿</p>")]
        answer.save_revision()
    found = {path for path, body in everything_public(client) if canary in body}
    assert bool(found) is published, found
    if published:
        assert {"/", "/conditions/", "/feeds/articles.atom", "/conditions/xiaotui-choujin/"} <= found


def test_an_unpublished_answer_leaves_the_page_and_the_card(client, library):
    question = library["question"]
    second = content.Answer(question=question, date_created=date(2026, 3, 1), body=[text("<p>第二个回答。</p>")])
    publish(second)
    path = question.get_absolute_url()
    assert "第二个回答" in client.get(path).content.decode()
    second.unpublish()
    assert "第二个回答" not in client.get(path).content.decode()
    assert "第二个回答" not in client.get("/questions/").content.decode()


def test_a_changed_source_or_word_reaches_the_pages_that_show_it(client, library):
    from yidian.evidence.models import Source
    from yidian.terms.models import GlossaryTerm

    source, word = Source.objects.get(slug="src-one"), GlossaryTerm.objects.get(slug="feichangji")
    source.name, word.definition = "A corrected title", "改过的解释。"
    publish(source), publish(word)
    html = client.get("/articles/weishenme-choujin/").content.decode()
    assert "A corrected title" in html and "Stretching before sleep" not in html
    assert "改过的解释。" in html


def test_reporting_an_error_asks_no_identity_and_keeps_what_was_typed(client, library):
    page = "/articles/weishenme-choujin/"
    form = client.get(f"/corrections/report/?page={page}").content.decode()
    assert f'<a href="{page}">{library["article"].name}</a>' in form and "autofocus" not in form
    sent = client.post("/corrections/report/", {"page": page, "text": "这里写错了", "quote": "肌肉累了"})
    assert sent.status_code == 200 and "谢谢" in sent.content.decode()
    report = ErrorReport.objects.get()
    assert (report.page, report.text) == (page, "这里写错了")
    empty = client.post("/corrections/report/", {"page": page, "text": "", "quote": "一句原文"})
    assert empty.status_code == 422 and "一句原文" in empty.content.decode()
    assert "<title>没有送出" in empty.content.decode(), "what a screen reader says first"
    assert re.search(r"<textarea[^>]* autofocus[^>]* aria-invalid", empty.content.decode())
    long = client.post("/corrections/report/", {"page": page, "text": "长" * 2001})
    assert long.status_code == 422 and "长" * 2001 in long.content.decode()
    foreign = client.post("/corrections/report/", {"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert ErrorReport.objects.count() == 1


def test_lists_are_capped_and_odd_page_numbers_are_not_found(client):
    for number in range(35):
        content.article(slug=f"a-{number}", name=f"第{number}篇")
    first, second = client.get("/articles/").content.decode(), client.get("/articles/?page=2").content.decode()
    assert first.count('href="/articles/a-') >= 30 and 'href="/articles/?page=2"' in first
    assert second.count('href="/articles/a-') >= 5
    for odd in ("0", "-1", "3", "201", "99999999999999999999", "x", "1.0", "①", "%00", ""):
        assert client.get(f"/articles/?page={odd}").status_code == 404, odd


# What a crawler, a scanner or a broken browser may send; none of it may end in a 500.
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
pieces = st.one_of(
    st.sampled_from(
        ["articles", "conditions", "zh-hant", "search", "corrections", "report", "handout", "feeds", "sitemaps", "a-z",
         "admin", "login", "beacon", "views", "media", "static", "assets", "..", "%00", "%ff%fe", "%u202e", "debug"]
    ),
    st.text(max_size=12).map(lambda part: quote(part, safe="")),
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=methods,
    parts=st.lists(pieces, max_size=5),
    query=st.text(max_size=40),
    body=st.binary(max_size=200),
    content_type=st.sampled_from(
        [
            "",
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
            "\x01",
        ]
    ),
)
def test_no_request_however_malformed_is_answered_500(client, method, parts, query, body, content_type):
    path = "/" + "/".join(parts)
    response = client.generic(
        method,
        path,
        data=body,
        content_type=content_type,
        QUERY_STRING=query.encode("utf-8", "surrogatepass").decode("latin-1"),
    )
    assert response.status_code < 500, (method, path, query)


@pytest.mark.parametrize(
    "q", ["", " ", "%", "_", "a" * 10_000, "😀", "\x00", "'; DROP TABLE x;--", "<b>", "\ud800", "*"]
)
def test_search_answers_any_text_with_a_page(client, library, q):
    response = client.get("/search", {"q": q.encode("utf-8", "surrogatepass")})
    assert response.status_code == 200
    assert "<b>" not in response.content.decode().partition("<main")[2].partition('name="q"')[0]
    assert response["Cache-Control"] == "no-store"


def test_a_wrong_host_is_refused(client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_a_link_leads_to_the_same_script_where_there_is_one(client):
    once = ["/media/images/a.png", "/feeds/all.atom", "/guides/x/plandefinition.json", "/zh-hant/about/", "/robots.txt"]
    both = ["/conditions/x/", "/search?q=a", "/guides/x/", "/mediator/"]
    links = "".join(f'<a href="{path}">看</a>' for path in once + both)
    content.article(modules=[module(text(f"<p>{links}</p>"))])
    html = client.get("/zh-hant/articles/weishenme-choujin/").content.decode()
    shown = re.findall(r'<a href="([^"]*)">看</a>', html)
    assert shown == once + [f"/zh-hant{path}" for path in both]


def test_a_hard_word_is_found_as_it_is_written_and_never_inside_a_character_reference(client):
    content.term("amp", "amp", "安培。")
    content.term("att", "AT&T", "一家公司。")
    content.article(modules=[module(text("<p>A &amp; B，AT&amp;T，5 &lt; 6，amp。</p>"))])
    html = client.get("/articles/weishenme-choujin/").content.decode()
    assert (
        'A &amp; B，<a class="term" href="#term-att">AT&amp;T</a>，5 &lt; 6，<a class="term" href="#term-amp">amp</a>'
        in html
    )


def test_reports_that_nobody_works_off_do_not_fill_the_disk(client, monkeypatch):
    monkeypatch.setattr("yidian.web.views.MOST_OPEN_REPORTS", 2)
    sent = [client.post("/corrections/report/", {"text": f"这里有错{n}"}) for n in range(3)]
    assert [answer.status_code for answer in sent] == [200, 200, 503]
    assert "现在收不下" in sent[2].content.decode() and "这里有错2" in sent[2].content.decode()
    ErrorReport.objects.filter(text="这里有错0").update(handled=True)
    assert client.post("/corrections/report/", {"text": "又错了"}).status_code == 200
