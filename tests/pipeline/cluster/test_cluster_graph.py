"""What is done, what can be restored, and what a worker must be told, on a graph that real `dvc` runs."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from gan.errors import ReproductionError
from pipeline.cluster.graph import Graph


def graph_of(repository, remote=False):
    return Graph(repository.root, remote)


def test_stages_come_after_what_they_need_and_those_that_git_has_outputs_of_stay_here(repository):
    graph = graph_of(repository)
    order = list(graph)
    assert sorted(order) == ["gathered", "one", "side", "two"]
    assert all(order.index(need) < order.index(name) for name in order for need in graph.needs[name])
    assert graph.here == {"gathered"}
    assert graph.ancestors("gathered") == {"one", "two", "side"}


def test_nothing_is_done_at_first_and_everything_after_dvc_repro(repository):
    assert not graph_of(repository).settle("one")
    repository.dvc("repro")
    graph = graph_of(repository)
    assert [graph.settle(name) for name in ("one", "two", "side")] == [True] * 3


def test_outputs_of_older_inputs_are_never_taken_for_a_result(reproduced):
    reproduced.write("input.txt", "other\n")
    graph = graph_of(reproduced)
    assert not graph.settle("one")
    graph.key("one")  # DVC would compare with what it was told last
    assert not graph.settle("one")
    assert "one.txt" in (reproduced.root / "dvc.yaml").read_text()


def test_what_the_run_cache_knows_is_restored_and_lock_and_graph_follow_the_content(reproduced):
    before = (reproduced.root / "dvc.lock").read_bytes()
    reproduced.write("input.txt", "other\n")
    reproduced.dvc("repro")
    reproduced.write("input.txt", "in\n")
    graph = graph_of(reproduced)
    assert graph.settle("one")
    assert graph.settle("two")
    assert (reproduced.root / "two.txt").read_text() == "in\nin\n"
    locked = YAML(typ="safe").load(graph.lock("gathered"))["stages"]
    wanted = YAML(typ="safe").load(before.decode())["stages"]
    assert locked == {name: wanted[name] for name in ("one", "two", "side")}


def test_lost_data_comes_back_from_the_cache(reproduced):
    (reproduced.root / "one.txt").unlink()
    assert graph_of(reproduced).settle("one")
    assert (reproduced.root / "one.txt").read_text() == "in\n"


def test_lost_data_that_the_cache_has_not_either_is_to_be_made_again(reproduced):
    reproduced.run("rm", "-r", ".dvc/cache", "one.txt")
    assert not graph_of(reproduced).settle("one")


def test_a_worker_is_told_what_it_reads_of_other_stages_and_nothing_of_its_own(repository):
    graph = graph_of(repository)
    assert graph.inputs("one") == []
    assert graph.inputs("two") == ["one.txt"]
    repository.dvc("repro")
    graph = graph_of(repository)
    assert list(YAML(typ="safe").load(graph.lock("two"))["stages"]) == ["one"]


def test_another_clone_takes_everything_from_the_remote(repository, tmp_path):
    repository.dvc("remote", "add", "--default", "shared", str(tmp_path / "remote"))
    repository.dvc("repro")
    repository.commit()
    repository.dvc("push", "--run-cache")
    second = repository.clone(tmp_path / "second")
    (second.root / "dvc.lock").unlink()  # nothing but the run cache knows
    graph = Graph(second.root, remote=True)
    graph.take_run_cache()
    assert [graph.settle(name) for name in ("one", "two", "side")] == [True] * 3
    assert (second.root / "two.txt").read_text() == "in\nin\n"


def test_no_remote_is_an_error_with_the_cure(repository):
    with pytest.raises(ReproductionError, match=r"no DVC remote[\s\S]*dvc remote add --default"):
        Graph(repository.root, remote=True)


def test_a_remote_that_keeps_no_run_cache_is_refused(repository):
    repository.dvc("remote", "add", "--default", "web", "http://127.0.0.1:9/gan")
    with pytest.raises(ReproductionError, match=r"'web' keeps no run cache[\s\S]*any other kind than HTTP"):
        Graph(repository.root, remote=True)


def test_a_remote_that_cannot_be_written_is_refused(repository, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    repository.dvc("remote", "add", "--default", "shared", str(tmp_path / "file/remote"))
    with pytest.raises(ReproductionError, match="'shared' cannot be written"):
        Graph(repository.root, remote=True)


def test_a_graph_that_dvc_cannot_read_is_an_error(repository):
    repository.write("dvc.yaml", "stages: [1]\n")
    with pytest.raises(ReproductionError, match="DVC cannot read the graph"):
        Graph(repository.root, remote=False)


def test_records_outside_the_run_cache_are_refused(repository):
    graph = graph_of(repository)
    for path in ("../config", "runs/../../config", "files/md5/aa"):
        with pytest.raises(ReproductionError, match="outside the run cache"):
            graph.accept({path: ""})
