"""params.yaml, read and checked: an unknown key or a value out of range is named before any work is done.

How its blocks take over from each other is in `inheritance`; what they hold, in `schema` and in the settings of `gan`.
`parzen`, `monitor` and `assess` may also hold `datasets: {name: overrides}`: what a data set's images change there;
an experiment may override the block `figures`.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.tokens import AliasToken, AnchorToken

from gan.datasets.registry import DatasetSettings
from gan.errors import ParameterError
from gan.evaluation.assessment_settings import AssessmentSettings
from gan.evaluation.settings import Monitor
from gan.lessons.catalogue import LESSONS
from gan.lessons.settings import LessonSettings
from gan.registry import does_more, needs_labels
from pipeline.runtime import files
from pipeline.runtime.names import require_known
from pipeline.settings.inheritance import PROFILES, Tree, merged, plain, resolve
from pipeline.settings.plan import Plan
from pipeline.settings.schema import Experiment, Figures, Parzen
from pipeline.settings.validation import read_block, require_keys, require_mapping, require_names

FILE = Path("params.yaml")
KEYS = ("profile", "datasets", "parzen", "monitor", "assess", "figures", "experiments", "lessons")
MNIST, CIFAR10, IMAGENET = "mnist", "cifar10", "imagenet"
"""The data sets that lessons on images are about"""
AnyDataset = Annotated[DatasetSettings, Field(discriminator="loader")]


@dataclass(frozen=True)
class Parameters:
    """A checked params.yaml, with what the plan chose of it. `raw` is the file's content."""

    raw: dict[str, Any]
    profile: str
    datasets: dict[str, DatasetSettings]
    plan: Plan

    def tree(self, experiment: str, profile: str) -> dict[str, Tree]:
        """An experiment as a profile has it, each value with its place in params.yaml. ParameterError if there is none
        of that name, or a rule of inheritance is broken."""
        require_known(experiment, self.raw["experiments"], "experiment", f"{FILE}: experiments")
        entry = resolve(self.raw, f"experiments.{experiment}", profile, PROFILES, str(FILE))
        if not isinstance(entry, dict):
            raise ParameterError(f"{FILE}: experiments.{experiment} is not right", expected="a mapping",
                                 found=repr(plain(entry)), remedy=f"correct it, or see `git diff {FILE}`")
        return entry

    def entry(self, experiment: str, profile: str) -> dict[str, Any]:
        """The plain values of `tree`, checked; with what `Experiment` has by default."""
        entry: dict[str, Any] = plain(self.tree(experiment, profile))
        checked = read_block(Experiment, f"experiments.{experiment}", entry, profile)
        return entry | {"profile": checked.profile, "runs_in": checked.runs_in, "note": checked.note}

    def profile_of(self, experiment: str) -> str:
        """Its own, where it has one."""
        return str(self.entry(experiment, "paper")["profile"] or self.profile)

    def experiment(self, name: str) -> Experiment:
        """An experiment as its profile has it."""
        profile = self.profile_of(name)
        return read_block(Experiment, f"experiments.{name}", self.entry(name, profile), profile)

    def dataset_of(self, experiment: str) -> str:
        return str(self.entry(experiment, "paper")["dataset"])

    def parzen(self, profile: str, dataset: str) -> Parzen:
        return read_block(Parzen, "parzen", self.for_dataset("parzen", profile, dataset), profile)

    def monitor(self, profile: str, dataset: str) -> Monitor:
        return read_block(Monitor, "monitor", self.for_dataset("monitor", profile, dataset), profile)

    def assess(self, profile: str, dataset: str) -> AssessmentSettings:
        return read_block(AssessmentSettings, "assess", self.for_dataset("assess", profile, dataset), profile)

    def for_dataset(self, name: str, profile: str, dataset: str) -> dict[str, Any]:
        """The block `parzen`, `monitor` or `assess` as `profile` has it for a data set's images."""
        block: dict[str, Any] = plain(self.shared(name, profile, dataset))
        return block

    def shared(self, name: str, profile: str, dataset: str) -> dict[str, Tree]:
        """As `for_dataset`, each value with its place in params.yaml."""
        block = resolve(self.raw, name, profile, PROFILES, str(FILE))
        overrides = block.pop("datasets", {}) if isinstance(block, dict) else {}
        require_mapping(plain(block), name)
        require_mapping(plain(overrides) or {}, f"{name}.datasets")
        if not isinstance(overrides, dict):
            overrides = {}
        for known in overrides:
            require_known(known, self.datasets, "data set", f"{FILE}: {name}.datasets")
        own = overrides.get(dataset)
        laid_over: dict[str, Tree] = merged(block, own if own and plain(own) else {}, f"{FILE}: {name}")
        return laid_over

    def figures(self, experiment: str, profile: str) -> dict[str, Any]:
        """The block `figures`, with what an experiment overrides of it."""
        block = plain(self.figures_tree(experiment, profile))
        return dataclasses.asdict(read_block(Figures, f"experiments.{experiment}.figures", block, profile))

    def figures_tree(self, experiment: str, profile: str) -> Tree:
        """As `figures`, each value with its place in params.yaml."""
        block = resolve(self.raw, "figures", profile, PROFILES, str(FILE))
        own = self.tree(experiment, profile).get("figures")
        laid_over: Tree = merged(block, own, f"{FILE}: figures") if own and plain(own) else block
        return laid_over

    def configuration(self, experiment: str) -> dict[str, dict[str, Any]]:
        """What each stage of `experiment` reads, by stage: plain values, everything resolved."""
        profile = self.profile_of(experiment)
        entry, as_in_paper = self.entry(experiment, profile), self.entry(experiment, "paper")
        dataset, figures = entry["dataset"], self.figures(experiment, profile)
        parzen, monitor = (self.for_dataset(name, profile, dataset) for name in ("parzen", "monitor"))
        shared = {"experiment": experiment, "dataset": dataset}
        grids = {name: parzen[name] for name in ("validation_images", "paper_grid", "refined_grid")}
        lines = {"interpolations": figures["interpolations"], "steps": figures["steps"]}
        model = read_block(Experiment, f"experiments.{experiment}", entry, profile).train.model
        loader = {"loader": self.raw["datasets"][dataset]}  # of those stages that read labels
        return {
            "train": {**shared, "profile": profile, **entry["train"], "monitor": monitor,
                      **(loader if needs_labels(model) else {})},
            "sample": {**shared, "samples": parzen["samples"], **lines},
            "bandwidth": {**shared, **grids},
            "evaluate": {**shared, "profile": profile, "title": entry["title"], "note": entry["note"],
                         "differences": differences(as_in_paper["train"], entry["train"], "train")},
            "sample_size": {**shared, "profile": profile, **parzen["sample_sizes"],
                            "refined_grid": parzen["refined_grid"]},
            "figures": {**shared, "profile": profile, "title": entry["title"], **figures},
            "assess": {**shared, "profile": profile, **(loader if does_more(model) else {}), "assess": {
                # Rows are compared with each other: features and measures are those of the data set, whatever profile
                # an experiment has of its own.
                **self.for_dataset("assess", self.profile, dataset),
                "likelihood": self.for_dataset("assess", profile, dataset)["likelihood"]}},
        }

    def dataset_configuration(self, name: str) -> dict[str, dict[str, Any]]:
        """What each stage of a data set reads, by stage."""
        shared = {"name": name, "settings": self.raw["datasets"][name]}
        assess = {"profile": self.profile, "assess": self.for_dataset("assess", self.profile, name)}
        parzen = self.for_dataset("parzen", self.profile, name)
        return {"download": shared, "prepare": shared, "features": shared | assess, "references": {
            "name": name, **assess, **{key: parzen[key] for key in ("samples", "validation_images", "refined_grid")}}}

    def lesson_configuration(self, name: str) -> dict[str, Any]:
        """What the stage of a lesson reads."""
        return {"lesson": name, "profile": self.profile,
                "title": LESSONS[name].title,
                "settings": dict(vars(lesson_settings(self.raw, name, self.profile)))}


def with_settings(model: Any, settings: Mapping[str, Any]) -> Any:
    """A copy of a model's block with the values under dotted names replaced, "layers.0.epochs"; KeyError names one that
    the block does not have."""
    changed = copy.deepcopy(model)
    for name, value in settings.items():
        *parents, last = (int(part) if part.isdecimal() else part for part in name.split("."))
        block = changed
        try:
            for parent in parents:
                block = block[parent]
            block[last]  # it must be there
        except (KeyError, IndexError, TypeError) as error:
            raise KeyError(name) from error
        block[last] = value
    return changed


_ABSENT = object()


def differences(paper: Any, here: Any, where: str = "") -> list[dict[str, Any]]:
    """Every value in which two blocks differ: `setting` (its dotted name), `paper`, `here`; null where one has none.

    A list of plain values is one value; a list of blocks is compared block by block, and a block that one side lacks
    with an empty one.
    """
    if _ABSENT in (paper, here) and isinstance(paper, dict) != isinstance(here, dict):
        paper, here = ({} if side is _ABSENT else side for side in (paper, here))
    if isinstance(paper, dict) and isinstance(here, dict):
        return [each for key in dict.fromkeys([*paper, *here])
                for each in differences(paper.get(key, _ABSENT), here.get(key, _ABSENT), f"{where}.{key}")]
    if isinstance(paper, list) and isinstance(here, list) and any(isinstance(each, dict) for each in [*paper, *here]):
        return [each for i, (one, other) in enumerate(itertools.zip_longest(paper, here, fillvalue=_ABSENT))
                for each in differences(one, other, f"{where}[{i}]")]
    if paper == here:
        return []
    return [{"setting": where, "paper": None if paper is _ABSENT else paper, "here": None if here is _ABSENT else here}]


def load(path: Path = FILE, *, plan: bool = True) -> Parameters:
    """Read and check all of params.yaml, every experiment under every profile, and the plan. Raises ParameterError.

    Without `plan` plan.yaml is not read, as the plan, which writes it, needs.
    """
    parameters = check(read_yaml(path))
    if not plan:
        return parameters
    chosen = Plan.read()
    chosen.require_fits(
        parameters.datasets, {name: parameters.dataset_of(name) for name in parameters.raw["experiments"]},
        {name: lesson.data for name, lesson in LESSONS.items()})
    return replace(parameters, plan=chosen)


def read_yaml(path: Path) -> Any:
    """A YAML file's content; ParameterError if it is missing, no YAML, or has anchors and aliases."""
    try:
        return _parsed(path.read_text(), path.name)
    except FileNotFoundError as error:
        raise ParameterError(f"{path} is missing", remedy="run this at the top of the repository, or "
                                                          f"`git checkout {path}`") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} is not YAML", found=str(error), remedy="correct the line it names") from error


@functools.cache
def _parsed(text: str, file: str) -> Any:
    if "&" in text or "*" in text:
        for token in YAML(typ="safe", pure=True).scan(text):
            if isinstance(token, AnchorToken | AliasToken):
                raise ParameterError(
                    f"{file} has an anchor or alias in line {token.start_mark.line + 1}",
                    expected="no `&name`, no `*name`: on a shared block `dvc exp run -S` changes nothing or too much",
                    found=text.splitlines()[token.start_mark.line].strip(),
                    remedy="write `like: dotted.path.of.the.block` in place of the alias")
    return YAML(typ="safe").load(text)


def check(raw: Any) -> Parameters:
    """The checked parameters of a params.yaml's content, without a plan. Raises ParameterError."""
    if not isinstance(raw, dict):
        raise ParameterError(f"{FILE} is empty or not a mapping", remedy=f"`git checkout {FILE}`")
    require_keys(raw, KEYS, str(FILE))
    require_known(raw["profile"], PROFILES, "profile", f"{FILE}: profile")
    for name in KEYS[1:]:
        require_mapping(raw[name], name)
    for block in ("datasets", "experiments", "lessons"):
        _require_names_are_text(raw[block], block)
    for name, entry in raw["experiments"].items():
        require_mapping(entry, f"experiments.{name}")
    for profile in PROFILES:
        read_block(Figures, "figures", plain(resolve(raw, "figures", profile, PROFILES, str(FILE))), profile)
    datasets = {name: _dataset(name, entry) for name, entry in raw["datasets"].items()}
    parameters = Parameters(raw, raw["profile"], datasets, Plan())
    for name in raw["experiments"]:
        _check_experiment(parameters, name)
    for profile, dataset in itertools.product(PROFILES, parameters.datasets):
        parameters.parzen(profile, dataset)
        parameters.monitor(profile, dataset)
        parameters.assess(profile, dataset)
    for profile, name in itertools.product(PROFILES, LESSONS):
        lesson_settings(raw, name, profile)
    return parameters


def lesson_settings(raw: Mapping[str, Any], name: str, profile: str) -> LessonSettings:
    """The settings of a lesson as `profile` has them, from the content of params.yaml. Raises ParameterError."""
    require_known(profile, PROFILES, "profile", f"{FILE}: profile")
    require_mapping(raw["lessons"], "lessons")
    entries = plain(resolve(raw, "lessons", profile, PROFILES, str(FILE)))
    require_names(entries, LESSONS, "lessons")
    require_mapping(entries[name], f"lessons.{name}")
    # The defaults in the code are for the code: here every number must stand.
    kind: Any = LESSONS[name].settings
    require_names(entries[name], [field.name for field in dataclasses.fields(kind)], f"lessons.{name}")
    settings: LessonSettings = read_block(kind, f"lessons.{name}", entries[name], profile)
    return settings


def _require_names_are_text(block: Mapping[Any, Any], where: str) -> None:
    """YAML reads 2014 as a number, true as a truth value, and 2014-06-10 as a date."""
    for name in block:
        if not isinstance(name, str):
            raise ParameterError(f"{FILE}: {where}.{name} has a name that is no text to YAML", expected="a word",
                                 found=f"{name!r}, of type {type(name).__name__}",
                                 remedy=f"put it in quotes: '{name}'")


def _dataset(name: str, entry: Any) -> DatasetSettings:
    if not re.fullmatch(r"\w[\w-]*", str(name)):
        raise ParameterError(f"{FILE}: datasets.{name} has a name that cannot be a file's",
                             expected="letters, digits, _ and -", remedy="rename it")
    require_mapping(entry, f"datasets.{name}")
    return read_block(AnyDataset, f"datasets.{name}", entry)  # type: ignore[arg-type]


def _check_experiment(parameters: Parameters, name: str) -> None:
    where = f"experiments.{name}"
    dataset = parameters.dataset_of(name)
    for profile in PROFILES:
        entry = parameters.entry(name, profile)
        for named in [*entry["runs_in"], *([] if entry["profile"] is None else [entry["profile"]])]:
            require_known(named, PROFILES, "profile", f"{FILE}: {where}")
        require_known(entry["dataset"], parameters.datasets, "data set", f"{FILE}: {where}.dataset")
        if entry["dataset"] != dataset:
            raise ParameterError(f"{FILE}: {where}.dataset cannot differ between profiles", expected=dataset,
                                 found=f"{entry['dataset']} in profile {profile}",
                                 remedy="make it an experiment of its own")
        parameters.figures(name, profile)


def write_profile(profile: str, path: Path = FILE) -> bool:
    """Write `profile` into params.yaml, every other byte left as it is; whether that changed it. ParameterError if the
    file has no line for it."""
    old = path.read_bytes().decode()  # with its own ends of lines
    new = re.sub(r"^(profile:[ \t]*)[^\s#]+", rf"\g<1>{profile}", old, count=1, flags=re.MULTILINE)
    if _parsed(new, path.name).get("profile") != profile:
        raise ParameterError(f"{path} is laid out so that the profile cannot be written into it",
                             expected="a line `profile: …` at the margin",
                             remedy=f"`git checkout {path}`, or write the line as `git show HEAD:{path}` has it")
    if new == old:
        return False
    files.write_text(path, new)
    return True
