"""Units of Chinese text for indexing, without a word segmenter."""

import re

from yidian.zh.normalise import normalise

# Han, the ideographic zero and the iteration mark; and words of Latin, Greek, Cyrillic letters and digits.
HAN = "\u3007\u3005\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(f"([{HAN}]+)|([^\\W_{HAN}]+(?:[.'-][^\\W_{HAN}]+)*)")


def runs(normal: str) -> list[tuple[str, bool]]:
    """The Han runs and the whole other words of a normalised text, in order, each with whether it is Han."""
    return [(found.group(), bool(found.group(1))) for found in _RUN.finditer(normal)]


def grams(text: str) -> list[str]:
    """Character unigrams and bigrams over Han runs, and whole Latin or digit words, in order of the text.

    The text is normalised first: 小腿抽筋 CT → 小, 小腿, 腿, 腿抽, 抽, 抽筋, 筋, ct.
    """
    found: list[str] = []
    for run, is_han in runs(normalise(text)):
        if not is_han:
            found.append(run)
            continue
        for at, char in enumerate(run):
            found.append(char)
            if at + 1 < len(run):
                found.append(run[at : at + 2])
    return found
