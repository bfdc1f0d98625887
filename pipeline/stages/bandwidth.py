"""Choose σ on validation images, on the paper's grid and on a fine one, from one pass over the distances.

A data set in folds has a σ for each of them, chosen on that fold's validation images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from gan.evaluation import parzen
from gan.evaluation.settings import Grid
from pipeline.artifacts.configuration import configuration, folder
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import SEARCHES, scored_rows
from pipeline.runtime import files, machine, stage
from pipeline.runtime.progress import Progress


def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "bandwidth")
    folds = read_dataset(prepared_file(settings["dataset"])).folds()
    validation = [images[:settings["validation_images"]].to(device) for images, _ in folds]
    grids = [TypeAdapter(Grid).validate_python(settings[name]) for name in ("paper_grid", "refined_grid")]
    seeds: list[dict[str, Any]] = []
    rows = scored_rows(experiment)
    images = sum(map(len, rows.values())) * sum(map(len, validation))
    with Progress(f"{experiment}, bandwidth", images, "image") as progress:
        for seed, variants in rows.items():
            samples, _ = files.read_tensors(folder(experiment) / "samples" / f"seed-{seed}.safetensors")
            by_variant = {}
            for variant in variants:
                drawn = samples[variant].to(device)
                found = [parzen.search(images, drawn, grids, progress.advance) for images in validation]
                by_variant[variant] = {name: _result([fold[i] for fold in found]) for i, name in enumerate(SEARCHES)}
            seeds.append({"seed": seed, "variants": by_variant})
    files.write_json(folder(experiment) / "bandwidth.json", {"seeds": seeds})


def _result(folds: Sequence[parzen.Search]) -> dict[str, Any]:
    """One fold's search as it is; of several, the mean over them, and what each of them chose."""
    whole = folds[0] if len(folds) == 1 else parzen.mean_over_folds(folds)
    result = {"bandwidths": whole.bandwidths, "log_likelihoods": whole.log_likelihoods, **_choice(whole)}
    return result if len(folds) == 1 else result | {"folds": [_choice(fold) for fold in folds]}


def _choice(search: parzen.Search) -> dict[str, Any]:
    return {"chosen": search.chosen, "validation_log_likelihood": search.validation_log_likelihood,
            "at_the_edge": search.at_the_edge}


if __name__ == "__main__":
    stage.run(main, "experiment")
