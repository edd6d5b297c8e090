"""How the command line speaks: what happened in one line, what to do in the next; progress where it takes time."""

import contextlib
import errno
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator

import click


class Failure(click.ClickException):
    """A command that could not do its work: what happened, then what to do; exit status 1."""

    def __init__(self, what: str, *more: str):
        super().__init__("\n".join([what, *more]))

    def show(self, file=None) -> None:
        click.echo(self.message, file=file or sys.stderr)


@contextlib.contextmanager
def no_traceback() -> Iterator[None]:
    """Turns what a machine can do to us (a full disk, a database that does not answer) into a Failure."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    try:
        yield
    except ImproperlyConfigured as error:
        raise Failure(f"设置有误：{error}", "请检查环境变量，见 docs/operators/settings.md。") from error
    except (DatabaseError, sqlite3.Error) as error:
        raise _database_failure(error) from error
    except OSError as error:
        raise _disk_failure(error) from error


def _database_failure(error: Exception) -> Failure:
    said = str(error).lower()
    data = os.environ.get("YIDIAN_DATA", "var")
    if "full" in said:
        return Failure("磁盘满了，没有做完。", f"请在 {data} 所在的磁盘上腾出空间，再来一次。")
    if "readonly" in said or "read-only" in said:
        return Failure("数据库只能读，不能写。", f"请检查 {data} 的权限，或磁盘是否挂成了只读。")
    if "unable to open" in said:
        return Failure("打不开数据库文件。", f"请检查 {data} 是否存在、能否写入，或用 YIDIAN_DATA 换一个文件夹。")
    if "locked" in said:
        return Failure("数据库正忙，等了 20 秒还不能写。", "请等正在进行的导入或保存结束，再来一次。")
    if "malformed" in said or "not a database" in said:
        return Failure("数据库文件已损坏。", "请从备份恢复，或换一个 YIDIAN_DATA 文件夹。")
    if "no such table" in said or ("does not exist" in said and "relation" in said):
        return Failure("数据库还没有准备好。", "请先运行一次 yidian serve。")
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Failure(f"数据库没有应答：{first}", "请检查 DATABASE_URL，和数据库是否已启动。")


def _disk_failure(error: OSError) -> Failure:
    where = error.filename or os.environ.get("YIDIAN_DATA", "var")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("磁盘满了，没有做完。", f"请在 {where} 所在的磁盘上腾出空间，再来一次。")
    if error.errno == errno.EROFS:
        return Failure(f"{where} 所在的磁盘只能读。", "请换一个能写的文件夹，例如 YIDIAN_DATA=~/yidian。")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Failure(f"没有权限读写 {where}。", "请改它的权限，或换一个文件夹，例如 YIDIAN_DATA=~/yidian。")
    if error.errno == errno.ENOENT:
        return Failure(f"没有 {where}，也不能建。", "请检查路径，或换一个文件夹，例如 YIDIAN_DATA=~/yidian。")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return Failure(f"{where} 不是文件夹。", "请换一个文件夹，例如 YIDIAN_DATA=~/yidian。")
    return Failure(f"读写 {where} 失败：{error.strerror or error}", "请检查这个路径和磁盘。")


def progress(iterable: Iterable, length: int, label: str = "") -> Iterator:
    """The iterable, with a bar on standard error while it lasts; silent when that is no terminal."""
    with click.progressbar(
        iterable, length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty(), width=24
    ) as bar:
        yield from bar
