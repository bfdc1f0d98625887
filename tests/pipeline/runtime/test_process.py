"""pipeline.runtime.process on a real terminal: how a run ends that is stopped, and one that nobody reads any more.

A small program stands for DVC: it runs one stage after another, goes on after one that fails, and heeds no Ctrl-C while
one runs, as `dvc repro --keep-going` does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from terminal import CTRL_C, Terminal

from pipeline.runtime import process

ROOT = Path(__file__).parents[3]
RUN = """
import sys
from pipeline.runtime import process
process.SECONDS_TO_STOP = float(sys.argv[1])
with process.ending():
    process.dvc("repro", "--keep-going")
    print("all is done")
"""
DVC = """
import os, signal, subprocess, sys, time
from pathlib import Path
for name in ("first", "second"):
    print("Running stage", name, flush=True)
    stage = subprocess.Popen([os.environ["SHELL"], "-c", f"python stage.py {name}"])
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if stage.wait():
        print("failed", name, flush=True)
    signal.signal(signal.SIGINT, before)
    Path(f"storing-{name}").touch()
    time.sleep(float(os.environ.get("STORING", "0")))
    Path(f"stored-{name}").touch()
"""
TRAINING = """
import sys, time
from pathlib import Path
from pipeline.runtime import process
from pipeline.runtime.interruption import Interruption
with process.ending(read_by_someone=False), Interruption() as interruption:
    Path(f"begun-{sys.argv[1]}").touch()
    while True:
        time.sleep(0.01)
        if interruption.requested:
            Path("kept").touch()
            interruption.check()
"""
IMPORTING = """
import sys, time
from pathlib import Path
Path(f"begun-{sys.argv[1]}").touch()
time.sleep(600)
"""
DEAF = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: Path("asked").touch())
Path(f"begun-{sys.argv[1]}").touch()
while True:
    time.sleep(1)
"""
SLOW_TO_KEEP = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1.5), Path("kept").touch(), sys.exit(143)))
Path(f"begun-{sys.argv[1]}").touch()
time.sleep(600)
"""
SHORT = "import sys\nfrom pathlib import Path\nPath(f'begun-{sys.argv[1]}').touch()\n"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Begins a run whose stages are a given script."""
    begun: list[Terminal] = []

    def begin(stage: str, patience: float = 600, **settings: str) -> Terminal:
        (tmp_path / "stage.py").write_text(stage)
        (tmp_path / "dvc.py").write_text(DVC)
        (tmp_path / "run.py").write_text(RUN)
        begun.append(Terminal([sys.executable, "run.py", str(patience)], tmp_path, {
            **os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **settings}))
        return begun[-1]

    yield begin
    for terminal in begun:
        terminal.end()


def descendants(terminal: Terminal) -> list[psutil.Process]:
    return psutil.Process(terminal.process.pid).children(recursive=True)


def all_have_ended(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


def press_ctrl_c(terminal: Terminal) -> None:
    terminal.press(CTRL_C)


def send_sigterm(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(("stop", "status"), [(press_ctrl_c, 130), (send_sigterm, 143)])
def test_one_ctrl_c_ends_the_graph_keeps_the_state_and_says_once_how_to_go_on(run, tmp_path, stop, status):
    terminal = run(TRAINING)
    terminal.wait_for((tmp_path / "begun-first").exists)
    began = descendants(terminal)
    assert len(began) >= 2
    stop(terminal)
    assert terminal.wait() == status
    assert terminal.said.count(process.RESUME) == 1
    assert "Traceback" not in terminal.said
    assert (tmp_path / "kept").exists()
    assert not (tmp_path / "begun-second").exists()
    assert all_have_ended(began)


def test_a_terminal_that_is_closed_ends_the_graph_and_keeps_the_state(run, tmp_path):
    terminal = run(TRAINING)
    terminal.wait_for((tmp_path / "begun-first").exists)
    began = descendants(terminal)
    terminal.close()
    assert terminal.wait() == 129
    assert (tmp_path / "kept").exists()
    assert not (tmp_path / "begun-second").exists()
    assert all_have_ended(began)


def test_a_signal_that_comes_twice_is_no_wish_to_end_it_at_once(run, tmp_path):
    """As SIGHUP does from a shell that is closed, and SIGTERM from a cluster."""
    terminal = run(SLOW_TO_KEEP)
    terminal.wait_for((tmp_path / "begun-first").exists)
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
        terminal.process.send_signal(number)
        time.sleep(0.2)
    assert terminal.wait() == 129
    assert (tmp_path / "kept").exists()


def test_a_second_ctrl_c_ends_at_once_what_keeps_on_after_the_first(run, tmp_path):
    terminal = run(DEAF)
    terminal.wait_for((tmp_path / "begun-first").exists)
    began = descendants(terminal)
    press_ctrl_c(terminal)
    terminal.wait_for((tmp_path / "asked").exists)
    press_ctrl_c(terminal)
    assert terminal.wait() == 130
    assert terminal.said.count(process.RESUME) == 1
    assert "Traceback" not in terminal.said
    assert all_have_ended(began)


def test_what_keeps_on_after_the_time_to_stop_is_killed(run, tmp_path):
    terminal = run(DEAF, patience=0.5)
    terminal.wait_for((tmp_path / "begun-first").exists)
    began = descendants(terminal)
    press_ctrl_c(terminal)
    assert terminal.wait() == 130
    assert all_have_ended(began)


def test_a_stage_that_is_still_importing_ends_without_a_traceback(run, tmp_path):
    terminal = run(IMPORTING)
    terminal.wait_for((tmp_path / "begun-first").exists)
    press_ctrl_c(terminal)
    assert terminal.wait() == 130
    assert "Traceback" not in terminal.said
    assert "KeyboardInterrupt" not in terminal.said
    assert not (tmp_path / "begun-second").exists()


def test_between_two_stages_dvc_has_time_to_store_what_the_first_made(run, tmp_path):
    terminal = run(SHORT, STORING="1.5")
    terminal.wait_for((tmp_path / "storing-first").exists)
    press_ctrl_c(terminal)
    assert terminal.wait() == 130
    assert (tmp_path / "stored-first").exists()
    assert not (tmp_path / "stored-second").exists()
    assert not (tmp_path / "begun-second").exists()


def test_ctrl_z_stops_and_continues_all_of_it(run, tmp_path):
    """The stage is in the terminal's own group, so that the key reaches it too."""
    terminal = run(TRAINING)
    terminal.wait_for((tmp_path / "begun-first").exists)
    began = descendants(terminal)
    assert {os.getpgid(each.pid) for each in began} == {terminal.process.pid}
    os.killpg(terminal.process.pid, signal.SIGSTOP)
    terminal.wait_for(lambda: all(each.status() == psutil.STATUS_STOPPED for each in began))
    os.killpg(terminal.process.pid, signal.SIGCONT)
    press_ctrl_c(terminal)
    assert terminal.wait() == 130
    assert (tmp_path / "kept").exists()


# `python -m pipeline who` as its start says it, with Ctrl-C pressed the moment a certain module is asked for.
PRESSED = """
import os, runpy, signal, sys

def press(event, arguments):
    if event == "import" and arguments[0] == {module!r}:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(press)
sys.argv = ["pipeline", "who"]
runpy.run_module("pipeline", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["pipeline.commands", "pipeline.commands.command_line", "pipeline.runtime.process",
                                    "psutil"])
def test_a_program_that_is_interrupted_while_it_starts_says_nothing(module):
    """Ctrl-C while `python -m pipeline` is still importing: no traceback of what it was importing."""
    ended = subprocess.run([sys.executable, "-c", PRESSED.format(module=module)], cwd=ROOT, capture_output=True,
                           text=True, timeout=60,
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert ended.stderr == ""
    assert ended.returncode in (-signal.SIGINT, 130)


# What nobody reads.

def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_verb_whose_reader_has_gone_ends_as_programs_do_in_a_pipe(unbuffered):
    """As in `… settings mnist | head -1`."""
    writing = closed_pipe()
    ended = subprocess.run([sys.executable, "-m", "pipeline", "settings", "mnist"], cwd=ROOT, stdout=writing,
                           stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_stage_whose_reader_has_gone_goes_on_for_its_files_count(tmp_path, unbuffered):
    script = ("import sys\nfrom pathlib import Path\nfrom pipeline.runtime import stage\n"
              "def main():\n    print('begun', flush=True)\n    print('x' * 100000)\n    Path('made').touch()\n"
              "    print('done', file=sys.stderr)\n"
              "stage.run(main)\n")
    writing = closed_pipe()
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE,
                           text=True, env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered})
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "done\n")
    assert (tmp_path / "made").exists()


def test_a_broken_connection_that_is_not_the_output_is_no_end_of_ours():
    script = "from pipeline.runtime import process\nwith process.ending():\n    raise BrokenPipeError('elsewhere')\n"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "BrokenPipeError: elsewhere" in ended.stderr


# What DVC is given.

def test_stages_run_by_sh_and_by_this_python_whatever_the_environment_names(monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/sbin/nologin")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    environment = process._environment()
    assert environment["SHELL"] == "/bin/sh"
    assert environment["PATH"] == f"{Path(sys.executable).parent}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", environment["PATH"])
    assert process._environment()["PATH"] == environment["PATH"]
