"""Self-tests in the site's search: they are files, so a start tells search of them, and not a change of a row."""

import re
from collections.abc import Iterable

from django.db import transaction

from yidian.search.actions import index_later, index_names, remove_names
from yidian.search.documents import Document
from yidian.search.models import Name
from yidian.selftests.library import SelfTest, self_tests

KIND = "self_test"
# Below what answers a question as well as they do: a self-test asks one in return.
WEIGHT = 0.8
_IN_BRACKETS = re.compile(r"（(.+?)）")


def documents(slugs: Iterable[str]) -> list[Document]:
    """The self-tests among `slugs` as search sees them; what is no longer there is left out."""
    return [_document(self_tests()[slug]) for slug in slugs if slug in self_tests()]


def every() -> list[Document]:
    """All self-tests as search sees them."""
    return documents(self_tests())


def _names(test: SelfTest) -> list[str]:
    """What people call it beside its title: 抑郁自测（PHQ-9） is also 抑郁自测, PHQ-9 and PHQ9."""
    short = _IN_BRACKETS.findall(test.title)
    return [_IN_BRACKETS.sub("", test.title), *short, *(name.replace("-", "") for name in short)]


def _document(test: SelfTest) -> Document:
    body = [test.description, "、".join(test.sidecar["keywords"]), test.sidecar["audience"], "自测、量表、打分、测一测"]
    return Document(KIND, test.slug, (test.title, *_names(test)), "\n".join(body), lead=body[0], url=test.url)


@transaction.atomic
def bring_in_line() -> None:
    """Makes search know exactly the self-tests of this start."""
    for test in self_tests().values():
        index_names(KIND, test.slug, test.url, test.title, _names(test))
        index_later(KIND, test.slug)
    gone = Name.objects.filter(kind=KIND).exclude(object_id__in=self_tests())
    for slug in set(gone.values_list("object_id", flat=True)):
        remove_names(KIND, slug)
        index_later(KIND, slug)
