"""A bundle's files in a folder or a .zip: opened without trust, written so that equal content is equal bytes."""

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from struct import Struct

from django.conf import settings

from yidian.exchange.documents import DRAFT_LISTS, FOLDERS, IMAGE_NAME, LISTS, MAX_DOCUMENT, MAX_LIST, Problem

# Twice the files of the largest library that was measured: to open a .zip of a million takes 16 s of CPU and 760 MB.
MAX_FILES = 2_000_000
# All files together, unpacked.
MAX_TOTAL = 8 * 1024**3


class BundleError(Exception):
    """Why a bundle cannot be read or written at all, and what to do; in Chinese."""


def is_bundle_file(name: str) -> bool:
    """Whether a path belongs to the format."""
    folder, _, file = name.rpartition("/")
    if folder == "images" and IMAGE_NAME.fullmatch(file):
        return True
    if name == "bundle.yaml" or name in LISTS or name in DRAFT_LISTS:
        return True
    return f"{folder}/" in FOLDERS and file.endswith(".md")


def _is_beside(name: str) -> bool:
    """Whether a path may stand in a bundle's folder without belonging to it: git's own, a readme, a licence."""
    parts = PurePosixPath(name).parts
    top = parts[0].upper()
    return (
        any(part.startswith(".") for part in parts)
        or top == "__MACOSX"
        or (len(parts) == 1 and top.startswith(("README", "LICENSE")))
    )


def _limit(name: str) -> int:
    if name.startswith("images/") and name not in LISTS:
        return settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE
    return MAX_LIST if name in LISTS or name in DRAFT_LISTS else MAX_DOCUMENT


class Files:
    """The files of an opened bundle, by their path inside it, in order."""

    def __init__(self, names: dict[str, object], read):
        self.names = sorted(name for name in names if is_bundle_file(name))
        self.problems = [
            Problem(name, 0, "", "不是医典内容包里的文件：请删掉，或改正文件名")
            for name in sorted(names)
            if not is_bundle_file(name)
        ]
        self._held, self._read = names, read

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def inside(self, folder: str) -> list[str]:
        """Paths in a folder such as "conditions/"."""
        return [name for name in self.names if name.startswith(folder)]

    def read(self, name: str) -> bytes:
        """A file's bytes; BundleError when there are more than the format allows."""
        data = self._read(self._held[name], _limit(name) + 1)
        if len(data) > _limit(name):
            raise BundleError(f"{name} 太大：最多 {_limit(name) // 1024 // 1024} MB。")
        return data


@contextmanager
def open_bundle(path: Path | str) -> Iterator[Files]:
    """The files of a bundle; BundleError for whatever could reach outside it or fill the machine."""
    path = Path(path)
    if path.is_dir():
        files = Files(_found_in_folder(path), _read_file)
        _check_header(files, path)
        yield files
        return
    if not path.exists():
        raise BundleError(f"没有找到 {path}。请检查路径。")
    if not zipfile.is_zipfile(path):
        raise BundleError(f"{path} 不是文件夹，也不是 .zip 文件。")
    try:
        with zipfile.ZipFile(path) as archive:

            def read(info: zipfile.ZipInfo, limit: int) -> bytes:
                with archive.open(info) as member:
                    return member.read(limit)

            files = Files(_found_in_zip(archive), read)
            _check_header(files, path)
            yield files
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise BundleError(f"{path} 已损坏，打不开（{error}）。请重新打包。") from error


def _check_header(files: Files, path: Path) -> None:
    if "bundle.yaml" not in files:
        raise BundleError(f"{path} 里没有 bundle.yaml，不是医典内容包。")


def _read_file(path: str, limit: int) -> bytes:
    # O_NOFOLLOW: a file that became a symbolic link since it was listed is refused
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        return file.read(limit)


def _found_in_folder(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = folder + entry.name
                if _is_beside(name):
                    continue
                if entry.is_symlink():
                    raise BundleError(f"{name} 是符号链接，不接受。请换成文件本身。")
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    found[name] = entry.path
                else:
                    raise BundleError(f"{name} 不是普通文件，不接受。")
                if len(found) > MAX_FILES:
                    raise BundleError(f"文件太多：最多 {MAX_FILES} 个。")
    return found


def _found_in_zip(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise BundleError(f"文件太多：最多 {MAX_FILES} 个。")
    if sum(member.file_size for member in members) > MAX_TOTAL:
        raise BundleError(f"解开后太大：最多 {MAX_TOTAL // 1024**3} GB。")
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = member.filename
        if "\\" in name or name.startswith("/") or ":" in name or ".." in PurePosixPath(name).parts or "\0" in name:
            raise BundleError(f"压缩包里的路径 {name!r} 指向包外，不接受。")
        if member.flag_bits & 1:
            raise BundleError(f"{name} 加了密码。请去掉密码后重新打包。")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BundleError(f"{name} 是符号链接或特殊文件，不接受。")
        if member.is_dir() or _is_beside(name):
            continue
        if name in found:
            raise BundleError(f"压缩包里有两个 {name}。请重新打包。")
        found[name] = member
    # a folder packed whole stands below its own name
    tops = {name.partition("/")[0] for name in found}
    if "bundle.yaml" not in found and len(tops) == 1:
        top = f"{tops.pop()}/"
        found = {name.removeprefix(top): member for name, member in found.items()}
        found = {name: member for name, member in found.items() if not _is_beside(name)}
    for name, member in found.items():
        if is_bundle_file(name) and member.file_size > _limit(name):
            raise BundleError(f"{name} 太大：最多 {_limit(name) // 1024 // 1024} MB。")
    return found


class _FolderWriter:
    """Writes into a folder, leaving alone what is equal and what is not the bundle's."""

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.stale = set(_found_in_folder(root))  # of an older bundle, not written again so far
        if self.stale and "bundle.yaml" not in self.stale:
            raise BundleError(f"{root} 里有别的文件。请换一个空文件夹，或一个已有的内容包。")
        self.folders: set[str] = set()

    def write(self, name: str, data: bytes) -> None:
        folder, _, file = name.rpartition("/")
        path = f"{self.root}/{name}"
        if name in self.stale:
            self.stale.remove(name)
            if Path(path).read_bytes() == data:
                return
        elif folder not in self.folders:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            self.folders.add(folder)
        # no Path here: a third of the price of a small file
        unfinished = f"{self.root}/{folder}/.{file}.part"
        with open(unfinished, "wb") as written:  # noqa: PTH123
            written.write(data)
        os.replace(unfinished, path)  # noqa: PTH105

    def close(self) -> None:
        for name in self.stale:
            if is_bundle_file(name):
                (self.root / name).unlink()


# APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16 and 4.5.3: local header, directory entry, its extension for
# places beyond 4 GB, the two ends of a large directory, and the end.
_LOCAL, _ENTRY, _FAR = Struct("<4s5H3I2H"), Struct("<4s6H3I5H2I"), Struct("<2HQ")
_LARGE_END, _LARGE_AT, _END = Struct("<4sQ2H2I4Q"), Struct("<4sIQI"), Struct("<4s4H2IH")
_4GB = 0xFFFFFFFF


class _ZipWriter:
    """Writes a .zip, its directory in a file of its own meanwhile: zipfile keeps 600 bytes a member in memory."""

    def __init__(self, path: Path):
        self.path, self.unfinished = path, path.with_name(f".{path.name}.part")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.unfinished.open("wb")
        self.directory = tempfile.TemporaryFile()  # noqa: SIM115  closed by discard()
        self.count = self.at = 0

    def write(self, name: str, data: bytes) -> None:
        encoded = name.encode("ascii")
        packed = zlib.compress(data, 6, -zlib.MAX_WBITS)
        # version, no flags, deflated, midnight of 1 January 1980: no clock gets into the bytes
        about = (0, zipfile.ZIP_DEFLATED, 0, 1 << 5 | 1, zlib.crc32(data), len(packed), len(data), len(encoded))
        far = _FAR.pack(1, 8, self.at) if self.at >= _4GB else b""
        version = 45 if far else 20
        self.file.write(_LOCAL.pack(b"PK\3\4", version, *about, 0) + encoded + packed)
        made_by, mode = 3 << 8 | version, (stat.S_IFREG | 0o644) << 16  # Unix, wherever this runs
        entry = _ENTRY.pack(b"PK\1\2", made_by, version, *about, len(far), 0, 0, 0, mode, min(self.at, _4GB))
        self.directory.write(entry + encoded + far)
        self.at += _LOCAL.size + len(encoded) + len(packed)
        self.count += 1

    def close(self) -> None:
        size = self.directory.tell()
        self.directory.seek(0)
        shutil.copyfileobj(self.directory, self.file)
        if self.count >= 0xFFFF or self.at + size >= _4GB:
            counts = (self.count, self.count, size, self.at)
            self.file.write(_LARGE_END.pack(b"PK\6\6", _LARGE_END.size - 12, 3 << 8 | 45, 45, 0, 0, *counts))
            self.file.write(_LARGE_AT.pack(b"PK\6\7", 0, self.at + size, 1))
        count = min(self.count, 0xFFFF)
        self.file.write(_END.pack(b"PK\5\6", 0, 0, count, count, min(size, _4GB), min(self.at, _4GB), 0))
        self.file.close()
        self.unfinished.replace(self.path)

    def discard(self) -> None:
        self.file.close()
        self.directory.close()
        self.unfinished.unlink(missing_ok=True)


@contextmanager
def write_bundle(target: Path | str) -> Iterator[_FolderWriter | _ZipWriter]:
    """Something with `write(name, data)` for a folder or a new .zip; a .zip stands there complete or not at all.

    Names must come in sorted order. In a folder, files of an older bundle that were not written again are removed.
    """
    target = Path(target)
    if target.suffix.lower() == ".zip":
        if target.is_dir():
            raise BundleError(f"{target} 是文件夹。请换一个名字。")
        writer = _ZipWriter(target)
        try:
            yield writer
            writer.close()
        finally:
            writer.discard()
        return
    if target.exists() and not target.is_dir():
        raise BundleError(f"{target} 不是文件夹。请写一个文件夹，或以 .zip 结尾的文件名。")
    writer = _FolderWriter(target)
    yield writer
    writer.close()
