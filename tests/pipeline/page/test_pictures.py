"""Figures of an experiment, from the files that the stages wrote."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from finished_run import FinishedRun, Scores
from PIL import Image
from test_embedding import decoded

from gan.errors import DataError
from pipeline.page.pictures import PATHS, STRIP, Numbering, cut, pictures, read_table
from pipeline.runtime.files import read_json, write_json, write_text
from pipeline.stages import figures


def evaluation(name: str) -> dict[str, object]:
    content: dict[str, object] = read_json(Path(f"artifacts/{name}/evaluation.json"))
    return content


def pixels(address: str) -> np.ndarray:
    return np.asarray(decoded(address).convert("L"))


def test_images_are_cut_apart_row_by_row(tmp_path: Path) -> None:
    whole = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(whole).save(tmp_path / "a.png")
    found = [np.asarray(image) for image in cut(tmp_path / "a.png", (1, 2, 3), 2)]
    assert [image.tolist() for image in found] == [
        whole[:2, :3].tolist(), whole[:2, 3:].tolist(), whole[2:, :3].tolist(), whole[2:, 3:].tolist()]


def test_each_pair_is_a_sample_and_its_neighbour(place: Path) -> None:
    grid = pictures("mnist", evaluation("mnist"), Numbering())[0]
    whole = np.asarray(Image.open("reports/figures/mnist/pairs-raw.png"))[..., 0]
    assert (grid.kind, grid.variant, grid.columns, len(grid.pairs)) == ("grid", "raw", 5, 20)
    assert (pixels(grid.pairs[3].sample) == whole[24:32, :8]).all()
    assert (pixels(grid.pairs[3].nearest) == whole[24:32, 8:]).all()
    about = read_json(Path("reports/figures/mnist/pairs-raw.json"))
    assert grid.pairs[3].training_image == about["pairs"][3]["training_image"]
    held_out = sorted(about["distances_of_validation_images"])
    assert f"of as many validation images {(held_out[9] + held_out[10]) / 2:.2f} and {held_out[0]:.2f}." in grid.caption


def test_figures_come_in_order_and_are_numbered_on(place: Path) -> None:
    numbers = Numbering()
    found = pictures("mnist", evaluation("mnist"), numbers)
    assert [(one.kind, one.variant) for one in found] == [
        ("grid", "raw"), ("grid", "ema"), ("lines", "raw"), ("lines", "ema"), ("charts", ""), ("charts", "")]
    assert [one.id for one in found] == [f"figure-{number}" for number in range(1, 7)]
    assert pictures("mnist_kmeans", evaluation("mnist_kmeans"), numbers)[0].number == 7


def test_the_short_page_has_a_strip_of_samples_above_their_neighbours(place: Path) -> None:
    found = pictures("mnist", evaluation("mnist"), Numbering(), full=False)
    assert [(one.kind, one.variant) for one in found] == [
        ("strip", "raw"), ("strip", "ema"), ("lines", "raw"), ("charts", "")]
    strip = found[0].strip
    assert strip is not None
    assert (strip.columns, strip.width, strip.height) == (STRIP, STRIP * 9 - 1, 8)
    whole = np.asarray(Image.open("reports/figures/mnist/pairs-raw.png"))[..., 0]
    for address, left in ((strip.samples, 0), (strip.nearest, 8)):
        assert (pixels(address)[:, 3 * 9:3 * 9 + 8] == whole[24:32, left:left + 8]).all()
    assert found[0].caption.startswith("Adversarial nets, trained weights: the first 12 of 60 samples, none picked; "
                                       "framed, the nearest training images. Median distance ")
    rows = read_json(Path("reports/figures/mnist/lines-raw.json"))["rows"]
    assert len(found[2].images) == found[2].columns * min(PATHS, rows)


def test_training_curves_have_every_seed_and_the_epochs_taken(place: Path) -> None:
    losses, discriminator, validation = pictures("mnist", evaluation("mnist"), Numbering())[4].charts
    line = losses.lines[1]
    assert list(line.x) == list(range(1, 13))
    assert [seed[1] for seed in line.seeds] == pytest.approx([0.7 + 1 / 2, 0.7 + 2 / 2])
    assert line.y[1] == pytest.approx(1.45)
    assert (line.low, line.high, line.seeds_as_points) == ((), (), True)
    assert discriminator.rules[0].at == 0.5
    assert {(mark.x, round(mark.y, 1)) for mark in validation.marks} == {
        (12, 95.0), (9, 97.3), (12, 126.5), (9, 123.8)}


def test_more_than_three_seeds_have_a_band(place: Path) -> None:
    path = place / "artifacts/mnist/curves.csv"
    lines = path.read_text().splitlines()
    more = [f"{int(line[0]) + 2}{line[1:]}" for line in lines[1:]]  # seeds 3 and 4
    path.write_text("\n".join([*lines, *more]) + "\n")
    line = pictures("mnist", evaluation("mnist"), Numbering())[4].charts[0].lines[1]
    assert (line.low[1], line.high[1], line.y[1]) == pytest.approx((1.2, 1.7, 1.45))
    assert not line.seeds_as_points


def test_a_curve_of_two_values_is_none(place: Path) -> None:
    path = place / "artifacts/mnist/curves.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[1:3], *lines[13:15]]) + "\n")  # two epochs of each seed
    assert [one.kind for one in pictures("mnist", evaluation("mnist"), Numbering())].count("charts") == 1


def test_one_seed_alone_has_no_band(place: Path) -> None:
    path = place / "artifacts/mnist/curves.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:13]) + "\n")  # the epochs of seed 1
    line = pictures("mnist", evaluation("mnist"), Numbering())[4].charts[0].lines[0]
    assert (line.low, line.seeds) == ((), ())


def test_a_seed_that_stopped_early_leaves_the_mean_where_it_stopped(place: Path) -> None:
    path = place / "artifacts/mnist/curves.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:16]) + "\n")  # all epochs of seed 1, the first three of seed 2
    line = pictures("mnist", evaluation("mnist"), Numbering())[4].charts[0].lines[1]
    assert line.y[0] == pytest.approx(2.2)
    assert [y is None for y in line.y] == [False] * 3 + [True] * 9
    assert [seed[3] is None for seed in line.seeds] == [False, True]


def test_curves_are_interrupted_where_pretraining_ends(elsewhere: Path) -> None:
    charts = next(one for one in pictures("tfd", evaluation("tfd"), Numbering()) if one.kind == "charts").charts
    losses, discriminator = charts  # of validation there are too few values for a curve
    assert [rule.at for rule in losses.rules if rule.upright] == [6.5]
    at = list(losses.lines[0].x).index(6.5)
    assert math.isnan(losses.lines[0].y[at] or 0.0)
    assert list(losses.lines[0].x)[at - 1:at + 2] == [6, 6.5, 7]
    assert math.isnan(discriminator.lines[0].y[at] or 0.0)


def test_the_bandwidth_is_marked_where_each_search_chose_it(place: Path) -> None:
    whole, top = pictures("mnist", evaluation("mnist"), Numbering())[5].charts
    search = read_json(Path("artifacts/mnist/bandwidth.json"))["seeds"][1]["variants"]["raw"]
    assert whole.x.log
    assert [mark.x for mark in whole.marks[:10]] == pytest.approx(search["paper_grid"]["bandwidths"])
    assert (top.rules[0].at, top.rules[0].dashed, top.rules[1].dashed) == (search["refined"]["chosen"], False, True)
    assert all(top.inside(rule) for rule in top.rules)
    assert max(value for line in top.lines for value in line.values()) == 0
    labels = [rule.label for rule in top.rules]
    assert f"raw: σ = {search['refined']['chosen']:.3f}" in labels


def test_each_folds_bandwidth_is_marked(elsewhere: Path) -> None:
    _, top = pictures("tfd", evaluation("tfd"), Numbering())[-1].charts
    search = read_json(Path("artifacts/tfd/bandwidth.json"))["seeds"][1]["variants"]["raw"]["refined"]
    assert [mark.x for mark in top.marks if mark.kind == "tick"] == [fold["chosen"] for fold in search["folds"]]
    assert [key.label for key in top.keys] == ["each fold’s σ"]


def test_what_has_not_been_drawn_is_no_figure(empty: FinishedRun) -> None:
    empty.add("kmeans", model="kmeans", epochs=None)
    assert pictures("kmeans", evaluation("kmeans"), Numbering()) == []


def test_torn_files_are_errors_that_name_them(place: Path) -> None:
    (place / "reports/figures/mnist/pairs-raw.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"pairs-raw\.png cannot be read"):
        pictures("mnist", evaluation("mnist"), Numbering())
    path = place / "losses.csv"
    path.write_text("epoch,generator\n1,one\n")
    with pytest.raises(DataError, match=r"losses\.csv cannot be read"):
        read_table(path)
    assert read_table(place / "missing.csv") == {}


def test_figures_without_a_pair_say_nothing_of_distances(place: Path) -> None:
    path = place / "reports/figures/mnist/pairs-raw.json"
    write_json(path, read_json(path) | {"distances_of_validation_images": []})
    assert "Median" not in pictures("mnist", evaluation("mnist"), Numbering())[0].caption


def test_chains_have_figures_of_their_mixing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FinishedRun(tmp_path).add("mnist_dbn", model="dbn", title="DBN", epochs=None,
                              scores=Scores({"raw": {1: (100.0, 90.0)}, "parallel": {1: (131.5, 129.0)}}))
    figures.main("mnist_dbn")
    found = pictures("mnist_dbn", evaluation("mnist_dbn"), Numbering())
    assert [(one.kind, one.variant) for one in found] == [
        ("grid", "raw"), ("grid", "parallel"), ("lines", "raw"), ("lines", "raw"), ("charts", "raw"), ("charts", "")]
    one, parallel, consecutive, apart, autocorrelation, _ = found
    assert one.caption.startswith("DBN, one chain: the first 20 of 60 samples")
    assert parallel.caption.startswith("DBN, parallel chains: the first 20")
    assert consecutive.caption.startswith("Mixing: the first 40 states after the start")
    assert apart.caption.startswith("Mixing: 40 states evenly over the whole chain of 60")
    assert len(consecutive.images) == len(apart.images) == 40
    assert autocorrelation.charts[0].lines[0].x[0] == 1
    assert "it falls below .1 after 1 step." in autocorrelation.caption  # these images are drawn independently


def test_a_chain_that_hardly_moves_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FinishedRun(tmp_path).add("mnist_dbn", model="dbn", epochs=None, scores=Scores({"raw": {1: (100.0, 90.0)}}))
    figures.main("mnist_dbn")
    write_text(Path("reports/figures/mnist_dbn/autocorrelation.csv"), "lag,raw\n0,1\n1,0.99\n2,0.97\n")
    found = pictures("mnist_dbn", evaluation("mnist_dbn"), Numbering())
    assert any("it is still 0.97 after 2 steps." in one.caption for one in found)
