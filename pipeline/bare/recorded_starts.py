"""Starts of bare runs in git: those of several runs together, each kind with the commits that made them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.errors import DataError
from pipeline.bare.starts import Starts, packed, unpacked
from pipeline.results.long_run import ANNEALING, COLLAPSE, STARTS
from pipeline.runtime import files


def record(content: Mapping[str, Any], folder: Path, into: Path, about: Mapping[str, Any]) -> list[Path]:
    """Write the starts of one run, `content` and the arrays in `folder`, beside those that `into` has already.

    Starts of one kind are joined if data, recipe, GPU and torch are the same, and replaced if not; a seed that was run
    again counts once. Returns the files written. DataError for arrays that are not of this run.
    """
    import numpy as np  # starts slowly, and most records have no starts

    found = _unpacked(content["collapse"], folder / STARTS, _run(about, content["settings"]["model"]))
    path = into / COLLAPSE
    kinds: dict[str, Starts] = {}
    if path.is_file():
        earlier = files.read_json(path)
        kinds = _unpacked(earlier["collapse"], into / STARTS, _run(earlier, _earlier_model(into)))
    for name, starts in found.items():
        known = kinds.get(name)
        kinds[name] = known.joined(starts) if known and _are_comparable(known, starts) else starts
    section, arrays = packed({name: starts for name, starts in kinds.items() if starts.seeds})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    files.write_json(path, {**about, "collapse": section})
    files.write_bytes(into / STARTS, buffer.getvalue())
    return [path, into / STARTS]


def _unpacked(section: Mapping[str, Any], path: Path, run: Mapping[str, Any]) -> dict[str, Starts]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            kinds = unpacked(section, arrays, run)
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise DataError(f"{path} does not hold the starts of {path.parent}", expected="the file that the run wrote",
                        found=str(error), remedy="bring the run's folder whole") from error
    for name, starts in kinds.items():
        if len(starts.seeds) != section[name]["starts"]:
            raise DataError(f"{path} is of another run", expected=f"{section[name]['starts']} starts, {name}",
                            found=f"{len(starts.seeds)}", remedy="bring the run's folder whole")
    return kinds


def _run(about: Mapping[str, Any], model: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is kept of the run that starts come from."""
    hardware = about["hardware"]
    return {"commit": about["commit"], "recorded": about["recorded"], "accelerator": hardware.get("accelerator"),
            "torch": hardware.get("torch"), "data": about["data"]["sha256"],
            "recipe": None if model is None else recipe_digest(model)}


def _earlier_model(folder: Path) -> Mapping[str, Any] | None:
    """Starts were once recorded without their settings; the long run beside them has the same."""
    path = folder / ANNEALING
    settings = files.read_json(path)["annealing"].get("settings") if path.is_file() else None
    return None if settings is None else settings["model"]


def recipe_digest(model: Mapping[str, Any]) -> str:
    """SHA-256 of a model's settings but for the number of epochs; settings that are off count as absent."""
    recipe = {key: value for key, value in model["recipe"].items() if key != "epochs"}
    content = json.dumps(_set({**model, "recipe": recipe}), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _set(value: Any) -> Any:
    """Without nulls in mappings."""
    if isinstance(value, Mapping):
        return {key: _set(one) for key, one in value.items() if one is not None}
    return [_set(one) for one in value] if isinstance(value, list | tuple) else value


def _are_comparable(known: Starts, more: Starts) -> bool:
    made_by = [{key: run[key] for key in ("accelerator", "torch", "data", "recipe")} for run in known.runs + more.runs]
    return list(known.names) == list(more.names) and all(
        one == made_by[0] and one["recipe"] is not None for one in made_by)
