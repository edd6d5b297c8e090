"""`yidian guide …`: action guides for other systems."""

import json

import click

from yidian.cli.ready import prepare
from yidian.cli.words import Failure


@click.group()
def guide() -> None:
    """行动指南：给别的系统用的格式。"""


@guide.command()
@click.argument("slug")
def plan(slug: str) -> None:
    """把公开的行动指南 SLUG 写成一份 FHIR R4 PlanDefinition（JSON）。"""
    prepare()
    from django.http import Http404

    from yidian.web.views import plan_of_guide

    try:
        made, _tags = plan_of_guide(slug)
    except Http404 as error:
        raise Failure(f"没有公开的行动指南 {slug}。", "网址里 /guides/ 后面的拼音就是 SLUG。") from error
    click.echo(json.dumps(made, ensure_ascii=False, indent=2))
