"""A bare run's results taken into reports/recorded/, held against this repository first.

What is recorded must have been made by a commit of this repository, with its settings and data, from a clean tree: the
digests of all code that the run kept are compared with the files of that commit.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gan.errors import DataError, ReproductionError
from gan.registry import model_of
from pipeline.artifacts.paths import RECORDED, prepared_file
from pipeline.artifacts.sheet import sheet
from pipeline.bare import output, recorded_starts
from pipeline.bare.settings import Settings
from pipeline.results import metrics
from pipeline.results.long_run import NEIGHBOURS, read_long_run
from pipeline.runtime import files

KEPT = (output.CURVES, output.GRIDS)
"""arrays that go into git as they are"""

SAMPLES = "samples.png"


def record(folders: Sequence[Path]) -> list[Path]:
    """Check and take over the results of one or several bare runs of one experiment; returns the files written.

    Where several have a part, the last one's counts; starts are joined. ReproductionError for whatever does not fit
    this repository.
    """
    written: list[Path] = []
    for folder in folders:
        content = files.read_json(folder / output.RESULTS)
        _require_recordable(content, folder)
        name = f"{content['experiment']}-{content['profile']}"
        about = {key: content[key] for key in ("experiment", "profile", "commit", "data", "hardware")} | {
            "tree_was_clean": True, "recorded": datetime.now(UTC).date().isoformat()}
        if content.get("annealing", {}).get("scores"):
            written.append(_write(RECORDED / f"{name}.json", long_run(content, about)))
        if content.get("collapse"):
            written += recorded_starts.record(content, folder, RECORDED / name, about)
        how = ("capture",) if {"annealing", "benchmarks"} & content.keys() else ()
        for part in ("benchmarks", "tests", *how):
            if content.get(part):
                path = RECORDED / name / f"{part}.json"
                written.append(_write(path, about | {part: _without_logs(content[part])}))
        if "annealing" in content:
            path = RECORDED / name / "annealing.json"
            written.append(_write(path, about | {"updates_per_epoch": content["updates_per_epoch"],
                                                 "annealing": content["annealing"]}))
        for array in KEPT:
            if (folder / array).is_file():
                path = RECORDED / name / array
                files.write_bytes(path, (folder / array).read_bytes())
                written.append(path)
        if (folder / output.GRIDS).is_file():
            written.append(write_samples(RECORDED / name))
            written += write_neighbours(RECORDED / name, _settings(content).dataset)
    return written


def write_samples(folder: Path) -> Path:
    """samples.png beside a record's grids: those of the first seed's raw weights, twice their size."""
    run, path = read_long_run(folder), folder / SAMPLES
    files.write_bytes(path, sheet(run.grids[min(run.grids)]["raw"], run.shape, enlarged=2))
    return path


def write_neighbours(folder: Path, dataset: str) -> list[Path]:
    """neighbours.npz beside a record's grids: the training image nearest to each sample of the seed that is judged.

    Samples are compared as they are kept, in 8 bits. Nothing is written where the row of Table 1 or the data are not
    here, or where images are not in [0, 1].
    """
    row, prepared = folder.with_suffix(".json"), prepared_file(dataset)
    if not row.is_file() or not prepared.is_file():
        return []
    import numpy as np  # these three start slowly, and most records need none of them
    import torch

    from pipeline.artifacts.prepared import read_dataset
    from pipeline.figures.samples import nearest

    run, seed = read_long_run(folder), files.read_json(row)["metrics"]["seed"]
    if "raw" not in run.grids.get(seed, {}):
        return []
    data = read_dataset(prepared)
    if data.contrast_norm is not None:
        return []
    samples, train = torch.from_numpy(run.grids[seed]["raw"]).to(torch.float64) / 255, torch.as_tensor(data.train)
    indices = nearest(samples, train)
    found = train[indices].to(torch.float64)
    packed = io.BytesIO()
    np.savez_compressed(packed, seed=seed, training_images=indices.numpy(),
                        distances=(samples - found).norm(dim=1).to(torch.float32).numpy(),
                        images=(found * 255).round().to(torch.uint8).numpy())
    files.write_bytes(folder / NEIGHBOURS, packed.getvalue())
    return [folder / NEIGHBOURS]


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    files.write_json(path, content)
    return path


def _without_logs(part: Any) -> Any:
    return {key: value for key, value in part.items() if key != "tail"} if isinstance(part, dict) else part


def long_run(content: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The record of the long run in the form that the page reads."""
    annealing, settings = content["annealing"], _settings(content)
    seeds = [{"seed": one["seed"], "variants": one["variants"]} for one in annealing["scores"]]
    entry = metrics.headline({
        "title": settings.title, "model": model_of(dataclasses.asdict(settings.nets)), "dataset": settings.dataset,
        **content["dataset"], "profile": settings.profile, "differences": [], "hardware": content["hardware"],
        "seeds": seeds})
    return {**about, "note": _note(annealing), "settings": annealing["settings"], "metrics": entry,
            "collapsed_seeds": [one["seed"] for one in annealing["scores"] if one["collapsed"]],
            "short_annealing": annealing.get("short_annealing", []), "epochs": annealing["epochs"]}


def _note(annealing: Mapping[str, Any]) -> str:
    collapsed = [str(one["seed"]) for one in annealing["scores"] if one["collapsed"]]
    said = [f"{len(annealing['scores'])} seeds in step on a GPU, {annealing['epochs']} of "
            f"{annealing['epochs_planned']} epochs; validation was looked at every {annealing['looks_every']} epochs, "
            "and patience ends no run while the step anneals.",
            f"Collapsed at the end: seeds {', '.join(collapsed)}." if collapsed else "No seed collapsed."]
    return " ".join(said)


# Checks.

def _settings(content: Mapping[str, Any]) -> Settings:
    return Settings.read(content["experiment"], content["profile"])


def _require_recordable(content: Any, folder: Path) -> None:
    lacking = [key for key in ("experiment", "profile", "commit", "code", "data", "hardware", "parts",
                               "updates_per_epoch")
               if not isinstance(content, dict) or key not in content]
    if lacking:
        raise DataError(f"{folder / output.RESULTS} is not of a bare run", expected="what `make bare-run` writes",
                        found=f"nothing under {', '.join(lacking)}")
    _require_commit(content["commit"], folder)
    _require_code(content["commit"], content["code"])
    _require_data(content, folder)
    if "annealing" in content and "settings" in content["annealing"]:
        _require_settings(content)


def _require_commit(commit: str, folder: Path) -> None:
    if not commit:
        raise ReproductionError(f"{folder} names no commit", expected="a run that was told its commit: --commit",
                                remedy="run it again with --commit, or from a clone")
    if _git("cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise ReproductionError(f"{folder} was made by a commit that this repository does not have", found=commit,
                                remedy="fetch that commit, or run it again from one of this repository")


def _require_code(commit: str, code: Mapping[str, str]) -> None:
    """The tree was clean: every file of the run is the commit's."""
    changed = [path for path, digest in code.items() if _digest_at(commit, path) != digest]
    if changed:
        raise ReproductionError(f"the run was not made by the code of commit {commit[:10]}",
                                expected="a clean tree", found=f"{len(changed)} other files: {', '.join(changed[:5])}",
                                remedy="commit the code and run it again")


def _digest_at(commit: str, path: str) -> str | None:
    content = _git("show", f"{commit}:{path}")
    return None if content is None else hashlib.sha256(content).hexdigest()


def _require_data(content: Mapping[str, Any], folder: Path) -> None:
    path = prepared_file(_settings(content).dataset)
    if path.is_file() and files.sha256(path) != content["data"]["sha256"]:
        raise DataError(f"{folder} is of other data than {path}", expected=f"sha256 {files.sha256(path)}",
                        found=f"sha256 {content['data']['sha256']}", remedy="run it again with this file")


def _require_settings(content: Mapping[str, Any]) -> None:
    """What params.yaml now says but for the seeds, of which a GPU may take more."""
    seeds = content["annealing"]["settings"]["seeds"]
    expected = json.loads(json.dumps(_settings(content).plain(content["experiment"], seeds)))
    found = content["annealing"]["settings"]
    changed = _difference(expected, found)
    if changed:
        where, here, there = changed
        raise ReproductionError("the run's settings are not those of params.yaml", expected=f"{where} {here}",
                                found=str(there),
                                remedy="give params.yaml the run's settings, if they are the recipe's, or run again")


def _difference(here: Any, there: Any, where: str = "") -> tuple[str, Any, Any] | None:
    """The first value in which two blocks differ: its dotted name, and both values."""
    if not isinstance(here, dict) or not isinstance(there, dict):
        return None if here == there else (where, here, there)
    for key in dict.fromkeys([*here, *there]):
        found = _difference(here.get(key), there.get(key), f"{where}.{key}".lstrip("."))
        if found:
            return found
    return None


def _git(*words: str) -> bytes | None:
    """Its output, or None if it fails."""
    try:
        return subprocess.run(["git", *words], capture_output=True, check=True, timeout=60,
                              env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"}).stdout
    except (OSError, subprocess.SubprocessError):
        return None
