"""plan.yaml: what `make plan` chose on this machine. dvc.yaml reads it as its variables; it shapes no result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError

from gan.errors import ParameterError
from gan.settings import ParameterBlock
from pipeline.runtime import files
from pipeline.runtime.names import require_known
from pipeline.settings.inheritance import SMOKE
from pipeline.settings.validation import read_block

FILE = Path("plan.yaml")
HEAD = """# What `make plan` chose on this machine: dvc.yaml has stages for it. The next plan overwrites any edit.
# What shapes a result is in params.yaml.

"""
REMEDY = "run `make plan`, which writes it"
COMMITTED = "reports"
REPORTS = {SMOKE: "reports/smoke"}
"""Where the page and the numbers of a profile go that measures nothing, beside those that git has in COMMITTED"""


@dataclass(frozen=True)
class Plan(ParameterBlock):
    """Data sets, experiments and lessons of the graph, and why others are not in it."""

    datasets: list[str] = field(default_factory=list)
    experiments: dict[str, str] = field(default_factory=dict)
    """each with its data set, which is how dvc.yaml knows it"""
    lessons: list[str] = field(default_factory=list)
    """those that need no data"""
    lessons_on_data: dict[str, str] = field(default_factory=dict)
    """each with its data set"""
    left_out: dict[str, str] = field(default_factory=dict)
    """the reason, by name"""
    reports: str = COMMITTED
    """the folder of the page and the numbers"""

    @classmethod
    def read(cls, path: Path = FILE) -> Plan:
        """Raises ParameterError when there is none that can be read."""
        try:
            content = YAML(typ="safe").load(path.read_text())
        except FileNotFoundError as error:
            raise ParameterError(f"{path} is missing", remedy=REMEDY) from error
        except (YAMLError, UnicodeDecodeError) as error:
            raise ParameterError(f"{path} is not YAML", found=str(error), remedy=REMEDY) from error
        if not isinstance(content, dict) or not isinstance(content.get("run"), dict):
            raise ParameterError(f"{path} is not a plan", expected="blocks `run` and `left_out`", remedy=REMEDY)
        return read_block(cls, "run", content["run"] | {"left_out": content.get("left_out") or {}}, file=str(path))

    def write(self, path: Path = FILE) -> bool:
        """Whether that changed the file."""
        stream, yaml = StringIO(), YAML()
        yaml.width = 4096
        yaml.dump({"run": {"datasets": _in_one_line(self.datasets), "experiments": self.experiments,
                           "lessons": _in_one_line(self.lessons),
                           "lessons_on_data": self.lessons_on_data, "reports": self.reports},
                   "left_out": self.left_out}, stream)
        new = HEAD + stream.getvalue()
        if path.is_file() and path.read_text() == new:
            return False
        files.write_text(path, new)
        return True

    @property
    def lesson_stages(self) -> dict[str, str]:
        """Each lesson's stage in dvc.yaml."""
        return {name: f"lesson@{name}" for name in self.lessons} | {
            name: f"lesson_on_data@{name}" for name in self.lessons_on_data}

    def require_fits(self, datasets: Iterable[str], experiments: Mapping[str, str], lessons: Mapping[str, str]) -> None:
        """ParameterError unless params.yaml has what is planned: `datasets`, `experiments` with their data sets,
        `lessons` with theirs, which may be none."""
        where = f"{FILE}: run"
        for name in self.datasets:
            require_known(name, datasets, "data set", f"{where}.datasets")
        for name, dataset in self.experiments.items():
            require_known(name, experiments, "experiment", f"{where}.experiments")
            self._require_data(f"{where}.experiments.{name}", dataset, experiments[name])
        for name in self.lessons:
            require_known(name, [each for each, data in lessons.items() if not data], "lesson", f"{where}.lessons")
        for name, dataset in self.lessons_on_data.items():
            require_known(name, [each for each, data in lessons.items() if data], "lesson", f"{where}.lessons_on_data")
            self._require_data(f"{where}.lessons_on_data.{name}", dataset, lessons[name])

    def _require_data(self, where: str, found: str, expected: str) -> None:
        if found != expected or found not in self.datasets:
            raise ParameterError(f"{where} does not fit", expected=f"{expected}, also in run.datasets", found=found,
                                 remedy=REMEDY)


def _in_one_line(items: Any) -> CommentedSeq:
    sequence = CommentedSeq(items)
    sequence.fa.set_flow_style()
    return sequence
