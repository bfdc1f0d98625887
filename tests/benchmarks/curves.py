"""How the cost grows

With epochs, samples, test images, experiments, seeds and stages: 1 means that the last of so many costs as much as
those before. Training is on a part of MNIST's images; the estimate scores MNIST's test images, on the monitor's 17
values of σ, under training images with a little noise, which stand for samples. Each number of samples runs in a
process of its own, whose peak memory is read at its end: Python and torch with their libraries, the samples in float32,
and what the estimate needs beside them. Experiments and seeds are `dvc repro` of short trainings on digits: a stage for
each experiment, one stage for all seeds. Stages are those of dvc.yaml for more and more experiments, with commands that
write their outputs and do nothing else. *Entering* them is what `dvc repro` takes beyond these commands, and beyond a
second `dvc repro` that has nothing to do: outputs are stored, and dvc.lock is read and written whole for each stage.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor

from gan.adversarial.training import Training
from gan.evaluation import parzen
from pipeline.runtime import machine
from pipeline.settings import parameters
from tests.benchmarks import graphs, workload
from tests.benchmarks.table import Effort, Row, share, unmeasured
from tests.benchmarks.timing import FULL, QUICK, TINY, seconds, synchronised

ORDER = 4
NOISE = 0.05
LONGEST = 120.0
"""seconds that one graph of trivial stages may take"""
GIB = 2**30


def rows(effort: Effort, device: torch.device) -> Iterator[Row]:
    yield _epochs(effort, device)
    yield _test_images(effort, device)
    yield from _samples(effort, device)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield from _experiments_and_seeds(effort, device, Path(folder))
        yield from _stages(effort, Path(folder))


def growth(points: Sequence[tuple[float, float]], middle: int) -> float:
    """The cost of one more, between the middle point and the last, over the cost of one up to the middle."""
    (x, y), (last_x, last_y) = points[middle], points[-1]
    return (last_y - y) / (last_x - x) / (y / x)


def _epochs(effort: Effort, device: torch.device) -> Row:
    epochs, images = workload.few(effort, 16, 6, 4), workload.few(effort, 10_000, 2000, 60)
    training = Training(workload.nets(effort), workload.dataset(effort).train[:images], 1, device)
    run = synchronised(training.run_epoch, device)
    run()
    each = [seconds(run) for _ in range(epochs)]
    points = tuple(zip(map(float, range(1, epochs + 1)), itertools.accumulate(each), strict=True))
    return Row(f"an epoch of {images:,} images in the second half of {epochs}", "one in the first half",
               growth(points, epochs // 2 - 1), "×", seconds=statistics.median(each), x="epochs", y="seconds",
               points=points)


def _test_images(effort: Effort, device: torch.device) -> Row:
    data, settings = workload.dataset(effort), parameters.load().parzen("paper", "mnist")
    images = data.test.to(device)
    samples = data.train[:workload.few(effort, settings.samples, 2000, 60)].to(device)
    parzen.log_likelihood(images[:10], samples, _bandwidths())  # to get started
    sizes = [n for n in (10, 100, 316, 1000, 3162, 10_000) if n <= workload.few(effort, 10_000, 3162, 50)]
    sizes = sizes if len(sizes) > 1 else [10, 50]
    points = tuple((float(n), _median_seconds(
        partial(parzen.log_likelihood, images[:n], samples, _bandwidths()), device, effort)) for n in sizes)
    return Row(f"a test image of {sizes[-1]:,}", f"one of {sizes[-2]:,}", growth(points, -2), "×", x="test images",
               y="seconds", points=points, note=f"under {len(samples):,} samples")


def _samples(effort: Effort, device: torch.device) -> Iterator[Row]:
    sizes = [n for n in (1000, 10_000, 100_000, 1_000_000) if n <= workload.few(effort, 1_000_000, 10_000, 0)]
    images = workload.few(effort, 256, 64, 10)
    found: list[tuple[int, float, float]] = []
    left_out = ""
    for n in sizes or [50, 500]:
        needed, free = _expected_peak(found, n), psutil.virtual_memory().available / GIB
        if needed > free:
            left_out = f"{n:,} samples were left out: they would take {needed:.0f} GiB, and {free:.0f} GiB were free"
            break
        found.append((n, *_in_own_process(n, images, effort, device)))
    last, middle = found[-1][0], found[-2][0]
    points = tuple((float(n), took) for n, took, _ in found)
    yield Row(f"a sample of {last:,}", f"one of {middle:,}", growth(points, -2), "×", x="samples", y="seconds",
              points=points, note="; ".join(filter(None, (f"{images} test images", left_out))))
    if device.type != "cpu":
        yield unmeasured(f"peak memory with {last:,} samples", "the samples themselves", "measured on a processor only")
        return
    own = last * workload.dataset(effort).train.shape[1] * 4 / GIB
    yield Row(f"peak memory with {last:,} samples", "the samples themselves, in float32", found[-1][2] / own, "×",
              x="samples", y="GiB", points=tuple((float(n), peak) for n, _, peak in found),
              note=f"{found[-1][2]:.2f} GiB against {own:.2f} GiB")


def _experiments_and_seeds(effort: Effort, device: torch.device, folder: Path) -> Iterator[Row]:
    numbers, epochs = (1, 2, 4) if effort.full else (1, 2), workload.few(effort, 20, 5, 2)
    trainings = graphs.Trainings(folder / "clone", numbers, epochs, device)
    first = trainings.experiments(1)
    for what, where, measure in (("an experiment", "experiments", trainings.experiments),
                                 ("a seed", "seeds", trainings.seeds)):
        points = tuple((float(n), first if n == 1 else measure(n)) for n in numbers)
        last, middle = numbers[-1], numbers[-2]
        yield Row(f"{what} of {last}", f"one of {middle}", growth(points, -2), "×", x=where, y="seconds",
                  points=points, note=f"dvc repro of their trainings, {epochs} epochs of digits each")


def _stages(effort: Effort, folder: Path) -> Iterator[Row]:
    found: list[graphs.Reproduced] = []
    left_out, minutes = "", f"{LONGEST / 60:.0f} min"
    for experiments in (1, 4, 14, 142) if effort.full else (1, 2) if effort.tiny else (1, 4):
        graph = graphs.Trivial(folder / f"trivial-{experiments}", experiments)
        if found and found[-1].of_each * graph.stages > LONGEST:
            left_out = (f"{graph.stages:,} stages were left out: they would take longer than {minutes} even if each "
                        f"cost no more than one of {found[-1].stages:,}, which took {found[-1].whole:.0f} s")
            break
        reproduced = graph.reproduce(LONGEST)
        if isinstance(reproduced, int):
            left_out = f"{graph.stages:,} stages took longer than {minutes}, in which {reproduced:,} of them ended"
            break
        found.append(reproduced)
    if len(found) < 2:
        yield unmeasured("entering a stage into dvc.lock", "one of fewer", left_out)
        return
    last, middle = found[-1], found[-2]
    points = tuple((float(each.stages), each.entering) for each in found)
    yield Row(f"entering a stage of {last.stages:,} into dvc.lock", f"one of {middle.stages:,}", growth(points, -2),
              "×", x="stages", y="seconds", points=points, note=left_out)
    of = f"dvc repro of {last.stages:,} stages that do nothing"
    yield share("entering them into dvc.lock", of, last.entering, last.whole)
    yield share("starting DVC, and finding them up to date", of, last.nothing, last.whole)
    yield share("their own commands", of, last.commands, last.whole)


def _expected_peak(found: Sequence[tuple[int, float, float]], n: int) -> float:
    """GiB of n samples, on the line through the last two numbers of samples; 0 where there are not two yet."""
    if len(found) < 2:
        return 0.0
    (x, _, y), (last_x, _, last_y) = found[-2:]
    return last_y + (last_y - y) / (last_x - x) * (n - last_x)


def _in_own_process(samples: int, images: int, effort: Effort, device: torch.device) -> tuple[float, float]:
    """Seconds of the estimate, and the peak memory of its process in GiB."""
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-m", "tests.benchmarks.curves", str(samples), str(images), effort.name,
                            str(device)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, text=True, check=True,
                           stdout=subprocess.PIPE)
    took, peak = json.loads(ended.stdout.splitlines()[-1])
    return took, peak


def estimate_once(samples: int, images: int, effort: Effort, device: torch.device) -> tuple[float, float]:
    """What `_in_own_process` returns, of this process."""
    machine.reuse_freed_memory()
    data = workload.dataset(effort)
    test, drawn = data.test[:images].to(device), _drawn(data.train, samples).to(device)
    parzen.log_likelihood(test, drawn[:1000], _bandwidths())  # to get started
    took = _median_seconds(lambda: parzen.log_likelihood(test, drawn, _bandwidths()), device, effort)
    unit = 1 if sys.platform == "darwin" else 1024
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB


def _drawn(train: Tensor, n: int) -> Tensor:
    """n training images with noise, made block by block."""
    stream = torch.Generator().manual_seed(0)
    drawn = torch.empty(n, train.shape[1])
    for block in drawn.split(4096):
        rows = torch.randint(len(train), (len(block),), generator=stream)
        block.normal_(0, NOISE, generator=stream).add_(train[rows]).clamp_(0, 1)
    return drawn


def _bandwidths() -> list[float]:
    return parameters.load().monitor("paper", "mnist").grid.bandwidths()


def _median_seconds(work: Callable[[], object], device: torch.device, effort: Effort) -> float:
    """Of three times, or of one if it takes long."""
    run = synchronised(work, device)
    first = seconds(run)
    return first if first > 5 or effort.tiny else statistics.median([first, seconds(run), seconds(run)])


if __name__ == "__main__":
    words = sys.argv[1:]
    print(json.dumps(estimate_once(int(words[0]), int(words[1]), next(
        known for known in (TINY, QUICK, FULL) if known.name == words[2]), torch.device(words[3]))))
