"""Public addresses. A slug's alphabet is checked here, so nothing odd reaches a view."""

from django.urls import path, re_path

from yidian.web import assets, feeds, searching, self_tests, sitemaps, views

_SLUG = r"(?P<slug>[a-z0-9][a-z0-9-]{0,99})"
_ENTRIES = r"(?P<section>conditions|articles|questions)"
_LISTS = r"(?P<section>conditions|articles|questions|guides|doctors|hospitals|departments|body-parts|populations)"

# every page that stands in both scripts
localised = [
    # first, because most requests are for them and addresses are tried in order
    re_path(rf"^guides/{_SLUG}/$", views.guide),
    re_path(rf"^guides/{_SLUG}/handout/$", views.guide_handout),
    re_path(rf"^{_ENTRIES}/{_SLUG}/$", views.entry),
    path("", views.home),
    re_path(rf"^{_LISTS}/$", views.listing),
    re_path(r"^conditions/a-z/(?P<letter>[a-z#])/$", views.listing, {"section": "conditions"}),
    re_path(rf"^{_ENTRIES}/{_SLUG}/handout/$", views.handout),
    re_path(rf"^doctors/{_SLUG}/$", views.doctor),
    re_path(rf"^hospitals/{_SLUG}/$", views.hospital),
    re_path(rf"^departments/{_SLUG}/$", views.department),
    re_path(rf"^body-parts/{_SLUG}/$", views.body_part),
    re_path(rf"^populations/{_SLUG}/$", views.population),
    re_path(rf"^claims/{_SLUG}/$", views.claim),
    path("self-tests/", self_tests.listing),
    re_path(rf"^self-tests/{_SLUG}/$", self_tests.self_test),
    path("search", searching.search),
    path("search/", searching.search),
    path("search/suggestions", searching.suggestions),
    path("corrections/", views.corrections),
    path("corrections/report/", views.report),
    path(
        "about/",
        views.text_page,
        {"name": "about", "title": "关于我们", "description": "医典是谁做的，为谁而做，内容从哪里来。"},
    ),
    path(
        "editorial-policy/",
        views.text_page,
        {
            "name": "editorial_policy",
            "title": "编辑规范",
            "description": "我们怎样写、怎样查证、怎样审核、怎样改错。",
        },
    ),
    path(
        "privacy/",
        views.text_page,
        {"name": "privacy", "title": "隐私", "description": "我们不收集什么，为什么不需要你的身份。"},
    ),
    path(
        "emergency/",
        views.text_page,
        {
            "name": "emergency",
            "title": "遇到紧急情况",
            "description": "什么时候打 120，打通之后说什么，等的时候做什么。",
        },
    ),
]

# what exists once
once = [
    path("healthz", views.healthz),
    path("robots.txt", sitemaps.robots),
    path("favicon.ico", assets.favicon),
    path("sitemap.xml", sitemaps.index),
    re_path(r"^sitemaps/(?P<section>[a-z-]+)-(?P<number>\d{1,6})\.xml$", sitemaps.section),
    re_path(r"^feeds/(?P<section>all|conditions|articles|questions|guides|corrections)\.atom$", feeds.feed),
    re_path(rf"^guides/{_SLUG}/plandefinition\.json$", views.guide_plan),
    re_path(r"^assets/(?P<name>[a-z.0-9_-]{1,60})$", assets.asset),
    path("debug/components/", views.gallery),
]
