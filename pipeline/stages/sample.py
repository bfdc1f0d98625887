"""Draw every fitted model's samples: those that are scored, for generators straight lines in z (figure 3), and pictures
of what a model can do beside."""

from __future__ import annotations

from typing import Any

import torch

from gan.linear_algebra import random_stream
from gan.model import Illustrated, Interpolates
from gan.registry import create
from gan.weights import read_weights
from pipeline.artifacts.configuration import configuration, folder
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.trained import model_settings, picture_name, settings_mismatch, weights_file
from pipeline.runtime import files, machine, stage
from pipeline.runtime.progress import Progress


@torch.no_grad()
def main(experiment: str) -> None:
    device = machine.choose_device()
    settings = configuration(experiment, "sample")
    training = files.read_json(folder(experiment) / "training.json")
    dataset = read_dataset(prepared_file(settings["dataset"]))
    sets = sum(len(entry["variants"]) for entry in training["seeds"])
    with Progress(f"{experiment}, samples", sets, "set") as progress:
        for entry in training["seeds"]:
            seed = entry["seed"]
            model = create(model_settings(training["settings"]["model"]), dataset.train, seed, device, dataset.shape)
            samples: dict[str, torch.Tensor] = {}
            about: dict[str, Any] = {}
            for variant in model.variants:
                weights = read_weights(weights_file(experiment, seed), variant)
                # Both variants get the same noise, so that they differ by their weights alone.
                try:
                    samples[variant] = model.sample(weights, settings["samples"],
                                                    random_stream(seed, "samples", device))
                except ValueError as error:
                    raise settings_mismatch(experiment, error) from error
                if isinstance(model, Interpolates):
                    lines = settings["interpolations"], settings["steps"]
                    about["interpolation"] = list(lines)
                    name = "interpolation" if variant == "raw" else f"interpolation_{variant}"
                    samples[name] = model.interpolate(weights, *lines, random_stream(seed, "interpolation", device))
                if isinstance(model, Illustrated):
                    shown = model.pictures(weights, dataset, random_stream(seed, "pictures of what it can do", device))
                    samples |= {picture_name(variant, name): each.images for name, each in shown.items()}
                    about |= {picture_name(variant, name): {"title": each.title, "columns": each.columns}
                              for name, each in shown.items()}
                progress.advance(1, f"seed {seed}, {variant}")
            files.write_tensors(folder(experiment) / "samples" / f"seed-{seed}.safetensors", samples, about)


if __name__ == "__main__":
    stage.run(main, "experiment")
