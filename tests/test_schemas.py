"""The JSON Schemas that authors' editors use say what the import says."""

import json
import re
import runpy
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from yidian.exchange.documents import KINDS, read_file
from yidian.exchange.yaml_text import read_yaml

ROOT = Path(__file__).parent.parent
SCHEMAS = ROOT / "docs/authors/schema"
BUNDLES = [ROOT / "src/yidian/starter/bundle", ROOT / "src/yidian/starter/demo"]
WORDS = {"true": True, "false": False}


def as_an_editor_sees_it(node):
    """A value under YAML 1.2, which editors read: whole numbers and truth values without quotes are no text."""
    if isinstance(node.value, dict):
        return {name: as_an_editor_sees_it(value) for name, value in node.value.items()}
    if isinstance(node.value, list):
        return [as_an_editor_sees_it(item) for item in node.value]
    if node.plain and re.fullmatch(r"[-+]?\d+", node.value):
        return int(node.value)
    return WORDS.get(node.value, node.value) if node.plain else node.value


def faults(kind, data: bytes, draft: bool = False) -> list[str]:
    text = data.decode()
    if kind.is_folder:
        text = text[4 : text.index("\n---\n", 3) + 1]
    schema = json.loads((SCHEMAS / f"{kind.name}{'.draft' if draft else ''}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(as_an_editor_sees_it(read_yaml(text)))]


def test_the_schemas_are_what_the_kinds_say():
    made = runpy.run_path(str(ROOT / "scripts/make_schemas.py"))["written"]()
    held = {path.name: path.read_text("utf-8") for path in SCHEMAS.iterdir()}
    assert held == made, "run scripts/make_schemas.py and commit what it writes"


def titles(schema: dict):
    for name, each in schema.get("items", schema).get("properties", {}).items():
        yield name, each["title"]
        yield from titles(each)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_has_a_chinese_name(kind):
    schema = json.loads((SCHEMAS / f"{kind.name}.json").read_text("utf-8"))
    named = dict(titles(schema))
    assert {each.name for each in kind.fields} <= set(named)
    latin = {name for name, title in named.items() if not re.search(r"[一-鿿]", title)}
    assert latin <= {"doi", "pmid", "isbn", "url"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_file_of_the_package_fits_its_schema(kind):
    for bundle in BUNDLES:
        for path in sorted(bundle.glob(f"{kind.path}*.md" if kind.is_folder else kind.path)):
            assert faults(kind, path.read_bytes()) == [], path.name


PAGE = "---\nname: 甲\nkind: disease\ndescription: 甲是一种病。\ndate_published: 2026-11-22\n---\n"
PEOPLE = "- slug: a\n  name: 某某\n  demonstration: true\n"


@pytest.mark.parametrize(
    ("kind", "good", "old", "new"),
    [
        ("condition", PAGE, "name: 甲\n", ""),
        ("condition", PAGE, "kind: disease", "kind: 病"),
        ("condition", PAGE, "description: 甲是一种病。\n", ""),
        ("condition", PAGE, "2026-11-22", "2026-11"),
        ("condition", PAGE, "name: 甲", "name: 甲\nnmae: 甲"),
        ("condition", PAGE, "name: 甲", "name: 甲\nabout: jia"),
        ("condition", PAGE, "name: 甲", "name: 甲\nbroader: 乙"),
        ("condition", PAGE, "甲是一种病。", "长" * 161),
        ("condition", PAGE, "---\nname", "---\nalternate_names: 俗名\nname"),
        ("condition", PAGE, "---\nname", "---\nalternate_names: [俗名, 俗名]\nname"),
        ("condition", PAGE, "---\nname", "---\ncare_advice:\n  - level: soon\n    heading: 去\n    items: [去]\nname"),
        ("condition", PAGE, "---\nname", "---\ncare_advice:\n  - level: self_care\n    items: [去]\nname"),
        ("condition", PAGE, "---\nname", "---\ncodes:\n  - {system: ICD-9, value: R25.2}\nname"),
        ("condition", PAGE, "---\nname", "---\nidentifier: 12\nname"),
        ("condition", PAGE, "name: 甲", "name: 甲\nstatus: scheduled"),
        ("condition", PAGE, "name: 甲", "name: 甲\nstatus: scheduled\ngo_live_at: 2041-01-01"),
        ("condition", PAGE, "name: 甲", "name: 甲\ngo_live_at: 2041-01-01 08:00"),
        ("condition", PAGE, "name: 甲", "name: 甲\nexpire_at: 明年"),
        ("physician", PEOPLE, "slug: a", "slug: 某"),
        ("physician", PEOPLE, "  name: 某某\n", ""),
        ("physician", PEOPLE, "true", "yes"),
    ],
)
def test_what_the_import_refuses_the_schema_refuses(kind, good, old, new):
    kind = KINDS[kind]
    bad = good.replace(old, new, 1)
    assert bad != good
    path = kind.path_of("jia")
    assert faults(kind, good.encode()) == []
    assert read_file(path, good.encode()).problems == []
    assert faults(kind, bad.encode())
    assert read_file(path, bad.encode()).problems


def test_a_draft_may_miss_what_a_page_must_have_except_its_name():
    draft = PAGE.replace("kind: disease\ndescription: 甲是一种病。\ndate_published: 2026-11-22", "status: draft")
    assert faults(KINDS["condition"], draft.encode()) == []
    assert read_file("conditions/jia.md", draft.encode()).problems == []
    nameless = draft.replace("name: 甲\n", "")
    assert faults(KINDS["condition"], nameless.encode())
    assert read_file("conditions/jia.md", nameless.encode()).problems


def test_a_page_that_waits_for_its_moment_needs_no_day():
    waiting = PAGE.replace("date_published: 2026-11-22", "status: scheduled\ngo_live_at: 2041-01-01 08:00")
    assert faults(KINDS["condition"], waiting.encode()) == []
    assert read_file("conditions/jia.md", waiting.encode()).problems == []


def test_unpublished_changes_have_schemas_of_their_own():
    changes = PAGE.replace("date_published: 2026-11-22\n", "")
    for status, fits in (("", True), ("status: draft\n", True), ("status: live\n", False), ("identifier: x\n", False)):
        data = changes.replace("kind:", f"{status}kind:").encode()
        assert (faults(KINDS["condition"], data, draft=True) == []) is fits
        assert (read_file("conditions/jia.draft.md", data).problems == []) is fits
