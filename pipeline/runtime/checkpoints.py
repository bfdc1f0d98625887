"""The state of a training on disk: the newest and the one before it, each whole or not used.

Checkpoints lie outside the stages' outputs, which DVC deletes before it runs a stage, and carry in their name the
digest of everything that the training reads: one of other parameters, code or data is not used. What a file holds is
checked against its own digest, so that one that was torn or altered on disk is found, and the one before it used.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gan.errors import DataError, ReproductionError
from pipeline.runtime import files
from pipeline.runtime.checkout import main_checkout

FOLDER = "GAN_CHECKPOINTS"
"""environment variable: where checkpoints lie, by default in the checkout's `checkpoints`, which outlives the folder of
`dvc exp run --temp`; cluster nodes share one"""
SECONDS = "GAN_CHECKPOINT_SECONDS"
"""environment variable: how far apart they are, 60 by default; 0 for one at each update"""
DEFAULT_SECONDS = 60.0


def folder(experiment: str) -> Path:
    return Path(os.environ.get(FOLDER) or os.path.relpath(main_checkout() / "checkpoints")) / experiment


def seconds_between() -> float:
    """Raises ReproductionError when the environment says no number."""
    text = os.environ.get(SECONDS, "").strip()
    with contextlib.suppress(ValueError):
        seconds = float(text) if text else DEFAULT_SECONDS
        if 0 <= seconds < math.inf:
            return seconds
    raise ReproductionError(f"{SECONDS} is not right", expected="seconds, 0 or more", found=text,
                            remedy=f"unset it for {DEFAULT_SECONDS:.0f} s")


class Checkpoint:
    """The last two states of one training, named `stem`, of inputs with the digest `inputs`."""

    def __init__(self, folder: Path, stem: str, inputs: str) -> None:
        self._stem = stem
        self.path = folder / f"{stem}-{inputs[:16]}.safetensors"
        self.previous = self.path.with_suffix(".previous.safetensors")

    def exists(self) -> bool:
        return self.path.exists() or self.previous.exists()

    def save(self, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
        """Keep a state. Whatever happens on the way, one that was whole before is there, and whole."""
        if self.path.exists() and self._is_whole(self.path):
            self.path.replace(self.previous)
        files.write_tensors(self.path, tensors, {"state": about, "digest": _digest(tensors)})

    def candidates(self) -> list[tuple[Path, dict[str, torch.Tensor], Any]]:
        """The states that are whole, the newest first; those that are not are named in a line.

        What a killed process was writing is deleted: none may be writing now.
        """
        for path in self.path.parent.glob(f".{self._stem}-????????????????.safetensors.*.part"):
            path.unlink(missing_ok=True)
        found = []
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            try:
                tensors, about = files.read_tensors(path)
                if about["digest"] != _digest(tensors):
                    raise DataError(f"{path} is not what was written", found="other bytes than its digest says")
                found.append((path, tensors, about["state"]))
            except (DataError, KeyError, TypeError) as error:
                print(f"{path} is not used, it is torn or altered: {error}", flush=True)
        return found

    def others(self) -> list[Path]:
        """Checkpoints of the same training with other parameters, code or data."""
        mine = {self.path, self.previous}
        return sorted(path for path in self.path.parent.glob(f"{self._stem}-*.safetensors") if path not in mine)

    def _is_whole(self, path: Path) -> bool:
        """Its length is what its header says: what a kill can leave. Bytes are compared when it is read."""
        try:
            with files.open_tensors(path):
                return True
        except DataError:
            return False


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
