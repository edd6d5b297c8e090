"""我该怎么办: the red flags of `triage` as a self-test, so that one page and one engine ask and explain them.

Questions come by topic, the dangerous ones first. A topic opens with one question that names what is in it; only a
clear "no" closes it, and what is in a closed topic counts as answered with no.
"""

from typing import Any

from yidian.triage import rulebook
from yidian.triage.conditions import Condition

SLUG = "wo-gai-zenme-ban"
# topic → what it is called, and the question that opens it; in the order of asking
TOPICS = {
    "heart": ("胸口和心脏", "胸痛、胸闷、心慌、晕倒、腿肿，或血压很高？"),
    "breath": ("呼吸和喉咙", "喘、气短、咳血、嘴唇发紫、噎住、喉咙发紧，或一条腿突然肿痛？"),
    "brain": ("头和神经", "脸歪、一侧没力、说话不清、剧烈头痛、抽搐、叫不醒，或突然糊涂？"),
    "poison": ("中毒和误吞", "吃了、喝了、吸入了不该吃的东西，酒、药、煤气或蘑菇中毒，或吞了电池？"),
    "mind": ("心里和安全", "想死、想伤害自己或别人，听到声音，或有人正在伤害您？"),
    "injury": ("受伤、背和四肢", "撞到头、摔伤、车祸、伤口、背痛腿麻、大小便失禁，或手脚突然冰冷、剧痛？"),
    "infection": ("发烧、感染和过敏", "发烧、寒战、过敏、脸肿、皮疹、皮肤红肿、脖子硬，或关节红肿？"),
    "belly": ("肚子和出血", "肚子痛、一直吐、黄疸、吐血、便血、流血不止，或到处青紫？"),
    "pregnancy": ("怀孕和产后", "怀孕、可能怀孕，或产后六周内有出血、肚子痛、头痛、胎动少、流水、发烧？"),
    "child": ("婴儿和孩子", "婴儿或孩子发烧、没精神、不吃、呼吸费力、吐绿色、跛行，或脸色不好？"),
    "metabolic": ("糖尿病和内分泌", "有糖尿病、甲状腺或肾上腺的病、透析、肾病，或口渴多尿、手脚僵硬发麻？"),
    "outside": ("冷热、烧伤和咬伤", "中暑、冻伤、溺水、触电、烧烫伤、被蛇虫动物咬伤，或伤口很脏？"),
    "eye": ("眼、耳、脸和牙", "眼睛受伤、看不见、重影、红痛，突然听不见，脸动不了，或牙痛脸肿？"),
    "urinary": ("小便和生殖", "尿不出、尿血、小便痛发烧、睾丸痛或肿，或勃起不消？"),
    "medicine": ("用药以后", "用药、打针后起疹、不舒服，吃错药量，或在吃他汀、奎宁、华法林？"),
    "cramp": ("抽筋和肌肉", "抽筋、肌肉很痛、越来越没力、尿色很深或尿少？"),
    "elderly": ("老人摔倒", "摔倒后站不起来、背痛、糊涂，或常常摔倒？"),
    "cancer": ("拖了一阵子的变化", "莫名变瘦、硬块、声音哑、吞咽困难、绝经后出血、痣变大，或溃疡不好？"),
}
_READ = {"read": "text", "known": "known"}
_UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"


def _options(*codes: tuple[str, str]) -> list[dict]:
    return [
        {"valueCoding": {"system": "urn:yidian:answer", "code": code, "display": display}} for code, display in codes
    ]


_YES_NO = (("yes", "是"), ("no", "否"), ("unsure", "不确定"))


def _yes_no(link_id: str, text: str) -> dict:
    return {"linkId": link_id, "text": text, "type": "choice", "answerOption": _options(*_YES_NO)}


def _unless(question: str, code: str) -> list[dict]:
    return [{"question": question, "operator": "!=", "answerCoding": {"system": "urn:yidian:answer", "code": code}}]


def _age(sign: str, years: float) -> list[dict]:
    unknown = {"question": "age", "operator": "exists", "answerBoolean": False}
    return [{"question": "age", "operator": sign, "answerDecimal": years}, unknown]


# Pregnancy is asked of whom `triage` may think pregnant.
_MAY_BE_PREGNANT = [_unless("sex", "male"), _age(">=", 9.0), _age("<=", 60.0)]


def _asked_when(condition: Condition) -> list[list[dict]]:
    """Lists of enableWhen of which each must have one that holds; what is unknown keeps a question asked."""
    kind = condition[0]
    if kind == "age":
        return [_age(condition[1], condition[2])]
    if kind == "sex":
        return [_unless("sex", "male" if condition[1] == "female" else "female")]
    if kind == "pregnant":
        return [*_MAY_BE_PREGNANT, _unless("pregnant", "no")]
    if kind == "all":
        return [each for part in condition[1:] for each in _asked_when(part)]
    raise NotImplementedError(f"a question asked when {condition}")


def _wrapped(item: dict, conditions: list[list[dict]]) -> dict:
    """The item in groups that open it only when every condition has an alternative that holds."""
    for alternatives in reversed(conditions):
        item = {
            "linkId": f"{item['linkId']}.if",
            "type": "group",
            "enableWhen": alternatives,
            "enableBehavior": "any",
            "item": [item],
        }
    return item


def _written(condition: Condition) -> dict[str, Any]:
    """A condition of `triage` in the words of a sidecar."""
    kind = condition[0]
    if kind == "answer":
        return {"is": {condition[1]: "yes"}}
    if kind == "age":
        return {"compare": [{"value": "age"}, condition[1], condition[2]]}
    if kind == "sex":
        return {"is": {"sex": condition[1]}}
    if kind == "pregnant":
        return {"is": {"pregnant": "yes"}}
    if kind == "not":
        return {"not": _written(condition[1])}
    if kind == "at_least":
        return {"at_least": {"count": condition[1], "of": [_written(each) for each in condition[2:]]}}
    return {kind: [_written(each) for each in condition[1:]]}


def documents() -> tuple[dict, dict]:
    """The Questionnaire and the sidecar, made from the rules that ship."""
    book = rulebook.load()
    topics: dict[str, list[dict]] = {}
    for question in book.questions.values():
        item = _wrapped(_yes_no(question.id, question.text), _asked_when(question.asked) if question.asked else [])
        topics.setdefault(question.topic, []).append(item)
    order = [topic for topic in TOPICS if topic in topics] + [topic for topic in topics if topic not in TOPICS]
    age = {
        "linkId": "age",
        "extension": [
            {"url": f"http://hl7.org/fhir/StructureDefinition/{name}", "valueDecimal": limit}
            for name, limit in (("minValue", 0), ("maxValue", 120))
        ]
        + [{"url": _UNIT, "valueCoding": {"system": "http://unitsofmeasure.org", "code": "a", "display": "岁"}}],
        "text": "不舒服的人多大？",
        "type": "decimal",
    }
    sexes = _options(("female", "女"), ("male", "男"), ("unsure", "不方便说"))
    items = [
        age,
        {"linkId": "sex", "text": "不舒服的人是？", "type": "choice", "answerOption": sexes},
        _wrapped(_yes_no("pregnant", "怀孕了吗，或者可能怀孕？"), _MAY_BE_PREGNANT),
        {
            "linkId": "topics",
            "text": "现在有下面的情况吗？",
            "type": "group",
            "item": [_yes_no(f"topic.{topic}", TOPICS[topic][1]) for topic in order if topic in TOPICS],
        },
    ]
    for topic in order:
        group = {"linkId": f"of.{topic}", "text": "还有这些", "type": "group", "item": topics[topic]}
        if topic in TOPICS:
            group |= {"text": TOPICS[topic][0], "enableWhen": _unless(f"topic.{topic}", "no")}
        items.append(group)
    questionnaire = {
        "resourceType": "Questionnaire",
        "id": SLUG,
        "url": f"urn:yidian:self-test:{SLUG}",
        "version": book.sha256[:12],
        "name": "WoGaiZenmeBan",
        "title": "我该怎么办？",
        "status": "active",
        "subjectType": ["Patient"],
        "publisher": "医典编辑部",
        "description": "不舒服的时候，先看有没有危险信号：要不要打 120，要不要今天就去看医生。",
        "copyright": "危险信号和问法由医典编辑部根据公开的指南编写，每一条写明出处。",
        "item": items,
    }
    return questionnaire, _sidecar(book)


def _sidecar(book: rulebook.Rulebook) -> dict:
    flags = [
        {
            "id": rule.id,
            "when": _written(rule.when),
            "level": rule.level,
            "heading": rule.heading,
            "message": rule.message,
            "crisis": rule.topic == "mind",
            "guide": rule.guide,
            "sources": list(rule.sources),
        }
        for rule in book.rules.values()
    ]
    used = dict.fromkeys(name for rule in book.rules.values() for name in rule.sources)
    sources = [
        {key: source.get(key) for key in ("title", "publisher", "date", "url", "doi", "pmid")}
        | {"id": name, "document_number": source.get("number"), "read": _READ[source["basis"]]}
        for name, source in ((name, book.sources[name]) for name in used)
    ]
    return {
        "kind": "triage",
        "minutes": 3,
        "instructions": "替家人做也可以，请按不舒服的那个人来答。",
        "audience": "所有人。正在昏迷、喘不上气、大出血的，不要答题，现在就拨打 120。",
        "keywords": ["怎么办", "要不要去医院", "急诊", "120"],
        "scores": {},
        "bands": [],
        "red_flags": flags,
        "otherwise": "self_care",
        "fixed": ["age", "sex", "pregnant"],
        "licence": {"owner": "医典编辑部", "terms": "随本站内容的许可"},
        "validated": "没有在病人身上验证过。规则根据公开指南编写，宁可多让您去看医生。",
        "missing": "没答和不确定的题按“没有排除”处理，结果只会更紧急，不会更放心。",
        "certainty": {"level": "low", "text": "单条规则多有指南支持，合在一起给大众自己用，没有研究过。"},
        "not": [
            "不是诊断，也不代替医生和 120 调度员的判断。",
            "没有答出危险信号，不等于没有病：症状加重或放心不下，就去看医生。",
        ],
        "sources": sources,
        "review": "awaiting",
    }
