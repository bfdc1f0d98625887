"""params.yaml, read and checked: an unknown key or a value out of range is named before any work is done.

Any block may hold `profiles: {name: overrides}`: what a profile changes in it. `paper` changes nothing. The blocks
themselves are the dataclasses of `gan` and of this module; pydantic fills them from YAML and refuses what they lack.
`parzen` and `monitor` may also hold `datasets: {name: overrides}`: what the scale of a data set's images changes there.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import functools
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from gan.datasets.registry import LOADERS, DatasetSettings
from gan.errors import ParameterError
from gan.evaluation.settings import Grid, Monitor
from gan.lessons.catalogue import LESSONS
from gan.lessons.settings import LessonSettings
from gan.registry import SETTINGS, Settings
from gan.settings import ParameterBlock, require
from pipeline.runtime import files

FILE = Path("params.yaml")
PROFILES = ("paper", "cpu", "smoke")
T = TypeVar("T")
AnyDataset = Annotated[DatasetSettings, Field(discriminator="loader")]
MNIST = "mnist"
"""The data set that lessons on images are about"""
TAGS = {"kind": tuple(SETTINGS), "loader": tuple(LOADERS)}
"""By the key that says which dataclass a block is: what it may be"""


@dataclass(frozen=True)
class SampleSizes(ParameterBlock):
    """How the estimate is measured against the number of samples."""

    sizes: list[int]
    """numbers of samples; those beyond what a model can give are left out"""
    validation_images: int
    test_images: int
    """the first so many (of each fold), or all where there are fewer"""

    def __post_init__(self) -> None:
        require(bool(self.sizes) and self.sizes[0] >= 1 and self.sizes == sorted(set(self.sizes)),
                f"sizes must be at least 1 and ascend: {self.sizes}")
        for name in ("validation_images", "test_images"):
            require(getattr(self, name) >= 1, f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True)
class Parzen(ParameterBlock):
    """The estimate that scores every model."""

    samples: int
    validation_images: int
    """the first so many (of each fold), or all where there are fewer"""
    paper_grid: Grid
    refined_grid: Grid
    sample_sizes: SampleSizes

    def __post_init__(self) -> None:
        require(self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(self.validation_images >= 1, f"validation_images must be at least 1, not {self.validation_images}")


@dataclass(frozen=True)
class Train(ParameterBlock):
    seeds: list[int]
    model: Annotated[Settings, Field(discriminator="kind")]

    def __post_init__(self) -> None:
        require(bool(self.seeds), "seeds must name at least one seed")
        require(len(set(self.seeds)) == len(self.seeds), f"seeds must differ from each other: {self.seeds}")
        require(all(seed >= 0 for seed in self.seeds), f"seeds must not be negative: {self.seeds}")


@dataclass(frozen=True)
class Search(ParameterBlock):
    """Settings to be tried on validation images, by their dotted names in an experiment's `train.model`."""

    note: str
    seed: int
    samples: int
    select_by: str
    """the variant whose validation log-likelihood decides"""
    settings: dict[str, Any]
    """what all of them have in place of the experiment's own values"""
    over: dict[str, list[Any]]
    """the values of each setting; all combinations are tried"""

    def __post_init__(self) -> None:
        require(self.seed >= 0, f"seed must not be negative: {self.seed}")
        require(self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(bool(self.over) and all(self.over.values()), "over must name settings with at least one value each")

    def points(self) -> Iterator[dict[str, Any]]:
        """Every combination, the last setting's values changing fastest."""
        for values in itertools.product(*self.over.values()):
            yield dict(zip(self.over, values, strict=True))


@dataclass(frozen=True)
class Figures(ParameterBlock):
    """The grid of figure 2 (`rows` × (`columns` samples and a neighbour)) and the lines of figure 3."""

    rows: int
    columns: int
    interpolations: int
    steps: int

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "interpolations"):
            require(1 <= getattr(self, name) <= 100, f"{name} must be from 1 to 100, not {getattr(self, name)}")
        require(2 <= self.steps <= 100, f"steps must be from 2 to 100, not {self.steps}")


@dataclass(frozen=True)
class Experiment(ParameterBlock):
    """An entry of `experiments` as one profile has it."""

    title: str
    dataset: str
    profile: str | None
    runs_in: list[str]
    train: Train
    figures: Figures
    note: str = ""
    """said wherever its results appear"""
    search: Search | None = None
    """of settings that a paper leaves open (pipeline.commands.search)"""


@dataclass(frozen=True)
class Run(ParameterBlock):
    """What `make plan` chose: data sets, experiments and lessons of the graph, and why others are not in it."""

    datasets: list[str]
    experiments: dict[str, str]
    """each with its data set, which is how dvc.yaml knows it"""
    left_out: dict[str, str]
    lessons: list[str]
    """those that need no data"""
    lessons_on_mnist: list[str]

    @property
    def lesson_stages(self) -> dict[str, str]:
        """Each lesson's stage in dvc.yaml."""
        return {name: f"lesson@{name}" for name in self.lessons} | {
            name: f"lesson_on_mnist@{name}" for name in self.lessons_on_mnist}


@dataclass(frozen=True)
class Parameters:
    """A checked params.yaml. `raw` is the file's content."""

    raw: dict[str, Any]
    profile: str
    run: Run
    datasets: dict[str, DatasetSettings]

    def profile_of(self, experiment: str) -> str:
        return self.raw["experiments"][experiment]["profile"] or self.profile

    def experiment(self, name: str) -> Experiment:
        """An experiment as its profile has it; ParameterError if there is none of that name."""
        require_known(name, self.raw["experiments"], "experiment", f"{FILE}: experiments")
        return _block(Experiment, f"experiments.{name}", resolved(
            self.raw["experiments"][name], self.profile_of(name), f"experiments.{name}."))

    def search(self, experiment: str) -> Search:
        """The search of an experiment's settings; ParameterError if there is none."""
        require_known(experiment, self.raw["experiments"], "experiment", f"{FILE}: experiments")
        found = _block(Experiment, f"experiments.{experiment}", resolved(self.raw["experiments"][experiment], "paper"))
        if found.search is None:
            with_one = [name for name, entry in self.raw["experiments"].items() if "search" in entry]
            raise ParameterError(f"{FILE}: experiments.{experiment} has no search",
                                 expected=f"one of {', '.join(with_one)}" if with_one else "a block `search`",
                                 remedy="name one of these, or write a search into the experiment")
        return found.search

    def searched(self, experiment: str) -> dict[str, Any]:
        """`dataset`, `train` and `parzen` as the profile `paper` has them, from which a search begins."""
        entry = resolved(self.raw["experiments"][experiment], "paper")
        return {"dataset": entry["dataset"], "train": entry["train"],
                "parzen": self._for_dataset("parzen", "paper", entry["dataset"])}

    def parzen(self, profile: str, dataset: str) -> Parzen:
        return _block(Parzen, "parzen", self._for_dataset("parzen", profile, dataset), profile)

    def monitor(self, profile: str, dataset: str) -> Monitor:
        return _block(Monitor, "monitor", self._for_dataset("monitor", profile, dataset), profile)

    def _for_dataset(self, name: str, profile: str, dataset: str) -> dict[str, Any]:
        """A block as `profile` has it for a data set's images."""
        block = dict(resolved(self.raw[name], profile, f"{name}."))
        overrides = block.pop("datasets", None) or {}
        _require_mapping(overrides, f"{name}.datasets")
        for known in overrides:
            require_known(known, self.datasets, "data set", f"{FILE}: {name}.datasets")
        merged: dict[str, Any] = _merged(block, overrides.get(dataset) or {})
        return merged

    def configuration(self, experiment: str) -> dict[str, dict[str, Any]]:
        """What each stage of `experiment` reads, by stage: plain values, everything resolved."""
        profile = self.profile_of(experiment)
        entry = resolved(self.raw["experiments"][experiment], profile)
        as_in_paper = resolved(self.raw["experiments"][experiment], "paper")
        dataset = entry["dataset"]
        parzen, monitor = (self._for_dataset(name, profile, dataset) for name in ("parzen", "monitor"))
        shared = {"experiment": experiment, "dataset": dataset}
        grids = {name: parzen[name] for name in ("validation_images", "paper_grid", "refined_grid")}
        lines = {"interpolations": entry["figures"]["interpolations"], "steps": entry["figures"]["steps"]}
        return {
            "train": {**shared, "profile": profile, **entry["train"], "monitor": monitor},
            "sample": {**shared, "samples": parzen["samples"], **lines},
            "bandwidth": {**shared, **grids},
            "evaluate": {**shared, "profile": profile, "title": entry["title"], "note": entry.get("note", ""),
                         "differences": differences(as_in_paper["train"], entry["train"], "train")},
            "sample_size": {**shared, "profile": profile, **parzen["sample_sizes"],
                            "refined_grid": parzen["refined_grid"]},
            "figures": {**shared, "profile": profile, "title": entry["title"], **entry["figures"]},
        }


def with_settings(model: Any, settings: Mapping[str, Any]) -> Any:
    """A copy of a model's block with the values under dotted names replaced, "layers.0.epochs"; KeyError names one that
    the block does not have."""
    found = copy.deepcopy(model)
    for name, value in settings.items():
        *parents, last = (int(part) if part.isdecimal() else part for part in name.split("."))
        block = found
        try:
            for parent in parents:
                block = block[parent]
            block[last]  # it must be there
        except (KeyError, IndexError, TypeError) as error:
            raise KeyError(name) from error
        block[last] = value
    return found


_ABSENT = object()


def differences(paper: Any, here: Any, where: str = "") -> list[dict[str, Any]]:
    """Every value in which two blocks differ: `setting` (its dotted name), `paper`, `here`; null where one has none.

    A list of plain values is one value; a list of blocks is compared block by block, and a block that one side lacks
    with an empty one.
    """
    if _ABSENT in (paper, here) and isinstance(paper, dict) != isinstance(here, dict):
        paper, here = ({} if side is _ABSENT else side for side in (paper, here))
    if isinstance(paper, dict) and isinstance(here, dict):
        return [found for key in dict.fromkeys([*paper, *here])
                for found in differences(paper.get(key, _ABSENT), here.get(key, _ABSENT), f"{where}.{key}")]
    if isinstance(paper, list) and isinstance(here, list) and any(isinstance(one, dict) for one in [*paper, *here]):
        return [found for i, (one, other) in enumerate(itertools.zip_longest(paper, here, fillvalue=_ABSENT))
                for found in differences(one, other, f"{where}[{i}]")]
    if paper == here:
        return []
    return [{"setting": where, "paper": None if paper is _ABSENT else paper, "here": None if here is _ABSENT else here}]


def load(path: Path = FILE, *, run: bool = True) -> Parameters:
    """Read and check all of params.yaml, every experiment under every profile. Raises ParameterError.

    Without `run` the block of that name is passed over, as the plan, which writes it, needs.
    """
    try:
        raw = YAML(typ="safe").load(path.read_text())
    except FileNotFoundError as error:
        raise ParameterError(f"{path} is missing", remedy="run this at the top of the repository, or "
                                                          f"`git checkout {path}`") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} is not YAML", found=str(error), remedy="mend the line it names") from error
    return check(raw, run=run)


def check(raw: Any, *, run: bool = True) -> Parameters:
    """The checked parameters of a params.yaml's content, as `load`. Raises ParameterError."""
    if not isinstance(raw, dict):
        raise ParameterError(f"{FILE} is empty or not a mapping", remedy=f"`git checkout {FILE}`")
    known = ("profile", "run", "datasets", "parzen", "monitor", "experiments", "lessons")
    _require_keys(raw, known, str(FILE))
    require_known(raw["profile"], PROFILES, "profile", f"{FILE}: profile")
    for name in ("datasets", "experiments", "parzen", "monitor", "lessons"):
        _require_mapping(raw[name], name)
    for name, entry in raw["experiments"].items():
        _require_mapping(entry, f"experiments.{name}")
    parameters = Parameters(
        raw, raw["profile"], _block(Run, "run", raw["run"]) if run else Run([], {}, {}, [], []),
        {name: _dataset(name, entry) for name, entry in raw["datasets"].items()})
    for name in raw["experiments"]:
        _check_experiment(parameters, name)
    for profile, dataset in itertools.product(PROFILES, parameters.datasets):
        parameters.parzen(profile, dataset)
        parameters.monitor(profile, dataset)
    for profile, name in itertools.product(PROFILES, LESSONS):
        lesson_settings(raw["lessons"], name, profile)
    for name, dataset in parameters.run.experiments.items():
        require_known(name, raw["experiments"], "experiment", f"{FILE}: run.experiments")
        if dataset != raw["experiments"][name]["dataset"] or dataset not in parameters.run.datasets:
            raise ParameterError(f"{FILE}: run.experiments.{name} does not fit",
                                 expected=f"{raw['experiments'][name]['dataset']}, also in run.datasets", found=dataset,
                                 remedy="run `make plan`, which writes the block `run`")
    for name in parameters.run.datasets:
        require_known(name, raw["datasets"], "data set", f"{FILE}: run.datasets")
    for key, needs_digits in (("lessons", False), ("lessons_on_mnist", True)):
        for name in getattr(parameters.run, key):
            require_known(name, [name for name, lesson in LESSONS.items() if lesson.needs_digits is needs_digits],
                          "lesson", f"{FILE}: run.{key}")
    if parameters.run.lessons_on_mnist and MNIST not in parameters.run.datasets:
        raise ParameterError(f"{FILE}: run.lessons_on_mnist does not fit", expected=f"{MNIST} in run.datasets",
                             found=str(parameters.run.datasets),
                             remedy="run `make plan`, which writes the block `run`")
    return parameters


def lesson_settings(block: Any, name: str, profile: str) -> LessonSettings:
    """The settings of a lesson from the block `lessons` as `profile` has it. Raises ParameterError."""
    require_known(profile, PROFILES, "profile", f"{FILE}: profile")
    _require_mapping(block, "lessons")
    entries = resolved(block, profile, "lessons.")
    _require_names(entries, LESSONS, "lessons")
    _require_mapping(entries[name], f"lessons.{name}")
    # The defaults in the code are for the code: here every number must stand.
    kind: Any = LESSONS[name].settings
    _require_names(entries[name], [field.name for field in dataclasses.fields(kind)], f"lessons.{name}")
    settings: LessonSettings = _block(kind, f"lessons.{name}", entries[name], profile)
    return settings


def _dataset(name: str, entry: Any) -> DatasetSettings:
    if not re.fullmatch(r"\w[\w-]*", str(name)):
        raise ParameterError(f"{FILE}: datasets.{name} has a name that cannot be a file's",
                             expected="letters, digits, _ and -", remedy="rename it")
    _require_mapping(entry, f"datasets.{name}")
    return _block(AnyDataset, f"datasets.{name}", entry)  # type: ignore[arg-type]


def _require_mapping(block: Any, name: str) -> None:
    if not isinstance(block, dict):
        raise ParameterError(f"{FILE}: {name} is not right", expected="a mapping", found=repr(block),
                             remedy=f"correct it, or see `git diff {FILE}`")


def _check_experiment(parameters: Parameters, name: str) -> None:
    raw = parameters.raw["experiments"][name]
    where = f"experiments.{name}"
    for profile in PROFILES:
        entry = _block(Experiment, where, resolved(raw, profile, f"{where}."), profile)
        for named in [*entry.runs_in, *([] if entry.profile is None else [entry.profile])]:
            require_known(named, PROFILES, "profile", f"{FILE}: {where}")
        require_known(entry.dataset, parameters.datasets, "data set", f"{FILE}: {where}.dataset")
        if entry.dataset != raw["dataset"]:
            raise ParameterError(f"{FILE}: {where}.dataset cannot differ between profiles", expected=raw["dataset"],
                                 found=f"{entry.dataset} in profile {profile}",
                                 remedy="make it an experiment of its own")
    if "search" in raw:
        _check_search(parameters, name)


def _check_search(parameters: Parameters, name: str) -> None:
    """Every setting that is to be tried makes a model."""
    search, own = parameters.search(name), parameters.searched(name)["train"]
    for point in search.points():
        try:
            model = with_settings(own["model"], search.settings | point)
        except KeyError as error:
            raise ParameterError(f"{FILE}: experiments.{name}.search names a setting that the model does not have",
                                 expected=f"a dotted name below experiments.{name}.train.model",
                                 found=str(error.args[0]), remedy="correct the name") from error
        _block(Train, f"experiments.{name}.search", own | {"model": model})


def resolved(block: Any, profile: str, where: str = "") -> Any:
    """`block` as `profile` has it: overrides merged key by key, and no `profiles` left in it."""
    if not isinstance(block, dict):
        return block
    if "profiles" in block:
        overrides = block["profiles"] or {}
        _require_mapping(overrides, f"{where}profiles")
        for name in overrides:
            require_known(name, PROFILES, "profile", f"{FILE}: {where}profiles")
            _require_mapping(overrides[name] or {}, f"{where}profiles.{name}")
        block = _merged({key: value for key, value in block.items() if key != "profiles"}, overrides.get(profile) or {})
    return {key: resolved(value, profile, f"{where}{key}.") for key, value in block.items()}


def _merged(block: Any, override: Any) -> Any:
    if not isinstance(block, dict) or not isinstance(override, dict):
        return override
    return block | {key: _merged(block.get(key), value) for key, value in override.items()}


def _block(kind: type[T], where: str, value: Any, profile: str = "") -> T:
    try:
        # By way of JSON, whose strict reading takes no "300" or true for a number, and yet mappings for dataclasses.
        # What JSON does not know, such as YAML's dates, becomes a list, which no number or text is.
        adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]
        return adapter.validate_json(json.dumps(value, default=lambda other: [str(other)]), strict=True)
    except ValidationError as error:
        raise _parameter_error(where, value, error, profile) from error


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _parameter_error(where: str, value: Any, error: ValidationError, profile: str) -> ParameterError:
    """The first thing that is wrong, named by its path in params.yaml."""
    details = error.errors(include_url=False)
    # A misspelt key is also a missing one: the unknown name says more.
    first = next((d for d in details if d["type"] == "unexpected_keyword_argument"), details[0])
    tag = "loader" if where.startswith("datasets.") else "kind"
    path = [part for part in first["loc"] if part not in TAGS[tag]]  # pydantic puts a union's tag into the path
    name = f"{FILE}: {'.'.join(map(str, [where, *path]))}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_error(name, tag, first["input"])
    aside = f" (profile {profile})" if profile and profile != "paper" else ""
    if first["type"] == "unexpected_keyword_argument":
        unknown = {d["loc"][-1] for d in details if d["type"] == "unexpected_keyword_argument"
                   and d["loc"][:-1] == first["loc"][:-1]}
        missing = [str(d["loc"][-1]) for d in details if d["type"] in ("missing", "missing_argument")
                   and d["loc"][:-1] == first["loc"][:-1]]
        others = [key for key in _fields_at(value, path) if key not in unknown]
        return ParameterError(f"{name}: unknown key{aside}", remedy=_nearest(
            str(path[-1]), [*missing, "profiles", *_optional_beside({*missing, *others} - {tag}), *others]))
    if first["type"] in ("missing", "missing_argument"):
        return ParameterError(f"{name} is missing{aside}", remedy=f"write it in, or see `git diff {FILE}`")
    expected = str(first["msg"]).removeprefix("Value error, ").replace("valid array", "valid list")
    return ParameterError(f"{name} is not right{aside}", expected=expected,
                          found="" if isinstance(first["input"], dict) else repr(first["input"]),
                          remedy="correct the value")


def _optional_beside(required: set[str]) -> list[str]:
    """The keys that may be left out of a block that has these."""
    blocks = [ParameterBlock]
    for block in blocks:  # grows with the subclasses of subclasses
        blocks += block.__subclasses__()
    names = [{entry.name for entry in dataclasses.fields(block)} for block in blocks[1:]  # type: ignore[arg-type]
             if dataclasses.is_dataclass(block)]
    return sorted(set().union(*(fields - required for fields in names if fields >= required)))


def _tag_error(name: str, tag: str, block: Any) -> ParameterError:
    """What is wrong with the `kind` of a model or the `loader` of a data set: misspelt, unknown or missing."""
    keys, known = block if isinstance(block, dict) else {}, TAGS[tag]
    if tag in keys:
        return ParameterError(f"{name}: unknown {tag} {keys[tag]!r}", expected=f"one of {', '.join(known)}",
                              remedy=_nearest(str(keys[tag]), known))
    for key in keys:
        if difflib.get_close_matches(str(key), [tag]):
            return ParameterError(f"{name}.{key}: unknown key", remedy=f"did you mean {tag!r}?")
    return ParameterError(f"{name}.{tag} is missing", expected=f"one of {', '.join(known)}", remedy="write it in")


def _fields_at(value: Any, path: list[Any]) -> list[str]:
    for part in path[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return []
    return list(value) if isinstance(value, dict) else []


def _require_keys(block: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in block:
        require_known(key, known, "key", where)
    for key in known:
        if key not in block:
            raise ParameterError(f"{where}: {key} is missing", remedy=f"write it in, or `git diff {FILE}`")


def _require_names(block: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """As `_require_keys`, where a misspelt key is named by its path."""
    known = list(known)
    missing = [name for name in known if name not in block]
    for key in block:
        if key not in known:
            raise ParameterError(f"{FILE}: {where}.{key}: unknown key", remedy=_nearest(str(key), missing or known))
    for name in missing:
        raise ParameterError(f"{FILE}: {where}.{name} is missing", remedy=f"write it in, or see `git diff {FILE}`")


def require_known(name: Any, known: Iterable[str], what: str, where: str) -> None:
    """Raise ParameterError naming the nearest of `known` unless `name` is one of them."""
    known = list(known)
    if name not in known:
        raise ParameterError(f"{where}: unknown {what} {name!r}", expected=f"one of {', '.join(known)}",
                             remedy=_nearest(str(name), known))


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(map(str, known)), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "remove it, or see the comments in params.yaml"


def update(path: Path, profile: str, run: Run) -> bool:
    """Write `profile` and `run` into params.yaml, every other byte left as it is; whether that changed it."""
    old = path.read_text()
    stream = StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump({"run": {"datasets": _flow(run.datasets), "experiments": run.experiments or {},
                       "left_out": run.left_out or {}, "lessons": _flow(run.lessons),
                       "lessons_on_mnist": _flow(run.lessons_on_mnist)}}, stream)
    new = re.sub(r"^(profile:[ \t]*)[^\s#]+", rf"\g<1>{profile}", old, count=1, flags=re.MULTILINE)
    # The block ends where the next line begins that is neither empty nor indented.
    new = re.sub(r"^run:.*\n(?:[ \t].*\n|\n(?=[ \t]))*", lambda _: stream.getvalue(), new, count=1, flags=re.MULTILINE)
    _require_written(path, new, profile, run)
    if new == old:
        return False
    files.write_text(path, new)
    return True


def _require_written(path: Path, content: str, profile: str, run: Run) -> None:
    """ParameterError unless `content` says what was to be written: the file may be laid out in an unforeseen way."""
    try:
        found = check(YAML(typ="safe").load(content))
    except YAMLError:
        found = None
    if found is None or (found.profile, found.run) != (profile, run):
        raise ParameterError(f"{path} is laid out so that the plan cannot be written into it",
                             expected="lines `profile: …` and `run:` at the margin, the block `run` indented below, "
                                      "with no comment at the margin in it",
                             remedy=f"`git checkout {path}`, or write them as `git show HEAD:{path}` has them")


def _flow(items: list[str]) -> CommentedSeq:
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence
