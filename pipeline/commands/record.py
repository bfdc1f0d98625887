"""Keep an experiment's finished results in git, in reports/recorded/: what a long run measured, and how.

    python -m pipeline record mnist ["a note to stand beside the numbers"]
    python -m pipeline record --from <folder of a bare run>

Every later report shows them as a row of their own, whatever profile it is made with.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gan.errors import ParameterError, ReproductionError
from pipeline.artifacts.configuration import folder
from pipeline.artifacts.paths import METRICS, RECORDED
from pipeline.bare import record
from pipeline.runtime import files, git


def main(experiment: str = "", note: str = "", source: Sequence[Path] = ()) -> None:
    """Of what the graph made, or of the folders of bare runs in `source`."""
    if source:
        for path in record.record(source):
            print(f"{path} holds results of a bare run; add it to git")
        return
    metrics = files.read_json(METRICS)
    if experiment not in metrics:
        raise ParameterError(f"there are no results of experiment {experiment!r} to record",
                             expected=f"one of {', '.join(metrics)}", remedy="run it first: `dvc repro`")
    commit, clean = git.commit()
    if not commit:
        raise ReproductionError("a record names the git commit that made it, and this is no git checkout",
                                remedy="record in a clone")
    training = files.read_json(folder(experiment) / "training.json")
    path = RECORDED / f"{experiment}-{training['profile']}.json"
    files.write_json(path, {
        "experiment": experiment, "profile": training["profile"], "commit": commit, "tree_was_clean": clean,
        "recorded": datetime.now(UTC).date().isoformat(), "note": note, "hardware": training["hardware"],
        "settings": training["settings"], "metrics": metrics[experiment]})
    print(f"{path} holds the results of {experiment}; add it to git")
