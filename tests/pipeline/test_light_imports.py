"""What only plans, reads or renders starts without torch, and without what it has no use for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
HEAVY = {"torch", "mlflow", "sklearn", "scipy", "matplotlib", "pandas", "torchvision", "safetensors"}


def loaded(code: str, folder: Path) -> set[str]:
    """Which of HEAVY a new process has imported after `code`, run in `folder`."""
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{code}\nprint('\\n' + ' '.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True,
                            timeout=120)
    return HEAVY & set(answer.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", [
    "pipeline.stages.collect", "pipeline.stages.report", "pipeline.commands.compare", "pipeline.commands.record",
    "pipeline.results.table", "pipeline.results.lessons", "pipeline.page.environment", "pipeline.runtime.machine",
    "pipeline.tracking.runs", "pipeline.tracking.logged_model"])
def test_imports_are_light(module: str, tmp_path: Path) -> None:
    assert loaded(f"import {module}", tmp_path) == set()


@pytest.mark.parametrize("call", ["collect.main()", "report.main()", "report.main(); table.main()"])
def test_collect_report_and_table_do_their_work_without(call: str, place: Path) -> None:
    imports = "from pipeline.commands import table\nfrom pipeline.stages import collect, report"
    assert loaded(f"{imports}\n{call}", place) == set()
