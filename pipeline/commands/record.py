"""Keep an experiment's finished results in git, in reports/recorded/: what a long run measured, and how.

    python -m pipeline record mnist ["a note to stand beside the numbers"] [--weights]
    python -m pipeline record --from <folder of a bare run>

Every later report shows them as a row of their own, whatever profile it is made with. With --weights the generator goes
beside them, for `make samples`: the averaged weights of the seed that validation chose, in float16.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gan.errors import ParameterError, ReproductionError
from pipeline.artifacts.configuration import folder
from pipeline.artifacts.paths import RECORDED
from pipeline.bare import record
from pipeline.results import recorded_generator
from pipeline.results.metrics import with_defaults
from pipeline.results.plan import Plan
from pipeline.runtime import files, git


def main(experiment: str = "", note: str = "", source: Sequence[Path] = (), weights: bool = False) -> None:
    """Of what the graph made, with its generator's `weights` if wanted, or of the folders of bare runs in `source`."""
    if source and weights:
        raise ReproductionError("a bare run keeps no weights", expected="an experiment of this checkout with --weights",
                                remedy="record it without --weights")
    if source:
        for path in record.record(source):
            print(f"{path} holds results of a bare run; add it to git")
        return
    metrics = files.read_json(Plan.read().metrics)
    if experiment not in metrics:
        raise ParameterError(f"there are no results of experiment {experiment!r} to record",
                             expected=f"one of {', '.join(metrics)}", remedy="run it first: `dvc repro`")
    commit, clean = git.commit()
    if not commit:
        raise ReproductionError("a record names the git commit that made it, and this is no git checkout",
                                remedy="record in a clone")
    training = files.read_json(folder(experiment) / "training.json")
    path = RECORDED / f"{experiment}-{training['profile']}.json"
    about = {"experiment": experiment, "profile": training["profile"], "commit": commit, "tree_was_clean": clean,
             "recorded": datetime.now(UTC).date().isoformat(), "note": note, "hardware": training["hardware"]}
    files.write_json(path, {**about, "settings": training["settings"], "metrics": metrics[experiment]})
    print(f"{path} holds the results of {experiment}; add it to git")
    if weights:
        entry = with_defaults(metrics[experiment])
        for written in recorded_generator.record(folder(experiment) / "models", entry, about):
            print(f"{written} holds its generator in float16; add it to git")
