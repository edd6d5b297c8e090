#!/usr/bin/env python3
"""Write src/yidian/search/ordinary_pairs.txt from the dictionary of jieba (MIT licence, Sun Junyi).

make_ordinary_pairs.py path/to/jieba/dict.txt
"""

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

# From what frequency a pair of neighbouring characters counts as much as how many mentions on a site.
CLASSES = {1000: 60, 100: 20, 30: 8, 10: 4, 5: 2}
TARGET = Path(__file__).parent.parent / "src/yidian/search/ordinary_pairs.txt"


def main() -> None:
    frequency: Counter[str] = Counter()
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        word, number, _ = line.split(" ")
        for first, second in pairwise(word):
            if min(first, second) >= "\u3400":
                frequency[first + second] += int(number)
    lines = [
        "# Characters that stand side by side in ordinary words, so that a new site takes none for a typing error.",
        "# Made by scripts/make_ordinary_pairs.py from the dictionary of jieba 0.42.1",
        "# (MIT licence, copyright 2013 Sun Junyi).",
        "# '= n': each pair below counts as n mentions. A line: a character, then those that follow it.",
    ]
    left = dict(frequency)
    for least, mentions in CLASSES.items():
        lines.append(f"= {mentions}")
        followers: dict[str, str] = {}
        for pair in sorted(pair for pair, number in left.items() if number >= least):
            followers[pair[0]] = followers.get(pair[0], "") + pair[1]
            del left[pair]
        lines += [first + rest for first, rest in followers.items()]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
