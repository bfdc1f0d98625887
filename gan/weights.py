"""Files of trained models' weights, which describe themselves.

Such a file is safetensors. One key of its header, `about`, holds as JSON what `describe` returns; its tensors are named
<variant>.<name>, each variant a row of its own from one fit (`gan.model.Model.variants`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from gan.errors import DataError, ReproductionError

FORMAT = "gan weights 1"


@dataclass(frozen=True)
class Description:
    """What a file of weights says of itself."""

    model: Mapping[str, Any]
    """the settings, with the model's `kind`: an entry `model` of params.yaml"""
    shape: tuple[int, int, int]
    """(C, H, W) of an image"""
    variants: Sequence[str]


def describe(model: Mapping[str, Any], shape: Sequence[int], variants: Sequence[str]) -> dict[str, Any]:
    """The fields of a `Description` as plain JSON values, and the format's name, for the header of the file."""
    return {"format": FORMAT, "model": dict(model), "shape": list(shape), "variants": list(variants)}


def read_description(path: Path | str) -> Description:
    """DataError if the file is missing, damaged or not a file of weights."""
    with _opened(Path(path)) as (_, description):
        return description


def read_weights(path: Path | str, variant: str) -> dict[str, Tensor]:
    """The weights of one variant, on the CPU, by the names that `gan.model.Model.sample` wants.

    DataError as `read_description`; ReproductionError for a variant that the model does not have.
    """
    with _opened(Path(path)) as (file, description):
        if variant not in description.variants:
            raise ReproductionError(f"{path} has no weights of variant {variant}",
                                    expected=" or ".join(description.variants), found=variant,
                                    remedy="name one of these")
        names = [name for name in file.keys() if name.startswith(f"{variant}.")]  # noqa: SIM118 (it is no mapping)
        return {name.removeprefix(f"{variant}."): file.get_tensor(name) for name in names}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Description]]:
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            yield file, _description(file.metadata() or {}, path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing", expected="a file of weights, which the stage `train` writes",
                        remedy="run `dvc repro`, or name another file") from error
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(f"{path} cannot be read", expected="a whole safetensors file", found=str(error),
                        remedy="name another file, or delete this one and run `dvc repro`") from error


def _description(header: Mapping[str, str], path: Path) -> Description:
    try:
        content = json.loads(header.get("about", "{}"))
    except ValueError:
        content = None
    match content:
        case {"format": str(written), "model": {"kind": str()} as model, "shape": [int(c), int(h), int(w)],
              "variants": [*variants]} if (written == FORMAT and min(c, h, w) > 0
                                           and all(isinstance(variant, str) for variant in variants)):
            return Description(model, (c, h, w), variants)
    raise DataError(f"{path} is not a file of weights, or one of another version",
                    expected=f"a header of the format {FORMAT!r} with model, shape and variants",
                    found=str(content or "no description")[:200],
                    remedy="name a file that the stage `train` wrote; `dvc repro` writes those of older versions anew")
