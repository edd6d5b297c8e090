"""Importing a file in somebody else's format: which format, where it comes from, what happened."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from yidian.exchange import formats
from yidian.exchange.archive import BundleError
from yidian.exchange.bundle import Counts, Progress, lean_database
from yidian.exchange.consultations import import_consultations
from yidian.exchange.incoming import Fault
from yidian.exchange.pages import import_pages

# Fewer bytes a row than any real file has, so that the search for duplicates is never given too little room.
_SMALLEST_ROW = 200
UNKNOWN_LICENCE = "未注明"


def import_foreign(
    path: Path,
    format_name: str,
    *,
    origin: str = "",
    licence: str = "",
    publish: bool = False,
    dry_run: bool = False,
    overwrite: bool = False,
    skip_duplicates: bool = False,
    progress: Progress = lambda iterable, length, label: iterable,
    report: Callable[[str], None] = lambda line: None,
) -> Counts:
    """Brings a file in, unpublished unless `publish`, and answers how many records were created, updated and so on.

    What is wrong with a record, and which rows repeat others, is said through `report`. BundleError when the file
    cannot be read at all. `overwrite` also takes records that somebody changed on the site since they came.
    """
    form = formats.load(format_name)
    if form.PAGES and skip_duplicates:
        raise BundleError("--skip-duplicates 只用于问答。")
    if path.is_dir():
        raise BundleError(f"{path} 是文件夹；{format_name} 要的是一个文件。")
    try:
        size = path.stat().st_size
        stream = path.open("rb")
    except OSError as error:
        raise BundleError(f"打不开 {path}：{os.strerror(error.errno or 0)}。") from error
    if not origin:
        origin = form.ORIGIN or path.name
        if not form.ORIGIN:
            report(f"没有写 --origin：来源记为文件名 {origin}。文件改名后再导入，会当作另一个来源。")
    if not licence:
        licence = form.LICENCE or UNKNOWN_LICENCE
        if not form.LICENCE:
            report(f"没有写 --licence：许可记为“{licence}”。公开之前，请确认有权使用。")
    if len(origin) > 200 or len(licence) > 200:
        raise BundleError("来源和许可各最多 200 个字。")
    counts = Counts()

    def say_fault(fault: Fault) -> None:
        place = f"{path.name}:{fault.place}" if fault.place else path.name
        report(f"{place} {fault.field}: {fault.message}" if fault.field else f"{place}: {fault.message}")

    with stream:
        records = form.read(stream)
        first = next(records, None)
        if first is None:
            report(f"{path.name} 里没有记录。")
            return counts
        options = {"origin": origin, "licence": licence, "counts": counts, "report": say_fault}
        options |= {"publish": publish, "dry_run": dry_run, "say": report}
        everything = chain([first], records)
        if form.PAGES:
            work = import_pages(everything, overwrite=overwrite, **options)
        else:
            expected = size // _SMALLEST_ROW
            work = import_consultations(everything, expected=expected, skip_duplicates=skip_duplicates, **options)
        with lean_database():
            for _ in progress(_percents(work, stream, size), 100, path.name):
                pass
    return counts


def _percents(work: Iterable[None], stream, size: int) -> Iterator[None]:
    """Runs the work and yields once for each hundredth of the file that has been read."""
    done = 0
    for _ in work:
        while done < 100 and done * size < stream.tell() * 100:
            done += 1
            yield
