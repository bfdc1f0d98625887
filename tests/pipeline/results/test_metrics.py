"""What metrics.json holds, from what was evaluated."""

from __future__ import annotations

import statistics
from pathlib import Path

from finished_run import NORMALISED

from pipeline.results.metrics import by_variant, gather, headline


def test_deviation_is_that_of_a_sample_for_three_seeds() -> None:
    tests = [1.0, 4.0, 11.5]
    scores = {"bandwidth": 0.2, "standard_error": 1.0, "validation_log_likelihood": 0.0}
    evaluation = {"model": "kmeans", "dataset": "mnist", "profile": "cpu", "hardware": {}, "seeds": [
        {"seed": seed, "variants": {"raw": {"epoch": None, **{
            search: scores | {"test_log_likelihood": test} for search in ("refined", "paper_grid")}}}}
        for seed, test in enumerate(tests)]}
    entry = headline(evaluation)
    assert entry["seed_mean"] == 5.5
    assert entry["seed_sd"] == round(statistics.stdev(tests), 4) == 5.4083


def test_metrics_say_once_what_holds_for_every_variant(elsewhere: Path) -> None:
    entry = gather(["cifar10_convolutional"])["cifar10_convolutional"]
    assert (entry["scale"], entry["dimensions"], entry["folds"], entry["note"]) == (NORMALISED, 192, 1, "")
    assert entry["duplicates"] == {"test": 12, "train": 1, "validation": 3}
    assert entry["differences"][:5] == [
        "generator.hidden[0].units 1200 (paper: 8000)", "generator.hidden[1].activation relu (paper: sigmoid)",
        "discriminator.hidden[0].convolution.pool_stride 2 (paper: none)", "recipe.epochs 12 (paper: 500)",
        "seeds 1, 2 (paper: 1, 2, 3)"]
    assert gather(["tfd"])["tfd"]["folds"] == 5
    ema = {"test_log_likelihood": 1.0}
    assert by_variant(entry | {"ema": ema})["ema"]["scale"] == NORMALISED


def test_rows_take_an_entry_apart(place: Path) -> None:
    entry = gather(["mnist"])["mnist"]
    apart = by_variant(entry)
    assert list(apart) == ["raw", "ema"]
    assert "ema" not in apart["raw"]
    assert apart["ema"]["test_log_likelihood"] == 129.0
