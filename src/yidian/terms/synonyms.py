"""The public synonyms as plain rows, for whoever matches words."""

from yidian.terms.models import SynonymGroup


def synonym_rows() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Slug, standard term, category and the other words of each public group, by slug; one query."""
    rows = SynonymGroup.objects.public().order_by("slug").values_list("slug", "name", "category", "alternate_names")
    return [
        (slug, name, category, tuple(word for line in others.splitlines() if (word := line.strip())))
        for slug, name, category, others in rows
    ]
