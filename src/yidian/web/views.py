"""Public pages: each view parses, reads and renders."""

import json
from functools import partial

import segno
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.template import engines
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from markupsafe import Markup

from yidian.answers.models import Answer, Question
from yidian.editorial.models import Correction, Entry, ErrorReport
from yidian.editorial.rendering import claim_shape, rendered_now, source_shape
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.evidence.models import Appearance, Claim
from yidian.people.models import Department, Hospital, Physician
from yidian.publication.richtext import clean_text, is_local_path
from yidian.readership.models import most_viewed
from yidian.related.reading import further_reading, question_cards
from yidian.selftests.library import about as self_tests_about
from yidian.selftests.library import self_tests as every_self_test
from yidian.terms.models import BodyPart, Population
from yidian.web import guides, jsonld, queries, red_flags, self_tests
from yidian.web.faults import fault_page, from_elsewhere, not_allowed, read_only, refused
from yidian.web.pages import HANT_PREFIX, crumbs, localise, page_context, render
from yidian.web.plan_definition import plan_definition

# Conditions up to this many are listed A-Z on one page; beyond it each letter has a page of its own.
ALL_LETTERS_ON_ONE_PAGE = 300
MAX_REPORT = 2_000
MAX_QUOTE = 500
# Nobody works off more than these, some 50 MB; a program that writes on would fill the disk.
MOST_OPEN_REPORTS = 10_000
NEWEST = ("-date_published", "-pk")


def _entry_page(section: str, slug: str, hant: bool, row: dict | None = None):
    """An entry's data, its page's data and the tags every entry page carries; 404 when it is not public."""
    prefix = HANT_PREFIX if hant else ""
    row = row or queries.entry_row(section, slug)
    if row is None:
        raise Http404
    entry = queries.entry_shape(section, row, prefix, partial(localise, hant=hant))
    about = queries.about_shape(row, prefix) if "about__pk" in row else None
    steps = [(queries.KIND_LABELS[section], f"/{section}/")]
    if about:
        steps = [
            (queries.KIND_LABELS["conditions"], "/conditions/"),
            (about["name"], about["url"][len(prefix) :]),
        ]
    page = page_context(
        f"/{section}/{row['slug']}/",
        hant=hant,
        title=entry["name"],
        description=entry["description"],
        breadcrumb=crumbs(prefix, *steps),
        og_type="article",
        beacon=True,
    )
    tags = [f"{entry['kind']}:{row['pk']}", "cards"]
    tags += [f"condition:{about['pk']}"] if about else []
    for role in ("author", "reviewer"):
        if row[f"{role}__slug"]:
            tags.append(f"doctor:{row[f'{role}__slug']}")
    # what a page is about, for the self-tests beside it; the page of a condition is about itself
    subject = row["slug"] if section == "conditions" else row.get("about__slug")
    page["self_tests"] = [self_tests.row(test, prefix) for test in self_tests_about(subject)]
    return row, entry, about, page, tags


def _further_reading(kind: str, pk: int, condition_id: int | None, prefix: str, tags: list[str]) -> list[dict]:
    """The cards at the foot of an entry's page; the page is dropped from the cache with any of them."""
    cards = further_reading(kind, pk, condition_id, prefix=prefix)
    tags += [card["tag"] for card in cards]
    return cards


def article_page(section: str, slug: str, hant: bool, row: dict | None = None) -> HttpResponse:
    """3 or 4 queries: the article with its condition, guides and articles beside it, further reading."""
    prefix = HANT_PREFIX if hant else ""
    row, entry, about, page, tags = _entry_page(section, slug, hant, row)
    condition_id = about["pk"] if about else None
    beside = queries.beside(condition_id, prefix, but_not=row["pk"])
    page["jsonld"] = jsonld.article(page, entry, about)
    return render(
        "article.html",
        page,
        tags,
        entry=entry,
        condition=about,
        guides=beside["guides"],
        also=beside["articles"],
        related=_further_reading("article", row["pk"], condition_id, prefix, tags),
    )


def condition_page(section: str, slug: str, hant: bool, row: dict | None = None) -> HttpResponse:
    """4 or 5 queries: the condition, guides and articles, questions, narrower conditions."""
    prefix = HANT_PREFIX if hant else ""
    row, entry, _about, page, tags = _entry_page(section, slug, hant, row)
    pk = row["pk"]
    broader = []
    if row["broader__live"]:
        broader = [{"name": row["broader__name"], "url": f"{prefix}/conditions/{row['broader__slug']}/"}]
        tags.append(f"condition:{row['broader__pk']}")
    page["jsonld"] = jsonld.condition(page, entry, row["condition_kind"])
    return render(
        "condition.html",
        page,
        tags,
        entry=entry,
        **queries.beside(pk, prefix),
        related=_further_reading("condition", pk, pk, prefix, tags),
        broader=broader,
        narrower=queries.names("conditions", Condition.objects.filter(broader=pk), prefix),
    )


def question_page(section: str, slug: str, hant: bool, row: dict | None = None) -> HttpResponse:
    """4 or 5 queries: the question, who answered, guides, further reading."""
    prefix = HANT_PREFIX if hant else ""
    row, entry, about, page, tags = _entry_page(section, slug, hant, row)
    answers = queries.answers_to(row["pk"], entry["answers"], prefix)
    if answers is None:
        row["rendered"] = None  # an answer went public since: make the public form afresh
        entry = queries.entry_shape(section, row, prefix, partial(localise, hant=hant))
        answers = queries.answers_to(row["pk"], entry["answers"], prefix) or []
    tags += [f"doctor:{answer['author_slug']}" for answer in answers if answer["author_slug"]]
    condition_id = about["pk"] if about else None
    fired = red_flags.cards(f"{row['name']}。{row['detail']}", prefix)
    tags += ["list:guides"] if fired else []  # a card names the guide that follows, once there is one
    page["jsonld"] = jsonld.question(page, entry, answers)
    return render(
        "question.html",
        page,
        tags,
        entry=entry,
        answers=answers,
        red_flags=fired,
        condition=about,
        guides=queries.beside(condition_id, prefix)["guides"],
        related=_further_reading("question", row["pk"], condition_id, prefix, tags),
    )


def guide_page(section: str, slug: str, hant: bool, row: dict | None = None, given=None) -> HttpResponse:
    """3 or 4 queries: the guide with its condition, articles about it, further reading.

    `given` is a form in which the reader answered what the guide asks: the page then shows the steps that are left,
    and no cache keeps it.
    """
    prefix = HANT_PREFIX if hant else ""
    row, entry, about, page, tags = _entry_page(section, slug, hant, row)
    condition_id = about["pk"] if about else None
    if given is None:
        page["jsonld"] = jsonld.guide(page, entry)
    else:
        page |= {"robots": "noindex", "beacon": False}
        entry = guides.fitted(entry, guides.read_answers(entry, given))
    return render(
        "guide.html",
        page,
        tags if given is None else None,
        entry=entry,
        words=guides.WORDS,
        condition=about,
        also=queries.beside(condition_id, prefix)["articles"],
        related=_further_reading("guide", row["pk"], condition_id, prefix, tags),
    )


ENTRY_PAGES = {
    "articles": article_page,
    "conditions": condition_page,
    "questions": question_page,
    "guides": guide_page,
}


@read_only
def entry(request, section: str, slug: str, hant: bool = False):
    return ENTRY_PAGES[section](section, slug, hant)


@csrf_exempt  # carries no authority and changes nothing; what other sites send is refused
def guide(request, slug: str, hant: bool = False):
    """A guide; POST: what is left of it after what the form says, kept nowhere."""
    return _fitted_to_reader(request, guide_page, "guides", slug, hant)


@read_only
def handout(request, section: str, slug: str, hant: bool = False):
    return handout_page(section, slug, hant)


@csrf_exempt  # as above
def guide_handout(request, slug: str, hant: bool = False):
    """A guide's one page; POST: what is left of it after what the form says, kept nowhere."""
    return _fitted_to_reader(request, handout_page, "guides", slug, hant)


def _fitted_to_reader(request, make_page, section: str, slug: str, hant: bool):
    if request.method in {"GET", "HEAD"}:
        return make_page(section, slug, hant)
    return refused(request) or make_page(section, slug, hant, given=request.POST)


def handout_page(section: str, slug: str, hant: bool, given=None) -> HttpResponse:
    """One A4 page to take along, with a QR code to the current version."""
    _row, entry, _about, page, tags = _entry_page(section, slug, hant)
    page |= {"beacon": False, "robots": "noindex"}
    if given is not None:
        entry = guides.fitted(entry, guides.read_answers(entry, given))
    target = page["address"]
    drawn = segno.make(target, error="m").svg_inline(scale=3, border=2, omitsize=True, svgclass="qr", lineclass=None)
    return render(
        "handout.html",
        page,
        tags if given is None else None,
        entry=entry,
        words=guides.WORDS,
        qr=Markup(drawn),  # noqa: S704
        target=target,
    )


def plan_of_guide(slug: str) -> tuple[dict, list[str]]:
    """A public guide as a FHIR PlanDefinition, and the tags of what it shows; Http404 when there is none."""
    row, entry, _about, page, tags = _entry_page("guides", slug, hant=False)
    identifier = ActionGuide.objects.filter(pk=row["pk"]).values_list("identifier", flat=True)[0]
    return plan_definition(page, entry, row["slug"], str(identifier)), tags


@read_only
def guide_plan(request, slug: str):
    """The guide for other systems."""
    plan, tags = plan_of_guide(slug)
    response = HttpResponse(
        json.dumps(plan, ensure_ascii=False, indent=2), content_type="application/fhir+json; charset=utf-8"
    )
    response["X-Page-Tags"] = " ".join(tags)
    return response


def _place(model, slug: str):
    place = model.objects.public().filter(slug=slug).first()
    if place is None:
        raise Http404
    return place


def _place_page(place, hant: bool) -> dict:
    prefix = HANT_PREFIX if hant else ""
    return page_context(
        place.get_absolute_url(),
        hant=hant,
        title=place.name,
        description=place.description,
        breadcrumb=crumbs(prefix, (queries.KIND_LABELS[place.section], f"/{place.section}/")),
        beacon=place.section != "populations",
    )


@read_only
def doctor(request, slug: str, hant: bool = False):
    prefix = HANT_PREFIX if hant else ""
    physician = Physician.objects.public().select_related("hospital", "department").filter(slug=slug).first()
    if physician is None:
        raise Http404
    page = _place_page(physician, hant)
    known = Condition.objects.filter(slug__in=physician.knows_about.split())
    credentials = list(physician.credentials.all())
    shape = queries.physician_shape(physician, prefix) | {
        "description": physician.description,
        "conflict_of_interest": physician.conflict_of_interest,
        "knows_about": queries.names("conditions", known, prefix),
        "credentials": [
            {
                "category": credential.category,
                "recognized_by": credential.recognized_by,
                "valid_from": credential.valid_from and credential.valid_from.isoformat(),
                "expires": credential.expires and credential.expires.isoformat(),
                "verified_by": credential.verified_by,
                "verified_on": credential.verified_on and credential.verified_on.isoformat(),
            }
            for credential in credentials
        ],
        "verified": any(credential.verified_on for credential in credentials) and not physician.demonstration,
    }
    page["jsonld"] = jsonld.physician(page, shape)
    answered = Question.objects.filter(
        pk__in=Answer.objects.public().filter(author=physician).order_by("-date_created").values("question")[:100]
    ).order_by(*NEWEST)
    written = Article.objects.filter(author=physician).order_by(*NEWEST)
    return render(
        "physician.html",
        page,
        [f"physician:{physician.pk}", f"doctor:{physician.slug}", "cards"]
        + [f"list:{section}" for section in ("doctors", "questions", "articles", "conditions")],
        physician=shape,
        answers=question_cards(answered, queries.PAGE_SIZE, prefix),
        articles=queries.rows("articles", written, prefix),
    )


@read_only
def hospital(request, slug: str, hant: bool = False):
    prefix = HANT_PREFIX if hant else ""
    place = _place(Hospital, slug)
    page = _place_page(place, hant)
    shape = {
        "name": place.name,
        "grade": place.hospital_grade,
        "grade_source": place.grade_source,
        "grade_as_of": place.grade_as_of and place.grade_as_of.isoformat(),
        "region": place.region,
        "description": place.description,
        "demonstration": place.demonstration,
        "url": page["url_hant"] if hant else page["url_hans"],
    }
    page["jsonld"] = jsonld.hospital(page, shape)
    here = Physician.objects.public().filter(hospital=place).select_related("hospital", "department")
    return render(
        "hospital.html",
        page,
        [f"hospital:{place.pk}", "list:doctors"],
        hospital=shape,
        physicians=[queries.physician_shape(physician, prefix) for physician in here[: queries.PAGE_SIZE]],
    )


def _filed_page(template: str, name: str, place, field: str, hant: bool, **more):
    """What is filed under a department, body part or population, in `field` of an entry or of what it is about."""
    prefix = HANT_PREFIX if hant else ""
    page = _place_page(place, hant)
    shape = {
        "name": place.name,
        "description": place.description,
        "alternate_names": place.searchable_names(),
        "url": page["canonical"],
    }
    page["jsonld"] = jsonld.page(page)
    places = [place.pk, *more.pop("narrower", [])]
    conditions = queries.filed_under(Condition, field, places)

    def about(model):
        return queries.filed_under(model, field, places, about=conditions).order_by(*NEWEST)

    return render(
        template,
        page,
        [f"{place.kind}:{place.pk}", "cards", *(f"list:{section}" for section in queries.ENTRIES)],
        **{name: shape},
        conditions=queries.rows("conditions", conditions.order_by("index_letter", "slug"), prefix),
        articles=queries.rows("articles", about(Article), prefix),
        guides=queries.rows("guides", about(ActionGuide), prefix),
        questions=question_cards(about(Question), queries.PAGE_SIZE, prefix),
        **more,
    )


@read_only
def department(request, slug: str, hant: bool = False):
    place = _place(Department, slug)
    here = Physician.objects.public().filter(department=place).select_related("hospital", "department")
    physicians = [
        queries.physician_shape(physician, HANT_PREFIX if hant else "") for physician in here[: queries.PAGE_SIZE]
    ]
    return _filed_page("department.html", "department", place, "departments", hant, physicians=physicians)


@read_only
def body_part(request, slug: str, hant: bool = False):
    place = _place(BodyPart, slug)
    narrower = list(BodyPart.objects.public().filter(broader=place).values_list("pk", flat=True))
    return _filed_page("body_part.html", "body_part", place, "body_parts", hant, narrower=narrower)


@read_only
def population(request, slug: str, hant: bool = False):
    return _filed_page("population.html", "population", _place(Population, slug), "populations", hant)


@read_only
def claim(request, slug: str, hant: bool = False):
    prefix = HANT_PREFIX if hant else ""
    found = Claim.objects.public().prefetch_related("sources").filter(slug=slug).first()
    if found is None:
        raise Http404
    shape = localise(claim_shape(found), hant)
    shape["sources"] = [
        source_shape(source) | {"number": number, "anchor": f"source-{number}", "backlinks": 0}
        for number, source in enumerate((source for source in found.sources.all() if source.live), start=1)
    ]
    where = Appearance.objects.filter(reference=f"claim:{slug}").values_list("content_kind", "content_id")
    shown = []
    for section, model in queries.ENTRIES.items():
        ids = [pk for kind, pk in where if kind == model.kind]
        shown += queries.rows(section, model.objects.filter(pk__in=ids), prefix) if ids else []
    shape["appears_in"] = shown
    page = page_context(
        f"/claims/{slug}/",
        hant=hant,
        title=found.name,
        description=found.summary,
        breadcrumb=crumbs(prefix, ("主张与证据", "/editorial-policy/")),
    )
    page["jsonld"] = jsonld.claim(page, shape)
    return render("claim.html", page, [f"claim:{slug}", *(f"list:{s}" for s in queries.ENTRIES)], claim=shape)


def _page_number(request) -> int:
    text = request.GET.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= queries.MAX_PAGES):
        raise Http404
    return int(text)


def _paginated(request, found: QuerySet) -> tuple[QuerySet, dict | None]:
    """One page of a list and where its neighbours are; counts no further than the next page."""
    number = _page_number(request)
    start = (number - 1) * queries.PAGE_SIZE
    ahead = found.public().values_list("pk", flat=True)[start : start + queries.PAGE_SIZE + 1]
    ids = list(ahead)
    if not ids and number > 1:
        raise Http404
    more = len(ids) > queries.PAGE_SIZE and number < queries.MAX_PAGES
    path = request.path
    pagination = {
        "page": number,
        "pages_capped": queries.MAX_PAGES,
        "first_url": path if number > 1 else None,
        "prev_url": (f"{path}?page={number - 1}" if number > 2 else path) if number > 1 else None,
        "next_url": f"{path}?page={number + 1}" if more else None,
    }
    shown = found.filter(pk__in=ids[: queries.PAGE_SIZE])
    return shown, pagination if number > 1 or more else None


INTROS = {
    "conditions": _("按拼音排列。点开一个，先看答案，再看什么时候该去医院。"),
    "articles": _("每一篇回答一个问题，每一句主张都写明出处。"),
    "questions": _("别人问过的，也许正是您想问的。"),
    "guides": _("一步一步告诉您现在做什么，什么时候要去医院。"),
    "doctors": _("在这里回答问题、审核内容的医生。"),
    "hospitals": _("医生所在的医院，等级写明出处和查证日期。"),
    "departments": _("不知道挂哪个科？看看每个科管什么。"),
    "body-parts": _("点一点不舒服的地方，看看可能是什么，该怎么办。"),
    "populations": _("孕妇、老人、孩子……看专门给您的建议。"),
}


@read_only
def listing(request, section: str, hant: bool = False, letter: str | None = None):
    prefix = HANT_PREFIX if hant else ""
    title = queries.KIND_LABELS[section]
    context = {"title": title, "intro": INTROS[section], "kind": section, "items": [], "cards": False}
    context |= {"letters": None, "groups": None, "pagination": None, "empty_text": _("这里还没有内容。")}
    path = f"/{section}/"
    if section == "conditions":
        path = f"/conditions/a-z/{letter}/" if letter else path
        context |= _letters(prefix, letter)
    elif section == "questions":
        found, context["pagination"] = _paginated(request, Question.objects.order_by(*NEWEST))
        context |= {"items": question_cards(found, queries.PAGE_SIZE, prefix), "cards": True}
    elif section in queries.ENTRIES:
        found, context["pagination"] = _paginated(request, queries.ENTRIES[section].objects.order_by(*NEWEST))
        context["items"] = queries.rows(section, found, prefix)
    elif section == "doctors":
        found, context["pagination"] = _paginated(request, Physician.objects.order_by("slug"))
        found = found.select_related("hospital", "department")
        context["physicians"] = [queries.physician_shape(physician, prefix) for physician in found]
    elif section == "body-parts":
        context["body_parts"] = queries.parts_of_the_body(prefix)
    else:
        found, context["pagination"] = _paginated(request, queries.PLACES[section].objects.order_by("slug"))
        context["items"] = queries.place_rows(section, found, prefix)
    number = context["pagination"]["page"] if context["pagination"] else 1
    page = page_context(
        path + (f"?page={number}" if number > 1 else ""),
        hant=hant,
        title=f"{title} · {letter.upper()}" if letter else title,
        description=context["intro"],
        breadcrumb=crumbs(prefix, *([(title, f"/{section}/")] if letter else [])),
        feed=f"/feeds/{section}.atom" if section in queries.ENTRIES else None,
    )
    page["jsonld"] = jsonld.page(page)
    tags = [f"list:{section}", "cards"]
    if section == "body-parts":  # what is filed under a part decides whether it is there
        tags += [f"list:{each}" for each in queries.ENTRIES]
    return render("listing.html", page, tags, **context)


def _letters(prefix: str, letter: str | None) -> dict:
    """The A-Z of conditions: all groups on one page while they are few, one letter a page once they are many."""
    found = Condition.objects.order_by("index_letter", "slug")
    counts = queries.letter_counts()
    letters = [
        {"letter": each, "url": f"{prefix}/conditions/a-z/{each.lower()}/", "count": count, "current": False}
        for each, count in counts.items()
    ]
    if letter is None:
        if sum(counts.values()) > ALL_LETTERS_ON_ONE_PAGE:
            return {"letters": letters, "items": queries.rows("conditions", found.order_by(*NEWEST), prefix)}
        shown = queries.condition_rows(found, prefix)
    else:
        for each in letters:
            each["current"] = each["letter"] == letter.upper()
        shown = queries.condition_rows(found.filter(index_letter=letter.upper()), prefix)
        if not shown:
            raise Http404
    groups: dict[str, list] = {}
    for row in shown:
        groups.setdefault(row["letter"], []).append(row)
    return {"letters": letters, "groups": [{"letter": each, "rows": of} for each, of in groups.items()]}


@read_only
def home(request, hant: bool = False):
    prefix = HANT_PREFIX if hant else ""
    page = page_context("/", hant=hant, title=_("医典"), description=_("哪里不舒服？想知道什么？先看答案，再看出处。"))
    page["jsonld"] = jsonld.website(page)
    guides_shown = queries.rows("guides", ActionGuide.objects.order_by(*NEWEST), prefix, queries.SIDE_ROWS)
    featured = queries.rows("articles", Article.objects.order_by(*NEWEST), prefix, queries.SIDE_ROWS)
    beside = {row["url"] for row in (*guides_shown, *featured)}
    reviewed = queries.recently(prefix, "last_review_date", but_not=beside)
    tags = ["home", *(f"list:{section}" for section in (*queries.ENTRIES, *queries.PLACES))]
    return render(
        "home.html",
        page,
        tags,
        body_parts=queries.parts_of_the_body(prefix),
        departments=queries.names("departments", Department.objects.all(), prefix),
        populations=queries.names("populations", Population.objects.all(), prefix),
        letters=[
            {"letter": each, "url": f"{prefix}/conditions/a-z/{each.lower()}/", "count": count}
            for each, count in queries.letter_counts().items()
        ],
        recently_reviewed=reviewed or queries.recently(prefix, "date_published", but_not=beside),
        recently_label=_("最近审核") if reviewed else _("最近发布"),
        most_read=queries.most_read(most_viewed, prefix),
        guides=guides_shown,
        self_tests=[self_tests.row(test, prefix) for test in every_self_test().values()],
        featured=featured,
    )


@read_only
def text_page(request, name: str, title: str, description: str, hant: bool = False):
    prefix = HANT_PREFIX if hant else ""
    page = page_context(request.path.removeprefix(prefix), hant=hant, title=title, description=description)
    page["breadcrumb"] = crumbs(prefix)
    page["jsonld"] = jsonld.page(page)
    return render(f"{name}.html", page, ["text"], title=title)


@read_only
def corrections(request, hant: bool = False):
    prefix = HANT_PREFIX if hant else ""
    page = page_context(
        "/corrections/",
        hant=hant,
        title=_("更正记录"),
        description=_("我们改正过的错误：原来怎么写，现在怎么写，为什么。"),
        breadcrumb=crumbs(prefix),
        feed="/feeds/corrections.atom",
    )
    page["jsonld"] = jsonld.page(page)
    made = Correction.objects.public().order_by("-date_published", "-pk")[: queries.PAGE_SIZE * 10]
    shown = [
        {
            "date": correction.date_published.isoformat(),
            "text": correction.text,
            "entry_name": correction.name,
            "entry_url": prefix + correction.page if is_local_path(correction.page) else None,
        }
        for correction in made
    ]
    return render("corrections.html", page, ["list:corrections"], corrections=shown)


@csrf_exempt  # carries no authority: anyone may report an error; what other sites send is refused
def report(request, hant: bool = False):
    """这里有错: a form that asks for no identity; what is typed goes to the editors' list and nowhere else."""
    if request.method not in {"GET", "HEAD", "POST"}:
        return not_allowed(request, "GET, HEAD, POST")
    prefix = HANT_PREFIX if hant else ""
    given = request.POST if request.method == "POST" else request.GET
    about = clean_text(given.get("page", ""))[:200]
    about_name = queries.page_name(about)
    about = about if about_name else ""
    context = {"about": about, "about_name": about_name, "text": "", "quote": "", "errors": {}, "done": False}
    status = 200
    if request.method == "POST":
        if from_elsewhere(request):
            return fault_page(request, 403)
        text, quote = clean_text(given.get("text", "")).strip(), clean_text(given.get("quote", "")).strip()
        context |= {"text": text, "quote": quote}
        if not text:
            context["errors"]["text"] = _("请写下哪里不对，一句话也可以。")
        elif len(text) > MAX_REPORT:
            context["errors"]["text"] = _("最多 %(n)s 个字，现在有 %(have)s 个。请删短一些再提交。") % {
                "n": MAX_REPORT,
                "have": len(text),
            }
        if len(quote) > MAX_QUOTE:
            context["errors"]["quote"] = _("原文摘一两句就够，最多 %(n)s 个字。") % {"n": MAX_QUOTE}
        if context["errors"]:
            status = 422
        elif ErrorReport.objects.filter(handled=False)[:MOST_OPEN_REPORTS].count() == MOST_OPEN_REPORTS:
            context["errors"]["text"] = _("等着处理的太多，现在收不下。请过几天再来。")
            status = 503
        else:
            ErrorReport.objects.create(page=about or "/", quote=quote, text=text)
            context["done"] = True
    # a screen reader says the title first: that nothing was sent is the news
    title = _("没有送出：这里有错") if context["errors"] else _("收到了，谢谢您") if context["done"] else _("这里有错")
    page = page_context("/corrections/report/", hant=hant, title=title, robots="noindex", breadcrumb=crumbs(prefix))
    return render("report.html", page, None, status=status, **context)


@read_only
def gallery(request):
    """Every component with its examples, for those who build pages."""
    from yidian.web.jinja import COMPONENTS

    environment = engines["jinja2"].env
    shown = []
    for folder in sorted(path for path in COMPONENTS.iterdir() if path.is_dir()):
        macro_name = folder.name.replace("-", "_")
        template = environment.get_template(f"{folder.name}/{folder.name}.html")
        macro = getattr(template.make_module({"prefix": "", "page": {}}), macro_name)
        examples = json.loads((folder / "example.json").read_text("utf-8"))
        shown.append(
            {
                "name": folder.name,
                "examples": [{"title": example["title"], "html": macro(**example["args"])} for example in examples],
            }
        )
    page = page_context("/debug/components/", title="组件", robots="noindex", breadcrumb=crumbs(""))
    return render("components.html", page, None, components=shown)


def healthz(request):
    """200 when pages can be served: the database answers and holds its tables."""
    Condition.objects.public().values_list("pk", flat=True).first()
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def preview(entry: Entry) -> HttpResponse:
    """An entry as it stands in the editor, saved or not, as its public page."""
    if entry.section not in ENTRY_PAGES:
        raise Http404
    entry.rendered = None
    row = queries.preview_row(entry, rendered_now(entry))
    return ENTRY_PAGES[entry.section](entry.section, entry.slug, False, row)
