"""Blocks of params.yaml as dataclasses, by pydantic; what is wrong is named by its path, with what was likely meant."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from gan.datasets.registry import LOADERS
from gan.errors import ParameterError
from gan.registry import SETTINGS
from gan.settings import ParameterBlock
from pipeline.runtime.names import nearest, require_known

FILE = "params.yaml"
T = TypeVar("T")
CONDITIONS = {"OnClass": "class", "OnVisiblePixels": "visible_pixels"}
"""What a model may be told: pydantic's name for it, and the word in params.yaml under `given`"""
TAGS = {"kind": tuple(SETTINGS), "loader": tuple(LOADERS)}
"""By the key that says which dataclass a block is: what it may be"""


def require_mapping(block: Any, name: str, file: str = FILE) -> None:
    if not isinstance(block, dict):
        raise ParameterError(f"{file}: {name} is not right", expected="a mapping", found=repr(block),
                             remedy=f"correct it, or see `git diff {file}`")


def read_block(kind: type[T], where: str, value: Any, profile: str = "", *, file: str = FILE) -> T:
    """A block, given as plain values, as the dataclass `kind`. ParameterError names what is wrong by its path in
    `file`, which begins with `where`."""
    try:
        # By way of JSON, whose strict reading takes no "300" or true for a number, and yet mappings for dataclasses.
        # What JSON does not know, such as YAML's dates, becomes a list, which no number or text is.
        adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]
        return adapter.validate_json(json.dumps(value, default=lambda other: [str(other)]), strict=True)
    except ValidationError as error:
        raise _parameter_error(where, value, error, profile, file) from error


@functools.cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _of_the_condition_meant(details: list[Any], value: Any) -> list[Any]:
    """Without what is wrong of conditions other than the one that is given, and without pydantic's names for them;
    that none is known, where it is none of them."""
    kept, unknown = [], []
    for each in details:
        place = next((i for i, part in enumerate(each["loc"]) if part in CONDITIONS), None)
        if place is None:
            kept.append(each)
            continue
        above, name = each["loc"][:place], each["loc"][place]
        block: Any = value
        for part in (part for part in above if part not in TAGS["kind"]):
            block = block[part]
        given = block.get("given") if isinstance(block, dict) else block
        if given == CONDITIONS[name]:
            kept.append(each | {"loc": (*above, *each["loc"][place + 1:])})
        elif given not in CONDITIONS.values():
            unknown.append(each | {"loc": (*above, "given"), "type": "literal_error", "input": given,
                                   "msg": " or ".join(CONDITIONS.values())})
    return kept or unknown[:1] or details


def _parameter_error(where: str, value: Any, error: ValidationError, profile: str, file: str) -> ParameterError:
    """The first thing that is wrong, named by its path in params.yaml."""
    details = _of_the_condition_meant(error.errors(include_url=False), value)
    # A misspelt key is also a missing one: the unknown name says more.
    first = next((d for d in details if d["type"] == "unexpected_keyword_argument"), details[0])
    tag = "loader" if where.startswith("datasets.") else "kind"
    path = [part for part in first["loc"] if part not in TAGS[tag]]  # pydantic puts a union's tag into the path
    name = f"{file}: {'.'.join(map(str, [where, *path]))}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _tag_error(name, tag, first["input"])
    aside = f" (profile {profile})" if profile and profile != "paper" else ""
    if first["type"] == "unexpected_keyword_argument":
        unknown = {d["loc"][-1] for d in details if d["type"] == "unexpected_keyword_argument"
                   and d["loc"][:-1] == first["loc"][:-1]}
        missing = [str(d["loc"][-1]) for d in details if d["type"] in ("missing", "missing_argument")
                   and d["loc"][:-1] == first["loc"][:-1]]
        others = [key for key in _fields_at(value, path) if key not in unknown]
        optional = [key for key in _optional_beside({*missing, *others} - {tag}) if key not in unknown]
        return ParameterError(f"{name}: unknown key{aside}", remedy=_near(
            str(path[-1]), [*missing, "profiles", *optional, *others]))
    if first["type"] in ("missing", "missing_argument"):
        return ParameterError(f"{name} is missing{aside}", remedy=f"write it in, or see `git diff {file}`")
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
                              remedy=_near(str(keys[tag]), known))
    for key in keys:
        if nearest(str(key), [tag], cutoff=0.6):
            return ParameterError(f"{name}.{key}: unknown key", remedy=f"did you mean {tag!r}?")
    return ParameterError(f"{name}.{tag} is missing", expected=f"one of {', '.join(known)}", remedy="write it in")


def _fields_at(value: Any, path: list[Any]) -> list[str]:
    for part in path[:-1]:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return []
    return list(value) if isinstance(value, dict) else []


def require_keys(block: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in block:
        require_known(key, known, "key", where)
    for key in known:
        if key not in block:
            raise ParameterError(f"{where}: {key} is missing", remedy=f"write it in, or `git diff {FILE}`")


def require_names(block: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """As `require_keys`, where a misspelt key is named by its path."""
    known = list(known)
    missing = [name for name in known if name not in block]
    for key in block:
        if key not in known:
            raise ParameterError(f"{FILE}: {where}.{key}: unknown key", remedy=_near(str(key), missing or known))
    for name in missing:
        raise ParameterError(f"{FILE}: {where}.{name} is missing", remedy=f"write it in, or see `git diff {FILE}`")


def _near(name: str, known: Iterable[str]) -> str:
    """What to do about a key that is none of `known`."""
    close = nearest(name, map(str, known))
    return f"did you mean {close!r}?" if close else "remove it, or see the comments in params.yaml"
