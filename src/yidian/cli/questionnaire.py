"""`yidian questionnaire …`: FHIR questionnaires on the command line; no database is opened."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import click

from yidian.cli.words import Failure


@click.group()
def questionnaire() -> None:
    """自测和 FHIR 问卷：检查，计分。"""


SEVERITIES = {"fatal": "严重错误", "error": "错误", "warning": "提醒", "information": "说明"}


@questionnaire.command()
@click.argument("file", required=False, type=click.File("rb"))
@click.option("--response", type=click.File("rb"), help="答卷：QuestionnaireResponse 的 JSON 文件。")
@click.option(
    "--with", "beside", multiple=True, type=click.File("rb"), help="旁边的 ValueSet、CodeSystem 或问卷，可以给几个。"
)
@click.option("--fhir", type=click.Choice(["R4", "R4B", "R5"]), default="R4", show_default=True, help="FHIR 的版本。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 FHIR OperationOutcome。")
def validate(file, response, beside: tuple, fhir: str, as_json: bool) -> None:
    """检查问卷 FILE，和照它填的答卷。FILE 是 -，就从标准输入读。

    只给 --response 时，按答卷写的网址在 --with 的文件和自带的自测里找问卷。有错误时退出码是 1。
    """
    from yidian.questionnaire.outcome import has_errors, operation_outcome

    if file is None and response is None:
        raise click.UsageError("请给一份问卷 FILE，或用 --response 给一份答卷。")
    issues = _check(file, response, beside, fhir)
    checked = operation_outcome(issues)
    if as_json:
        click.echo(json.dumps(checked, ensure_ascii=False, indent=2))
    else:
        for issue in checked["issue"]:
            place = f"{issue['expression'][0]}：" if "expression" in issue else ""
            click.echo(f"{SEVERITIES[issue['severity']]}：{place}{issue['diagnostics']}")
    if has_errors(checked):
        wrong = sum(issue.severity in ("error", "fatal") for issue in issues)
        click.echo(f"检查没有通过：{wrong} 个错误，见上。", err=True)
        sys.exit(1)


def _check(file, response, beside: tuple, fhir: str) -> list:
    """The issues of the questionnaire; or of the response against it, with the questionnaire's own as an aside."""
    from yidian.questionnaire.reading import read_json
    from yidian.questionnaire.validate import questionnaire_issues, response_issues
    from yidian.selftests.library import self_tests

    issues, supplements = [], []
    for source in beside:
        document, faults = read_json(source.read())
        issues += [replace(fault, diagnostics=f"{source.name}：{fault.diagnostics}") for fault in faults]
        supplements.append(document)
    form = None
    if file is not None:
        form, faults = read_json(file.read(), "Questionnaire")
        issues += faults
        if form is None:
            return issues
        if response is None and isinstance(form, dict) and form.get("resourceType") == "QuestionnaireResponse":
            shipped = [test.form.questionnaire for test in self_tests().values()]
            return issues + response_issues(form, None, fhir, [*supplements, *shipped])
        found = questionnaire_issues(form, fhir, supplements)
        issues += [_aside(issue) for issue in found] if response is not None else found
    if response is not None:
        answers, faults = read_json(response.read(), "QuestionnaireResponse")
        issues += faults
        if answers is not None:
            shipped = [test.form.questionnaire for test in self_tests().values()] if form is None else []
            issues += response_issues(answers, form, fhir, [*supplements, *shipped])
    return issues


def _aside(issue):
    """An error of the questionnaire itself, where the response is what is checked."""
    if issue.severity != "error":
        return issue
    return replace(issue, severity="warning", diagnostics=f"问卷本身：{issue.diagnostics}")


@questionnaire.command()
@click.argument("selftest")
@click.option("--response", type=click.File("rb"), required=True, help="答卷：QuestionnaireResponse 的 JSON 文件。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def score(selftest: str, response, as_json: bool) -> None:
    """给自测 SELFTEST（网址里的名字，或一个 JSON 文件）的答卷计分，并说明是怎么算的。"""
    from yidian.questionnaire.outcome import has_errors, operation_outcome
    from yidian.questionnaire.reading import read_json
    from yidian.questionnaire.scoring import answers_of, outcome
    from yidian.questionnaire.validate import response_issues
    from yidian.selftests.library import read, self_tests

    path = Path(selftest)
    if selftest in self_tests():
        found = self_tests()[selftest]
    elif path.suffix == ".json" and path.is_file() and path.with_suffix(".yaml").is_file():
        found = read(path)
    else:
        raise click.BadParameter(f"没有这个自测：{selftest}。有的是：{'、'.join(self_tests())}")
    document, issues = read_json(response.read(), "QuestionnaireResponse")
    if document is not None or not issues:
        document = _completed(document, found.form)
        issues += response_issues(document, found.form.questionnaire)
    checked = operation_outcome(issues)
    if has_errors(checked):
        if as_json:
            click.echo(json.dumps(checked, ensure_ascii=False, indent=2))
        wrong = [issue["diagnostics"] for issue in checked["issue"] if issue["severity"] in ("error", "fatal")]
        raise Failure("答卷有错，没有计分。", *wrong)
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
    click.echo("筛查不是诊断，没有发现什么也不说明没有病。")


def _completed(document, form):
    """The response as people write it by hand, with the status and the coding systems that go without saying."""
    if isinstance(document, list):
        return [_completed(each, form) for each in document]
    if not isinstance(document, dict):
        return document
    made = {key: _completed(value, form) for key, value in document.items()}
    if made.get("resourceType") == "QuestionnaireResponse":
        made.setdefault("status", "completed")
    asked = form.asked.get(made.get("linkId")) if isinstance(made.get("linkId"), str) else None
    for answer in made.get("answer", ()) if asked and isinstance(made.get("answer"), list) else ():
        coding = answer.get("valueCoding") if isinstance(answer, dict) else None
        if isinstance(coding, dict) and "system" not in coding:
            option = asked.option(coding.get("code"))
            coding |= {"system": option.system} if option and option.system else {}
    return made
