"""What DVC has still to run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipeline.settings.plan import Plan


def changed_stages() -> set[str] | None:
    """What `dvc status` names; None where nothing has run yet, or DVC fails (it will say why when it is to run)."""
    if not Path("dvc.lock").exists():
        return None
    try:
        status = subprocess.run([sys.executable, "-m", "dvc", "status", "--json"], capture_output=True, text=True,
                                timeout=300, check=True)
        return {name for name in json.loads(status.stdout) if ":" not in name}  # without searches
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def unfinished(plan: Plan, changed: set[str] | None) -> set[str]:
    """The experiments of which DVC has a stage to run, or of whose data; all where it cannot say what has `changed`."""
    if changed is None:
        return set(plan.experiments)
    owners = {stage.partition("@")[2] for stage in changed if not stage.startswith("lesson")}
    return {name for name, dataset in plan.experiments.items() if {name, dataset} & owners}
