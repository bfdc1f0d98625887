"""pipeline.runtime.stage: how a stage ends when something is wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from gan.errors import DataError
from pipeline.runtime import git, run_log, stage

ROOT = Path(__file__).parents[3]
BEGINNING = "import sys, time\nfrom gan.errors import DataError\nfrom pipeline.runtime import stage\n"


def run_script(main: str, *words: str, arguments: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", f"{BEGINNING}{main}\nstage.run(main{arguments})", *words], cwd=ROOT,
                          capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def same_signal_handlers():
    """`stage.run` is made for a process of its own: it sets a signal handler."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stage_gets_the_words_of_its_command_line(monkeypatch):
    def main(name: str, seed: str = "none") -> None:
        got.append((name, seed))
    got: list[tuple[str, str]] = []
    for words in (["mnist", "7"], ["mnist"]):
        monkeypatch.setattr(sys, "argv", ["stage", *words])
        stage.run(main, "name", optional=["seed"])
    assert got == [("mnist", "7"), ("mnist", "none")]


@pytest.mark.parametrize(("words", "said"), [
    ([], "Missing argument 'NAME'"), (["mnist", "7", "8"], "unexpected extra argument"),
    (["mnist", "--fast"], "--fast")])
def test_a_command_line_that_does_not_fit_is_told_with_what_does(words, said):
    ended = run_script("def main(name, seed): print(name)", *words, arguments=", 'name', optional=['seed']")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Usage: " in ended.stderr
    assert "NAME [SEED]" in ended.stderr
    assert said in ended.stderr


def test_the_help_of_a_stage_is_what_its_module_says():
    ended = subprocess.run([sys.executable, "-m", "pipeline.stages.prepare", "--help"], cwd=ROOT, capture_output=True,
                           text=True, timeout=60)
    assert ended.returncode == 0
    assert "Usage: python -m pipeline.stages.prepare [OPTIONS] NAME" in ended.stdout


def test_success_exits_with_0_and_says_nothing_of_its_own():
    ended = run_script("def main(name): print(name)", "mnist", arguments=", 'name'")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "mnist\n", "")


def test_an_error_that_the_user_can_mend_is_one_message_and_exit_status_1():
    ended = run_script("def main(): raise DataError('a.json is torn', expected='JSON', found='x', remedy='delete it')")
    assert ended.returncode == 1
    assert ended.stderr == "\nerror: a.json is torn\n  expected: JSON\n  found: x\n  what to do: delete it\n"
    assert ended.stdout == ""


def test_an_error_with_a_cause_shows_no_traceback_either(monkeypatch, capsys):
    def main() -> None:
        try:
            raise OSError("below")
        except OSError as error:
            raise DataError("above") from error
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as ended:
        stage.run(main)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "\nerror: above\n"


def test_a_defect_of_ours_is_a_traceback():
    ended = run_script("def main(): {}['nothing']")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "KeyError: 'nothing'" in ended.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stage_that_is_stopped_cleans_up_and_says_so_by_its_exit_status(number, status):
    main = ("def main():\n"
            "    try:\n"
            "        print('at work', flush=True)\n"
            "        time.sleep(60)\n"
            "    finally:\n"
            "        print('cleaned up', flush=True)\n")
    process = subprocess.Popen([sys.executable, "-c", f"{BEGINNING}{main}\nstage.run(main)"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))  # as nohup ignores SIGHUP
    try:
        assert process.stdout.readline() == "at work\n"
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    assert output == "cleaned up\n"
    assert errors == "\nstopped; the same command resumes from the last checkpoint\n"


def run_stage(monkeypatch: pytest.MonkeyPatch, folder: Path, main: object, name: str | None) -> dict[str, dict]:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["stage"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    if name:
        monkeypatch.setenv("DVC_STAGE", name)
    stage.run(main)
    return run_log.read("stages")


def test_how_long_a_stage_of_the_graph_took_is_kept_with_where_and_from_which_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(git, "commit", lambda: ("a" * 40, True))
    kept = run_stage(monkeypatch, tmp_path, lambda: time.sleep(0.11), "train@mnist")
    assert list(kept) == ["train@mnist"]
    assert set(kept["train@mnist"]) == {"name", "seconds", "parts", "started", "host", "commit", "clean"}
    assert kept["train@mnist"]["seconds"] >= 0.1
    assert datetime.fromisoformat(kept["train@mnist"]["started"]).utcoffset() is not None
    assert (kept["train@mnist"]["commit"], kept["train@mnist"]["clean"]) == ("a" * 40, True)


def test_the_commit_kept_is_that_of_the_beginning(monkeypatch, tmp_path):
    monkeypatch.setattr(git, "commit", lambda: ("a" * 40, True))

    def main() -> None:
        monkeypatch.setattr(git, "commit", lambda: ("b" * 40, False))
    assert run_stage(monkeypatch, tmp_path, main, "train@mnist")["train@mnist"]["commit"] == "a" * 40


def test_what_dvc_did_not_start_is_no_stage_and_leaves_nothing(monkeypatch, tmp_path):
    assert run_stage(monkeypatch, tmp_path, lambda: None, None) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_fails_leaves_no_duration(monkeypatch, tmp_path):
    def main() -> None:
        raise DataError("torn")
    with pytest.raises(SystemExit):
        run_stage(monkeypatch, tmp_path, main, "train@mnist")
    assert run_log.read("stages") == {}
