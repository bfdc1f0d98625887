"""`python -m pipeline experiments`: what was changed before which results differ, in lines that nothing cuts."""

from __future__ import annotations

from typing import Any

import pytest

from gan.errors import ReproductionError
from pipeline.commands import experiments

RATE = "experiments.mnist.train.model.recipe.learning_rate.initial"


def data(rate: float, scores: dict[str, Any], plan: dict[str, Any] | None = None) -> dict[str, Any]:
    nested: Any = rate
    for key in reversed(RATE.split(".")):
        nested = {key: nested}
    return {"params": {"params.yaml": {"data": {"profile": "cpu", **nested}},
                       "plan.yaml": {"data": {"run": plan or {"datasets": ["mnist"]}}}},
            "metrics": {f"reports/summary/{name}.json": {"data": values} for name, values in scores.items()}}


def shown_by_dvc(*tried: dict[str, Any]) -> list[dict[str, Any]]:
    base = data(0.1, {"mnist": {"raw": 126.82, "ema": 201.68}, "mnist_kmeans": {"raw": 337.99}})
    return [{"rev": "workspace", "data": base},
            {"rev": "1a2b3c4d5e6f7", "name": "main", "data": base, "experiments": list(tried)}]


def experiment(name: str, content: dict[str, Any] | None, **executor: str) -> dict[str, Any]:
    return {"revs": [{"rev": "0123456789", "name": name, "data": content}], "executor": executor or None}


def lines(*tried: dict[str, Any]) -> list[str]:
    return list(experiments.lines(experiments.read(shown_by_dvc(*tried))))


def test_the_changed_parameter_stands_whole_and_before_the_results_that_differ():
    found = lines(experiment("rates-1", data(0.05, {"mnist": {"raw": 120.0, "ema": 201.68}, "mnist_kmeans": {
        "raw": 337.99}})))
    start = found.index("  rates-1 (0123456)")
    assert found[start - 1] == "from main (1a2b3c4):"
    assert found[start + 1:start + 3] == [
        f"    changed  {RATE}  0.1 → 0.05",
        "    results  mnist raw  126.82 → 120.00  (−6.82)"]
    assert not any("mnist_kmeans" in line or "mnist ema" in line for line in found)


def test_what_changes_nothing_says_so_and_the_workspace_is_shown_against_the_commit():
    found = lines()
    assert found[:3] == ["  workspace", "    changed  no parameter", "    results  the same"]
    assert found[3] == "no experiments from main (1a2b3c4)"


def test_results_that_are_missing_are_not_measured_and_a_plan_is_one_line():
    content = data(0.1, {"mnist": {"raw": 126.82, "ema": 201.68}}, plan={"datasets": ["mnist", "digits"], "more": 1})
    found = lines(experiment("fewer", content))
    start = found.index("  fewer (0123456)")
    assert found[start + 1:start + 3] == ["    changed  plan.yaml  another plan",
                                          "    results  mnist_kmeans raw  337.99 → not measured"]


@pytest.mark.parametrize(("state", "shown"), [("queued", " – queued"), ("failed", " – failed"), ("success", "")])
def test_an_experiment_that_has_not_ended_well_says_so(state, shown):
    found = lines(experiment("tried", None, state=state))
    assert f"  tried (0123456){shown}" in found


def test_a_commit_from_before_has_its_scores_in_one_file():
    old = {"metrics": {"reports/summary.json": {"data": {"mnist": {"raw": 1.0, "ema": 2}, "note": "text"}}}}
    (state,) = experiments.read([{"rev": "abcdef0123", "data": old}])
    assert (state.name, state.scores) == ("abcdef0", {"mnist raw": 1.0, "mnist ema": 2.0})


def test_applying_is_advised_after_a_commit():
    assert "commit before `dvc exp apply NAME`, which overwrites uncommitted edits" in lines()[-1]


def test_a_dvc_that_fails_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReproductionError, match="`dvc exp show` failed"):
        experiments.main()
