"""`yidian questionnaire …`: FHIR questionnaires on the command line; no database is opened."""

import json
from pathlib import Path

import click

from yidian.cli.words import Failure


@click.group()
def questionnaire() -> None:
    """自测和 FHIR 问卷：检查，计分。"""


@questionnaire.command()
@click.argument("selftest")
@click.option("--response", type=click.File("rb"), required=True, help="答卷：QuestionnaireResponse 的 JSON 文件。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def score(selftest: str, response, as_json: bool) -> None:
    """给自测 SELFTEST（网址里的名字，或一个 JSON 文件）的答卷计分，并说明是怎么算的。"""
    from yidian.questionnaire.outcome import Issue, has_errors, operation_outcome
    from yidian.questionnaire.reading import read_json
    from yidian.questionnaire.scoring import answers_of, outcome
    from yidian.selftests.library import read, self_tests

    path = Path(selftest)
    if selftest in self_tests():
        found = self_tests()[selftest]
    elif path.suffix == ".json" and path.is_file() and path.with_suffix(".yaml").is_file():
        found = read(path)
    else:
        raise click.BadParameter(f"没有这个自测：{selftest}。有的是：{'、'.join(self_tests())}")
    document, issues = read_json(response.read())
    if not issues and not (isinstance(document, dict) and document.get("resourceType") == "QuestionnaireResponse"):
        text = "不是 QuestionnaireResponse。请给一份 FHIR R4 的答卷。"
        issues = [Issue("fatal", "structure", text, "QuestionnaireResponse.resourceType")]
    checked = operation_outcome(issues)
    if has_errors(checked):
        if as_json:
            click.echo(json.dumps(checked, ensure_ascii=False, indent=2))
        raise Failure("答卷有错，没有计分。", *(issue["diagnostics"] for issue in checked["issue"]))
    result = outcome(found.form, answers_of(document))
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        return
    click.echo(found.title)
    for rule in result["red_flags"]:
        click.echo(f"{rule['heading']}：{rule['message']}")
    for line in result["explanation"]:
        click.echo(line)
    for rule in result["not_excluded"]:
        click.echo(f"没有排除：{rule['heading']}：{rule['message']}")
