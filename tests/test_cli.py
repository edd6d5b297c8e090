"""The command line as operators meet it: what it does, what it says, and how it ends.

Most commands run inside this process; loading Django and Wagtail costs each process of its own three seconds.
"""

import errno
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from yidian.cli.main import main
from yidian.cli.words import Failure, no_traceback
from yidian.encyclopedia.models import Article, Condition
from yidian.search.models import Name
from yidian.site.checks import sqlite_durability_errors

STARTER = Path(__file__).parent.parent / "src/yidian/starter/bundle"
DEMO = STARTER.parent / "demo"
RUN = [sys.executable, "-c", "from yidian.cli.main import main; main()"]
COUNTS = r"(\d+) created, (\d+) updated, (\d+) unchanged, (\d+) rejected"


def yidian(*arguments: str | Path):
    """A command in this process, over the test's own database."""
    return CliRunner().invoke(main, list(map(str, arguments)))


def environment(data: Path, **more: str) -> dict[str, str]:
    """This process's environment with nothing of a developer's own site in it."""
    left = {name: value for name, value in os.environ.items() if not name.startswith("YIDIAN_")}
    for name in ("DATABASE_URL", "PORT", "HOST"):
        left.pop(name, None)
    return left | {"YIDIAN_DATA": str(data)} | more


def alone(data: Path, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess:
    """A command in a process of its own."""
    return subprocess.run(
        [*RUN, *map(str, arguments)], env=environment(data, **more), capture_output=True, text=True, timeout=180
    )


def counts(result) -> list[int]:
    """The last line of an import."""
    return [int(number) for number in re.fullmatch(COUNTS, result.stdout.splitlines()[-1]).groups()]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_help_and_version_need_no_data(tmp_path):
    shown = alone(tmp_path / "data", "--help")
    assert (shown.returncode, "serve" in shown.stdout) == (0, True)
    assert not (tmp_path / "data").exists()
    assert re.fullmatch(r"yidian \d+\.\d+\S*\n", yidian("--version").stdout)
    assert yidian("nonsense").exit_code == 2
    assert yidian("serve", "--port", "x").exit_code == 2


def serve(data: Path) -> tuple[subprocess.Popen, str, str]:
    """A server on a free port, its address, and what it said until then."""
    process = subprocess.Popen(
        [*RUN, "serve", "--port", "0"],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"医典已启动：(http://\S+)", line):
            return process, found[1], said
    process.wait()
    process.stdout.close()
    raise AssertionError(said)


def stop(process: subprocess.Popen) -> int:
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    return process.returncode


def asked(data: Path, query: str) -> list[tuple]:
    database = sqlite3.connect(data / "yidian.sqlite3")
    try:
        with database:
            return database.execute(query).fetchall()
    finally:
        database.close()


def test_the_first_start_brings_everything_and_the_second_changes_nothing(tmp_path):
    data = tmp_path / "data"
    process, address, said = serve(data)
    try:
        assert "已装上起步百科" in said
        assert len(re.search(r"编辑账号：editor  密码：(\S+)（只显示这一次", said)[1]) >= 16
        assert "/admin/" in said
        with urllib.request.urlopen(f"{address}conditions/xiaotui-choujin/", timeout=30) as page:  # noqa: S310 ours
            assert "小腿抽筋" in page.read().decode()
        assert oct((data / "secret-key").stat().st_mode)[-3:] == "600"
    finally:
        assert stop(process) == 0
    asked(data, "UPDATE encyclopedia_condition SET name = '我改的' WHERE slug = 'xiaotui-choujin'")
    asked(data, "DELETE FROM encyclopedia_article")
    process, _, said = serve(data)
    assert stop(process) == 0
    assert "密码" not in said
    assert "起步百科" not in said
    assert asked(data, "SELECT count(*) FROM encyclopedia_condition WHERE name = '我改的'") == [(1,)]
    assert asked(data, "SELECT count(*) FROM encyclopedia_article") == [(0,)]


@pytest.mark.django_db
def test_the_demonstration_comes_and_goes():
    brought = yidian("demo")
    assert brought.exit_code == 0
    assert re.search(COUNTS, brought.stdout)
    assert "演示" in brought.stdout
    removed = yidian("demo", "--remove")
    assert re.fullmatch(r"已删掉 \d+ 条演示内容。\n", removed.stdout)
    assert yidian("demo", "--remove").stdout == "没有演示内容要删。\n"
    assert Condition.objects.public().exists(), "the starter encyclopedia stays"


@pytest.mark.django_db
def test_import_and_export(tmp_path):
    first = yidian("import", STARTER)
    assert (first.exit_code, first.stderr, counts(first)[1:]) == (0, "", [0, 0, 0])
    done = yidian("export", tmp_path / "out")
    assert done.stdout.startswith("已导出 ")
    assert files_of(tmp_path / "out") == files_of(STARTER)
    again = yidian("import", tmp_path / "out", "--publish", "--format", "bundle")
    assert (again.exit_code, counts(again)) == (0, [0, 0, counts(first)[0], 0])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    refused = yidian("export", tmp_path / "mine")
    assert (refused.exit_code, "别的文件" in refused.stderr) == (1, True)


@pytest.mark.django_db
def test_an_import_with_rejected_records_ends_with_1(tmp_path):
    shutil.copytree(STARTER, tmp_path / "in")
    path = tmp_path / "in/articles/datui-jirou-jingluan-de-zhuyao-yuanyin.md"
    path.write_text(path.read_text("utf-8").replace("date_published:", "datepublished:"), "utf-8")
    dry = yidian("import", tmp_path / "in", "--dry-run")
    assert dry.exit_code == 1
    assert "新增 conditions/xiaotui-choujin.md" in dry.stdout
    assert not Condition.objects.exists()
    done = yidian("import", tmp_path / "in")
    assert done.exit_code == 1
    assert re.search(r"^articles/datui-\S+\.md:\d+ datepublished: 没有这个字段", done.stderr, re.MULTILINE)
    assert counts(done) == counts(dry)
    assert counts(done)[1:] == [0, 0, 1]
    missing = yidian("import", tmp_path / "nothing")
    assert (missing.exit_code, "没有找到" in missing.stderr) == (1, True)
    assert yidian("import", tmp_path / "in", "--format", "word").exit_code == 2


@pytest.mark.django_db
def test_check_lints_a_bundle():
    done = yidian("check", STARTER)
    assert (done.exit_code, done.stdout) == (0, "0 个错误，0 个提醒。\n")
    assert yidian("check", DEMO, "--with", STARTER).exit_code == 0
    done = yidian("check", DEMO)
    assert done.exit_code == 1
    assert re.search(r"^questions/\w+\.md:\d+: error: about: 没有这个病症", done.stdout, re.MULTILINE)


def test_check_of_a_bundle_makes_no_database(tmp_path):
    assert alone(tmp_path / "data", "check", STARTER).returncode == 0
    assert not (tmp_path / "data/yidian.sqlite3").exists()


@pytest.mark.django_db
def test_check_looks_at_the_installation():
    yidian("import", STARTER)
    done = yidian("check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith("检查通过。\n")
    assert "security." in yidian("check", "--deploy").stdout
    listed = yidian("check", "--sources").stdout
    assert "出处 general-anatomy: " in listed
    assert re.search(r"共 \d+ 条", listed)
    assert "红旗的来源 nice-ng128: Stroke" in listed and "自测的来源 gds-15/sheikh-1986: " in listed
    assert "红旗的来源 nhs-tetanus" not in listed and "自测的来源 phq-9/phq-screeners" not in listed, "these were read"


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_database_that_may_lose_writes_is_refused(tmp_path, command):
    weaker = "init_command=PRAGMA%20synchronous=NORMAL&transaction_mode=DEFERRED"
    done = alone(tmp_path, command, DATABASE_URL=f"sqlite:///{tmp_path}/a.sqlite3?{weaker}")
    assert done.returncode == 1
    for word in ("WAL", "FULL", "229", "IMMEDIATE"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("pragmas", "mode", "said"),
    [
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", "IMMEDIATE", []),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA", "EXCLUSIVE", []),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL", "IMMEDIATE", ["synchronous 是 NORMAL"]),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF", "IMMEDIATE", ["synchronous 是 OFF"]),
        ("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", "IMMEDIATE", ["journal_mode 是 DELETE"]),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", "DEFERRED", ["transaction_mode 是 DEFERRED"]),
        ("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", None, ["transaction_mode 是 DEFERRED"]),
    ],
)
def test_what_is_in_force_decides(tmp_path, django_db_blocker, pragmas, mode, said):
    options = {"init_command": pragmas, "transaction_mode": mode}
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "a.sqlite3", "OPTIONS": options}
    opened = ConnectionHandler({"default": database})["default"]
    with django_db_blocker.unblock():
        errors = sqlite_durability_errors(opened)
        opened.close()
    assert [word in error for word, error in zip(said, errors, strict=True)] == [True] * len(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"YIDIAN_DATA": "/proc/yidian"}, "/proc/yidian"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, "没有应答"),
        ({"DATABASE_URL": "nonsense"}, "设置有误"),
    ],
)
def test_what_a_machine_refuses_is_said_in_two_lines(tmp_path, settings, said):
    done = alone(tmp_path, "check", **settings)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (OSError(errno.ENOSPC, "x", "/a"), "磁盘满了"),
        (OSError(errno.EROFS, "x", "/a"), "只能读"),
        (OSError(errno.EACCES, "x", "/a"), "没有权限"),
        (OSError(errno.ENOTDIR, "x", "/a"), "不是文件夹"),
        (OSError(errno.ENOENT, "x", "/a"), "/a"),
        (OSError(errno.EIO, "x", "/a"), "失败"),
        (OperationalError("database or disk is full"), "磁盘满了"),
        (OperationalError("attempt to write a readonly database"), "只能读"),
        (OperationalError("unable to open database file"), "打不开"),
        (OperationalError("database is locked"), "正忙"),
        (sqlite3.DatabaseError("file is not a database"), "已损坏"),
        (OperationalError("no such table: x"), "yidian serve"),
    ],
)
def test_every_fault_of_the_machine_has_its_words(fault, said):
    with pytest.raises(Failure) as failure, no_traceback():
        raise fault
    assert said in failure.value.message
    assert len(failure.value.message.splitlines()) == 2


def test_a_fault_of_our_own_keeps_its_traceback():
    with pytest.raises(KeyError), no_traceback():
        raise KeyError("x")


def test_a_damaged_database_is_said_in_two_lines(tmp_path):
    (tmp_path / "yidian.sqlite3").write_bytes(b"not a database" * 1000)
    done = alone(tmp_path, "reindex")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "数据库文件已损坏。")


@pytest.mark.django_db
def test_an_export_that_does_not_fit_leaves_nothing_half_done(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "x", str(tmp_path / "out.zip"))

    yidian("import", STARTER)
    (tmp_path / "out.zip").write_bytes(b"yesterday's")
    monkeypatch.setattr("yidian.exchange.archive._ZipWriter.write", full)
    done = yidian("export", tmp_path / "out.zip")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, "磁盘满了，没有做完。")
    assert files_of(tmp_path) == {"out.zip": b"yesterday's"}


REBUILT = r"已重建 \d+ 条。\n检索索引里有 \d+ 条。\n延展阅读配好了 \d+ 页。\n"


@pytest.mark.django_db
def test_reindex_renews_every_page():
    yidian("import", STARTER)
    Article.objects.update(rendered=None)
    Name.objects.all().delete()
    assert "yidian reindex" in yidian("check").stdout
    done = yidian("reindex")
    assert (done.exit_code, bool(re.fullmatch(REBUILT, done.stdout))) == (0, True)
    assert not Article.objects.filter(rendered=None).exists()
    assert Name.objects.count() > 10


@pytest.mark.django_db
def test_an_editor_gets_an_account_and_a_new_password():
    passwords = {}
    for arguments in (["wang"], ["wang"], ["li", "--admin"]):
        done = yidian("editor", *arguments)
        assert done.exit_code == 0
        passwords.setdefault(arguments[0], []).append(re.search(r"密码：(\S+)（", done.stdout)[1])
    wang, li = (get_user_model().objects.get(username=name) for name in ("wang", "li"))
    assert [group.name for group in wang.groups.all()] == ["Editors"]
    assert (wang.is_superuser, li.is_superuser) == (False, True)
    old, new = passwords["wang"]
    assert (wang.check_password(old), wang.check_password(new)) == (False, True)
    assert yidian("editor", " ").exit_code == 2
