"""The report: metrics.json, and the page as a whole."""

from __future__ import annotations

import copy
import itertools
import json
import re
import shutil
from pathlib import Path

import pytest
from finished_page import add_sizes, metrics, rendered
from finished_run import NORMALISED, TWO_SEEDS, FinishedRun

from gan.errors import DataError, ParameterError
from pipeline.artifacts.configuration import inputs_digest
from pipeline.artifacts.file_differences import without_varying
from pipeline.page.environment import TEMPLATES
from pipeline.results.metrics import ENTRY_KEYS, SHARED, by_variant, gather, read_metrics
from pipeline.results.plan import Plan
from pipeline.results.published import dataset_name
from pipeline.results.recorded import recorded_runs
from pipeline.results.table import table_text
from pipeline.results.text import seeds_text
from pipeline.runtime import git, run_log
from pipeline.runtime.files import read_json, write_json
from pipeline.stages import figures, report

# metrics.json

def test_metrics_have_the_promised_keys_in_the_order_of_the_parameters(place: Path) -> None:
    report.main()
    written = metrics()
    assert list(written) == ["mnist", "mnist_training_images", "mnist_kmeans", "digits"]
    assert list(written["mnist"]) == [*ENTRY_KEYS[:6], "epoch", "profile", "seed", "paper_grid", "title",
                                      "model", "dataset", "hardware", "note", "scale", "dimensions", "folds",
                                      "differences", "duplicates", "ema"]
    assert set(written["mnist"]["ema"]) == set(ENTRY_KEYS) == set(written["mnist"]) - {"ema", *SHARED}
    assert list(written["mnist"]["seeds"][0]) == ["seed", "test_log_likelihood", "standard_error", "bandwidth", "epoch",
                                                  "validation_log_likelihood"]
    assert set(written["mnist"]["paper_grid"]) == {"test_log_likelihood", "standard_error", "bandwidth", "seed_mean",
                                                   "seed_sd"}


def test_the_headline_is_chosen_on_validation_though_test_images_prefer_another_seed(place: Path) -> None:
    report.main()
    raw, ema = metrics()["mnist"], metrics()["mnist"]["ema"]
    assert (raw["seed"], raw["test_log_likelihood"], raw["epoch"]) == (2, 84.0, 9)
    assert max(seed["test_log_likelihood"] for seed in raw["seeds"]) == 90.0
    assert (ema["seed"], ema["test_log_likelihood"], ema["epoch"]) == (1, 129.0, 12)
    assert max(seed["test_log_likelihood"] for seed in ema["seeds"]) == 133.0


def test_mean_and_deviation_over_seeds(place: Path) -> None:
    report.main()
    raw = metrics()["mnist"]
    assert raw["seed_mean"] == 87.0
    assert raw["seed_sd"] == 4.2426  # |90 − 84| / √2
    assert raw["paper_grid"]["test_log_likelihood"] == 82.0
    assert raw["paper_grid"]["seed_mean"] == 85.0
    assert raw["paper_grid"]["seed_sd"] == 4.2426
    assert raw["paper_grid"]["bandwidth"] == 0.215443
    assert raw["bandwidth"] == 0.202


def test_one_seed_has_no_deviation_and_models_without_epochs_no_epoch(place: Path) -> None:
    report.main()
    entry = metrics()["mnist_kmeans"]
    assert entry["seed_sd"] is None
    assert entry["epoch"] is None
    assert "ema" not in entry


def test_what_an_earlier_version_measured_is_read_with_what_it_lacks(place: Path) -> None:
    path = place / "artifacts/mnist/evaluation.json"
    evaluation = read_json(path)
    write_json(path, {key: value for key, value in evaluation.items() if key not in SHARED})
    report.main()
    written = metrics()
    assert {key: written["mnist"][key] for key in SHARED} == SHARED
    write_json(place / "reports/metrics.json", {name: {key: value for key, value in entry.items()
                                                       if key not in SHARED} for name, entry in written.items()})
    assert read_metrics()["mnist"] == written["mnist"]
    for run in recorded_runs(Path(__file__).parents[3] / "reports/recorded"):
        assert set(SHARED) <= set(run.metrics)


def test_only_what_was_evaluated_is_in_the_metrics(place: Path) -> None:
    (place / "artifacts/digits/evaluation.json").unlink()
    report.main()
    assert "digits" not in metrics()


# The page

def test_numbers_on_the_page_are_those_of_the_metrics(place: Path) -> None:
    page = rendered()
    for name, experiment in metrics().items():
        for variant, entry in by_variant(experiment).items():
            cells = page.row(name, dataset_name(entry["dataset"]), variant, entry["profile"])
            assert cells[4:11] == [
                f"{entry['test_log_likelihood']:.1f} ± {entry['standard_error']:.1f}", seeds_text(entry),
                f"{entry['bandwidth']:.3f}", f"{entry['paper_grid']['test_log_likelihood']:.1f} ± 2.5",
                f"{entry['paper_grid']['bandwidth']:.3f}", str(entry["seed"]),
                "–" if entry["epoch"] is None else str(entry["epoch"])]


def test_training_images_stand_below_the_models_of_their_data(elsewhere: Path) -> None:
    names = [row[0] for row in rendered().cells if len(row) == 11]
    assert [name.startswith(wanted) for name, wanted in zip(names[1:3], (
        "cifar10_convolutional", "cifar10_training_images"), strict=True)] == [True, True]


def test_the_page_says_why_the_estimate_misleads(place: Path) -> None:
    text = rendered().text
    assert "ranks models wrongly" in text
    assert "stands on each of 60 samples" in text
    assert "k-means centroids score 338.6 ± 2.2 nats, above the 244.0 ± 2.2 of real training images" in text
    assert "Theis" in text


def test_training_images_alone_are_a_reference_too(elsewhere: Path) -> None:
    text = rendered().text
    assert ("On CIFAR-10, real training images in place of samples score −905.0 ± 2.2 nats, against −1195.5 ± 2.2 of "
            "cifar10_convolutional.") in text
    assert ("On FER-2013 faces, five folds (not TFD), real training images in place of samples score 244.0 ± 2.2 "
            "nats, against 1899.5 ± 2.2 of faces_five_folds. Above real images stands faces_five_folds (trained "
            "weights, 1899.5 ± 2.2).") in text


def test_digits_are_said_to_be_comparable_with_nothing(place: Path) -> None:
    text = rendered().text
    assert text.count("Comparable with nothing.") == 1
    assert "digits was trained for" not in text


def test_what_was_left_out_not_run_or_not_finished_is_said(place: Path) -> None:
    (place / "artifacts/digits/evaluation.json").unlink()
    text = rendered().text
    assert "tfd left out: the Toronto Face Database is not public; ask its owners." in text
    assert "mnist_alternating was not run" in text
    assert "digits is not finished" in text
    assert "Missing: evaluation." in text
    assert "DBN, Stacked CAE and Deep GSN: not measured yet" in text
    assert "TFD, the Toronto Face Database, is not public: its owners grant it on request." in text
    assert ("tfd, cifar10_fully_connected and cifar10_convolutional at the paper’s size (profile paper): still to be "
            "measured, on a GPU.") in text


def test_what_the_paper_profile_has_measured_is_not_missing(elsewhere: Path) -> None:
    run = FinishedRun(elsewhere)
    assert "is not public" not in rendered().text
    run.record("cifar10_convolutional", gather(["cifar10_convolutional"])["cifar10_convolutional"])
    assert "tfd and cifar10_fully_connected at the paper’s size" in rendered().text
    run.finish(experiments=["tfd"], profile="paper")
    assert "at the paper’s size" not in rendered().text


@pytest.mark.parametrize("kept", [[], ["mnist"], ["mnist_kmeans"], ["digits", "mnist_training_images"]])
def test_any_subset_of_results_renders(place: Path, kept: list[str]) -> None:
    for folder in (place / "artifacts").iterdir():
        if folder.name not in (*kept, "configuration"):
            for parent in ("artifacts", "artifacts/configuration", "reports/figures"):
                shutil.rmtree(place / parent / folder.name)
    page = rendered()
    assert sorted(metrics()) == sorted(kept)
    assert page.text.count("This experiment was not run.") == 5 - len(kept)


@pytest.mark.parametrize("lost", ["figures", "recorded", "dvc.lock"])
def test_the_page_renders_without(place: Path, lost: str) -> None:
    path = place / (lost if lost == "dvc.lock" else f"reports/{lost}")
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = rendered()
    if lost == "figures":
        assert "figures have not been drawn yet" in page.text
        assert not page.all("img")


def test_nothing_asked_for_renders(empty: FinishedRun) -> None:
    empty.finish(experiments=[])
    page = rendered()
    assert metrics() == {}
    assert "No experiment is asked for" in page.text


def test_a_second_rendering_is_the_same_to_the_byte(place: Path) -> None:
    report.main()
    first = {name: (place / "reports" / name).read_bytes() for name in ("index.html", "full.html", "metrics.json")}
    report.main()
    assert first == {name: (place / "reports" / name).read_bytes() for name in first}


def test_only_marked_elements_vary_with_the_run_log(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = inputs_digest("mnist", "mnist")
    pages = []
    for number, commit in enumerate((("a" * 40, True), ("b" * 40, False), ("", False))):
        monkeypatch.setattr(git, "commit", lambda commit=commit: commit)
        for name in ("train@mnist", "figures@mnist")[:number]:
            run_log.record("stages", name, {"seconds": 61.0 * number, "started": f"2026-11-2{number}T10:00:00",
                                                  "host": f"host{number}", "commit": commit[0], "clean": commit[1]})
        for seed in (1, 2)[:number]:
            run_log.record("runs", f"mnist {seed}", {
                "experiment": "mnist", "seed": seed, "inputs": inputs, "run_id": "1", "run_name": f"run {number}",
                "experiment_id": "7", "store": "sqlite:///mlflow.db", "url": f"http://localhost:5000/{number}"})
        pages.append(rendered())
    assert len({page.source for page in pages}) == 3
    assert len({without_varying(page.source) for page in pages}) == 1
    assert "a" * 40 in pages[0].text
    assert "as committed" in pages[0].text
    assert "tracked files differ" in pages[1].text
    assert "1 min 01 s" in pages[1].text
    assert "1 min 01 s" not in "".join(pages[1].constant)
    assert "host1" in pages[1].text


def test_the_check_for_what_varies_finds_what_is_not_marked() -> None:
    one, other = (f"<dl><dd data-varies>{word}<b>x</b><br></dd><dd>c</dd></dl>" for word in "ab")
    assert without_varying(one) == without_varying(other) == "<dl><dd data-varies></dd><dd>c</dd></dl>"
    assert without_varying(one) != without_varying(one.replace(">c<", ">d<"))


@pytest.mark.parametrize("full", [True, False])
def test_nothing_is_loaded_from_elsewhere(place: Path, full: bool) -> None:
    page = rendered(full)
    assert not any(page.all(tag) for tag in ("link", "iframe", "object", "embed", "base", "form", "video", "audio"))
    assert page.all("script") == [{}]
    for _, attributes in page.elements:
        assert not {"srcset", "background", "action", "poster"} & set(attributes)
        assert re.match(r"data:image/(png|webp);base64,", attributes.get("src", "data:image/png;base64,"))
        assert "url(" not in attributes.get("style", "")
    outside = {link["href"] for link in page.all("a") if not link["href"].startswith("#")}
    assert outside == {"https://arxiv.org/abs/1406.2661", "https://arxiv.org/abs/1511.01844"}
    style = re.search(r"<style>(.*?)</style>", page.source, re.S)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    script = re.search(r"<script>(.*?)</script>", page.source, re.S)
    assert script
    assert not re.search(r"fetch|XMLHttp|import\(|eval\(|innerHTML|https?:", script[1])


@pytest.mark.parametrize("full", [True, False])
def test_links_within_the_page_lead_somewhere_and_ids_are_unique(place: Path, full: bool) -> None:
    page = rendered(full)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")} <= set(ids)
    labels = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert set(labels) <= set(ids)


@pytest.mark.parametrize("full", [True, False])
def test_headings_descend_without_gaps(place: Path, full: bool) -> None:
    levels = [int(tag[1]) for tag, _ in rendered(full).elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_picture_has_a_text_that_says_what_it_shows(place: Path) -> None:
    page = rendered()
    named = [attributes["aria-label"] for tag, attributes in page.elements
             if attributes.get("role") in ("img", "group") and tag in ("svg", "div")]
    # the first screen, grids, lines, sizes, training, bandwidth
    assert len(named) == len(set(named)) == 1 + 6 + 4 + 1 + 6 + 8
    assert all(len(text) > 60 for text in named)
    for tag, attributes, within in page.nested():
        if tag == "img" and not attributes["alt"]:  # part of something that has a name
            assert any(one.get("aria-label") for _, one in within)
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    losses = next(text for text in named if text.startswith("Losses of both players"))
    assert "discriminator from 0.50 to 0.68 in the mean" in losses
    validation = next(text for text in named if text.startswith("Log-likelihood of validation images"))
    assert "trained weights from 82.0 to 97.0 in the mean" in validation
    bandwidth = next(text for text in named if text.startswith("Validation log-likelihood of mnist against bandwidth"))
    assert "raw: highest 104.0 nats at σ = 0.202, on the paper’s grid 102.5 at 0.215" in bandwidth


def test_every_control_has_a_name(place: Path) -> None:
    page = rendered()
    names = [button["aria-label"] for button in page.all("button")]
    assert len(names) == 20 * 6
    assert all(re.fullmatch(r"Sample \d+; nearest training image: number [\d,]+, at distance \d+\.\d\d", name)
               for name in names)


def test_captions_say_how_a_figure_was_made_and_where_its_data_are(place: Path) -> None:
    text = rendered().text
    assert "the first 20 of 60 samples, none picked" in text
    assert "Seed 2, epoch 9, profile cpu. Compare the paper’s figure 2a. Data: artifacts/mnist/samples/" \
           "seed-2.safetensors, reports/figures/mnist/pairs-raw.json." in text
    assert "reports/figures/mnist/losses.csv" in text
    numbers = [int(number) for number in re.findall(r"(?<!’s )\bFigure (\d+)\.", text)]
    assert numbers == list(range(1, 21))  # first screen, two axes, sizes, and 16 of the experiments


def test_figures_are_numbered_as_they_stand_in_the_short_page_too(place: Path) -> None:
    numbers = [int(number) for number in re.findall(r"\bFigure (\d+)\.", rendered(full=False).text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 4 + 4 + 1 + 1  # of mnist, digits, both references
    text = re.sub(r"[Tt]he paper’s (figures? \d|Table 1)", "", rendered(full=False).text)
    assert not re.search(r"\b[Ff]igures? \d[a-d]", text.replace("shows figures 2c and 2d", ""))


def test_captions_say_how_colours_were_made_and_where_pretraining_ends(elsewhere: Path) -> None:
    text = rendered().text
    largest = read_json(elsewhere / "reports/figures/cifar10_convolutional/pairs-raw.json")["black_to_white"]
    assert (f"Colours: black to white are values from −{largest:.3g} to {largest:.3g}, the largest of all generated "
            "images shown.") in text
    assert text.count("Colours: black to white") in (2, 3)  # samples and interpolation of one experiment
    assert "Pretraining ends after epoch 6 (vertical line); epochs count through both." in text
    assert text.count("Pretraining ends") == 1
    assert "Compare the paper’s figure 2d." in text
    assert "Compare the paper’s figure 2b." in text
    assert text.count("Compare the paper’s figure") == 3  # 2b on the first screen, too
    assert "Seed 2, epoch 9, profile cpu (reduced)." in text
    assert text.count("Means over the folds") == 2


def test_a_section_says_scale_dimension_duplicates_and_what_was_reduced(elsewhere: Path) -> None:
    page = rendered()
    assert f"Adversarial nets on CIFAR-10 (d = 192; {NORMALISED}); profile cpu" in page.text
    assert "Adversarial nets on TFD (d = 64; pixels in [0, 1]; 5 folds, ± over them); profile cpu" in page.text
    assert "12 test and 3 validation images are also among the training images; 1 training image repeats" in page.text
    assert ("What the profile cpu changed: 17 The paper’s value in brackets. generator.hidden[0].units 1200 (8000)"
            in page.text)
    assert "discriminator.hidden[0].convolution.pool_stride 2 (none)" in page.text
    assert "seeds 1, 2 (1, 2, 3)" in page.text


def test_each_folds_result_is_listed(elsewhere: Path) -> None:
    page = rendered()
    assert "tfd, by fold. Seed 2, refined search" in page.text
    first = page.row("1", "1903.3", "1897.5 ± 2.2")
    assert first[3:] == [f"{0.202 / 1.21:.3f}", "12"]
    assert "Every seed, refined search, in nats; ± over folds." in page.text


def test_a_fold_at_the_edge_of_the_search_is_pointed_out(elsewhere: Path) -> None:
    path = elsewhere / "artifacts/tfd/bandwidth.json"
    content = read_json(path)
    content["seeds"][0]["variants"]["raw"]["refined"]["folds"][3]["at_the_edge"] = True
    write_json(path, content)
    assert "The search for σ ended at its edge (seed 1, raw, fold 4)" in rendered().text


def test_parameters_are_listed(place: Path) -> None:
    page = rendered()
    assert page.row("model.recipe.objective")[1] == "non_saturating"
    assert page.row("seeds")[1] == "1, 2"
    assert page.row("epochs")[1] == "500"  # the recorded run's
    with pytest.raises(StopIteration):
        rendered(full=False).row("model.recipe.objective")


def test_differences_follow_the_settings(place: Path) -> None:
    text = rendered().text
    assert ("mnist was trained for 12 epochs, by the profile cpu. "
            "Validation log-likelihood was highest in epoch 9.") in text
    assert "mnist: both players step at once" in text
    path = place / "artifacts/mnist/training.json"
    training = read_json(path)
    training["settings"]["model"]["recipe"] |= {"updates": "alternating", "objective": "minimax", "epochs": 9}
    write_json(path, training)
    text = rendered().text
    assert "both players step at once" not in text
    assert "minimises −log" not in text
    assert "longer training would still gain" in text


@pytest.mark.parametrize(("order", "said"), [("content", True), ("official", False)])
def test_a_lost_order_is_a_difference(elsewhere: Path, order: str, said: bool) -> None:
    write_json(elsewhere / "data/raw/cifar10/source.json", {"order": order})
    lost = "CIFAR-10: the files had lost the official order, so the training images were sorted by their content"
    assert (lost in rendered().text) == said


def test_differences_name_what_was_reduced_in_words(elsewhere: Path) -> None:
    text = rendered().text
    start = text.index("Differences from the paper’s protocol")
    said = text[start:text.index("What is missing", start)]
    assert ("cifar10_convolutional was trained for 12 epochs, by the profile cpu. Validation log-likelihood was "
            "highest in epoch 9. Reduced: generator, hidden layer 1, units: 1200 (paper: 8000); generator,") in said
    assert "tfd was trained for 12 epochs" in said  # pretraining's six among them
    assert "faces_five_folds was trained for 12 epochs" in said
    assert "cifar10_convolutional and tfd: both players step at once" in said  # the paper has no others here
    path = elsewhere / "artifacts/tfd/training.json"
    training = read_json(path)
    training["settings"]["model"]["recipe"]["chosen_epoch"] = "last"
    write_json(path, training)
    text = rendered().text
    assert "tfd was trained for 12 epochs, by the profile cpu. The last of them was taken" in text


def test_narrowing_without_epochs_is_a_difference_too(place: Path) -> None:
    path = place / "artifacts/mnist_kmeans/evaluation.json"
    clusters = {"setting": "train.model.clusters", "paper": 10000, "here": 300}
    write_json(path, read_json(path) | {"differences": [clusters]})
    assert "mnist_kmeans was reduced by the profile cpu. Reduced: clusters: 300 (paper: 10000)." in rendered().text


def test_a_bandwidth_at_the_edge_of_the_search_is_pointed_out(place: Path) -> None:
    path = place / "artifacts/mnist/bandwidth.json"
    content = read_json(path)
    assert "ended at its edge" not in rendered().text
    content["seeds"][0]["variants"]["ema"]["refined"]["at_the_edge"] = True
    write_json(path, content)
    assert "The search for σ ended at its edge (seed 1, ema)" in rendered().text


def test_digests_are_those_of_this_graphs_stages_but_the_report(place: Path) -> None:
    run = FinishedRun(place)
    outs = [{"path": "somewhere", "md5": "f" * 32}]
    run.finish(experiments=["mnist"], lock={
        "prepare@mnist": {"outs": [{"path": "data/prepared/mnist.safetensors", "md5": "1" * 32}]},
        "train@mnist": {"outs": [{"path": "artifacts/mnist/models", "md5": "2" * 32 + ".dir"}]},
        "train@gone": {"outs": outs}, "prepare@cifar10": {"outs": outs}, "report": {"outs": outs}, "plan": {}})
    page = rendered()
    assert page.row("prepare@mnist")[1:] == ["data/prepared/mnist.safetensors", "1" * 32]
    assert page.row("train@mnist")[2] == "2" * 32 + ".dir"
    assert "f" * 32 not in page.source


def test_hostile_names_and_settings_are_escaped(empty: FinishedRun) -> None:
    hostile = '<script>alert("1")</script>&\'"><img src=x onerror=alert(2)>'.replace("/", "")
    empty.add(hostile, profile=hostile, title=hostile, settings={"model": {"recipe": {"epochs": 12, hostile: hostile}}},
              about={"note": hostile, "scale": hostile, "duplicates": {hostile: 1},
                     "differences": [{"setting": hostile, "paper": hostile, "here": hostile}]})
    empty.finish(experiments=[hostile, "<b>never run</b>"], left_out={hostile: hostile},
                 lock={f"train@{hostile}": {"outs": [{"path": hostile, "md5": hostile}]}})
    figures.main(hostile)
    metric = gather([hostile])[hostile]
    empty.record(hostile, metric, note=hostile, commit=hostile, recorded=hostile, profile=hostile)
    run_log.record("stages", f"train@{hostile}", {"seconds": hostile, "started": hostile, "host": hostile,
                                                        "commit": hostile})
    run_log.record("runs", hostile, {"experiment": hostile, "seed": hostile, "inputs": "0" * 64,
                                           "run_name": hostile, "store": hostile, "url": "javascript:alert(3)"})
    add_sizes(empty.root, hostile, {hostile: {1000: 1.0, 2000: 2.0}}, dataset=hostile)
    page = rendered()
    assert page.all("script") == [{}]  # ours
    assert "<b>never" not in page.source
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert not any("onerror" in attributes for _, attributes in rendered(full=False).elements)
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert "javascript:" not in page.source
    assert '<script>alert("1")<script>' in page.text  # there, as text


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast of two #rrggbb colours."""
    def luminance(colour: str) -> float:
        channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def schemes() -> list[dict[str, str]]:
    """The colours of light, dark and print, as #rrggbb."""
    found = []
    for scheme in re.findall(r":root \{(.*?)\}", (TEMPLATES / "page.css").read_text(), re.S):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", scheme))
        found.append({name: colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
                      for name, colour in colours.items()})
    return found


def test_text_stands_out_in_light_and_dark_and_print() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert len(schemes()) == 3
    for colours in schemes():
        for text in ("text", "muted", "link", "warn", "yes", "no", "open"):
            for ground in ("page", "raised"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, colours)


def test_lines_and_marks_stand_out_in_light_and_dark_and_print() -> None:
    for colours in schemes():
        for line in (*(f"c{number}" for number in range(1, 9)), "strong"):
            assert contrast(colours[line], colours["page"]) >= 3, (line, colours)


def test_every_colour_of_the_style_is_of_a_scheme() -> None:
    style = (TEMPLATES / "page.css").read_text()
    outside = re.sub(r":root \{.*?\}", "", style, flags=re.S)
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgba?\(", outside)
    assert set(re.findall(r"var\(--(\w+)\)", outside)) - {"columns", "gutter", "high", "serif", "sans", "mono"} <= \
        set(schemes()[0])


# Bad input

def test_missing_or_broken_parameters_are_errors_that_name_the_file(empty: FinishedRun) -> None:
    with pytest.raises(ParameterError, match=r"params\.yaml is missing"):
        report.main()
    Path("params.yaml").write_text("profile: [")
    with pytest.raises(ParameterError, match=r"params\.yaml cannot be read"):
        report.main()
    Path("params.yaml").write_text("- a list")
    with pytest.raises(ParameterError, match=r"params\.yaml cannot be used"):
        report.main()


def test_a_recorded_run_that_lacks_something_is_named(place: Path) -> None:
    path = place / "reports/recorded/run.json"
    content = read_json(path)
    del content["metrics"]["standard_error"]
    write_json(path, content)
    with pytest.raises(DataError, match=r"(?s)reports/recorded/run\.json.*metrics\.standard_error"):
        report.main()
    write_json(path, {"experiment": "mnist"})
    with pytest.raises(DataError, match=r"profile, commit, recorded, hardware, metrics"):
        report.main()


def test_a_torn_result_is_an_error_and_leaves_the_last_report(place: Path) -> None:
    report.main()
    before = (place / "reports/index.html").read_bytes()
    (place / "artifacts/mnist/evaluation.json").write_text('{"model": ')
    with pytest.raises(DataError, match=r"artifacts/mnist/evaluation\.json cannot be read"):
        report.main()
    assert (place / "reports/index.html").read_bytes() == before


def test_inputs_are_left_alone(place: Path) -> None:
    entry = gather(["mnist"])["mnist"]
    before = copy.deepcopy(entry)
    by_variant(entry)
    table_text({"mnist": entry}, Plan.read(), recorded_runs())
    assert json.dumps(entry) == json.dumps(before)


def test_scores_of_the_fabricated_run_favour_different_seeds() -> None:
    """The tests above mean nothing unless validation and test images disagree."""
    for by_seed in TWO_SEEDS.by_variant.values():
        assert max(by_seed, key=lambda seed: by_seed[seed][0]) != max(by_seed, key=lambda seed: by_seed[seed][1])
