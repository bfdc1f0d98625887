"""Two folders with what finished experiments leave behind, and the page that is made of them, taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from finished_run import NORM, NOTE, REDUCED, REFERENCE, FinishedRun, Scores

from pipeline.results.metrics import gather
from pipeline.runtime.files import read_json, write_json
from pipeline.stages import figures, report

KMEANS = Scores({"raw": {1: (345.0, 338.6)}})
LEFT_OUT = {"tfd": "the Toronto Face Database is not public; ask its owners"}
FOLDED = Scores({"raw": {1: (1900.2, 1890.5), 2: (1903.3, 1899.5)}})
CIFAR = Scores({"raw": {1: (-1200.0, -1210.0), 2: (-1190.5, -1195.5)}})
MANY = [*REDUCED, *({"setting": f"train.model.discriminator.hidden[{i}].units", "paper": 32, "here": 16}
                     for i in range(12))]
VOID = {"meta", "img", "br", "hr", "wbr", "link", "input", "path"}


class Page(HTMLParser):
    """What the tests ask of a page: its elements in order, its text, and the text outside `data-varies`."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[tuple[str, dict[str, str]]] = []
        self.around: list[list[tuple[str, dict[str, str]]]] = []
        self.words: list[str] = []
        self.constant: list[str] = []
        self.cells: list[list[str]] = []
        self.rows_within: list[str] = []
        """Of each row, the class of its table"""
        self.feed(source)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        element = (tag, {name: value or "" for name, value in attributes})
        self.elements.append(element)
        self.around.append(list(self.open))
        if tag not in VOID:
            self.open.append(element)
        if tag == "tr":
            self.cells.append([])
            self.rows_within.append(next(
                (about.get("class", "") for tag, about in reversed(self.open) if tag == "table"), ""))
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attributes}))
        self.around.append(list(self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self.open]
        if "style" in inside or "script" in inside:
            return
        self.words.append(data)
        if not any("data-varies" in attributes for _, attributes in self.open):
            self.constant.append(data)
        if "td" in inside or "th" in inside:
            self.cells[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def nested(self) -> Iterator[tuple[str, dict[str, str], list[tuple[str, dict[str, str]]]]]:
        """Every element's name and attributes, and what it stands in."""
        return ((*element, around) for element, around in zip(self.elements, self.around, strict=True))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def row(self, *start: str) -> list[str]:
        """The first table row whose cells start with these texts."""
        rows = [[" ".join(cell.split()) for cell in row] for row in self.cells]
        return next(row for row in rows if len(row) >= len(start)
                    and all(cell.startswith(wanted) for cell, wanted in zip(row, start, strict=False)))


def make_finished(root: Path) -> None:
    """Four experiments, figures and a recorded run included; one more was not run."""
    run = FinishedRun(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_TRACKING", "off")
        patch.chdir(root)
        run.add("mnist")
        run.add("mnist_training_images", model="training_images", title="Training images", scores=REFERENCE,
                epochs=None)
        run.add("mnist_kmeans", model="kmeans", title="k-means centroids", scores=KMEANS, epochs=None)
        run.add("digits", dataset="digits", profile="smoke")
        run.finish(experiments=[*run.experiments, "mnist_alternating"], left_out=LEFT_OUT)
        for name in run.experiments:
            figures.main(name)
        add_sizes(root, "mnist", {"raw": {1000: 40.0, 10000: 84.5, 100000: 120.25}, "ema": {1000: 90.0, 100000: 161.0}})
        metrics = gather(["mnist"])["mnist"] | {"test_log_likelihood": 226.3, "profile": "paper"}
        run.record("mnist", metrics, note="Eleven minutes for each seed.")


def add_sizes(root: Path, experiment: str, curves: dict[str, dict[int, float]], dataset: str = "mnist") -> None:
    """sample_sizes.json: by variant, the test log-likelihood with each number of samples."""
    write_json(root / "artifacts" / experiment / "sample_sizes.json", {
        "profile": "cpu", "dataset": dataset, "validation_images": 40, "test_images": 60, "variants": {
            variant: {"seed": 2, "sizes": [
                {"samples": n, "bandwidth": 0.2, "validation_log_likelihood": value + 1, "test_log_likelihood": value,
                 "standard_error": 2.5, "at_the_edge": n == 1000} for n, value in curve.items()]}
            for variant, curve in curves.items()}})


def make_wider(root: Path) -> None:
    """Other data than MNIST: colour images in their own scale, folds, a model with pretraining, notes, narrowing."""
    run = FinishedRun(root, shape=(3, 8, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_TRACKING", "off")
        patch.chdir(root)
        run.add("cifar10_training_images", dataset="cifar10", model="training_images", title="Training images",
                scores=Scores({"raw": {1: (-900.0, -905.0)}}), epochs=None, contrast_norm=NORM)
        run.add("cifar10_convolutional", dataset="cifar10", scores=CIFAR, contrast_norm=NORM,
                about={"differences": MANY, "duplicates": {"test": 12, "train": 1, "validation": 3}})
        run.shape = (1, 8, 8)
        run.add("tfd", dataset="tfd", scores=FOLDED, folds=5, pretraining=6, about={"differences": REDUCED[:1]})
        run.add("faces_five_folds", dataset="faces_five_folds", scores=FOLDED, folds=5,
                about={"note": NOTE, "differences": REDUCED[:1]})
        run.add("faces_five_folds_training_images", dataset="faces_five_folds", model="training_images",
                title="Training images", scores=REFERENCE, epochs=None, folds=5, about={"note": NOTE})
        run.finish(left_out={"faces": "no folder with images was named"})
        for name in ("cifar10_convolutional", "tfd", "faces_five_folds"):
            figures.main(name)


def rendered(full: bool = True) -> Page:
    """The page with everything, or the short one that goes into git."""
    report.main()
    return Page(Path("reports/full.html" if full else "reports/index.html").read_text())


def metrics() -> dict[str, Any]:
    content: dict[str, Any] = read_json(Path("reports/metrics.json"))
    return content
