"""pipeline.runtime.process_lock: one process at a time, and no lock outlives its holder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.runtime.process_lock import holding
from pipeline.stages import configure, train

ROOT = Path(__file__).parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from pipeline.stages import configure, train
from pipeline.runtime.process_lock import holding
with holding(Path(sys.argv[1]), "work"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "some" / "work.lock")], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_which_one_goes_on_and_what_to_do(holder, tmp_path):
    with pytest.raises(ReproductionError) as raised, holding(tmp_path / "some" / "work.lock", "training of digits"):
        pytest.fail("held twice")
    message = str(raised.value)
    assert message.startswith("training of digits goes on in another process\n")
    assert f"process {holder.pid} ({sys.executable} -c " in message
    assert "since " in message
    assert "then run the same command again" in message


def test_a_holder_that_is_killed_leaves_no_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    with holding(tmp_path / "some" / "work.lock", "training of digits"):
        pass


def test_it_can_be_held_again_after_an_error_and_leaves_no_name_behind(tmp_path):
    path = tmp_path / "work.lock"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), holding(path, "work"):
            1 / (0 if list(tmp_path.glob("*.json")) else 1)
        assert not list(tmp_path.glob("*.json"))


def test_not_even_the_same_process_may_hold_it_twice(tmp_path):
    path = tmp_path / "work.lock"
    with holding(path, "work"):  # noqa: SIM117
        with pytest.raises(ReproductionError, match=f"process {os.getpid()} "), holding(path, "work"):
            pytest.fail("held twice")


def test_others_are_held_at_the_same_time(tmp_path):
    with holding(tmp_path / "one.lock", "work"), holding(tmp_path / "two.lock", "work"):
        assert len(list(tmp_path.glob("*.lock"))) == 2


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReproductionError, match="cannot make"), holding(tmp_path / "file" / "work.lock", "work"):
        pytest.fail("held")


def test_a_second_training_of_one_experiment_is_refused_and_leaves_the_checkpoints_of_the_first(digits):
    configure.main()
    folder = Path("checkpoints/digits")
    folder.mkdir(parents=True)
    (folder / "seed-1.safetensors").touch()
    with (holding(Path("checkpoints/digits.lock"), "training of digits"),
          pytest.raises(ReproductionError, match="training of digits goes on in another process")):
        train.main("digits")
    assert list(folder.iterdir()) == [folder / "seed-1.safetensors"]
    assert not list(Path("artifacts/digits").glob("*.csv"))
