"""A disk that is full while a stage writes what it made, whichever stage it is: one clear error, nothing left half
written, and the same command then makes the same bytes.

Of trainings, with their checkpoints, tests/pipeline/runtime/test_disk_full.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import short_lessons
from ruamel.yaml import YAML
from small_disk import files_of_at_most

from gan.errors import ReproductionError
from pipeline.settings.plan import Plan
from pipeline.stages import (
    bandwidth,
    collect,
    configure,
    download,
    evaluate,
    figures,
    lesson,
    prepare,
    report,
    sample,
    sample_size,
    train,
)

LESSON = "convergence"
STAGES: dict[str, tuple[Callable[[], object], list[str]]] = {
    "configure": (configure.main, ["artifacts/configuration"]),
    "download": (lambda: download.main("digits"), ["data/raw/digits"]),
    "prepare": (lambda: prepare.main("digits"), ["data/prepared/digits.safetensors"]),
    "train": (lambda: train.main("digits"), ["artifacts/digits/models", "artifacts/digits/training.json",
                                             "artifacts/digits/curves.csv"]),
    "sample": (lambda: sample.main("digits"), ["artifacts/digits/samples"]),
    "bandwidth": (lambda: bandwidth.main("digits"), ["artifacts/digits/bandwidth.json"]),
    "evaluate": (lambda: evaluate.main("digits"), ["artifacts/digits/evaluation.json"]),
    "sample_size": (lambda: sample_size.main("digits"), ["artifacts/digits/sample_sizes.json"]),
    "figures": (lambda: figures.main("digits"), ["reports/figures/digits"]),
    "lesson": (lambda: lesson.main(LESSON), [f"artifacts/lessons/{LESSON}", f"reports/figures/lessons/{LESSON}"]),
    "collect": (collect.main, ["reports/plots", "reports/summary"]),
    "report": (report.main, ["reports/index.html", "reports/metrics.json"]),
}
"""In the order of the graph, each with its outputs"""


@pytest.fixture
def finished(new_repository, small_file, made_once, tmp_path, monkeypatch) -> Path:
    """A copy of a repository in which every stage has run."""

    def make(root: Path) -> None:
        content = YAML(typ="safe").load(small_file.read_text())
        content["experiments"] = {"digits": content["experiments"]["digits"]}
        content["lessons"] |= {"profiles": {"smoke": {LESSON: short_lessons.SHORT[LESSON]}}}
        with (root / "params.yaml").open("w") as file:
            YAML(typ="safe").dump(content, file)
        monkeypatch.chdir(root)
        Plan(["digits"], {"digits": "digits"}, [LESSON]).write()
        for folder in ("data/raw", "reports/figures"):
            Path(folder).mkdir(parents=True)
        for main, _ in STAGES.values():
            main()

    new_repository()  # which sets the environment
    shutil.copytree(made_once("every stage has run", make), tmp_path / "finished")
    monkeypatch.chdir(tmp_path / "finished")
    return tmp_path / "finished"


def tree(root: Path) -> dict[str, bytes]:
    """All but checkpoints, which come and go."""
    files = {path.relative_to(root): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {str(name): path.read_bytes() for name, path in files.items() if name.parts[0] != "checkpoints"}


def remove(outputs: list[str]) -> None:
    """As DVC does before it runs a stage."""
    for path in map(Path, outputs):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.parametrize("room", ["none", "for all but the largest"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_has_no_room_says_so_and_the_same_command_makes_it_good(finished, capsys, stage, room):
    main, outputs = STAGES[stage]
    wanted = tree(finished)
    sizes = [len(content) for name, content in wanted.items() if name.startswith(tuple(outputs))]
    remove(outputs)
    with files_of_at_most(max(sizes) - 1 if room != "none" else 0), pytest.raises(ReproductionError) as raised:
        main()
    if (stage, room) == ("download", "for all but the largest"):  # NumPy stops short and says nothing; it is read back
        assert "digits.npy cannot be read" in raised.value.what
    else:
        assert raised.value.what.startswith("cannot write ")
        assert "free disk space" in raised.value.remedy
    assert not [path for path in finished.rglob("*") if path.name.endswith(".part")]
    remove(outputs)
    main()
    assert tree(finished) == wanted
