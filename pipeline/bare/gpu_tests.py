"""The tests that need a GPU, run by pytest in a process of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from pipeline.bare.clock import Share
from pipeline.bare.output import Output

STOPPING = 5.0
"""seconds for pytest to end when it is told to"""

TESTS = ("tests/gpu", "tests/gan/adversarial/test_cuda_graph.py")
NOT_FOR_A_GPU = "not replays_move_on and not runs_beside"
"""those of the second file that a processor runs"""


def run(share: Share, out: Output) -> None:
    """What each test ended with; tests that the time does not allow are counted as not run."""
    with tempfile.TemporaryDirectory() as folder:
        report, log = Path(folder) / "tests.xml", Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *TESTS, "-q", "-p", "no:cacheprovider", "-o", "addopts=",
                 "-k", NOT_FOR_A_GPU, f"--junitxml={report}", "--durations=5"], stdout=output, stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                                  "OMP_NUM_THREADS": "1"})
            try:
                status: int | None = process.wait(timeout=max(1.0, share.left))
            except subprocess.TimeoutExpired:
                status = None
                process.send_signal(signal.SIGINT)  # upon which pytest still reports what was run
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=STOPPING)
                process.kill()
                process.wait()
        tail = log.read_text(errors="replace")[-6000:]
        out.content["tests"] = {"status": status, "seconds": round(share.elapsed, 1), **_outcomes(report), "tail": tail}
    out.write()
    found = out.content["tests"]
    share.say(f"{found['passed']} passed, {len(found['failed'])} failed, {found['skipped']} skipped"
              + ("; ended by the time" if status is None else ""))
    for name in found["failed"]:
        share.say(f"failed: {name}")
    if status != 0:
        print(tail, flush=True)


def _outcomes(report: Path) -> dict[str, Any]:
    """From pytest's own XML of this run."""
    if not report.is_file():
        return {"passed": 0, "skipped": 0, "failed": []}
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [f"{case.get('classname')}::{case.get('name')}" for case in cases
              if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"passed": len(cases) - len(failed) - skipped, "skipped": skipped, "failed": failed}
