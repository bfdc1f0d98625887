"""Figures: what they show is what was drawn first, whatever it looks like, and equal inputs give equal bytes."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from finished_run import NORM, PAPER_GRID, REFERENCE, TWO_SEEDS, FinishedRun, Scores
from matplotlib.figure import Figure
from PIL import Image

from gan.errors import DataError
from pipeline.artifacts.pixels import to_pixels
from pipeline.figures import bandwidth, curves, samples
from pipeline.runtime.files import read_json, read_tensors, write_tensors
from pipeline.stages import figures


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


def test_the_grid_holds_the_first_samples_and_their_neighbours(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    mosaic = samples.mosaic
    monkeypatch.setattr(samples, "mosaic", lambda grid, fill: seen.append(grid) or mosaic(grid, fill))
    figures.main("mnist")
    raw, *_ = seen
    tensors, _ = read_tensors(place / "artifacts/mnist/samples/seed-2.safetensors")  # the headline's seed for raw
    first, train = tensors["raw"][:20], FinishedRun(place).prepare("mnist")
    assert [len(row) for row in raw] == [6, 6, 6, 6]
    for row, images in enumerate(raw):
        expected = to_pixels(first[row * 5:row * 5 + 5], (1, 8, 8), None)
        assert all((image == pixels).all() for image, pixels in zip(images, expected, strict=False))
        neighbour = train[brute_force(first[row * 5 + 4:row * 5 + 5], train)]
        assert (images[5] == to_pixels(neighbour, (1, 8, 8), None)[0]).all()


def test_all_figures_and_their_numbers_are_written(drawn: Path) -> None:
    assert names(drawn / "reports/figures/mnist") == {
        "samples-raw.png", "samples-ema.png", "interpolation-raw.png", "interpolation-ema.png", "training.png",
        "bandwidth.png", "losses.csv", "discriminator.csv", "validation.csv", "bandwidth.csv",
        "pairs-raw.png", "pairs-ema.png", "pairs-raw.json", "pairs-ema.json",
        "lines-raw.png", "lines-ema.png", "lines-raw.json", "lines-ema.json"}


def test_a_model_without_epochs_has_no_curves_and_no_lines_in_z(drawn: Path) -> None:
    assert names(drawn / "reports/figures/mnist_kmeans") == {
        "samples-raw.png", "pairs-raw.png", "pairs-raw.json", "bandwidth.png", "bandwidth.csv"}


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
        if not path.name.startswith(("pairs", "lines")):  # those hold images alone, pixel for pixel
            assert Image.open(io.BytesIO(content)).width >= 2 * 400


def test_each_sample_stands_beside_its_nearest_training_image_pixel_for_pixel(place: Path) -> None:
    about = read_json(place / "reports/figures/mnist/pairs-raw.json")
    pixels = np.asarray(Image.open(place / "reports/figures/mnist/pairs-raw.png"))
    tensors, _ = read_tensors(place / "artifacts/mnist/samples/seed-2.safetensors")
    shown, train = tensors["raw"][:20], FinishedRun(place).prepare("mnist")
    expected = brute_force(shown, train)
    assert (about["shape"], about["columns"], pixels.shape) == ([1, 8, 8], 5, (20 * 8, 2 * 8, 3))
    assert [pair["training_image"] for pair in about["pairs"]] == expected
    distances = [float((one - train[i]).norm()) for one, i in zip(shown, expected, strict=True)]
    assert [pair["distance"] for pair in about["pairs"]] == pytest.approx(distances, rel=1e-4)
    assert (pixels[:, :8].reshape(20, 8, 8, 3) == to_pixels(shown, (1, 8, 8), None)).all()
    assert (pixels[:, 8:].reshape(20, 8, 8, 3) == to_pixels(train[expected], (1, 8, 8), None)).all()


def test_as_many_validation_images_are_compared_with_the_training_images(place: Path) -> None:
    about = read_json(place / "reports/figures/mnist/pairs-raw.json")
    tensors, _ = read_tensors(place / "data/prepared/mnist.safetensors")
    validation, train = (tensors[split].float() / 255 for split in ("validation", "train"))
    expected = [float((one - train[i]).norm()) for one, i in
                zip(validation[:20], brute_force(validation[:20], train), strict=True)]
    assert about["distances_of_validation_images"] == pytest.approx(expected, rel=1e-4)


def test_interpolations_are_kept_as_images_alone(place: Path) -> None:
    about = read_json(place / "reports/figures/mnist/lines-ema.json")
    assert about == {"shape": [1, 8, 8], "rows": 3, "columns": 8, "black_to_white": None}
    pixels = np.asarray(Image.open(place / "reports/figures/mnist/lines-ema.png"))
    tensors, _ = read_tensors(place / "artifacts/mnist/samples/seed-1.safetensors")
    expected = to_pixels(tensors["interpolation_ema"], (1, 8, 8), None).reshape(3, 8, 8, 8, 3)
    assert (pixels == expected.swapaxes(1, 2).reshape(24, 64, 3)).all()


def test_how_far_the_search_for_neighbours_is_can_be_followed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures.main("mnist")
    assert "mnist, nearest training images: 600/600 images (100 %)" in capsys.readouterr().out


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


def test_colour_images_and_fewer_samples_than_the_grid_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path, shape=(3, 4, 6))
    run.add("mnist", scores=Scores({"raw": {5: (1.0, 2.0)}}), epochs=None, figures={"rows": 9, "columns": 7})
    figures.main("mnist")
    picture = np.asarray(Image.open(tmp_path / "reports/figures/mnist/samples-raw.png").convert("RGB"))
    colours = np.unique(picture.reshape(-1, 3), axis=0)
    assert (colours.max(1) > colours.min(1)).sum() > 20


@pytest.mark.parametrize(("factor", "own_scale"), [(1.3, False), (0.1, True), (5.0, True)])
def test_contrast_normalised_colour_images_are_drawn_as_the_released_scripts_do(
        factor: float, own_scale: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path, shape=(3, 8, 8))
    run.add("cifar10_convolutional", dataset="cifar10", contrast_norm=NORM, scores=Scores({"raw": {1: (1.0, 2.0)}}))
    path = tmp_path / "artifacts/cifar10_convolutional/samples/seed-1.safetensors"
    tensors, about = read_tensors(path)
    raw = tensors["raw"] * factor
    write_tensors(path, {"raw": raw, "interpolation": tensors["interpolation"]}, about)
    grids, notes = [], []
    mosaic, picture = samples.mosaic, samples.picture
    monkeypatch.setattr(samples, "mosaic", lambda grid, fill: grids.append(grid) or mosaic(grid, fill))
    monkeypatch.setattr(samples, "picture", lambda canvas, title, lines: notes.append(lines)
                        or picture(canvas, title, lines))
    figures.main("cifar10_convolutional")
    shown, train = raw[:20], run.prepare("cifar10", NORM)
    largest = float(shown.abs().max())
    assert (grids[0][0][0] == to_pixels(shown[:1], (3, 8, 8), largest)[0]).all()
    neighbours = train[brute_force(shown, train)]
    beside = float(neighbours.abs().max()) if own_scale else largest
    drawn = np.stack([row[5] for row in grids[0]])
    assert (drawn == to_pixels(neighbours[4::5], (3, 8, 8), beside)).all()
    about = read_json(tmp_path / "reports/figures/cifar10_convolutional/pairs-raw.json")
    assert (about["black_to_white"], about["nearest_black_to_white"]) == pytest.approx((largest, beside))
    assert notes[0][1] == f"black to white: values from −{largest:.3g} to {largest:.3g}"
    assert notes[0][2:] == ([f"framed images: from −{beside:.3g} to {beside:.3g}"] if own_scale else [])
    assert notes[1] == [f"black to white: values from −{(top := float(tensors['interpolation'].abs().max())):.3g} "
                        f"to {top:.3g}"]
    with Image.open(tmp_path / "reports/figures/cifar10_convolutional/samples-raw.png") as image:
        assert image.mode == "RGB"  # as many colours as there are


def test_pretraining_is_marked_and_the_column_of_games_read_over(tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path)
    run.add("tfd", dataset="tfd", pretraining=6, epochs=12)
    labels = []
    save = curves.save_figure
    monkeypatch.setattr(curves, "save_figure", lambda figure, path, **how: labels.extend(
        (text.get_text(), text.xy[0]) for axes in figure.axes for text in axes.texts) or save(figure, path, **how))
    figures.main("tfd")
    assert labels == [("pretraining ends", 6.5)]
    folder = tmp_path / "reports/figures/tfd"
    assert [row["epoch"] for row in table(folder / "losses.csv")] == [str(epoch) for epoch in range(1, 13)]
    assert [row["epoch"] for row in table(folder / "validation.csv")] == ["9", "12"]


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


def test_each_folds_bandwidth_is_marked_and_the_axis_says_the_scale(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = FinishedRun(tmp_path)
    wide = [0.3 * 1.06 ** i for i in range(30)]
    run.add("faces_five_folds", dataset="cifar10", folds=5, refined=wide, contrast_norm=NORM, epochs=None)
    drawn: list[Figure] = []
    save = bandwidth.save_figure
    monkeypatch.setattr(bandwidth, "save_figure",
                        lambda figure, path, **how: drawn.append(figure) or save(figure, path, **how))
    figures.main("faces_five_folds")
    whole, top = drawn[-1].axes
    assert top.get_xlabel() == "bandwidth σ (each image: mean 0, L2 norm 55)"
    search = read_json(tmp_path / "artifacts/faces_five_folds/bandwidth.json")["seeds"][1]["variants"]["raw"]["refined"]
    chosen = [fold["chosen"] for fold in search["folds"]]
    assert len(set(chosen)) == 5
    marks = [[segment[0][0] for segment in lines.get_segments()] for lines in top.collections]
    assert chosen in marks
    low, high = top.get_xlim()
    assert low < min(chosen)
    assert max(chosen) < high
    low, high = whole.get_xlim()
    assert low <= 0.1
    assert high >= wide[-1]
    labels = [text.get_text() for text in top.get_legend().get_texts()]
    assert f"raw, refined: σ = {np.exp(np.log(chosen).mean()):.3f}" in labels
    assert "raw: each fold's σ" in labels


# Models whose samples are states of chains.

CHAINS = Scores({"raw": {1: (100.0, 90.0)}, "parallel": {1: (131.5, 129.0)}})
FITTED = """seed,epoch,discriminator_loss,generator_loss,d_on_data,d_on_samples,learning_rate,momentum,\
validation_log_likelihood,validation_log_likelihood_ema,cross_entropy,squared_jacobian_norm,layer,\
validation_log_likelihood_parallel
1,1,,,,,,,,,90.5,30,layer 1,
1,2,,,,,,,,,80.5,20,layer 1,
1,3,,,,,,,100,,300.5,8,layer 2,131.5
"""


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The artifacts of a stacked CAE's finished run, without figures."""
    monkeypatch.chdir(tmp_path)
    FinishedRun(tmp_path).add("mnist_stacked_cae", model="stacked_cae", title="Stacked CAE", scores=CHAINS, epochs=None)
    folder = tmp_path / "artifacts/mnist_stacked_cae"
    (folder / "curves.csv").write_text(FITTED)
    return folder


def test_states_of_one_chain_are_shown_in_order_and_over_its_whole_length(chain: Path) -> None:
    figures.main("mnist_stacked_cae")
    folder = Path("reports/figures/mnist_stacked_cae")
    tensors, _ = read_tensors(chain / "samples/seed-1.safetensors")
    states = tensors["raw"]
    assert len(states) == 60
    for name, expected in (("consecutive", states[:40]), ("apart", states[:40])):  # 60 // 40 is a step of 1
        about = read_json(folder / f"states-{name}.json")
        assert about == {"shape": [1, 8, 8], "rows": 4, "columns": 10, "states": 40, "black_to_white": None}
        pixels = np.asarray(Image.open(folder / f"states-{name}.png"))
        images = to_pixels(expected, (1, 8, 8), None).reshape(4, 10, 8, 8, 3)
        assert (pixels == images.swapaxes(1, 2).reshape(32, 80, 3)).all()
    assert {"mixing-consecutive.png", "mixing-apart.png", "autocorrelation.png"} <= names(folder)


@pytest.mark.parametrize(("length", "shown"), [(95, [1, 3, 5]), (120, [2, 5, 8]), (7, [0, 1, 2])])
def test_states_apart_are_evenly_far_from_each_other(chain: Path, length: int, shown: list[int]) -> None:
    path = chain / "samples/seed-1.safetensors"
    states = torch.arange(length).div(255).unsqueeze(1).expand(-1, 64).contiguous()
    write_tensors(path, {"raw": states, "parallel": states.clone()})
    figures.main("mnist_stacked_cae")
    pixels = np.asarray(Image.open("reports/figures/mnist_stacked_cae/states-apart.png"))
    assert [int(pixels[0, 8 * i, 0]) for i in range(3)] == shown


def test_the_autocorrelation_is_that_of_the_scored_states(chain: Path) -> None:
    path = chain / "samples/seed-1.safetensors"
    ways = torch.rand(500, 64, generator=torch.Generator().manual_seed(1))
    states = torch.stack([ways[i:i + 4].mean(0) for i in range(400)])  # a mean over 4: correlated at lags 1 to 3
    write_tensors(path, {"raw": states, "parallel": states.clone()})
    figures.main("mnist_stacked_cae")
    rows = table(Path("reports/figures/mnist_stacked_cae/autocorrelation.csv"))
    assert [row["lag"] for row in rows] == [str(lag) for lag in range(400)]
    found = [float(row["raw"]) for row in rows]
    assert found[:5] == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=0.03)


def test_a_chain_that_stands_still_has_no_autocorrelation(chain: Path) -> None:
    still = torch.full((60, 64), 0.5)
    write_tensors(chain / "samples/seed-1.safetensors", {"raw": still, "parallel": still.clone()})
    figures.main("mnist_stacked_cae")
    written = names(Path("reports/figures/mnist_stacked_cae"))
    assert "mixing-apart.png" in written
    assert not any(name.startswith("autocorrelation") for name in written)


def test_what_is_fitted_is_drawn_layer_by_layer(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, save = [], curves.save_figure
    monkeypatch.setattr(curves, "save_figure", lambda figure, path, **how: drawn.append(
        (path.name, figure)) or save(figure, path, **how))
    figures.main("mnist_stacked_cae")
    panels = dict(drawn)["training.png"].axes
    assert [axes.get_ylabel() for axes in panels] == ["cross-entropy / nats", "‖J‖² of the code"]
    assert [(text.get_text(), text.xy[0]) for axes in panels for text in axes.texts] == [("layer 1 ends", 2.5)]
    rows = table(Path("reports/figures/mnist_stacked_cae/fit.csv"))
    assert [row["cross_entropy"] for row in rows] == ["90.5", "80.5", "300.5"]
