"""The command `yidian`."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

import yidian
from yidian.cli.bench_selftests import self_tests_command
from yidian.cli.guide import guide
from yidian.cli.questionnaire import questionnaire
from yidian.cli.ready import load, prepare
from yidian.cli.search import related, search
from yidian.cli.search_evaluate import evaluate
from yidian.cli.triage import triage
from yidian.cli.words import Failure, no_traceback, progress
from yidian.exchange import formats

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """Faults of the machine end in two lines, not in a traceback."""

    def invoke(self, ctx):
        with no_traceback():
            return super().invoke(ctx)

    def list_commands(self, ctx):
        return list(self.commands)  # in the order in which people meet them


@click.group(cls=_Commands, context_settings=_HELP)
@click.version_option(yidian.__version__, message="yidian %(version)s")
def main() -> None:
    """医典：自己就能架起来的实用医学百科。

    数据放在 YIDIAN_DATA 指定的文件夹（默认 ./var）。第一次用，运行 yidian serve。
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yidian.site.settings")


@main.command()
@click.option("--host", envvar="HOST", default="127.0.0.1", show_default=True, help="监听的地址；0.0.0.0 是全部。")
@click.option("--port", envvar="PORT", default=8000, show_default=True, type=click.IntRange(0, 65535), help="端口。")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="工作进程数。")
def serve(host: str, port: int, workers: int) -> None:
    """启动网站。第一次会建好数据库，装上起步百科，建一个编辑账号。"""
    os.environ["PORT"] = str(port)  # the site's own address, unless YIDIAN_ORIGIN says another
    prepare()
    from yidian.cli import start
    from yidian.cli.serve import serve as run

    if start.load_starter(progress):
        click.echo("已装上起步百科。")
    else:
        start.renew_derived(progress)
    if account := start.first_account():
        click.echo(f"编辑账号：{account[0]}  密码：{account[1]}（只显示这一次，请记下）")
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 compared, not bound
        click.echo(f"编辑后台：http://{shown}:{port}/admin/")
    if host not in ("127.0.0.1", "localhost", "::1") and not os.environ.get("YIDIAN_ORIGIN"):
        click.echo("别的电脑还打不开：请写明读者用的网址，再启动一次。例如：", err=True)
        click.echo(f"YIDIAN_ORIGIN=http://192.168.1.10:{port} yidian serve --host {host} --port {port}", err=True)
    sys.stdout.flush()
    sys.exit(run(host, port, workers))


@main.command()
@click.option("--remove", is_flag=True, help="删掉演示内容带来的一切。")
def demo(remove: bool) -> None:
    """装上演示内容：演示医院、演示医生和他们的回答，页面上都标着“演示”。"""
    prepare()
    from yidian.cli import start
    from yidian.exchange.archive import open_bundle
    from yidian.exchange.bundle import remove_brought
    from yidian.exchange.documents import read_header

    if remove:
        with open_bundle(start.DEMO) as files:
            title = read_header(files.read("bundle.yaml"))["title"]
        count = remove_brought(title, report=_say_error)
        click.echo(f"已删掉 {count} 条演示内容。" if count else "没有演示内容要删。")
        return
    start.load_starter(progress)
    _bring_in(start.DEMO, dry_run=False, publish=False, overwrite=False)
    click.echo("演示内容已装上，页面上都标着“演示”。要删掉，运行：yidian demo --remove")


def _say_error(line: str) -> None:
    click.echo(line, err=True)


def _import_bundle(path: Path, **options):
    from yidian.exchange.bundle import import_bundle

    return import_bundle(path, **options)


def _importer(format_name: str, origin: str, licence: str, skip_duplicates: bool) -> Callable:
    if format_name == "bundle":
        for value, option in ((origin, "--origin"), (licence, "--licence"), (skip_duplicates, "--skip-duplicates")):
            if value:
                raise click.UsageError(f"{option} 只用于别人的格式；内容包自己写明来源和许可。")
        return _import_bundle
    load()
    from yidian.exchange.foreign import import_foreign

    return partial(
        import_foreign, format_name=format_name, origin=origin, licence=licence, skip_duplicates=skip_duplicates
    )


def _bring_in(path: Path, importer: Callable = _import_bundle, *, dry_run: bool, publish: bool, overwrite: bool) -> int:
    """Imports, says the counts, and answers how many records were rejected."""
    from yidian.exchange.archive import BundleError

    say = click.echo if dry_run else _say_error
    try:
        counts = importer(path, dry_run=dry_run, publish=publish, overwrite=overwrite, progress=progress, report=say)
    except BundleError as error:
        raise Failure(str(error)) from error
    click.echo(str(counts))
    return counts.rejected


@main.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["bundle", *formats.names()]),
    default="bundle",
    show_default=True,
    help="格式。",
)
@click.option("--origin", default="", help="来源，记在每条内容上；默认是格式自己的来源，或文件名。")
@click.option("--licence", default="", help="许可，记在每条内容上。")
@click.option("--dry-run", is_flag=True, help="只说会改什么，什么也不写。")
@click.option("--publish", is_flag=True, help="别人的格式导入后直接公开；内容包总是照自己写的 status。")
@click.option("--overwrite", is_flag=True, help="网站上改过的内容也覆盖。")
@click.option("--skip-duplicates", is_flag=True, help="问答里和前面的行相同或几乎相同的，不导入。")
def import_(path: Path, format_name: str, origin: str, licence: str, skip_duplicates: bool, **options: bool) -> None:
    """把 PATH（内容包的文件夹或 .zip，或别人格式的一个文件）导入网站。

    同一份内容再导入一次，什么也不变；中途断了，再来一次就接着导入。有记录被拒绝时退出码是 1，其余照常导入。
    """
    importer = _importer(format_name, origin.strip(), licence.strip(), skip_duplicates)
    prepare()
    if _bring_in(path, importer, **options):
        sys.exit(1)


@main.command()
@click.argument("target", metavar="DIR_OR_ZIP", type=click.Path(path_type=Path))
def export(target: Path) -> None:
    """把全部内容导出成内容包：一个文件夹，或一个 .zip。

    内容相同，导出的文件逐字节相同。
    """
    prepare()
    from yidian.exchange.archive import BundleError
    from yidian.exchange.bundle import export_bundle

    try:
        count = export_bundle(target, progress=progress, report=_say_error)
    except BundleError as error:
        raise Failure(str(error)) from error
    click.echo(f"已导出 {count} 条到 {target}")


@main.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--with", "beside", multiple=True, type=click.Path(path_type=Path), help="PATH 依靠的另一个内容包。")
@click.option("--sources", is_flag=True, help="列出只凭一般医学常识、还没有出处的内容。")
@click.option("--deploy", is_flag=True, help="再查公开上线前该有的设置。")
def check(path: Path | None, beside: tuple[Path, ...], sources: bool, deploy: bool) -> None:
    """检查内容包 PATH；不给 PATH 时，检查这份安装。"""
    if path is not None:
        _check_bundle(path, beside)
        return
    load()
    from yidian.cli import start

    if sources:
        from yidian.cli.unread import unread_sources
        from yidian.exchange.check import list_general_knowledge

        start.prepare_database()
        count = list_general_knowledge(click.echo)
        for line in (unread := list(unread_sources())):
            click.echo(line)
        click.echo(f"共 {count} 条内容只凭一般医学常识，出处待查；红旗和自测有 {len(unread)} 处只凭没有重读过的原文。")
        return
    _check_installation(deploy)


def _check_bundle(path: Path, beside: tuple[Path, ...]) -> None:
    load()
    from yidian.exchange.archive import BundleError
    from yidian.exchange.check import check_bundle

    try:
        problems = check_bundle(path, beside)
    except BundleError as error:
        raise Failure(str(error)) from error
    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        named = f"{problem.field}: {problem.message}" if problem.field else problem.message
        click.echo(f"{place}: {problem.level}: {named}")
    errors = sum(problem.level == "error" for problem in problems)
    click.echo(f"{errors} 个错误，{len(problems) - errors} 个提醒。")
    if errors:
        sys.exit(1)


def _check_installation(deploy: bool) -> None:
    from django.conf import settings
    from django.core import checks
    from django.db import connection

    from yidian.editorial.actions import stale_count
    from yidian.encyclopedia.models import withheld_steps
    from yidian.selftests.library import own_faults
    from yidian.site.checks import sqlite_durability_errors

    settings.YIDIAN_DATA.mkdir(parents=True, exist_ok=True)
    faults = [*sqlite_durability_errors(connection), *own_faults()]
    if connection.introspection.table_names():
        found = checks.run_checks(include_deployment_checks=deploy, databases=["default"])
        if stale := stale_count():
            click.echo(f"提醒：有 {stale} 页要更新，运行 yidian reindex。")
        for slug, fault in withheld_steps():
            click.echo(f"提醒：/guides/{slug}/ 有一步已从页面撤下。{fault}")
    else:
        found = checks.run_checks(include_deployment_checks=deploy)
        click.echo("数据库还是空的，第一次运行 yidian serve 会建好。")
    for message in found:
        said = f"{message.msg} {message.hint or ''}".strip().replace("\n", " ")
        if message.level >= checks.ERROR:
            faults.append(f"{message.id}: {said}")
        else:
            click.echo(f"提醒：{message.id}: {said}")
    for fault in faults:
        click.echo(f"错误：{fault}", err=True)
    if faults:
        raise Failure(f"检查没有通过：{len(faults)} 个错误，见上。")
    click.echo("检查通过。")


@main.command()
def reindex() -> None:
    """重建一切能从数据库重建的东西：公开页面、检索用的名称和索引、延展阅读、缓存。旧的索引用到新的建好为止。"""
    prepare()
    from yidian.editorial.actions import rebuild
    from yidian.related import upkeep
    from yidian.search.library import library

    click.echo(f"已重建 {rebuild(progress)} 条。")
    click.echo(f"检索索引里有 {library().build(progress)} 条。")
    click.echo(f"延展阅读配好了 {upkeep.rebuild(progress)} 页。")


@main.command()
@click.argument("username")
@click.option("--admin", is_flag=True, help="管理员：能管理账号和全部内容。")
def editor(username: str, admin: bool) -> None:
    """建一个编辑账号 USERNAME，或给已有的账号换密码，并显示新密码。"""
    prepare()
    from django.conf import settings

    from yidian.cli.start import set_account

    if not username.strip() or len(username) > 150:
        raise click.BadParameter("账号名是 1 到 150 个字。")
    password = set_account(username, admin=admin)
    click.echo(f"账号：{username}  密码：{password}（只显示这一次，请记下）")
    click.echo(f"登录：{settings.YIDIAN_ORIGIN}/admin/")


@main.group()
def bench() -> None:
    """测速：在同一次运行里比较，结果是比值。"""


@bench.command("pages")
@click.option("--answers", multiple=True, type=click.IntRange(100, 10_000_000), help="回答数，可以给几个。")
@click.option("--no-http", is_flag=True, help="不测缓存页面（那要装 nginx 和 wrk）。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def bench_pages(answers: tuple[int, ...], no_http: bool, as_json: bool) -> None:
    """冷页面和缓存页面各要多少 CPU，在一万条和一百万条回答之间差多少；数据是临时的，测完删掉。"""
    import json

    from yidian.cli.bench import SIZES, pages, print_pages

    figures = pages(tuple(sorted(answers)) or SIZES, as_json, http=not no_http)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        print_pages(figures)


@bench.command("import")
@click.option("--rows", multiple=True, type=click.IntRange(100, 10_000_000), help="行数，可以给几个。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def bench_import(rows: tuple[int, ...], as_json: bool) -> None:
    """导入医生问答再导出，每 CPU 秒多少行，要多少内存，一万行和一百万行之间差多少；数据是临时的，测完删掉。"""
    import json

    from yidian.cli import bench_import as measuring
    from yidian.cli.bench import SIZES

    figures = measuring.bench(tuple(sorted(rows)) or SIZES, as_json)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        measuring.print_import(figures)


@bench.command("search")
@click.option("--answers", multiple=True, type=click.IntRange(100, 10_000_000), help="回答数，可以给几个。")
@click.option("--corpus", type=click.Path(path_type=Path, exists=True), help='真实的回答，逐行 {"id", "answer"}。')
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def bench_search(answers: tuple[int, ...], corpus: Path | None, as_json: bool) -> None:
    """查一次要多少 CPU，建索引要多少 CPU、内存和磁盘，回答多了差多少；数据是临时的，测完删掉。"""
    import json

    from yidian.cli import bench_search as measuring

    figures = measuring.bench(tuple(sorted(answers)) or measuring.SIZES, corpus, as_json)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        measuring.print_search(figures)


@bench.command("triage")
@click.option(
    "--judged",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="判定过的句子，例如 tests/data/red_flag_sentences.jsonl。",
)
@click.option(
    "--sets", type=click.IntRange(1, 100_000_000), default=1_000_000, show_default=True, help="随机回答几组。"
)
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def bench_triage_command(judged: Path | None, sets: int, as_json: bool) -> None:
    """红旗：在判定过的句子上的召回率和精确率，一段文字的 CPU，多答“是”会不会降级。"""
    import json

    from yidian.cli import bench_triage

    figures = bench_triage.bench(judged, sets)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        bench_triage.print_triage(figures)


@bench.command("related")
@click.option("--questions", multiple=True, type=click.IntRange(1_000, 10_000_000), help="问题数，可以给几个。")
@click.option("--json", "as_json", is_flag=True, help="只输出一份 JSON。")
def bench_related(questions: tuple[int, ...], as_json: bool) -> None:
    """配好一页的延展阅读、读一页各要多少 CPU，在一万个和十万个问题之间差多少；数据是临时的，测完删掉。"""
    import json

    from yidian.cli import bench_related as measuring

    figures = measuring.bench(tuple(sorted(questions)) or measuring.SIZES, as_json)
    if as_json:
        click.echo(json.dumps(figures, ensure_ascii=False, indent=2))
    else:
        measuring.print_related(figures)


main.add_command(questionnaire)
bench.add_command(self_tests_command)
search.add_command(evaluate)
main.add_command(search)
main.add_command(triage)
main.add_command(related)
main.add_command(guide)
