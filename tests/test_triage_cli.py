"""`yidian triage` as programs call it: the contract's JSON, exit codes, and errors that say what to do."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from yidian.cli.main import main
from yidian.triage.rulebook import load


def run(*arguments, stdin=None):
    return CliRunner().invoke(main, ["triage", *map(str, arguments)], input=stdin)


def test_screen_one_text_as_json():
    result = run("screen", "我爸突然嘴歪了，没有发烧", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["level"] == "emergency_call"
    assert set(found["findings"][0]) == {"rule", "level", "span", "text", "status"}


def test_screen_says_it_in_words():
    assert run("screen", "叫不醒").stdout.startswith("立即拨打 120")
    assert "没有发现不等于没有事" in run("screen", "你好").stdout


def test_screen_lines_in_order_with_their_errors():
    lines = [
        {"id": "a", "text": "发烧38.5", "age": 0.1},
        {"id": "b", "text": 3},
        {"id": "c", "text": "你好", "age": -2},
        {"id": "d", "text": "你好", "sex": "x"},
        {"id": "e", "text": "血压165/110，头痛", "pregnant": True},
    ]
    stdin = "\n".join([*(json.dumps(line, ensure_ascii=False) for line in lines), "{", "[]", ""])
    result = run("screen", "--jsonl", stdin=stdin)
    made = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [row["id"] for row in made] == ["a", "b", "c", "d", "e", None, None]
    assert made[0]["level"] == "emergency" and made[4]["level"] == "emergency_call"
    assert all("error" in made[at] for at in (1, 2, 3, 5, 6))
    assert "第 2 行：text" in result.stderr


def test_screen_answers_each_line_before_the_next_is_written():
    process = subprocess.Popen(
        [sys.executable, "-c", "from yidian.cli.main import main; main()", "triage", "screen", "--jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for number in (1, 2):
            process.stdin.write(json.dumps({"id": number, "text": "叫不醒"}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
    finally:
        process.stdin.close()
        assert process.wait(timeout=30) == 0
        process.stdout.close()


@pytest.mark.parametrize("arguments", [(), ("痛", "--jsonl")])
def test_screen_used_wrongly(arguments):
    assert run("screen", *arguments).exit_code == 2


def test_assess_then_replay(tmp_path):
    facts, stored = tmp_path / "facts.json", tmp_path / "result.json"
    facts.write_text(json.dumps({"age": 50, "sex": "male", "answers": {"leg_cramp": "yes", "cramp_10min": "yes"}}))
    result = run("assess", facts, "--json")
    assert result.exit_code == 0
    made = json.loads(result.stdout)
    assert {"level", "fired", "not_excluded", "guide"} <= set(made)
    assert made["fired"] == ["cramp-10min"] and made["guide"] == "xiaotui-choujin-fazuo"
    stored.write_text(result.stdout, "utf-8")
    assert run("replay", stored).exit_code == 0
    assert json.loads(run("replay", stored, "--json").stdout)["identical"] is True
    stored.write_text(json.dumps(made | {"level": "self_care"}), "utf-8")
    other = run("replay", stored)
    assert other.exit_code == 1 and "level" in other.stderr
    fired, nothing = run("assess", facts).stdout, run("assess", "-", stdin='{"age": 30}').stdout
    assert "今天就去看医生" in fired and "不等于没有事" not in fired
    assert "没有符合的红旗，不等于没有事" in nothing


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "不是合格的 JSON"),
        ("[]", "JSON 对象"),
        ('{"age": "old"}', "age"),
        ('{"answers": {"x": "yes"}}', "questions"),
    ],
)
@pytest.mark.parametrize("command", ["assess", "replay"])
def test_bad_files_are_refused(tmp_path, command, content, said):
    path = tmp_path / "in.json"
    path.write_text(content, "utf-8")
    result = run(command, path, "--json")
    assert result.exit_code == 1 and result.stdout == ""
    assert command == "replay" or said in result.stderr


def test_files_that_are_no_text_or_not_there(tmp_path):
    (tmp_path / "in.json").write_bytes(b"\xff\xfe")
    assert "UTF-8" in run("assess", tmp_path / "in.json").stderr
    assert "没有文件" in run("assess", tmp_path / "none.json").stderr
    assert run("assess").exit_code == 2


def test_questions_are_listed_with_their_text():
    listed = json.loads(run("questions", "--json").stdout)["questions"]
    assert {each["id"] for each in listed} == set(load().questions)
    assert all(each["text"].endswith("？") for each in listed)
    assert run("questions").stdout.splitlines()[0].startswith("not_waking ")
