"""Small true-to-life content, made through the same doors as an editor's."""

from datetime import date

from yidian.answers.models import Answer, Question
from yidian.editorial.actions import publish_now
from yidian.encyclopedia.models import ActionGuide, Article, Condition
from yidian.evidence.models import Claim, Source
from yidian.people.models import Hospital, Physician
from yidian.terms.models import BodyPart, GlossaryTerm, Population


def publish(content):
    publish_now(content)
    return content


def module(*blocks, aspect="overview", headline="什么是它"):
    return {"type": "module", "value": {"health_aspect": aspect, "headline": headline, "body": list(blocks)}}


def text(html):
    return {"type": "text", "value": html}


def card(level="same_day", heading="今天就去看医生，如果", *items):
    return {"type": "card", "value": {"level": level, "heading": heading, "items": list(items or ("超过十分钟",))}}


def source(slug="src-one", **more):
    made = {"name": "Stretching before sleep", "source_kind": "randomized_trial", "pmid": "22341378"}
    return publish(Source(slug=slug, **made | {"date_published": "2012"} | more))


def claim(slug="magnesium", sources=(), **more):
    made = {"name": "补镁能预防抽筋吗？几乎没有作用。", "direction": "contradicts", "certainty": "moderate"}
    found = Claim(slug=slug, **made | more)
    found.sources = list(sources)
    return publish(found)


def condition(slug="xiaotui-choujin", name="小腿抽筋", **more):
    made = {"condition_kind": "symptom", "description": "小腿抽筋多半几分钟就会过去。"}
    return publish(Condition(slug=slug, name=name, **made | more))


def article(slug="weishenme-choujin", name="小腿为什么抽筋", **more):
    made = {"description": "多半是肌肉累了。", "modules": [module(text("<p>肌肉累了。</p>"))]}
    return publish(Article(slug=slug, name=name, **made | more))


def guide(slug="xianzai-zenmeban", name="正在抽筋：现在怎么做", **more):
    return publish(ActionGuide(slug=slug, name=name, **{"description": "先把腿伸直。"} | more))


def contraindication(key="shoushang", **more):
    made = {"question": "腿刚受过伤吗？", "removes": ["la"], "instead": "不要拉，先看医生[^src-one]。"}
    return {"type": "contraindication", "value": {"key": key, **made | more}}


def phase(*steps, phase="now", headline="现在做"):
    return {"type": "phase", "value": {"phase": phase, "headline": headline, "steps": list(steps)}}


def question(name="腿抽筋是不是缺钙？", answers=("<p>多数不是。</p>",), slug="", **more):
    made = publish(Question(name=name, slug=slug, **{"description": "多数不是缺钙。"} | more))
    for html in answers:
        publish(Answer(question=made, date_created=date(2026, 1, 2), body=[text(html)]))
    return made


def hospital(slug="yanshi-yiyuan", **more):
    made = {"name": "演示医院", "hospital_grade": "三级甲等", "demonstration": True}
    return publish(Hospital(slug=slug, **made | more))


def physician(slug="yanshi-jia", **more):
    return publish(
        Physician(slug=slug, **{"name": "演示医生甲", "job_title": "主任医师", "demonstration": True} | more)
    )


def body_part(slug="xiaotui", name="小腿", **more):
    return publish(BodyPart(slug=slug, name=name, **{"region": "leg"} | more))


def population(slug="yunfu", name="孕妇", **more):
    return publish(Population(slug=slug, name=name, **more))


def term(slug="feichangji", name="腓肠肌", definition="小腿后面那块大肌肉。"):
    return publish(GlossaryTerm(slug=slug, name=name, definition=definition))
