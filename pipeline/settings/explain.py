"""What holds for an experiment after inheritance and profile, where it stands in params.yaml, and how to change it.

`python -m pipeline settings mnist` prints it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gan.errors import ParameterError
from pipeline.settings import parameters
from pipeline.settings.inheritance import Tree, Value, plain
from pipeline.settings.parameters import Parameters

BLOCKS = ("parzen", "monitor", "figures")
"""shared by all experiments"""


@dataclass(frozen=True)
class Setting:
    """One effective value of an experiment."""

    name: str
    """below the experiment, list entries by their place: "train.model.layers.0.epochs\""""
    value: Any
    path: str
    """where it stands in params.yaml"""
    place: str
    """where it is to be set for this experiment alone"""
    is_inherited: bool
    """whether nothing stands at `place` yet, so that `dvc exp run -S` needs a `+`"""

    @property
    def override(self) -> str:
        """What sets it, in DVC's words, but for the value."""
        return f"-S '+{self.place}=…'" if self.is_inherited else f"-S '{_in_brackets(self.place)}=…'"


def settings(known: Parameters, experiment: str, profile: str = "") -> list[Setting]:
    """All effective values of an experiment under a profile, by default its own. Raises ParameterError."""
    profile = profile or known.profile_of(experiment)
    return [_setting(known, experiment, profile, name, leaf)
            for name, leaf in _leaves(known.tree(experiment, profile))]


def place_of(known: Parameters, experiment: str, name: str, profile: str) -> str:
    """The path in params.yaml at which a setting ("train.model.recipe.epochs") is to be changed for this experiment
    alone: in its overrides for the profile where those decide. ParameterError names one that there is not."""
    tree: Any = known.tree(experiment, profile)
    for part in name.split("."):
        if isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            raise ParameterError(f"the experiment {experiment} has no setting {name!r}",
                                 expected=f"a name as `python -m pipeline settings {experiment}` prints it, such as "
                                          "train.seeds", found=name, remedy="correct the name")
    leaves = [leaf for _, leaf in _leaves(tree)]
    by_profile = any(f".profiles.{profile}." in leaf.path for leaf in leaves)
    return f"experiments.{experiment}.{f'profiles.{profile}.' if by_profile else ''}{name}"


def changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of params.yaml's content with the values at these paths set; missing blocks on the way are made, as
    `dvc exp run -S +path=value` makes them."""
    content: dict[str, Any] = copy.deepcopy(dict(raw))
    for path, value in changes.items():
        *parents, last = path.split(".")
        block: Any = content
        for parent in parents:
            if isinstance(block, list):
                block = block[int(parent)]
                continue
            if not isinstance(block.get(_key(block, parent)), dict | list):
                block[_key(block, parent)] = {}
            block = block[_key(block, parent)]
        block[int(last) if isinstance(block, list) else _key(block, last)] = value
    return content


def main(experiment: str, profile: str = "") -> None:
    """Print the effective settings of an experiment, and of the blocks that it shares with others."""
    known = parameters.load(plan=False)
    rows = settings(known, experiment, profile)
    profile = profile or known.profile_of(experiment)
    dataset = known.dataset_of(experiment)
    width, values = max(len(row.name) for row in rows), max(len(_text(row.value)) for row in rows)
    print(f"{experiment} under profile {profile}: each value, and where it stands in params.yaml\n")
    for row in rows:
        print(f"{row.name:<{width}}  {_text(row.value):<{values}}  {row.path}")
    shared = {"parzen": known.for_dataset("parzen", profile, dataset), "monitor": known.for_dataset(
        "monitor", profile, dataset), "figures": known.figures(experiment, profile)}
    print(f"\nshared with others, for data set {dataset}:\n")
    for block in BLOCKS:
        for name, leaf in _leaves(shared[block], block):
            print(f"{name:<{width}}  {_text(leaf.value)}")
    own, inherited = (next((row for row in rows if row.is_inherited is each), None) for each in (False, True))
    print("\nto change one for this experiment alone:")
    for row in filter(None, (own, inherited)):
        print(f"  dvc exp run {row.override}" + ("   (+: it is inherited)" if row.is_inherited else ""))


def _setting(known: Parameters, experiment: str, profile: str, name: str, leaf: Value) -> Setting:
    place = place_of(known, experiment, name, profile)
    return Setting(name, leaf.value, leaf.path, place, not _stands_at(known.raw, place))


def _leaves(tree: Tree | Any, name: str = "") -> Iterator[tuple[str, Value]]:
    """Scalars and lists of scalars, by their dotted names."""
    if isinstance(tree, dict) and tree:
        for key, each in tree.items():
            yield from _leaves(each, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, list) and any(isinstance(plain_or_value(each), dict | list) for each in tree):
        for i, each in enumerate(tree):
            yield from _leaves(each, f"{name}.{i}")
    elif isinstance(tree, Value):
        yield name, tree
    else:
        path = next((each.path.rpartition(".")[0] for each in tree if isinstance(each, Value)), name) if isinstance(
            tree, list) else name
        yield name, Value(plain(tree) if isinstance(tree, dict | list) and not _is_plain(tree) else tree, path)


def plain_or_value(tree: Any) -> Any:
    return tree.value if isinstance(tree, Value) else tree


def _is_plain(tree: Any) -> bool:
    return not any(isinstance(each, Value) for each in (tree.values() if isinstance(tree, dict) else tree))


def _key(block: Mapping[Any, Any], name: str) -> Any:
    """Places in a list that overrides name are numbers in YAML and text in a dotted path."""
    return int(name) if name.isdecimal() and int(name) in block else name


def _stands_at(raw: Any, path: str) -> bool:
    for part in path.split("."):
        if isinstance(raw, list) and part.isdecimal() and int(part) < len(raw):
            raw = raw[int(part)]
        elif isinstance(raw, dict) and _key(raw, part) in raw:
            raw = raw[_key(raw, part)]
        else:
            return False
    return True


def _in_brackets(path: str) -> str:
    """Places in lists as DVC's overrides name them: hidden[0].units."""
    return "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in path.split(".")).lstrip(".")


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
