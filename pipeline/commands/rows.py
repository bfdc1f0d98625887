"""The rows of a run: which comes first, what is said when one is scored, and the page meanwhile."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Iterable

from pipeline.results.metrics import gather
from pipeline.results.plan import Plan
from pipeline.results.table import rows_text
from pipeline.runtime import process

MORE = ("sample_size", "figures")
"""Stages of an experiment that come after its score, and that the page shows"""
SECONDS_BETWEEN_PAGES = 300.0


def in_order(plan: Plan, names: Iterable[str]) -> list[str]:
    """`names` in the order in which they are run, else in that of the plan."""
    headline = next((name for name in plan.experiments if model_of(plan, name) == "adversarial_nets"), "")

    def rank(name: str) -> int:
        if name == headline:
            return 1
        beside = dataset_of(plan, name) == dataset_of(plan, headline)
        return 3 if not beside else 0 if model_of(plan, name) == "training_images" else 2

    wanted = set(names)
    return sorted((name for name in plan.experiments if name in wanted), key=rank)


def model_of(plan: Plan, name: str) -> str:
    return plan.kinds.get(name, ("", ""))[0]


def dataset_of(plan: Plan, name: str) -> str:
    return plan.kinds.get(name, ("", ""))[1]


class Rows:
    """Of the experiments of a plan, of which `to_do` are not done yet."""

    def __init__(self, plan: Plan, to_do: Iterable[str]) -> None:
        self.plan = plan
        self.to_do = in_order(plan, to_do)
        self.finished = [name for name in plan.experiments if name not in self.to_do]
        self.failed: list[str] = []

    @property
    def left(self) -> int:
        return len(self.plan.experiments) - len({*self.finished, *self.failed})

    def scored(self, name: str) -> str:
        """What is to be said of one that has its score now."""
        self.finished.append(name)
        return (f"\n{rows_text(gather([name]))}\n\n{len(self.finished)} of {len(self.plan.experiments)} experiments "
                f"scored{f', {self.left} to come' if self.left else ''}\n")

    def write_page(self) -> None:
        """In a process of its own. Nothing depends on a page before the last one: the run goes on without it."""
        try:
            process.verb(*page(self.finished, self.failed))
        except SystemExit as end:
            if end.code in (process.INTERRUPTED, process.TERMINATED):
                raise


def page(finished: Iterable[str], failed: Collection[str]) -> list[str]:
    """The words that write the page of these experiments."""
    return ["page", *(name for name in finished if name not in failed),
            *(word for name in failed for word in ("--failed", name))]


class Following(Rows):
    """Of a run whose stages are done side by side: the page is written beside them, with the first experiment that is
    whole and from then on every five minutes."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan, plan.experiments)
        self._stages: set[str] = set()
        self._shown: list[str] = []
        self._began = float("-inf")
        self._writing: subprocess.Popen[bytes] | None = None

    def done(self, stage: str, now: bool) -> str:
        verb, _, name = stage.partition("@")
        self._stages.add(stage)
        said = self.scored(name) if verb == "evaluate" else ""
        if now and self.whole() != self._shown:
            self._begin_page()
        return said if now else ""

    def whole(self) -> list[str]:
        """The experiments of which all is there that the page shows."""
        return [name for name in self.finished if all(f"{stage}@{name}" in self._stages for stage in MORE)]

    def ended(self, undone: Collection[str]) -> None:
        self.end()
        if undone:
            self.failed = [name for name in self.plan.experiments if any(
                stage.partition("@")[2] in (name, dataset_of(self.plan, name)) for stage in undone)]
            self.finished = self.whole()
            self.write_page()

    def end(self) -> None:
        """Of a page that is being written: it would be written over the last one."""
        if self._writing is not None:
            self._writing.terminate()
            self._writing.wait()

    def _begin_page(self) -> None:
        if time.monotonic() - self._began >= SECONDS_BETWEEN_PAGES and (
                self._writing is None or self._writing.poll() is not None):
            self._began, self._shown = time.monotonic(), self.whole()
            self._writing = process.quietly(*page(self._shown, ()))
