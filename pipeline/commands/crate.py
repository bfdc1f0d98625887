"""The results for an archive, as a Workflow Run RO-Crate (https://w3id.org/ro/wfrun/workflow/0.5): `make crate`.

A zip of the repository as the commit has it, with what the run made of it, and ro-crate-metadata.json, which says in
linked data what is what: dvc.yaml is the workflow, the run an action that took parameters, plan and data sets and made
page, numbers and figures. Data sets are named by the digest that dvc.lock has of them, and are not in it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import ReproductionError
from pipeline.artifacts.paths import (
    ARTIFACTS,
    FIGURES,
    LESSON_FIGURES,
    LESSON_RESULTS,
    LOCK,
    PARAMETERS,
    PLAN,
    RECORDED,
)
from pipeline.results.metrics import read_metrics
from pipeline.results.plan import Plan
from pipeline.results.published import dataset_name
from pipeline.runtime import files, git, run_log

if TYPE_CHECKING:
    from rocrate.model import ContextEntity
    from rocrate.rocrate import ROCrate

METADATA = "ro-crate-metadata.json"
WORKFLOW = Path("dvc.yaml")
PROFILES = {"https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
            "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
            "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0")}
CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
COMPUTATIONAL_WORKFLOW = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
FORMAL_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
LICENSE = "https://spdx.org/licenses/MIT"
FORMATS = {".html": "text/html", ".json": "application/json", ".csv": "text/csv", ".yaml": "application/yaml",
           ".md": "text/markdown", ".png": "image/png", ".lock": "text/plain", ".toml": "application/toml",
           ".cff": "application/yaml", ".py": "text/x-python"}
NAMES = {
    "dvc.yaml": "The graph, a stage for each step", "dvc.lock": "Digests of all that each stage read and wrote",
    "params.yaml": "Every number that shapes a result", "plan.yaml": "What was chosen to run on this machine",
    "searches.yaml": "Settings that were tried on validation images",
    "requirements.lock": "Pinned packages with hashes",
    "gan": "Data sets, models, estimates and lessons", "pipeline": "What runs them", "tests": "Tests",
    "README.md": "What this is and how to run it", "LICENSE": "Licence", "CITATION.cff": "How to cite it"}
WITHOUT_MODELS = ("*.json", "*.csv")


def main(models: bool = False, out: Path = Path("crate.zip")) -> None:
    """ReproductionError without results, on tracked files that are not committed, or if the crate does not fit."""
    try:
        from rocrate.rocrate import ROCrate
    except ImportError as error:
        raise ReproductionError("a crate needs the package rocrate", found=str(error),
                                remedy="`make setup`, or pip install rocrate") from error
    plan = Plan.read()
    metrics = read_metrics(plan.metrics)
    commit = git.clean_commit("what a crate holds")
    with tempfile.TemporaryDirectory(prefix="crate-") as folder:
        root = Path(folder) / "contents"
        export(commit, root)
        results = copy_results(plan, root, models)
        crate = ROCrate(version="1.1")
        write_about(crate, root, results, plan, metrics, commit)
        packed = Path(folder) / "crate.zip"
        crate.write_zip(packed)
        _name_folders(packed, crate)
        validate(packed)
        with files.writing(out) as temporary:
            shutil.copyfile(packed, temporary)
    print(f"{out} is a Workflow Run RO-Crate of {commit[:10]}: {len(metrics)} experiments, {len(plan.lessons)} "
          f"lessons, {out.stat().st_size / 1e6:.1f} MB{'' if models else '; --models adds the weights'}", flush=True)


# What is in it.

def export(commit: str, root: Path) -> None:
    """The tracked files of a commit; those that a plan and a run write as they are here."""
    root.mkdir()
    archive = root.with_suffix(".zip")
    git.git("archive", "--format=zip", f"--output={archive}", commit)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(root)
    for path in (PARAMETERS, PLAN, LOCK):
        if path.is_file():
            shutil.copyfile(path, root / path)


def copy_results(plan: Plan, root: Path, models: bool) -> list[Path]:
    """What the run made, files and folders."""
    found = [path for path in (plan.page, plan.metrics, plan.summary, plan.assessment) if path.exists()]
    for name in plan.experiments:
        found += [path for path in (ARTIFACTS / name, FIGURES / name) if path.is_dir()]
    for name in plan.lessons:
        found += [path for path in (LESSON_RESULTS / name, LESSON_FIGURES / name) if path.is_dir()]
    for path in found:
        if path.is_dir():
            shutil.copytree(path, root / path, ignore=None if models else _all_but_numbers, dirs_exist_ok=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / path)
    return found


def _all_but_numbers(folder: str, names: list[str]) -> set[str]:
    """Weights and samples, by far the largest."""
    return {name for name in names if name in ("models", "samples") and Path(folder).parent == ARTIFACTS}


# What is said of it.

def write_about(crate: ROCrate, root: Path, results: list[Path], plan: Plan, metrics: Mapping[str, Any], commit: str
                ) -> None:
    from rocrate.model.computerlanguage import ComputerLanguage
    from rocrate.model.contextentity import ContextEntity

    def entity(identifier: str, kind: str, /, **properties: Any) -> ContextEntity:
        return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))

    crate.name = "Generative Adversarial Nets (Goodfellow et al. 2014), reproduced: the results of one run"
    crate.description = (f"The pipeline at commit {commit}, profile {plan.profile}, with the report, the numbers and "
                         f"the figures of {len(metrics)} experiments and {len(plan.lessons)} lessons.")
    crate.license = entity(LICENSE, "CreativeWork", name="MIT License")
    authors = entity("#authors", "Organization", name="The authors of the reproduction")
    crate.root_dataset["author"] = authors
    crate.root_dataset["publisher"] = authors
    crate.root_dataset["version"] = commit
    paper = entity("https://arxiv.org/abs/1406.2661", "ScholarlyArticle", datePublished="2014",
                   name="Generative Adversarial Nets")
    crate.root_dataset["citation"] = paper
    crate.root_dataset["conformsTo"] = [entity(identifier, "CreativeWork", name=name, version=version)
                                        for identifier, (name, version) in PROFILES.items()]
    crate.metadata.extra_contexts.append(CONTEXT)
    language = crate.add(ComputerLanguage(crate, "https://dvc.org", properties={
        "name": "DVC", "url": {"@id": "https://dvc.org"},
        "identifier": {"@id": "https://dvc.org/doc/user-guide/project-structure/dvcyaml-files"}}))
    workflow = crate.add_workflow(root / WORKFLOW, WORKFLOW, main=True, lang=language, properties={
        "name": NAMES[WORKFLOW.name], "encodingFormat": FORMATS[".yaml"], "version": commit,
        "license": {"@id": LICENSE}, "creator": {"@id": authors.id}, "dateModified": _date(commit),
        "conformsTo": entity(COMPUTATIONAL_WORKFLOW, "CreativeWork", name="ComputationalWorkflow", version="1.0")})
    described = {path: _add(crate, root, path) for path in [*_of_the_repository(root), *results]
                 if path != WORKFLOW}
    inputs = {"parameters": described[PARAMETERS], "plan": described[PLAN]}
    outputs = {name: described[path] for name, path in (
        ("page", plan.page), ("numbers", plan.metrics)) if path in described}
    for name, made in (*inputs.items(), *outputs.items()):
        parameter = entity(f"#parameter-{name}", "FormalParameter", name=name, additionalType="File",
                           workExample={"@id": made.id}, conformsTo=entity(FORMAL_PARAMETER, "CreativeWork",
                                                                           name="FormalParameter", version="1.0"))
        made["exampleOfWork"] = parameter
        workflow.append_to("input" if name in inputs else "output", parameter)
    data = [entity(f"#data-{name}", "CreativeWork", name=dataset_name(name), **identified)
            for name, identified in _datasets(plan)]
    times = _times()
    action = entity("#run", "CreateAction", name=f"make reproduce PROFILE={plan.profile}",
                    instrument={"@id": workflow.id}, agent={"@id": authors.id},
                    object=[{"@id": one.id} for one in (*inputs.values(), *data)],
                    result=[{"@id": described[path].id} for path in results], **times,
                    actionStatus="http://schema.org/CompletedActionStatus", description=_machines(metrics))
    crate.root_dataset["mentions"] = action
    if Path("README.md") in described:
        described[Path("README.md")]["about"] = {"@id": "./"}


def _of_the_repository(root: Path) -> Iterator[Path]:
    """Its files and folders at the top, and of reports/, where results are, what was there before."""
    for path in sorted(root.iterdir()):
        if path.name not in ("reports", "artifacts") and not path.name.startswith("."):
            yield path.relative_to(root)
    yield from (path for path in (RECORDED, RECORDED.with_name("searches"), RECORDED.with_name("benchmarks"),
                                  RECORDED.with_name("cluster")) if (root / path).is_dir())


def _add(crate: ROCrate, root: Path, path: Path) -> Any:
    properties = {"name": NAMES.get(path.as_posix(), path.as_posix())}
    if (root / path).is_dir():
        return crate.add_directory(root / path, path, properties=properties)
    return crate.add_file(root / path, path, properties=properties | {
        "encodingFormat": FORMATS.get(path.suffix, "text/plain"), "contentSize": str((root / path).stat().st_size)})


def _name_folders(packed: Path, crate: ROCrate) -> None:
    """An entry of its own for each folder that is described: rocrate packs the files in it alone."""
    with zipfile.ZipFile(packed, "a") as file:
        there = set(file.namelist())
        for entity in crate.data_entities:
            if entity.id.endswith("/") and entity.id not in there:
                file.mkdir(entity.id)


def _datasets(plan: Plan) -> Iterator[tuple[str, dict[str, str]]]:
    stages = files.read_yaml(LOCK).get("stages") or {} if LOCK.is_file() else {}
    for name in plan.datasets:
        outs = (stages.get(f"download@{name}") or {}).get("outs") or []
        yield name, {"identifier": f"md5:{outs[0]['md5']}",
                     "description": f"the digest that dvc.lock has of {outs[0]['path']}"} if outs else {}


def _times() -> dict[str, str]:
    """Of the run's stages together, by the run log; nothing where it is not kept."""
    began, ended = [], []
    for content in run_log.read("stages").values():
        try:
            start = datetime.fromisoformat(content["started"])
            ended.append(start + timedelta(seconds=float(content["seconds"])))
            began.append(start)
        except (KeyError, TypeError, ValueError):
            continue
    return {"startTime": min(began).isoformat(), "endTime": max(ended).isoformat(timespec="seconds")} if began else {}


def _machines(metrics: Mapping[str, Any]) -> str:
    return "; and ".join(dict.fromkeys(str(entry["hardware"]) for entry in metrics.values()))


def _date(commit: str) -> str:
    return git.git("show", "--no-patch", "--format=%cI", commit)


# Whether it fits.

def validate(packed: Path) -> None:
    """ReproductionError unless everything that is named is there, and the root, the workflow and the run say what the
    profiles demand of them."""
    with zipfile.ZipFile(packed) as file:
        names = set(file.namelist())
        graph = {entity["@id"]: entity for entity in json.loads(file.read(METADATA))["@graph"]}
    wrong = [f"{one} is named and not there" for one in sorted(_named(graph) - graph.keys()) if "://" not in one]
    wrong += [f"{name} is not in the zip" for name, entity in graph.items()
              if {"File", "Dataset"} & set(_list(entity.get("@type"))) and "://" not in name and name != "./"
              and name not in names]
    root, workflow = graph["./"], graph.get(WORKFLOW.as_posix(), {})
    runs = [graph.get(one, {}) for one in _ids(root.get("mentions"))]
    for what, entity, keys in (("the root", root, ("name", "description", "datePublished", "license", "mentions")),
                               ("the workflow", workflow, ("programmingLanguage", "input", "output")),
                               *(("the run", run, ("instrument", "object", "result", "agent")) for run in runs)):
        wrong += [f"{what} has no {key}" for key in keys if not entity.get(key)]
    wrong += [f"the root does not conform to {one}" for one in PROFILES if one not in _ids(root.get("conformsTo"))]
    if _ids(root.get("mainEntity")) != [WORKFLOW.as_posix()] or "ComputationalWorkflow" not in workflow["@type"]:
        wrong.append(f"{WORKFLOW} is not the main entity and a workflow")
    wrong += ["the run is of something else than the workflow" for run in runs
              if _ids(run.get("instrument")) != [WORKFLOW.as_posix()]]
    if wrong:
        raise ReproductionError("the crate does not fit the profile Workflow Run Crate", found="; ".join(wrong[:6]),
                                remedy="this is a defect of pipeline/commands/crate.py, or of the rocrate installed")


def _named(graph: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Everything that some entity refers to."""
    return {one for entity in graph.values() for key, value in entity.items() if key != "@id" for one in _ids(value)}


def _ids(value: Any) -> list[str]:
    return [one["@id"] for one in _list(value) if isinstance(one, dict) and "@id" in one]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
