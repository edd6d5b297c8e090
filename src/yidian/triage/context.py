"""Whether what a sentence names is there now: negation, time, other people, suppositions and questions of knowledge.

Cues stand in a few regular expressions. Where a cue leaves doubt, what was named counts as present: a card too many
is a smaller harm than a card too few.
"""

import re
from bisect import bisect_left, bisect_right

PRESENT, NEGATED, PAST, OTHER, HYPOTHETICAL = "present", "negated", "past", "other", "hypothetical"
OVER_COUNTS, FEAR_COUNTS, NOT_THE_USUAL = 1, 2, 4

_SENTENCE_END = re.compile(r"[。！？!?\n…~]+")
_CLAUSE_END = re.compile(r"[，,；;：:。！？!?\n…~\s()（）]+")

# What looks like a negation and is none, first; then negations that reach over the clause; then those that touch.
_NEGATION = re.compile(
    r"(?P<none>不是没有?|并不是没|不能说没|没有不|不得不|不知道?|不小心|不停|不断|不住|不敢|不能|不行|"
    r"不舒服|不好|不了|不到|不下|不上|不出|不来|"
    r"没想到|没多久|没办法|没法|没好|没用|没效|没缓|没减|没停|没睡|没吃|没注意|没力|没劲|没来得及|没几|"
    r"没过|没退|没醒|没反应|没意识|没呼吸|没气|"
    r"没知觉|没感觉|没血色|没精神|没有用|没有效|没有好|没有缓|没有减|没有力|没有反应|没有意识|没有呼吸|"
    r"没有知觉|没有感觉|没有退|没有停|没有吃|"
    r"差不多|不仅|不但|不光|不只|不过|受不了|忍不住|止不住|停不下|不久|不一会|不明|不清|不醒|不全|不稳|"
    r"不动|不起|不开|不退|不消|不褪|不缓|不减|"
    r"无力|无法|无缘无故|无意|无意识|无反应|无知觉|无汗|无故|无效|无用|无痛|无尿|"
    r"有没有|是不是|要不要|会不会|能不能|好不好|严不严重|痛不痛|疼不疼|该不该|可不可以|不吃|不喝|不哭|"
    r"不肯|不想|不认|不让|不得|不自主|不由|不应|不答|不理|不回|不平|不对)"
    r"|(?P<far>没有出现|没出现|没有再|没再|没有任何|没任何|没有明显|没有|并没|从没|从未|并无|否认|未见|"
    r"未出现|未发现|未诉|不伴有?|没伴|"
    r"并非|不存在|毫无|也没|都没|排除了?|不再|没见|不见|既不|也不|又不|不像|不是)"
    r"|(?P<near>没|不|无|未|别|甭|莫)"
)
_FAR_ENDS = re.compile(
    r"但|可是|就是|只是|不过|却|反而|而是|只有|突然|忽然|现在|一直|还是|反正|结果|而且|只|仍|倒是|老是|"
    r"总是|越来越|后来|开始|已经"
)
_NEGATIVE = re.compile("[没不无未别甭莫否并毫排]")
_FAR_REACH = 14
_LONGEST = 120  # characters of one stretch: three long lines
_TOUCH = re.compile(
    r"(?:怎么|太|是|再|有|会|见|觉得|觉|感到|感觉|感|出现|伴有?|明显|那么|大|很|咋|敢|见有|发生|发|是很|"
    r"特别|算|能|得|怎么会|过|人|事)?"
)
# 胸痛没有, 发烧也没有, 出血：无
_AFTER = re.compile(
    r"(?:的?(?:症状|情况|现象|感觉))?(?:[，,：:]?(?:都|也|倒是?|是|还|并|一点|都是|暂时|"
    r"目前)?)(?:没有了?|没了?|无|阴性|\(-\)|不存在)(?:[，,。；;！!\s]|$|过|的|啊|呀)"
)

_NOW = re.compile(
    r"现在|此刻|目前|刚才|刚刚|刚|正在|正|今天|今晚|今早|今夜|这会|这时|马上|突然|忽然|一下子|又|还在|"
    r"还|仍|半夜|昨天|昨晚|昨夜|早上|上午|下午|晚上|中午|"
    r"这两天|这几天|最近|近几天|\d+分钟|分钟|小时|钟头|越来越|一直|持续|怎么办|救命|快|急|要不要|该不该|"
    r"用不用|叫救护车|打120|以后就|已经"
)
_LATELY = re.compile(
    r"现在|此刻|刚才|刚刚|正在|今天|今晚|今早|突然|忽然|一下子|这会|这两天|这几天|昨天|昨晚|昨夜|半夜|"
    r"早上|又|还在|这次|分钟|小时|钟头|最近|一觉醒来|怎么办"
)
_PAST = re.compile(
    r"(?:[一二两三四五六七八九十几好多\d]+)(?:多)?年(?:多)?(?:以?前)|前些年|前几年|早些年|那些年|有一年|[零〇一二][一二三四五六七八九零〇]年|"
    r"生(?:老大|老二|大宝|头胎|第一个)(?:的?时候|时|那会|那年)|"
    r"(?:[一二两三四五六七八九十几好多半\d]+)个(?:多)?月(?:以?前)|去年|前年|大前年|那一?年|当年|早年|"
    r"往年|"
    r"年轻(?:时|的时候|那会)|小时候|儿时|幼时|曾经?|从前(?!胸|额|面|边)|以前|之前有过|上个月|上上个月|上学期|上周|"
    r"上礼拜|上次|上回|那次|那回|那时候?|那会儿?|"
    r"小学|初[一二三中]|高[一二三]|高中(?:时|那)|大学|读书时|上学时|当兵时|婴儿期|婴儿时|(?:19|"
    r"20)\d\d年|[089]\d年|九几年|八几年|疫情那年|"
    r"[一二两三四五六七八九十几\d]+岁(?:的)?(?:时|那年|那会|烧|得|后|做|住|就)|十几岁|得过|有过|发作过|"
    r"患过|犯过|住过|做过|动过|开过|打过我|吞过|抢救过|病史|既往|怀老[一二大]|"
    r"第一胎时|头胎时|前夫|疫情那|个月时"
)
_RECENT_DAY = re.compile(r"天前|小时前|分钟前")
_LINK = re.compile(
    r"(?:因为|当时|后来|那时|那会|结果|然后|之后|查了?|说是|好在|幸好|医生|住|抢救|最后|还好|出院|切|早)"
)
_OVER = re.compile(
    r"(?<![没不还])(?:已?(?:经)?痊愈|恢复良好|恢复得?(?:很|挺|不错|好)|已经?出院|出院了|早(?:就)?好了|"
    r"都好了|没再(?:发|犯)|再没(?:发|犯)|没有再(?:发|犯)|过去好|很多年了|好几年了|"
    r"都过去|(?<!前)(?<!才)(?<!刚)的事了?(?:[，,。]|$)|早取了|查了没|康复|治好了|后来就?好|拉出来了|打过疫苗)"
)
_RESOLVED = re.compile(
    r"(?<![没不还会能可多])(?:(?<![冲喝等睡歇养泡揉])就好了|(?<!就)好了(?![吗么])|没事了|不疼了|不痛了|缓解了|缓过来|消了|退了|止住了|正常了|"
    r"恢复了|恢复正常|(?<![昏晕抽死背睡厥])过去了|自己醒|醒了跟平时|"
    r"现在(?:都|已经?|完全|啥|早|没|什么)*(?:正常|没事|好了|没问题|没毛病|很好|好好的|健康|已经好)|"
    r"已经?(?:吐|取|拿|拉)出来了?|活动如常|一点事(?:也|都)?没有?|啥事没有?|不喘了|不吐了|不出血了|药劲过|退烧了)"
)
# Told after a doctor saw it: the diagnosis, the stay in hospital, the examination that followed.
_SEEN = re.compile(
    r"(?:医生|大夫|医院|专家|门诊|主任)[^，,。；;！!？?\n]{0,14}?(?:说(?!不)|讲|告诉|告知|诊断|确诊|检查|查出|断定|认为|判断|怀疑|质疑)|"
    r"(?:确诊|诊断|查出来?|检查出来?|确认|断定)(?:[^，,。；;！!？?\n]{0,8}?(?:患|得|是|为|出|有|说))|被?(?:确诊|诊断)[为是了出]|"
    r"(?:送|带|去|到|进|赶|转|被送)[^，,。；;！!？?\n]{0,10}?(?:医院|急诊|抢救室|ICU|门诊|卫生院|诊所)[^，,。；;！!？?\n]{0,6}?"
    r"(?:检查|查|看|治|抢救|住|做|诊|发觉|发现|知|后|之后|一)|(?:叫|打)[^，,。]{0,4}(?:救护车|急救车|120)[^，,。]{0,4}(?:去|送|来|到)|才知[道晓]?[^，,。]{0,8}(?:患|得|有)|说(?:他|她|我|孩子|这)?是?(?:得了|患了?)|"
    r"住(?:了|进|过)?[^，,。要]{0,3}院|出院|(?:经过|接受)[^，,。]{0,8}治疗|治疗(?:了|后|一段)|仔细检查|做了(?:脑电图|检查|CT|ct|核磁|B超|胃镜|手术)"
)
_SEEN_NOT = re.compile(
    r"要不要|用不用|该|需不需要|需要|准备|打算|不肯|不愿|不去|不想|死活|没(?!事)|还没|是不是|能不能|可以|想|怕|等|路上|来不及"
)
_SEEN_REACH = 100  # characters after the finding: the next two or three clauses
_STILL = re.compile(
    r"现在(?!的|已|都|没|稳|情况|想|在?[吃服]|病情|医生|可|要|需|怎)|此刻|刚才|刚刚|马上就|还在|还没|没醒|不醒(?!人)|停不下|救命|120|怎么叫|"
    r"没床|让回家|没查出|没事"
)
_WORSE = re.compile(
    r"越来越|加重|更(?:厉害|重)|还在|还没|没醒|不醒|仍|又(?:开始|抽|疼|痛|吐|晕|出|喘|流|烧|发作|犯)|让回家|没床|没查出|没事|没问题|正常|没用|没好"
)
# What an attack is usually like, said of the finding itself; not 平时有高血压 beside it.
_USUAL = re.compile(
    r"老毛病|每次|每回|每逢|每到|每(?:个?月|年|周|隔)|经常|常常|时常|总会|老是|偶尔|有时候?|间歇|隔三差五|时不时|"
    r"(?:发作|发病|病发|复发|犯病|犯)(?:时|的时候|起来|后|之后|频率|次数)"
)
# A long account of epilepsy that asks how it is treated, is not the call of somebody who stands beside a fit.
_EPILEPSY = re.compile(r"癫痫|癫癎|羊[癫角羔]|角风|癫疯")
_ACCOUNT = re.compile(
    r"治疗|医治|救治|治好|治愈|根治|治得|怎么治|控制|医院(?!.{0,4}(?:来不及|还没))|专科|科室|哪个科|护理|饮食|食疗|吃什么|什么药|"
    r"遗传|病因|原因|引起|引发|危害|费用|价|结婚|能好|有办法|好办法|复发的?次数|病史|[多几一二两三四五六七八九十\d]年|从小|患者|"
    r"诊断|确诊|检查|辨别|区别|预防|什么症|症状"
)
_AT_IT = re.compile(
    r"正在(?!吃|服|治)|刚才|刚刚|此刻|还在(?!吃|服|治)|还没|没醒|不醒(?!人)|停不下|今[天早晚晨]|昨[天晚夜]|半夜|救命|120|又抽|连着|连续|"
    r"第一[次回]|头一[次回]|现在(?!的|已|都|没|情况|想|在?[吃服]|病|可|要|需|每|经)|\d+分钟|十分钟|分钟了|怎么叫|漏|忘"
)


_HEARSAY = re.compile(
    r"执业医师|主治医师|题库|[选择单多判断考真][择选项断]?题|护考|规培|化学课|读书会|回忆录|新闻|电视(?:里|上|剧|台|说|播|报)|电影|小说|(?:连续|悬疑|古装|韩|美)剧|剧(?:里|中|情)|综艺|短视频|抖音|快手|视频(?:里|上|说)|直播|主播|听(?:同学|同事|朋友|邻居|老师|人家|亲戚|别人|室友|我妈)?说|据说|"
    r"听人[说讲]|网上(?:说|看|讲)|看到网|网友|群友|朋友圈|公众号|通知说|都在说|听得我|书上|书里|科普|纪录片|游戏里|梦见|做梦|梦到|"
    r"明星|案例|课本|讲座|老师讲|培训|上回(?:地铁|看见)|听了"
)
# People round about: theirs only when it is over for them, or told as news.
_AROUND = re.compile(
    r"我们村|村[里头]|隔壁|小区里?有|月子中心|班[里上]有?|楼[里下上]|物业|单位|公司|厂里|看见一个人|街坊|对门|对面|网红|工友|战友"
)
_THEIRS = re.compile(
    r"送(?:去|到|进|医|往|走)|拉走|住(?:进|了|院)|去世|走了|没了|死|吓(?:人|得|死)|好可怜|唏嘘|上周|上个?月|去年|前年|前几天|前两天|那天|前阵子|听"
)


_FAMILY = re.compile(
    r"爸|妈|爷|奶|外公|外婆|姥|公公|婆婆|岳父|岳母|哥|姐|弟|妹|叔|舅|姨|姑|伯|侄|甥|嫂|老公|老婆|丈夫|"
    r"妻子|爱人|家族|家里有人|亲戚|同事|同学|同桌|邻居|朋友|室友|哥们|老乡"
)
_GONE = re.compile(
    r"去世|走了|走的|没了好|过世|死于|死了|没救过?来|离世|病逝|遗传|家族|家族史|请假|住院了|已经转|"
    r"做完手术|手术了|送医|进了急诊|被拉走|连夜|锯了|瞎了|切了|换肾|住ICU|轮椅|养着|缝了|抢救,|咬过人|"
    r"噎死|重度过敏|在老家|出院"
)
_IF = re.compile(
    r"如果|假如|要是|万一|假设|若是|倘若|倘使|假若|以防|以后会|将来|哪天|一旦|遇到|碰到有人|"
    r"什么时候(?:要|该|需要)|什么情况下|怎样才算|怎么才算|算不算|怎么判断|如何判断|怎么识别|如何识别|"
    r"怎么看出"
)
_FEAR = re.compile(r"(?<![可恐])怕(?!光|冷|热|声|风|黑|水|见光)|害怕|担心|生怕|恐惧|恐怕会|焦虑")
_WHETHER = re.compile(
    r"会不会|问(?:我|他|她|过|了|有)?(?:说)?有没有|会(?=[^，,。]{1,18}(?:吗|么|嘛|呢|呀|不|怎样|怎么样)(?:[？?。,，！!]|$))|能不能|可不可能|"
    r"会导致|会引起|会诱发|会造成|可能增加|容易(?=[^，,。]{1,10}吗)|能(?=[^，,。]{1,14}(?:吗|"
    r"么)(?:[？?。]|$))|可以(?=[^，,。]{1,14}(?:吗|么)(?:[？?。]|$))"
)
_KNOWLEDGE = re.compile(
    r"预防|防止|避免|如何避免|有哪些(?:症状|表现|危害|原因)?|有什么(?:症状|表现|区别|危害|前兆|征兆|"
    r"后遗症)|什么症状|的症状|症状有|症状是|什么表现|怎么区分|如何区分|怎么区别|区别|"
    r"的原因|是什么原因引起|前兆|先兆|征兆|是什么病|是什么意思|什么是|啥是|遗传吗|会遗传|会传染|传染吗|"
    r"后遗症|怎么护理|如何护理|护理|注意事项|要注意什么|注意什么|吃什么好|饮食|科普|急救知识|"
    r"(?:怎么|如何|怎样)(?:急救|抢救|救治)|怎么办才对|哪[边里儿]疼|会死人?吗?|多少会|疼吗|痛吗|疼不疼|急救方法|培训|定义|机制|发病率|死亡率|并发症|指南|论文|分几级|分级|几级|严重程度|"
    r"怎么诊断|检查什么|做什么检查|挂什么科|怎么治|如何治疗|治疗方法|能治好吗|能活多久|保险|"
    r"多少钱|哪家医院|几岁开始|一天吃几片|能喝酒|能吃|能打|几天能|多久能|吃几片会|致死量|辅食|一定要做|"
    r"(?:病|症|癫疯|癫风|角风|惊厥)[^，,。]{0,8}吃(?:什么|啥|哪)|怎样治|怎么样治|方法治疗|什么不同|有何不同|特点是|"
    r"怎么知道是|怎样知道是|怎么分辨|怎么辨别|表现是|预兆|药有效|药物治疗吗|"
    r"能自己好|为什么(?:会|有的)|为啥会|原理|几月|多久(?:打|做|复查)|什么时候打"
)
_SELF_NOW = re.compile(
    r"我(?!们村|怕|想问|查|看到|听|的天)|我[爸妈爷奶姐妹哥弟儿女家老]|孩子|宝宝|老公|老婆|儿子|女儿|"
    r"今天|昨|刚|现在|突然|一直|正在|了(?=[，,。？?！!]|$)|分钟|小时|[一二两三四五六七八九十几\d]+天|"
    r"今早|晚上|半夜|这两天|这几天|最近|越来越"
)
_SOMEBODY = re.compile("我|孩子|宝宝|了")
_AT_LAST = re.compile(
    "现在|刚|还在|今[天早晚]|当天|越来越|没醒|不停"
)  # after the finding, in words without a mark between
_OWN = re.compile(r"我(?:现在|今天|刚|突然|自己|也)|怎么办|救(?!生|援|助)")
_JOKE = re.compile(
    r"哈哈|呵呵哒|笑死|hhh|嘻嘻|233|段子|开玩笑|emo|狗头|发错群|😂|🤣|😄|社死|绝绝子|怀疑人生|yyds|表情包|doge"
)


class Context:
    """The cues of one text, found once; `status` answers for a span."""

    def __init__(self, text: str, hits: list[tuple[int, int]]):
        self.text = text
        self._hits = hits
        self._starts = [start for start, _ in hits]
        self._sentences = _pieces(_SENTENCE_END, text)
        self._clauses = _pieces(_CLAUSE_END, text)
        self._known: dict[tuple[int, int, int], str] = {}
        self._read: dict[tuple[int, tuple[int, int]], re.Match | None] = {}
        self._seen: list[re.Match] | None = None
        self._seen_at: list[int] = []
        self._joke = bool(_JOKE.search(text))
        self._epilepsy = bool(_EPILEPSY.search(text) and _ACCOUNT.search(text))

    def status(self, start: int, end: int, flags: int) -> str:
        """Whether what stands at start–end is present.

        `flags`: OVER_COUNTS, it matters though it has passed; FEAR_COUNTS, to fear it is to have it; NOT_THE_USUAL, it
        does not matter as the usual attack of a known disease.
        """
        key = (start, end, flags)
        status = self._known.get(key)
        if status is None:
            status = self._find(start, end, bool(flags & OVER_COUNTS), bool(flags & FEAR_COUNTS))
            if status == PRESENT and not flags & FEAR_COUNTS and self._told(start, end, not flags & NOT_THE_USUAL):
                status = PAST
            self._known[key] = status
        return status

    def negated(self, start: int, end: int) -> bool:
        """Whether what stands there is said not to be."""
        return self._negated(start, end, _around(self._clauses, start))

    def _has(self, cue: re.Pattern, stretch: tuple[int, int]) -> re.Match | None:
        """The first place of a cue in a sentence or clause, read once."""
        key = (id(cue), stretch)  # a pattern's own hash reads all of it
        try:
            return self._read[key]
        except KeyError:
            found = self._read[key] = cue.search(self.text, *stretch)
            return found

    def _told(self, start: int, end: int, usual_counts: bool) -> bool:
        """Whether a doctor has seen it since, or, where that matters, it is only what usually happens."""
        text = self.text
        sentence = _around(self._sentences, start)
        seen = self._seen_after(end)
        if seen and not _SEEN_NOT.search(text, max(end, seen.start() - 8), seen.start() + 2):
            return not _STILL.search(text, start, seen.start()) and not _WORSE.search(text, seen.end(), seen.end() + 40)
        if usual_counts:
            return False
        clause = _around(self._clauses, start)
        if _USUAL.search(text, clause[0], start) and not self._has(_LATELY, sentence):
            return True
        return self._epilepsy and not self._has(_AT_IT, sentence)

    def _seen_after(self, end: int) -> re.Match | None:
        """Where a doctor comes in after a place, near enough."""
        if self._seen is None:
            self._seen = list(_SEEN.finditer(self.text))
            self._seen_at = [seen.start() for seen in self._seen]
        at = bisect_left(self._seen_at, end)
        near = at < len(self._seen) and self._seen[at].end() <= end + _SEEN_REACH
        return self._seen[at] if near else None

    def _find(self, start: int, end: int, over_counts: bool, fear_counts: bool) -> str:
        clause = _around(self._clauses, start)
        sentence = _around(self._sentences, start)
        if self._joke:
            return HYPOTHETICAL
        if self._negated(start, end, clause):
            return NEGATED
        if self._hypothetical(start, clause, sentence, fear_counts):
            return HYPOTHETICAL
        if self._past(start, clause, sentence, over_counts, fear_counts):
            return OTHER if self._has(_FAMILY, sentence) else PAST
        if self._others(clause, sentence):
            return OTHER
        return PRESENT

    def _negated(self, start: int, end: int, clause: tuple[int, int]) -> bool:
        text = self.text
        if self._has(_NEGATIVE, clause):
            # an enumeration with 、 stays in the scope of its negation
            for cue in _NEGATION.finditer(text, clause[0], min(start, clause[1])):
                if cue.lastgroup == "none" or cue.end() > start or self._within_a_hit(cue.start(), cue.end()):
                    continue
                between = text[cue.end() : start]
                if cue.lastgroup == "far":
                    if len(between) <= _FAR_REACH and not _FAR_ENDS.search(between):
                        return True
                elif len(between) <= 4 and _TOUCH.fullmatch(between):
                    return True
        return bool(_AFTER.match(text, end, end + 14))

    def _within_a_hit(self, start: int, end: int) -> bool:
        at = bisect_right(self._starts, start)
        return any(self._hits[place][0] <= start and end < self._hits[place][1] for place in range(max(0, at - 40), at))

    def _hypothetical(self, start: int, clause, sentence, fear_counts: bool) -> bool:
        supposed = self._has(_IF, sentence)
        if supposed and supposed.end() <= start:
            return True
        feared = None if fear_counts else self._has(_FEAR, clause)
        if feared and feared.end() <= start:
            return True
        own = self._has(_SELF_NOW, sentence)
        whether = self._has(_WHETHER, clause)
        if whether and (whether.end() <= start or not own):
            return True
        if not own and self._has(_KNOWLEDGE, sentence):
            return True
        return bool(
            self._has(_KNOWLEDGE, clause) and not self._has(_LATELY, sentence) and not self._has(_SOMEBODY, clause)
        )

    def _past(self, start: int, clause, sentence, over_counts: bool, fear_counts: bool) -> bool:
        text = self.text
        if self._has(_PAST, clause):
            cue = list(_PAST.finditer(text, *clause))[-1]
            since = cue.end() <= start and (
                _LATELY.search(text, cue.end(), start) or _AT_LAST.search(text, start, clause[1])
            )
            return not since and not (cue.start() > start and _LATELY.search(text, clause[0], start))
        if self._has(_OVER, sentence) and (over := _OVER.search(text, start, sentence[1])):
            return not (over_counts and _LATELY.search(text, sentence[0], over.start()))
        # a clause that only goes on telling: 十几岁洗过胃, 因为误服农药
        if clause[0] > sentence[0] and _LINK.match(text, clause[0]):
            earlier = _PAST.search(text, sentence[0], clause[0])
            if earlier and not _LATELY.search(text, earlier.end(), clause[1]):
                return True
        if over_counts or fear_counts or not self._has(_RESOLVED, sentence):
            return False
        return bool(_RESOLVED.search(text, start, sentence[1]))

    def _others(self, clause: tuple[int, int], sentence: tuple[int, int]) -> bool:
        if self._has(_HEARSAY, sentence):
            return not self._has(_OWN, sentence)
        if self._has(_AROUND, clause) and self._has(_THEIRS, sentence) and not self._has(_LATELY, sentence):
            return not self._has(_OWN, sentence)
        return bool(self._has(_GONE, clause) and self._has(_FAMILY, clause) and not self._has(_LATELY, sentence))


def _pieces(ends: re.Pattern, text: str) -> list[tuple[int, int]]:
    """The stretches between the ends; text without marks is cut, so that no search grows with the text."""
    found, start = [], 0
    for stop, after in [*(end.span() for end in ends.finditer(text)), (len(text), len(text))]:
        found += [(place, min(place + _LONGEST, stop)) for place in range(start, stop, _LONGEST)]
        start = after
    return found or [(0, len(text))]


def _around(pieces: list[tuple[int, int]], place: int) -> tuple[int, int]:
    at = bisect_right(pieces, (place, 1 << 60)) - 1
    return pieces[max(at, 0)]
