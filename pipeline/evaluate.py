"""The Parzen log-likelihood of the test images: the only stage that looks at them."""

from __future__ import annotations

from typing import Any

from gan import parzen
from pipeline import files, machine, stage
from pipeline.bandwidth import scored_rows
from pipeline.configure import configuration, folder
from pipeline.prepare import prepared_file, read_dataset
from pipeline.progress import Progress

SEARCHES = ("paper_grid", "refined")


def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "evaluate")
    training = files.read_json(folder(experiment) / "training.json")
    searches = {entry["seed"]: entry["variants"]
                for entry in files.read_json(folder(experiment) / "bandwidth.json")["seeds"]}
    test = read_dataset(prepared_file(settings["dataset"])).test.to(device)
    epochs = {entry["seed"]: entry["variants"] for entry in training["seeds"]}
    rows = scored_rows(experiment)
    n = 0
    seeds: list[dict[str, Any]] = []
    with Progress(f"{experiment}, test", sum(map(len, rows.values())) * len(test), "image") as progress:
        for seed, variants in rows.items():
            samples, _ = files.read_tensors(folder(experiment) / "samples" / f"seed-{seed}.safetensors")
            scores: dict[str, Any] = {}
            for variant in variants:
                n = len(samples[variant])
                chosen = [searches[seed][variant][name] for name in SEARCHES]
                each = parzen.log_likelihood(test, samples[variant].to(device),
                                             [search["chosen"] for search in chosen], progress.advance)
                scores[variant] = {"epoch": epochs[seed][variant]["epoch"], **{
                    name: _score(search, log_likelihoods)
                    for name, search, log_likelihoods in zip(SEARCHES, chosen, each, strict=True)}}
            seeds.append({"seed": seed, "variants": scores})
    files.write_json(folder(experiment) / "evaluation.json", {
        "title": settings["title"], "model": training["model"], "dataset": settings["dataset"],
        "profile": settings["profile"], "samples": n, "test_images": len(test), "hardware": training["hardware"],
        "seeds": seeds})


def _score(search: dict[str, Any], log_likelihoods: Any) -> dict[str, float]:
    mean, error = parzen.mean_and_standard_error(log_likelihoods)
    return {"bandwidth": search["chosen"], "validation_log_likelihood": search["validation_log_likelihood"],
            "test_log_likelihood": mean, "standard_error": error}


if __name__ == "__main__":
    stage.run(main)
