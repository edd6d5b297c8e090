"""The public form of an entry's text, made once at publish: numbered citations, claims, hard words explained.

A reader's request then costs one row instead of the entry, its sources, claims, populations, pictures and the whole
glossary. The form is derived: it carries the version of this code and the moment of publication it belongs to, and
whoever finds another one renders afresh.
"""

import html
import re
from datetime import datetime
from functools import lru_cache

from django.utils.html import escape
from wagtail.images import get_image_model

from yidian.editorial.blocks import CareLevel, Phase, items_of
from yidian.evidence.models import Basis, Claim, Source, Verdict
from yidian.publication.richtext import CITATION, clean_html
from yidian.terms.models import GlossaryTerm, Population
from yidian.zh.sentences import plain

RENDER_VERSION = 2

# What stands where a step was whose claim fell.
WITHHELD = "这一步先不要做"
WITHHELD_WHY = "它依据的主张有了变化，编辑部正在改写。拿不准就问医生。"

_CARE_ORDER = {level: position for position, level in enumerate(CareLevel.values)}
# A citation as `citation` writes it, with the number of its source.
CITED = re.compile(r'<sup class="cite"><a href="#source-(\d+)".*?</sup>')
_TAG_OR_TEXT = re.compile(r"(<[^>]*>)")


def belongs(rendered: dict | None, last_published_at: datetime | None) -> bool:
    """Whether a stored public form belongs to this code and to the publication of that moment."""
    return bool(rendered) and is_marked(marked(rendered), last_published_at)


def marked(rendered: dict) -> str:
    """What a text made of a public form carries, so that `is_marked` says whether it belongs to a publication."""
    return f"{rendered.get('version')} {rendered.get('of')}"


def is_marked(mark: str, last_published_at: datetime | None) -> bool:
    """Whether what carries this mark was made by this code of the publication of that moment."""
    return mark == f"{RENDER_VERSION} {_moment(last_published_at)}"


def is_current(entry) -> bool:
    """Whether an entry's stored public form belongs to this code and to this publication of it."""
    return belongs(entry.rendered, entry.last_published_at)


def rendered_now(entry) -> dict:
    """The public form of an entry: the stored one when it is current, otherwise made afresh (not stored)."""
    return entry.rendered if is_current(entry) else render(entry)


def _moment(last_published_at: datetime | None) -> str:
    return last_published_at.isoformat() if last_published_at else ""


def glossary() -> dict[str, dict]:
    """Every public hard word and its other spellings, each with its explanation, keyed by how it is written."""
    words = {}
    for term in GlossaryTerm.objects.public():
        explained = {
            "id": f"term-{term.slug}",
            "slug": term.slug,
            "name": term.name,
            "definition": term.definition,
        }
        for word in (
            term.name,
            *(line.strip() for line in term.alternate_names.splitlines() if line.strip()),
        ):
            words[word] = explained
    return words


@lru_cache(maxsize=8)
def _pattern(words: tuple[str, ...]) -> re.Pattern | None:
    longest_first = sorted(words, key=len, reverse=True)
    # a character reference is passed over whole, or a word "amp" would be found in &amp;
    return re.compile("|".join([*map(re.escape, longest_first), "&#?[a-zA-Z0-9]+;"])) if words else None


class _Renderer:
    """Numbers citations and explains hard words over one page, in reading order."""

    def __init__(self, sources, claims, populations, pictures, words, step_claims):
        self.step_claims = step_claims
        self.sources, self.claims, self.populations, self.pictures = sources, claims, populations, pictures
        self.words = {html.escape(word, quote=False): term for word, term in words.items()}
        self.pattern = _pattern(tuple(sorted(self.words)))
        self.cited: dict[str, dict] = {}
        self.explained: dict[str, dict] = {}
        self.shown_claims: dict[str, dict] = {}
        self.shown_populations: dict[str, str] = {}
        self.references: set[str] = set()

    def citation(self, match: re.Match) -> str:
        source = self.sources.get(match[1])
        self.references.add(f"source:{match[1]}")
        if source is None:  # withdrawn since: the sentence stands, the gap is listed by `yidian check`
            return ""
        entry = self.cited.setdefault(
            match[1],
            source | {"number": len(self.cited) + 1, "anchor": f"source-{len(self.cited) + 1}", "backlinks": 0},
        )
        entry["backlinks"] += 1
        number = entry["number"]
        return (
            f'<sup class="cite"><a href="#source-{number}" id="cite-{number}-{entry["backlinks"]}" '
            f'aria-label="出处 {number}">[{number}]</a></sup>'
        )

    def explain(self, text: str) -> str:
        if self.pattern is None:
            return text

        def mark(match: re.Match) -> str:
            term = self.words.get(match[0])
            if term is None or term["id"] in self.explained:
                return match[0]
            self.explained[term["id"]] = {key: term[key] for key in ("id", "name", "definition")}
            self.references.add(f"glossary_term:{term['slug']}")
            return f'<a class="term" href="#{term["id"]}">{match[0]}</a>'

        return self.pattern.sub(mark, text)

    def rich(self, source: str) -> str:
        """Rich text as public HTML."""
        parts, inside_link = [], 0
        for part in _TAG_OR_TEXT.split(clean_html(source)):
            if part.startswith("<"):
                inside_link += part.startswith("<a ")
                inside_link -= part.startswith("</a")
                parts.append(
                    part.replace("<b>", "<strong>")
                    .replace("</b>", "</strong>")
                    .replace("<i>", "<em>")
                    .replace("</i>", "</em>")
                )
            elif inside_link:
                parts.append(CITATION.sub("", part))
            else:
                # citations split the text, so that a mark never lands inside one
                pieces = re.split(r"(\[\^[a-z0-9-]+\])", part)
                parts.extend(
                    CITATION.sub(self.citation, piece) if piece.startswith("[^") else self.explain(piece)
                    for piece in pieces
                )
        return "".join(parts)

    def line(self, text: str) -> str:
        """One line of plain text as public HTML."""
        return self.rich(escape(text))

    def claim(self, pk) -> dict | None:
        claim = self.claims.get(pk)
        if claim:
            self.shown_claims[claim["slug"]] = claim
            self.references.add(f"claim:{claim['slug']}")
        return claim

    def picture(self, value: dict | None) -> dict | None:
        picture = self.pictures.get((value or {}).get("image"))
        if not picture:
            return None
        self.references.add(f"picture:{value['image']}")
        return picture | {"alt": value.get("alt") or picture["alt"], "caption": value.get("caption") or ""}

    def blocks(self, body: list) -> list[dict]:
        """The blocks of a module or an answer."""
        shown = []
        for block in body or []:
            kind, value = block["type"], block["value"]
            if kind == "text":
                shown.append({"type": "text", "html": self.rich(value)})
            elif kind == "claim" and (claim := self.claim(value)):
                shown.append({"type": "claim", "claim": claim})
            elif kind == "picture" and (picture := self.picture(value)):
                shown.append({"type": "picture"} | picture)
            elif kind == "population" and (population := self.populations.get(value["population"])):
                self.shown_populations[population["slug"]] = population["name"]
                self.references.add(f"population:{population['slug']}")
                shown.append({"type": "population"} | population | {"html": self.rich(value["text"])})
        return shown

    def modules(self, raw: list) -> list[dict]:
        return [
            {
                "anchor": f"s{number}",
                "aspect": module["value"]["health_aspect"],
                "headline": module["value"]["headline"],
                "blocks": self.blocks(module["value"]["body"]),
            }
            for number, module in enumerate(raw or [], start=1)
        ]

    def cards(self, raw: list) -> list[dict]:
        cards = sorted((card["value"] for card in raw or []), key=lambda card: _CARE_ORDER[card["level"]])
        return [
            {
                "level": card["level"],
                "heading": card["heading"],
                "items": [self.line(item) for item in items_of(card["items"])],
            }
            for card in cards
        ]

    def phases(self, raw: list) -> list[dict]:
        return [
            {
                "phase": phase["value"]["phase"],
                "label": phase["value"]["headline"] or Phase(phase["value"]["phase"]).label,
                "steps": [self.step(step) for step in items_of(phase["value"]["steps"])],
            }
            for phase in raw or []
        ]

    def step(self, step: dict) -> dict:
        """A step of a guide; one that rests on a claim which does not carry it any more is withheld, and says so."""
        chosen = [pk for pk in items_of(step.get("claims") or []) if pk]
        claims = [self.step_claims[pk] for pk in chosen if pk in self.step_claims]
        for claim in claims:
            self.references.update((f"claim:{claim['slug']}", *(f"source:{slug}" for slug in claim["rests_on"])))
        fallen = [claim for claim in claims if claim["verdict"] != Verdict.SUPPORTED]
        withheld = bool(fallen) or len(claims) < len(chosen)  # a deleted claim carries nothing either
        shown = {"key": step.get("key") or "", "withheld": withheld, "seconds": None, "picture": None, "claims": []}
        if withheld:
            why = "".join(f"<p>它依据的主张：{escape(claim['text'])}</p>" for claim in fallen)
            return shown | {"name": WITHHELD, "html": f"<p>{WITHHELD_WHY}</p>{why}"}
        return shown | {
            "name": step["name"],
            "html": self.rich(step.get("text") or ""),
            "seconds": step.get("seconds"),
            "picture": self.picture(step.get("picture")),
            "claims": [self.shown_claims.setdefault(claim["slug"], claim) for claim in claims],
        }

    def contraindications(self, raw: list) -> list[dict]:
        return [
            {
                "key": each["value"]["key"],
                "question": each["value"]["question"],
                "removes": items_of(each["value"]["removes"]),
                "instead": self.line(each["value"]["instead"]),
                "answered_by": items_of(each["value"].get("answered_by") or []),
            }
            for each in raw or []
        ]


def source_shape(source: Source) -> dict:
    """A source as pages show it."""
    fields = ("slug", "authors", "publisher", "doi", "pmid", "isbn", "document_number", "url", "locator")
    return {field: getattr(source, field) for field in fields} | {
        # a bundle's text is none that a form has looked at
        "url": source.url if source.url.startswith(("https://", "http://")) else "",
        "title": source.name,
        "date": source.date_published,
        "kind_label": source.get_source_kind_display(),
        "general_knowledge": source.basis == Basis.GENERAL_KNOWLEDGE,
        "no_identifier_reason": source.no_identifier_reason,
    }


def claim_shape(claim: Claim) -> dict:
    """A claim as a card shows it."""
    return {
        "slug": claim.slug,
        "url": claim.get_absolute_url(),
        "text": claim.name,
        "summary": claim.summary,
        "population": claim.population,
        "intervention": claim.intervention,
        "outcome": claim.outcome,
        "direction": claim.direction,
        "certainty": claim.certainty,
        "verdict": claim.verdict,
        "general_knowledge": claim.basis == Basis.GENERAL_KNOWLEDGE,
        "sourced": any(source.live and source.basis == Basis.SOURCED for source in claim.sources.all()),
    }


def _raw(entry, field: str) -> list:
    value = getattr(entry, field, None)
    return value.get_prep_value() if value else []


def _chosen(raw: list, kind: str) -> set:
    """Primary keys that blocks of one kind chose, wherever they stand in a raw stream."""
    found = set()
    if isinstance(raw, dict):
        if raw.get("type") == kind and "value" in raw:
            value = raw["value"]
            found.add(value.get("population") if isinstance(value, dict) else value)
        if kind == "picture" and "image" in raw:
            found.add(raw["image"])
        raw = list(raw.values())
    if isinstance(raw, list):
        for item in raw:
            if isinstance(item, dict | list):
                found |= _chosen(item, kind)
    return {pk for pk in found if isinstance(pk, int)}


def render(entry, words: dict | None = None) -> dict:
    """The public form of an entry, as plain data ready for JSON; `words` saves reading the glossary again."""
    raw = {field: _raw(entry, field) for field in ("modules", "phases", "care_advice", "contraindications")}
    answers = {str(answer.pk): _raw(answer, "body") for answer in entry.public_answers()}
    everything = [*raw.values(), *answers.values()]
    lines = {field: getattr(entry, field, "") for field in ("do", "dont", "stop_conditions")}
    claims = {
        claim.pk: claim_shape(claim)
        for claim in Claim.objects.public().filter(pk__in=_chosen(everything, "claim")).prefetch_related("sources")
    }
    cited = set(CITATION.findall(repr(everything) + repr(lines)))
    sources = {source.slug: source_shape(source) for source in Source.objects.public().filter(slug__in=cited)}
    populations = {
        population.pk: {"slug": population.slug, "name": population.name}
        for population in Population.objects.public().filter(pk__in=_chosen(everything, "population"))
    }
    pictures = {
        image.pk: {"src": image.file.url, "alt": image.alt, "width": image.width, "height": image.height}
        for image in get_image_model().objects.filter(pk__in=_chosen(everything, "picture"))
    }
    words = glossary() if words is None else words
    page = _Renderer(sources, claims, populations, pictures, words, _step_claims(raw["phases"]))
    # in the order of reading, so that footnotes count up: care advice stands before the modules
    care_advice = page.cards(raw["care_advice"])
    contraindications = page.contraindications(raw["contraindications"])
    modules = page.modules(raw["modules"])
    shown_answers = {pk: page.blocks(body) for pk, body in answers.items()}
    phases = page.phases(raw["phases"])
    lists = {field: [page.line(line) for line in text.splitlines() if line.strip()] for field, text in lines.items()}
    labels = _labels(entry, page.references)
    return {
        "version": RENDER_VERSION,
        "of": _moment(entry.last_published_at),
        "care_advice": care_advice,
        "modules": modules,
        "answers": shown_answers,
        "contraindications": contraindications,
        "phases": phases,
        **lists,
        **labels,
        "populations": [{"slug": slug, "name": name} for slug, name in page.shown_populations.items()],
        "sources": list(page.cited.values()),
        "glossary": list(page.explained.values()),
        "claims_total": len(page.shown_claims),
        "claims_sourced": sum(claim["sourced"] for claim in page.shown_claims.values()),
        "references": sorted(page.references),
    }


def _step_claims(phases: list) -> dict[int, dict]:
    """By primary key, the claims that steps rest on: withdrawn ones too, for a step must not outlive its claim."""
    steps = [step for phase in phases for step in items_of(phase["value"]["steps"])]
    chosen = {pk for step in steps for pk in items_of(step.get("claims") or []) if pk}
    if not chosen:
        return {}
    return {
        claim.pk: claim_shape(claim) | {"rests_on": [source.slug for source in claim.sources.all()]}
        for claim in Claim.objects.filter(pk__in=chosen).prefetch_related("sources")
    }


def _labels(entry, references: set[str]) -> dict:
    """Names and addresses of what an entry is filed under."""
    labels = {}
    for field in ("body_parts", "departments"):
        filed = [thing for thing in getattr(entry, field).all() if thing.live] if hasattr(entry, field) else []
        references.update(f"{thing.kind}:{thing.slug}" for thing in filed)
        labels[field] = [{"name": thing.name, "url": thing.get_absolute_url()} for thing in filed]
    codes = entry.codes.all() if hasattr(entry, "codes") else []
    return labels | {"codes": [{"system": code.system, "value": code.value} for code in codes]}


def plain_text(body) -> str:
    """The words of a body's text blocks without markup and citations, for excerpts."""
    written = "\n".join(block["value"] for block in body.get_prep_value() if block["type"] == "text")
    return plain(CITATION.sub("", written))
