"""What is undocumented is broken: commands, options, settings, and the fields of the bundle."""

import re
from pathlib import Path

import click
import pytest

from yidian.cli.main import main
from yidian.exchange.documents import KINDS

DOCS = Path(__file__).parent.parent / "docs"
# the second is read by commands that do without Django
SETTINGS = [Path(__file__).parent.parent / "src/yidian" / name for name in ("site/settings.py", "selftests/library.py")]


def sections(text: str) -> dict[str, str]:
    """The text below each heading `## yidian command …`, by the command's words."""
    parts = re.split(r"^## yidian ([a-z -]+?)(?: (?:\[?[A-Z_]+\]?))*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(group: click.Group, words: tuple[str, ...] = ()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


@pytest.mark.parametrize(("words", "command"), list(commands(main)), ids=lambda value: str(value))
def test_every_command_and_option_is_documented(words, command):
    described = sections((DOCS / "operators/commands.md").read_text("utf-8"))
    assert words in described
    for option in command.params:
        if isinstance(option, click.Option):
            assert f"`{option.opts[0]}`" in described[words], f"{words} {option.opts[0]}"
            assert option.help


def test_no_command_is_documented_that_is_gone():
    described = sections((DOCS / "operators/commands.md").read_text("utf-8"))
    assert set(described) <= {words for words, _ in commands(main)}


def test_every_setting_is_documented_and_no_other():
    text = "".join(path.read_text("utf-8") for path in SETTINGS)
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", text)) | set(re.findall(r"_flag\(\"([A-Z_]+)\"", text))
    from_commands = {
        option.envvar for _, command in commands(main) for option in command.params if isinstance(option.envvar, str)
    }
    table = (DOCS / "operators/settings.md").read_text("utf-8")
    assert read | from_commands == set(re.findall(r"^\| `([A-Z_]+)` \|", table, flags=re.MULTILINE))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_of_the_bundle_is_documented(kind):
    text = (DOCS / "authors/bundle.md").read_text("utf-8")
    assert kind.path_of("<slug>").replace("questions/<slug>", "questions/<id>") in text
    for field in kind.fields:
        for each in (field, *field.fields):
            assert re.search(rf"[`\s{{]{each.name}[`:]", text), f"{kind.name}: {each.name}"
