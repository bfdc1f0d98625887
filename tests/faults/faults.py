"""Kill a training of the real graph at random moments, let it go on, and compare every output with an undisturbed one.

    python tests/faults/faults.py [kills] [seed]

Each trial: `dvc repro train@digits` from nothing in a clone, `kill -9` of its whole process group at one moment, the
same command again; where the kill tore DVC's own dvc.lock, `python -m pipeline free` first. Moments are
drawn one from each of as many equal parts of the time that an undisturbed run takes from its first update on; every
second kill waits from there on for a checkpoint that is half written. One trial more is stopped for a while by SIGSTOP,
as a host that sleeps or a cluster that suspends its jobs does it, and goes on.

After these, `plan`, `collect`, `report` and `record` are killed in the same way, a fifth as often each
(killed_commands.py).
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/end_to_end")]

import killed_commands  # noqa: E402
from clone import Clone, make_clone  # noqa: E402

from gan.errors import DataError  # noqa: E402
from pipeline.commands.who import is_whole  # noqa: E402
from pipeline.runtime import files, process  # noqa: E402
from pipeline.runtime.progress import Progress, duration  # noqa: E402

EXPERIMENT, EPOCHS = "digits", 40
COMMAND = ("dvc", "repro", f"train@{EXPERIMENT}")
OUTPUTS = ("models", "training.json", "curves.csv")
SECONDS_ASLEEP = 5.0
DRAWS = 5
"""How often a moment is drawn again, earlier, when a run has ended before it"""


@dataclass(frozen=True)
class Trial:
    """One kill and what came of it."""

    moment: float
    """seconds after the first checkpoint"""
    state: str
    """of the training, by its newest checkpoint: seed and update"""
    doing: str
    """what was half written, if anything"""
    resumed: str
    """what the next run said"""
    identical: bool

    def __str__(self) -> str:
        return (f"{self.moment:7.2f} s  {self.state:<24}  {self.doing:<22}  {self.resumed:<26}  "
                f"{'yes' if self.identical else 'NO'}")


HEADER = f"{'moment':>9}  {'kept at the kill':<24}  {'half written':<22}  {'went on from':<26}  identical"


def main(kills: str = "20", seed: str = "1") -> None:
    count, random_source = int(kills), random.Random(int(seed))
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        clone = make(Path(folder) / "clone")
        before = (clone.root / "dvc.lock").read_bytes()
        first, length = undisturbed(clone)
        wanted, digests = outputs(clone.root), clone.locked(f"train@{EXPERIMENT}")
        print(f"an undisturbed run takes {duration(length)}, {duration(first)} of it before the first update, and "
              f"gives {len(wanted)} files\n{HEADER}", flush=True)
        trials = []
        with Progress("kills", count, "kill") as progress:
            for i in range(count):
                moment = (length - first) * (i + random_source.random()) / count
                trials.append(kill_once(clone, before, moment, i % 2 == 1, wanted, digests))
                print(trials[-1], flush=True)
                progress.advance(1)
        identical = sum(trial.identical for trial in trials)
        written = sum(bool(trial.doing) for trial in trials)
        print(f"{identical} of {count} identical; {written} of the kills fell into a file being written", flush=True)
        slept = sleep_once(clone, before, wanted, digests)
        print(f"a training that was stopped for {SECONDS_ASLEEP:.0f} s and went on: "
              f"{'identical' if slept else 'NOT identical'}", flush=True)
        clone.run("dvc", "repro")
        clone.commit("results")
        others = killed_commands.kill_all(clone, max(2, count // 5), random_source,
                                          lambda line: print(line, flush=True))
    good = sum(trial.identical for trial in others)
    print(f"{good} of {len(others)} identical")
    sys.exit(not (identical == count and slept and good == len(others)))


def make(root: Path) -> Clone:
    """A clone of this repository's working tree that has everything but the training."""
    clone = make_clone(root)
    clone.plan_for([EXPERIMENT])
    name = f"experiments.{EXPERIMENT}.profiles.smoke.train.model.recipe.epochs"
    old, _ = clone.change(name, by=0)
    clone.change(name, by=EPOCHS - old)
    clone.run("dvc", "repro", f"prepare@{EXPERIMENT}", "configure")
    return clone


def undisturbed(clone: Clone) -> tuple[float, float]:
    """Run to the end; seconds to the first checkpoint, and in all."""
    began, process = time.monotonic(), start(clone)
    wait_for_checkpoint(clone, process)
    first = time.monotonic() - began
    assert process.wait() == 0, "the undisturbed run failed"
    return first, time.monotonic() - began


def wait_for_checkpoint(clone: Clone, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and not any((clone.root / "checkpoints").rglob("*.safetensors")):
        time.sleep(0.002)


def start(clone: Clone) -> subprocess.Popen[bytes]:
    return subprocess.Popen(COMMAND, cwd=clone.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**clone.environment, "GAN_CHECKPOINT_SECONDS": "0"}, start_new_session=True)


def kill_once(clone: Clone, lock: bytes, moment: float, in_a_write: bool, wanted: Mapping[str, bytes],
              digests: Mapping[str, str]) -> Trial:
    """Run from nothing, kill at `moment`, or when next a checkpoint is being written, run again, compare."""
    for _ in range(DRAWS):
        reset(clone, lock)
        if killed_at(clone, moment, in_a_write):
            break
        moment *= 0.9  # it had ended: the machine is faster now
    else:
        raise SystemExit(f"the training ended before it could be killed, {DRAWS} times")
    state, doing = newest(clone.root), half_written(clone.root)
    if not is_whole((clone.root / "dvc.lock").read_bytes()):
        doing = ", ".join(filter(None, (doing, "dvc.lock")))
        clone.run("python", "-m", "pipeline", "free")
    said = clone.run(*COMMAND)
    resumed = re.findall(r"resumes from (.+?) \(\S*(seed-\d+)", said)
    beginning = "DVC's run cache" if "is cached" in said else "the beginning"
    identical = outputs(clone.root) == wanted and clone.locked(f"train@{EXPERIMENT}") == digests
    identical = identical and not (clone.root / "checkpoints" / EXPERIMENT).exists()
    return Trial(moment, state, doing, ", ".join(f"{name} {where}" for where, name in resumed) or beginning,
                 identical)


def sleep_once(clone: Clone, lock: bytes, wanted: Mapping[str, bytes], digests: Mapping[str, str]) -> bool:
    """Run from nothing, stop all of it for a while, go on; whether it ends with the same bytes."""
    reset(clone, lock)
    process = start(clone)
    try:
        wait_for_checkpoint(clone, process)
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(SECONDS_ASLEEP)
        os.killpg(process.pid, signal.SIGCONT)
        ended_well = process.wait() == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return ended_well and outputs(clone.root) == wanted and clone.locked(f"train@{EXPERIMENT}") == digests


def reset(clone: Clone, lock: bytes) -> None:
    """As if the training had never run: nor does DVC's run cache have its result."""
    (clone.root / "dvc.lock").write_bytes(lock)
    for folder in (".dvc/cache", "checkpoints", f"artifacts/{EXPERIMENT}/models"):
        shutil.rmtree(clone.root / folder, ignore_errors=True)
    folder = clone.root / "artifacts" / EXPERIMENT
    for path in (folder / "training.json", folder / "curves.csv", *folder.rglob(".*.part")):
        path.unlink(missing_ok=True)


def killed_at(clone: Clone, moment: float, in_a_write: bool) -> bool:
    """Kill the command with all that it started, so long after the first update; whether it had not ended before."""
    process = start(clone)
    try:
        wait_for_checkpoint(clone, process)
        process.wait(moment)
    except subprocess.TimeoutExpired:
        while in_a_write and process.poll() is None and not half_written(clone.root):
            time.sleep(0.0005)
        return process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return False


def newest(root: Path) -> str:
    """Seed and update of the newest whole checkpoint."""
    for path in sorted((root / "checkpoints").rglob("seed-*.safetensors"), key=lambda path: -path.stat().st_mtime_ns):
        try:
            tensors, _ = files.read_tensors(path)
        except DataError:
            continue
        (name,) = [name for name in tensors if name.endswith("model/updates")]
        return f"seed {name.partition('/')[0]}, update {int(tensors[name])}"
    return "nothing"


def half_written(root: Path) -> str:
    """What a killed process was writing."""
    places = {"a checkpoint": root / "checkpoints", "an output": root / "artifacts" / EXPERIMENT}
    return ", ".join(name for name, folder in places.items() if any(folder.rglob(".*.part")))


def outputs(root: Path) -> dict[str, bytes]:
    """Every file of the outputs of the training."""
    folder = root / "artifacts" / EXPERIMENT
    return {str(path.relative_to(folder)): path.read_bytes() for name in OUTPUTS
            for path in [folder / name, *(folder / name).rglob("*")] if path.is_file()}


if __name__ == "__main__":
    with process.ending():
        main(*sys.argv[1:])
