"""pipeline.commands.table: what was measured beside the paper's, in plain text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from finished_run import NORMALISED, NOTE, FinishedRun

from gan.errors import DataError
from pipeline.commands import table
from pipeline.stages import report


def test_the_table_shows_the_paper_beside_ours_what_is_missing_and_where_the_report_is(
        place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.main()
    table.main()
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    ours = next(line for line in lines if line.startswith("Adversarial nets"))
    assert " ".join(ours.split()) == "Adversarial nets 225 ± 2 84.0 ± 2.2 87.0 ± 4.2 (2) 0.202 9 cpu"
    assert "129.0 ± 2.2     131.0 ± 2.8 (2)" in next(line for line in lines if line.startswith("  ema"))
    assert next(line for line in lines if line.startswith("DBN")).split()[1:4] == ["138", "±", "2"]
    assert "not measured" in next(line for line in lines if line.startswith("DBN"))
    assert "226.3 ± 2.2" in next(line for line in lines if line.startswith("recorded: Adversarial nets"))
    assert "comparable with nothing" in text
    assert "tfd: the Toronto Face Database is not public" in text
    assert re.search(r"not run yet.*\n  mnist_alternating", text)
    assert lines[-1] == "report: reports/index.html"


def test_the_table_of_other_data_sets(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.main()
    table.main()
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    start = lines.index(f"CIFAR-10, d = 192, {NORMALISED}")
    assert lines[start + 1] == "  the paper shows figures 2c and 2d and reports no log-likelihood"
    assert " ".join(lines[start + 2].split()) == "Adversarial nets, – −1195.5 ± 2.2 −1202.8 ± 10.3 (2) 0.202 9 cpu*"
    assert lines[start + 3] == "  cifar10_convolutional"
    assert lines[start + 4].startswith("Training images ")  # named first in params.yaml, and yet below the model
    tfd = lines.index("TFD, d = 64, ± over 5 folds")
    ours = next(line for line in lines[tfd:] if line.startswith("Adversarial nets"))
    assert " ".join(ours.split()) == "Adversarial nets 2057 ± 26 1899.5 ± 2.2 1895.0 ± 6.4 (2) 0.202 9 cpu*"
    assert tfd < start < lines.index("FER-2013 faces, five folds (not TFD), d = 64, ± over 5 folds")
    assert "over the folds where there are some" in " ".join(text.split())


def test_the_table_says_what_was_reduced_and_what_has_to_be_said(elsewhere: Path,
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    report.main()
    table.main()
    text = " ".join(capsys.readouterr().out.split())
    assert "tfd: generator.hidden[0].units 1200 (paper: 8000) " in text
    assert "cifar10_convolutional: generator.hidden[0].units 1200 (paper: 8000); generator.hidden[1]" in text
    assert f"faces_five_folds, faces_five_folds_training_images: {NOTE}" in text
    assert "cifar10_convolutional: 12 test and 3 validation images are also among the training images" in text


def test_the_table_marks_nothing_where_nothing_was_reduced(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report.main()
    table.main()
    text = capsys.readouterr().out
    assert "*" not in text
    assert "reduced" not in text
    assert "folds" not in text


def test_the_table_without_any_result(empty: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    empty.finish(experiments=["mnist"])
    report.main()
    table.main()
    text = capsys.readouterr().out
    assert text.count("not measured") == 8
    assert "  mnist\n" in text


def test_the_table_before_any_report_is_an_error_with_a_cure(empty: FinishedRun) -> None:
    empty.finish()
    with pytest.raises(DataError, match=r"(?s)reports/metrics\.json is missing.*dvc repro"):
        table.main()
