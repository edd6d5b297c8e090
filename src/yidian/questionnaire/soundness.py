"""Whether a questionnaire holds together: FHIR's que-0 … que-14, its conditions, options, limits and weights."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from yidian.questionnaire.enablement import cycles
from yidian.questionnaire.items import ANSWER_TYPES, FHIR, Item, Questionnaire
from yidian.questionnaire.outcome import Issue, quote
from yidian.questionnaire.terminology import Terminology, objects, read_weight
from yidian.questionnaire.values import Coding, Value, compare, key, text

_UNORDERED = frozenset(["boolean", "Coding", "Reference", "Attachment"])
_MAX_LISTED = 200  # constructs that are not executed, one by one; then how many more
_WITH_OPTIONS = frozenset(
    ["choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity", "coding"]
)
_WITH_LENGTH = frozenset(["boolean", "decimal", "integer", "string", "text", "url", "open-choice"])
_ORDERED = frozenset(["decimal", "integer", "date", "dateTime", "time", "quantity"])


def check_questionnaire(document: Mapping, parsed: Questionnaire, supplements: Iterable[Any] = ()) -> list[Issue]:
    """What is wrong with a questionnaire whose structure has been checked, each with its FHIRPath."""
    checker = _Checker(document, parsed, Terminology(document, supplements))
    return list(checker.all())


def _error(code: str, said: str, path: str) -> Issue:
    return Issue("error", code, said, path)


def _warning(code: str, said: str, path: str) -> Issue:
    return Issue("warning", code, said, path)


class _Checker:
    def __init__(self, document: Mapping, parsed: Questionnaire, terminology: Terminology):
        self.document = document
        self.parsed = parsed
        self.terminology = terminology
        self.r5 = parsed.fhir_version == "R5"
        self.position = {id(item): place for place, item in enumerate(parsed.walk())}
        self.by_path = {item.path: item for item in parsed.walk()}

    def all(self) -> Iterator[Issue]:
        yield from self.head()
        yield from self.link_ids()
        stack: list[tuple[Mapping, str, tuple[Item, ...]]] = [(self.document, "Questionnaire", ())]
        while stack:
            parent, path, above = stack.pop()
            raw = parent.get("item")
            entries = list(enumerate(raw)) if isinstance(raw, list) else []
            for place, entry in entries:
                item = self.by_path.get(f"{path}.item[{place}]")
                if isinstance(entry, Mapping) and item is not None:
                    yield from self.item(entry, item, above)
            for place, entry in reversed(entries):
                item = self.by_path.get(f"{path}.item[{place}]")
                if isinstance(entry, Mapping) and item is not None:
                    stack.append((entry, item.path, (*above, item)))
        yield from self.circles()
        yield from self.unexecuted()

    def head(self) -> Iterator[Issue]:
        name = text(self.document, "name")
        if name and not re.fullmatch("[A-Z][A-Za-z0-9_]{0,254}", name):
            said = f"que-0：name {quote(name)} 最好像一个程序里的名字：大写字母开头，只有字母、数字和下划线。"
            yield _warning("invariant", said, "Questionnaire.name")
        url = text(self.document, "url")
        if url and not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", url):
            yield _error("value", f"{quote(url)} 应该是完整的网址。", "Questionnaire.url")
        if "|" in url or "#" in url:
            yield _warning("invariant", "cnl-1：url 里最好没有 | 和 #。", "Questionnaire.url")

    def link_ids(self) -> Iterator[Issue]:
        first: dict[str, str] = {}
        for item in self.parsed.walk():
            if not item.link_id:
                continue
            if item.link_id in first:
                said = f"que-2：linkId {quote(item.link_id)} 在 {first[item.link_id]} 已经用过，每题要用不同的。"
                yield _error("duplicate", said, f"{item.path}.linkId")
            first.setdefault(item.link_id, item.path)

    def item(self, raw: Mapping, item: Item, above: tuple[Item, ...]) -> Iterator[Issue]:
        yield from self.form(raw, item)
        yield from self.conditions(raw, item, above)
        yield from self.options(raw, item)
        yield from self.initial(raw, item)
        yield from self.limits(raw, item)

    # --- one item's own shape ---

    def form(self, raw: Mapping, item: Item) -> Iterator[Issue]:
        path, kind = item.path, item.type
        if kind == "question":
            said = "question 只是题型的总称，不能直接用。请写明题型，例如 string 或 boolean。"
            yield _error("code-invalid", said, f"{path}.type")
        if kind == "group" and not item.items:
            if self.r5:
                severity = "error" if self.document.get("status") == "complete" else "warning"
                yield Issue(severity, "invariant", "que-1：group 里应该有题目。", path)
            else:
                yield _error("invariant", "que-1：group 里要有题目。", path)
        if kind == "display":
            if "item" in raw:
                yield _error("invariant", "que-1：display 只显示文字，里面不能再有题目。", path)
            if "code" in raw:
                yield _error("invariant", "que-3：display 不能有 code。", f"{path}.code")
            for name in ("required", "repeats"):
                if name in raw:
                    yield _error("invariant", f"que-6：display 不能有 {name}。", f"{path}.{name}")
            if "readOnly" in raw:
                yield _error("invariant", "que-9：display 不能有 readOnly。", f"{path}.readOnly")
        if kind in ("group", "display") and "initial" in raw:
            yield _error("invariant", f"que-8：{kind} 没有答案，不能有 initial。", f"{path}.initial")
        can_be_typed = kind in _WITH_LENGTH or item.answer_constraint == "optionsOrString"
        if "maxLength" in raw and not can_be_typed:
            yield _error("invariant", f"que-10：{kind} 不能有 maxLength，只有简单的题型才有。", f"{path}.maxLength")
        if not item.text and not item.prefix and kind not in ("group", "question") and not item.hidden:
            yield Issue("information", "incomplete", "没有题目的文字（text），读者不知道在问什么。", path)

    # --- enableWhen ---

    def conditions(self, raw: Mapping, item: Item, above: tuple[Item, ...]) -> Iterator[Issue]:
        count = len(item.enable_when)
        if count > 1 and "enableBehavior" not in raw:
            said = f"que-12：有 {count} 个 enableWhen，要写 enableBehavior：all（都要满足）或 any（满足一个）。"
            # R4's expression says "> 2" by mistake; its text, R5 and HL7's own validator say more than one
            yield _error("invariant", said, item.path)
        if "enableBehavior" in raw and not count:
            yield _warning("business-rule", "没有 enableWhen，enableBehavior 不起作用。", f"{item.path}.enableBehavior")
        for condition in item.enable_when:
            path = condition.path
            if condition.operator == "exists" and condition.answer and condition.answer.type != "boolean":
                yield _error("invariant", "que-7：operator 是 exists 时，要写 answerBoolean。", path)
            if not condition.question:
                continue
            target = self.parsed.by_link_id.get(condition.question)
            if target is None:
                yield _error("not-found", f"没有 linkId 是 {quote(condition.question)} 的题目。", f"{path}.question")
            elif target is item or condition.question == item.link_id:
                yield _error("business-rule", "enableWhen 不能看自己的答案。", f"{path}.question")
            elif target.path.startswith(f"{item.path}."):
                yield _error("business-rule", "enableWhen 不能看自己里面的题目。", f"{path}.question")
            else:
                yield from self.target(item, condition, target, above)

    def target(self, item: Item, condition, target: Item, above: tuple[Item, ...]) -> Iterator[Issue]:
        path = condition.path
        if self.position[id(target)] > self.position[id(item)]:
            said = f"{quote(condition.question)} 排在这题后面，读者会先看到这题。"
            yield _warning("business-rule", said, f"{path}.question")
        if target.type in ("group", "display"):
            said = f"{quote(condition.question)} 是 {target.type}，没有答案，条件永远不会随答案改变。"
            yield _warning("business-rule", said, f"{path}.question")
            return
        answer = condition.answer
        if answer is None or condition.operator == "exists":
            return
        fitting = {"integer", "decimal"} if {"integer", "decimal"} & set(target.answer_types) else set()
        fitting |= {"date", "dateTime"} if {"date", "dateTime"} & set(target.answer_types) else set()
        fitting |= {"string", "uri"} if {"string", "uri"} & set(target.answer_types) else set()
        if target.answer_types and answer.type not in fitting | set(target.answer_types):
            said = f"{quote(condition.question)} 的答案是 {'、'.join(target.answer_types)}，不能和 {answer.type} 比。"
            yield _error("business-rule", said, path)
        elif condition.operator in (">", "<", ">=", "<=") and answer.type in _UNORDERED:
            yield _error("business-rule", f"{answer.type} 没有大小，不能用 {condition.operator}。", f"{path}.operator")
        elif answer.type == "Coding" and _is_closed(target) and not _offers(target, answer):
            said = f"{quote(answer.content.code)} 不是 {quote(condition.question)} 的选项，条件永远不会满足。"
            yield _warning("business-rule", said, path)

    # --- options ---

    def options(self, raw: Mapping, item: Item) -> Iterator[Issue]:
        path = item.path
        both = "answerOption" in raw and "answerValueSet" in raw
        if both:
            yield _error("invariant", "que-4：answerOption 和 answerValueSet 只能有一个。", path)
        for name in ("answerOption", "answerValueSet"):
            if name in raw and item.type not in _WITH_OPTIONS:
                yield _error("invariant", f"que-5：{item.type or '这种题型'} 不能有 {name}。", f"{path}.{name}")
        if "answerConstraint" in raw and not ("answerOption" in raw or "answerValueSet" in raw):
            said = "que-14：没有选项，answerConstraint 不起作用。"
            yield _warning("invariant", said, f"{path}.answerConstraint")
        if item.answer_value_set:
            yield from self.value_set(item)
        elif item.type in ("choice", "open-choice") and not item.options and not _has_expression(raw):
            yield Issue("information", "incomplete", "选择题没有选项（answerOption 或 answerValueSet）。", path)
        own = [option for option in item.options if option.path]
        yield from self.option_types(item, own)
        seen: set[tuple] = set()
        for option in own:
            if key(option.value) in seen:
                yield _warning("duplicate", f"选项 {_shown(option.value)} 写了两次。", option.path)
            seen.add(key(option.value))
            if option.value.type == "Coding" and self.terminology.knows(option.value.content) is False:
                said = f"编码系统里没有 {_shown(option.value)}。"
                yield _error("code-invalid", said, f"{option.path}.value")
        selected = [option for option in own if option.initial_selected]
        if len(selected) > 1 and not item.repeats:
            yield _error("invariant", "que-13：不能多选的题，只能有一个选项 initialSelected。", path)
        if len(selected) > 1 and any(option.exclusive for option in selected):
            yield _error("business-rule", "互斥的选项不能和别的选项一起预先选上。", path)
        for place, entry in enumerate(objects(raw, "answerOption")):
            yield from _check_weights(entry, f"{path}.answerOption[{place}]")

    def value_set(self, item: Item) -> Iterator[Issue]:
        path = f"{item.path}.answerValueSet"
        found = self.terminology.find(item.answer_value_set)
        if found is not None and found.get("resourceType") != "ValueSet":
            yield _error("value", f"{quote(item.answer_value_set)} 不是 ValueSet。", path)
        elif found is None and not item.answer_value_set.startswith("#"):
            said = f"手边没有 ValueSet {quote(item.answer_value_set)}，答案是否在里面没有检查。可用 --with 给出。"
            yield Issue("information", "not-found", said, path)
        elif not item.options_complete:
            said = f"ValueSet {quote(item.answer_value_set)} 里有看不全的部分，不在已知选项里的答案没有检查。"
            yield Issue("information", "incomplete", said, path)

    def option_types(self, item: Item, own: list) -> Iterator[Issue]:
        if item.type in ("choice", "open-choice"):
            kinds = {option.value.type for option in own}
            if len(kinds) > 1 and item.type == "choice":
                said = f"选项的类型不一样：{'、'.join(sorted(kinds))}。"
                yield _warning("business-rule", said, item.path)
            return
        expected = ANSWER_TYPES.get(item.type, ())
        for option in own:
            fits = option.value.type in expected or (
                option.value.type in ("date", "integer", "string") and item.type in ("dateTime", "decimal", "text")
            )
            if expected and not fits:
                said = f"{item.type} 的选项不能是 {option.value.type}。"
                yield _error("business-rule", said, f"{option.path}.value")

    # --- initial values ---

    def initial(self, raw: Mapping, item: Item) -> Iterator[Issue]:
        if "initial" not in raw or item.type in ("group", "display"):
            return
        path = f"{item.path}.initial"
        if "answerOption" in raw:
            said = "que-11：有 answerOption 时不能有 initial，请在选项上用 initialSelected。"
            yield _error("invariant", said, path)
        if len(item.initial) > 1 and not item.repeats:
            yield _error("invariant", "que-13：不能重复的题，只能有一个 initial。", path)
        for place, value in enumerate(item.initial):
            here = f"{path}[{place}].value"
            if item.answer_types and value.type not in item.answer_types:
                said = f"{item.type} 的初值应该是 {'、'.join(item.answer_types)}，这里是 {value.type}。"
                yield _error("business-rule", said, here)
                continue
            for low, high in ((item.min_value, value), (value, item.max_value)):
                if low is not None and high is not None and compare(low, high) == 1:
                    yield _error("business-rule", "初值不在允许的范围里。", here)
            if item.max_length is not None and isinstance(value.content, str) and len(value.content) > item.max_length:
                yield _error("business-rule", f"初值超过 {item.max_length} 个字。", here)
            if value.type == "Coding" and _is_closed(item) and item.option(value) is None:
                yield _error("code-invalid", f"初值 {_shown(value)} 不在选项里。", here)

    # --- limits ---

    def limits(self, raw: Mapping, item: Item) -> Iterator[Issue]:
        path = item.path
        if item.min_value is not None and item.max_value is not None and compare(item.min_value, item.max_value) == 1:
            yield _error("business-rule", "最小值比最大值还大，怎么答都不行。", path)
        if item.min_length is not None and item.max_length is not None and item.min_length > item.max_length:
            yield _error("business-rule", "最短比最长还长，怎么答都不行。", path)
        if item.max_length is not None and item.max_length < 0:
            yield _error("value", "maxLength 不能小于 0。", f"{path}.maxLength")
        if item.min_occurs is not None and item.max_occurs is not None and item.min_occurs > item.max_occurs:
            yield _error("business-rule", "最少次数比最多次数还多，怎么答都不行。", path)
        if item.max_occurs is not None and item.max_occurs > 1 and not item.repeats:
            yield _warning("business-rule", "没有写 repeats: true，不能答几次。", path)
        for bound in (item.min_value, item.max_value):
            if bound is not None and item.type not in _ORDERED:
                yield _warning("business-rule", f"{item.type} 没有大小，最小值和最大值不起作用。", path)
                break
        if item.regex:
            try:
                re.compile(item.regex)
            except (re.error, RecursionError, OverflowError):
                yield _warning("value", f"看不懂的正则表达式 {quote(item.regex)}，没有用它检查答案。", path)

    # --- the whole ---

    def circles(self) -> Iterator[Issue]:
        for group in cycles(self.parsed):
            item = self.parsed.by_link_id[group[0]]
            if len(group) == 1:
                continue  # said already where it stands: a condition that looks at itself
            said = f"这些题的条件互相等着，谁也定不下来：{'、'.join(quote(name) for name in group[:10])}。"
            yield _error("business-rule", said, item.path)

    def unexecuted(self) -> Iterator[Issue]:
        listed = self.parsed.unexecuted
        for entry in listed[:_MAX_LISTED]:
            if entry.modifier:
                said = f"{entry.what} {quote(entry.name)}：医典不认识，问卷的意思可能和这里读到的不同，不能照常使用。"
                yield _warning("not-supported", said, entry.path)
            else:
                said = f"医典不执行：{entry.what}，{quote(entry.name)}。其余照常。"
                yield Issue("information", "not-supported", said, entry.path)
        if len(listed) > _MAX_LISTED:
            said = f"另有 {len(listed) - _MAX_LISTED} 处不执行的内容没有列出。"
            yield Issue("information", "not-supported", said, "Questionnaire")


def _offers(item: Item, answer: Value) -> bool:
    if answer.content.system:
        return item.option(answer) is not None
    codings = (option.value.content for option in item.options if option.value.type == "Coding")
    return any(coding.code == answer.content.code for coding in codings)


def _is_closed(item: Item) -> bool:
    """Whether an answer must be one of the options, and all of them are known."""
    return bool(item.options) and item.options_complete and item.answer_constraint == "optionsOnly"


def _has_expression(raw: Mapping) -> bool:
    return any("xpression" in text(extension, "url") for extension in objects(raw, "extension"))


def _check_weights(option: Mapping, path: str) -> Iterator[Issue]:
    """Two weights on one option that differ; and one that stands where common clients do not look."""
    outer, inner = read_weight(option), read_weight(option.get("valueCoding"))
    if outer is not None and inner is not None and outer != inner:
        yield _error("conflict", f"同一个选项有两个不同的分值：{outer} 和 {inner}。", path)
    if outer is None and inner is not None:
        said = "分值写在 valueCoding 里，有的填表软件（如 LHC-Forms）读不到。请写在 answerOption.extension 里。"
        yield Issue("information", "business-rule", said, path)
    for extension in objects(option, "extension"):
        if text(extension, "url") == FHIR + "questionnaire-optionExclusive" and "valueBoolean" not in extension:
            yield _error("extension", "optionExclusive 要写 valueBoolean。", path)


def _shown(value: Value) -> str:
    content = value.content
    if isinstance(content, Coding):
        return quote(content.display or content.code)
    return quote(content) if isinstance(content, str | int | float) else quote(str(content))
