"""What params.yaml says of a bare run's experiment: the one place that reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan.adversarial.settings import AdversarialNets
from gan.errors import ParameterError
from gan.evaluation.settings import Monitor
from pipeline.settings import parameters
from pipeline.settings.schema import Parzen


@dataclass(frozen=True)
class Settings:
    """What params.yaml says of the experiment under the profile."""

    title: str
    dataset: str
    profile: str
    nets: AdversarialNets
    monitor: Monitor
    parzen: Parzen

    @classmethod
    def read(cls, experiment: str, profile: str) -> Settings:
        """ParameterError unless it is an experiment of adversarial nets that are trained in one game."""
        loaded = dataclasses.replace(parameters.load(plan=False), profile=profile)
        found = loaded.experiment(experiment)
        nets = found.train.model
        if not isinstance(nets, AdversarialNets) or nets.pretraining is not None or nets.has_convolutions or (
                nets.recipe.restarts is not None or nets.condition is not None):
            raise ParameterError(f"experiment {experiment} is not for this",
                                 expected="adversarial nets without pretraining, convolutions, restarts and condition, "
                                          "whose seeds are computed together", remedy="mnist is one")
        return cls(found.title, found.dataset, profile, nets, loaded.monitor(profile, found.dataset),
                   loaded.parzen(profile, found.dataset))

    def plain(self, experiment: str, seeds: Sequence[int]) -> dict[str, Any]:
        """As the stage `train` has them in training.json, and a record keeps them."""
        return {"experiment": experiment, "dataset": self.dataset, "profile": self.profile, "seeds": list(seeds),
                "model": dataclasses.asdict(self.nets), "monitor": dataclasses.asdict(self.monitor)}
