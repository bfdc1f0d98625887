"""Files that are either whole or not there: written beside their place, flushed, then renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import DataError, ParameterError, ReproductionError

if TYPE_CHECKING:  # imported where needed: torch takes seconds, and JSON does without
    import torch


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; on success it replaces `path` in one step.

    Whatever goes wrong, the old `path` is left as it was. Raises ReproductionError with the cure on a full or
    read-only disk.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise ReproductionError(
            f"cannot write {path}", expected="a writable folder on a disk with room left",
            found=f"{error.strerror or error}",
            remedy="free disk space or mend the folder's permissions, then run the same command again; "
                   "what was there before is unharmed") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    with writing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Readable, diffable and the same to the byte for equal values. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    path = Path(path)
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing", expected="the output of an earlier stage",
                        remedy="run `dvc repro`, which makes what is missing") from error
    except ValueError as error:
        raise DataError(f"{path} cannot be read", expected="JSON", found=str(error),
                        remedy=f"delete {path} and run `dvc repro`") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping; ParameterError if it is missing or anything else."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = Path(path)
    try:
        content = YAML(typ="safe").load(path.read_text())
    except FileNotFoundError as error:
        raise ParameterError(f"{path} is missing", expected="a file of this repository",
                             remedy=f"run the command in the repository's root, or `git checkout {path}`") from error
    except YAMLError as error:
        raise ParameterError(f"{path} cannot be read", expected="YAML", found=str(error),
                             remedy=f"mend {path}; `git diff {path}` shows what was changed") from error
    if not isinstance(content, dict):
        raise ParameterError(f"{path} cannot be used", expected="keys and values", found=type(content).__name__,
                             remedy=f"`git checkout {path}` restores it")
    return content


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any] | None = None) -> None:
    """Safetensors on the CPU, with `about` (plain JSON values) in its header.

    All of `about` goes under one header key: safetensors writes several in an order that changes from run to run.
    """
    import safetensors.torch

    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"about": json.dumps(about or {}, sort_keys=True)}
    write_bytes(path, safetensors.torch.save(content, header))


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors of a safetensors file and its `about`; DataError if it is missing, torn or something else."""
    with open_tensors(path) as file:
        about = json.loads((file.metadata() or {}).get("about", "{}"))
        return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 (it is no mapping)


@contextlib.contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """A safetensors file whose header and length agree; DataError, as `read_tensors`."""
    import safetensors

    path = Path(path)
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            yield file
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing", expected="the output of an earlier stage",
                        remedy="run `dvc repro`, which makes what is missing") from error
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read", expected="a whole safetensors file", found=str(error),
                        remedy=f"delete {path} and run `dvc repro`") from error


def sha256(path: Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
