"""Whether a response answers its questionnaire: places, types, options, limits, what is required, what is not asked."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from yidian.questionnaire.definitions import RESOURCE_TYPES
from yidian.questionnaire.enablement import Place, TooManyPlaces, places
from yidian.questionnaire.items import Item, Questionnaire
from yidian.questionnaire.outcome import Issue, quote
from yidian.questionnaire.patterns import Unmatchable, cost, matches
from yidian.questionnaire.primitives import base64_size, fault
from yidian.questionnaire.responses import Response, ResponseItem
from yidian.questionnaire.terminology import Terminology, objects, resources
from yidian.questionnaire.values import Coding, Quantity, Value, compare, key, kind, text
from yidian.questionnaire.wellknown import belongs, may_be_code

_CHOOSABLE = ("Coding", "date", "time", "integer", "string", "Reference")  # what an answerOption may hold
_COMPLETE = ("completed", "amended")  # in-progress, stopped and entered-in-error may have gaps
_MAX_STEPS = 50_000_000  # on the patterns of one response: some ten seconds
_REFERENCE = re.compile(r"(?:.*/)?([A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def check_response(
    document: Mapping, response: Response, questionnaire: Questionnaire, terminology: Terminology
) -> list[Issue]:
    """What does not fit the questionnaire in a response whose structure has been checked, each with its FHIRPath."""
    checker = _Checker(document, response, questionnaire, terminology)
    issues = list(checker.head())
    checker.level(questionnaire.items, response.items, None)
    issues.extend(checker.issues)
    issues.extend(checker.enablement())
    return issues


class _Checker:
    def __init__(self, document: Mapping, response: Response, questionnaire: Questionnaire, terminology: Terminology):
        self.document = document
        self.response = response
        self.questionnaire = questionnaire
        self.terminology = terminology
        self.complete = response.status in _COMPLETE
        self.issues: list[Issue] = []
        self.labels: dict[str, set[str]] = {}
        self.exclusive: dict[str, set[tuple]] = {}
        self.units: dict[tuple, bool | None] = {}
        self.steps = 0  # spent on patterns
        self.levels: dict[str, dict[str, int]] = {}

    def say(self, code: str, said: str, path: str, severity: str = "error") -> None:
        self.issues.append(Issue(severity, code, said, path))

    # --- the whole ---

    def head(self) -> Iterator[Issue]:
        path = "QuestionnaireResponse.questionnaire"
        named, _, version = self.response.questionnaire.partition("|")
        asked = self.questionnaire
        if not named:
            yield Issue(
                "information", "incomplete", "没有写是哪份问卷的答案（questionnaire）。", "QuestionnaireResponse"
            )
        elif not named.startswith("#") and asked.url and named != asked.url:
            said = f"答案写的问卷是 {quote(named)}，用来检查的问卷是 {quote(asked.url)}。请核对。"
            yield Issue("warning", "business-rule", said, path)
        elif version and asked.version and version != asked.version:
            said = f"答案写的是问卷的 {quote(version)} 版，用来检查的是 {quote(asked.version)} 版。"
            yield Issue("warning", "business-rule", said, path)
        authored = text(self.document, "authored")
        for bound, wrong, said in (
            (asked.effective_start, -1, "早于问卷开始使用的"),
            (asked.effective_end, 1, "晚于问卷停止使用的"),
        ):
            if authored and bound and compare(Value("dateTime", authored), Value("dateTime", bound)) == wrong:
                said = f"填写时间 {authored} {said} {bound}。"
                yield Issue("warning", "business-rule", said, "QuestionnaireResponse.authored")
        if asked.status in ("draft", "retired"):
            shown = {"draft": "草稿", "retired": "已停用"}[asked.status]
            yield Issue("information", "business-rule", f"这份问卷的状态是{shown}（{asked.status}）。", path)

    def enablement(self) -> Iterator[Issue]:
        try:
            found = places(self.questionnaire, self.response)
        except TooManyPlaces:
            said = "重复的题组太多，没有检查哪些题该问。请减少重复。"
            yield Issue("error", "too-costly", said, "QuestionnaireResponse")
            return
        groups: dict[tuple[int, str], int] = {}
        for place in found:
            above = place.parent.enabled if place.parent else True
            filled = place.node is not None and bool(place.node.answers or place.node.items)
            if place.enabled is False and filled and above is not False:
                said = f"按条件不该问 {quote(place.item.link_id)}，却有答案。"
                yield Issue("error", "business-rule", said, place.path)
            elif place.enabled is None and filled and above is not None:
                said = f"是否该问 {quote(place.item.link_id)} 定不下来：条件互相等着，或答案没有办法比较。"
                yield Issue("information", "business-rule", said, place.path)
            if place.enabled and _is_present(place.parent):
                yield from self.missing(place)
                if place.item.type == "group" and place.node is not None:
                    container = id(place.parent) if place.parent else 0
                    groups[container, place.item.link_id] = groups.get((container, place.item.link_id), 0) + 1
        yield from self.too_few_groups(found, groups)

    def missing(self, place: Place) -> Iterator[Issue]:
        item, node = place.item, place.node
        if item.type == "display":
            return
        severity = "error" if self.complete else "warning"
        if item.type == "group":
            if item.required and (node is None or not node.items):
                yield Issue(severity, "required", f"必答的题组 {quote(item.link_id)} 没有答。", place.path)
            return
        count = len(node.answers) if node else 0
        if item.required and not count:
            yield Issue(severity, "required", f"必答的题 {quote(item.link_id)} 没有答案。", place.path)
        elif item.min_occurs and count < item.min_occurs and (node is not None or item.required):
            said = f"{quote(item.link_id)} 至少要有 {item.min_occurs} 个答案，这里有 {count} 个。"
            yield Issue(severity, "business-rule", said, place.path)

    def too_few_groups(self, found: list[Place], groups: dict[tuple[int, str], int]) -> Iterator[Issue]:
        said_already: set[tuple[int, str]] = set()
        for place in found:
            container = id(place.parent) if place.parent else 0
            entry = container, place.item.link_id
            if entry not in groups or entry in said_already:
                continue
            said_already.add(entry)
            least, most = place.item.min_occurs, place.item.max_occurs
            if least and groups[entry] < least:
                said = f"题组 {quote(place.item.link_id)} 至少要有 {least} 次，这里有 {groups[entry]} 次。"
                yield Issue("error" if self.complete else "warning", "business-rule", said, place.path)
            if most is not None and groups[entry] > most:
                said = f"题组 {quote(place.item.link_id)} 最多 {most} 次，这里有 {groups[entry]} 次。"
                yield Issue("error", "business-rule", said, place.path)

    # --- items ---

    def level(self, items: tuple[Item, ...], nodes: tuple[ResponseItem, ...], above: Item | None) -> None:
        """The filled-in items under one parent, against the questionnaire's items there."""
        name = above.path if above else ""
        if name not in self.levels:
            self.levels[name] = {item.link_id: place for place, item in reversed(list(enumerate(items)))}
        order = self.levels[name]
        last, seen = -1, set()
        for node in nodes:
            if not node.link_id:
                continue
            place = order.get(node.link_id)
            if place is None:
                item = self.questionnaire.by_link_id.get(node.link_id)
                if item is None:
                    self.say("not-found", f"问卷里没有 linkId 是 {quote(node.link_id)} 的题。", f"{node.path}.linkId")
                    continue
                said = f"{quote(node.link_id)} 放错了地方：它在问卷的另一个题组或题目里。"
                self.say("structure", said, node.path)
                self.item(item, node)
                continue
            item = items[place]
            if place < last:
                self.say("structure", f"{quote(node.link_id)} 的次序和问卷不同。", node.path)
            last = max(last, place)
            if node.link_id in seen:
                if not item.repeats:
                    said = f"{quote(node.link_id)} 只能有一个，这里又有一个。"
                    self.say("structure", said, node.path)
                elif item.type != "group":
                    said = f"qrs-2：{quote(node.link_id)} 的几个答案请放在同一个 item 的 answer 里。"
                    is_rule = self.questionnaire.fhir_version == "R5"
                    self.say("structure", said, node.path, "error" if is_rule else "warning")
            seen.add(node.link_id)
            self.item(item, node)

    def item(self, item: Item, node: ResponseItem) -> None:
        path = node.path
        if node.text and node.text != item.text:
            said = f"题目的文字和问卷不同：这里是 {quote(node.text)}，问卷是 {quote(item.text)}。"
            self.say("invariant", said, f"{path}.text")
        if node.answers and node.items:
            self.say("invariant", "qrs-1：answer 和 item 不能都有。", path)
        if item.type in ("group", "display"):
            if node.answers:
                self.say("structure", f"{item.type} 没有答案，这里不能有 answer。", f"{path}.answer")
            if item.type == "display":
                if node.items:
                    self.say("structure", "display 里面不能有题目。", f"{path}.item")
                return
            self.level(item.items, node.items, item)
            return
        if node.items:
            said = f"{quote(item.link_id)} 是题目不是题组，里面的题要放在 answer 里。"
            self.say("structure", said, f"{path}.item")
            self.level(item.items, node.items, item)
        self.answers(item, node)

    def answers(self, item: Item, node: ResponseItem) -> None:
        count = len(node.answers)
        path = node.path
        if item.type == "question":
            self.say("code-invalid", "问卷里这题的题型是 question，只是总称，没有办法检查答案。", path)
        if count > 1 and not item.repeats:
            self.say("structure", f"{quote(item.link_id)} 只能有一个答案，这里有 {count} 个。", f"{path}.answer")
        if item.max_occurs is not None and count > item.max_occurs:
            said = f"{quote(item.link_id)} 最多 {item.max_occurs} 个答案，这里有 {count} 个。"
            self.say("business-rule", said, f"{path}.answer")
        if item.path not in self.exclusive:
            self.exclusive[item.path] = {key(option.value) for option in item.options if option.exclusive}
        exclusive = self.exclusive[item.path]
        seen: set[tuple] = set()
        for answer in node.answers:
            if answer.value is not None:
                mark = key(answer.value)
                if count > 1 and mark in exclusive:
                    said = f"选了 {_shown(answer.value)}，就不能再选别的。"
                    self.say("business-rule", said, f"{answer.path}.value")
                if mark in seen and item.options:
                    self.say("duplicate", f"{_shown(answer.value)} 选了两次。", f"{answer.path}.value", "warning")
                seen.add(mark)
                self.value(item, answer.value, f"{answer.path}.value")
            self.level(item.items, answer.items, item)

    # --- values ---

    def value(self, item: Item, value: Value, path: str) -> None:
        if not item.answer_types:
            return
        is_choice = item.type in ("choice", "open-choice")
        if is_choice and not item.options and not item.answer_value_set and value.type in _CHOOSABLE:
            said = f"{quote(item.link_id)} 是选择题，问卷却没有给选项，{_shown(value)} 没有检查。"
            self.say("not-found", said, path, "information")
            return
        if value.type not in item.answer_types:
            expected = "、".join(item.answer_types)
            self.say("structure", f"{quote(item.link_id)} 的答案应该是 {expected}，这里是 {value.type}。", path)
            return
        self.chosen(item, value, path)
        self.bounds(item, value, path)
        content = value.content
        if isinstance(content, str):
            self.written(item, value, path)
        elif value.type == "decimal":
            self.decimals(item, content, path)
        elif isinstance(content, Quantity):
            self.decimals(item, content.value, path)
            self.unit(item, content, path)
        elif value.type == "Attachment":
            self.attachment(item, content, path)
        elif value.type == "Reference":
            self.reference(item, content, path)

    def chosen(self, item: Item, value: Value, path: str) -> None:
        """Whether the answer is one of the options, where it must be."""
        if not item.options and not item.answer_value_set:
            return
        is_open = item.answer_constraint != "optionsOnly"
        if value.type == "string" and is_open:
            if value.content in self.labels_of(item):
                said = f"{quote(value.content)} 是一个选项的文字，请选那个选项，不要写成文字。"
                self.say("business-rule", said, path, "warning")
            return
        if item.option(value) is not None or item.answer_constraint == "optionsOrType":
            if value.type == "Coding":
                self.display(item, value.content, path)
            return
        if value.type == "string" and item.answer_value_set:
            if value.content in self.labels_of(item):
                return
            if may_be_code(item.answer_value_set, value.content) is False:
                self.say("code-invalid", f"{_shown(value)} 不在 {quote(item.answer_value_set)} 里。", path)
                return
        if value.type == "Coding" and is_open and not value.content.code and value.content.display:
            return  # an open choice written as a Coding with words only
        known_set = None
        if value.type == "Coding" and not item.options_complete:
            known_set = belongs(item.answer_value_set, value.content.system, value.content.code)
        if item.options_complete or known_set is False:
            self.say("code-invalid", f"{_shown(value)} 不是 {quote(item.link_id)} 的选项。", path)
        elif known_set is None:
            said = f"{quote(item.link_id)} 的选项在手边看不全，{_shown(value)} 没有检查。可用 --with 给出 ValueSet。"
            self.say("not-found", said, path, "information")

    def display(self, item: Item, chosen: Coding, path: str) -> None:
        """A chosen code with other words than the option's: another option's words are an error."""
        option = item.option(Value("Coding", chosen)) if chosen.display else None
        expected = option.value.content.display if option is not None else ""
        if not expected or expected.strip().casefold() == chosen.display.strip().casefold():
            return
        is_other = chosen.display in self.labels_of(item)
        said = f"选项的文字是 {quote(expected)}，这里写的是 {quote(chosen.display)}。"
        self.say("business-rule", said, f"{path}.display", "error" if is_other else "warning")

    def labels_of(self, item: Item) -> set[str]:
        """The words and codes of the item's options."""
        if item.path not in self.labels:
            codings = [option.value.content for option in item.options if option.value.type == "Coding"]
            self.labels[item.path] = {word for coding in codings for word in (coding.display, coding.code) if word}
        return self.labels[item.path]

    def bounds(self, item: Item, value: Value, path: str) -> None:
        for bound, wrong, said in (
            (item.min_value, -1, "小于最小值"),
            (item.max_value, 1, "大于最大值"),
        ):
            if bound is None:
                continue
            against = value
            if bound.type != value.type and isinstance(value.content, Quantity) and kind(bound.type) == "number":
                if value.content.value is None:
                    continue
                against = Value("decimal", value.content.value)
            order = compare(against, bound)
            if order == wrong:
                self.say("business-rule", f"{_shown(value)} {said} {_shown(bound)}。", path)
            elif order is None and value.type == "Quantity":
                said = f"{_shown(value)} 和 {_shown(bound)} 的单位没有办法比较。"
                self.say("business-rule", said, path)

    def written(self, item: Item, value: Value, path: str) -> None:
        content, length = value.content, len(value.content)
        if item.max_length is not None and length > item.max_length and value.type in ("string", "uri"):
            self.say("too-long", f"{quote(item.link_id)} 最多 {item.max_length} 个字，这里有 {length} 个。", path)
        if item.min_length is not None and length < item.min_length:
            said = f"{quote(item.link_id)} 至少 {item.min_length} 个字，这里有 {length} 个。"
            self.say("business-rule", said, path)
        if item.type == "string" and value.type == "string" and ("\n" in content or "\r" in content):
            self.say("business-rule", "一行的题，答案里不该换行。", path, "warning")
        if item.regex and value.type in ("string", "uri"):
            try:
                self.steps += cost(item.regex, content)
                if self.steps > _MAX_STEPS:
                    raise Unmatchable
                fits = matches(item.regex, content)
            except Unmatchable:
                said = f"看不懂或太费时的正则表达式 {quote(item.regex)}，没有用它检查。"
                self.say("not-supported", said, path, "information")
            else:
                if not fits:
                    wanted = f"应该像 {quote(item.entry_format)}" if item.entry_format else f"不合 {quote(item.regex)}"
                    self.say("business-rule", f"{quote(content)} 的写法不对：{wanted}。", path)

    def decimals(self, item: Item, found: Any, path: str) -> None:
        if item.max_decimal_places is None or found is None:
            return
        exponent = found.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > item.max_decimal_places:
            self.say("business-rule", f"{quote(found)} 的小数超过 {item.max_decimal_places} 位。", path)

    def unit(self, item: Item, found: Quantity, path: str) -> None:
        if not item.unit_options and not item.unit_value_set:
            return
        mark = item.path, found.system, found.code, found.unit
        if mark not in self.units:
            self.units[mark] = self.is_allowed(item, found)
        if self.units[mark] is False:
            names = [unit.display or unit.code for unit in item.unit_options[:10]] or [item.unit_value_set]
            said = f"{_shown(Value('Quantity', found))} 的单位不能用，可用的是：{'、'.join(names)}。"
            self.say("code-invalid", said, path)
        elif self.units[mark] is None:
            said = f"单位的 ValueSet {quote(item.unit_value_set)} 不在手边，没有检查。"
            self.say("not-found", said, path, "information")

    def is_allowed(self, item: Item, found: Quantity) -> bool | None:
        """Whether the unit is one of those that the question allows; None when that cannot be said."""
        if item.unit_options and any(_is_unit(found, unit) for unit in item.unit_options):
            return True
        if not item.unit_value_set:
            return False
        contents = self.terminology.value_set(item.unit_value_set)
        if contents is None:
            return belongs(item.unit_value_set, found.system, found.code)
        return contents.has(Coding(found.system, found.code))

    def attachment(self, item: Item, found: Any, path: str) -> None:
        if item.mime_types:
            allowed = "、".join(item.mime_types)
            if not found.content_type:
                self.say("required", f"附件要写 contentType，可用的是：{allowed}。", path)
            elif not any(found.content_type.startswith(allowed_type) for allowed_type in item.mime_types):
                said = f"附件的类型 {quote(found.content_type)} 不能用，可用的是：{allowed}。"
                self.say("business-rule", said, f"{path}.contentType")
        has_data = found.data and not fault("base64Binary", found.data)
        size = base64_size(found.data) if has_data else found.size
        if item.max_size is not None and size is not None and size > item.max_size:
            self.say("too-long", f"附件有 {size} 字节，最多 {item.max_size} 字节。", path)

    def reference(self, item: Item, found: Any, path: str) -> None:
        named = _REFERENCE.fullmatch(found.reference)
        resource = found.type or (named.group(1) if named else "")
        if not found.reference or found.reference.startswith(("#", "urn:")):
            resource = found.type
        if item.reference_types:
            allowed = "、".join(item.reference_types)
            if resource and resource not in item.reference_types:
                self.say("business-rule", f"不能引用 {quote(resource)}，可以引用的是：{allowed}。", path)
            elif not resource and found.reference and not found.reference.startswith(("#", "urn:")):
                self.say("business-rule", f"看不出 {quote(found.reference)} 是不是 {allowed}。", path)
        elif resource and resource not in RESOURCE_TYPES:
            self.say("business-rule", f"没有 {quote(resource)} 这种资源。", path)


def _is_present(parent: Place | None) -> bool:
    """Whether the items under this parent are owed: the parent is there, and a question above them is answered."""
    if parent is None:
        return True
    if parent.node is None:
        return False
    return parent.item.type == "group" or bool(parent.node.answers)


def _is_unit(found: Quantity, unit: Coding) -> bool:
    return (
        (not unit.system or unit.system == found.system)
        and (not unit.code or unit.code == found.code)
        and (not unit.display or bool(unit.code) or unit.display == found.unit)
    )


def _shown(value: Value) -> str:
    content = value.content
    if isinstance(content, Coding):
        return quote(content.display or content.code)
    if isinstance(content, Quantity):
        return quote(f"{'' if content.value is None else content.value} {content.unit or content.code}".strip())
    return quote(content) if isinstance(content, str) else quote(str(content))


def find_questionnaire(response: Mapping, supplements: Iterable[Any]) -> Mapping | None:
    """The Questionnaire that the response names: contained (#id), or by canonical URL among the documents beside it."""
    named = text(response, "questionnaire")
    if named.startswith("#"):
        contained = (entry for entry in objects(response, "contained") if text(entry, "id") == named[1:])
        return next((entry for entry in contained if entry.get("resourceType") == "Questionnaire"), None)
    url, _, version = named.partition("|")
    if not url:
        return None
    found = [entry for entry in resources(supplements, "Questionnaire") if text(entry, "url") == url]
    exact = [entry for entry in found if not version or text(entry, "version") == version]
    return next(iter(exact), None)
