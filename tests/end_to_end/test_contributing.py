"""CONTRIBUTING.md's recipes for new data sets, done as they stand there, by real DVC in a clone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clone import REPORTS, ROOT, Clone, make_clone
from PIL import Image
from ruamel.yaml import YAML
from sklearn.datasets import load_digits

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]


def block(language: str) -> str:
    """The only code block of its language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M)
    return str(found)


def enter(clone: Clone, entries: dict[str, Any]) -> None:
    """Add entries to blocks of params.yaml."""
    yaml, path = YAML(), clone.root / "params.yaml"
    content = yaml.load(path.read_text())
    for name, entry in entries.items():
        content[name].update(entry)
    with path.open("w") as file:
        yaml.dump(content, file)


@pytest.fixture(scope="module")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 500 images in four formats, modes and sizes, in nested folders; and 500 fields in one array."""
    folder = tmp_path_factory.mktemp("own data")
    digits = (load_digits().images[:500] * 15.9375).astype(np.uint8)
    for i, pixels in enumerate(digits):
        image = Image.fromarray(pixels).convert(("L", "RGB", "RGBA", "P")[i % 4])
        image = image.resize(((8, 8), (16, 16), (24, 16))[i % 3])
        path = folder / "photos" / f"kind {i % 5}" / f"{i}.{('png', 'bmp', 'png', 'gif')[i % 4]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    np.save(folder / "fields.npy", digits)
    return folder


def test_a_folder_of_images_and_a_module_of_ones_own_become_data_sets(tmp_path, own_data):
    clone = make_clone(tmp_path / "clone")
    clone = Clone(clone.root, {**clone.environment, "GAN_DATA": str(own_data), "GAN_PROFILE": "smoke",
                               "GAN_EXPERIMENTS": "photos fields"})
    enter(clone, YAML(typ="safe").load(block("yaml")))
    (clone.root / "gan/datasets/fields.py").write_text(block("python"))
    package = clone.root / "gan/datasets/registry.py"
    text = package.read_text().replace("from gan.datasets.image_folder import ",
                                       "from gan.datasets.fields import Fields\nfrom gan.datasets.image_folder import ")
    package.write_text(re.sub(r"^(DatasetSettings = .*)$", r"\1 | Fields", text, flags=re.M))
    enter(clone, {"datasets": {"fields": {"loader": "fields", "file": "fields.npy"}},
                  "experiments": {"fields": {
                      "title": "Training images", "dataset": "fields", "runs_in": ["smoke"],
                      "train": {"seeds": [1], "model": {"kind": "training_images"}},
                      "figures": {"rows": 2, "columns": 3, "interpolations": 1, "steps": 2}}}})
    said = clone.verb("plan")
    assert re.search(r"^data +photos: found in ", said, re.M)
    clone.repro()
    metrics = clone.metrics()
    assert metrics.keys() == {"photos", "fields"}
    assert metrics["photos"]["note"] == "photographs of our own"
    assert [len(metrics[name]["seeds"]) for name in metrics] == [2, 1]
    assert metrics["fields"]["test_log_likelihood"] > metrics["photos"]["test_log_likelihood"]
    evaluation = json.loads((clone.root / "artifacts/photos/evaluation.json").read_text())
    assert (evaluation["dimensions"], evaluation["test_images"]) == (64, 100)
    assert "photographs of our own" in (clone.root / REPORTS / "index.html").read_text()
    assert clone.repro() == set()
    clone.run("ruff", "check", "gan/datasets/fields.py")
    # What `make types` has found of torch and the rest is taken from there, if it has run here.
    clone.run("python", "-m", "mypy", "gan/datasets/fields.py", MYPY_CACHE_DIR=str(ROOT / ".mypy_cache"))
