"""What tests of trainings share: checkpoints as often as can be, made-up validation scores, digits with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gan.datasets.digits import Digits
from gan.fit import Choice, Fit
from pipeline.runtime import checkpoints
from pipeline.stages import configure, features


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


@pytest.fixture(scope="session")
def raw_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    Digits("digits").fetch(folder, [], print, None)  # type: ignore[arg-type]
    return folder


@pytest.fixture
def labelled(digits: Any, raw_digits: Path) -> Any:
    """Digits with their raw files, which have labels."""
    target = digits.root / "data/raw/digits"
    target.parent.mkdir(parents=True)
    target.symlink_to(raw_digits)
    return digits


@pytest.fixture
def featured(labelled: Any) -> Any:
    """Digits with their features."""
    configure.main()
    features.main("digits")
    return labelled
