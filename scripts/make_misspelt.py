#!/usr/bin/env python3
"""Write src/yidian/triage/misspelt.txt: how the words of red flags are misspelt by sound and by shape.

One line a word's pair of characters: the right pair, then the wrong pairs that are read as it. A wrong pair differs in
one character, which sounds alike to an ear that hears no tones, no n/l, zh/z, ch/c, sh/s and no -ng/-n, or looks
alike; and it stands in no ordinary word (search/ordinary_pairs.txt), so that reading it as the right one takes no
sense away.
"""

import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src")]

from yidian.zh.pinyin import sound  # noqa: E402  (the path above)

TABLES = ROOT / "src" / "yidian" / "search"
TARGET = ROOT / "src" / "yidian" / "triage" / "misspelt.txt"
# What a red flag hangs on. Two characters are the least: one has too many that sound alike.
WORDS = """
胸口 胸闷 胸痛 胸前 胸部 胸骨 心口 心慌 心跳 心脏 心梗 呼吸 喘气 窒息 憋气 哮喘 嘴唇 嘴巴 嘴歪 嘴角 歪斜 说话
含糊 不清 半边 身子 麻木 发麻 无力 没力气 抬不起 拿不稳 拿不住 使不上 站不稳 抽搐 抽筋 惊厥 癫痫 白沫 翻白眼
昏迷 昏倒 昏厥 晕倒 晕厥 休克 意识 反应 叫不醒 瞳孔 脉搏 出血 流血 吐血 便血 咳血 呕血 尿血 鲜血 止不住 黑便
柏油 呕吐 恶心 剧痛 绞痛 剧烈 撕裂 疼痛 肚子 腹痛 肚脐 阑尾 发烧 高烧 发热 寒战 哆嗦 脖子 僵硬 紫点 出血点 过敏
喉咙 嗓子 水肿 肿胀 红肿 眼皮 舌头 中风 偏瘫 脑梗 脑出血 骨折 摔倒 摔跤 撞到 昏睡 嗜睡 糊涂 胡话 颠三倒四 头痛
头疼 脑袋 农药 百草枯 敌敌畏 除草剂 老鼠药 安眠药 洁厕灵 消毒液 自杀 割腕 跳楼 上吊 遗书 不想活 煤气 一氧化碳
中毒 触电 溺水 烫伤 烧伤 开水 水泡 毒蛇 狂犬 破伤风 血糖 低血糖 胰岛素 失明 看不见 重影 眼球 睾丸 怀孕 宫缩 羊水
破水 胎动 见红 宫外孕 产后 新生儿 黄疸 囟门 拒奶 惊跳 酱油 小便 大便 失禁 会阴 冰凉 冰冷 发紫 发青 发黑 苍白
冷汗 大汗 出汗 冒汗 虚汗 大腿 小腿 胳膊 手臂 脚趾 后背 肩膀 下巴 抓伤 咬伤 化疗 华法林 脊柱 瘫痪 气喘 鱼刺 异物
噎住 卡住 呛到 昏沉 浑身 全身 四肢 手脚 救命 硬邦邦 打滚 噁心 痉挛 眩晕 视力 模糊 血块 纽扣电池 误食 误服 中暑
抽风
"""
# Words of grammar stand beside anything: what has one of them is no misspelling, whatever the dictionary knows.
GRAMMAR = set(
    "不没后下会到看是时的了我你他她有在都和又很还要就被把让这那说上来去个一二三四五六七八九十无少药象响显体现较部漏"
)
LESS_COMMON = 8  # a character that begins or ends fewer ordinary pairs is not what a keyboard offers


def heard(char: str) -> str:
    """The sound of a character without n/l as well."""
    spoken = sound(char)
    return "l" + spoken[1:] if spoken[:1] == "n" else spoken


def main() -> None:
    ordinary: set[str] = set()
    for line in (TABLES / "ordinary_pairs.txt").read_text("utf-8").splitlines():
        if line[0] not in "#=":
            ordinary |= {line[0] + other for other in line[1:]}
    uses: dict[str, int] = defaultdict(int)
    for first, second in ordinary:
        uses[first] += 1
        uses[second] += 1
    alike: dict[str, set[str]] = defaultdict(set)
    for char, count in uses.items():
        if count >= LESS_COMMON:
            alike[heard(char)].add(char)
    shapes: dict[str, set[str]] = defaultdict(set)
    for line in (TABLES / "shapes.txt").read_text("utf-8").splitlines():
        if line and line[0] != "#":
            for char in line:
                shapes[char] |= set(line)
    right = {
        first + second for word in WORDS.split() for first, second in pairwise(word) if not GRAMMAR & {first, second}
    }
    wrong: dict[str, str] = {}
    for pair in sorted(right):
        first, second = pair
        for other in sorted(alike[heard(first)] | shapes[first]):
            wrong.setdefault(other + second, pair)
        for other in sorted(alike[heard(second)] | shapes[second]):
            wrong.setdefault(first + other, pair)
    lines: dict[str, list[str]] = defaultdict(list)
    for pair, meant in sorted(wrong.items()):
        if pair not in ordinary and pair not in right and not GRAMMAR & set(pair):
            lines[meant].append(pair)
    head = [
        "# How the words of red flags are misspelt: the right pair of characters, then what is read as it.",
        "# Made by scripts/make_misspelt.py.",
    ]
    TARGET.write_text(
        "\n".join([*head, *(" ".join([meant, *lines[meant]]) for meant in sorted(lines))]) + "\n", "utf-8"
    )


main()
