"""What holds for an experiment after inheritance and profile, where it stands in params.yaml, and how to change it.

`python -m pipeline settings mnist` prints it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan.errors import ParameterError
from pipeline.settings import parameters
from pipeline.settings.inheritance import Tree, Value, plain
from pipeline.settings.parameters import Parameters


@dataclass(frozen=True)
class Setting:
    """One effective value of an experiment."""

    name: str
    """below the experiment, list entries by their place: "train.model.layers.0.epochs\""""
    value: Any
    path: str
    """where it stands in params.yaml"""
    place: str
    """where it is to be set: for this experiment alone, or in a block that it shares with others for all of them"""
    is_absent: bool
    """whether DVC finds nothing at `place` yet, so that `dvc exp run -S` needs a `+`: the value is inherited, or stands
    below a place in a list that an override names, which is a number, and DVC looks for text"""

    @property
    def override(self) -> str:
        """What sets it, in DVC's words, but for the value. Places in lists are parts like others: hidden.0.units."""
        return f"-S '{'+' if self.is_absent else ''}{self.place}=…'"


def settings(known: Parameters, experiment: str, profile: str = "") -> list[Setting]:
    """All effective values of an experiment under a profile, by default its own. Raises ParameterError."""
    profile = profile or known.profile_of(experiment)
    return [_setting(known, name, leaf, _place(experiment, name, [leaf], profile))
            for name, leaf in _leaves(known.tree(experiment, profile))]


def shared_settings(known: Parameters, experiment: str, profile: str = "") -> list[Setting]:
    """As `settings`, of the blocks that experiments share: `parzen` and `monitor` for its data set, and `figures`, of
    which an experiment may have values of its own. What is set in the first two holds for whoever reads it there."""
    profile = profile or known.profile_of(experiment)
    dataset = known.dataset_of(experiment)
    rows = [_setting(known, name, leaf, leaf.path) for block in ("parzen", "monitor")
            for name, leaf in _leaves(known.shared(block, profile, dataset), block)]
    return rows + [_setting(known, name, leaf, _place(experiment, name, [leaf], profile))
                   for name, leaf in _leaves(known.figures_tree(experiment, profile), "figures")]


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
    return _place(experiment, name, [leaf for _, leaf in _leaves(tree)], profile)


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
    shared = shared_settings(known, experiment, profile)
    print(f"\nshared with others, for data set {dataset}:\n")
    for row in shared:
        print(f"{row.name:<{width}}  {_text(row.value):<{values}}  {row.path}")
    own, absent = (next((row for row in rows if row.is_absent is each), None) for each in (False, True))
    print("\nto change one for this experiment, and those that are like it:")
    for row in filter(None, (own, absent)):
        print(f"  dvc exp run {row.override}" + ("   (+: nothing stands there yet)" if row.is_absent else ""))


def _setting(known: Parameters, name: str, leaf: Value, place: str) -> Setting:
    return Setting(name, leaf.value, leaf.path, place, not _dvc_finds(known.raw, place))


def _place(experiment: str, name: str, leaves: Sequence[Value], profile: str) -> str:
    by_profile = any(f".profiles.{profile}." in leaf.path for leaf in leaves)
    return f"experiments.{experiment}.{f'profiles.{profile}.' if by_profile else ''}{name}"


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


def _dvc_finds(raw: Any, path: str) -> bool:
    """Whether `dvc exp run -S` without a `+` finds something at a path: in a mapping it looks for text."""
    for part in path.split("."):
        if isinstance(raw, list) and part.isdecimal() and int(part) < len(raw):
            raw = raw[int(part)]
        elif isinstance(raw, dict) and part in raw:
            raw = raw[part]
        else:
            return False
    return True


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
