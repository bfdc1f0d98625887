"""A bare run itself: its parts, one after another, in the time they have. Called by `pipeline.commands.bare_run`."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan.errors import ReproductionError
from pipeline.bare import benchmarks, gpu_tests, options
from pipeline.bare.annealing import LongRun
from pipeline.bare.clock import Clock, Share
from pipeline.bare.collapse import Collapse, of_long_run
from pipeline.bare.options import Options
from pipeline.bare.output import Output
from pipeline.bare.starts import Starts
from pipeline.bare.training import probe_capture
from pipeline.bare.workload import Workload
from pipeline.runtime import machine


class Session:
    def __init__(self, given: Options) -> None:
        self.given = given
        self.clock = Clock(given.minutes, given.began, given.parts)
        self.work = Workload(given)
        self.out = Output(given.out, self.work.about() | {"minutes": given.minutes, "parts": {}})
        self.collapse = Collapse(self.work, self.out)
        self.long_run: LongRun | None = None

    @machine.flushing_denormals()
    def run(self) -> bool:
        """Every part that was asked for; whether none failed. A part that fails leaves the others their turn."""
        work = self.work
        about = self.out.content
        print(f"{work.options.experiment} under {work.settings.profile} on "
              f"{about['hardware']['accelerator'] or 'the processor'}, commit {about['commit'] or 'unknown'}, "
              f"{work.data_file}", flush=True)
        parts: dict[str, Callable[[Share], None]] = {
            "tests": lambda share: gpu_tests.run(share, self.out), "annealing": self._annealing,
            "starts": self._starts, "benchmarks": lambda share: benchmarks.run(work, share, self.out, self._best()),
            "variants": self.collapse.variants}
        first_training = True
        for name in self.given.parts:
            share = self.clock.begin(name, options.TEST_SECONDS if name == "tests" else float("inf"))
            if name != "tests" and first_training:
                self.out.content["capture"] = probe_capture(work)
                self.out.content["captured"] = work.captured
                share.say(f"capture: {self.out.content['capture']}")
                first_training = False
            self._part(name, share, parts[name])
        print(f"[{self.clock.elapsed:5.0f} s] results are in {self.given.out}", flush=True)
        return all(part["ended"] != "failed" for part in self.out.content["parts"].values())

    def _part(self, name: str, share: Share, part: Callable[[Share], None]) -> None:
        about = self.out.content["parts"][name] = {"ended": "cut off", "seconds_given": round(share.seconds, 1)}
        self.out.write()
        begun = time.time()
        try:
            if share.seconds <= 0:
                return
            part(share)
            about["ended"] = "in time" if share.left > 0 else "by the time"
        except Exception as error:
            about |= {"ended": "failed", "error": "".join(traceback.format_exception(error))[-4000:]}
            traceback.print_exc()
        finally:
            about["seconds"] = round(time.time() - begun, 1)
            if self.work.device.type == "cuda":
                torch.cuda.empty_cache()
            self.out.write()
            share.say(f"{about['ended']}, {about['seconds']:.0f} s")

    def _annealing(self, share: Share) -> None:
        self.long_run = LongRun(self.work, share, self.out)
        self.long_run.run()

    def _starts(self, share: Share) -> None:
        self.collapse.released(share, of_long_run(self.long_run) if self.long_run else Starts())

    def _best(self) -> Sequence[Tensor] | None:
        """The long run's best weights by validation, if there are any."""
        choices = self.long_run.choices if self.long_run else {}
        best = max(choices.values(), key=lambda choice: choice.validation_log_likelihood, default=None)
        return None if best is None else best.weights


if __name__ == "__main__":
    try:
        sys.exit(0 if Session(options.parse(sys.argv[1:])).run() else 1)
    except ReproductionError as error:
        print(f"\nerror: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
