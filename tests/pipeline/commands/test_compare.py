"""Two revisions on one page, of a small repository by real git and DVC."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from gan.errors import DataError, ReproductionError
from pipeline.commands import compare
from pipeline.commands.compare import Revision

HOSTILE = "<script>alert('x')</script>"
GRAPH = """
stages:
  figures:
    foreach: [mnist, mnist_kmeans]
    do:
      cmd: mkdir -p reports/figures/${item} && cp drawn/${item}/* reports/figures/${item}/
      deps: ["drawn/${item}"]
      outs: ["reports/figures/${item}"]
"""


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def entry(test: float, error: float, **others: Any) -> dict[str, Any]:
    return {"test_log_likelihood": test, "standard_error": error, "profile": "cpu", **others}


def write(metrics: dict[str, Any], parameters: dict[str, Any], drawn: dict[str, bytes]) -> None:
    Path("reports").mkdir(exist_ok=True)
    Path("reports/metrics.json").write_text(json.dumps(metrics))
    Path("params.yaml").write_text(json.dumps(parameters))  # JSON is YAML
    for name, content in drawn.items():
        path = Path("drawn") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with Repo() as repo:
        repo.reproduce()


def commit(message: str, tag: str) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", message)
    git("tag", tag)


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    """Tags `first` and `second`, where everything that can differ does, and a DVC experiment `tried`."""
    root, here = tmp_path_factory.mktemp("history"), Path.cwd()
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "DVC_NO_ANALYTICS": "1",
                "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
                **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.chdir(root)
        git("init", "--quiet", "--initial-branch", "main")
        Repo.init().close()
        Path(".gitignore").write_text("/reports/figures/\n/comparison/\n")
        Path("dvc.yaml").write_text(GRAPH)
        write({"mnist": entry(130.0, 3.0, epoch=10, ema=entry(200.0, 2.0))},
              {"profile": "cpu", "epochs": 10, "gone": 1},
              {"mnist/a.png": b"old", "mnist/same.png": b"same", "mnist_kmeans/k.png": b"unmeasured"})
        commit("Begin", "first")
        write({"mnist": entry(134.0, 4.0, epoch=20, ema=entry(200.0, 2.0)), "mnist_kmeans": entry(-5.0, 1.0),
               HOSTILE: entry(1.0, 1.0, profile=HOSTILE)},
              {"profile": "cpu", "epochs": 20, HOSTILE: HOSTILE},
              {"mnist/a.png": b"new", "mnist/b.png": b"another"})
        commit(f"Go on {HOSTILE}", "second")
        Path("params.yaml").write_text(json.dumps({"profile": "cpu", "epochs": 30}))
        with Repo() as repo:
            repo.experiments.save(name="tried")
        git("checkout", "--quiet", "--", "params.yaml")
    assert Path.cwd() == here
    return root


@pytest.fixture
def repository(history, tmp_path, monkeypatch) -> Path:
    """A copy of it, to go to and to spoil."""
    shutil.copytree(history, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return tmp_path / "copy"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page(a: str, b: str) -> Page:
    compare.main(a, b)
    return Page(compare.PAGE.read_text())


def compared(a: str, b: str) -> compare.Comparison:
    return compare.compare(Revision.find(a), Revision.find(b))


def test_the_numbers_are_where_the_plan_of_each_revision_has_them(repository):
    Path("plan.yaml").write_text("run: {reports: reports/smoke}\n")
    Path("reports/smoke").mkdir()
    metrics = json.dumps({"mnist": entry(3.0, 1.0)})
    Path("reports/smoke/metrics.json").write_text(metrics)
    found = compared("first", "workspace")
    assert found.metrics == {}
    row = found.rows[0]
    assert row.a
    assert row.b
    assert (row.a["test_log_likelihood"], row.b["test_log_likelihood"]) == (130.0, 3.0)
    for spoilt in ("run: 1\n", "[", ""):
        Path("plan.yaml").write_text(spoilt)
        assert Revision.find("workspace").metrics_file == "reports/metrics.json"


def test_everything_that_differs_is_found(repository):
    found = compared("first", "second")
    by_row = {(row.experiment, row.variant): (row.difference, row.in_errors) for row in found.rows}
    assert by_row == {("mnist", "raw"): (4, pytest.approx(4 / 5)), ("mnist", "ema"): (0, 0),
                      ("mnist_kmeans", "raw"): (None, None), (HOSTILE, "raw"): (None, None)}
    assert found.parameters == {"epochs": (10, 20), "gone": (1, None), HOSTILE: (None, HOSTILE)}
    assert found.metrics == {"mnist.epoch": (10, 20), "mnist.standard_error": (3, 4),
                             "mnist.test_log_likelihood": (130, 134)}
    assert [(out.stage, out.path) for out in found.outputs] == [("figures@mnist", "reports/figures/mnist")]
    assert found.same_outputs == 1
    assert found.outputs[0].a != found.outputs[0].b
    assert all(re.fullmatch(r"[0-9a-f]{32}\.dir", digest) for digest in (found.outputs[0].a, found.outputs[0].b))


def test_figures_of_both_stand_side_by_side_and_equal_ones_once(repository):
    pairs = {pair.name: pair for pair in compared("first", "second").figures["mnist"]}
    content = {name: [base64.b64decode(source.partition(",")[2]) for source in (pair.a, pair.b)]
               for name, pair in pairs.items()}
    assert content == {"a.png": [b"old", b"new"], "same.png": [b"same", b"same"], "b.png": [b"", b"another"]}
    assert [pair.name for pair in pairs.values() if pair.same] == ["same.png"]
    assert (pairs["b.png"].lacking_a, pairs["b.png"].lacking_b) == ("not drawn in this revision", "")
    assert len([tag for tag, _ in page("first", "second").tags if tag == "img"]) == 2 + 1 + 1 + 1  # and that of k-means


def test_figures_of_an_experiment_that_a_revision_did_not_measure_are_not_shown_for_it(repository):
    pair, = compared("first", "second").figures["mnist_kmeans"]
    assert (pair.a, pair.lacking_a) == ("", "not drawn in this revision")
    assert pair.b


def test_the_page_says_so_and_whatever_users_can_name_is_escaped(repository):
    shown = page("first", "second")
    for words in ("130.0 ± 3.0", "134.0 ± 4.0", "+4.0", "+0.8", "the same", "−5.0 ± 1.0", "not measured", "Begin",
                  f"Go on {HOSTILE}", "dvc params diff", "epochs 10 20"):
        assert words in shown.text
    assert "<script" not in compare.PAGE.read_text()
    assert shown.text.count(HOSTILE) >= 5  # a message, an experiment, a profile, a parameter and its value


def test_the_page_needs_nothing_else(repository):
    shown = page("first", "second")
    assert not {"script", "link", "iframe"} & {tag for tag, _ in shown.tags}
    assert all(str(attributes["src"]).startswith("data:image/png;base64,")
               for tag, attributes in shown.tags if tag == "img")
    assert all(attributes["alt"] for tag, attributes in shown.tags if tag == "img")
    assert all(str(attributes["href"]).startswith("#") for tag, attributes in shown.tags if tag == "a")
    assert not re.search(r"url\(|@import", compare.PAGE.read_text())
    ids = {attributes["id"] for _, attributes in shown.tags if "id" in attributes}
    named = {attributes["aria-labelledby"] for _, attributes in shown.tags if "aria-labelledby" in attributes}
    assert named <= ids


def test_a_second_page_is_the_same_to_the_byte_and_tracked_by_nobody(repository):
    compare.main("first", "second")
    before = compare.PAGE.read_bytes()
    compare.main("first", "second")
    assert compare.PAGE.read_bytes() == before
    assert subprocess.run(["git", "status", "--porcelain"], capture_output=True, check=True).stdout == b""


def test_the_workspace_is_compared_as_it_is(repository):
    Path("params.yaml").write_text(json.dumps({"profile": "smoke", "epochs": 20, HOSTILE: HOSTILE}))
    (repository / "reports/figures/mnist/a.png").unlink()  # perhaps a link into the cache
    (repository / "reports/figures/mnist/a.png").write_bytes(b"by hand")
    found = compared("HEAD", "workspace")
    assert found.parameters == {"profile": ("cpu", "smoke")}
    assert (found.outputs, found.metrics) == ([], {})
    pair = next(pair for pair in found.figures["mnist"] if pair.name == "a.png")
    assert base64.b64decode(pair.b.partition(",")[2]) == b"by hand"
    assert compared("workspace", "HEAD").parameters == {"profile": ("smoke", "cpu")}


def test_a_dvc_experiment_goes_by_its_name(repository):
    found = compared("second", "tried")
    assert found.parameters == {"epochs": (20, 30), HOSTILE: (HOSTILE, None)}
    assert found.b.title == f"tried ({found.b.commit[:10]})"


def test_without_the_cache_numbers_are_there_and_each_picture_says_how_to_get_it(repository):
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("reports/figures")
    shown = page("first", "second")
    assert "130.0 ± 3.0" in shown.text
    commit = Revision.find("first").commit[:10]
    assert "dvc fetch --all-commits reports/figures/mnist fetches it from a remote" in shown.text
    assert f"git checkout {commit} && dvc repro makes it again" in shown.text
    assert not [tag for tag, _ in shown.tags if tag == "img"]


@pytest.mark.parametrize("name", ["third", "", "--help", "first..second", HOSTILE])
def test_an_unknown_revision_is_named_with_what_to_do(repository, name):
    with pytest.raises(ReproductionError, match=r"there is no revision .* to compare[\s\S]*git log") as error:
        compare.main("first", name)
    assert repr(name) in str(error.value)
    assert not compare.PAGE.exists()


def test_outside_of_a_repository_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReproductionError, match="there is no revision 'HEAD'"):
        compare.main()


@pytest.mark.parametrize("path", ["reports/metrics.json", "dvc.lock"])
def test_a_file_that_cannot_be_read_is_named_with_its_revision(repository, path):
    Path(path).write_text("{'")
    with pytest.raises(DataError, match=rf"{path} of workspace cannot be read"):
        compared("first", "workspace")


def test_what_is_done_and_what_differs_is_printed(repository, capsys):
    compare.main("first", "second")
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "compare      looking up first and second; nothing is run or checked out"
    assert "compare      figures of mnist (1 of 2)" in said
    assert "differs      mnist raw: 130.0 ± 3.0 and 134.0 ± 4.0 nats, +4.0" in said
    assert "differs      epochs: 10 and 20" in said
    assert "the same     1 of 4 rows; measured in one revision only: 2; outputs of stages: 1 differ, 1 do not" in said


def test_what_differs_stands_first_the_largest_difference_before_all_and_what_was_not_measured_last_and_folded():
    def row(name: str, a: float | None, b: float | None, error: float = 1.0) -> compare.Row:
        return compare.Row(name, "raw", *(None if score is None else entry(score, error) for score in (a, b)))

    nobody = Revision("first", "", "", "", None)
    found = compare.Comparison(nobody, nobody, [
        row("lacking", None, 1.0), row("small", 1.0, 2.0), row("same", 3.0, 3.0), row("large", 1.0, -9.0),
        row("uncertain", 1.0, 21.0, error=100.0)], {}, {}, [], 0)
    assert [each.experiment for each in found.differing] == ["large", "small", "uncertain"]
    text = compare.render(found)
    places = [text.index(f'<th scope="row">{name}</th>') for name in ("large", "small", "uncertain", "same", "lacking")]
    assert places == sorted(places)
    unfolded = re.sub(r"<details>.*?</details>", "", text, flags=re.S)
    assert all(f'<th scope="row">{name}</th>' in unfolded for name in ("large", "small"))
    assert not any(f'<th scope="row">{name}</th>' in unfolded for name in ("same", "lacking"))


def test_images_for_the_report_to_cut_apart_are_no_figures(repository):
    folder = Path("reports/figures/mnist")
    (folder / "pairs-raw.png").write_bytes(b"strip")
    (folder / "pairs-raw.json").write_text("{}")
    assert set(Revision.find("workspace").figures(folder.as_posix())) == {"a.png", "b.png", "same.png"}
