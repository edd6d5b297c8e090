"""The judged sets keep their shape: an examination with a broken line measures nothing."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import yidian.starter

DATA = Path(__file__).parent / "data"
LEVELS = ("emergency_call", "emergency", "same_day", "appointment")
# a topic without its line of guidance in the README is no topic
TOPICS = set(
    re.findall(
        r"^\| ([a-z_]+) \| .*(?:120|emergency|appointment)", (DATA / "README.md").read_text("utf-8"), re.MULTILINE
    )
)


def lines(name):
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def squeezed(text):
    """The words of a line without the marks and spaces that would hide a repetition."""
    return "".join(char for char in text.lower() if char.isalnum())


@pytest.mark.parametrize(
    "name, text",
    [("red_flag_sentences.jsonl", "text"), ("term_linking.jsonl", "query"), ("search_intents.jsonl", "query")],
)
def test_ids_and_texts_are_unique_and_parts_are_named(name, text):
    rows = lines(name)
    assert not [key for key, times in Counter(row["id"] for row in rows).items() if times > 1]
    assert not [key for key, times in Counter(squeezed(row[text]) for row in rows).items() if times > 1]
    assert all(row[text] == row[text].strip() != "" for row in rows)
    assert {row["part"] for row in rows} <= {"held-out", "dev"}


def test_each_red_flag_sentence_is_whole():
    for row in lines("red_flag_sentences.jsonl"):
        assert row["kind"] in {"positive", "negated", "other-person", "past", "hypothetical", "benign"}, row
        assert (row["level"] in LEVELS) if row["kind"] == "positive" else row["level"] is None, row
        assert row["topics"], row
        assert set(row["topics"]) <= TOPICS, row
        assert ("span" in row) == (row["kind"] != "benign"), row
        assert row.get("span", row["text"]) in row["text"], row
        assert isinstance(row.get("age", 0), int), row
        assert row.get("sex", "female") in {"female", "male"}, row
        assert not row.get("pregnant") or row.get("sex") == "female", row


def test_red_flag_sentences_are_many_and_of_every_kind():
    rows = lines("red_flag_sentences.jsonl")
    assert len(rows) >= 700
    kinds = Counter(row["kind"] for row in rows)
    assert 0.4 <= kinds["positive"] / len(rows) <= 0.5
    assert min(kinds["negated"], kinds["past"] + kinds["other-person"], kinds["hypothetical"], kinds["benign"]) >= 90
    held_out = [row for row in rows if row["part"] == "held-out"]
    assert len(held_out) >= 350
    assert {topic for row in held_out for topic in row["topics"] if row["kind"] == "positive"} == TOPICS


def test_term_linking_holds_each_concept_in_one_part_and_every_kind_in_both():
    rows = lines("term_linking.jsonl")
    assert len(rows) >= 360
    parts = {}
    for row in rows:
        assert row["standard"] and len(set(row["standard"])) == len(row["standard"]), row
        assert row["kind"] in {"synonym", "pinyin", "initials", "typo", "clean", "english", "traditional"}, row
        assert (row["query"] in row["standard"]) == (row["kind"] == "clean"), row
        for term in row["standard"]:
            parts.setdefault(term, set()).add(row["part"])
    assert not [term for term, of in parts.items() if len(of) > 1]
    kinds = Counter((row["part"], row["kind"]) for row in rows)
    assert min(kinds.values()) >= 10
    assert {kind for _, kind in kinds} == {"synonym", "pinyin", "initials", "typo", "clean", "english", "traditional"}
    # as many as the examination had before lines to build with were added
    assert sum(row["part"] == "held-out" for row in rows) >= 300


def test_search_intents_name_pages_of_the_starter_and_queries_that_none_answers():
    folder = Path(yidian.starter.__file__).parent / "bundle"
    kinds = {"condition": "conditions", "article": "articles", "question": "questions", "guide": "guides"}
    pages = {f"{kind}:{page.stem}" for kind, name in kinds.items() for page in (folder / name).glob("*.md")}
    rows = lines("search_intents.jsonl")
    assert {page for row in rows for page in row["relevant"]} <= pages
    assert not [row for row in rows if len(set(row["relevant"])) < len(row["relevant"])]
    assert sum(bool(row["relevant"]) for row in rows) >= 120
    assert sum(not row["relevant"] for row in rows) >= 25
