"""What DVC's own commands show: one number for each row, curves of all experiments in long form, and their pictures."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from finished_run import REFERENCE, FinishedRun
from PIL import Image

from pipeline.artifacts.paths import FIGURES
from pipeline.results.metrics import gather
from pipeline.runtime import files
from pipeline.stages import collect

SIZES = [{"samples": n, "test_log_likelihood": 10.0 * math.log10(n)} for n in (1000, 31623)]

SUMMARIES = Path("reports/summary")


def points(name: str) -> list[dict[str, str]]:
    with (collect.PLOTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def curves(name: str, experiment: str, seed: int, curve: str) -> list[tuple[float, float]]:
    x = next(column for column in points(name)[0] if column not in (*collect.COLUMNS, "value"))
    return [(float(row[x]), float(row["value"])) for row in points(name)
            if (row["experiment"], row["seed"], row["curve"]) == (experiment, str(seed), curve)]


@pytest.fixture
def run(tmp_path, monkeypatch) -> FinishedRun:
    """Two experiments, with pictures; a third that was to run and has not."""
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path)
    run.add("mnist")
    run.add("mnist_kmeans", model="kmeans", scores=REFERENCE, epochs=None)
    run.finish(experiments=["mnist", "mnist_kmeans", "tfd"])
    files.write_json(tmp_path / "artifacts/mnist/sample_sizes.json", {"variants": {"ema": {"seed": 1, "sizes": SIZES}}})
    for number, (experiment, name) in enumerate((("mnist", "training.png"), ("mnist", "samples-raw.png"),
                                                 ("mnist_kmeans", "a.png"))):
        draw(FIGURES / experiment / name, Image.new("RGB", (1248, 600 + 2 * number), (10 * number, 0, 0)))
    return run


def draw(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def drawn() -> dict[str, Image.Image]:
    return {path.name: Image.open(path).convert("RGB") for path in collect.PICTURES.iterdir()}


def summaries() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in SUMMARIES.iterdir()}


def test_the_summary_has_a_file_for_each_experiment_with_one_number_for_each_row_that_was_measured(run):
    files.write_json(SUMMARIES / "gone.json", {"raw": 1.0})
    collect.main()
    assert summaries() == {"mnist": {"raw": 84.0, "ema": 129.0}, "mnist_kmeans": {"raw": 244.0}}
    for name, entry in gather(run.experiments).items():
        assert summaries()[name]["raw"] == pytest.approx(entry["test_log_likelihood"], abs=0.01)


def test_curves_of_training_are_those_of_every_seed_where_something_was_measured(run):
    collect.main()
    losses = curves("losses", "mnist", 2, "generator")
    assert [epoch for epoch, _ in losses] == list(range(1, 13))
    assert losses[0][1] == pytest.approx(2.7)
    assert curves("discriminator", "mnist", 1, "on data")[0] == (1, pytest.approx(0.9))
    for variant in ("raw", "ema"):
        assert [epoch for epoch, _ in curves("validation", "mnist", 1, variant)] == [3, 6, 9, 12]
    assert {row["experiment"] for row in points("losses")} == {"mnist"}


def test_bandwidths_are_the_refined_search_near_its_best(run):
    collect.main()
    search = files.read_json(Path("artifacts/mnist/bandwidth.json"))["seeds"][1]["variants"]["ema"]["refined"]
    shown = curves("bandwidth", "mnist", 2, "ema")
    best = max(search["log_likelihoods"])
    near = [(sigma, value) for sigma, value in zip(search["bandwidths"], search["log_likelihoods"], strict=True)
            if value >= best - collect.NEAR]
    assert shown == [(pytest.approx(sigma, rel=1e-5), pytest.approx(value, rel=1e-5)) for sigma, value in near]
    assert {row["experiment"] for row in points("bandwidth")} == {"mnist", "mnist_kmeans"}


def test_the_number_of_samples_is_shown_by_its_logarithm(run):
    collect.main()
    shown = curves("sample_sizes", "mnist", 1, "ema")
    assert shown == [(3, 30), (pytest.approx(4.5, abs=1e-4), pytest.approx(45, abs=1e-3))]
    assert len(points("sample_sizes")) == 2


def test_pictures_carry_the_name_of_their_experiment_and_their_size_on_a_page_and_old_ones_go(run):
    files.write_bytes(collect.PICTURES / "gone-training.png", b"")
    collect.main()
    assert {name: (image.size, image.getpixel((0, 0))) for name, image in drawn().items()} == {
        "mnist-training.png": ((624, 300), (0, 0, 0)), "mnist-samples-raw.png": ((624, 301), (10, 0, 0)),
        "mnist_kmeans-a.png": ((624, 302), (20, 0, 0))}


def test_a_strip_of_pairs_is_laid_out_in_rows_and_enlarged_pixel_for_pixel(run):
    """Five pairs of 8 × 8 pixels, each of its own shades, in rows of three."""
    strip = Image.new("RGB", (16, 40))
    for pair in range(5):
        strip.paste((10 * pair, 0, 0), (0, 8 * pair, 8, 8 * pair + 8))
        strip.paste((0, 10 * pair, 255), (8, 8 * pair, 16, 8 * pair + 8))
    draw(FIGURES / "mnist/pairs-raw.png", strip)
    files.write_json(FIGURES / "mnist/pairs-raw.json", {"shape": [1, 8, 8], "columns": 3, "pairs": []})
    collect.main()
    image = drawn()["mnist-pairs-raw.png"]
    times = (image.width - 4 * collect.GAP) // (3 * 16)
    assert times > 5
    assert image.size == (3 * 16 * times + 4 * collect.GAP, 2 * 8 * times + 3 * collect.GAP)
    for pair in range(5):
        left = collect.GAP + pair % 3 * (16 * times + collect.GAP)
        top = collect.GAP + pair // 3 * (8 * times + collect.GAP)
        assert image.getpixel((left, top)) == image.getpixel((left + 8 * times - 1, top + 8 * times - 1)) == (
            10 * pair, 0, 0)
        assert image.getpixel((left + 8 * times, top)) == (0, 10 * pair, 255)
    assert image.getpixel((image.width - collect.GAP - 1, image.height - collect.GAP - 1)) == (255, 255, 255)


def test_pixels_that_a_figure_shows_as_well_are_left_out(run):
    for name in ("lines-raw", "states-raw"):
        draw(FIGURES / f"mnist/{name}.png", Image.new("RGB", (80, 8)))
        files.write_json(FIGURES / f"mnist/{name}.json", {"shape": [1, 8, 8], "rows": 1, "columns": 10})
    collect.main()
    assert not {"mnist-lines-raw.png", "mnist-states-raw.png"} & set(drawn())


def test_a_second_run_gives_the_same_bytes(run):
    def everything() -> dict[Path, bytes]:
        collect.main()
        return {path: path.read_bytes() for path in [*SUMMARIES.iterdir(), *collect.PLOTS.rglob("*.*")]}
    assert everything() == everything()


def test_where_nothing_has_been_measured_there_are_tables_without_rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    FinishedRun(tmp_path).finish(experiments=["mnist"])
    collect.main()
    assert summaries() == {}
    for name in (*collect.CURVES, "bandwidth", "sample_sizes"):
        assert points(name) == []
        assert (collect.PLOTS / f"{name}.csv").read_text().startswith("experiment,seed,curve,")
