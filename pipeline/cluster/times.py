"""How long stages take: what they took here last, else what is usual; and the longest path that waits for a stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from pipeline.runtime import run_log

USUAL = {"train": 300.0, "lesson": 20.0, "lesson_on_data": 60.0, "sample_size": 15.0, "download": 15.0,
         "features": 100.0, "references": 60.0, "assess": 60.0}
OTHERWISE = 8.0  # Python starts and reads its files


class Stages(Protocol):
    """What `pipeline.cluster.graph.Graph` knows of its stages, each after what it needs."""

    @property
    def needs(self) -> Mapping[str, Iterable[str]]: ...

    def __iter__(self) -> Iterator[str]: ...


class Times:
    """Seconds by stage."""

    def __init__(self, known: Mapping[str, float]) -> None:
        self._known = known
        self._paths: dict[int, dict[str, float]] = {}

    @classmethod
    def of_this_checkout(cls) -> Times:
        return cls({name: float(content["seconds"]) for name, content in run_log.read("stages").items()
                    if isinstance(content.get("seconds"), int | float)})

    def __getitem__(self, stage: str) -> float:
        verb, _, _ = stage.partition("@")
        return self._known.get(stage, USUAL.get(verb, OTHERWISE))

    def path(self, graph: Stages, stage: str) -> float:
        """Seconds of a stage with the longest chain of those that need it, one after another."""
        if id(graph) not in self._paths:
            self._paths[id(graph)] = longest_paths(list(graph), graph.needs, self)
        return self._paths[id(graph)][stage]


def longest_paths(order: Sequence[str], needs: Mapping[str, Iterable[str]], seconds: Any) -> dict[str, float]:
    """Of each stage with all that follows it; `order` has each after what it needs."""
    after = dict.fromkeys(order, 0.0)
    for name in reversed(order):
        after[name] += seconds[name]
        for need in needs[name]:
            after[need] = max(after[need], after[name])
    return after
