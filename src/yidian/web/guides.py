"""What is left of an action guide when the reader has said who they are: steps that are not for them are not there.

Answers are health data: they come by POST or stay in the browser, and are in no address, log, cookie or cache. What
nobody is sure of counts as yes.
"""

import re
from collections.abc import Mapping

from markupsafe import Markup, escape

from yidian.selftests.library import self_tests

ANSWERS = ("yes", "no", "unsure")
# Everything that is said while a guide is fitted to a reader, for the server's page and the browser's script alike.
WORDS = {
    "intro": "答“是”或“不确定”，不该做的步骤就不显示。没有答的按“不确定”算。",
    "skip": "都没有？直接看步骤",
    "yes": "是",
    "no": "不是",
    "unsure": "不确定",
    "if_yes": "如果是：",
    "if_unsure": "“{question}”您不确定，先当作是：",
    "apply": "按我的回答看步骤",
    "again": "重新回答",
    "kept": "回答不保存，也不写进网址。",
    "removed": "按您的回答，去掉了 {n} 步。先照下面说的做。",
    "open": "还有问题没有答，请接着答。",
    "nothing": "按您的回答，没有要去掉的步骤。不舒服变重，就停下来看医生。",
    "why_yes": "这一步去掉了，因为您答“是”：{question}",
    "why_unsure": "这一步去掉了，因为您不确定：{question}",
    "many": "这一步去掉了，因为您有 {n} 处答“是”或“不确定”。该怎么做，写在上面的问题那里。",
    "same": "这一步也去掉了，原因和上一步一样。",
    "gone": "这一步不做",
    "start": "计时 {time}",
    "stop": "停止",
    "left": "还剩 {time}",
    "minutes": "{m} 分钟",
    "both": "{m} 分 {s} 秒",
    "seconds": "{s} 秒",
    "done": "时间到",
}
MOST_URGENT = ("拨打 120", "急诊")
# With more reasons than this a step only says how many: they all stand where the questions are.
MAX_REASONS = 2
# A second copy of a line must not repeat the anchors of the first.
_ANCHOR = re.compile(r' id="[^"]*"')


def read_answers(entry: dict, given: Mapping) -> dict[str, str]:
    """By question, what a form says: of the guide itself, or of a self-test that the reader came from.

    From the guide's own form a missing answer is unsure. A self-test asks in other words, so only its yes and unsure
    are taken over; its no leaves the question open.
    """
    asked = entry["contraindications"]
    if test := self_tests().get(given.get("from", "")):
        return from_self_test(entry, test.slug, {key.removeprefix("a."): value for key, value in given.items()})
    answers = {each["key"]: given.get(f"c.{each['key']}", "") for each in asked}
    return {key: answer if answer in ANSWERS else "unsure" for key, answer in answers.items()}


def from_self_test(entry: dict, slug: str, answers: Mapping[str, str]) -> dict[str, str]:
    """By question of a guide, what the answers to a self-test, by link id, say of it."""
    return carried({each["key"]: asked_by(each, slug) for each in entry["contraindications"]}, answers)


def carried(asked: Mapping[str, list[str]], answers: Mapping[str, str]) -> dict[str, str]:
    """By question, yes or unsure where one of the link ids that ask the same was answered so."""
    found = {}
    for key, link_ids in asked.items():
        said = {answers.get(link_id) for link_id in link_ids}
        if answer := next((answer for answer in ("yes", "unsure") if answer in said), ""):
            found[key] = answer
    return found


def asked_by(contraindication: Mapping, slug: str) -> list[str]:
    """The link ids of a self-test that ask what a guide's question asks."""
    return [each.removeprefix(f"{slug}/") for each in contraindication["answered_by"] if each.startswith(f"{slug}/")]


def removing(step: Mapping, asked: list[dict]) -> list[dict]:
    """Those of the questions whose yes takes a step away."""
    return [each for each in asked if step["key"] and step["key"] in each["removes"]]


def fitted(entry: dict, answers: Mapping[str, str]) -> dict:
    """The entry with the steps that the answers forbid replaced by why, and `outcome`: what was removed, what instead.

    Where a step of the first phase goes, the lead and 可以这样做 go too: they say the same in short.
    """
    asked = [each | {"answer": answers.get(each["key"], "")} for each in entry["contraindications"]]
    forbidding = sorted((each for each in asked if each["answer"] in {"yes", "unsure"}), key=_urgency)
    phases, removed, first = [], 0, False
    for phase in entry["phases"]:
        steps, before = [], None
        for step in phase["steps"]:
            reasons = removing(step, forbidding)
            if not reasons:
                steps.append(step)
                before = None
                continue
            removed += 1
            first = first or phase is entry["phases"][0]
            keys = [each["key"] for each in reasons]
            if keys == before:
                shown = {"said": WORDS["same"]}
            elif len(keys) > MAX_REASONS:
                shown = {"said": WORDS["many"].replace("{n}", str(len(keys)))}
            else:
                shown = {"reasons": [_reason(each) for each in reasons]}
            steps.append({"removed": True} | shown)
            before = keys
        phases.append(phase | {"steps": steps})
    text = WORDS["removed"].replace("{n}", str(removed)) if removed else ""
    if any(not each["answer"] for each in asked):
        text += WORDS["open"]
    text = text or WORDS["nothing"]
    outcome = {"text": text, "instead": [_instead(each) for each in forbidding]}
    changed = {"description": "", "do": []} if first else {}
    return entry | changed | {"contraindications": asked, "phases": phases, "outcome": outcome}


def _urgency(each: Mapping) -> int:
    """What comes first of several things to do instead: the call, then the emergency room, then the rest as asked."""
    said = Markup(each["instead"]).striptags()  # noqa: S704  (read, never shown)
    return next((place for place, word in enumerate(MOST_URGENT) if word in said), len(MOST_URGENT))


def _instead(each: dict) -> Markup:
    before = WORDS["if_unsure"].replace("{question}", each["question"]) if each["answer"] == "unsure" else ""
    return escape(before) + _again(each["instead"])


def _reason(each: dict) -> dict:
    why = WORDS[f"why_{each['answer']}"].replace("{question}", each["question"])
    return {"why": why, "instead": _again(each["instead"])}


def _again(html: str) -> Markup:
    return Markup(_ANCHOR.sub("", html))  # noqa: S704  (public HTML already, with less in it)
