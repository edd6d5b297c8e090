"""What of the red flags and self-tests rests on sources that nobody has read again for it."""

from collections.abc import Iterator


def unread_sources() -> Iterator[str]:
    """One line for each source of rules and of self-tests that was not read, and for each rule with no other source."""
    from yidian.selftests import general
    from yidian.selftests.library import self_tests
    from yidian.triage.rulebook import load

    book = load()
    unread = {name for name, source in book.sources.items() if source["basis"] == "known"}
    for name in sorted(unread):
        yield f"红旗的来源 {name}: {book.sources[name]['title']}"
    for rule in book.rules.values():
        if unread.issuperset(rule.sources):
            yield f"红旗 {rule.id}: {rule.heading}（{'、'.join(rule.sources)}）"
    for slug, test in self_tests().items():
        if slug == general.SLUG:
            continue  # made from the rules above
        for source in test.sidecar["sources"]:
            if source["read"] == "known":
                yield f"自测的来源 {slug}/{source['id']}: {source['title']}"
