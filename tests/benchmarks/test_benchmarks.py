"""Every benchmark runs on tiny sizes, and its two sides compute the same where they should; no timings."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gan.adversarial.layers import Dropout
from gan.adversarial.training import Training
from gan.errors import ReproductionError
from gan.evaluation import parzen
from pipeline.runtime import files
from pipeline.settings import parameters
from tests.benchmarks import (
    against,
    baselines,
    clocked,
    curves,
    gpu,
    graphs,
    idiomatic,
    one_side,
    pictures,
    run_all,
    table,
    update,
    workload,
)
from tests.benchmarks import parzen as parzen_benchmark
from tests.benchmarks.products import StepProducts
from tests.benchmarks.timing import FULL, TINY, Comparison, compare
from tests.end_to_end.clone import environment

CPU = torch.device("cpu")
ABOUT = {"processor": "A Processor", "physical_cores": 2, "logical_cores": 2, "memory_gib": 8, "threads": 2,
         "accelerator": None, "torch": "2.14.1", "python": "3.11.0"}


@pytest.mark.timeout(600)  # some start processes, which takes minutes where the machine is busy
@pytest.mark.parametrize("name", run_all.sections())
def test_every_section_has_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(against.VARIABLE, "HEAD")
    module = run_all.sections()[name]
    rows = list(module.rows(TINY, CPU))
    assert rows
    for row in rows:
        assert row.what
        assert row.against, f"{row.what}: a ratio to what?"
        assert row.ratio is None or (row.ratio == row.ratio and row.unit in ("×", "× faster", "%"))
        assert row.ratio is not None or row.note
        assert table.from_json(json.loads(json.dumps(table.as_json(row)))).what == row.what


def test_what_is_for_a_gpu_runs_on_a_processor_too() -> None:
    assert [(row.what, row.against) for row in gpu.measured(TINY, CPU)] == [gpu.GRAPH, gpu.TOGETHER, gpu.EPOCHS]


FLAT = {
    "pipeline/__init__.py": "",
    "pipeline/machine.py": "def reuse_freed_memory(): pass",
    "pipeline/parameters.py": """
from dataclasses import dataclass, field
from types import SimpleNamespace

@dataclass
class Noise: dimensions: int = 1
@dataclass
class Layer: units: int = 1; pieces: int = 1
@dataclass
class Network: hidden: list = field(default_factory=lambda: [Layer()])
@dataclass
class Recipe: batch_size: int = 1
@dataclass
class Nets:
    noise: Noise = field(default_factory=Noise)
    generator: Network = field(default_factory=Network)
    discriminator: Network = field(default_factory=Network)
    recipe: Recipe = field(default_factory=Recipe)

def load():
    return SimpleNamespace(experiment=lambda name: SimpleNamespace(train=SimpleNamespace(model=Nets())))
""",
    "gan/__init__.py": "",
    "gan/training.py": """
from types import SimpleNamespace

class Training:
    def __init__(self, nets, train, seed, device):
        print("this is no answer")
        self.loss = nets.discriminator.hidden[0].units + len(train) / nets.recipe.batch_size / 10
    def run_epoch(self):
        return SimpleNamespace(discriminator_loss=self.loss)
""",
    "gan/parzen.py": """
import torch

def log_likelihood(images, samples, bandwidths):
    return -torch.tensor(bandwidths).unsqueeze(1).expand(-1, len(images))
"""}
"""The files of a commit from before there were rooms, whose D's loss and log-likelihoods no training has"""


@pytest.fixture
def other_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, str]], str]:
    """Commits files to a repository of the test's own, in which git then looks; returns the commit."""
    root = tmp_path / "repository"
    for name, value in environment(root).items():
        monkeypatch.setenv(name, value)

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()

    def commit(content: Mapping[str, str]) -> str:
        for name, text in content.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message", "as it was")
        monkeypatch.setenv("GIT_DIR", str(root / ".git"))
        return git("rev-parse", "HEAD")

    return commit


def test_the_other_side_is_run_with_the_other_commits_code(other_repository: Any, tmp_path: Path, monkeypatch: Any
                                                           ) -> None:
    commit = other_repository(FLAT)
    monkeypatch.setenv(against.VARIABLE, "HEAD")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    update, estimate = against.rows(TINY, CPU)
    assert update.against == estimate.against == f"the same at {commit[:7]}"
    assert update.note.endswith(f"nats, at {commit[:7]} 7.3")  # D's first layer, and a tenth of the updates
    assert estimate.note.endswith(f"at {commit[:7]} -0.1")  # the narrowest σ
    nets = one_side.resized(parameters.load().experiment("mnist").train.model, against.sizes(workload.nets(TINY)))
    training = Training(nets, workload.dataset(TINY).train[:60], 1)
    assert f"epoch: {training.run_epoch().discriminator_loss:.6g} nats" in update.note
    score = parzen_benchmark.to_score(TINY, CPU)
    assert f"log-likelihood: {float(score.ours()[1].mean()):.6g} nats" in estimate.note
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(("changed", "error", "found"), [
    ({"gan/parzen.py": None}, "has no training and estimate", "gan/evaluation/parzen.py or gan/parzen.py"),
    ({"gan/training.py": "class Training: pass"}, "does not do what is timed here", "takes no arguments")])
def test_a_commit_that_cannot_be_timed_is_one_error(changed: dict[str, str | None], error: str, found: str,
                                                    other_repository: Any, monkeypatch: Any) -> None:
    other_repository({name: text for name, text in (FLAT | changed).items() if text is not None})
    monkeypatch.setenv(against.VARIABLE, "HEAD")
    with pytest.raises(ReproductionError, match=error) as raised:
        list(against.rows(TINY, CPU))
    assert found in str(raised.value)
    assert "what to do" in str(raised.value)


@pytest.mark.parametrize("name", ["", "no-such-branch", "--help"])
def test_an_unknown_commit_is_one_error(name: str, other_repository: Any, monkeypatch: Any) -> None:
    other_repository(FLAT)
    monkeypatch.setenv(against.VARIABLE, name)
    with pytest.raises(ReproductionError, match="no commit"):
        list(against.rows(TINY, CPU))


def test_without_a_repository_there_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv(against.VARIABLE, "HEAD")
    with pytest.raises(ReproductionError, match="a clone of this repository"):
        list(against.rows(TINY, CPU))


class _Products(TorchDispatchMode):
    """The shapes (n, k, m) of all matrix products within, those with a vector for the biases left out."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, int, int]] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        name = str(function)
        if "_linear_pointwise" in name:
            self._add(arguments[0], arguments[1].t())
        elif name.startswith(("aten.mm.", "aten.addmm.")):
            self._add(*arguments[-2:])
        return function(*arguments, **(named or {}))

    def _add(self, a: Tensor, b: Tensor) -> None:
        if a.shape[0] > 1:
            self.shapes.append((a.shape[0], a.shape[1], b.shape[1]))


def test_the_floor_has_exactly_the_steps_products() -> None:
    nets, train = workload.nets(TINY), workload.dataset(TINY).train
    training = Training(nets, train[:nets.recipe.batch_size], 1)
    with _Products() as counted:
        training.run_epoch()
    floor = StepProducts(nets, train.shape[1], CPU)
    assert sorted(counted.shapes) == sorted(floor.shapes)


def test_the_parts_of_an_update_add_up_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(workload.nets(TINY), workload.dataset(TINY).train[:60], 1)
    ticks = itertools.count()
    monkeypatch.setattr(clocked.time, "time", lambda: float(next(ticks)))
    seconds = update.clocked_epoch(training)
    entered, left = 1, next(ticks) - 1  # the clock was read at 0, when it was made
    assert sum(seconds.values()) == left - entered
    assert list(seconds) == list(update.PARTS)
    assert all(seconds.values())
    assert training.epoch == 1
    assert not hasattr(Dropout.forward, "__wrapped__")  # the clocks are gone


def test_what_an_update_calls_is_in_its_part() -> None:
    training = Training(workload.nets(TINY), workload.dataset(TINY).train[:200], 1)
    clock = clocked.Clock()
    seen: dict[str, set[str]] = {}

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
            seen.setdefault(str(function), set()).add(clock.running)
            return function(*arguments, **(named or {}))

    with update.clocked(clock), Seen():
        training.run_epoch()
    parts = {part: {name for name, where in seen.items() if where == {part}} for part in update.PARTS}
    of_all = set(seen)
    for part, names in ((update.PRODUCTS, ("mm", "linear_pointwise")), (update.MASKS, ("random_",)),
                        (update.ACTIVATIONS, ("threshold_backward", "sigmoid_backward", "relu_", "amax")),
                        (update.MOVED, ("fused_sgd", "foreach_lerp")), (update.REST, ("index_select", "uniform_"))):
        for name in names:
            assert any(name in each for each in parts[part]), name
            assert not any(name in each for each in of_all - parts[part]), name


def test_clocks_that_measure_themselves_are_told() -> None:
    epoch = dict.fromkeys(update.PARTS, 1.0)
    whole = float(len(epoch))
    for plain, met in ((whole, True), (whole / (1 + update.TOLERANCE) * 1.001, True), (whole / 1.06, False)):
        *parts, all_parts = update.of_epochs([epoch] * 3, [plain] * 3, updates=2)
        assert sum(row.ratio or 0 for row in parts) == pytest.approx(100)
        assert {row.part_of for row in parts} == {update.WHOLE}
        assert sum(row.seconds or 0 for row in parts) == pytest.approx(all_parts.seconds) == pytest.approx(whole / 2)
        assert all_parts.met is met


@pytest.mark.parametrize("number", range(4))
def test_the_floors_of_the_baselines_have_exactly_their_updates_products(number: int) -> None:
    _, model, shapes = list(baselines.models(TINY, CPU))[number]
    model.fit_epoch()  # the first update of all starts persistent chains
    with _Products() as counted:
        model.fit_epoch()
    assert sorted(counted.shapes) == sorted(2 * [(abs(n), k, abs(m)) for n, k, m in shapes])  # two updates an epoch


def test_the_idiomatic_networks_are_the_same_functions() -> None:
    nets, data = workload.nets(TINY), workload.dataset(TINY)
    nets = replace(nets, discriminator=replace(
        nets.discriminator, hidden=[replace(layer, keep=1.0) for layer in nets.discriminator.hidden],
        output=replace(nets.discriminator.output, keep=1.0)))
    training = Training(nets, data.train, 1)
    theirs = idiomatic.IdiomaticTraining(nets, workload.pixels(TINY), CPU)
    for ours, module in ((training.generator, theirs.generator), (training.discriminator, theirs.discriminator)):
        with torch.no_grad():
            for mine, parameter in zip(ours.parameters, module.parameters(), strict=True):
                parameter.copy_(mine.t() if mine.ndim == 2 else mine)
    z = torch.randn(7, nets.noise.dimensions)
    torch.testing.assert_close(theirs.generator(z), training.generator.forward(z))
    torch.testing.assert_close(theirs.discriminator(data.test), training.discriminator.forward(data.test).sigmoid())


def test_the_idiomatic_loader_gives_every_image_once_in_unit_scale() -> None:
    pixels = workload.pixels(TINY)
    theirs = idiomatic.IdiomaticTraining(workload.nets(TINY), pixels, CPU)
    seen = torch.cat([images.flatten(1) for images in theirs.loader])
    expected = pixels.flatten(1).float() / 255
    order, other = ((images.double() @ torch.rand(36, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
                     ).argsort() for images in (seen, expected))
    torch.testing.assert_close(seen[order], expected[other])
    losses = theirs.run_epoch()
    assert len(losses) == 10
    assert all(d > 0 and g > 0 for d, g in losses)


@pytest.mark.parametrize("scorer", [parzen_benchmark.published, parzen_benchmark.kernel_density])
def test_other_estimators_give_the_same_log_likelihoods(scorer: Any) -> None:
    data = workload.dataset(TINY)
    ours = parzen.log_likelihood(data.test, data.train, [0.1, 0.3])
    torch.testing.assert_close(scorer(data.test, data.train, [0.1, 0.3]).double(), ours, rtol=1e-4, atol=2e-3)


def test_ratios_are_taken_within_repeats() -> None:
    measured = Comparison(2.0, 4.0, (1.0, 2.0, 4.0))
    assert table.faster("a", "b", measured).ratio == 2.0
    assert table.slower("a", "b", measured).ratio == 0.5
    assert table.slower("a", "b", measured).quartiles == (0.375, 0.75)


def test_the_other_side_is_scaled_and_both_run_alike_often() -> None:
    ran: list[str] = []
    measured = compare(lambda: ran.append("ours"), lambda: ran.append("other"), replace(TINY, repeats=4), scale=1e6)
    assert ran == ["ours", "other"] + ["ours", "other", "other", "ours"] * 2
    assert len(measured.ratios) == 4
    assert measured.other > measured.ours


@pytest.mark.parametrize(("row", "met"), [
    (table.Row("a", "b", 1.2, "×", target=1.2), True), (table.Row("a", "b", 1.3, "×", target=1.2), False),
    (table.Row("a", "b", 1.9, "× faster", target=2), False), (table.Row("a", "b", 2.1, "× faster", target=2), True),
    (table.Row("a", "b", 6.0, "%", target=5), False), (table.Row("a", "b", 6.0, "%"), None),
    (table.Row("a", "b", None, "×", target=5, note="no GPU"), None)])
def test_whether_a_target_is_met(row: table.Row, met: bool | None) -> None:
    assert row.met is met


def test_the_table_has_every_row_of_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [table.Row("a step", "its products", 1.23, "×", (1.2, 1.3), 9, 0.01, 0.008, 1.2, "of 16 products"),
            table.unmeasured("ten seeds", "one", "no CUDA GPU"),
            table.Row("a sample", "another", 1.0, "×", x="samples", y="seconds", points=((10, 0.1), (1000, 9.0)))]
    for accelerator in (None, "NVIDIA H200"):
        run_all.write([run_all.Section("The step", "What it is.", rows)], ABOUT | {"accelerator": accelerator})
    assert sorted(path.name for path in run_all.FOLDER.iterdir()) == [
        "README.md", "a-processor-2-cores.json", "a-processor-2-cores.png", "nvidia-h200.json", "nvidia-h200.png"]
    text = run_all.TEXT.read_text()
    assert text.count("| a step | its products | 1.23 [1.20–1.30] × (1) | ≤ 1.2: missed | 10 ms | 8 ms | 9 |") == 2
    assert text.count("1. of 16 products") == 2
    assert text.count("| ten seeds | one | not measured: no CUDA GPU |") == 2
    assert text.count("| seconds against samples | 0.98 | 10: 100 ms, 1,000: 9 s |") == 2
    written = files.read_json(run_all.FOLDER / "nvidia-h200.json")["sections"][0]["rows"]
    assert [table.from_json(row) for row in written] == rows


def test_named_sections_take_the_place_of_their_own_and_leave_the_others(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rows = {name: [table.Row(name, "b", ratio, "×")] for name, ratio in (("old", 1.0), ("new", 2.0), ("kept", 3.0))}
    step, estimate = "The training step", "The Parzen estimate"
    run_all.write([run_all.Section(step, "Text.", rows["old"]), run_all.Section("Own", "Text.", rows["kept"])], ABOUT)
    run_all.write([run_all.Section(estimate, "Text.", rows["kept"]),
                   run_all.Section(step, "Text.", rows["new"])], ABOUT, whole=False)
    written = files.read_json(run_all.FOLDER / "a-processor-2-cores.json")["sections"]
    assert [(section["heading"], section["rows"][0]["what"]) for section in written] == [
        (step, "new"), (estimate, "kept"), ("Own", "kept")]
    run_all.write([run_all.Section(step, "Text.", rows["old"])], ABOUT)
    assert "| kept |" not in run_all.TEXT.read_text()


def test_what_is_not_run_keeps_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_all.machine, "hardware", lambda device: ABOUT)
    monkeypatch.setattr(run_all.machine, "choose_device", lambda: CPU)
    found = itertools.count()

    def section(heading: str, **settings: Any) -> Any:
        return SimpleNamespace(__doc__=f"{heading}\n\nText.", **settings, rows=lambda effort, device: iter(
            [table.Row(heading, "b", float(next(found)), "×")]))

    monkeypatch.setattr(run_all, "sections", lambda: {
        "one": section("One"), "two": section("Two"), "asked": section("Asked", ON_REQUEST=True)})

    def ratios() -> dict[str, float]:
        sections = files.read_json(run_all.FOLDER / "a-processor-2-cores.json")["sections"]
        return {section["heading"]: section["rows"][0]["ratio"] for section in sections}

    run_all.run([])
    assert ratios() == {"One": 0, "Two": 1}
    run_all.run(["asked"])
    assert ratios() == {"One": 0, "Two": 1, "Asked": 2}
    run_all.run(["two"])
    assert ratios() == {"One": 0, "Two": 3, "Asked": 2}
    run_all.run([])
    assert ratios() == {"One": 4, "Two": 5, "Asked": 2}
    run_all.run(["one"], quick=True)
    assert ratios() == {"One": 4, "Two": 5, "Asked": 2}


def test_parts_of_a_whole_are_a_picture_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = [table.Row(what, "all", ratio, "%", part_of="all") for what, ratio in (("a", 60.0), ("b", 40.0))]
    run_all.write([run_all.Section("Own", "Text.", parts)], ABOUT)
    assert (run_all.FOLDER / "a-processor-2-cores-parts.png").read_bytes().startswith(b"\x89PNG")
    assert not (run_all.FOLDER / "a-processor-2-cores.png").exists()
    assert "](a-processor-2-cores-parts.png)" in run_all.TEXT.read_text()


@pytest.mark.parametrize(("points", "exponent"), [
    (((1, 3), (10, 30), (100, 300)), 1), (((10, 2), (100, 200)), 2), (((1, 8), (4, 4)), -0.5), ((), None)])
def test_the_exponent_of_a_curve(points: Any, exponent: float | None) -> None:
    row = table.Row("a", "b", 1.0, "×", points=points)
    assert row.exponent == (None if exponent is None else pytest.approx(exponent))
    assert ("exponent" in table.as_json(row)) == bool(points)


def test_trivial_stages_are_those_of_the_graph(tmp_path: Path) -> None:
    graph = graphs.Trivial(tmp_path / "graph", experiments=3)
    for name, stage in YAML(typ="safe").load(Path("dvc.yaml").read_text())["stages"].items():
        trivial = YAML(typ="safe").load((tmp_path / "graph/dvc.yaml").read_text())["stages"][name]
        assert trivial.pop("foreach", None) == stage.get("foreach")
        mine, real = trivial.get("do", trivial), stage.get("do", stage)
        assert {**mine, "cmd": ""} == {**real, "cmd": ""}
        assert "python" not in mine["cmd"]
    listed = graph.clone.run("dvc", "stage", "list", "--name-only").split()
    assert len(listed) == graph.stages == 7 + 3 * 7
    assert graph.reproduce(longest=0.0) == 0


def test_of_a_graph_that_takes_too_long_nothing_is_extrapolated(tmp_path: Path, monkeypatch: Any) -> None:
    took = {1: graphs.Reproduced(14, 10.0, 1.0, 2.0), 4: graphs.Reproduced(35, 30.0, 2.0, 3.0), 14: 41}

    def of(found: dict[int, Any]) -> list[table.Row]:
        monkeypatch.setattr(graphs, "Trivial", lambda root, experiments: SimpleNamespace(
            stages=7 + 7 * experiments, reproduce=lambda longest: found[experiments]))
        return list(curves._stages(FULL, tmp_path))

    row, *shares = of(took)
    assert row.points == ((14, 7.0), (35, 25.0))
    assert row.note == "105 stages took longer than 2 min, in which 41 of them ended"
    assert sum(share.ratio or 0 for share in shares) == pytest.approx(100)
    row, *_ = of(took | {4: graphs.Reproduced(35, 60.0, 2.0, 3.0), 14: None})
    assert row.points == ((14, 7.0), (35, 55.0))
    assert row.note.startswith("105 stages were left out")
    [row] = of({1: 3})
    assert row.ratio is None
    assert row.note == "14 stages took longer than 2 min, in which 3 of them ended"


@pytest.mark.filterwarnings("error")  # matplotlib warns where labels leave the panels no room
def test_curves_over_decades_fit_their_figure() -> None:
    curve = table.Row("a", "b", 1.0, "×", x="samples", y="GiB", points=((1e3, 0.8), (1e4, 0.9), (1e5, 1.2), (1e6, 3.9)))
    assert pictures.curves([curve] * 4).startswith(b"\x89PNG")
