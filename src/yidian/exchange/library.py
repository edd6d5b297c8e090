"""Finding in a file what the site's own answers say already."""

import html
import json
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from zlib import crc32

from django.db import connection

from yidian.answers.models import Answer, Question
from yidian.exchange.duplicates import Sketches, said_pairs, similar
from yidian.zh.normalise import normalise

# Answers read at once: 5 MB of text.
_CHUNK = 4_000
_LINE_END = re.compile(r"</(?:p|li)>")
_TAG = re.compile(r"<[^<>]*>")


class Library:
    """The answers that the site holds before an import, and which rows of a file repeat one of them.

    They are read through once, when the first row comes that the site lacks: about 100 µs of CPU and 60 bytes each, and
    at most 64 MB for all together. Same ones are always found; of a million, 4 % of the oldest near ones are not.
    """

    def __init__(self):
        self._sketches: Sketches | None = None
        self._answers = array("Q")
        self._texts = array("Q")  # sorted: 32 bits that tell a text from others, and the number of its answer
        self._exact, self._near = array("Q"), array("Q")  # pairs, flat: row, answer, …

    def repeats(self, number: int, text: str) -> bool:
        """Whether some answer of the site, with its question, says the same as a row or nearly the same."""
        if self._sketches is None:
            self._read()
        if not self._answers:
            return False
        normal = normalise(text)
        for nth in chain(self._same(normal), self._sketches.alike(normal, file=False)):
            found = self._rows("answer.id = %s", [self._answers[nth]])
            other = normalise(_text(*found[0][1:])) if found else ""
            if similar(normal, other):
                (self._exact if other == normal else self._near).extend((number, self._answers[nth]))
                return True
        return False

    def _same(self, normal: str) -> Iterator[int]:
        word = crc32(normal.encode())
        for at in range(bisect_left(self._texts, word << 32), len(self._texts)):
            if self._texts[at] >> 32 != word:
                return
            yield self._texts[at] & 0xFFFFFFFF

    @property
    def found(self) -> bool:
        return bool(self._exact or self._near)

    def lines(self) -> list[str]:
        """What was found, for people: the counts, then every row with the address of what it repeats."""
        said = []
        for label, pairs in (("完全相同", self._exact), ("几乎相同", self._near)):
            slugs = dict(
                pair
                for at in range(1, len(pairs), 2 * _CHUNK)
                for pair in Answer.objects.filter(pk__in=pairs[at : at + 2 * _CHUNK : 2]).values_list(
                    "pk", "question__slug"
                )
            )
            known = zip(pairs[::2], (f"/{Question.section}/{slugs.get(pk, '')}/" for pk in pairs[1::2]), strict=True)
            said += said_pairs(f"和网站上已有的问答{label}", known)
        return said

    def _read(self) -> None:
        self._sketches = Sketches(Answer.objects.count())
        last = 0
        while rows := self._rows("answer.id > %s", [last]):
            for pk, *words in rows:
                normal = normalise(_text(*words))
                self._texts.append(crc32(normal.encode()) << 32 | len(self._answers))
                self._answers.append(pk)
                self._sketches.alike(normal, file=True)
            last = rows[-1][0]
        self._texts = array("Q", sorted(self._texts))

    def _rows(self, where: str, values: list) -> list[tuple]:
        # by hand: a million rows as a queryset would cost as much as comparing them
        quoted = connection.ops.quote_name
        answers, questions = quoted(Answer._meta.db_table), quoted(Question._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT answer.id, question.name, question.detail, answer.body FROM {answers} answer "  # noqa: S608
                f"JOIN {questions} question ON question.id = answer.question_id "
                f"WHERE {where} ORDER BY answer.id LIMIT {_CHUNK}",
                values,
            )
            return cursor.fetchall()


def _text(name: str, detail: str, body: str) -> str:
    """What a row of a file says, of an answer of the site: without markup, in the same order."""
    texts = []
    for block in json.loads(body or "[]"):
        value = block["value"]
        written = value.get("text", "") if isinstance(value, dict) else value
        if isinstance(written, str):
            texts.append(html.unescape(_TAG.sub("", _LINE_END.sub("\n", written))))
    return f"{name}{detail}{''.join(texts)}"
