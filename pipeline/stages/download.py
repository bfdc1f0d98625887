"""Stage `download`: a data set's raw files, each checked, in data/raw/<name>."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from gan.errors import ReproductionError
from pipeline.artifacts.raw import configured_loader, is_whole, local_folders, raw_folder
from pipeline.runtime import stage
from pipeline.runtime.progress import Progress


def main(name: str) -> None:
    """Fetch data set `name` unless its folder already holds it whole."""
    loader, folder = configured_loader(name, "download"), raw_folder(name)
    if is_whole(loader, folder):
        print(f"{name}: {folder} already holds the true files", flush=True)
    else:
        local = local_folders()
        with writing_folder(folder) as temporary:
            source = loader.fetch(temporary, local, _say, Progress)
            loader.verify(temporary)
        print(f"{name}: from {source}", flush=True)
    for path in sorted(folder.iterdir()):
        print(f"{name}: {path}: {path.stat().st_size:,} bytes, checked", flush=True)


@contextlib.contextmanager
def writing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; on success it replaces `folder`, else it is removed.

    What a killed run left there goes first. Raises ReproductionError with the cure on a full or read-only disk.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise ReproductionError(
            f"cannot write {folder}", expected="a writable folder on a disk with room left",
            found=f"{error.strerror or error}",
            remedy="free disk space or mend the folder's permissions, then run the same command again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    stage.run(main, "name")
