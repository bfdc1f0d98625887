"""A small folder as `make record` writes it from a bare run, beside its row of Table 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from finished_run import HARDWARE

from pipeline.results.metrics import headline
from pipeline.runtime.files import write_json

SEEDS, LOOKS = [1, 2], [2, 4, 6, 7]
EPOCHS, STARTS, START_EPOCHS, GONE = 7, 4, 20, [2]
NAMES = ["discriminator_loss", "generator_loss", "d_on_data", "d_on_samples"]
ABOUT = {"experiment": "mnist", "profile": "paper", "commit": "c0ffee" + "1" * 34, "recorded": "2026-11-27",
         "hardware": HARDWARE | {"accelerator": "Example GPU <b>"}}


def make_recorded(recorded: Path) -> Path:
    """mnist-paper.json and mnist-paper/ in reports/recorded/; returns the folder."""
    folder = recorded / "mnist-paper"
    scores = [{"seed": seed, "collapsed": seed == 2, "variants": {
        "raw": _variant(6, 219.0 + 2 * seed), "ema": _variant(4, 225.0 + seed)}} for seed in SEEDS]
    write_json(folder / "annealing.json", ABOUT | {"updates_per_epoch": 500, "annealing": {
        "microseconds_per_update": {"1": 460.4, "2": 700.6}, "seeds": SEEDS, "looks_every": 2, "epochs_planned": 2000,
        "settings": {"model": {"recipe": {
            "learning_rate": {"initial": 0.1, "decay": 1.000004, "minimum": 0.000001},
            "momentum": {"initial": 0.5, "final": 0.7, "saturates": 250}, "average_decay": 0.9998}}},
        "epochs": EPOCHS, "seconds_of_training": 560.8, "scores": scores, "short_annealing": [
            {"from_epoch": 2, "epochs": 2, "rate": 0.05, "seeds": [
                {"seed": seed, "before": {"raw": 100.0 + seed, "ema": 150.0 + seed},
                 "after": {"raw": 120.0 + 3 * seed, "ema": 130.0 + seed}} for seed in SEEDS]}]}})
    looks = np.array([[[100 + 5 * at + seed, 150 + at + seed] for seed in SEEDS] for at in range(len(LOOKS))])
    np.savez_compressed(folder / "curves.npz", seeds=SEEDS, names=NAMES, look_epochs=LOOKS,
                        look_variants=["raw", "ema"], looks=looks.astype(np.float32),
                        curves=np.zeros((EPOCHS, len(SEEDS), len(NAMES)), np.float32))
    write_json(folder / "collapse.json", ABOUT | {"collapse": {"as <released>": {
        "arrays": 0, "names": NAMES, "epochs": START_EPOCHS, "starts": STARTS, "collapsed": len(GONE),
        "collapsed_seeds": GONE, "rate": 0.25, "interval_95": [0.0063, 0.8059], "validation_below_0": 1,
        "rule_and_validation_agree": 3}}})
    curves = np.full((STARTS, START_EPOCHS, len(NAMES)), 0.25, np.float32)
    curves[:, :, 2] = 0.75
    curves[1, 5:, 2:] = (0.99, 0.01)
    np.savez_compressed(folder / "starts.npz", **{"0_seeds": np.arange(1, STARTS + 1), "0_curves": curves,
                                                  "0_validation": np.array([90.0, -200.0, 80.0, -1.0])})
    np.savez_compressed(folder / "grids.npz", shape=[1, 2, 3], **{
        f"seed_{seed}_{variant}": np.arange(100 * 6, dtype=np.uint8).reshape(100, 6) + np.uint8(seed)
        for seed in SEEDS for variant in ("raw", "ema")})
    entry = headline({"title": "Adversarial nets", "model": "adversarial_nets", "dataset": "mnist", "profile": "paper",
                      "differences": [], "hardware": ABOUT["hardware"], "seeds": scores})
    write_json(recorded / "mnist-paper.json", ABOUT | {"settings": {"epochs": EPOCHS}, "metrics": entry})
    return folder


def _variant(epoch: int, nats: float) -> dict[str, Any]:
    return {"epoch": epoch, **{grid: {"bandwidth": 0.2, "validation_log_likelihood": nats - away - 3,
                                      "at_the_edge": False, "test_log_likelihood": nats - away, "standard_error": error,
                                      "test_images": 60}
                               for grid, away, error in (("refined", 0, 1.5), ("paper_grid", 7, 2.5))}}
