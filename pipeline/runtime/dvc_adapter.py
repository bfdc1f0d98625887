"""What DVC does not offer as an interface, and this needs: each of its own names once, found when it is called.

DVC promises none of them. Where a version has moved one, `own` says so in words, and which version had it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gan.errors import ReproductionError

OWN = {
    "lock file": "dvc.schema:COMPILED_LOCKFILE_SCHEMA",
    "entry": "dvc.stage.serialize:to_single_stage_lockfile",
    "can be hashed": "dvc.stage.cache:_can_hash",
    "hash": "dvc.stage.cache:_get_stage_hash",
    "record": "dvc.stage.cache:StageCache._load",
    "active graph": "dvc.repo.reproduce:get_active_graph",
    "order": "dvc.repo.reproduce:plan_repro",
    "experiment": "dvc.repo.experiments.refs:ExpRefInfo",
    "no hash": "dvc_data.hashfile.hash_info:HashInfo",
}
"""Names of DVC's own, by what they are here"""


def own(what: str) -> Any:
    """One of OWN; ReproductionError if DVC no longer has it."""
    module, _, path = OWN[what].partition(":")
    try:
        return functools.reduce(getattr, path.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        from dvc import __version__  # DVC itself is slow to import

        raise ReproductionError(
            f"DVC {__version__} has moved {module}.{path}, a name of its own that this program uses",
            expected="DVC 3.67, with which it was tested", found=str(error),
            remedy="install what requirements.lock names (`make setup`), or mend pipeline/runtime/dvc_adapter.py"
        ) from error


def is_lock(content: bytes) -> bool:
    """Whether DVC reads this as a dvc.lock."""
    from voluptuous import Invalid

    try:
        own("lock file")(YAML(typ="safe").load(content.decode()) or {})
    except (YAMLError, Invalid, UnicodeDecodeError):
        return False
    return True


def lock_entry(stage: Any) -> dict[str, Any]:
    """What dvc.lock has of a stage."""
    return dict(own("entry")(stage))


def key(stage: Any) -> str:
    """The digest, by which the run cache knows a stage, of its command, dependencies and the names of its outputs."""
    return str(own("hash")(stage))


def is_in_run_cache(repo: Any, stage: Any) -> bool:
    return bool(own("can be hashed")(stage) and own("record")(repo.stage_cache, stage))


def in_order_of_repro(repo: Any, stages: Sequence[Any]) -> list[Any]:
    """`stages`, and what they need, as `dvc repro` would go through them."""
    return list(own("order")(own("active graph")(repo.index.graph), list(stages)))


def forget_outputs(stage: Any) -> None:
    """What a stage's outputs were."""
    for out in stage.outs:
        out.hash_info = own("no hash")()


def experiment_ref(commit: str, name: str) -> str:
    """The git reference of a DVC experiment that was made from a commit."""
    return str(own("experiment")(commit, name))
