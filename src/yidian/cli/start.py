"""What a start brings in order: the folder, the database, the first content, the first account."""

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from yidian import starter
from yidian.cli.words import Failure
from yidian.editorial.actions import publishable_models, rebuild, stale_count
from yidian.exchange.bundle import import_bundle
from yidian.exchange.models import ImportedBundle
from yidian.search.library import library
from yidian.selftests.finding import bring_in_line
from yidian.selftests.library import own_faults
from yidian.site.checks import sqlite_durability_errors
from yidian.site.first_start import load_ready_database

STARTER = Path(starter.__file__).parent / "bundle"
DEMO = Path(starter.__file__).parent / "demo"


def prepare_database() -> None:
    """Makes the data folder and brings the database to this version; Failure when it could lose writes."""
    settings.YIDIAN_DATA.mkdir(parents=True, exist_ok=True)
    check_durability()
    check_self_tests()
    load_ready_database(connection)
    if _may_be_behind():
        call_command("migrate", verbosity=0, interactive=False)


def _may_be_behind() -> bool:
    """Whether an app has a migration that the database does not know; by file names, because loading all 190 takes a
    second of every command.
    """
    if MigrationRecorder.Migration._meta.db_table not in connection.introspection.table_names():
        return True
    applied = set(MigrationRecorder(connection).applied_migrations())
    for app in apps.get_app_configs():
        folder = Path(app.path) / "migrations"
        names = {path.stem for path in folder.glob("[0-9]*.py")}
        if any((app.label, name) not in applied for name in names):
            return True
    return False


def check_durability() -> None:
    """Failure unless what the database acknowledges also survives a power loss."""
    if errors := sqlite_durability_errors(connection):
        raise Failure("数据库设置不安全，没有启动。", *errors)


def check_self_tests() -> None:
    """Failure unless every self-test of the operator's own can be shown and says whose it is."""
    if faults := own_faults():
        raise Failure("自己的自测有错，没有启动。", *faults, "写法见 docs/authors/self-tests.md。")


def load_starter(progress: Callable[[Iterable, int, str], Iterable]) -> bool:
    """Fills a database that never held content with the starter encyclopedia; False when there is nothing to do."""
    if ImportedBundle.objects.exists() or any(model.objects.exists() for model in publishable_models()):
        return False
    problems: list[str] = []
    with transaction.atomic():  # all of it or nothing: a start that was cut short begins anew
        counts = import_bundle(STARTER, progress=progress, report=problems.append)
        if counts.rejected:
            raise Failure("起步百科没有装好。", *problems)
    bring_in_line()
    library().build()
    return True


def first_account() -> tuple[str, str] | None:
    """Makes the account `editor` when nobody has one: its name and password, otherwise None."""
    if get_user_model().objects.exists():
        return None
    return "editor", set_account("editor", admin=True)


def set_account(username: str, *, admin: bool) -> str:
    """Makes an editor's account, or gives an existing one a new password; the password is answered and kept nowhere."""
    users = get_user_model().objects
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = users.filter(username=username).first() or users.model(username=username)
        user.is_active = True
        if admin:
            user.is_staff = user.is_superuser = True
        user.set_password(password)
        user.save()
        if not admin and not user.is_superuser:
            user.groups.add(Group.objects.get(name="Editors"))
    return password


def renew_derived(progress: Callable) -> None:
    """Rebuilds what another version of this program derived, and has search look at the self-tests of this one."""
    try:
        bring_in_line()
    except OperationalError as error:  # a disk that came back read-only: readers are served what search knew before
        click.echo(f"搜索没能看到这一版的自测，下次启动再试：{error}", err=True)
    if stale_count():
        click.echo("正在更新页面……", err=True)
        rebuild(progress)
