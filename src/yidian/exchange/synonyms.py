"""That a bundle's word stands in one group of synonyms only, in the bundle and beside what the site has."""

from collections.abc import Iterable

from yidian.exchange.documents import Problem, Record
from yidian.search.keys import match_form
from yidian.terms.models import OWN_BROADER, SynonymGroup, taken_message

# The slug and name of the group that has a word, by the word's match form.
Owners = dict[str, tuple[str, str]]


def owners_of(records: Iterable[Record]) -> Owners:
    """Which group has each word of a bundle's records; the first where two have it."""
    owners: Owners = {}
    for record in records:
        for word in _words(record):
            owners.setdefault(match_form(word), (record.key, record.values["name"]))
    return owners


def owners_on_site(coming: Iterable[str] = ()) -> Owners:
    """Which group of this site has each word, without the groups that a bundle writes anew; one query."""
    groups = SynonymGroup.objects.exclude(slug__in=set(coming)) if coming else SynonymGroup.objects.all()
    return {
        form: (slug, name)
        for slug, name, matched in groups.values_list("slug", "name", "matched")
        for form in matched.split("\n")
        if form
    }


def synonym_faults(record: Record, owners: Owners) -> Iterable[Problem]:
    """A problem for each word that another group has, and for a group that stands above itself."""
    if any(each.key == record.key for each in record.references if each.kind == "synonym_group"):
        yield record.problem("broader", OWN_BROADER.rstrip("。"))
    for word in _words(record):
        slug, name = owners.get(match_form(word), (record.key, ""))
        if slug != record.key:
            field = "name" if word == record.values["name"] else "alternate_names"
            yield record.problem(field, taken_message(word, name, slug).rstrip("。"))


def _words(record: Record) -> list[str]:
    return [record.values["name"], *record.values.get("alternate_names", [])]
