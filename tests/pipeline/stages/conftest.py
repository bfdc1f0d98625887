"""What tests of trainings share: checkpoints as often as can be, and validation scores that are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from gan.fit import Choice, Fit
from pipeline.runtime import checkpoints


@pytest.fixture
def checkpoint_at_every_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "DEFAULT_SECONDS", 0.0)


@pytest.fixture
def scripted_scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterable[float]], None]:
    """Has validation give the trained weights these scores, one at each look, whatever they are."""
    def script(scores: Iterable[float]) -> None:
        given = iter(scores)

        def choose(self: Fit) -> dict[str, float]:
            score = next(given)
            if not self.choices or score > self.choices["raw"].validation_log_likelihood:
                weights = {name: tensor.clone() for name, tensor in self.model.weights("raw").items()}
                self.choices["raw"] = Choice(self.model.epoch, score, weights)
            return {"raw": score}
        monkeypatch.setattr(Fit, "_choose", choose)
    return script
