"""The experiment of MLflow's that runs are under: found, made, never brought back unasked.

To restore an experiment that was deleted would restore every run in it, those that were deleted one by one before it
as well. So where the one by our name is deleted, runs go to "… (2)", and one line says so.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable
from typing import Any

from pipeline.tracking import store as stores
from pipeline.tracking.schema import WRITER

EXPERIMENT = "Generative Adversarial Nets"
NOTE = "mlflow.note.content"
ABOUT = ("One run per experiment of the pipeline, with its parameters, scores, figures and generator, and below it one "
         "per seed, with curves and samples. Filter or group by the tags `gan.experiment`, `gan.seed`, `gan.profile` "
         "and `gan.changed`; `gan.inputs` is the digest of everything that the training read. The results are on the "
         "page `reports/index.html` of the repository.")
VIEW = "scores"
"""name of a view of the list of runs that our links open: MLflow's own list shows no score"""
COLUMNS = (*(f"metrics.`{name}`" for name in ("test_log_likelihood", "test_log_likelihood_ema",
                                              "test_log_likelihood_parallel", "validation_score")),
           "attributes.`Models`", "tags.`gan.changed`")


def heading() -> str:
    """The name that runs are to be under."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT


def find(client: Any) -> Any:
    """The experiment that runs are logged to; None if there is none yet."""
    return _look(client.get_experiment_by_name)[1]


def find_or_create(client: Any, artifacts: str | None, call: Callable[..., Any]) -> str:
    """The id of the experiment to log to. `call` calls a function of the client's with what follows."""

    def by_name(name: str) -> Any:
        return call(client.get_experiment_by_name, name)

    name, experiment, deleted = _look(by_name)
    if experiment is None:
        if deleted is not None:
            stores.say(f"MLflow: the experiment {deleted.name!r} is deleted, runs go to {name!r}; `mlflow experiments "
                       f"restore -x {deleted.experiment_id}` brings it back, with every run that was deleted in it")
        try:
            return str(call(client.create_experiment, name, artifacts, tags()))
        except Exception as error:
            experiment = None if stores.is_silence(error) else by_name(name)
            if experiment is None:  # not another process that was quicker
                raise
    for key, value in tags().items():
        if experiment.tags.get(key) != value and key != NOTE:  # a reader may have written another note
            call(client.set_experiment_tag, experiment.experiment_id, key, value)
    return str(experiment.experiment_id)


def tags() -> dict[str, str]:
    """What our experiment says of itself."""
    view = {"selectedColumns": list(COLUMNS), "orderByKey": "attributes.`Created`", "orderByAsc": False}
    return {NOTE: ABOUT, WRITER: importlib.metadata.version("mlflow"),
            f"mlflow.sharedViewState.{VIEW}": json.dumps(view)}


def _look(by_name: Callable[[str], Any]) -> tuple[str, Any, Any]:
    """The first of our names whose experiment is not deleted, that experiment if there is one, and the deleted one
    before it."""
    deleted, number, name = None, 1, heading()
    while (experiment := by_name(name)) is not None and experiment.lifecycle_stage == "deleted":
        deleted, number = experiment, number + 1
        name = f"{heading()} ({number})"
    return name, experiment, deleted
