"""Which seed speaks for an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def best_seed(measured: Mapping[str, Any], variant: str) -> int:
    """The seed with the highest *validation* log-likelihood (refined search), the first of equal ones; test images have
    no say. `measured` is the content of bandwidth.json or evaluation.json."""
    seeds = [seed for seed in measured["seeds"] if variant in seed["variants"]]
    best = max(seeds, key=lambda seed: seed["variants"][variant]["refined"]["validation_log_likelihood"])
    return int(best["seed"])
