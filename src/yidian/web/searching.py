"""The search page, and what the search box suggests while a reader types."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _

from yidian.editorial import unanswered
from yidian.publication.richtext import clean_text
from yidian.search.ask import Answered, Meant, Result, ask
from yidian.search.ask import meant as terms_of
from yidian.search.engine import CANDIDATES
from yidian.search.find import suggest
from yidian.search.keys import match_form
from yidian.search.snippets import marks
from yidian.selftests.finding import KIND as SELF_TEST
from yidian.web import queries, red_flags
from yidian.web.faults import read_only
from yidian.web.pages import HANT_PREFIX, crumbs, page_context, render
from yidian.zh.hant import to_hant

# Results of all kinds are shown in groups, this many in all and this many in each; a group leads to the rest of it.
TOGETHER = 30
IN_A_GROUP = 4
# What people paste is answered; the page shows no more of it than fits the box again.
MAX_SHOWN = 500
MAX_ASKED = 5_000  # characters; half a second of CPU for the worst of them, a few pages of a story
MAX_PAGES = CANDIDATES // queries.PAGE_SIZE + 1
SUGGESTIONS = 8
# More choices than this to narrow by help nobody.
CHOICES = 8
# A guess less certain than this is searched for without a word.
SAID_ALOUD = 0.5
LONG = 60
# Terms offered beside what was asked, and how sure each must be: 0.35 is half of a description's characters.
OFFERED = 3
OFFERED_FROM = 0.35
PARTS_AND_PEOPLE = ("body_part", "population")
# A term is put before the names that begin as typed only when it was named in other words.
SUGGESTED_FROM = 0.5
# Typing one character says nothing yet.
SUGGESTED_AFTER = 2
FILTERS = {"department": "科室", "body_part": "部位", "population": "人群"}
_KINDS = {model.section: model.kind for model in (*queries.ENTRIES.values(), *queries.PLACES.values())}
_KINDS["self-tests"] = SELF_TEST
_SECTIONS = {kind: section for section, kind in _KINDS.items()}


@read_only
def search(request, hant: bool = False):
    """At most 21 queries, whatever the library's size; never in the page cache, since what was typed is health data."""
    prefix = HANT_PREFIX if hant else ""
    q = clean_text(request.GET.get("q", "")[:MAX_ASKED]).strip()
    section = request.GET.get("kind", "")
    section = section if section in _KINDS else ""
    chosen = {word: slug for word in FILTERS if (slug := request.GET.get(word, "")) and queries.is_slug(slug)}
    number = _page_number(request.GET.get("page", "1")) if section else 1
    size = queries.PAGE_SIZE if section else TOGETHER
    answered = (
        ask(
            q,
            kinds=[_KINDS[section]] if section else [],
            tags=[f"{word}:{slug}" for word, slug in chosen.items()],
            limit=size,
            offset=(number - 1) * size,
            in_each=None if section else IN_A_GROUP,
        )
        if q
        else Answered()
    )

    if answered.ready and q and not answered.answerable and not section and not chosen:
        unanswered.note(answered.understood.content if answered.understood else q, q)

    def address(**changes) -> str:
        asked = {"q": q[:MAX_SHOWN], "kind": section, **chosen, **changes}
        return f"{prefix}/search?" + urlencode({name: value for name, value in asked.items() if value})

    page = page_context(
        "/search",
        hant=hant,
        title=_("“%(q)s”的搜索结果") % {"q": _short(q)} if q else _("搜索"),
        robots="noindex",
        breadcrumb=crumbs(prefix),
    )
    if q:  # the other script shows the same results
        page |= {"url_hans": f"/search?{urlencode({'q': q[:MAX_SHOWN]})}"}
        page["url_hant"] = HANT_PREFIX + page["url_hans"]
    return render(
        "search.html",
        page,
        None,
        q=q[:MAX_SHOWN],
        q_short=_short(q),
        answered=answered,
        red_flags=red_flags.cards(q, prefix),
        groups=_groups(answered, prefix, section, address),
        choices=_choices(answered, chosen, address),
        meant=[{"text": text, "url": address(q=text, page="")} for text in _meant(q, answered)],
        offered=[{"text": name, "url": address(q=name, page="")} for name in _offered(q, answered)],
        section=section,
        all_url=address(kind="", page=""),
        pagination=_pagination(answered, number, size, address) if section else None,
    )


def _meant(q: str, answered: Answered) -> list[str]:
    """What was probably meant and was looked for too; never instead of what was asked."""
    if answered.understood is None or len(q) > LONG:
        return []
    sure = [rewrite.text for rewrite in answered.understood.rewrites if rewrite.weight >= SAID_ALOUD]
    return [text for text in sure if text != q][:2]


def _offered(q: str, answered: Answered) -> list[str]:
    """The standard terms that the reader may be looking for, in other words than those searched for."""
    mentions = answered.understood.mentions if answered.understood else ()
    # what stands inside a longer term, or in the corrected text that is offered already, says nothing new
    known = {mention.name for mention in mentions if mention.how in ("inside", "typo", "pinyin")}
    complaint = any(each.named and each.category not in PARTS_AND_PEOPLE for each in answered.terms)
    # who named a complaint did not look for another that only sounds like it
    terms = [each for each in answered.terms if each.name not in known and (each.named or not complaint)]
    return _in_other_words(q, terms)


def _in_other_words(q: str, terms: Sequence[Meant]) -> list[str]:
    if len(q) > LONG:
        return []
    sure = [each for each in terms if each.sure >= OFFERED_FROM and each.category not in PARTS_AND_PEOPLE]
    form = match_form(q)
    return [each.name for each in sure if match_form(each.name) not in form][:OFFERED]


def _short(q: str) -> str:
    return q if len(q) <= 40 else q[:39] + "…"


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGES):
        raise Http404
    return int(text)


def _groups(answered: Answered, prefix: str, section: str, address) -> list[dict]:
    """Results by kind, the kind of the best result first."""
    details = queries.result_details([item.document for item in answered.items], prefix)
    groups: dict[str, dict] = {}
    for item in answered.items:
        kind = item.document.kind
        more = not section and answered.kinds[kind] > IN_A_GROUP
        group = groups.setdefault(
            kind,
            {
                "label": queries.KIND_LABELS[_SECTIONS[kind]],
                "results": [],
                "more_url": address(kind=_SECTIONS[kind]) if more else None,
            },
        )
        group["results"].append(_shown(item, details.get(item.document.key, {}), answered.words, prefix))
    return list(groups.values())


def _shown(item: Result, details: dict, words: tuple[str, ...], prefix: str) -> dict:
    document = item.document
    snippet = item.snippet or queries.shortened(document.body)
    return {
        "name": queries.highlight(document.title, marks(document.title, words)),
        "url": prefix + document.url,
        "snippet": queries.highlight(snippet, marks(snippet, words)),
        "is_question": document.kind == "question",
    } | details


def _choices(answered: Answered, chosen: dict[str, str], address) -> list[dict]:
    """What the results can be narrowed by: the commonest departments, parts and populations among them."""
    names = queries.tag_names([*answered.facets, *(f"{word}:{slug}" for word, slug in chosen.items())])
    shown = []
    for word, label in FILTERS.items():
        if word in chosen:
            name = names.get(f"{word}:{chosen[word]}", chosen[word])
            shown.append({"label": label, "chosen": name, "clear_url": address(**{word: "", "page": ""}), "links": []})
            continue
        counted = [(tag, count) for tag, count in answered.facets.most_common() if tag.startswith(word + ":")]
        links = [
            {"name": names[tag], "count": count, "url": address(**{word: tag.partition(":")[2], "page": ""})}
            for tag, count in counted
            if tag in names and count < answered.total
        ]
        if links:
            shown.append({"label": label, "chosen": "", "clear_url": "", "links": links[:CHOICES]})
    return shown


def _pagination(answered: Answered, number: int, size: int, address) -> dict | None:
    more = answered.total > number * size and number < MAX_PAGES
    if number == 1 and not more:
        return None
    return {
        "page": number,
        "pages_capped": None,
        "prev_url": address(page=number - 1 if number > 2 else "") if number > 1 else None,
        "next_url": address(page=number + 1) if more else None,
    }


@read_only
def suggestions(request, hant: bool = False):
    """What a reader may be about to type: `{"suggestions": [{"name", "also", "url", "kind"}]}`; at most 10 queries.

    First the standard term for what is typed in other words, to search for; then pages.
    """
    prefix = HANT_PREFIX if hant else ""
    q = clean_text(request.GET.get("q", ""))[:100].strip()
    pages = [
        {
            "name": name.title,
            "also": name.name or "",
            "url": prefix + name.url,
            "kind": queries.KIND_LABELS[_SECTIONS[name.kind]],
        }
        for name in (suggest(q, limit=SUGGESTIONS) if q else [])
        if name.kind in _SECTIONS
    ]
    shown = {page["name"] for page in pages}
    found = [term for term in _suggested_terms(q, prefix) if term["name"] not in shown] + pages
    if hant:
        found = [{key: to_hant(value) if key != "url" else value for key, value in each.items()} for each in found]
    response = JsonResponse({"suggestions": found[:SUGGESTIONS]}, json_dumps_params={"ensure_ascii": False})
    response["Cache-Control"] = "no-store"
    return response


def _suggested_terms(q: str, prefix: str) -> list[dict]:
    if len(q) < SUGGESTED_AFTER:
        return []
    sure = [each for each in terms_of(q) if each.sure >= SUGGESTED_FROM]
    return [
        {"name": name, "also": "", "url": f"{prefix}/search?{urlencode({'q': name})}", "kind": _("标准叫法")}
        for name in _in_other_words(q, sure)[:1]
    ]
