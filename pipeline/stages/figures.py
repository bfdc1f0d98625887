"""Stage `figures`: an experiment's pictures, each beside the numbers that it shows.

    python -m pipeline.stages.figures mnist

Nothing is chosen by hand: the samples shown are the first that were drawn, and the seed is the one that the headline
reports. Equal inputs give equal bytes.
"""

from __future__ import annotations

from pipeline.artifacts.paths import FIGURES
from pipeline.figures.bandwidth import bandwidth_figure
from pipeline.figures.curves import training_figure
from pipeline.figures.experiment import FinishedExperiment
from pipeline.figures.samples import sample_figures
from pipeline.figures.style import house_style
from pipeline.runtime.stage import run
from pipeline.tracking.finished import log as track


def main(experiment: str) -> None:
    """Write reports/figures/<experiment>/ anew."""
    finished = FinishedExperiment.read(experiment)
    folder = FIGURES / experiment
    folder.mkdir(parents=True, exist_ok=True)
    with house_style():
        written = {*sample_figures(finished, folder), *training_figure(finished, folder),
                   *bandwidth_figure(finished, folder)}
    for old in {path for suffix in ("png", "csv", "json") for path in folder.glob(f"*.{suffix}")} - written:
        old.unlink()
    track(experiment, finished.training, finished.evaluation, sorted(written))


if __name__ == "__main__":
    run(main, "experiment")
