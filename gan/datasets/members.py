"""Image files of folders and zip archives, read one at a time, and the order that their pixels give."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from gan.datasets import sources
from gan.errors import DataError, SourceUnavailable

MEMBER_LIMIT = 64 << 20
"""Bytes in a file, decompressed; larger ones are refused."""

ARCHIVE_LIMIT = 64 << 30
"""Bytes in all files of a zip archive, decompressed."""


@dataclass(frozen=True)
class Member:
    """A file in a folder or in a zip archive."""

    name: str
    """as in the archive, or the path from the folder above the one that was opened; parts separated by /"""
    read: Callable[[], bytes]
    """its content; DataError if that cannot be had or is larger than `MEMBER_LIMIT`"""
    is_dead_link: bool = False
    """whether it is a link to nothing"""


@contextlib.contextmanager
def open_members(places: Sequence[Path]) -> Iterator[list[Member]]:
    """The files in `places`, folders and zip archives, at any depth; sorted by place and name.

    What file managers leave behind, names that begin with a dot, __MACOSX, Thumbs.db and desktop.ini, is left out.
    Links are followed, and a folder that links lead to more than once is read once; a link to nothing is a member that
    cannot be read. DataError if a place cannot be opened, or is an archive that is too large or has unsafe names.
    """
    with contextlib.ExitStack() as stack:
        members = []
        for place in places:
            files = _folder_members(place) if place.is_dir() else _zip_members(
                stack.enter_context(sources.open_zip(place)), place)
            members += sorted((member for member in files if is_visible(member.name)), key=lambda member: member.name)
        yield members


_LEFT_BEHIND = ("__macosx", "thumbs.db", "desktop.ini")


def is_visible(name: str) -> bool:
    """Whether a file or folder of that name is not among what file managers leave behind."""
    return not any(part.startswith(".") or part.lower() in _LEFT_BEHIND for part in PurePosixPath(name).parts)


def _folder_members(folder: Path) -> Iterator[Member]:
    def fail(error: OSError) -> None:
        raise SourceUnavailable(f"{folder} cannot be searched ({sources.reason(error)})") from error

    def read(path: Path) -> bytes:
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
                raise DataError("not a file")
            with path.open("rb") as file:
                return sources.LimitedReader(file, path.name, MEMBER_LIMIT).read(MEMBER_LIMIT + 1)
        except OSError as error:
            if path.is_symlink():
                raise DataError(f"a link to {path.readlink()}: {sources.reason(error)}") from error
            raise DataError(sources.reason(error)) from error

    for parent, _, names in _walk(folder, fail):
        for path in (parent / name for name in names):
            yield Member(path.relative_to(folder.parent).as_posix(), functools.partial(read, path),
                         path.is_symlink() and not path.exists())


def _walk(folder: Path, fail: Callable[[OSError], None] | None = None) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, with all folders in each; links are followed, but none to where another has led before."""
    seen = {_identity(folder)}
    for parent, folders, names in os.walk(folder, onerror=fail, followlinks=True):
        found = sorted(folders)
        folders[:] = [name for name in found if _is_new(Path(parent, name), seen)]
        yield Path(parent), found, names


def lowest_folders(place: Path) -> list[str]:
    """The folders in a folder or a zip archive that have none in them, by names as a Member's, sorted.

    A link to a folder that is read elsewhere is one. Without what file managers leave behind.
    """
    if place.is_dir():
        folders = {(parent / name).relative_to(place.parent).as_posix()
                   for parent, found, _ in _walk(place) for name in found}
    else:
        with sources.open_zip(place) as archive:
            names = [info.filename.replace("\\", "/") for info in archive.infolist()]
        folders = {str(PurePosixPath(name.rpartition("/")[0])) for name in names} - {"."}  # a folder’s ends with /
    folders = {name for name in folders if is_visible(name)}
    return sorted(folders - {str(above) for name in folders for above in PurePosixPath(name).parents})


def _identity(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether no link has led here before, so that links in a circle end."""
    try:
        identity = _identity(folder)
    except OSError:  # `os.walk` says why it cannot be searched
        return True
    is_new = identity not in seen
    seen.add(identity)
    return is_new


def _zip_members(archive: zipfile.ZipFile, place: Path) -> Iterator[Member]:
    def read(info: zipfile.ZipInfo) -> bytes:
        try:
            with archive.open(info) as file:
                return sources.LimitedReader(file, info.filename, MEMBER_LIMIT).read(MEMBER_LIMIT + 1)
        except sources.ZIP_ERRORS as error:
            raise DataError(sources.reason(error)) from error

    files = [info for info in archive.infolist() if not info.is_dir()]
    size = sum(info.file_size for info in files)
    if size > ARCHIVE_LIMIT:
        raise DataError(f"{place.name} holds more than {ARCHIVE_LIMIT:,} bytes", found=f"{size:,} bytes")
    for info in files:
        yield Member(info.filename.replace("\\", "/"), functools.partial(read, info))


def unreadable(error: Exception) -> str:
    """Why an image cannot be decoded, in a few words."""
    from PIL import UnidentifiedImageError

    return "not a known image format" if isinstance(error, UnidentifiedImageError) else sources.reason(error)


def digests(images: np.ndarray) -> list[bytes]:
    """SHA-256 of each image of uint8 [n, d]."""
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


def content_order(of_images: Sequence[bytes]) -> np.ndarray:
    """int64 [n]: the images sorted by their digests, an order that no name, archive or file system decides."""
    return np.array(sorted(range(len(of_images)), key=of_images.__getitem__), np.int64)
