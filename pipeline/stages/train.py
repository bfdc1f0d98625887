"""Fit an experiment's model with each of its seeds; the epoch is chosen on validation images.

After a kill, the same command resumes from the last checkpoint and ends with the same bytes
(`pipeline.runtime.checkpoints`); checkpoints are deleted when the stage has succeeded.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from gan.adversarial.bidirectional_settings import BidirectionalNets
from gan.adversarial.semi_supervised_settings import SemiSupervisedNets
from gan.adversarial.settings import AdversarialNets
from gan.datasets.dataset import Dataset
from gan.errors import ReproductionError, TrainingDiverged
from gan.evaluation.settings import Monitor
from gan.fit import Fit
from gan.linear_algebra import random_stream
from gan.model import Restarts
from gan.registry import create, create_together, model_of, needs_labels
from gan.weights import describe
from pipeline.artifacts.configuration import configuration, inputs_digest
from pipeline.artifacts.configuration import folder as artifacts
from pipeline.artifacts.labels import training_labels
from pipeline.artifacts.paths import prepared_file
from pipeline.artifacts.prepared import read_dataset
from pipeline.artifacts.raw import loader_of
from pipeline.artifacts.tables import write_csv
from pipeline.artifacts.trained import model_settings, settings_mismatch, weights_file
from pipeline.runtime import checkpoints, files, machine, process_lock, stage
from pipeline.runtime.checkpoints import Checkpoint
from pipeline.runtime.interruption import Interruption
from pipeline.runtime.progress import Progress
from pipeline.tracking import runs

IMAGES_IN_A_PICTURE = 64
CURVES = ["seed", "epoch", "discriminator_loss", "generator_loss", "d_on_data", "d_on_samples", "learning_rate",
          "momentum", "validation_log_likelihood", "validation_log_likelihood_ema"]


@machine.flushing_denormals()
def main(experiment: str, seed: str | None = None) -> None:
    """Fit all seeds and write the outputs; or only `seed`, up to its last checkpoint, which the stage then finds."""
    machine.reuse_freed_memory()
    device = machine.choose_device()
    settings = configuration(experiment, "train")
    seeds = settings["seeds"] if seed is None else [_known(experiment, seed, settings["seeds"])]
    dataset = read_dataset(prepared_file(settings["dataset"]))
    inputs = inputs_digest(experiment, settings["dataset"])
    folder = checkpoints.folder(experiment)
    lock = folder.with_name(f"{experiment}.lock" if seed is None else f"{experiment}.seed-{seed}.lock")
    with process_lock.holding(lock, f"training of {experiment}"):
        training = _Experiment(experiment, settings, dataset, inputs, device)
        fits = training.fit(seeds)
        if seed is None:
            _write(experiment, settings, fits, dataset.shape, device)
            shutil.rmtree(folder, ignore_errors=True)


def _known(experiment: str, seed: str, seeds: Sequence[int]) -> int:
    if seed not in map(str, seeds):
        raise ReproductionError(f"{experiment} has no seed {seed}", expected=", ".join(map(str, seeds)), found=seed,
                                remedy="name one of these, or none for all of them")
    return int(seed)


class _Experiment:
    """What all seeds of an experiment share, and how they are fitted."""

    def __init__(self, name: str, settings: dict[str, Any], dataset: Dataset, inputs: str, device: torch.device
                 ) -> None:
        self.name, self.settings, self.dataset, self.inputs, self.device = name, settings, dataset, inputs, device
        self._model = model_settings(settings["model"])
        self._labels = self._read_labels()
        self._kept_by = inputs if self._labels is None else hashlib.sha256(
            inputs.encode() + self._labels.numpy().tobytes()).hexdigest()
        self._alone = isinstance(self._model, BidirectionalNets | SemiSupervisedNets) or (
            isinstance(self._model, AdversarialNets) and self._model.recipe.restarts is not None)
        self._seconds = checkpoints.seconds_between()
        self._folder = checkpoints.folder(name)

    def _read_labels(self) -> Tensor | None:
        """Of the training images, where the model is trained on them."""
        if not needs_labels(self._model):
            return None
        return training_labels(self.name, self.dataset, loader_of(self.settings["loader"]))

    def fit(self, seeds: Sequence[int]) -> list[Fit]:
        """The fit of each seed: one after another on a CPU, where a start may be given up, or where seeds are not
        computed together and a state is large; else together."""
        if self.device.type == "cpu" or self._alone:
            return [self._fit_in_step([seed])[0] for seed in seeds]
        finished = {seed: fit for seed in seeds if (fit := self._finished(seed)) is not None}
        others = [seed for seed in seeds if seed not in finished]
        fitted = dict(zip(others, self._fit_in_step(others), strict=True)) if others else {}
        return [(finished | fitted)[seed] for seed in seeds]

    def _finished(self, seed: int) -> Fit | None:
        """A fit that came to its end earlier."""
        if not self._checkpoint([seed]).exists():
            return None
        [fit] = self._restored([seed])
        return fit if fit.is_finished else None

    def _checkpoint(self, seeds: Sequence[int]) -> Checkpoint:
        return Checkpoint(self._folder, f"seed{'' if len(seeds) == 1 else 's'}-{'-'.join(map(str, seeds))}",
                          self._kept_by)

    def _start(self, seeds: Sequence[int]) -> list[Fit]:
        monitor = TypeAdapter(Monitor).validate_python(self.settings["monitor"])
        try:
            models = create_together(self._model, self.dataset.train, seeds, self.device, self.dataset.shape,
                                     self._labels)
        except ValueError as error:
            raise settings_mismatch(self.name, error) from error
        validation = self.dataset.validation.to(self.device)
        return [Fit(model, validation, seed, monitor) for model, seed in zip(models, seeds, strict=True)]

    def _next_start(self, failed: Fit) -> Fit:
        number = failed.start + 1
        print(f"{self.name}, seed {failed.seed}: start {failed.start} has collapsed by epoch {failed.model.epoch} and "
              f"is given up; start {number} begins", flush=True)
        model = create(self._model, self.dataset.train, failed.seed, self.device, self.dataset.shape, number,
                       self._labels)
        return Fit(model, self.dataset.validation.to(self.device), failed.seed, failed.monitor,
                   [*failed.given_up, failed.rows])

    def _restored(self, seeds: Sequence[int]) -> list[Fit]:
        """Fits as the newest whole checkpoint has them, or at their start."""
        checkpoint = self._checkpoint(seeds)
        for other in checkpoint.others():
            print(f"{other} is of other parameters, code or data and is not used", flush=True)
        for path, tensors, about in checkpoint.candidates():
            fits = self._start(seeds)
            try:
                for fit in fits:
                    own = {name.removeprefix(f"{fit.seed}/"): tensor for name, tensor in tensors.items()
                           if name.startswith(f"{fit.seed}/")}
                    fit.restore(own, about[str(fit.seed)])
            except (ValueError, KeyError, TypeError, RuntimeError) as error:
                print(f"{path} is not used: {error}", flush=True)
                continue
            print(f"resumes from epoch {fits[0].model.epoch} ({path})", flush=True)
            return fits
        if checkpoint.exists():
            print("no checkpoint is whole, training starts anew", flush=True)
        return self._start(seeds)

    def _fit_in_step(self, seeds: Sequence[int]) -> list[Fit]:
        fits, checkpoint = self._restored(seeds), self._checkpoint(seeds)
        self._run(fits, checkpoint)
        while failed := [fit for fit in fits if fit.is_to_be_given_up]:  # alone: others are not in step with it
            fits = [self._next_start(fit) for fit in failed]
            self._run(fits, checkpoint)
        if len(seeds) > 1:  # each can then be found alone
            for fit in fits:
                _save([fit], self._checkpoint([fit.seed]))
        return fits

    def _run(self, fits: Sequence[Fit], checkpoint: Checkpoint) -> None:
        """To the end, or that of a start which is to be given up."""
        if any(fit.is_to_be_given_up for fit in fits):  # as a checkpoint has them that was the last before a kill
            return
        if all(fit.model.epochs and fit.is_finished for fit in fits):  # by an earlier process: its run has ended
            return
        words = f"{self.name}, seed{'' if len(fits) == 1 else 's'} {', '.join(str(fit.seed) for fit in fits)}"
        words += f", start {fits[0].start}" if fits[0].start > 1 else ""
        with (
            Interruption() as interruption,
            contextlib.ExitStack() as trackers,
            Progress(words, fits[0].model.epochs, "epoch", done=fits[0].model.epoch) as progress,
        ):
            running = _Running(fits, [trackers.enter_context(self._tracker(fit)) for fit in fits], checkpoint,
                               progress, interruption, self._seconds)
            try:
                running.run(self._show)
            except TrainingDiverged as error:
                raise _with_last_good_state(error, checkpoint) from None
            except ValueError as error:
                raise settings_mismatch(self.name, error) from error

    def _tracker(self, fit: Fit) -> runs.Tracker:
        return runs.start(self.name, fit.seed, self.inputs, profile=self.settings["profile"], parameters=self.settings,
                          dataset=runs.describe(prepared_file(self.dataset.name)),
                          hardware=machine.hardware(self.device), attempt=fit.start)

    def _show(self, fit: Fit, tracker: runs.Tracker) -> None:
        """Pictures of samples from the same noise at each look, by a random stream of their own: training's bytes are
        the same with and without them."""
        images = min(IMAGES_IN_A_PICTURE, fit.monitor.samples)
        for variant in fit.model.variants:
            stream = random_stream(fit.seed, "pictures of training", self.device)
            samples = fit.model.sample(fit.model.weights(variant), images, stream)
            tracker.picture(f"samples_{variant}", samples.to("cpu", copy=True), self.dataset, step=fit.model.epoch)


@dataclass
class _Running:
    """Fits on their way: rows to their trackers, checkpoints when it is time, an end when one is asked for."""

    fits: Sequence[Fit]
    trackers: Sequence[runs.Tracker]
    checkpoint: Checkpoint
    progress: Progress
    interruption: Interruption
    seconds: float
    _saved: float = field(default_factory=time.monotonic)
    _updates: int = 0  # of the running epoch, in this process

    def run(self, show: Callable[[Fit, runs.Tracker], None]) -> None:
        rows = {fit: fit.run(self._between_updates) for fit in self.fits}
        while rows:
            for fit, tracker in zip(self.fits, self.trackers, strict=True):
                row = next(rows[fit], None) if fit in rows else None
                if row is None:
                    rows.pop(fit, None)
                    continue
                tracker.metrics({k: v for k, v in row.items() if k not in ("seed", "epoch", "game")},
                                step=row["epoch"])
                if "validation_log_likelihood" in row and tracker.active:
                    show(fit, tracker)
            if rows:
                self._updates = 0
                self.progress.advance(1, _note(self.fits[0]))
                # The first epoch is kept at once, to be there should the second diverge.
                self._keep(at_once=not self.checkpoint.exists())
        if self.fits[0].model.epochs:
            _save(self.fits, self.checkpoint)  # a finished seed is not fitted again if a later one fails

    def _between_updates(self) -> None:
        self._updates += 1
        self._keep()
        self.progress.advance(0, f"epoch {self.fits[0].model.epoch + 1} under way, {self._updates:,} updates of it")

    def _keep(self, at_once: bool = False) -> None:
        if at_once or self.interruption.requested or time.monotonic() - self._saved >= self.seconds:
            _save(self.fits, self.checkpoint)
            self._saved = time.monotonic()
        self.interruption.check()


def _note(fit: Fit) -> str:
    chosen = ", ".join(f"{variant} {choice.validation_log_likelihood:.1f} (epoch {choice.epoch})"
                       for variant, choice in fit.choices.items())
    return f"{'best ' if fit.model.selects_epoch else ''}on validation: {chosen} nats" if chosen else ""


def _save(fits: Sequence[Fit], checkpoint: Checkpoint) -> None:
    """Keep a state, unless it has diverged, which the end of the epoch will tell."""
    tensors: dict[str, Tensor] = {}
    about = {}
    for fit in fits:
        own, about[str(fit.seed)] = fit.state()
        tensors |= {f"{fit.seed}/{name}": tensor for name, tensor in own.items()}
    if all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point()):
        checkpoint.save(tensors, about)


def _with_last_good_state(error: TrainingDiverged, checkpoint: Checkpoint) -> TrainingDiverged:
    kept = f"; the last good state is kept in {checkpoint.path}" if checkpoint.exists() else ""
    return TrainingDiverged(error.epoch, error.found, error.remedy + kept)


def _write(experiment: str, settings: dict[str, Any], fits: Sequence[Fit], shape: tuple[int, int, int],
           device: torch.device) -> None:
    for fit in fits:
        tensors = {f"{variant}.{name}": tensor for variant, choice in fit.choices.items()
                   for name, tensor in choice.weights.items()}
        files.write_tensors(weights_file(experiment, fit.seed), tensors, describe(
            settings["model"], shape, list(fit.choices)))
    rows = [row for fit in fits for row in fit.rows]
    columns = list(dict.fromkeys([*CURVES, *(column for row in rows for column in row)]))
    write_csv(artifacts(experiment) / "curves.csv", columns, ([row.get(column) for column in columns] for row in rows),
              digits=6)
    files.write_json(artifacts(experiment) / "training.json", {
        "model": model_of(settings["model"]), "dataset": settings["dataset"],
        "profile": settings["profile"],
        "settings": settings, "hardware": machine.hardware(device),
        "seeds": [{"seed": fit.seed, "updates": getattr(fit.model, "updates", None), **_starts(fit), "variants": {
            variant: {"epoch": choice.epoch if fit.model.can_be_scored else None,
                      "validation_log_likelihood": choice.validation_log_likelihood}
            for variant, choice in fit.choices.items()}} for fit in fits]})


def _starts(fit: Fit) -> dict[str, Any]:
    """Where starts may be given up: how many the seed took, and the curves of those that failed, a row an epoch."""
    if not (isinstance(fit.model, Restarts) and fit.model.starts > 1):
        return {}
    return {"start": fit.start, "given_up": [
        {name: [row.get(name) for row in rows] for name in CURVES[1:] if any(name in row for row in rows)}
        for rows in fit.given_up]}


if __name__ == "__main__":
    stage.run(main, "experiment", optional=["seed"])
