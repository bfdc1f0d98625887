"""What holds for an experiment after inheritance and profile, where it stands in params.yaml, and how to change it.

`python -m pipeline settings mnist` prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    """where it is to be set for this experiment alone"""
    needs_plus: bool
    """whether DVC finds nothing at `place` yet"""

    @property
    def override(self) -> str:
        """What sets it, in DVC's words, but for the value."""
        return f"-S '{'+' if self.needs_plus else ''}{self.place}=…'"


def settings(known: Parameters, experiment: str, profile: str = "") -> list[Setting]:
    """All effective values of an experiment under a profile, by default its own. Raises ParameterError."""
    profile = profile or known.profile_of(experiment)
    return [_setting(known, experiment, profile, name, leaf)
            for name, leaf in _leaves(known.tree(experiment, profile))]


def shared_settings(known: Parameters, experiment: str, profile: str = "") -> list[Setting]:
    """As `settings`, of the blocks that experiments share: `parzen`, `monitor` and `assess` for its data set, which
    are changed for whoever reads them there; and `figures`, of which an experiment may have values of its own."""
    profile = profile or known.profile_of(experiment)
    dataset = known.dataset_of(experiment)
    rows = [Setting(name, leaf.value, leaf.path, leaf.path, not _is_found(known.raw, leaf.path))
            for block in ("parzen", "monitor", "assess")
            for name, leaf in _leaves(known.shared(block, profile, dataset), block)]
    return rows + [_setting(known, experiment, profile, name, leaf)
                   for name, leaf in _leaves(known.figures_tree(experiment, profile), "figures")]


def place_of(known: Parameters, experiment: str, name: str, profile: str) -> str:
    """The path in params.yaml at which a setting ("train.model.recipe.epochs") is to be changed for this experiment
    alone: in its overrides for a profile where those decide. ParameterError names one that there is not."""
    tree: Any = known.tree(experiment, profile)
    if name.startswith("figures."):  # shared by all: an experiment has only what differs
        tree = tree | {"figures": known.figures_tree(experiment, profile)}
    for part in name.split("."):
        if isinstance(tree, list) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            raise ParameterError(f"the experiment {experiment} has no setting {name!r}",
                                 expected=f"a name as `python -m pipeline settings {experiment}` prints it, such as "
                                          "train.seeds", found=name, remedy="correct the name")
    parts = name.split(".")
    places = [f"experiments.{experiment}.{'.'.join([*parts[:i], *between, *parts[i:]])}"
              for i, between in [(0, []), *((i, ["profiles", profile]) for i in range(len(parts)))]]
    return next((place for place in places if _decides(known, place, experiment, parts, profile)), places[1])


def _decides(known: Parameters, place: str, experiment: str, parts: list[str], profile: str) -> bool:
    """Whether what is written at `place` is what holds in the end."""
    try:
        found: Any = plain(replace(known, raw=changed(known.raw, {place: _PROBE})).tree(experiment, profile))
        for part in parts:
            found = found[int(part) if isinstance(found, list) else part]
    except (ParameterError, KeyError, IndexError, TypeError, ValueError):
        return False
    return bool(found == _PROBE)


_PROBE = "a value that is in no file"


def changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of params.yaml's content with the values at these paths set; missing blocks on the way are made, as
    `dvc exp run -S +path=value` makes them."""
    content: Any = raw
    for path, value in changes.items():
        content = _with(content, path.split("."), value)
    return dict(content)


def _with(block: Any, path: list[str], value: Any) -> Any:
    """`block` with another value at a path; only what is around it is copied."""
    if not path:
        return value
    if isinstance(block, list):
        return [_with(each, path[1:], value) if i == int(path[0]) else each for i, each in enumerate(block)]
    block = block if isinstance(block, dict) else {}
    key = _key(block, path[0])
    return block | {key: _with(block.get(key), path[1:], value)}


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
    print(f"\nshared with others, for data set {dataset}:\n")
    for row in shared_settings(known, experiment, profile):
        print(f"{row.name:<{width}}  {_text(row.value):<{values}}  {row.path}")
    there, new = (next((row for row in rows if row.needs_plus is each), None) for each in (False, True))
    print("\nto change one for this experiment alone:")
    for row in filter(None, (there, new)):
        print(f"  dvc exp run {row.override}" + ("   (+: nothing stands there yet)" if row.needs_plus else ""))


def _setting(known: Parameters, experiment: str, profile: str, name: str, leaf: Value) -> Setting:
    place = place_of(known, experiment, name, profile)
    return Setting(name, leaf.value, leaf.path, place, not _is_found(known.raw, place))


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
    """Places in a list that overrides name are numbers in YAML and text in a dotted path, and text where DVC wrote
    them."""
    return int(name) if name not in block and name.isdecimal() and int(name) in block else name


def _is_found(raw: Any, path: str) -> bool:
    """As DVC looks for it: by words, and by places in a list."""
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
