"""How blocks of params.yaml take over from each other: `like`, `profiles`, and overrides of single entries of a list.

Three rules, everywhere in the file:

- `like: path` in a block takes over the block at that dotted path, `profiles` in it included. What stands beside `like`
  overrides it, key by key.
- `profiles: {name: overrides}` is what a profile changes in the block around it.
- An override of a list is a whole list, or a mapping from places to overrides: `{0: {units: 8}}` changes the first
  entry and leaves the others.

Every value carries the path at which it stands in the file, so that one can tell where to change it.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gan.errors import ParameterError

LIKE, PROFILES_KEY = "like", "profiles"
SMOKE = "smoke"
PROFILES = ("paper", "cpu", SMOKE)
DEEPEST, NAMED = 60, 6
"""Blocks that take over from each other in a row, and how many of them an error names"""


@dataclass(frozen=True)
class Value:
    """A scalar or null, and its dotted path in the file."""

    value: Any
    path: str


Tree = Value | dict[str, "Tree"] | list["Tree"]


def resolve(content: Mapping[str, Any], path: str, profile: str, profiles: Iterable[str], file: str) -> Tree:
    """The block at `path` of a file's `content` as `profile` has it. ParameterError where a rule is broken."""
    tree = expanded(content, path, file)
    return _with_profile(tree, profile, list(profiles), f"{file}: {path}")


def plain(tree: Tree) -> Any:
    """The values alone."""
    if isinstance(tree, Value):
        return tree.value
    if isinstance(tree, dict):
        return {key: plain(each) for key, each in tree.items()}
    return [plain(each) for each in tree]


def merged(base: Any, override: Any, where: str = "") -> Any:
    """`override` laid over `base`, of plain values or of trees; ParameterError for a place that a list lacks."""
    if isinstance(base, dict) and isinstance(override, dict):
        return base | {key: merged(base[key], value, f"{where}.{key}") if key in base else value
                       for key, value in override.items()}
    if isinstance(base, list) and isinstance(override, dict) and all(str(key).isdecimal() for key in override):
        entries = list(base)
        for key, value in override.items():
            if int(key) >= len(entries):
                raise ParameterError(f"{where}.{key} overrides an entry that is not there",
                                     expected=f"a place from 0 to {len(entries) - 1}", found=str(key),
                                     remedy="correct the place, or give the whole list")
            entries[int(key)] = merged(entries[int(key)], value, f"{where}.{key}")
        return entries
    return override


def expanded(content: Mapping[str, Any], path: str, file: str) -> Tree:
    """The block at a path with all that it takes over in its place, and `profiles` still in it. ParameterError where a
    block takes over itself, or one that is not there."""
    tree = _at(content, path, (), file)
    if tree is None:
        raise _not_there(content, path, path, file)
    return tree


def _at(content: Mapping[str, Any], path: str, on_the_way: tuple[str, ...], file: str) -> Tree | None:
    """As `expanded`; None where there is nothing. A block around the path may be `like` another, whose entry at the
    same place then lies below what stands here."""
    if path in on_the_way or len(on_the_way) == DEEPEST:
        raise ParameterError(f"{file}: {path} is like itself", found=" → ".join([*on_the_way, path][:NAMED]),
                             remedy="take one `like` of these out, and write the block there")
    on_the_way = (*on_the_way, path)
    block: Any = content
    names = path.split(".")
    bases: list[str] = []
    is_there = True
    for i, name in enumerate(names):
        if isinstance(block, dict) and isinstance(block.get(LIKE), str):
            bases.append(".".join([block[LIKE], *names[i:]]))
        is_there, block = _entry(block, name)
        if not is_there:
            break
        if not isinstance(block, dict):  # a list or a value stands in place of what would have been taken over
            bases.clear()
    layers = [_at(content, base, on_the_way, file) for base in bases]
    if is_there:
        layers.append(_tree(content, block, path, on_the_way, file))
    whole: Tree | None = functools.reduce(lambda base, own: merged(base, own, f"{file}: {path}"),
                                          [layer for layer in layers if layer is not None], None)
    return whole


def _entry(block: Any, name: str) -> tuple[bool, Any]:
    """Whether a block has an entry, and that. Places in lists are numbers, also where overrides name them."""
    if isinstance(block, list):
        return (True, block[int(name)]) if name.isdecimal() and int(name) < len(block) else (False, None)
    if not isinstance(block, dict):
        return False, None
    key = next((key for key in block if str(key) == name), None)
    return (False, None) if key is None else (True, block[key])


def _tree(content: Mapping[str, Any], block: Any, path: str, on_the_way: tuple[str, ...], file: str) -> Tree:
    if isinstance(block, list):
        return [_tree(content, each, f"{path}.{i}", on_the_way, file) for i, each in enumerate(block)]
    if not isinstance(block, dict):
        return Value(block, path)
    own: dict[str, Tree] = {}
    for key, each in block.items():
        if key != LIKE:  # 0, as the file names a place in a list, and '0', as `dvc exp run -S` does, are one
            entry, name = _tree(content, each, f"{path}.{key}", on_the_way, file), str(key)
            own[name] = merged(own[name], entry, f"{file}: {path}.{key}") if name in own else entry
    if LIKE not in block:
        return own
    if not isinstance(block[LIKE], str):
        raise ParameterError(f"{file}: {path}.{LIKE} is not right", expected="the dotted path of a block",
                             found=repr(block[LIKE]), remedy=f"for instance {LIKE}: experiments.mnist")
    base = _at(content, block[LIKE], on_the_way, file)
    if base is None:
        raise _not_there(content, path, block[LIKE], file)
    if isinstance(base, Value) and base.value is not None:
        raise ParameterError(f"{file}: {path} is like {block[LIKE]}, which is no block", expected="a mapping or a list",
                             found=repr(base.value), remedy="write the value itself")
    laid_over: Tree = merged(base, own, f"{file}: {path}")
    return laid_over


def _not_there(content: Mapping[str, Any], path: str, like: str, file: str) -> ParameterError:
    """Names the first part of `like` that there is not, and what was likely meant."""
    names = like.split(".")
    i = next((i for i, name in enumerate(names) if name not in _names(content, names[:i])), len(names) - 1)
    near = difflib.get_close_matches(names[i], _names(content, names[:i]), n=1, cutoff=0.5)
    return ParameterError(f"{file}: {path} is like {like}, which is not there", found=".".join(names[:i + 1]),
                          remedy=f"did you mean {'.'.join([*names[:i], near[0]])}?" if near
                          else "name a block of this file")


def _names(content: Mapping[str, Any], path: list[str], deepest: int = NAMED) -> list[str]:
    """The keys of the block at a path, those that it takes over included. Nothing is expanded: that may be what
    cannot be done."""
    block: Any = content
    found: list[str] = []
    for i in range(len(path) + 1):
        if isinstance(block, dict) and isinstance(block.get(LIKE), str) and deepest:
            found += _names(content, [*block[LIKE].split("."), *path[i:]], deepest - 1)
        if i < len(path):
            _, block = _entry(block, path[i])
    own = block if isinstance(block, dict) else range(len(block)) if isinstance(block, list) else ()
    return found + [str(key) for key in own]


def _with_profile(tree: Tree, profile: str, profiles: list[str], where: str) -> Tree:
    """Overrides of a profile merged in, and no `profiles` left."""
    if isinstance(tree, list):
        return [_with_profile(each, profile, profiles, where) for each in tree]
    if not isinstance(tree, dict):
        return tree
    if PROFILES_KEY in tree:
        overrides = tree[PROFILES_KEY]
        tree = {key: each for key, each in tree.items() if key != PROFILES_KEY}
        if not isinstance(overrides, Value):
            chosen = _overrides(overrides, profiles, f"{where}.{PROFILES_KEY}").get(profile)
            if chosen is not None and not isinstance(chosen, Value):
                laid_over: dict[str, Tree] = merged(tree, chosen, where)
                tree = laid_over
        elif overrides.value is not None:
            raise _no_mapping(f"{where}.{PROFILES_KEY}", overrides)
    return {key: _with_profile(each, profile, profiles, f"{where}.{key}") for key, each in tree.items()}


def _overrides(overrides: Tree, profiles: list[str], where: str) -> dict[str, Tree]:
    if not isinstance(overrides, dict):
        raise _no_mapping(where, overrides)
    for name, each in overrides.items():
        if name not in profiles:
            near = difflib.get_close_matches(str(name), profiles, n=1, cutoff=0.5)
            raise ParameterError(f"{where}: unknown profile {name!r}", expected=f"one of {', '.join(profiles)}",
                                 remedy=f"did you mean {near[0]!r}?" if near else "remove it")
        if isinstance(each, list) or (isinstance(each, Value) and each.value is not None):
            raise _no_mapping(f"{where}.{name}", each)
    return overrides


def _no_mapping(where: str, found: Tree) -> ParameterError:
    return ParameterError(f"{where} is not right", expected="a mapping", found=repr(plain(found)),
                          remedy="correct it, or see `git diff params.yaml`")
