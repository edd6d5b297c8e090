"""The rule base: well formed, sourced, each rule fires and does not fire, and a malformed file is refused by name."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml
from triage_cases import CASES, cases_of, mutants, verdict

import yidian.starter
from yidian.triage import rulebook
from yidian.triage.engine import assess
from yidian.triage.levels import LEVELS, SELF_CARE, WHEN_NOT_EXCLUDED, urgency
from yidian.triage.rulebook import HERE, RuleError, compile_folder, load
from yidian.triage.screen import screen

BOOK = load()
KEPT = {row["rule"]: row["cases"] for row in map(json.loads, CASES.read_text("utf-8").splitlines())}
rules = pytest.mark.parametrize("rule", BOOK.rules.values(), ids=BOOK.rules)


def test_there_are_rules_for_every_level_and_the_compiled_form_is_of_these_files():
    assert len(BOOK.rules) >= 120
    assert {rule.level for rule in BOOK.rules.values()} == set(LEVELS) - {SELF_CARE}
    compiled = json.loads((HERE / rulebook.COMPILED).read_text("utf-8"))
    assert compiled == json.loads(json.dumps(compile_folder(HERE))), "run scripts/compile_rules.py"


def test_every_source_is_used_and_says_whether_it_was_read():
    used = {source for rule in BOOK.rules.values() for source in rule.sources}
    assert used == set(BOOK.sources)
    assert {source["basis"] for source in BOOK.sources.values()} == {"read", "known"}


@rules
def test_a_rule_says_what_to_do_and_awaits_its_reviewer(rule):
    assert 4 <= len(rule.heading) <= 40 and 10 <= len(rule.message) <= 160
    assert ("120" in rule.heading or "110" in rule.heading) == (rule.level == "emergency_call")
    assert rule.sources and rule.reviewer == "" and rule.reviewed is None
    if rule.guide:
        assert list((HERE.parent / "starter/bundle/guides").glob(f"{rule.guide}.md")), rule.guide
    assert yidian.starter


@rules
def test_a_rule_holds_its_kept_cases_and_they_kill_every_mutant(rule):
    assert KEPT[rule.id] == cases_of(rule), "read the diff of scripts/compile_rules.py, then commit it"
    assert {said for _, said in KEPT[rule.id]} == {"yes", "no", "unknown"}
    for mutant in mutants(rule.when):
        assert any(verdict(mutant, facts) != said for facts, said in KEPT[rule.id]), mutant


@rules
def test_a_rule_fires_and_raises_while_it_cannot_be_excluded(rule):
    everything_no = dict.fromkeys(BOOK.questions, "no")
    for facts, said in KEPT[rule.id]:
        result = assess(BOOK, facts | {"answers": everything_no | facts["answers"]})
        if said == "no":
            assert rule.id not in result.fired + result.not_excluded
        elif rule.id in result.fired:
            assert urgency(result.level) >= urgency(rule.level)
        elif rule.id in result.not_excluded:
            assert urgency(result.level) >= urgency(WHEN_NOT_EXCLUDED[rule.level])
    fired = [facts for facts, said in KEPT[rule.id] if said == "yes"]
    assert any(rule.id in assess(BOOK, facts | {"answers": everything_no | facts["answers"]}).fired for facts in fired)


@rules
def test_a_rule_is_found_in_its_examples_and_not_in_the_others(rule):
    for text in rule.examples["present"]:
        assert (rule.id, "present") in [(found.rule, found.status) for found in screen(text).findings], text
    for text in rule.examples["absent"]:
        assert (rule.id, "present") not in [(found.rule, found.status) for found in screen(text).findings], text
    assert rule.examples["present"] and rule.examples["absent"]


def test_it_loads_fast_and_without_django():
    code = (
        "import sys, time; start = time.process_time()\n"
        "from yidian.triage.rulebook import load\n"
        "import yidian.triage.engine\n"
        "before = time.process_time(); load(); print((time.process_time() - before) * 1000)\n"
        "from yidian.triage.screen import screen; screen('胸痛'); print((time.process_time() - start) * 1000)\n"
        "assert not any(name.split('.')[0] in ('django', 'yaml', 'opencc') for name in sys.modules)"
    )
    runs = []
    for _ in range(3):
        made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        runs.append([float(line) for line in made.stdout.split()])
    assert min(run[0] for run in runs) < 50
    assert min(run[1] for run in runs) < 200  # half of it is Python's own modules; a shared machine is noisy


BROKEN = [
    ({"level": "soon"}, "level"),
    ({"level": "self_care"}, "level"),
    ({"heading": ""}, "heading"),
    ({"sources": []}, "sources"),
    ({"sources": ["nobody"]}, "nobody"),
    ({"when": "no_such_question"}, "no_such_question"),
    ({"when": {"not": "chest_pain"}}, "not"),
    ({"when": {"all": []}}, "all"),
    ({"when": {"at_least": {"count": 3, "of": ["chest_pain"]}}}, "count"),
    ({"when": {"compare": {"age": "old"}}}, "年龄"),
    ({"when": {"perhaps": ["chest_pain"]}}, "perhaps"),
    ({"age": "65"}, "65"),
    ({"sex": "woman"}, "woman"),
    ({"phrases": ["no_such_concept"]}, "no_such_concept"),
    ({"phrases": ["胸 + 痛 > 闷"]}, "混用"),
    ({"examples": {"maybe": []}}, "maybe"),
    ({"written": "yesterday"}, "written"),
    ({"colour": "red"}, "colour"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rules").mkdir()
    for name in ("lexicon.yaml", "sources.yaml"):
        shutil.copy(HERE / name, tmp_path / name)
    return tmp_path


def one_rule(folder, **changes):
    rule = {
        "id": "chest",
        "level": "same_day",
        "when": "chest_pain",
        "heading": "今天就去看医生：胸痛",
        "message": "坐下休息，今天就诊。",
        "sources": ["nhs-chest-pain"],
        "examples": {"present": ["胸痛"], "absent": ["没有胸痛"]},
    } | changes
    written = yaml.safe_load("2026-11-25")
    topic = {
        "topic": "t",
        "order": 1,
        "written": written,
        "questions": {"chest_pain": "胸口痛吗？"},
        "rules": [rule],
    }
    (folder / "rules/t.yaml").write_text(yaml.safe_dump(topic, allow_unicode=True), "utf-8")


def test_a_well_formed_rule_is_read_and_another_with_its_name_refused(folder):
    one_rule(folder)
    made = compile_folder(folder)
    assert [rule["id"] for rule in made["rules"]] == ["chest"]
    second = (folder / "rules/t.yaml").read_text("utf-8").replace("chest_pain", "chest_ache")
    (folder / "rules/u.yaml").write_text(second, "utf-8")
    with pytest.raises(RuleError, match=r"u\.yaml：规则 chest：.*两次"):
        compile_folder(folder)


@pytest.mark.parametrize(("change", "named"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_malformed_rule_is_refused_with_file_and_rule(folder, change, named):
    one_rule(folder, **change)
    with pytest.raises(RuleError) as refused:
        compile_folder(folder)
    assert "t.yaml" in str(refused.value) and "规则 chest" in str(refused.value) and named in str(refused.value)


@pytest.mark.parametrize("text", ["topic: [", "- 1", "topic: t\ntopic: u\n"])
def test_a_file_that_is_no_rule_file_is_refused_by_name(folder, text):
    (folder / "rules/t.yaml").write_text(text, "utf-8")
    with pytest.raises(RuleError, match=r"t\.yaml"):
        compile_folder(folder)


def test_a_question_that_no_rule_asks_is_refused(folder):
    one_rule(folder)
    text = (folder / "rules/t.yaml").read_text("utf-8")
    (folder / "rules/t.yaml").write_text(text.replace("questions:\n", "questions:\n  idle: 闲着吗？\n"), "utf-8")
    with pytest.raises(RuleError, match="idle"):
        compile_folder(folder)
