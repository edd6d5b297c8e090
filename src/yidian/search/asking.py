"""How people ask: what a question wants to know, and the words that every question has."""

import re

# What is asked stands at the end of an account.
_END = 200

_WHAT = "(?:什么|啥|哪些|哪种|何种|哪个|何)"
_HOW = "(?:怎么样|怎么|怎样|咋样|咋|如何)"
_SEE = "(?:看医生|看大夫|去医院|上医院|看急诊|去急诊|就医|就诊|住院)"
_REMEDY = "(?:中药|西药|中成药|药膏|药物|药片|药)"

# In order: the first that the text shows is its intent. 吃什么药 asks for a drug before it asks for food.
_INTENTS = {
    "when_to_see_doctor": [
        f"(?:要不要|用不用|需不需要|该不该|需要|必须|应该|有必要|要|用)(?:去|马上|立即|立刻|赶紧|到)*{_SEE}",
        f"(?:什么时候|何时|什么情况|多久|几时).{{0,6}}{_SEE}",
    ],
    "department": [
        f"(?:挂|看|去|找|属于|归|是)的?{_WHAT}一?个?科室?",
        f"{_WHAT}科室|哪一?个科|挂{_WHAT}号",
    ],
    "drug": [
        f"(?:吃|用|服|喝|服用|使用|抹|涂|擦)(?:点|些)?{_WHAT}(?:样的)?{_REMEDY}",
        f"{_WHAT}(?:样的)?{_REMEDY}|特效药|用药|能吃.{{0,8}}(?:药|片|胶囊)吗|打{_WHAT}针",
    ],
    "diet": [
        f"(?:吃|喝)(?:点|些)?{_WHAT}",
        "(?:能|可以|可不可以|能不能|不能|宜|忌|适合|要|应该)(?:多|少)?(?:吃|喝)",
        "吃.{1,8}(?:好吗|行吗|可以吗)|忌口|饮食|食疗|食谱|食物|水果|忌吃",
    ],
    "test": [
        f"(?:做|查)(?:些|个)?{_WHAT}(?:检查|化验|项目)?|{_WHAT}(?:检查|化验)",
        f"{_HOW}(?:查|检查|确诊|诊断)|检查项目|诊断标准|正常值",
    ],
    "prevention": ["预防|避免|防止|怎么防|如何防"],
    "danger": [
        "严重吗|严不严重|多严重|危险吗|要紧吗|要不要紧|有没有事|有事吗|会死吗|会不会死|致命|要命吗|能活多久",
        "危害|后果|传染|传播|遗传吗|会遗传|癌变|后遗症|并发症",
    ],
    "cause": [
        f"{_WHAT}的?(?:原因|缘故|引起|造成|导致|病因)|(?:怎么|咋|怎)一?回事|为什么|为啥|为何|原因|病因|因素",
        f"{_HOW}(?:引起|造成|形成|得|会|就|老|总)|{_WHAT}病|{_WHAT}情况",
    ],
    "symptom": [f"{_WHAT}(?:早期|典型|主要)?(?:症状|表现|征兆|感觉)|症状|表现|前兆|征兆"],
    "treatment": [
        f"(?:{_HOW}|该)(?:才能|去|能|救)?(?:办|治|医|处理|缓解|解决|调|根治|弄|消|止|好|护理|整)",
        "治疗|医治|救治|治好|好治|能治|根治|自愈|好得快|偏方|缓解|手术|疗法|治愈|办法|能好吗|该怎么",
    ],
}
INTENTS = tuple(_INTENTS)
_PATTERNS = {name: re.compile("|".join(patterns)) for name, patterns in _INTENTS.items()}

# What every question has: it finds nothing and outweighs what does.
FILLER = re.compile(
    "|".join(
        [
            "(?:你好|您好|请问|请教|咨询|想问|问一下|问下|医生|大夫|专家|各位|谢谢|感谢|麻烦|求助|急急急|在线等|帮忙|帮我|看看"
            "|一下|想知道|想了解|我想)+",
            f"(?:应该|应当|需要|到底|究竟|一般|要|该|都)*{_HOW}(?:办|整|治疗|治|处理|缓解|调理|一?回事)(?:才好|最好|好|呢|啊|呀|吗)?",
            "是?(?:为什么|为啥|为何)会?",
            f"(?:这|那)?(?:都是|是由|是)?(?:因为)?{_WHAT}的?(?:原因|缘故|情况|引起|造成|导致|病因)(?:引起|造成|导致|呢|啊)?的?",
            f"(?:有|用)?{_WHAT}好?的?(?:办法|方法|妙招)",
            "(?:要紧|严重|危险|有事|可以|行|好|管用|有用)(?:吗|么|不)",
            f"该?(?:挂|看){_WHAT}科室?",
            f"会不会|是不是|能不能|有没有|可不可以|要不要|{_HOW}|[吗呢啊呀吧嘛哦哈]|(?<![什怎那这多要])么",
        ]
    )
)


def intent_of(form: str) -> str | None:
    """What a text in matching form wants to know, one of INTENTS; None when it does not say."""
    asked = form[-_END:]
    return next((name for name, pattern in _PATTERNS.items() if pattern.search(asked)), None)
