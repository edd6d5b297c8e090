"""The hot reads of public pages: plain rows, a stated number of queries a page, drafts left out by `public()`."""

import re
from collections.abc import Set
from datetime import date
from string import ascii_uppercase

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Value
from django.utils import timezone
from markupsafe import Markup, escape

from yidian.answers.models import Answer, Question
from yidian.editorial.models import Entry
from yidian.editorial.rendering import belongs, rendered_now
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.people.models import Department, Hospital, Physician
from yidian.publication.reads import CompiledRead
from yidian.terms.models import BodyPart, Population
from yidian.zh.sentences import excerpt

ENTRIES: dict[str, type[Entry]] = {model.section: model for model in (Condition, Article, Question, ActionGuide)}
PLACES = {model.section: model for model in (Physician, Hospital, Department, BodyPart, Population)}
KIND_LABELS = {
    "conditions": "病症",
    "articles": "文章",
    "questions": "问答",
    "guides": "行动指南",
    "self-tests": "自测",
    "doctors": "医生",
    "hospitals": "医院",
    "departments": "科室",
    "body-parts": "身体部位",
    "populations": "人群",
}
# A list page shows this many; a list has at most this many pages, so that no request makes the database walk far.
PAGE_SIZE = 30
MAX_PAGES = 200

_HEAD_TO_TOE = {name: place for place, name in enumerate(BodyPart.Region.values)}

_BYLINE = tuple(
    f"{role}__{field}"
    for role in ("author", "reviewer")
    for field in ("name", "slug", "job_title", "demonstration", "live")
)
_ENTRY = (
    "pk",
    "slug",
    "name",
    "alternate_names",
    "description",
    "date_published",
    "date_modified",
    "last_review_date",
    "review_due",
    "rendered",
    "last_published_at",
    "origin",
    *_BYLINE,
)
_ABOUT = (
    "about__pk",
    "about__slug",
    "about__name",
    "about__description",
    "about__condition_kind",
    "about__live",
)
_MORE = {
    "conditions": ("condition_kind", "broader__pk", "broader__slug", "broader__name", "broader__live"),
    "articles": (*_ABOUT, "keywords"),
    "questions": (*_ABOUT, "detail"),
    "guides": (*_ABOUT, "supplies"),
}
_PATH = re.compile(
    r"/(conditions|articles|questions|guides|doctors|hospitals|departments|body-parts)/([a-z0-9-]{1,100})/"
)

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")

# A page's side shows this many guides, articles or new entries.
SIDE_ROWS = 6

_ROW = ("slug", "name", "description", "date_modified", "date_published")


def _entry_read(section: str, model: type[Entry]) -> CompiledRead:
    fields = (*_ENTRY, *_MORE[section])
    return CompiledRead(lambda slug: model.objects.public().filter(slug=slug).values_list(*fields), str)


def _side_read() -> CompiledRead:
    """The newest guides and articles about a condition, guides about its narrower forms among them."""

    def newest(section: str, found: QuerySet) -> QuerySet:
        rows = found.order_by("-date_published", "-pk").annotate(section=Value(section))
        return rows.values_list("section", "pk", *_ROW)[: SIDE_ROWS + 1]

    return CompiledRead(
        lambda condition: [
            newest("guides", ActionGuide.objects.public().filter(Q(about=condition) | Q(about__broader=condition))),
            newest("articles", Article.objects.public().filter(about=condition)),
        ],
        int,
    )


_ENTRY_READS = {section: _entry_read(section, model) for section, model in ENTRIES.items()}
_SIDE_READ = _side_read()


def page_name(path: str) -> str:
    """The name of the public page at this path; empty where there is none."""
    match = _PATH.fullmatch(path)
    if not match:
        return ""
    model = ENTRIES.get(match[1]) or PLACES[match[1]]
    return next(iter(model.objects.public().filter(slug=match[2]).values_list("name", flat=True)[:1]), "")


def page_exists(path: str) -> bool:
    """Whether a public page stands at this path; for what counts views."""
    return page_name(path) != ""


def entry_row(section: str, slug: str) -> dict | None:
    """One public entry with its byline and the condition it is about; one query."""
    found = _ENTRY_READS[section](slug)
    return dict(zip((*_ENTRY, *_MORE[section]), found[0], strict=True)) if found else None


def preview_row(entry: Entry, rendered: dict) -> dict:
    """The same shape as `entry_row`, of an entry as it stands in the editor, saved or not."""
    row = {"rendered": rendered, "pk": entry.pk or 0}
    for field in (*_ENTRY, *_MORE[entry.section]):
        if field in row:
            continue
        value = entry
        for part in field.split("__"):
            value = getattr(value, part, None)
        row[field] = value
    return row


def _elsewhere(origin: str) -> dict | None:
    """Who stands in a byline when content came from elsewhere and names nobody: where it came from, not our editors."""
    return {"name": origin, "url": None, "job_title": "", "demonstration": False, "elsewhere": True} if origin else None


def _person(row: dict, role: str, prefix: str) -> dict | None:
    if not row[f"{role}__name"]:
        return None
    return {
        "name": row[f"{role}__name"],
        "job_title": row[f"{role}__job_title"],
        "demonstration": row[f"{role}__demonstration"],
        "url": f"{prefix}/doctors/{row[f'{role}__slug']}/" if row[f"{role}__live"] else None,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _html(rendered: dict) -> dict:
    """A stored public form with its HTML marked as safe: it passed the gate when it was made."""
    for module in rendered["modules"]:
        _safe_blocks(module["blocks"])
    for blocks in rendered["answers"].values():
        _safe_blocks(blocks)
    for card in rendered["care_advice"]:
        card["items"] = [Markup(item) for item in card["items"]]  # noqa: S704
    for phase in rendered["phases"]:
        for step in phase["steps"]:
            step["html"] = Markup(step["html"])  # noqa: S704
    for field in ("do", "dont", "stop_conditions"):
        rendered[field] = [Markup(line) for line in rendered[field]]  # noqa: S704
    for each in rendered["contraindications"]:
        each["instead"] = Markup(each["instead"])  # noqa: S704
    return rendered


def _safe_blocks(blocks: list[dict]) -> None:
    for block in blocks:
        if "html" in block:
            block["html"] = Markup(block["html"])  # noqa: S704


def public_form(section: str, row: dict) -> dict:
    """The stored public form of a row, made afresh when it is not of this publication."""
    if belongs(row["rendered"], row["last_published_at"]):
        return row["rendered"]
    return rendered_now(ENTRIES[section].objects.get(pk=row["pk"]))


def review_state(last_review_date: date | None, review_due: date | None) -> str:
    """awaiting: no clinician has reviewed it yet; overdue: one did, and its date has passed; else reviewed."""
    if last_review_date is None:
        return "awaiting"
    return "overdue" if review_due and review_due < timezone.localdate() else "reviewed"


def entry_shape(section: str, row: dict, prefix: str, localise) -> dict:
    """A row as templates read it."""
    rendered = _html(localise(public_form(section, row)))
    url = f"{prefix}/{section}/{row['slug']}/"
    modules = rendered["modules"]
    return {
        "pk": row["pk"],
        "kind": ENTRIES[section].kind,
        "kind_label": KIND_LABELS[section],
        "name": row["name"],
        "alternate_names": [line for line in row["alternate_names"].splitlines() if line.strip()],
        "description": row["description"],
        "detail": row.get("detail"),
        "url": url,
        "handout_url": f"{url}handout/",
        "report_url": f"{prefix}/corrections/report/?page=/{section}/{row['slug']}/",
        "date_published": _iso(row["date_published"]),
        "date_modified": _iso(row["date_modified"]),
        "last_review_date": _iso(row["last_review_date"]),
        "review_due": _iso(row["review_due"]),
        "review_state": review_state(row["last_review_date"], row["review_due"]),
        "author": _person(row, "author", prefix) or _elsewhere(row["origin"]),
        "reviewer": _person(row, "reviewer", prefix),
        "contents": [{"anchor": module["anchor"], "headline": module["headline"]} for module in modules],
        "supplies": (row.get("supplies") or "").splitlines(),
        "keywords": (row.get("keywords") or "").split("\n") if row.get("keywords") else [],
    } | {key: value for key, value in rendered.items() if key not in {"version", "of", "references"}}


def about_shape(row: dict, prefix: str) -> dict | None:
    """The disease card of an entry, or None when it is about none that is public."""
    if not row.get("about__live"):
        return None
    return {
        "pk": row["about__pk"],
        "name": row["about__name"],
        "description": row["about__description"],
        "url": f"{prefix}/conditions/{row['about__slug']}/",
        "kind_label": Condition.Kind(row["about__condition_kind"]).label,
    }


def _row(section: str, row: tuple, prefix: str) -> dict:
    slug, name, description, modified, published = row
    return {
        "name": name,
        "url": f"{prefix}/{section}/{slug}/",
        "description": description,
        "kind_label": KIND_LABELS[section],
        "date": _iso(modified or published),
    }


def rows(section: str, entries, prefix: str, limit: int = PAGE_SIZE) -> list[dict]:
    """Public entries as lines of a list; one query."""
    return [_row(section, row, prefix) for row in entries.public().values_list(*_ROW)[:limit]]


def condition_rows(conditions, prefix: str) -> list[dict]:
    """Public conditions as lines of the A-Z, each with its letter; one query."""
    found = conditions.public().values_list(*_ROW, "index_letter")
    return [_row("conditions", row[:-1], prefix) | {"letter": row[-1]} for row in found]


def beside(condition_id: int | None, prefix: str, but_not: int | None = None) -> dict[str, list[dict]]:
    """The newest guides and articles about a condition, without one article, by section; one query."""
    shown: dict[str, list[dict]] = {"guides": [], "articles": []}
    for section, pk, *row in _SIDE_READ(condition_id) if condition_id else []:
        if len(shown[section]) < SIDE_ROWS and (section, pk) != ("articles", but_not):
            shown[section].append(_row(section, tuple(row), prefix))
    return shown


def names(section: str, things, prefix: str, **more) -> list[dict]:
    """Public vocabulary or places as names with addresses; one query."""
    fields = ("slug", "name", *more.get("fields", ()))
    return [
        {"name": row["name"], "slug": row["slug"], "url": f"{prefix}/{section}/{row['slug']}/"}
        | {field: row[field] for field in more.get("fields", ())}
        for row in things.public().values(*fields)
    ]


def with_entries(parts):
    """Parts of the body under which, or directly below which, something public is filed.

    The vocabulary has more parts than there are pages about them, and a list must not lead to an empty page.
    """
    filed = Q()
    for model in ENTRIES.values():
        for there in ("body_parts", "body_parts__broader"):
            filed |= Q(Exists(model.objects.public().filter(**{there: OuterRef("pk")})))
    return parts.filter(filed)


def parts_of_the_body(prefix: str) -> list[dict]:
    """The parts that something public is filed under, from head to toe; one query."""
    found = names("body-parts", with_entries(BodyPart.objects), prefix, fields=("region",))
    return sorted(found, key=lambda part: _HEAD_TO_TOE.get(part["region"], len(_HEAD_TO_TOE)))


def answers_to(question_id: int, blocks: dict[str, list], prefix: str) -> list[dict] | None:
    """Who gave the public answers to a question, with the blocks of its public form, the editors' own first.

    None when an answer is missing from the public form, which must then be made afresh. One query.
    """
    fields = (
        "pk",
        "slug",
        "date_created",
        "date_modified",
        "origin",
        "author_job_title",
        "author__name",
        "author__slug",
        "author__live",
        "author__demonstration",
        "author_hospital__name",
        "author_hospital__slug",
        "author_hospital__hospital_grade",
        "author_hospital__demonstration",
        "author_hospital__live",
    )
    found = Answer.objects.public().filter(question=question_id).values(*fields)
    ordered = sorted(
        found, key=lambda row: (bool(row["author__name"] or row["origin"]), -row["date_created"].toordinal())
    )
    if any(str(row["pk"]) not in blocks for row in ordered):
        return None
    shown = []
    for row in ordered:
        hospital = None
        if row["author_hospital__name"]:
            live = row["author_hospital__live"]
            hospital = {
                "name": row["author_hospital__name"],
                "url": f"{prefix}/hospitals/{row['author_hospital__slug']}/" if live else None,
                "grade": row["author_hospital__hospital_grade"],
                "demonstration": row["author_hospital__demonstration"],
            }
        author = _elsewhere(row["origin"])
        if row["author__name"]:
            author = {
                "name": row["author__name"],
                "url": f"{prefix}/doctors/{row['author__slug']}/" if row["author__live"] else None,
                "job_title": row["author_job_title"],
                "demonstration": row["author__demonstration"],
            }
        shown.append(
            {
                "anchor": row["slug"],
                "author_slug": row["author__slug"],
                "author": author,
                "job_title": row["author_job_title"],
                "hospital": hospital,
                "date_created": _iso(row["date_created"]),
                "date_modified": _iso(row["date_modified"]),
                "demonstration": bool(row["author__demonstration"]),
                "blocks": blocks[str(row["pk"])],
            }
        )
    return shown


def filed_under(model: type[Entry], field: str, places: list[int], about: QuerySet | None = None) -> QuerySet:
    """Public entries filed under any of some places by a many-to-many `field`, or about one of some conditions.

    By subqueries, which use their indexes; a join with DISTINCT reads every row of a million questions.
    """
    relation = model._meta.get_field(field)
    filed = relation.remote_field.through.objects.filter(**{f"{relation.m2m_reverse_field_name()}__in": places})
    among = Q(pk__in=filed.values(relation.m2m_field_name()))
    if about is not None:
        among |= Q(about__in=about.values("pk"))
    return model.objects.public().filter(among)


def physician_shape(physician: Physician, prefix: str) -> dict:
    """A doctor as lists and profiles show one; `hospital` and `department` must have been selected along."""
    hospital, department = physician.hospital, physician.department
    return {
        "name": physician.name,
        "url": f"{prefix}/doctors/{physician.slug}/",
        "job_title": physician.job_title,
        "demonstration": physician.demonstration,
        "hospital": hospital
        and {
            "name": hospital.name,
            "url": f"{prefix}/hospitals/{hospital.slug}/" if hospital.live else None,
            "grade": hospital.hospital_grade,
            "demonstration": hospital.demonstration,
        },
        "department": department
        and {
            "name": department.name,
            "url": f"{prefix}/departments/{department.slug}/" if department.live else None,
        },
    }


def place_rows(section: str, places, prefix: str) -> list[dict]:
    """Hospitals, departments, body parts or populations as lines of a list; one query."""
    fields = ("slug", "name", "description", *(["demonstration"] if section == "hospitals" else []))
    return [
        {
            "name": row["name"],
            "url": f"{prefix}/{section}/{row['slug']}/",
            "description": row["description"],
            "kind_label": KIND_LABELS[section],
            "demonstration": row.get("demonstration", False),
        }
        for row in places.public().values(*fields)
    ]


def letter_counts() -> dict[str, int]:
    """How many public conditions begin with each letter, A to Z, then # when there are any."""
    counted = Condition.objects.public().values_list("index_letter").annotate(Count("pk")).order_by("index_letter")
    counts = dict(counted)
    return {letter: counts.get(letter, 0) for letter in ascii_uppercase} | ({"#": counts["#"]} if "#" in counts else {})


def recently(prefix: str, field: str, *, but_not: Set[str] = frozenset(), limit: int = SIDE_ROWS) -> list[dict]:
    """The entries with the newest date in `field`, of every kind, without the addresses in `but_not`.

    One indexed query a kind.
    """
    newest = []
    for section, model in ENTRIES.items():
        dated = model.objects.filter(**{f"{field}__isnull": False}).order_by(f"-{field}", "-pk")
        fields = ("slug", "name", "description", field)
        newest += [
            {
                "name": name,
                "url": f"{prefix}/{section}/{slug}/",
                "description": description,
                "kind_label": KIND_LABELS[section],
                "date": _iso(day),
            }
            for slug, name, description, day in dated.public().values_list(*fields)[: limit + len(but_not)]
        ]
    newest = [row for row in newest if row["url"] not in but_not]
    return sorted(newest, key=lambda row: row["date"], reverse=True)[:limit]


def most_read(most_viewed, prefix: str, limit: int = SIDE_ROWS) -> list[dict]:
    """The most viewed articles and conditions that are still public."""
    viewed = {}
    for section in ("articles", "conditions"):
        for path, count in most_viewed(f"/{section}/", limit * 2):
            viewed[path] = count
    shown = []
    for section in ("articles", "conditions"):
        slugs = [path.split("/")[2] for path in viewed if path.startswith(f"/{section}/")]
        shown += rows(section, ENTRIES[section].objects.filter(slug__in=slugs), prefix) if slugs else []
    return sorted(shown, key=lambda row: -viewed[row["url"].removeprefix(prefix)])[:limit]


def result_details(documents, prefix: str) -> dict[str, dict]:
    """By document key, what a result shows beside its name: who answered and when, the review state, 演示.

    One query for each kind of entry among the documents.
    """
    ids: dict[str, list[str]] = {}
    for document in documents:
        ids.setdefault(document.kind, []).append(document.object_id)
    shown: dict[str, dict] = {}
    lead = (
        "lead_answer__author__name",
        "lead_answer__author_job_title",
        "lead_answer__author_hospital__name",
        "lead_answer__author_hospital__hospital_grade",
        "lead_answer__author__demonstration",
        "lead_answer__date_created",
    )
    for model in ENTRIES.values():
        if model.kind not in ids:
            continue
        fields = ("pk", "date_modified", "date_published", "last_review_date", "review_due")
        more = lead if model is Question else ()
        for row in model.objects.public().filter(pk__in=ids[model.kind]).values(*fields, *more):
            shown[f"{model.kind}:{row['pk']}"] = {
                "date": _iso(row.get("lead_answer__date_created") or row["date_modified"] or row["date_published"]),
                "review_state": review_state(row["last_review_date"], row["review_due"]),
                "author": row.get("lead_answer__author__name"),
                "job_title": row.get("lead_answer__author_job_title"),
                "hospital": row.get("lead_answer__author_hospital__name"),
                "hospital_grade": row.get("lead_answer__author_hospital__hospital_grade"),
                "demonstration": bool(row.get("lead_answer__author__demonstration")),
            }
    return shown


def tag_names(tags) -> dict[str, str]:
    """The names behind search tags ("department:<slug>"); one query for each of the three ways of filing."""
    slugs: dict[str, list[str]] = {}
    for tag in tags:
        word, _, slug = tag.partition(":")
        slugs.setdefault(word, []).append(slug)
    names = {}
    for model in (Department, BodyPart, Population):
        if model.kind in slugs:
            found = model.objects.public().filter(slug__in=slugs[model.kind]).values_list("slug", "name")
            names |= {f"{model.kind}:{slug}": name for slug, name in found}
    return names


def is_slug(text: str) -> bool:
    """Whether a text from an address can be a slug at all."""
    return bool(_SLUG.fullmatch(text))


def shortened(text: str) -> str:
    """The first sentences of a text, three lines of a phone."""
    return excerpt(text, 90)


def highlight(text: str, spans: list[tuple[int, int]]) -> Markup:
    """The text with the matched stretches in <mark>."""
    parts, at = [], 0
    for start, end in sorted(spans):
        if start < at:
            continue
        parts += [escape(text[at:start]), Markup("<mark>"), escape(text[start:end]), Markup("</mark>")]
        at = end
    return Markup("").join([*parts, escape(text[at:])])
