"""Structured data for search engines and assistants: schema.org 30, one JSON-LD block a page."""

import json
from html import unescape
from re import sub

from markupsafe import Markup

from yidian.editorial.rendering import CITED
from yidian.web.guides import removing

# schema.org has SeeDoctorHealthAspect and these; aspects it lacks are left out of hasHealthAspect.
_ASPECTS = {
    "overview": "OverviewHealthAspect",
    "symptoms": "SymptomsHealthAspect",
    "causes": "CausesHealthAspect",
    "risk_factors": "RisksOrComplicationsHealthAspect",
    "diagnosis": "ScreeningHealthAspect",
    "treatment": "TreatmentsHealthAspect",
    "self_care": "SelfCareHealthAspect",
    "prevention": "PreventionHealthAspect",
    "prognosis": "PrognosisHealthAspect",
    "living_with": "LivingWithHealthAspect",
    "see_doctor": "SeeDoctorHealthAspect",
}


def _block(page: dict, graph: list[dict]) -> Markup:
    crumbs = [*page["breadcrumb"], {"name": page["title"], "url": page["address"]}]
    listed = [
        {
            "@type": "ListItem",
            "position": position,
            "name": crumb["name"],
            "item": crumb["url"] if "://" in crumb["url"] else page["origin"] + crumb["url"],
        }
        for position, crumb in enumerate(crumbs, start=1)
    ]
    if page["breadcrumb"]:
        graph = [*graph, {"@type": "BreadcrumbList", "itemListElement": listed}]
    document = json.dumps({"@context": "https://schema.org", "@graph": graph}, ensure_ascii=False)
    # "<" never appears raw, so no text can close the script element
    safe = document.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(safe)  # noqa: S704  (base.html puts it into a data block)


def without_empty(data: dict) -> dict:
    """The data without what is empty: FHIR forbids it, schema.org does not need it."""
    return {key: value for key, value in data.items() if value not in (None, "", [], {})}


def _text(html: str) -> str:
    return unescape(sub(r"<[^>]+>", "", CITED.sub("", html))).strip()


def _absolute(page: dict, url: str | None) -> str | None:
    return page["origin"] + url if url and url.startswith("/") else url


def _organization(page: dict) -> dict:
    return {"@type": "Organization", "name": page["site_name"], "url": page["origin"] + "/"}


def _author(page: dict, person: dict | None) -> dict:
    if person and person.get("elsewhere"):
        return {"@type": "Organization", "name": person["name"]}
    if person is None:
        return {"@type": "Organization", "name": "医典编辑部", "url": page["origin"] + "/about/"}
    return without_empty(
        {
            "@type": ["IndividualPhysician", "Person"],
            "name": person["name"],
            "jobTitle": person.get("job_title"),
            "url": _absolute(page, person.get("url")),
        }
    )


def _web_page(page: dict, entry: dict, **more) -> dict:
    return without_empty(
        {
            "@type": "MedicalWebPage",
            "@id": page["address"],
            "url": page["address"],
            "headline": entry["name"],
            "description": entry["description"],
            "inLanguage": page["lang"],
            "datePublished": entry["date_published"],
            "dateModified": entry["date_modified"] or entry["date_published"],
            "lastReviewed": entry["last_review_date"],
            "reviewedBy": _author(page, entry["reviewer"]) if entry["reviewer"] else None,
            "author": _author(page, entry["author"]),
            "publisher": _organization(page),
            "publishingPrinciples": page["origin"] + "/editorial-policy/",
            "keywords": entry["keywords"],
            "medicalAudience": {"@type": "MedicalAudience", "audienceType": "Patient"},
            "usageInfo": "本内容不能作为治疗依据，如有不适请到医院就诊。",
            "hasPart": [
                without_empty(
                    {
                        "@type": "HealthTopicContent",
                        "hasHealthAspect": f"https://schema.org/{_ASPECTS[module['aspect']]}"
                        if module["aspect"] in _ASPECTS
                        else None,
                        "headline": module["headline"],
                        "url": f"{page['address']}#{module['anchor']}",
                    }
                )
                for module in entry["modules"]
            ],
            "citation": [
                without_empty(
                    {
                        "@type": "MedicalGuideline" if source["kind_label"] == "指南" else "ScholarlyArticle",
                        "name": source["title"],
                        "publisher": source["publisher"],
                        "datePublished": source["date"],
                        "sameAs": f"https://doi.org/{source['doi']}" if source["doi"] else source["url"],
                    }
                )
                for source in entry["sources"]
            ],
        }
        | more
    )


def page(page: dict) -> Markup:
    """A plain page: breadcrumb and WebPage."""
    plain = {"@type": "WebPage", "@id": page["address"], "name": page["title"], "inLanguage": page["lang"]}
    return _block(page, [plain])


def website(page: dict) -> Markup:
    """The home page: WebSite with its search."""
    site = {
        "@type": "WebSite",
        "name": page["site_name"],
        "url": page["address"],
        "inLanguage": page["lang"],
        "potentialAction": {
            "@type": "SearchAction",
            "target": page["origin"] + "/search?q={query}",
            "query-input": "required name=query",
        },
    }
    return _block(page, [site, _organization(page)])


def article(page: dict, entry: dict, about: dict | None) -> Markup:
    condition = about and {"@type": "MedicalCondition", "name": about["name"], "url": _absolute(page, about["url"])}
    return _block(page, [_web_page(page, entry, about=condition)])


def condition(page: dict, entry: dict, condition_kind: str) -> Markup:
    entity = without_empty(
        {
            "@type": "MedicalSignOrSymptom" if condition_kind == "symptom" else "MedicalCondition",
            "name": entry["name"],
            "alternateName": entry["alternate_names"],
            "description": entry["description"],
            "code": [
                {"@type": "MedicalCode", "codingSystem": code["system"], "codeValue": code["value"]}
                for code in entry["codes"]
            ],
            "associatedAnatomy": [
                {"@type": "AnatomicalStructure", "name": part["name"]} for part in entry["body_parts"]
            ],
            "relevantSpecialty": [department["name"] for department in entry["departments"]],
        }
    )
    return _block(page, [_web_page(page, entry, about=entity)])


def question(page: dict, entry: dict, answers: list[dict]) -> Markup:
    shaped = [
        without_empty(
            {
                "@type": "Answer",
                "text": "\n".join(_text(block["html"]) for block in answer["blocks"] if block["type"] == "text"),
                "author": _author(page, answer["author"]),
                "dateCreated": answer["date_created"],
                "dateModified": answer["date_modified"],
                "url": f"{page['address']}#{answer['anchor']}",
            }
        )
        for answer in answers
    ]
    asked = without_empty(
        {
            "@type": "Question",
            "name": entry["name"],
            "text": entry["detail"] or entry["name"],
            "dateCreated": entry["date_published"],
            "answerCount": len(shaped),
            "acceptedAnswer": shaped[0] if shaped else None,
            "suggestedAnswer": shaped[1:],
        }
    )
    return _block(page, [{"@type": "QAPage", "@id": page["address"], "inLanguage": page["lang"], "mainEntity": asked}])


def guide(page: dict, entry: dict) -> Markup:
    """A guide as HowTo, a section for each phase; what forbids a step stands in its text, for machines ask nothing."""
    sections, place = [], 0
    for number, phase in enumerate(entry["phases"], start=1):
        steps = []
        for step in phase["steps"]:
            place += 1
            if not step["withheld"]:
                steps.append(_how_to_step(page, entry, step, place))
        if steps:
            section = {"@type": "HowToSection", "name": phase["label"], "position": number}
            sections.append(section | {"url": f"{page['address']}#phase-{number}", "itemListElement": steps})
    # only what is timed, of what is to be done at once: what takes two weeks has no duration that means anything
    seconds = sum(step["seconds"] or 0 for phase in entry["phases"][:1] for step in phase["steps"])
    how_to = without_empty(
        {
            "@type": "HowTo",
            "@id": f"{page['address']}#howto",
            "name": entry["name"],
            "description": entry["description"],
            "inLanguage": page["lang"],
            "supply": [{"@type": "HowToSupply", "name": name} for name in entry["supplies"]],
            "totalTime": f"PT{seconds}S" if seconds else None,
            "step": sections,
        }
    )
    return _block(page, [_web_page(page, entry, mainEntity={"@id": how_to["@id"]}), how_to])


def _how_to_step(page: dict, entry: dict, step: dict, place: int) -> dict:
    unless = [
        f"{each['question']}答“是”或不确定，就不做这一步：{_text(each['instead'])}"
        for each in removing(step, entry["contraindications"])
    ]
    return without_empty(
        {
            "@type": "HowToStep",
            "name": step["name"],
            "position": place,
            "text": "\n".join([*unless, _text(step["html"])]),
            "timeRequired": f"PT{step['seconds']}S" if step["seconds"] else None,
            "image": step["picture"] and _absolute(page, step["picture"]["src"]),
        }
    )


def physician(page: dict, physician: dict) -> Markup:
    hospital = physician["hospital"]
    person = without_empty(
        {
            "@type": ["IndividualPhysician", "Person"],
            "@id": page["address"],
            "name": physician["name"],
            "jobTitle": physician["job_title"],
            "description": "演示医生，并非真人。" if physician["demonstration"] else physician["description"],
            "hospitalAffiliation": hospital and {"@type": "Hospital", "name": hospital["name"]},
            "medicalSpecialty": physician["department"] and physician["department"]["name"],
            "knowsAbout": [known["name"] for known in physician["knows_about"]],
            "hasCredential": [
                without_empty(
                    {
                        "@type": "EducationalOccupationalCredential",
                        "credentialCategory": credential["category"],
                        "recognizedBy": {"@type": "Organization", "name": credential["recognized_by"]},
                        "validFrom": credential["valid_from"],
                        "expires": credential["expires"],
                    }
                )
                for credential in physician["credentials"]
            ],
        }
    )
    return _block(page, [person])


def hospital(page: dict, hospital: dict) -> Markup:
    place = without_empty(
        {
            "@type": "Hospital",
            "@id": page["address"],
            "name": hospital["name"],
            "description": "演示机构，并不存在。" if hospital["demonstration"] else hospital["description"],
            "areaServed": hospital["region"],
        }
    )
    return _block(page, [place])


def claim(page: dict, claim: dict) -> Markup:
    stated = without_empty(
        {
            "@type": "Claim",
            "@id": page["address"],
            "text": claim["text"],
            "appearance": [
                {"@type": "MedicalWebPage", "url": page["origin"] + row["url"]} for row in claim["appears_in"]
            ],
            "citation": [{"@type": "ScholarlyArticle", "name": source["title"]} for source in claim["sources"]],
        }
    )
    return _block(page, [stated])
