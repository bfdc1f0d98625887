"""plan.yaml: written the same for the same plan, read back as it was, and held against params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gan.errors import ParameterError, ReproductionError
from gan.lessons.catalogue import LESSONS
from pipeline.settings import parameters
from pipeline.settings import plan as plan_file
from pipeline.settings.plan import HEAD, Plan

ROOT = Path(__file__).parents[3]
PLANS = [Plan(["digits"], {"digits": "digits"}),
         Plan(["mnist", "digits"], {"mnist": "mnist", "digits": "digits"}, ["convergence"],
              {"honest_pictures": "mnist"}, {"mnist_kmeans": "no: room, # here"}),
         Plan(lessons=["convergence", "figure_1"], left_out={"mnist": "a long reason " * 20}),
         Plan()]
FITTING: dict[str, Any] = {
    "datasets": ["mnist", "digits"], "experiments": {"mnist": "mnist", "mnist_kmeans": "mnist", "digits": "digits"},
    "lessons": {name: lesson.data for name, lesson in LESSONS.items()}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.yaml"


# Written and read.

def test_the_committed_plan_is_as_it_is_written(file):
    committed = ROOT / "plan.yaml"
    Plan.read(committed).write(file)
    assert file.read_bytes() == committed.read_bytes()


def test_the_committed_plan_fits_the_committed_parameters(monkeypatch):
    monkeypatch.chdir(ROOT)
    checked = parameters.load()
    assert checked.plan == Plan.read()
    assert checked.plan.experiments == {name: checked.dataset_of(name) for name in checked.plan.experiments}


@pytest.mark.parametrize("plan", PLANS)
def test_what_is_written_is_read_back(file, plan):
    assert plan.write(file) is True
    assert Plan.read(file) == plan


@pytest.mark.parametrize("plan", PLANS)
def test_the_second_of_two_equal_writings_changes_nothing(file, plan):
    plan.write(file)
    before, moment = file.read_bytes(), file.stat().st_mtime_ns
    assert plan.write(file) is False
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (before, moment)


@given(st.dictionaries(st.from_regex(r"[a-z_0-9]{1,8}", fullmatch=True), st.text(st.characters(
    exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=200), max_size=3))
def test_any_name_and_reason_is_read_back(tmp_path_factory, left_out):
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    plan = Plan(list(left_out), dict.fromkeys(left_out, "digits"), left_out=left_out)
    plan.write(path)
    assert Plan.read(path) == plan
    assert plan.write(path) is False


def test_what_it_is_and_who_writes_it_stands_at_the_head(file):
    PLANS[0].write(file)
    assert file.read_text().startswith(HEAD)
    file.write_text(file.read_text().replace(HEAD, "# of my own\n"))
    assert PLANS[0].write(file) is True
    assert file.read_text().startswith(HEAD)


def test_each_experiment_and_each_reason_has_a_line_of_its_own(file):
    """A changed plan is then a small `git diff`."""
    PLANS[1].write(file)
    lines = file.read_text().splitlines()
    assert "    mnist: mnist" in lines
    assert "  mnist_kmeans: 'no: room, # here'" in lines
    PLANS[2].write(file)
    assert len(file.read_text().splitlines()) == len(HEAD.splitlines()) + 8


def test_another_plan_replaces_the_whole_file(file):
    PLANS[1].write(file)
    assert PLANS[0].write(file) is True
    assert Plan.read(file) == PLANS[0]


def test_dvc_reads_it_as_its_variables(file):
    """dvc.yaml names each key of `run`, and each is always there."""
    Plan().write(file)
    assert YAML(typ="safe").load(file.read_text()) == {
        "run": {"datasets": [], "experiments": {}, "lessons": [], "lessons_on_data": {}, "reports": "reports"},
        "left_out": {}}


def test_a_full_disk_leaves_the_file_as_it_was(file, monkeypatch):
    def full(path: Path, content: str) -> None:
        raise ReproductionError("cannot write")
    PLANS[1].write(file)
    before = file.read_bytes()
    monkeypatch.setattr(plan_file.files, "write_text", full)
    with pytest.raises(ReproductionError):
        PLANS[0].write(file)
    assert file.read_bytes() == before


def test_lesson_stages_are_named_as_in_the_graph():
    assert PLANS[1].lesson_stages == {"convergence": "lesson@convergence",
                                      "honest_pictures": "lesson_on_data@honest_pictures"}


# What is not right in a file.

@pytest.mark.parametrize(("content", "named"), [
    (b"", r"plan\.yaml is not a plan[\s\S]*`make plan`"),
    (b"- a\n", r"plan\.yaml is not a plan"),
    (b"left_out: {}\n", r"plan\.yaml is not a plan"),
    (b"run: [mnist]\n", r"plan\.yaml is not a plan"),
    (b"run: {", r"plan\.yaml is not YAML[\s\S]*`make plan`"),
    (b"run: \xff\xfe\n", r"plan\.yaml is not YAML"),
    (b"run: {datasets: mnist}\n", r"plan\.yaml: run\.datasets is not right[\s\S]*valid list[\s\S]*'mnist'"),
    (b"run: {experiments: [mnist]}\n", r"plan\.yaml: run\.experiments is not right"),
    (b"run: {experimnets: {}}\n", r"plan\.yaml: run\.experimnets: unknown key[\s\S]*did you mean 'experiments'"),
    (b"run: {}\nleft_out: {mnist: 3}\n", r"plan\.yaml: run\.left_out\.mnist is not right"),
])
def test_a_file_that_is_no_plan_is_an_error_with_a_remedy(file, content, named):
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=named):
        Plan.read(file)


def test_a_missing_file_says_what_writes_it(file):
    with pytest.raises(ParameterError, match=r"plan\.yaml is missing[\s\S]*`make plan`"):
        Plan.read(file)


def test_keys_that_are_missing_mean_that_there_is_nothing(file):
    file.write_text("run: {}\n")
    assert Plan.read(file) == Plan()


# What does not fit params.yaml.

@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_that_fits(plan):
    plan.require_fits(**FITTING)


@pytest.mark.parametrize("run", [
    {"datasets": ["mnist"], "experiments": {"mnist": "digits"}},
    {"datasets": ["digits"], "experiments": {"mnist": "mnist"}},
    {"datasets": [], "experiments": {"mnist": "mnist"}}])
def test_experiments_that_do_not_fit_their_data_sets_are_named_with_what_writes_it_anew(run):
    with pytest.raises(ParameterError, match=r"run\.experiments\.mnist does not fit[\s\S]*`make plan`"):
        Plan(**run).require_fits(**FITTING)


@pytest.mark.parametrize(("run", "named"), [
    ({"datasets": ["mnist", "mnsit"]}, r"plan\.yaml: run\.datasets: unknown data set 'mnsit'[\s\S]*mean 'mnist'"),
    ({"experiments": {"mnsit": "mnist"}}, r"plan\.yaml: run\.experiments: unknown experiment 'mnsit'[\s\S]*'mnist'"),
    ({"lessons": ["convergance"]}, r"run\.lessons: unknown lesson 'convergance'[\s\S]*did you mean 'convergence'"),
    ({"lessons": ["honest_pictures"]}, r"run\.lessons: unknown lesson"),
    ({"lessons_on_data": {"convergence": "mnist"}}, r"run\.lessons_on_data: unknown lesson"),
    ({"datasets": [], "lessons_on_data": {"honest_pictures": "mnist"}},
     r"run\.lessons_on_data\.honest_pictures does not fit[\s\S]*`make plan`"),
    ({"lessons_on_data": {"honest_pictures": "digits"}}, r"does not fit\n +expected: mnist, also")])
def test_what_params_yaml_lacks_is_named_with_the_nearest(run, named):
    with pytest.raises(ParameterError, match=named):
        Plan(**{"datasets": ["mnist"], **run}).require_fits(**FITTING)


def test_loading_the_parameters_holds_the_plan_against_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with pytest.raises(ParameterError, match=r"plan\.yaml is missing"):
        parameters.load()
    assert parameters.load(plan=False).plan == Plan()
    Plan(["mnist"], {"mnist": "mnist"}).write()
    assert parameters.load().plan.experiments == {"mnist": "mnist"}
    Plan(["mnist"], {"digits": "mnist"}).write()
    with pytest.raises(ParameterError, match=r"run\.experiments\.digits does not fit"):
        parameters.load()
    assert parameters.load(plan=False).plan == Plan()
