"""Chinese text, through the functions that the rest of the package calls."""

import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yidian.zh import hant
from yidian.zh.grams import grams
from yidian.zh.hant import to_hant
from yidian.zh.hard_words import hard_words
from yidian.zh.normalise import clean, normalise
from yidian.zh.pinyin import (
    index_letter,
    initials,
    pinyin,
    readings,
    slugify,
    sound,
    split_syllables,
    syllables,
    syllables_from,
)
from yidian.zh.sentences import excerpt, plain, read_aloud, sentences

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text("痉挛头发干复面里后<>&;\"'/= a1\x00\u200b\ud800")


def test_importing_the_package_loads_no_dictionary():
    script = "import sys, yidian.zh.pinyin, yidian.zh.hant, yidian.zh.normalise; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "yidian.zh.pinyin" in loaded
    assert not {"pypinyin", "opencc", "django"} & set(loaded)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("肌肉痙攣", "肌肉痉挛"),
        ("ＣＴ　检查", "ct 检查"),
        ("小\u200b腿\u202e抽\ufeff筋", "小腿抽筋"),
        ("  半夜 \n 抽筋\t", "半夜 抽筋"),
        ("a\ud800b", "a\ufffdb"),
        ("痉\x00挛\x9f", "痉挛"),
    ],
)
def test_normalise(written, normal):
    assert normalise(written) == normal


@given(ANY_TEXT)
def test_cleaned_and_normalised_text_can_be_stored_and_shows_nothing_hidden(text):
    for result in (clean(text), normalise(text)):
        result.encode("utf-8")
        assert not [c for c in result if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r"]
        assert not re.search("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", result)


def test_clean_keeps_what_was_written():
    assert clean("ＣＴ　檢查，\n38.5℃ 😀") == "ＣＴ　檢查，\n38.5℃ 😀"


@pytest.mark.parametrize(
    ("hans", "expected"),
    [
        ("为什么家里面条和皇后后面", "為什麼家裡麵條和皇后後面"),
        ("干净 树干 干部 干扰 口干 干痒 躯干 干细胞", "乾淨 樹幹 幹部 干擾 口乾 乾癢 軀幹 幹細胞"),
        ("发现头发，反复复发，恢复", "發現頭髮，反覆復發，恢復"),
        ("症状 癥结 只有一只 放松 松树 腊肉 药物", "症狀 癥結 只有一隻 放鬆 松樹 臘肉 藥物"),
        ("乙酰胆碱 白术 莪术 谷丙转氨酶", "乙醯膽鹼 白朮 莪朮 穀丙轉胺酶"),
        ("五脏 脏衣服 低回声 回心血量", "五臟 髒衣服 低回聲 回心血量"),
        ("急性心肌梗死 心梗死 脑梗 脑梗塞", "急性心肌梗塞 心肌梗塞 腦梗塞 腦梗塞"),
        ("房颤 心房颤动 心衰 右心衰竭 子宫颈 宫颈", "心房顫動 心房顫動 心臟衰竭 右心衰竭 子宮頸 子宮頸"),
        ("艾滋病 超声 激光 信息 综合征", "愛滋病 超音波 雷射 資訊 症候群"),
        ("肩周炎 眼周内侧 4周后 周围", "肩周炎 眼周內側 4週後 周圍"),
        ("尿酸痛风 酸痛 只手术 方面部门", "尿酸痛風 痠痛 只手術 方面部門"),
        ("土豆过敏", "馬鈴薯過敏"),
        ("做6周：每晚一次，过12周，4周时，在产后头四周第一次", "做6週：每晚一次，過12週，4週時，在產後頭四週第一次"),
        ("别只怪年纪，别只当是刀口痛，它和面瘫不同", "別只怪年紀，別只當是刀口痛，它和面癱不同"),
        ("腿部和面部的肌肉，口周、眼周发麻，两只脚", "腿部和面部的肌肉，口周、眼周發麻，兩隻腳"),
        ("东西还扎在肉里，包扎，静脉曲张，红曲", "東西還扎在肉裡，包紮，靜脈曲張，紅麴"),
        ("张不开嘴、咽不下，咽喉肌，吞咽，不要喂水喂药，西柚", "張不開嘴、嚥不下，咽喉肌，吞嚥，不要餵水餵藥，葡萄柚"),
        ("伤口脏不脏，心脏病，用清水冲洗，别再冲刺", "傷口髒不髒，心臟病，用清水沖洗，別再衝刺"),
        ("松开后酸一天，之后酸一阵，一两天后最酸", "鬆開後痠一天，之後痠一陣，一兩天後最痠"),
        ("还酸，可以轻轻揉；柠檬最酸，酸黄瓜汁，之后酸中毒", "還痠，可以輕輕揉；檸檬最酸，酸黃瓜汁，之後酸中毒"),
        ("松开后还酸，松开以后还酸，松开后还会酸", "鬆開後還痠，鬆開以後還痠，鬆開後還會痠"),
        ("过后酸，最多约一天；可能酸到明天，有一点酸，可以", "過後痠，最多約一天；可能痠到明天，有一點痠，可以"),
        ("长期吃激素，三天内开始用激素，雌激素，激素病", "長期吃類固醇，三天內開始用類固醇，雌激素，激素病"),
        ("3天后复查，10 天后、几天后、半天后面还痛", "3天後複查，10 天後、幾天後、半天後面還痛"),
        ("3天后宫缩，5天后宫外孕，两天后宫颈，天后宫", "3天後宮縮，5天後子宮外孕，兩天後子宮頸，天后宮"),
        ("带上录像，做磁共振，核磁共振检查，球后神经", "帶上錄影，做磁振造影，核磁共振檢查，球後神經"),
        ("阿片类止痛药，他汀类，阿托伐他汀类", "鴉片類止痛藥，史他汀類，阿托伐他汀類"),
        ("正在吃他汀，他汀与安慰剂，瑞舒伐他汀", "正在吃史他汀，史他汀與安慰劑，瑞舒伐他汀"),
        ("名字都以“他汀”结尾", "名字都以“他汀”結尾"),
        ("考克兰综述，甲状旁腺，球囊扩张，抗凝药", "考科藍綜述，副甲狀腺，氣球擴張，抗凝血藥"),
        ("每次 0.5 mg，每日 2 次", "每次 0.5 mg，每日 2 次"),
        ("凉水冲20分钟，边冲边打 120，冲击腹部，接着冲", "涼水沖20分鐘，邊沖邊打 120，衝擊腹部，接著衝"),
        ("能咽就喝，咽喉；什么都不喂；干木棍，干重活", "能嚥就喝，咽喉；什麼都不餵；乾木棍，幹重活"),
    ],
)
def test_hant_words(hans, expected):
    assert to_hant(hans) == expected


def test_hant_keeps_markup_addresses_and_entities_and_converts_what_is_read():
    page = (
        '<a href="/搜索?q=头发" title="头发" data-key="头发" data-say-done="头发">头&nbsp;发&lt;</a><!-- 头发 -->'
        '<meta property="og:url" content="/头发"><meta content="头发"><script>"头发"</script>体温 < 40 ℃ 头发'
    )
    assert to_hant(page) == (
        '<a href="/搜索?q=头发" title="頭髮" data-key="头发" data-say-done="頭髮">頭&nbsp;發&lt;</a><!-- 头发 -->'
        '<meta property="og:url" content="/头发"><meta content="頭髮"><script>"头发"</script>體溫 < 40 ℃ 頭髮'
    )


def test_hant_carries_what_opencc_cannot():
    assert to_hant("头发\x00头发\ud800头发\x1f头发") == "頭髮\x00頭髮\ud800頭髮\x1f頭髮"


ATTRIBUTES = st.dictionaries(
    st.sampled_from(["href", "class", "id", "data-x", "src", "value"]), st.text("头发/?=&;a 1"), max_size=3
)
TAGS = st.builds(
    lambda name, attributes: "".join([f"<{name}", *(f' {k}="{v}"' for k, v in attributes.items()), ">"]),
    st.sampled_from(["p", "a", "h2", "img", "input", "/p", "/a", "section"]),
    ATTRIBUTES,
)


@given(st.lists(st.tuples(TAGS, st.text("头发干净后面0.5 mg&amp;\n"))))
def test_hant_keeps_every_tag_byte_for_byte(pieces):
    page = "".join(tag + text for tag, text in pieces)
    converted = to_hant(page)
    for tag, text in pieces:
        assert converted.startswith(tag)
        converted = converted[len(tag) :]
        assert converted.startswith(to_hant(text))
        converted = converted[len(to_hant(text)) :]
    assert converted == ""


@given(ANY_TEXT)
def test_hant_takes_any_text_and_never_changes_ascii(text):
    # OK繃 and QR碼 are the table's two words with Latin letters; this text does not hold their sources.
    not_ascii = re.compile("[^\x00-\x7f]")
    assert not_ascii.sub("", to_hant(text)) == not_ascii.sub("", text)


def test_medical_terms_are_pairs_without_doublets_and_never_touch_a_number():
    table = (hant.files("yidian.zh") / "medical_terms.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in table if not line.startswith("#")]
    assert len(pairs) > 300
    assert all(len(pair) == 2 and all(pair) for pair in pairs)
    assert len({hans for hans, _ in pairs}) == len(pairs)
    assert not [pair for pair in pairs if re.search(r"[0-9]", "".join(pair))]


def test_hant_reads_its_configuration_without_memory_files(monkeypatch):
    monkeypatch.delattr(hant.os, "memfd_create", raising=False)
    assert hant._converter.__wrapped__().convert("艾滋病") == "愛滋病"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("肌肉痉挛", "jirou-jingluan"),
        ("小腿抽筋", "xiaotui-choujin"),
        ("CT检查：50%", "ct-jiancha-50"),
        ("女性", "nvxing"),
        ("疟疾", "nueji"),
        ("😀", ""),
        ("---", ""),
    ],
)
def test_slugify(text, slug):
    assert slugify(text) == slug


@given(ANY_TEXT, st.integers(1, 100))
def test_slugs_hold_only_ascii_words_and_hyphens(text, length):
    slug = slugify(text, length)
    assert len(slug) <= length
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?-?", slug)


def test_a_long_slug_is_cut_between_words():
    assert slugify("小腿抽筋", 12) == "xiaotui"
    assert slugify("小腿抽筋", 7) == "xiaotui"
    assert slugify("小腿", 4) == "xiao"


@pytest.mark.parametrize(
    ("word", "reading"),
    [
        ("痉挛", "jing luan"),
        ("咳血", "ke xue"),
        ("吐血", "tu xue"),
        ("便血", "bian xue"),
        ("呕吐", "ou tu"),
        ("咽喉", "yan hou"),
        ("臀部", "tun bu"),
        ("行走", "xing zou"),
        ("着凉", "zhao liang"),
        ("着床", "zhuo chuang"),
        ("骨髓", "gu sui"),
        ("鼻塞", "bi sai"),
        ("栓塞", "shuan se"),
        ("扁桃体", "bian tao ti"),
        ("大夫", "dai fu"),
        ("便秘", "bian mi"),
        ("粘膜", "nian mo"),
        ("黏膜", "nian mo"),
        ("肋间", "lei jian"),
        ("长痘", "zhang dou"),
        ("长期", "chang qi"),
        ("剥脱性皮炎", "bo tuo xing pi yan"),
        ("一氧化碳中毒", "yi yang hua tan zhong du"),
        ("调节", "tiao jie"),
        ("心率", "xin lv"),
        ("重症", "zhong zheng"),
        ("重复", "chong fu"),
    ],
)
def test_medical_polyphones(word, reading):
    assert " ".join(syllables(word)) == reading


def test_pinyin_initials_and_letter():
    assert pinyin("肌肉痉挛 CT") == "jirou jingluan ct"
    assert initials("小腿抽筋") == "xtcj"
    assert [index_letter(text) for text in ("肌肉", "痙攣", "dvt", "5岁", "😀", "")] == ["J", "J", "D", "#", "#", "#"]


def test_typed_pinyin_is_cut_into_syllables_and_other_words_are_refused():
    assert split_syllables("jiroujingluan") == ["ji", "rou", "jing", "luan"]
    assert split_syllables("jirouj") == ["ji", "rou"]
    assert split_syllables("muscle") is None
    assert split_syllables("") is None


def test_syllables_from_their_beginning():
    assert syllables_from("zhua") == ["zhua", "zhuai", "zhuan", "zhuang"]
    assert syllables_from("q1") == []


def test_readings_of_a_character_the_usual_one_first():
    assert readings("长") == ("zhang", "chang")
    assert readings("血") == ("xue", "xie")
    assert readings("椎")[0] == "zhui"
    assert readings("。") == ()


def test_sounds_fold_what_a_southern_ear_does_not_hear():
    assert sound("经") == sound("筋")
    assert sound("是") == sound("四")
    assert sound("孪") == sound("挛")
    assert sound("腿") != sound("头")


def test_grams():
    assert grams("小腿抽筋 CT") == ["小", "小腿", "腿", "腿抽", "抽", "抽筋", "筋", "ct"]
    assert grams("，。 ") == []


def test_sentences():
    assert sentences("抽筋多久好？几分钟。“别怕！”剂量 0.5 mg。\n第二行") == [
        "抽筋多久好？",
        "几分钟。",
        "“别怕！”",
        "剂量 0.5 mg。",
        "第二行",
    ]


def test_excerpt_ends_where_a_reader_can_stop():
    text = "抽筋是肌肉突然收缩。常见于夜间，也见于运动后，多数几分钟自行缓解。"
    assert excerpt(text, 90) == text
    assert excerpt(text, 20) == "抽筋是肌肉突然收缩。"
    assert excerpt("常见于夜间，也见于运动后，多数几分钟自行缓解。", 16) == "常见于夜间，也见于运动后…"
    assert excerpt("", 16) == ""


@given(ANY_TEXT, st.integers(1, 120))
def test_excerpts_are_never_longer_than_asked(text, limit):
    assert len(excerpt(text, limit)) <= limit


def test_plain():
    markup = "<h2>原因</h2><p>体温 &lt; 38<b>℃</b>&nbsp;时<br>休息</p><ul><li>水</li><li>盐</li></ul><script>x</script>"
    assert plain(markup) == "原因\n体温 < 38℃ 时\n休息\n水\n盐"
    assert plain("3 < 4") == "3 < 4"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("体温 > 40 ℃ [1]。", "体温高于40摄氏度。"),
        ("每次 10–20 mg，最多 4 g/日", "每次 10到20毫克，最多 4克每日"),
        ("30%，10%–20%", "百分之30，百分之10到百分之20"),
        ("①休息 ②拉伸", "1 休息 2 拉伸"),
        ("血压≥140/90mmHg", "血压大于等于140/90毫米汞柱"),
        ("血钾↓，血钙↑", "血钾降低，血钙升高"),
        ("• 抬腿\n- 冷敷 🧊 10 min", "抬腿\n冷敷 10分钟"),
        ("0.5-1 mg/kg", "0.5到1毫克每千克"),
        ("BMI 25 kg/m²", "BMI 25千克每平方米"),
        ("5cm×3cm", "5厘米乘3厘米"),
        ("孕12-14周[2,3]", "孕12到14周"),
        ("400-810-5790，010-12345678", "400-810-5790，010-12345678"),
        ("3D 120", "3D 120"),
        ("抽筋¹，白细胞 10⁹/L", "抽筋，白细胞 10⁹/L"),
        ("热敷/冷敷", "热敷或冷敷"),
        ("95%区间−21.1%到13.3%，冷到−5℃", "百分之95区间负百分之21.1到百分之13.3，冷到负5摄氏度"),
    ],
)
def test_read_aloud(written, said):
    assert read_aloud(written) == said


@given(st.text("0123456789.%-–~<>≥±×/ mgkl℃周天①[]()\n•"))
def test_read_aloud_never_raises(text):
    read_aloud(text)


@pytest.mark.parametrize(
    ("text", "hard"),
    [
        ("腓肠肌和腘绳肌在腿后面", ["腓肠肌", "腘绳肌"]),
        ("长效β受体激动剂，CK 升高，做 MRI", ["受体", "激动剂", "CK", "MRI"]),
        ("间歇性跛行像腿抽筋", ["间歇性跛行"]),
        ("吃氯吡格雷的人", ["吡"]),
        ("横纹肌溶解不是横纹肌", ["横纹肌溶解", "横纹肌"]),
        ("查 HbA1c，做 CT，补维生素 B12，发 QR 码", ["HbA1c"]),
        ("脚踝扭了，牙龈出血，打嗝，得过癫痫，长痱子，吃柚子和山楂", []),
        ("接受体检，高血压、糖尿病、甲状腺、抽筋，B超", []),
        ("小腿后面的肌肉突然绷成硬块，多半几分钟就过去", []),
        ("", []),
    ],
)
def test_words_that_school_does_not_teach(text, hard):
    assert [text[start:end] for start, end in hard_words(text)] == hard
