"""Fit an experiment's model with each of its seeds; the epoch is chosen on validation images.

After a kill, the same command goes on from the last checkpoint and ends with the same bytes: checkpoints lie outside
the stage's outputs, carry the digest of everything the stage reads, and are deleted when the stage has succeeded.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas
import torch
from pydantic import Field, TypeAdapter

from gan.datasets import Dataset
from gan.errors import DataError, ParameterError, TrainingDiverged
from gan.linear_algebra import random_stream
from gan.models import Fit, Monitor, Settings, create
from pipeline import files, machine, stage, tracking
from pipeline.configure import configuration, configuration_file, folder
from pipeline.prepare import prepared_file, read_dataset
from pipeline.progress import Progress

SECONDS_BETWEEN_CHECKPOINTS = 60.0
IMAGES_IN_A_PICTURE = 64
CURVES = ["seed", "epoch", "discriminator_loss", "generator_loss", "d_on_data", "d_on_samples", "learning_rate",
          "momentum", "validation_log_likelihood", "validation_log_likelihood_ema"]


def main(experiment: str) -> None:
    machine.reuse_freed_memory()
    device = machine.choose_device()
    settings = configuration(experiment, "train")
    dataset = read_dataset(prepared_file(settings["dataset"]))
    inputs = inputs_digest([configuration_file(experiment, "train"), prepared_file(settings["dataset"])])
    checkpoints = Path("checkpoints") / experiment
    fits = [_fit(experiment, seed, settings, dataset, inputs, device, checkpoints) for seed in settings["seeds"]]
    _write(experiment, settings, fits, inputs, device)
    shutil.rmtree(checkpoints, ignore_errors=True)


def model_settings(content: Any) -> Settings:
    """The settings of a model from plain JSON values."""
    tagged: Any = Annotated[Settings, Field(discriminator="kind")]
    settings: Settings = TypeAdapter(tagged).validate_python(content)
    return settings


def inputs_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of the named files and of all code of ours that has been imported."""
    root = Path(__file__).parent.parent
    modules = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "gan"]
    code = {Path(name) for name in [*modules, __file__] if name}
    digest = hashlib.sha256()
    for path in [*sorted(code), *paths]:
        name = path.relative_to(root) if path.is_relative_to(root) else path
        digest.update(f"{name} {files.sha256(path)}\n".encode())
    return digest.hexdigest()


def _fit(experiment: str, seed: int, settings: dict[str, Any], dataset: Dataset, inputs: str, device: torch.device,
         checkpoints: Path) -> Fit:
    checkpoint = checkpoints / f"seed-{seed}-{inputs[:16]}.safetensors"
    fit = _start(experiment, seed, settings, dataset, device)
    if checkpoint.exists() and not _restored(fit, checkpoint):
        fit = _start(experiment, seed, settings, dataset, device)
    with (
        tracking.start(experiment, seed, inputs, profile=settings["profile"], parameters=settings,
                       dataset=tracking.describe(prepared_file(dataset.name)),
                       hardware=machine.hardware(device)) as tracker,
        Progress(f"{experiment}, seed {seed}", fit.model.epochs, "epoch", done=fit.model.epoch) as progress,
    ):
        saved = -math.inf  # the first epoch is kept at once, to be there should the second diverge
        try:
            for row in fit.run():
                tracker.metrics({k: v for k, v in row.items() if k not in ("seed", "epoch", "game")},
                                step=row["epoch"])
                if "validation_log_likelihood" in row and tracker.active:
                    _show(fit, dataset, device, tracker)
                progress.advance(1, _note(fit))
                if time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
                    _save(fit, checkpoint)
                    saved = time.monotonic()
        except TrainingDiverged as error:
            raise _with_last_good_state(error, checkpoint) from None
        except ValueError as error:
            raise unfit(experiment, error) from error
        if fit.model.epochs:
            _save(fit, checkpoint)  # a finished seed is not fitted again if a later one fails
    return fit


def _start(experiment: str, seed: int, settings: dict[str, Any], dataset: Dataset, device: torch.device) -> Fit:
    monitor = TypeAdapter(Monitor).validate_python(settings["monitor"])
    try:
        model = create(model_settings(settings["model"]), dataset.train, seed, device, dataset.shape)
    except ValueError as error:
        raise unfit(experiment, error) from error
    return Fit(model, dataset.validation.to(device), seed, monitor)


def unfit(experiment: str, error: ValueError) -> ParameterError:
    """Numbers that are right in themselves and not for this data: more clusters than images, say."""
    return ParameterError(f"params.yaml: the numbers of experiments.{experiment} do not fit its data",
                          found=str(error), remedy="correct experiments, parzen.samples or monitor.samples, whichever "
                                                   "it was, or override it in a profile or for the data set")


def _show(fit: Fit, dataset: Dataset, device: torch.device, tracker: tracking.Tracker) -> None:
    """Pictures of samples from the same noise at each look, by a random stream of their own: training's bytes are the
    same with and without them."""
    images = min(IMAGES_IN_A_PICTURE, fit.monitor.samples)
    for variant in fit.model.variants:
        stream = random_stream(fit.seed, "pictures of training", device)
        samples = fit.model.sample(fit.model.weights(variant), images, stream)
        tracker.picture(f"samples_{variant}", samples.to("cpu", copy=True), dataset, step=fit.model.epoch)


def _note(fit: Fit) -> str:
    chosen = ", ".join(f"{variant} {choice.validation_log_likelihood:.1f} (epoch {choice.epoch})"
                       for variant, choice in fit.choices.items())
    return f"{'best ' if fit.model.selects_epoch else ''}on validation: {chosen} nats" if chosen else ""


def _save(fit: Fit, checkpoint: Path) -> None:
    tensors, about = fit.state()
    files.write_tensors(checkpoint, tensors, about)


def _restored(fit: Fit, checkpoint: Path) -> bool:
    """Whether `fit` is now as `checkpoint` has it; if not, because the file is torn, `fit` is not to be used."""
    try:
        fit.restore(*files.read_tensors(checkpoint))
    except (DataError, ValueError, KeyError, TypeError, RuntimeError) as error:
        print(f"{checkpoint} is not used, training starts anew: {error}", flush=True)
        return False
    print(f"going on from epoch {fit.model.epoch} ({checkpoint})", flush=True)
    return True


def _with_last_good_state(error: TrainingDiverged, checkpoint: Path) -> TrainingDiverged:
    kept = f"; the last good state is kept in {checkpoint}" if checkpoint.exists() else ""
    return TrainingDiverged(error.epoch, error.found, error.remedy + kept)


def _write(experiment: str, settings: dict[str, Any], fits: Sequence[Fit], inputs: str, device: torch.device) -> None:
    models = folder(experiment) / "models"
    for fit in fits:
        tensors = {f"{variant}.{name}": tensor for variant, choice in fit.choices.items()
                   for name, tensor in choice.weights.items()}
        files.write_tensors(models / f"seed-{fit.seed}.safetensors", tensors)
    rows = pandas.DataFrame([row for fit in fits for row in fit.rows], columns=None if any(
        fit.rows for fit in fits) else CURVES)
    extra = [column for column in rows.columns if column not in CURVES]
    files.write_text(folder(experiment) / "curves.csv",
                     rows.reindex(columns=CURVES + extra).to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    files.write_json(folder(experiment) / "training.json", {
        "model": settings["model"]["kind"], "dataset": settings["dataset"], "profile": settings["profile"],
        "settings": settings, "inputs": inputs, "hardware": machine.hardware(device),
        "seeds": [{"seed": fit.seed, "updates": getattr(fit.model, "updates", None), "variants": {
            variant: {"epoch": choice.epoch if fit.model.is_looked_at else None,
                      "validation_log_likelihood": choice.validation_log_likelihood}
            for variant, choice in fit.choices.items()}} for fit in fits]})


if __name__ == "__main__":
    stage.run(main)
