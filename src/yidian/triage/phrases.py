"""The small language in which rules say how people write a red flag.

A concept is a set of ways to say one thing, written once in `lexicon.yaml`. A word of the lexicon may hold `[abc]`
(one of these characters), `(甲|乙)` (one of these), `?` after either or after a character (or not at all), and
`(甲|乙)*` (any number of these, up to six): `(胸|胸口)(很|一直|又)*(疼|痛)`. `\\d+` is a number.

A pattern is concepts, Chinese words and measures joined by `+` (any order) or `>` (in this order, close together),
all within a window of characters: `chest + pressure`, `mouth > crooked /5`, `fever + temp>=40`, `chest|back + tearing`.
One that begins with `~ ` is too wide by itself: it counts where `likeness` agrees. One that begins with `! ` is sure:
it counts whatever `likeness` says. Any other of an emergency counts unless `likeness` doubts it.
"""

import re
from collections.abc import Mapping

WINDOW = 16  # characters from the first to the last word: one long or two short clauses
NEAR = 8  # the same for words in order
SURE, PLAIN, WIDE = "!", "", "~"  # how much a pattern says by itself
MEASURES = ("temp", "sbp", "dbp", "glucose", "spo2", "pulse", "minutes", "age", "weeks", "pills", "breaths")
FACTS = ("pregnant", "female", "male", "child", "old")

_MEASURE = re.compile(rf"({'|'.join(MEASURES)})(>=|<=|>|<)(\d+(?:\.\d+)?)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PART = re.compile(r"(\[[^\]]+\]|\([^()]+\)|.)([?*+]?)", re.DOTALL)
_DIGITS = "0123456789"
_MOST_WORDS = 1500  # of one entry: one that multiplies out to more is a mistake


class PhraseError(ValueError):
    """A phrase or a concept that cannot be read; says in Chinese what is wrong."""


def read_concepts(written: Mapping) -> dict[str, list]:
    """Each concept's words; a word with `*` is a list [heads, fillers, tails, fillers, tails …]."""
    concepts: dict[str, list] = {}
    for name, words in written.items():
        if not _NAME.fullmatch(str(name)):
            raise PhraseError(f"概念的名称用小写英文字母：{name!r}。")
        listed = words.split() if isinstance(words, str) else None
        if not listed:
            raise PhraseError(f"概念 {name} 后面要写它的各种说法。")
        concepts[name] = _read_words(listed, concepts)
    return concepts


def _read_words(listed: list[str], concepts: Mapping[str, list]) -> list:
    plain: set[str] = set()
    chains: list[list[list[str]]] = []
    for word in listed:
        if word.startswith("@"):
            if word[1:] not in concepts:
                raise PhraseError(f"没有“{word[1:]}”这个概念，或它写在后面。")
            plain |= {each for each in concepts[word[1:]] if isinstance(each, str)}
            chains += [each for each in concepts[word[1:]] if not isinstance(each, str)]
            continue
        segments = expand(word)
        if len(segments) == 1:
            plain |= set(segments[0])
        else:
            chains.append(segments)
    return [*sorted(plain), *chains]


def expand(word: str) -> list[list[str]]:
    """`(手|脚)(很|又)*[麻抖]` as [words, fillers, words …], each written out; one list when there is no `*`."""
    segments: list[list[str]] = [[""]]
    for core, mark in _PART.findall(word.replace(r"\d+", "(#)*") if "(" not in word else word):
        if core.startswith("["):
            choices = list(core[1:-1])
        elif core.startswith("("):
            choices = [each for choice in core[1:-1].split("|") for each in _written_out(choice)]
        else:
            choices = [core]
        numeric = [choice for choice in choices if choice in ("\\d+", "#")]
        if numeric:
            choices = [choice for choice in choices if choice not in ("\\d+", "#")]
            if segments == [[""]]:  # a number in front is left to the measures
                mark = "?" if not choices else mark
            else:
                choices, mark = [*choices, *_DIGITS], "*"
        if mark == "*":
            segments += [choices, [""]]
            continue
        if mark == "?":
            choices = [*choices, ""]
        segments[-1] = [start + choice for start in segments[-1] for choice in choices]
        if len(segments[-1]) > _MOST_WORDS:
            raise PhraseError(f"“{word}”展开成 {_MOST_WORDS} 种以上的说法，请拆开写。")
    while len(segments) > 1 and set(segments[-1]) <= {""}:  # fillers at the end add nothing
        segments = segments[:-2]
    if set(segments[0]) <= {""} and len(segments) > 2:
        segments = segments[2:]
    segments = [sorted(set(each), key=lambda choice: (-len(choice), choice)) for each in segments]
    segments[0] = [choice for choice in segments[0] if choice]
    if not segments[0]:
        raise PhraseError(f"“{word}”可以什么都没有。")
    return segments


def _written_out(choice: str) -> list[str]:
    """An alternative with `[甲乙]` or `?` of its own as all it stands for; a number stays as it is."""
    if choice == "" or choice == r"\d+" or not set(choice) & set("[?"):
        return [choice]
    return expand(choice)[0]


def read_pattern(written, concepts: Mapping) -> tuple:
    """(terms, ordered, window, strength); a term is a tuple of alternatives: concept, fact, (measure, sign, number)."""
    if not isinstance(written, str):
        raise PhraseError(f"说法要写成一行文字：{written!r}。")
    strength = written[0] if written[1:2] == " " and written[0] in (SURE, WIDE) else PLAIN
    body, _, width = written.removeprefix(f"{strength} " if strength else "").partition(" /")
    ordered = " > " in body
    if ordered and " + " in body:
        raise PhraseError(f"“{written}”里 + 和 > 不能混用。")
    pieces = body.split(" > " if ordered else " + ")
    window = NEAR if ordered else WINDOW
    if width:
        if not width.strip().isdigit():
            raise PhraseError(f"“{written}”里 / 后面要写字数。")
        window = int(width)
    terms = tuple(
        tuple(_read_alternative(alternative, concepts, written) for alternative in _alternatives(piece))
        for piece in pieces
    )
    return terms, ordered, window, strength


def _alternatives(piece: str) -> list[str]:
    """Split at `|` outside parentheses."""
    return [each.strip() for each in re.split(r"\|(?![^()]*\))", piece)]


def _read_alternative(word: str, concepts: Mapping, written: str):
    if measure := _MEASURE.fullmatch(word):
        return (measure[1], measure[2], float(measure[3]))
    if word in FACTS or word in concepts:
        return word
    if not word or _NAME.fullmatch(word):
        raise PhraseError(f"“{written}”里的“{word}”不在 lexicon.yaml 里。")
    # a word of the rule's own becomes a concept named by itself
    concepts.setdefault(f"={word}", _read_words([word], concepts))  # ty: ignore
    return f"={word}"
