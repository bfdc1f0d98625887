"""The paper's own numbers."""

from __future__ import annotations

from pipeline.results.published import PAPER_TABLE, published_text


def test_the_papers_table() -> None:
    values = {row.name: row.values for row in PAPER_TABLE}
    assert values == {"DBN": {"mnist": (138, 2), "tfd": (1909, 66)}, "Stacked CAE": {"mnist": (121, 1.6),
                      "tfd": (2110, 50)}, "Deep GSN": {"mnist": (214, 1.1), "tfd": (1890, 29)},
                      "Adversarial nets": {"mnist": (225, 2), "tfd": (2057, 26)}}
    assert published_text("deep_gsn", "mnist") == "214 ± 1.1"
    assert published_text("kmeans", "mnist") == "–"
