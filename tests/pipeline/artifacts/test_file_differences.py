"""pipeline.artifacts.file_differences: two files differ in what is said, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.artifacts.file_differences import difference, same
from pipeline.runtime.files import write_tensors


def pair(folder: Path, name: str, ours: str, theirs: str) -> tuple[Path, Path]:
    paths = folder / "ours" / name, folder / "theirs" / name
    for path, text in zip(paths, (ours, theirs), strict=True):
        path.parent.mkdir()
        path.write_text(text)
    return paths


@pytest.mark.parametrize(("name", "ours", "theirs", "said"), [
    ("a.json", '{"seeds": [{"epoch": 3, "x": 1}]}', '{"seeds": [{"epoch": 4, "x": 1}]}', "seeds[0].epoch: 3, 4"),
    ("a.json", '{"a": 1, "b": null}', '{"a": 1}', "b: null, nothing"),
    ("a.json", "[1, 2]", "[1, 2, 3]", "[2]: nothing, 3"),
    ("a.json", '{"a": 1}', '{"a": 1.0}', "a: 1, 1.0"),
    ("a.json", '{"a": 1}', '{ "a": 1}', "written differently, equal in content"),
    ("a.json", str([0] * 9), str([1] * 9),
     "[0]: 0, 1; [1]: 0, 1; [2]: 0, 1; [3]: 0, 1; [4]: 0, 1; and 4 more"),
    ("a.csv", "seed,loss\n1,0.5\n2,0.25\n", "seed,loss\n1,0.5\n2,0.26\n", "line 3, loss: 0.25, 0.26"),
    ("a.csv", "seed,loss\n1,0.5\n", "seed,loss\n", "line 2, seed: 1, nothing"),
    ("a.png", "abcd", "abxdef", "from byte 2 on; 4 bytes, 6 bytes"),
    ("a.json", "no JSON", "no json", "from byte 3 on; 7 bytes, 7 bytes"),
    ("a.html", "<p>one</p>\n<p>two</p>", "<p>one</p>\n<p>three</p>",
     "outside what varies, line 2: <p>two</p>, <p>three</p>")])
def test_what_differs_is_said(tmp_path, name, ours, theirs, said):
    one, other = pair(tmp_path, name, ours, theirs)
    assert not same(one, other)
    assert difference(one, other) == said


def test_the_same_bytes_are_the_same(tmp_path):
    assert same(*pair(tmp_path, "a.bin", "abc", "abc"))


def test_tensors_are_named_with_the_largest_difference(tmp_path):
    one, other = tmp_path / "one.safetensors", tmp_path / "other.safetensors"
    write_tensors(one, {"equal": torch.ones(3), "w": torch.tensor([1.0, 2.0]), "shape": torch.ones(3),
                        "gone": torch.ones(1)}, {"epoch": 3})
    write_tensors(other, {"equal": torch.ones(3), "w": torch.tensor([1.5, 1.75]), "shape": torch.ones(2),
                          "new": torch.ones(1)}, {"epoch": 4})
    assert not same(one, other)
    assert set(difference(one, other).split("; ")) == {
        "header epoch: 3, 4", "w: by 0.5 at most", "gone: here alone", "new: there alone",
        "shape: float32 [3], float32 [2]"}


def test_a_page_is_compared_without_what_it_marks_as_varying(tmp_path):
    page = "<dl><dd data-varies>{}<b>x</b><br></dd><dd>c</dd></dl>"
    one, other = pair(tmp_path, "index.html", page.format("a"), page.format("b<span></span>"))
    assert same(one, other)
    other.write_text(page.format("b").replace(">c<", ">d<"))
    assert not same(one, other)
    assert "<dd>c</dd>" in difference(one, other)
