from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
import torch

from gan.linear_algebra import random_stream
from gan.streams import KEPT, PURPOSES, require_distinct, seed_of

ROOT = Path(__file__).parents[2]
SAME = (12611, 139413)
"""Two seeds with the same 32 bits for the initial weights"""
OTHERS = {"replaced weights", "thrown away", "two-sample test", "features", "order of the images for features",
          "search", "untrained generator", "samples of the benchmark", "revived units", "order of {} labelled images"}
"""Drawn once, for all seeds, thrown away, or drawn beside a run; the last for each number of labels"""


def purposes_in(path: Path) -> set[str]:
    """The texts that `random_stream` is given in a module, {} for what is put into them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "random_stream":
            match node.args[1]:
                case ast.Constant(value=text):
                    found.add(text)
                case ast.JoinedStr(values=parts):
                    found.add("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts))
    return found


def test_every_purpose_of_models_and_stages_is_looked_at():
    modules = itertools.chain(*(ROOT.glob(pattern) for pattern in (
        "gan/*.py", "gan/adversarial/*.py", "gan/baselines/*.py", "gan/evaluation/*.py", "pipeline/**/*.py")))
    found = set().union(*map(purposes_in, modules))
    assert "initial weights" in found
    assert {text.removeprefix("{}") for text in found} <= {*PURPOSES, *OTHERS}


def test_a_processor_keeps_32_bits():
    """If a later torch keeps more, the refusal is needless."""
    first, second = (seed_of(seed, "initial weights") for seed in SAME)
    assert first != second
    assert first % KEPT == second % KEPT
    assert torch.equal(*(torch.rand(5, generator=random_stream(seed, "initial weights")) for seed in SAME))


def test_seeds_that_would_draw_the_same_are_refused():
    with pytest.raises(ValueError, match="seeds 12611 and 139413 would draw the same numbers for 'initial weights' on"):
        require_distinct([1, *SAME])


@pytest.mark.parametrize("seeds", [[1], range(1, 101), SAME[:1], SAME[1:]])
def test_other_seeds_are_not(seeds):
    require_distinct(seeds)


def test_streams_of_an_experiment_are_its_own():
    drawn = [torch.rand(4, generator=random_stream(seed, purpose)) for seed in range(3) for purpose in PURPOSES]
    assert len({tuple(each.tolist()) for each in drawn}) == 3 * len(PURPOSES)
