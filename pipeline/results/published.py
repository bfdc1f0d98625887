"""The paper's Table 1, and what models, variants and data sets are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.results.text import plain


@dataclass(frozen=True)
class Published:
    """A row of the paper's Table 1: mean test log-likelihood and its error in nats, by data set."""

    model: str
    name: str
    values: Mapping[str, tuple[float, float]]


PAPER_SOURCE = "Goodfellow et al. 2014, Generative Adversarial Nets, Table 1"
PAPER_TABLE = (
    Published("dbn", "DBN", {"mnist": (138, 2), "tfd": (1909, 66)}),
    Published("stacked_cae", "Stacked CAE", {"mnist": (121, 1.6), "tfd": (2110, 50)}),
    Published("deep_gsn", "Deep GSN", {"mnist": (214, 1.1), "tfd": (1890, 29)}),
    Published("adversarial_nets", "Adversarial nets", {"mnist": (225, 2), "tfd": (2057, 26)}),
)
PAPER_DATASETS = ("mnist", "tfd")
DATASET_NAMES = {"mnist": "MNIST", "tfd": "TFD", "cifar10": "CIFAR-10", "faces": "faces (image folder)",
                 "faces_five_folds": "FER-2013 faces, five folds (not TFD)", "digits": "digits (8 × 8)"}
REFERENCES = {"training_images": "Training images", "kmeans": "k-means centroids"}
"""Rows that are no generative models: they show what the estimate rewards."""

BEYOND = {
    "conditional_nets": "p(x | c): both players are told the class (section 7, 1).",
    "bidirectional_nets": "What z does an image have? (section 7, 2)",
    "completion_nets": "p(x_S | x_¬S) for many S by one model: both players see what is given (section 7, 3).",
    "semi_supervised_nets": "Few labels, many images: D learns classes beside its game (section 7, 4).",
    "stabilised_nets": "What keeps the players in step (section 7, 5)."}
"""What the paper's closing section proposes, by model, and what each is about"""
BEYOND_NAMES = {"conditional_nets": "Conditional nets", "bidirectional_nets": "Bidirectional nets",
                "completion_nets": "Completion nets", "semi_supervised_nets": "Semi-supervised nets",
                "stabilised_nets": "Stabilised nets"}

MODEL_NAMES = {row.model: row.name for row in PAPER_TABLE} | BEYOND_NAMES | REFERENCES
CHAIN_MODELS = ("dbn", "stacked_cae", "deep_gsn")
"""Those whose samples are states of Markov chains, and whose variants are ways to take them"""

VARIANT_NAMES = {"raw": "trained weights", "ema": "averaged weights (EMA), not in the paper",
                 "parallel": "parallel chains, not in the paper"}
ONE_CHAIN = "one chain, as published"
SMOKE_DATASETS = ("digits",)
"""Data sets that only show that the pipeline works; nobody has published a figure to compare with."""

COMPARISONS = {"cifar10": "the paper shows figures 2c and 2d and reports no log-likelihood"} | dict.fromkeys(
    SMOKE_DATASETS, "a test of the pipeline, comparable with nothing")


def model_name(model: str) -> str:
    return MODEL_NAMES.get(model, model)


def variant_name(model: str, variant: str) -> str:
    return ONE_CHAIN if model in CHAIN_MODELS and variant == "raw" else VARIANT_NAMES.get(variant, variant)


def dataset_name(dataset: str) -> str:
    return DATASET_NAMES.get(dataset, dataset)


def why_not_compared(dataset: str) -> str:
    """Why no published figure stands beside a data set's rows; empty for those of the paper's table."""
    return "" if dataset in PAPER_DATASETS else COMPARISONS.get(dataset, "comparable with no published number")


def published_score(model: str, dataset: str) -> tuple[float, float] | None:
    """The paper's (log-likelihood, error) of one cell of Table 1, or None where it has no such cell."""
    return next((row.values[dataset] for row in PAPER_TABLE if row.model == model and dataset in row.values), None)


def published_text(model: str, dataset: str) -> str:
    cell = published_score(model, dataset)
    return "–" if cell is None else f"{plain(cell[0])} ± {plain(cell[1])}"
