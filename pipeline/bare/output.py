"""What a bare run leaves behind: results.json and a few files of arrays, each written whole whenever there is more."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.runtime import files

if TYPE_CHECKING:
    import torch

RESULTS = "results.json"
CURVES, STARTS, GRIDS, GENERATOR = "curves.npz", "starts.npz", "grids.npz", "generator.safetensors"


class Output:
    """A folder; `content` is what results.json holds."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.folder, self.content = folder, content
        self.write()

    def section(self, name: str) -> dict[str, Any]:
        """The part of results.json under that name."""
        section: dict[str, Any] = self.content.setdefault(name, {})
        return section

    def write(self) -> None:
        """results.json as it now is."""
        files.write_json(self.folder / RESULTS, plain(self.content))

    def arrays(self, name: str, arrays: Mapping[str, Any]) -> None:
        """An npz without pickles."""
        buffer = io.BytesIO()
        content: dict[str, Any] = {key: np.asarray(value) for key, value in arrays.items()}
        np.savez_compressed(buffer, **content)
        files.write_bytes(self.folder / name, buffer.getvalue())

    def tensors(self, name: str, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
        files.write_tensors(self.folder / name, tensors, plain(about))


def plain(value: Any) -> Any:
    """JSON's values: numbers that are not finite become null, tuples lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
