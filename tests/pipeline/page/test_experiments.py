"""An experiment's part of the page: what was tried for it on validation images."""

from __future__ import annotations

from pathlib import Path

import pytest

from gan.errors import DataError
from pipeline.page.experiments import Tried, tried

FILE = """
mnist_dbn: {note: Not in the paper., select_by: raw}
"""
TABLE = """layers.1.learning_rate,noise,validation_log_likelihood_raw,bandwidth_raw,validation_log_likelihood_parallel,\
bandwidth_parallel
0.05,1.0,-12.34,0.2,90.06,0.18
0.02,1.0,95.5984,0.21051,80,0.19
0.5,1.0,,,,
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("searches.yaml").write_text(FILE)
    Path("reports/searches").mkdir(parents=True)
    Path("reports/searches/mnist_dbn.csv").write_text(TABLE)
    return tmp_path


def test_what_was_tried_stands_best_first_by_the_variant_that_decided() -> None:
    assert tried("mnist_dbn") == Tried(
        ["layers.1.learning_rate", "noise"], ["raw", "parallel"],
        [(["0.02", "1.0"], ["95.6 (σ 0.211)", "80.0 (σ 0.190)"]),
         (["0.05", "1.0"], ["−12.3 (σ 0.200)", "90.1 (σ 0.180)"]),
         (["0.5", "1.0"], ["diverged", "diverged"])],
        "Not in the paper.", "raw", "reports/searches/mnist_dbn.csv")


def test_without_a_search_or_its_table_there_is_nothing() -> None:
    assert tried("mnist") is None
    Path("reports/searches/mnist_dbn.csv").rename("reports/searches/mnist.csv")
    assert tried("mnist") is None
    assert tried("mnist_dbn") is None


@pytest.mark.parametrize("content", ["", "noise,validation_log_likelihood_ema\n1,2\n", TABLE.replace("95.5984", "x")])
def test_a_table_that_is_none_is_an_error_that_names_it(content: str) -> None:
    Path("reports/searches/mnist_dbn.csv").write_text(content)
    with pytest.raises(DataError, match=r"reports/searches/mnist_dbn\.csv cannot be read"):
        tried("mnist_dbn")
