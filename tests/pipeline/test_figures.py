"""Figures: what they show is what was drawn first, whatever it looks like, and equal inputs give equal bytes."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from finished_run import PAPER_GRID, REFERENCE, TWO_SEEDS, FinishedRun, Scores
from PIL import Image

from gan.errors import DataError, ParameterError
from pipeline import figures
from pipeline.files import read_json, read_tensors, write_json, write_tensors


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished run of two experiments and their figures."""
    root = tmp_path_factory.mktemp("drawn")
    run = FinishedRun(root)
    run.add("mnist")
    run.add("mnist_kmeans", model="kmeans", title="k-means centroids", scores=REFERENCE, epochs=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        figures.main("mnist")
        figures.main("mnist_kmeans")
    return root


@pytest.fixture
def place(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder to change, as the current one."""
    shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def brute_force(samples: torch.Tensor, train: torch.Tensor) -> list[int]:
    return [min(range(len(train)), key=lambda i: float(((sample - train[i]).double() ** 2).sum()))
            for sample in samples]


@pytest.mark.parametrize("block", [1, 64, 500, 2**22])
def test_nearest_is_what_comparing_with_every_image_finds(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "BLOCK_ELEMENTS", block)
    stream = torch.Generator().manual_seed(3)
    train, samples = torch.rand(57, 16, generator=stream), torch.rand(9, 16, generator=stream)
    assert figures.nearest(samples, train).tolist() == brute_force(samples, train)


def test_nearest_takes_the_first_of_equals_and_survives_large_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "BLOCK_ELEMENTS", 8)
    train = torch.tensor([[0.0, 1.0], [5.0, 5.0], [0.0, 1.0], [5.0, 5.0]])
    assert figures.nearest(torch.tensor([[0.0, 0.9], [9.0, 9.0]]), train).tolist() == [0, 1]
    far = torch.tensor([[1e4, 0.0], [1e4 + 0.01, 0.0]])
    assert figures.nearest(torch.tensor([[1e4 + 0.01, 0.0]]), far).tolist() == [1]


def test_the_grid_holds_the_first_samples_and_their_neighbours(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    mosaic = figures.mosaic
    monkeypatch.setattr(figures, "mosaic", lambda grid: seen.append(grid) or mosaic(grid))
    figures.main("mnist")
    raw, *_ = seen
    tensors, _ = read_tensors(place / "artifacts/mnist/samples/seed-2.safetensors")  # the headline's seed for raw
    first, train = tensors["raw"][:20], FinishedRun(place).prepare("mnist")
    assert [len(row) for row in raw] == [6, 6, 6, 6]
    for row, images in enumerate(raw):
        expected = figures.to_pixels(first[row * 5:row * 5 + 5], (1, 8, 8), None)
        assert all((image == pixels).all() for image, pixels in zip(images, expected, strict=False))
        neighbour = train[brute_force(first[row * 5 + 4:row * 5 + 5], train)]
        assert (images[5] == figures.to_pixels(neighbour, (1, 8, 8), None)[0]).all()


def test_all_figures_and_their_numbers_are_written(drawn: Path) -> None:
    assert names(drawn / "reports/figures/mnist") == {
        "samples-raw.png", "samples-ema.png", "interpolation-raw.png", "interpolation-ema.png", "training.png",
        "bandwidth.png", "losses.csv", "discriminator.csv", "validation.csv", "bandwidth.csv"}


def test_a_model_without_epochs_has_no_curves_and_no_lines_in_z(drawn: Path) -> None:
    assert names(drawn / "reports/figures/mnist_kmeans") == {"samples-raw.png", "bandwidth.png", "bandwidth.csv"}


def test_a_second_run_writes_the_same_bytes_and_leaves_nothing_old(place: Path, drawn: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "reports/figures/mnist"
    (folder / "samples-gone.png").write_bytes(b"of a variant that there is no more")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    figures.main("mnist")
    assert names(folder) == names(drawn / "reports/figures/mnist")
    for path in folder.iterdir():
        assert path.read_bytes() == (drawn / "reports/figures/mnist" / path.name).read_bytes(), path.name


def test_pictures_carry_no_metadata_and_are_small(drawn: Path) -> None:
    for path in drawn.glob("reports/figures/*/*.png"):
        content = path.read_bytes()
        assert len(content) <= 150_000
        assert not any(chunk in content for chunk in (b"tEXt", b"iTXt", b"zTXt", b"tIME"))
        assert Image.open(io.BytesIO(content)).width >= 2 * 400


def test_losses_are_means_over_seeds_and_each_seed(drawn: Path) -> None:
    rows = table(drawn / "reports/figures/mnist/losses.csv")
    assert list(rows[0]) == ["epoch", "discriminator", "generator", "discriminator_seed_1", "discriminator_seed_2",
                             "generator_seed_1", "generator_seed_2"]
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 13)]
    assert float(rows[1]["generator_seed_1"]) == pytest.approx(0.7 + 1 / 2)
    assert float(rows[1]["generator"]) == pytest.approx(0.7 + 1.5 / 2)
    assert list(table(drawn / "reports/figures/mnist/discriminator.csv")[0])[:3] == ["epoch", "on_data", "on_samples"]


def test_validation_has_only_the_epochs_that_were_scored(drawn: Path) -> None:
    rows = table(drawn / "reports/figures/mnist/validation.csv")
    assert [row["epoch"] for row in rows] == ["3", "6", "9", "12"]
    assert float(rows[0]["raw"]) == pytest.approx(102 - 20)
    assert all(cell for row in rows for cell in row.values())


def test_bandwidth_table_unites_both_searches(drawn: Path) -> None:
    rows = table(drawn / "reports/figures/mnist/bandwidth.csv")
    assert list(rows[0]) == ["bandwidth", "raw", "ema", "grid"]
    sigmas = [float(row["bandwidth"]) for row in rows]
    assert sigmas == sorted(sigmas)
    assert [float(row["bandwidth"]) for row in rows if row["grid"] == "paper"] == pytest.approx(PAPER_GRID)
    search = read_json(drawn / "artifacts/mnist/bandwidth.json")["seeds"][1]["variants"]["raw"]["refined"]
    by_sigma = {row["bandwidth"]: float(row["raw"]) for row in rows}
    assert by_sigma[f"{search['chosen']:.7g}"] == pytest.approx(search["validation_log_likelihood"])
    assert list(table(drawn / "reports/figures/mnist_kmeans/bandwidth.csv")[0]) == ["bandwidth", "raw", "grid"]


def test_titles_name_experiment_profile_seed_and_epoch(place: Path) -> None:
    shown = figures.Experiment.read("mnist")
    assert shown.title("samples", "raw") == "mnist: samples\nprofile cpu, seed 2, epoch 9"
    assert shown.title("samples", "ema") == "mnist: samples\nprofile cpu, seed 1, epoch 12"
    assert figures.Experiment.read("mnist_kmeans").title("samples", "raw").endswith("profile cpu, seed 1")


def test_a_seed_may_be_named_but_must_exist(place: Path) -> None:
    settings = place / "artifacts/mnist/configuration/figures.json"
    write_json(settings, {"rows": 1, "columns": 2, "seed": 1})
    assert figures.Experiment.read("mnist").seed("raw") == 1
    write_json(settings, {"rows": 1, "columns": 2, "seed": 7})
    with pytest.raises(ParameterError, match=r"(?s)figures\.seed is 7.*\[1, 2\]"):
        figures.main("mnist")


def test_colour_images_and_fewer_samples_than_the_grid_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path, shape=(3, 4, 6))
    run.add("mnist", scores=Scores({"raw": {5: (1.0, 2.0)}}), epochs=None, figures={"rows": 9, "columns": 7})
    figures.main("mnist")
    picture = np.asarray(Image.open(tmp_path / "reports/figures/mnist/samples-raw.png").convert("RGB"))
    colours = np.unique(picture.reshape(-1, 3), axis=0)
    assert (colours.max(1) > colours.min(1)).sum() > 20


def test_centred_data_are_scaled_by_the_largest_value_shown() -> None:
    shown = torch.tensor([[-2.0, 0.0, 1.0, 4.0]])
    scale = figures.pixel_scale(torch.tensor([[-9.0, 9.0]]), shown)
    assert scale == 4
    assert figures.to_pixels(shown, (1, 2, 2), scale)[0, :, :, 0].flatten().tolist() == [64, 128, 159, 255]
    assert figures.pixel_scale(torch.tensor([[0.0, 1.0]]), shown) is None


def test_colour_pixels_keep_their_channels() -> None:
    image = torch.tensor([[1.0, 0.0, 0.0]])  # C×H×W = 3×1×1
    assert figures.to_pixels(image, (3, 1, 1), None).tolist() == [[[[255, 0, 0]]]]


@pytest.mark.parametrize(("images", "about", "expected"), [
    (40, {"interpolation": [4, 10]}, (4, 10)), (40, {}, (5, 8)), (40, {"interpolation": [3, 3]}, (5, 8)),
    (7, {}, (1, 7))])
def test_grid_of_an_interpolation(images: int, about: dict[str, list[int]], expected: tuple[int, int]) -> None:
    assert figures.grid_shape(images, about) == expected


def test_mean_curve_has_only_epochs_that_all_seeds_have() -> None:
    assert figures.mean_curve({1: {1: 1.0, 2: 2.0, 3: 9.0}, 2: {1: 3.0, 2: 4.0}}) == {1: 2.0, 2: 3.0}
    assert figures.mean_curve({}) == {}


def test_samples_of_a_missing_variant_are_an_error_that_names_it(place: Path) -> None:
    path = place / "artifacts/mnist/samples/seed-2.safetensors"
    write_tensors(path, {"ema": torch.rand(5, 64)})
    with pytest.raises(DataError, match=r"(?s)seed-2\.safetensors has no samples of raw.*what to do"):
        figures.main("mnist")


def test_curves_that_are_no_numbers_are_an_error_that_names_the_file(place: Path) -> None:
    path = place / "artifacts/mnist/curves.csv"
    path.write_text(path.read_text().replace("1,1,", "1,one,", 1))
    with pytest.raises(DataError, match=r"curves\.csv cannot be read"):
        figures.main("mnist")


def test_a_dollar_sign_in_a_name_is_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path)
    run.add(r"a $\frac b$ c", scores=TWO_SEEDS)
    figures.main(r"a $\frac b$ c")
    assert (tmp_path / r"reports/figures/a $\frac b$ c/training.png").is_file()
