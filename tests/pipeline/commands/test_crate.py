"""pipeline.commands.crate: what is packed, and what its metadata say of it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan.errors import DataError, ReproductionError
from pipeline.commands import crate as crates
from pipeline.results.metrics import gather, read_metrics
from pipeline.runtime import files, run_log
from pipeline.runtime.git import git

pytest.importorskip("rocrate")

ROOT = Path(__file__).parents[3]
RUN_LOG = {"seconds": 60.0, "started": "2026-11-25T10:00:00+00:00", "host": "0", "commit": "", "clean": True}


@pytest.fixture
def here(empty, tmp_path, own_git):
    """A repository with a finished experiment, its numbers and a page; the commit."""
    empty.add("mnist")
    empty.finish()
    files.write_json(Path("reports/metrics.json"), gather(["mnist"]))
    files.write_text(Path("reports/index.html"), "<p>a page</p>")
    files.write_bytes(Path("reports/figures/mnist/training.png"), b"a picture")
    place = tmp_path
    for name in ("README.md", "LICENSE", "CITATION.cff", "requirements.lock", "searches.yaml"):
        shutil.copy(ROOT / name, place)
    for name in ("gan/a.py", "pipeline/b.py", "reports/searches/c.csv", ".dvc/config"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("1\n")
    Path(".gitignore").write_text("/artifacts/\n/data/\n/reports/figures/\n/crate.zip\n/.run_log/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    run_log.record("stages", "train@mnist", RUN_LOG)
    run_log.record("stages", "figures@mnist", RUN_LOG | {"started": "2026-11-25T11:00:00+00:00"})
    return git("rev-parse", "HEAD")


@pytest.fixture
def packed(here) -> Callable[..., tuple[set[str], dict[str, dict[str, Any]]]]:
    """Packs: the names of the files, and the entities of the metadata by their @id."""
    def pack(**options: Any) -> tuple[set[str], dict[str, dict[str, Any]]]:
        crates.main(**options)
        with zipfile.ZipFile("crate.zip") as file:
            graph = json.loads(file.read("ro-crate-metadata.json"))["@graph"]
            return set(file.namelist()), {entity["@id"]: entity for entity in graph}
    return pack


def ids(value: Any) -> list[str]:
    return [one["@id"] for one in (value if isinstance(value, list) else [value])]


def test_the_graph_is_the_workflow_and_the_run_says_what_it_took_and_made(packed, here):
    _, graph = packed()
    root = graph["./"]
    assert set(crates.PROFILES) <= set(ids(root["conformsTo"]))
    (main,) = ids(root["mainEntity"])
    assert main == "dvc.yaml"
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= set(graph[main]["@type"])
    assert graph[ids(graph[main]["programmingLanguage"])[0]]["name"] == "DVC"
    (run,) = ids(root["mentions"])
    action = graph[run]
    assert action["@type"] == "CreateAction"
    assert ids(action["instrument"]) == [main]
    assert {"params.yaml", "plan.yaml", "#data-mnist"} <= set(ids(action["object"]))
    assert {"reports/index.html", "reports/metrics.json", "reports/figures/mnist/", "artifacts/mnist/"} <= set(
        ids(action["result"]))
    assert (action["startTime"], action["endTime"]) == ("2026-11-25T10:00:00+00:00", "2026-11-25T11:01:00+00:00")
    assert root["version"] == here
    assert root["license"]
    assert root["datePublished"]


def test_everything_that_is_named_is_there(packed):
    names, graph = packed()
    for part in ids(graph["./"]["hasPart"]):
        assert part in names
    references = [one for entity in graph.values() for value in entity.values()
                  for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    assert {one["@id"] for one in references if not one["@id"].startswith("http")} <= set(graph)


def test_parameters_of_the_workflow_are_tied_to_files(packed):
    _, graph = packed()
    for key, paths in (("input", {"params.yaml", "plan.yaml"}),
                       ("output", {"reports/index.html", "reports/metrics.json"})):
        parameters = [graph[one] for one in ids(graph["dvc.yaml"][key])]
        assert {one for parameter in parameters for one in ids(parameter["workExample"])} == paths
        for parameter in parameters:
            assert parameter["@type"] == "FormalParameter"
            assert ids(graph[ids(parameter["workExample"])[0]]["exampleOfWork"]) == [parameter["@id"]]


def test_code_as_committed_results_as_they_are_and_weights_if_asked_for(packed):
    Path("gan/unknown to git.py").write_text("1\n")
    names, _ = packed()
    assert {"gan/a.py", "pipeline/b.py", "README.md", "reports/searches/c.csv", "artifacts/mnist/evaluation.json",
            "reports/figures/mnist/training.png", "dvc.lock", "ro-crate-metadata.json"} <= names
    assert "gan/unknown to git.py" not in names
    large = {name for name in names if "/models/" in name or "/samples/" in name}
    assert large == set()
    names, _ = packed(models=True)
    assert "artifacts/mnist/samples/seed-1.safetensors" in names


def test_data_sets_are_named_by_the_digest_of_the_lock(packed):
    Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  download@mnist:\n    cmd: c\n    outs:\n"
                                "    - {path: data/raw/mnist, md5: 0123.dir}\n")
    names, graph = packed()
    assert graph["#data-mnist"]["identifier"] == "md5:0123.dir"
    assert not any(name.startswith("data/") for name in names)


def test_code_that_is_not_committed_is_refused(here):
    Path("gan/a.py").write_text("2\n")
    with pytest.raises(ReproductionError, match=r"what a crate holds is a commit[\s\S]*gan/a\.py"):
        crates.main()
    assert not Path("crate.zip").exists()


def test_without_results_there_is_no_crate(here):
    Path("reports/metrics.json").unlink()
    with pytest.raises(DataError, match=r"reports/metrics\.json is missing"):
        crates.main()


def test_one_that_does_not_fit_is_not_kept(here, monkeypatch):
    monkeypatch.setattr(crates, "_name_folders", lambda packed, crate: None)
    with pytest.raises(ReproductionError, match=r"does not fit[\s\S]*artifacts/mnist/ is not in the zip"):
        crates.main()
    assert not Path("crate.zip").exists()
    assert read_metrics()  # results are as they were
