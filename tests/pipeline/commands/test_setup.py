"""pipeline.commands.setup: when an environment is made, when it is left alone, and what is never emptied."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from gan.errors import ReproductionError
from pipeline.commands import setup

ROOT = Path(__file__).parents[3]
ENVIRONMENT = Path(".venv")
COPIED = re.findall(r"^COPY --chown=gan (\S.*) (\S+)$", (ROOT / "Dockerfile").read_text(), re.M)
"""By Dockerfile, what is there before `make setup`"""


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A folder with a lock, and the number of environments made there by what takes the place of venv and pip."""
    monkeypatch.chdir(tmp_path)
    setup.LOCK.write_text("one==1.0 --hash=sha256:00\n")
    made: list[Path] = []

    def make(environment: Path, lock: int) -> None:
        (environment / "pyvenv.cfg").touch()
        (environment / "bin").mkdir()
        (environment / "bin/python").symlink_to(sys.executable)
        made.append(environment)

    monkeypatch.setattr(setup, "make", make)
    return made


# When.

def test_one_that_is_complete_is_left_alone_whatever_the_clock_says(checkout):
    setup.main(ENVIRONMENT)
    (ENVIRONMENT / "of mine").touch()
    os.utime(setup.LOCK, (2e9, 2e9))
    os.utime(ENVIRONMENT / setup.COMPLETE, (1e9, 1e9))
    setup.main(ENVIRONMENT)
    assert (len(checkout), (ENVIRONMENT / "of mine").exists()) == (1, True)


def test_the_mark_is_what_sha256sum_prints():
    setup.main(ENVIRONMENT)
    printed = subprocess.run(["sha256sum", "requirements.lock"], capture_output=True, text=True, check=True).stdout
    assert (ENVIRONMENT / setup.COMPLETE).read_text() == printed


def test_another_lock_makes_another_one_and_nothing_of_the_old_is_left(checkout):
    setup.main(ENVIRONMENT)
    (ENVIRONMENT / "lib/old").mkdir(parents=True)
    moment = setup.LOCK.stat()
    setup.LOCK.write_text("one==1.1 --hash=sha256:00\n")
    os.utime(setup.LOCK, ns=(moment.st_atime_ns, moment.st_mtime_ns))
    setup.main(ENVIRONMENT)
    assert (len(checkout), (ENVIRONMENT / "lib").exists()) == (2, False)


@pytest.mark.parametrize("mark", ["", "no digest\n", None])
def test_one_whose_set_up_was_interrupted_is_made_anew(checkout, mark):
    ENVIRONMENT.mkdir()
    (ENVIRONMENT / "pyvenv.cfg").write_text("half of it")
    if mark is not None:
        (ENVIRONMENT / setup.COMPLETE).write_text(mark)
    setup.main(ENVIRONMENT)
    assert len(checkout) == 1
    assert (ENVIRONMENT / "pyvenv.cfg").read_text() == ""


def test_one_that_was_interrupted_before_python_was_there_is_made_anew(checkout):
    ENVIRONMENT.mkdir()
    (ENVIRONMENT / setup.BEGUN).touch()
    (ENVIRONMENT / "bin").mkdir()
    setup.main(ENVIRONMENT)
    assert len(checkout) == 1


def test_a_set_up_that_fails_leaves_no_mark_and_the_next_begins_anew(checkout, monkeypatch):
    setup.main(ENVIRONMENT)
    setup.LOCK.write_text("two==1.0 --hash=sha256:00\n")
    works = setup.make

    def fails(environment: Path, lock: int) -> None:
        (environment / "half").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "make", fails)
    with pytest.raises(KeyboardInterrupt):
        setup.main(ENVIRONMENT)
    assert not (ENVIRONMENT / setup.COMPLETE).exists()
    monkeypatch.setattr(setup, "make", works)
    setup.main(ENVIRONMENT)
    assert (len(checkout), (ENVIRONMENT / "half").exists()) == (2, False)


def test_one_whose_python_has_gone_is_made_anew(checkout):
    setup.main(ENVIRONMENT)
    (ENVIRONMENT / "bin/python").unlink()
    (ENVIRONMENT / "bin/python").symlink_to("/usr/bin/python2.0")
    setup.main(ENVIRONMENT)
    assert len(checkout) == 2


def test_without_a_lock_that_is_said(checkout):
    setup.LOCK.unlink()
    with pytest.raises(ReproductionError, match=r"requirements\.lock cannot be read[\s\S]*git checkout"):
        setup.main(ENVIRONMENT)
    assert checkout == []


# What is never emptied.

def test_what_a_symbolic_link_leads_to_is_used_or_refused_and_never_changed(checkout, tmp_path_factory):
    """In a fresh clone whose .venv links to a shared environment, that environment was emptied."""
    shared = tmp_path_factory.mktemp("shared") / ".venv"
    setup.main(shared)
    ENVIRONMENT.symlink_to(shared)
    setup.main(ENVIRONMENT)  # made from the same lock
    assert len(checkout) == 1
    setup.LOCK.write_text("two==2.0 --hash=sha256:00\n")
    before = sorted(shared.rglob("*"))
    with pytest.raises(ReproductionError) as refused:
        setup.main(ENVIRONMENT)
    assert ".venv is a symbolic link" in str(refused.value)
    assert str(shared) in str(refused.value)
    assert (sorted(shared.rglob("*")), len(checkout)) == (before, 1)
    said = re.search(r"`(sha256sum [^`]*)`", str(refused.value))
    assert said
    subprocess.run(said[1], shell=True, check=True)  # what it says to do if all is installed there
    setup.main(ENVIRONMENT)
    assert len(checkout) == 1


def test_a_link_that_leads_nowhere_is_refused(checkout):
    ENVIRONMENT.symlink_to("/nowhere/at/all")
    with pytest.raises(ReproductionError, match="symbolic link"):
        setup.main(ENVIRONMENT)
    assert ENVIRONMENT.is_symlink()


def test_links_within_it_go_and_what_they_lead_to_stays(checkout, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").touch()
    setup.main(ENVIRONMENT)
    (ENVIRONMENT / "lib").symlink_to(elsewhere)
    setup.LOCK.write_text("two==2.0 --hash=sha256:00\n")
    setup.main(ENVIRONMENT)
    assert not (ENVIRONMENT / "lib").exists()
    assert (elsewhere / "kept").exists()


@pytest.mark.parametrize("make", [lambda path: path.write_text("mine"),
                                  lambda path: (path.mkdir(), (path / "thesis.tex").write_text("mine"))])
def test_what_is_no_environment_is_refused(checkout, make):
    make(ENVIRONMENT)
    with pytest.raises(ReproductionError, match=r"\.venv is in the way[\s\S]*move"):
        setup.main(ENVIRONMENT)
    assert checkout == []
    assert ENVIRONMENT.is_file() or (ENVIRONMENT / "thesis.tex").read_text() == "mine"


def test_a_second_set_up_waits_and_finds_it_done(checkout):
    setup.main(ENVIRONMENT)
    shutil.copy(ENVIRONMENT / setup.COMPLETE, "kept")
    (ENVIRONMENT / setup.COMPLETE).unlink()
    folder = os.open(ENVIRONMENT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    second = subprocess.Popen([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
                               "from pathlib import Path\nfrom pipeline.commands import setup\n"
                               "setup.main(Path('.venv'))"], stdout=subprocess.PIPE, text=True)
    try:
        assert second.stdout
        assert "waiting for it" in second.stdout.readline()
        shutil.copy("kept", ENVIRONMENT / setup.COMPLETE)
    finally:
        os.close(folder)
    assert second.wait(30) == 0
    assert second.stdout.read() == ""


# What is said meanwhile.

def test_progress_by_what_pip_prints(tmp_path):
    (tmp_path / "tmp").mkdir()
    progress = setup.Progress(tmp_path, setup.pinned("a==1 \\\n    --hash=sha256:0\nb-c==2 ; x\nd==3\n"))
    assert progress.total == 3
    progress.read("Ignoring d: markers 'sys_platform == \"win32\"' don't match your environment")
    progress.read("Collecting a==1 (from -r requirements.lock (line 1))")
    assert progress.text() == "collected 1 of 2 packages: a"
    progress.read("Downloading a-1-py3-none-any.whl (870.1 MB)")
    (tmp_path / "tmp/a.whl").write_bytes(bytes(3_000_000))
    assert progress.text() == "collected 1 of 2 packages: a, 870.1 MB, 3 MB of files being loaded"
    progress.read("Collecting b-c==2 (from -r requirements.lock (line 3))")
    assert progress.text().startswith("collected 2 of 2 packages: b-c,")
    progress.read("Installing collected packages: a, b-c")
    site = tmp_path / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    assert progress.text() == "installed 0 of 2 packages"
    (site / "a-1.dist-info").mkdir()
    assert progress.text() == "installed 1 of 2 packages"


def test_all_pins_of_the_committed_lock_are_counted():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    names = setup.pinned("\n".join(lines))
    assert len(names) == sum(line[:1].isalnum() for line in lines)
    assert {"torch", "dvc", "mlflow"} <= set(names)


# For real: venv, pip, make, signals.

def wheel(folder: Path) -> str:
    """A package of one module, and its line in a lock."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    files = {"tiny.py": "VALUE = 7\n",
             "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
             "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{name},,\n" for name in [*files, "tiny-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in {**files, "tiny-1.0.dist-info/RECORD": record}.items():
            packed.writestr(name, text)
    return f"tiny==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def variables(**more: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GAN_", "PIP_", "MAKE"))}
    return {**ours, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", **more}


@pytest.fixture
def dockerfile(tmp_path):
    """A folder with what Dockerfile copies before it runs `make setup`, and a lock of one small package."""
    for words, place in COPIED:
        for name in words.split():
            if name != ".":
                (tmp_path / place).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, tmp_path / place)
    (tmp_path / "wheels").mkdir()
    setup.LOCK.write_text(wheel(tmp_path / "wheels"))
    return tmp_path


SET_UP = [sys.executable, "-m", "pipeline.commands.setup", ".venv"]
"""As the Dockerfile calls it"""


def test_set_up_installs_the_lock_with_what_the_dockerfile_has_copied(dockerfile):
    offline = variables(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(dockerfile / "wheels"))
    subprocess.run(SET_UP, env=offline, check=True, timeout=200)
    assert subprocess.run([ENVIRONMENT / "bin/python", "-c", "import tiny; print(tiny.VALUE)"], capture_output=True,
                          text=True, check=True).stdout == "7\n"
    moment = (ENVIRONMENT / "pyvenv.cfg").stat().st_mtime_ns
    setup.LOCK.touch()
    again = subprocess.run(SET_UP, env=offline, capture_output=True, text=True, check=True, timeout=60)
    assert (again.stdout, (ENVIRONMENT / "pyvenv.cfg").stat().st_mtime_ns) == ("", moment)


# The same with programs in the place of venv and pip.

PROGRAM = """
import sys
from pathlib import Path
from pipeline.commands import setup

def run(words, environment, lock, progress):
    if "venv" in words:
        (environment / "pyvenv.cfg").touch()
        (environment / "bin").mkdir()
        (environment / "bin/python").write_text(sys.argv[1])
        (environment / "bin/python").chmod(0o755)
    else:
        really_run(words, environment, lock, progress)

really_run, setup.run = setup.run, run
setup.command([".venv"])
"""
STOPPED_AT_ONCE = """
import os, signal, subprocess, time
from pipeline.commands import setup

class Popen(subprocess.Popen):
    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        if "pip" in str(given[0]):
            while not os.path.exists("begun"):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

setup.subprocess.Popen = Popen
"""
FAILS = "#!/bin/sh\necho 'Collecting one'; echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 3\n"
NEVER_ENDS = "#!/bin/sh\ntouch begun; exec sleep 600\n"


def start(pip: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, pip], env=variables(PYTHONPATH=str(ROOT)), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_pip_that_fails_is_told_with_what_it_said():
    process = start(FAILS)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: the set-up of .venv failed" in said
    assert "ended with 3:\n    Collecting one\n    ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n" in said
    assert "the same command begins anew" in said
    assert "Traceback" not in said
    assert not (ENVIRONMENT / setup.COMPLETE).exists()
    assert start("#!/bin/sh\n").wait(60) == 0
    assert setup.is_complete(ENVIRONMENT, setup.digest(setup.LOCK))


def wait_for(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_who_is_stopped_says_how_to_go_on_and_leaves_no_pip_behind(number, status):
    process = start(NEVER_ENDS)
    wait_for(Path("begun").exists)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said == "\nstopped; the same command begins the set-up anew\n"
    wait_for(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    assert not (ENVIRONMENT / setup.COMPLETE).exists()


def test_who_is_stopped_while_pip_is_being_started_leaves_none_behind():
    """It is there, and nobody has it in hand yet."""
    pip = "#!/bin/sh\ntouch begun; exec sleep 4321.25\n"
    process = subprocess.Popen([sys.executable, "-c", STOPPED_AT_ONCE + PROGRAM, pip],
                               env=variables(PYTHONPATH=str(ROOT)), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said == "\nstopped; the same command begins the set-up anew\n"
    left = [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "4321.25"]]
    for each in left:
        each.kill()
    assert not left


def test_a_pip_that_survives_its_set_up_is_waited_for():
    first = start(NEVER_ENDS)
    wait_for(Path("begun").exists)
    pip = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    second = start("#!/bin/sh\n")
    assert second.stdout
    assert "waiting for it" in second.stdout.readline()
    for process in pip:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert second.wait(60) == 0
