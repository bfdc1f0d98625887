"""searches.yaml: settings that a paper leaves open, to be tried on validation images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan.errors import ParameterError
from pipeline.runtime.names import require_known
from pipeline.settings.parameters import Parameters, read_yaml, with_settings
from pipeline.settings.schema import SettingsSearch, Train
from pipeline.settings.validation import read_block, require_mapping

FILE = Path("searches.yaml")


def load(parameters: Parameters, experiment: str) -> SettingsSearch:
    """The search of an experiment's settings, all combinations of which make a model. Raises ParameterError."""
    require_known(experiment, parameters.raw["experiments"], "experiment", "params.yaml: experiments")
    content = read_yaml(FILE)
    require_mapping(content, "the whole file", str(FILE))
    if experiment not in content:
        raise ParameterError(f"{FILE} has no search for {experiment}", expected=f"one of {', '.join(content)}",
                             remedy="name one of these, or write a search of its own")
    search = read_block(SettingsSearch, experiment, content[experiment], file=str(FILE))
    own = start(parameters, experiment)["train"]
    for point in search.points():
        try:
            model = with_settings(own["model"], search.settings | point)
        except KeyError as error:
            raise ParameterError(f"{FILE}: {experiment} names a setting that the model does not have",
                                 expected=f"a dotted name below experiments.{experiment}.train.model of params.yaml",
                                 found=str(error.args[0]), remedy="correct the name") from error
        read_block(Train, experiment, own | {"model": model}, file=str(FILE))
    return search


def start(parameters: Parameters, experiment: str) -> dict[str, Any]:
    """`dataset`, `train` and `parzen` as the profile `paper` has them, from which a search begins."""
    entry = parameters.entry(experiment, "paper")
    return {"dataset": entry["dataset"], "train": entry["train"],
            "parzen": parameters.for_dataset("parzen", "paper", entry["dataset"])}
