"""Trained generators that are in git, in reports/recorded/<experiment>-<profile>/: one variant of one seed, in float16.

generator.safetensors is a file of weights as the stage `train` writes them, of half the size, which
`gan.generator.Generator` reads; generator.json is its record. No test image has a say in which is taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.errors import DataError, ReproductionError
from pipeline.artifacts.paths import RECORDED
from pipeline.results.metrics import Entry, by_variant
from pipeline.runtime import files
from pipeline.runtime.machine import describe as describe_machine

WEIGHTS, ABOUT = "generator.safetensors", "generator.json"
LARGEST = 5 * 2**20
"""Bytes of a file of weights that may go into git"""
COMPARED = 100
"""Samples by which the weights in float16 are compared with those that were trained"""
KEYS = ("experiment", "profile", "commit", "recorded", "hardware", "variant", "seed", "epoch", "test_log_likelihood",
        "standard_error", "validation_log_likelihood", "sha256")


@dataclass(frozen=True)
class RecordedGenerator:
    weights: Path
    about: Mapping[str, Any]

    def text(self) -> str:
        """Whose weights they are, what they scored and what made them."""
        about = self.about
        epoch = "" if about["epoch"] is None else f", epoch {about['epoch']}"
        return (f"{about['experiment']}, profile {about['profile']}, seed {about['seed']}{epoch}: test log-likelihood "
                f"{about['test_log_likelihood']:.1f} ± {about['standard_error']:.1f} nats, commit "
                f"{about['commit'][:10]}, {about['recorded']}, {describe_machine(about['hardware'])}")


def record(trained: Path, entry: Entry, about: Mapping[str, Any]) -> list[Path]:
    """Take the generator of an experiment over, and return the files written.

    `trained` holds seed-<n>.safetensors of each seed, `entry` is the experiment's in metrics.json, `about` says whose
    it is: experiment, profile, commit, hardware and so on. ReproductionError if the file would be too large for git.
    """
    import torch

    from gan.generator import Generator
    from gan.weights import describe, read_description, read_weights

    variants = by_variant(entry)
    variant = "ema" if "ema" in variants else "raw"
    row = variants[variant]
    source = trained / f"seed-{row['seed']}.safetensors"
    whole = Generator.load(source, variant)  # DataError if it is none
    weights = {f"{variant}.{name}": tensor.to(torch.float16) for name, tensor in read_weights(source, variant).items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if size > LARGEST:
        raise ReproductionError(f"the generator of {about['experiment']} is too large for git",
                                expected=f"at most {LARGEST / 2**20:.0f} MiB in float16",
                                found=f"{size / 2**20:.1f} MiB",
                                remedy="record one of a smaller network: mnist’s has 4.8 MiB")
    folder = RECORDED / f"{about['experiment']}-{about['profile']}"
    description = read_description(source)
    files.write_tensors(folder / WEIGHTS, weights, describe(description.model, description.shape, [variant]))
    differences = (Generator.load(folder / WEIGHTS, variant).sample(COMPARED) - whole.sample(COMPARED)).abs()
    chosen = next(one for one in row["seeds"] if one["seed"] == row["seed"])
    files.write_json(folder / ABOUT, {
        **about, "variant": variant, "seed": row["seed"], "epoch": row["epoch"],
        "test_log_likelihood": row["test_log_likelihood"], "standard_error": row["standard_error"],
        "validation_log_likelihood": chosen["validation_log_likelihood"],
        "rounded_to_float16": {"samples": COMPARED, "largest_change_of_a_pixel": _rounded(differences.max().item()),
                               "mean_change_of_a_pixel": _rounded(differences.mean().item())},
        "trained_sha256": files.sha256(source), "sha256": files.sha256(folder / WEIGHTS)})
    return [folder / WEIGHTS, folder / ABOUT]


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def recorded_generators(folder: Path = RECORDED) -> list[RecordedGenerator]:
    """Those in git, the best by validation first; DataError for one that is not as `record` writes it."""
    found = [_read(path) for path in sorted(folder.glob(f"*/{ABOUT}"))]
    return sorted(found, key=lambda one: -_number(one.about["validation_log_likelihood"]))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else -math.inf


def _read(path: Path) -> RecordedGenerator:
    about, weights = files.read_json(path), path.with_name(WEIGHTS)
    lacking = [key for key in KEYS if not isinstance(about, dict) or key not in about]
    if lacking or not weights.is_file() or files.sha256(weights) != about["sha256"]:
        found = f"nothing under {', '.join(lacking)}" if lacking else "other weights, or none"
        raise DataError(f"{path} and {WEIGHTS} beside it are not a recorded generator",
                        expected="what `make record` wrote", found=found,
                        remedy=f"`git checkout {path.parent}`, or record it again")
    return RecordedGenerator(weights, about)
