"""What a training left behind: the weights that were chosen, and what says so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from gan.errors import ParameterError
from gan.registry import Settings
from pipeline.artifacts.configuration import folder
from pipeline.runtime import files


def weights_file(experiment: str, seed: int) -> Path:
    """What `gan.generator` reads: the chosen weights of each variant."""
    return folder(experiment) / "models" / f"seed-{seed}.safetensors"


def picture_name(variant: str, name: str) -> str:
    """Of a picture that a model shows of itself, beside the samples of a variant."""
    return f"picture_{variant}_{name}"


def model_settings(content: Any) -> Settings:
    """The settings of a model from plain JSON values."""
    tagged: Any = Annotated[Settings, Field(discriminator="kind")]
    settings: Settings = TypeAdapter(tagged).validate_python(content)
    return settings


def settings_mismatch(experiment: str, error: ValueError) -> ParameterError:
    """Numbers that are right in themselves and not for this data: more clusters than images, say."""
    return ParameterError(f"params.yaml: the numbers of experiments.{experiment} do not fit its data",
                          found=str(error), remedy="correct experiments, parzen.samples or monitor.samples, whichever "
                                                   "it was, or override it in a profile or for the data set")


SEARCHES = ("paper_grid", "refined")


def scored_rows(experiment: str) -> dict[int, list[str]]:
    """The variants of each seed that are scored."""
    training = files.read_json(folder(experiment) / "training.json")
    return {entry["seed"]: list(entry["variants"]) for entry in training["seeds"]}
