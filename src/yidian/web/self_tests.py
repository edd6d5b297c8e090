"""Self-tests as pages: one question at a time by POST, so that answers are in no address, log, cookie or cache."""

import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from html.parser import HTMLParser

from django.http import Http404, HttpResponse
from django.template import engines
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from markupsafe import Markup

from yidian.encyclopedia.models import ActionGuide, Condition
from yidian.questionnaire.change import smallest_change
from yidian.questionnaire.hashes import DECIDES
from yidian.questionnaire.result import kept
from yidian.questionnaire.scoring import (
    LEVELS,
    NUMERIC,
    UNSURE,
    Asked,
    answer_text,
    months_of,
    outcome,
    screens,
    years_of,
)
from yidian.selftests.checking import KINDS
from yidian.selftests.library import SelfTest, self_tests
from yidian.web import guides, jsonld, queries
from yidian.web.faults import read_only, refused
from yidian.web.pages import HANT_PREFIX, crumbs, page_context, render
from yidian.zh.hant import to_hant

LABEL = queries.KIND_LABELS["self-tests"]
LEVEL_WORDS = {
    "emergency_call": "立即拨打 120",
    "emergency": "立即去急诊",
    "same_day": "今天就去看医生",
    "appointment": "约时间看医生",
    "self_care": "先自己照顾，留意变化",
}
# A fired rule from this level on ends the test at once: the next question could cost minutes that count.
STOPPING = {"emergency", "emergency_call"}
# Of what could not be excluded the most urgent are shown: a reader who is sure of nothing would get two hundred.
MAX_OPEN = 12
# Of 64 digits as many as people can compare; a kept data file has them all.
SHOWN_OF_A_HASH = 12
_READ = {
    "text": "",
    "abstract": "只读到摘要",
    "known": "原文没有重新核对",
}
_NUMBER = re.compile(r"\d{1,4}(\.\d{1,2})?")
_WHOLE = re.compile(r"\d{1,4}")
# A child's age is said in months up to three years, and one that is younger than a month is 0.
MAX_MONTHS = 36

# Everything the page says while a test runs, for the server's pages and the browser's engine alike.
WORDS = {
    "progress": "第 {n} 题，共 {m} 题",
    "progress_steps": "第 {n} 步",
    "next": "下一题",
    "back": "退回上一步",
    "leave": "回到介绍",
    "skip": "先跳过这一题",
    "rest_no": "其余都没有，下一步",
    "rest_unsure": "其余我不确定，下一步",
    "review": "看一遍我的答案",
    "review_title": "您的答案",
    "review_intro": "可以改任何一题，改完再看结果。",
    "change": "改",
    "change_of": "改这一题：{question}",
    "unanswered": "没有答",
    "result": "看结果",
    "again": "重新做一遍",
    "print": "打印",
    "copy": "复制文字",
    "copied": "复制好了，可以粘贴给医生。",
    "save_text": "存成文字",
    "save_data": "存成数据（FHIR）",
    "keep_title": "留下这个结果",
    "keep_text": "您的答案没有保存，关掉这一页就没有了。想给医生看，可以打印、复制，或者存在自己的设备上；"
    "给不给、给谁，由您定。",
    "chosen": "已选",
    "result_title": "结果",
    "stopped": "先停在这里",
    "stopped_text": "您的回答里有要紧的情况，后面的题先不用答了。请先做下面这件事。",
    "stopped_wrong": "如果是点错了，可以改这一题的答案。",
    "because": "因为您答了：",
    "rests_on": "依据的出处：",
    "open_title": "还没有排除的情况",
    "open_text": "下面几题没有答或不确定，所以不能当作没有。请弄清楚，或者去问医生。",
    "open_if": "如果有，{level}。",
    "open_more": "另外还有 {n} 种情况没有排除。",
    "no_flags": "您的回答里没有这里问到的危险信号。这不等于没有病：症状加重，或者您放心不下，就去看医生。",
    "no_level": "这些答案不足以说明要不要看医生。症状让您担心，就约医生看看。",
    "level": "建议：",
    "how_title": "怎么算出来的",
    "answers_title": "您的每一题答案",
    "points": "{n} 分",
    # the engine's own words, for the browser in 繁體
    "falls_in": "属于",
    "counts": "计",
    "change_title": "哪个答案会改变结果",
    "change_if": "如果",
    "change_text": "“{question}”答“{to}”",
    "change_and": "，并且",
    "change_then": "，结果会变成：{result}。",
    "change_other": "另一档",
    "at_least": "至少是：{name}",
    "change_at_least": "至少{name}",
    "not_banded": "还不能定是哪一档",
    "may_be_higher": "还有题没有答，分数可能更高：最高可能到“{name}”（{range}）。",
    "whatever": "还有题没有答，不过怎么答都在这一档。",
    "screening": "筛查不是诊断，没有发现什么也不说明没有病。症状加重、有新的不舒服，或者您放心不下，就去看医生；"
    "情况危急，拨打 120。",
    "basis": "{date} 做的。这次结果依据：问卷 {questionnaire}，规则 {rules}，程序 {engine}。"
    "凭这几个编号和数据文件可以重算。",
    "guide": "一步步怎么做：《{name}》",
    "guide_mine": "照我的回答，一步步怎么做：《{name}》",
    "call_120": "拨打 120",
    "call_12356": "拨打心理援助 12356",
    "choose": "请选一个，或者点“先跳过这一题”。",
    "give_number": "请写一个数，例如 65 或 65.5；不知道就点“先跳过这一题”。",
    "months": "个月",
    "unit_label": "岁还是个月",
    "give_whole": "请写一个整数；不知道就点“先跳过这一题”。",
    "out_of_range": "这里收 {low} 到 {high} 之间的数，请再看一下。",
    "unit": "单位：{unit}",
}


def row(test: SelfTest, prefix: str) -> dict:
    """A self-test as lists show it."""
    return {"name": test.title, "description": test.description, "url": prefix + test.url, "kind_label": LABEL}


@read_only
def listing(request, hant: bool = False) -> HttpResponse:
    """Every self-test, by kind; no query."""
    prefix = HANT_PREFIX if hant else ""
    page = page_context(
        "/self-tests/",
        hant=hant,
        title=_(LABEL),
        description=_("几道题，看看现在该怎么办。答案不保存，不上传。筛查不是诊断。"),
        breadcrumb=crumbs(prefix),
    )
    page["jsonld"] = jsonld.page(page)
    groups = [
        {"name": name, "rows": [row(test, prefix) for test in self_tests().values() if test.sidecar["kind"] == kind]}
        for kind, name in KINDS.items()
    ]
    return render("self_tests.html", page, ["self-tests"], groups=[group for group in groups if group["rows"]])


# ---- what the reader sends ----


def parse_number(asked: Asked, typed: str, *, months: bool = False) -> tuple[Decimal | None, str]:
    """The number typed, an age in months as years, and what is wrong with it; one of the two is empty."""
    text = unicodedata.normalize("NFKC", typed).strip()
    if months and asked.in_months:
        if not _WHOLE.fullmatch(text):
            return None, WORDS["give_whole"]
        if int(text) > MAX_MONTHS:
            return None, WORDS["out_of_range"].format(low=0, high=MAX_MONTHS)
        return years_of(int(text)), ""
    whole = asked.type == "integer"
    if not (_WHOLE if whole else _NUMBER).fullmatch(text):
        return None, WORDS["give_whole"] if whole else WORDS["give_number"]
    value = Decimal(text)
    if (asked.minimum is not None and value < asked.minimum) or (asked.maximum is not None and value > asked.maximum):
        return None, WORDS["out_of_range"].format(low=asked.minimum, high=asked.maximum)
    return value, ""


def _said_in_months(given: Mapping, link_id: str) -> bool:
    return given.get(f"u.{link_id}") == "months"


def _answers(test: SelfTest, given: Mapping) -> dict[str, tuple]:
    """The answers in a form's fields that the self-test knows; everything else is ignored."""
    answers: dict[str, tuple] = {}
    for link_id, asked in test.form.asked.items():
        typed = given.get(f"a.{link_id}", "")[:20]
        if asked.options and asked.option(typed):
            answers[link_id] = (typed,)
        elif asked.type in NUMERIC and typed:
            value, _fault = parse_number(asked, typed, months=_said_in_months(given, link_id))
            if value is not None:
                answers[link_id] = (value,)
    return answers


# ---- what the reader sees ----


def _options(asked: Asked, answers: dict) -> list[dict]:
    given = answers.get(asked.link_id, ())
    return [
        {"code": option.code, "display": option.display, "chosen": option.code in given} for option in asked.options
    ]


def _screen(
    test: SelfTest, place: int, answers: dict, *, typed: str = "", months: bool = False, fault: str = ""
) -> dict:
    """One screen: a question with its choices or its number, or the questions of a group with their choices."""
    asked_together = screens(test.form, answers)
    heading, link_ids = asked_together[place]
    first = test.form.asked[link_ids[0]]
    given = answers.get(first.link_id, ())
    in_months = months_of(first, given[0]) if given and not first.options else None
    if in_months is not None:
        typed, months = typed or str(in_months), True
    progress = WORDS["progress_steps" if test.sidecar["kind"] == "triage" else "progress"]
    group = [
        {
            "link_id": link_id,
            "text": test.form.asked[link_id].text,
            "options": _options(test.form.asked[link_id], answers),
        }
        for link_id in link_ids
    ]
    return {
        "link_id": first.link_id,
        "text": heading or first.text,
        "group": group if heading else None,
        "instructions": test.sidecar.get("instructions", ""),
        "progress": progress.format(n=place + 1, m=len(asked_together)),
        "options": _options(first, answers),
        "unit": first.unit,
        "in_months": first.in_months,
        "months": months,
        "whole": first.type == "integer",
        "typed": typed or (answer_text(first, given).removesuffix(first.unit).strip() if given else ""),
        "fault": fault,
        "first": place == 0,
    }


def _answer_rows(test: SelfTest, enabled: list[str], answers: dict) -> list[dict]:
    rows = []
    for place, link_id in enumerate(enabled, start=1):
        asked = test.form.asked[link_id]
        given = answers.get(link_id, ())
        option = asked.option(given[0]) if given and asked.options else None
        rows.append(
            {
                "place": place,
                "link_id": link_id,
                "question": asked.text,
                "answer": answer_text(asked, given),
                "points": None if option is None or option.weight is None else str(option.weight),
            }
        )
    return rows


def _fired(test: SelfTest, found: dict) -> list[dict]:
    """The red flags that fired, the most urgent first, each with the numbers of its sources in the page's list."""
    rules = {rule["id"]: rule for rule in test.sidecar.get("red_flags", ())}
    fired = sorted(found["red_flags"], key=lambda rule: -LEVELS.index(rule["level"]))
    return [
        rule | {"crisis": bool(rules[rule["id"]].get("crisis")), "sources": _numbers(test, rules[rule["id"]])}
        for rule in fired
    ]


def _numbers(test: SelfTest, rule: Mapping) -> list[int]:
    names = [source["id"] for source in test.sidecar["sources"]]
    return [names.index(name) + 1 for name in rule["sources"]]


def _open_band(scale: Mapping, first: str, last: str) -> dict:
    """Where a score may fall of which a part is missing, as a band is shown."""
    low, high = (next(row for row in scale["table"] if row["code"] == code) for code in (first, last))
    if low is high:
        return low | {"label": scale["label"], "text": WORDS["whatever"] + low["text"]}
    text = WORDS["may_be_higher"].format(**high)
    if low is scale["table"][0]:
        return {"name": WORDS["not_banded"], "label": scale["label"], "range": "", "text": text}
    return low | {"label": scale["label"], "name": WORDS["at_least"].format(**low), "text": text + low["text"]}


def _stops(found: dict) -> bool:
    """Whether a red flag fired that ends the test at once."""
    return any(rule["level"] in STOPPING for rule in found["red_flags"])


def _result(test: SelfTest, answers: dict, found: dict, *, stopped: bool) -> dict:
    """Everything the result page says of an outcome; the browser's engine builds the same from the same data."""
    scales = {scale["code"]: scale for scale in test.sidecar.get("bands", ())}
    bands = [
        next(row for row in scales[code]["table"] if row["code"] == band) | {"label": scales[code]["label"]}
        for code, band in found["bands"].items()
    ]
    bands += [_open_band(scales[code], *ends) for code, ends in found["bands_between"].items()]
    fired = _fired(test, found)
    open_rules = sorted(found["not_excluded"], key=lambda rule: -LEVELS.index(rule["level"]))
    if stopped:
        fired = [rule for rule in fired if rule["level"] in STOPPING]
    change = None if stopped else smallest_change(test.form, answers)
    if change:
        row = next((row for scale in scales.values() for row in scale["table"] if row["code"] == change["band"]), None)
        named = LEVEL_WORDS.get(change["level"], "") if change["level"] != found["level"] else ""
        name = row["name"] if row else WORDS["change_other"]
        change["result"] = named or (WORDS["change_at_least"].format(name=name) if change["at_least"] else name)
    return {
        "stopped": stopped,
        "asks_flags": bool(test.sidecar.get("red_flags")),
        "fired": fired,
        "bands": bands,
        "open": [rule | {"level_words": LEVEL_WORDS[rule["level"]]} for rule in open_rules[:MAX_OPEN]],
        "open_more": max(0, len(open_rules) - MAX_OPEN),
        "level": found["level"],
        "level_words": LEVEL_WORDS.get(found["level"] or "", ""),
        "basis": WORDS["basis"].format(
            date=timezone.localdate().isoformat(),
            **{name: digest[:SHOWN_OF_A_HASH] for name, digest in test.form.hashes.items()},
        ),
        "explanation": [] if stopped else found["explanation"],
        "change": change,
        "rows": _answer_rows(test, found["enabled"], answers),
    }


def _following(test: SelfTest, prefix: str) -> dict[str, dict]:
    """The public guides that the test's results lead to, by slug: name, address, and what they ask that it asked."""
    slugs = {rule.get("guide") for rule in test.sidecar.get("red_flags", ())} | {test.sidecar.get("guide")}
    fields = ("slug", "name", "description", "contraindications")
    found = ActionGuide.objects.public().filter(slug__in=slugs - {None}).only(*fields) if slugs != {None} else ()
    return {
        guide.slug: {
            "name": guide.name,
            "description": guide.description,
            "url": prefix + guide.get_absolute_url(),
            "asked": {
                block.value["key"]: link_ids
                for block in guide.contraindications
                if (link_ids := guides.asked_by(block.value, test.slug))
            },
        }
        for guide in found
    }


def _follows(test: SelfTest, guide: dict | None, answers: Mapping[str, str]) -> dict | None:
    """How a result leads to a guide: with the answers, where they say something that the guide asks."""
    if guide is None:
        return None
    carried = guides.carried(guide["asked"], answers)
    return {"name": guide["name"], "url": guide["url"], "test": test.slug if carried else ""}


def _about(test: SelfTest, prefix: str, guide: dict | None) -> dict:
    """What stands below the questions: what it is not, how sure, whose, what next; no guide where a red flag fired."""
    sidecar = test.sidecar
    sources = [
        {"number": number, "anchor": f"source-{number}", "backlinks": 0, "no_identifier_reason": _READ[source["read"]]}
        | {key: source.get(key) for key in ("title", "publisher", "date", "doi", "pmid", "url", "document_number")}
        for number, source in enumerate(sidecar["sources"], start=1)
    ]
    conditions = Condition.objects.filter(slug__in=sidecar.get("about", ()))
    following = self_tests().get(sidecar.get("next", ""))
    return {
        "title": test.title,
        "description": test.description,
        "kind": sidecar["kind"],
        "minutes": sidecar["minutes"],
        "count": len(test.form.asked),
        "audience": sidecar["audience"],
        "not": sidecar["not"],
        "validated": sidecar["validated"],
        "missing": sidecar["missing"],
        "certainty": sidecar["certainty"],
        "licence": sidecar["licence"],
        "copyright": test.form.questionnaire["copyright"],
        "sources": sources,
        "crisis": sidecar.get("crisis", False),
        "guides": [guide] if guide else [],
        "conditions": queries.names("conditions", conditions, prefix) if sidecar.get("about") else [],
        "next": row(following, prefix) if following else None,
    }


def _shared(items: list, shared: dict[str, list]) -> list[dict]:
    """Items with the place in `shared` of what many of them have alike: 180 kB of the general check are then 100."""
    made = []
    for item in items:
        places = {}
        for key, values in shared.items():
            if key in item:
                if item[key] not in values:
                    values.append(item[key])
                places[key] = values.index(item[key])
        made.append(item | places | ({"item": _shared(item["item"], shared)} if "item" in item else {}))
    return made


def definition(test: SelfTest, following: dict[str, dict], *, hant: bool) -> Markup:
    """The questionnaire, the sidecar and the words, as the browser's engine reads them from the page."""
    sidecar = {key: test.sidecar[key] for key in DECIDES if key in test.sidecar}
    said = ("id", "when", "level", "heading", "message", "unknown", "crisis", "guide")
    sidecar["red_flags"] = [
        {key: rule[key] for key in said if rule.get(key)} | {"sources": _numbers(test, rule)}
        for rule in sidecar["red_flags"]
    ]
    shared: dict[str, list] = {"answerOption": [], "enableWhen": []}
    document = {
        "questionnaire": dict(test.form.questionnaire) | {"item": _shared(test.form.questionnaire["item"], shared)},
        "shared": shared,
        "sidecar": sidecar,
        "hashes": test.form.hashes,
        "guides": following,
        "guide": test.sidecar.get("guide"),
        "words": WORDS,
        "levels": LEVEL_WORDS,
        "stopping": sorted(STOPPING),
        "maxOpen": MAX_OPEN,
        "maxMonths": MAX_MONTHS,
        "hashShown": SHOWN_OF_A_HASH,
        "hant": hant,
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=float)
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(to_hant(safe) if hant else safe)  # noqa: S704  ("<" never stands raw in this data block)


def _shown(test: SelfTest, hant: bool, tags: list[str] | None, status: int = 200, **stage) -> HttpResponse:
    prefix = HANT_PREFIX if hant else ""
    page = page_context(
        test.url,
        hant=hant,
        title=test.title,
        description=test.description,
        breadcrumb=crumbs(prefix, (LABEL, "/self-tests/")),
    )
    if tags is None:
        page["robots"] = "noindex"
    else:
        page["jsonld"] = jsonld.page(page)
    shown = {"stage": "intro", "question": None, "result": None, "rows": [], "fired": [], "answers": {}} | stage
    following = _following(test, prefix) if shown["stage"] in {"intro", "result"} or shown["fired"] else {}
    of_rules = {rule["id"]: rule.get("guide") for rule in test.sidecar.get("red_flags", ())}
    result = shown["result"] or {"fired": []}
    for rule in [*shown["fired"], *result["fired"]]:
        rule["follows"] = _follows(test, following.get(of_rules[rule["id"]]), shown["answers"])
    if shown["result"] and not result["fired"]:
        result["follows"] = _follows(test, following.get(test.sidecar.get("guide")), shown["answers"])
    return render(
        "self_test.html",
        page,
        tags,
        status=status,
        test=_about(test, prefix, None if result["fired"] else following.get(test.sidecar.get("guide"))),
        words=WORDS,
        # a step that was posted comes from a browser without scripts
        definition=definition(test, following, hant=hant) if tags else None,
        **shown,
    )


@csrf_exempt  # carries no authority and changes nothing; what other sites send is refused
def self_test(request, slug: str, hant: bool = False) -> HttpResponse:
    """GET: what the test is (cached). POST: the next question, the review or the result, from what the form holds."""
    test = self_tests().get(slug)
    if test is None:
        raise Http404
    if request.method in {"GET", "HEAD"}:
        tags = ["self-tests", "list:guides", "list:conditions"]
        return _shown(test, hant, tags)
    return refused(request) or _step(test, request.POST, hant)


def _place_of(test: SelfTest, link_id: str, answers: dict) -> int | None:
    return next((n for n, (_, link_ids) in enumerate(screens(test.form, answers)) if link_id in link_ids), None)


def _step(test: SelfTest, given: Mapping, hant: bool) -> HttpResponse:
    answers = _answers(test, given)
    go, here = given.get("go", "next"), given.get("at", "")
    place = _place_of(test, here, answers)

    def ask(number: int, **more) -> HttpResponse:
        question = _screen(test, number, answers, **more)
        carried = {key: str(value[0]) for key, value in answers.items()}
        for row in question["group"] or [question]:
            if question["group"] or not question["options"]:
                carried.pop(row["link_id"], None)  # the screen's own fields say it
        status = 422 if more.get("fault") else 200
        return _shown(test, hant, None, status, stage="question", question=question, answers=carried)

    if go == "start":
        return ask(0)
    if go.startswith("to:") and (wanted := _place_of(test, go[3:], answers)) is not None:
        return ask(wanted)
    if go == "back" and place:
        return ask(place - 1)
    if go == "leave":
        return _shown(test, hant, None)
    if place is not None and go in {"next", "skip", "unsure"}:
        heading, link_ids = screens(test.form, answers)[place]
        if fault := _take(test, given, go, bool(heading), link_ids, answers):
            said = {"typed": given.get(f"a.{here}", "")[:20], "months": _said_in_months(given, here)}
            return ask(place, **said, fault=fault)
    found = outcome(test.form, answers)
    held = {key: str(value[0]) for key, value in answers.items()}
    if go in SAVED:
        return _saved(test, answers, found, go, hant)
    if _stops(found):
        result = _result(test, answers, found, stopped=True)
        return _shown(test, hant, None, stage="result", result=result, answers=held)
    if place is not None and go in {"next", "skip", "unsure"}:
        after = (_place_of(test, here, answers) or 0) + 1
        if after < len(screens(test.form, answers)):
            return ask(after)
    if go == "result":
        result = _result(test, answers, found, stopped=False)
        return _shown(test, hant, None, stage="result", result=result, answers=held)
    rows, fired = _answer_rows(test, found["enabled"], answers), _fired(test, found)
    return _shown(test, hant, None, stage="review", rows=rows, fired=fired, answers=held)


# ---- what the reader takes along ----

SAVED = {"save-text": ("txt", "text/plain"), "save-data": ("json", "application/fhir+json")}


def _saved(test: SelfTest, answers: dict, found: dict, go: str, hant: bool) -> HttpResponse:
    """The result as a file for the reader's own device, made for this answer and kept nowhere."""
    suffix, media_type = SAVED[go]
    if go == "save-text":
        result = _result(test, answers, found, stopped=_stops(found))
        component = engines["jinja2"].env.get_template("test-result/test-result.html").module
        text = page_text(test.title, component.test_result(result, WORDS))
    else:
        authored = timezone.now().isoformat(timespec="seconds")
        text = json.dumps(kept(test.form, answers, authored=authored, words=not hant), ensure_ascii=False, indent=2)
    name = f"{test.slug}-{timezone.localdate().isoformat()}.{suffix}"
    response = HttpResponse(to_hant(text) if hant else text, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


class _Lines(HTMLParser):
    """The headings, paragraphs and list items of a result as lines; without buttons and what is not printed."""

    _BLOCKS = {"h1": "", "h2": "\n", "p": "", "li": "- "}
    _VOID = {"input", "br"}

    def __init__(self):
        super().__init__()
        self.lines: list[list[str]] = []
        self._left_out = 0

    def handle_starttag(self, tag, attrs):
        if tag in self._VOID:
            return
        if self._left_out or tag == "button" or "no-print" in (dict(attrs).get("class") or "").split():
            self._left_out += 1
        elif tag in self._BLOCKS:
            self.lines.append([self._BLOCKS[tag]])
        elif self.lines:
            self.lines[-1].append(" ")

    def handle_endtag(self, tag):
        if self._left_out and tag not in self._VOID:
            self._left_out -= 1

    def handle_data(self, data):
        if self.lines and not self._left_out:
            self.lines[-1].append(data)


def page_text(title: str, html: str) -> str:
    """A result page as plain text; the browser makes the same from the same markup."""
    parser = _Lines()
    parser.feed(html)
    lines = (mark + " ".join("".join(words).split()) for mark, *words in parser.lines)
    return "\n".join([title, *lines, ""])


def _take(test: SelfTest, given: Mapping, go: str, group: bool, link_ids: list[str], answers: dict) -> str:
    """Puts what a screen says into the answers; what is wrong with it, or nothing."""
    if group:
        for link_id in link_ids:
            answers.setdefault(link_id, (UNSURE if go == "unsure" else "no",))
        return ""
    (link_id,) = link_ids
    if go == "skip":
        answers.pop(link_id, None)
        return ""
    asked = test.form.asked[link_id]
    typed = given.get(f"a.{link_id}", "")[:20]
    if asked.options:
        return "" if asked.option(typed) else WORDS["choose"]
    return parse_number(asked, typed, months=_said_in_months(given, link_id))[1]
