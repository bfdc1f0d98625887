"""Small programs that stand for Slurm's: what they are asked is kept, and what they say can be set."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class FakeSlurm:
    """A folder of programs that is first on the PATH."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / "programs"

    def program(self, name: str, script: str) -> None:
        """A shell script; its words are added to `asked.txt` first."""
        self.programs.mkdir(parents=True, exist_ok=True)
        path = self.programs / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {shlex.quote(str(self.folder / "asked.txt"))}\n{script}\n')
        path.chmod(0o755)

    def says(self, name: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.txt").write_text(text)
        self.program(name, f"command -p cat {shlex.quote(str(self.folder / f'{name}.txt'))}")

    def fails(self, name: str, text: str) -> None:
        self.program(name, f"echo {shlex.quote(text)} >&2\nexit 1")

    def asked(self, name: str) -> list[str]:
        """The words of each call of a program."""
        path = self.folder / "asked.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def scripts(self) -> list[str]:
        """What was submitted, in order."""
        return [path.read_text() for path in sorted(self.folder.glob("submitted-*"))]

    def options(self) -> list[dict[str, str]]:
        """The options of sbatch in each script."""
        found = []
        for script in self.scripts():
            words = [shlex.split(line.removeprefix("#SBATCH --"))[0] for line in script.splitlines()
                     if line.startswith("#SBATCH --")]
            found.append(dict(word.partition("=")[::2] for word in words))
        return found


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """With the partitions `short` and `gpu`, and an empty queue; the first job that is submitted is 101."""
    fake = FakeSlurm(folder)
    fake.says("sinfo", "short\ngpu\n")
    fake.says("squeue", "")
    fake.says("scancel", "")
    fake.says("srun", "")
    place = shlex.quote(str(folder))
    fake.program("sbatch", f'n=101\nwhile [ -e {place}/submitted-$n ]; do n=$((n + 1)); done\n'
                           f'command -p cp "$1" {place}/submitted-$n\necho "Submitted batch job $n"')
    monkeypatch.setenv("PATH", f"{fake.programs}{os.pathsep}{os.environ['PATH']}")
    return fake
