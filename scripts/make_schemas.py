"""Writes docs/authors/schema/<kind>.json from the bundle's kinds; run it after every change of exchange.documents."""

import json
import os
from pathlib import Path

SCHEMAS = Path(__file__).parent.parent / "docs/authors/schema"

# Fields that no column of the model names, or that mean something else in a file.
TITLES = {
    "status": "状态",
    "go_live_at": "定时公开",
    "expire_at": "定时撤下",
    "alternate_names": "其他叫法",
    "care_advice": "什么时候就医",
    "care_advice.level": "级别",
    "care_advice.heading": "标题",
    "care_advice.items": "要点",
    "contraindications": "先回答几个问题",
    "contraindications.id": "问题的编号",
    "contraindications.question": "问读者什么",
    "contraindications.removes": "去掉哪些步骤",
    "contraindications.instead": "改成告诉读者什么",
    "contraindications.answered_by": "哪些自测的题已经问过",
    "codes": "医学编码",
    "credentials": "资质",
    "answers": "回答",
    "answers.id": "回答的编号",
    "title": "标题",
    "file": "文件名",
    "from": "旧网址",
    "to": "新网址",
}
HELP = {
    "status": "live 公开；draft 草稿，可以还没写全；scheduled 已批准，到 go_live_at 的时刻公开。",
    "go_live_at": "北京时间，写成 2026-12-01 08:00。",
    "expire_at": "北京时间，写成 2026-12-01 08:00。到时撤下这一页。",
    "slug": "出现在网址里的拼音；公开之后不能再改。",
    "identifier": "UUID。不写：由种类和网址拼音得出。",
    "care_advice": "按紧急程度从高到低，最好不超过三张。",
    "care_advice.items": "一行一条，可以写出处，例如 [^nhs-leg-cramps]。",
    "answers": "每个回答的正文写在下面的“## {answer: 编号}”里。",
    "answers.id": "小写字母、数字和短横线，例如 a1。",
    "answers.slug": "不写：问题的编号、短横线、id。",
    "contraindications": "哪些人不要做哪几步。读者答“是”或“不确定”，那几步就不显示。",
    "contraindications.id": "小写字母、数字和短横线，例如 huafalin。定了就不要改。",
    "contraindications.question": "能答“是”的一句话，例如：您正在吃华法林吗？",
    "contraindications.removes": "步骤的编号，写在步骤标题后面：### 做什么 {id: lashen}。",
    "contraindications.instead": "不要做什么，改做什么；要写出处，例如 [^nhs-leg-cramps]。",
    "contraindications.answered_by": "写成 自测/题号；那一题答“是”就是这里答“是”。",
    "codes": "每条写成 {system: ICD-10, value: R25.2}。",
    "author": "医生的网址拼音。不写：署名医典编辑部。",
    "reviewer": "医生的网址拼音。不写：页面写明等待执业医师审核。",
    "file": "images 文件夹里的文件名。",
}
SLUG = r"^[a-z0-9]+(?:-[a-z0-9]+)*$"
DATE = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "format": "date"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2})?$"}


def schemas() -> dict[str, dict]:
    """A JSON Schema (draft 2020-12) for each kind of record, by the name of its file.

    That of a kind in a folder is for the front matter of one document, that of the others for the whole YAML file.
    """
    from yidian.exchange.documents import KINDS

    made = {}
    for kind in KINDS.values():
        label = kind.model._meta.verbose_name
        forms = [(f"{kind.name}.json", kind.fields, kind.path_of("…"), label)]
        if kind.has_drafts:
            path = kind.draft_path_of("…")
            forms.append((f"{kind.name}.draft.json", kind.draft_fields, path, f"{label}还没公开的修改"))
        for name, fields, path, title in forms:
            record = _record(fields, kind.model, drafts=kind.has_drafts)
            shape = record if kind.is_folder else {"type": "array", "items": record}
            title = f"{title}：{path}" + (" 开头的各字段" if kind.is_folder else "")
            made[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | shape
    return made


def _record(fields, model, prefix: str = "", drafts: bool = False) -> dict:
    made = {
        "type": "object",
        "properties": {each.name: _property(each, model, prefix) for each in fields},
        "additionalProperties": False,
    }
    if not drafts:
        return made if prefix else made | {"allOf": [_complete(fields)]}
    named = [each.name for each in fields if each.required and each.name in {"name", "slug", "id"}]
    default = next(each.default for each in fields if each.name == "status")
    complete = _complete(fields)
    dated = {"required": ["date_published"]} if {"date_published", "care_advice"} <= set(made["properties"]) else {}
    if dated:  # the day on which a page becomes public is not written before
        complete["required"] = [name for name in complete["required"] if name != "date_published"]
    rules = [
        {"if": _status_is("draft", default), "else": complete},
        {"if": _status_is("scheduled", default), "then": {"required": ["go_live_at"]}},
        {"if": _status_is("live", default), "then": dated | {"not": {"required": ["go_live_at"]}}},
    ]
    return made | ({"required": named} if named else {}) | {"allOf": rules}


def _status_is(status: str, default: str) -> dict:
    said = {"properties": {"status": {"const": status}}}
    return said if status == default else said | {"required": ["status"]}


def _complete(fields) -> dict:
    """What a record must have unless it is a draft."""
    made: dict = {}
    if required := [each.name for each in fields if each.required]:
        made["required"] = required
    # an answer is a draft or not by itself
    nested = [each for each in fields if each.shape == "records" and each.name != "answers"]
    inner = {each.name: {"items": _complete(each.fields)} for each in nested}
    inner |= {
        each.name: {"minLength": 1} for each in fields if each.required and each.shape in {"text", "line", "paragraphs"}
    }
    inner |= {each.name: {"minItems": 1} for each in fields if each.required and each.shape in {"lines", "slugs"}}
    return made | ({"properties": inner} if inner else {})


def _property(each, model, prefix: str) -> dict:
    name = prefix + each.name
    title, described = TITLES.get(name) or TITLES.get(each.name), HELP.get(name) or HELP.get(each.name, "")
    if not title:
        column = model._meta.get_field(each.attr or each.name)
        title, described = str(column.verbose_name), described or str(column.help_text)
    made: dict = {"title": title}
    if each.shape == "choice":
        described = described or _labels(each, model)
    if described:
        made["description"] = described
    return made | _shape(each, name)


def _labels(each, model) -> str:
    from yidian.editorial.blocks import CareLevel

    labels = dict(CareLevel.choices) if each.name == "level" else dict(model._meta.get_field(each.attr).choices or ())
    return "；".join(value if value == labels[value] else f"{value} {labels[value]}" for value in each.choices) + "。"


def _shape(each, name: str) -> dict:
    limit = {"maxLength": each.limit} if each.limit else {}
    # a number without quotes is a word to us and a number to an editor's YAML
    word = {"type": ["string", "number"]} | limit
    if each.shape == "choice":
        return {"enum": list(each.choices)} | ({"default": each.default} if each.default else {})
    if each.shape == "date":
        return DATE
    if each.shape == "moment":
        return MOMENT
    if each.shape == "flag":
        return {"type": "boolean", "default": False}
    if each.shape == "uuid":
        return {"type": "string", "format": "uuid"}
    if each.shape == "one" or each.name in {"slug", "id"}:
        return {"type": ["string", "integer"], "pattern": SLUG, "maxLength": each.limit or 100}
    if each.shape in {"many", "slugs"}:
        item = {"type": ["string", "integer"], "pattern": SLUG, "maxLength": 100}
        return {"type": "array", "items": item, "uniqueItems": True}
    if each.shape in {"names", "lines"}:
        return {"type": "array", "items": word | {"minLength": 1}} | (
            {"uniqueItems": True} if each.shape == "names" else {}
        )
    if each.shape == "records":
        from yidian.answers.models import Answer
        from yidian.encyclopedia.models import MedicalCode
        from yidian.people.models import Credential

        model = {"codes": MedicalCode, "answers": Answer, "credentials": Credential}.get(each.name)
        items = _record(each.fields, model, f"{name}.", drafts=each.name == "answers")
        return {"type": "array", "items": items} | ({"maxItems": each.limit} if each.limit else {})
    return word


def written() -> dict[str, str]:
    """The text of each schema, by the name of its file."""
    return {name: json.dumps(schema, ensure_ascii=False, indent=2) + "\n" for name, schema in schemas().items()}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yidian.site.settings")
    import django

    django.setup()
    SCHEMAS.mkdir(exist_ok=True)
    made = written()
    for name, text in made.items():
        (SCHEMAS / name).write_text(text, "utf-8")
    for path in SCHEMAS.glob("*.json"):
        if path.name not in made:
            path.unlink()


if __name__ == "__main__":
    main()
