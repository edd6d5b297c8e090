"""The public synonyms as plain rows, for whoever matches words."""

from yidian.terms.models import SynonymGroup


def synonym_rows() -> list[tuple[str, str, str, tuple[str, ...], str, tuple[str, ...]]]:
    """Each public group by slug, as `search.lexicon.Term` takes it; one query.

    Slug, standard term, category, the other words, the slug of the broader group ("" for none), descriptions.
    """
    columns = ("slug", "name", "category", "alternate_names", "broader__slug", "descriptions")
    rows = SynonymGroup.objects.public().order_by("slug").values_list(*columns)
    return [
        (slug, name, category, _lines(others), broader or "", _lines(descriptions))
        for slug, name, category, others, broader, descriptions in rows
    ]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(word for line in text.splitlines() if (word := line.strip()))
