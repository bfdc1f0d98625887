"""Choose σ on validation images, on the paper's grid and on a fine one, from one pass over the distances."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from gan import parzen
from gan.errors import ParameterError
from pipeline import files, machine, stage
from pipeline.configure import configuration, folder
from pipeline.prepare import prepared_file, read_dataset
from pipeline.progress import Progress


def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "bandwidth")
    validation = read_dataset(prepared_file(settings["dataset"])).validation
    if settings["validation_images"] > len(validation):
        raise ParameterError(f"params.yaml: parzen.validation_images is more than {settings['dataset']} has",
                             expected=f"at most {len(validation)}", found=str(settings["validation_images"]),
                             remedy="lower it, or override it in a profile")
    validation = validation[:settings["validation_images"]].to(device)
    names = ("paper_grid", "refined_grid")
    grids = [TypeAdapter(parzen.Grid).validate_python(settings[name]) for name in names]
    seeds: list[dict[str, Any]] = []
    rows = scored_rows(experiment)
    with Progress(f"{experiment}, bandwidth", sum(map(len, rows.values())) * len(validation), "image") as progress:
        for seed, variants in rows.items():
            samples, _ = files.read_tensors(folder(experiment) / "samples" / f"seed-{seed}.safetensors")
            searches = {variant: parzen.search(validation, samples[variant].to(device), grids, progress.advance)
                        for variant in variants}
            seeds.append({"seed": seed, "variants": {
                variant: {"paper_grid": _result(paper), "refined": _result(refined)}
                for variant, (paper, refined) in searches.items()}})
    files.write_json(folder(experiment) / "bandwidth.json", {"seeds": seeds})


def scored_rows(experiment: str) -> dict[int, list[str]]:
    """The variants of each seed that are scored."""
    training = files.read_json(folder(experiment) / "training.json")
    return {entry["seed"]: list(entry["variants"]) for entry in training["seeds"]}


def _result(search: parzen.Search) -> dict[str, Any]:
    return {"bandwidths": search.bandwidths, "log_likelihoods": search.log_likelihoods, "chosen": search.chosen,
            "validation_log_likelihood": search.validation_log_likelihood, "at_the_edge": search.at_the_edge}


if __name__ == "__main__":
    stage.run(main)
