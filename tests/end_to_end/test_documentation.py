"""Every code block of README.md, CONTRIBUTING.md and docs/ is run or checked: Python runs, commands exist."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import click
import pytest
from documentation import DOCUMENTS, ROOT, blocks, commands
from dvc.cli.parser import get_main_parser
from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.commands import typed
from pipeline.commands.command_line import COMMAND
from pipeline.settings import parameters
from pipeline.settings.explain import place_of

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

LANGUAGES = {
    "python": "run here, or by whom RUN_ELSEWHERE says", "console": "commands are checked here",
    "mermaid": "test_graph.py compares it with `dvc dag`", "yaml": "test_contributing.py enters it into params.yaml",
    "": "a drawing"}
RUN_ELSEWHERE = {
    "import mlflow": "test_graph.py, in a clone with a tracking store",
    '"""Fields of our own': "test_contributing.py, as a module of a clone"}
"""Beginnings of Python blocks that need more than a finished graph"""
OUTPUT = ("cluster      Slurm",)
"""Beginnings of console blocks that show what was printed, without the command"""
OTHERS = {"cat": "reads a file", "cd": "changes the folder", "source": "activates an environment", "pip": "installs",
          "apt": "installs", "docker": "builds and runs images"}
"""Programs whose words are not looked at"""
GIT = ("add", "checkout", "clone", "commit", "diff", "log", "pull", "push", "restore", "show", "status", "switch")


def test_every_block_is_of_a_language_that_is_looked_at():
    unknown = [block.place for block in blocks() if block.language not in LANGUAGES]
    assert not unknown
    assert len(blocks("python")) > 2
    assert len(blocks("console")) > 5
    for beginning in RUN_ELSEWHERE:
        assert any(block.text.startswith(beginning) for block in blocks("python")), f"{beginning!r} is gone"
    silent = [block.place for block in blocks("console") if "$ " not in block.text
              and not block.text.startswith(("git ", "make ", "python ", "dvc ", *OUTPUT))]
    assert not silent, "neither a command nor in OUTPUT"


def test_python_blocks_run_on_a_finished_graph(clone):
    """As they stand, but for the experiment: digits where the text has mnist."""
    ran = []
    for block in blocks("python"):
        if block.text.startswith(tuple(RUN_ELSEWHERE)):
            continue
        text = block.text.replace("artifacts/mnist/", "artifacts/digits/").replace('"mnist"', '"digits"')
        said = clone.run("python", "-c", f"{text}\nprint(type(samples).__name__, list(samples.shape), "
                                         "float(samples.min()) >= 0, float(samples.max()) <= 1)")
        assert re.search(r"^\w+ \[16, (1, 8, 8|64)\] True True$", said, re.M), (block.place, said)
        ran.append(block.place)
    assert ran


def targets() -> set[str]:
    rules = re.findall(r"^([a-z][\w -]*):(?!=)", (ROOT / "Makefile").read_text(), re.M)
    return {name for rule in rules for name in rule.split()}


def check_make(words: list[str]) -> None:
    names = [word for word in words if "=" not in word and not word.startswith("-")]
    assert set(names) <= targets(), f"no such target: {set(names) - targets()}"
    for word in words:
        variable, given, value = word.partition("=")
        if not given:
            continue
        heeded = {each for name in names for each in typed.TARGETS.get(name, ())} | {*typed.EVERY_TARGET,
                                                                                    *typed.ENVIRONMENT}
        assert variable in heeded or variable.startswith(typed.OF_OTHERS), f"{names} do not heed {variable}"
        if variable == "OPTIONS":
            check_options(names[0], value.split())


def check_options(verb: str, words: list[str]) -> None:
    command = COMMAND.get_command(click.Context(COMMAND), verb)
    assert command, f"no verb {verb}"
    known = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]} | {"--help"}
    given = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert given <= known or command.ignore_unknown_options, f"{verb} has no {given - known}"


def check_python(words: list[str]) -> None:
    if words[:1] != ["-m"]:
        assert words[:1] == ["-c"] or (ROOT / words[0]).is_file(), f"no file {words[0]}"
        return
    module, *rest = words[1:]
    if module == "pipeline":
        if rest and not rest[0].startswith("-") and rest[0] != "VERB":
            check_options(rest[0], rest[1:])
        return
    found = importlib.util.find_spec(module)
    assert found, f"no module {module}"
    if module.startswith("pipeline") and found.submodule_search_locations:
        assert importlib.util.find_spec(f"{module}.__main__"), f"{module} cannot be run"


def check_dvc(words: list[str], folder: Path) -> None:
    """By DVC's own parser; what `-S` sets is set, in a copy of params.yaml."""
    given = get_main_parser().parse_args(words)
    overrides = [text for text in getattr(given, "set_param", None) or () if text.partition("=")[2]]
    for override in overrides:
        file, _, text = override.rpartition(":") if re.match(r"[\w./]+\.yaml:", override) else ("", "", override)
        assert not file, "only params.yaml is set by an override here"
        shutil.copy(ROOT / "params.yaml", folder)
        apply_overrides(folder / "params.yaml", [text])


def test_commands_exist_with_their_options_and_what_they_set_can_be_set(tmp_path):
    wrong = []
    programs: dict[str, int] = {}
    for place, words in commands():
        name, rest = words[0], [word for word in words[1:] if "…" not in word]
        programs[name] = programs.get(name, 0) + 1
        try:
            if name == "make":
                check_make(rest)
            elif name in ("python", "python3"):
                check_python(rest)
            elif name == "dvc":
                check_dvc(rest, tmp_path)
            elif name == "git":
                assert rest[0] in GIT, f"no command {rest[0]} of git"
            else:
                assert name in OTHERS, "what program is that?"
        except (AssertionError, DvcException, SystemExit) as error:
            wrong.append(f"{place}: {' '.join(words)}: {error.__cause__ or error}")
    assert not wrong, "\n".join(wrong)
    assert programs["make"] > 10
    assert programs["dvc"] > 5


def test_sweeps_in_the_text_name_settings_that_there_are():
    known = parameters.check(parameters.read_yaml(ROOT / parameters.FILE))
    shown = [re.search(r"^\$ cat \w+\.yaml\n(.*?)(?=^\$ |\Z)", block.text, re.S | re.M) for block in blocks("console")]
    grids = [YAML(typ="safe").load(match[1]) for match in shown if match]
    assert grids
    for grid in grids:
        for name in [*grid["over"], *grid.get("set", {})]:
            place_of(known, grid["experiment"], name, "paper")


def test_the_readme_is_short_and_begins_with_a_picture():
    text = (ROOT / "README.md").read_text()
    assert len(re.sub(r"<[^>]+>", " ", text).split()) <= 1000
    pictures = re.findall(r'<img src="([^"]+)"|!\[[^]]*\]\(([^)]+)\)', text)
    assert text.index("<img") < text.index("## ")
    for path in map("".join, pictures):
        assert (ROOT / path).stat().st_size < 100_000


def test_links_between_the_documents_lead_somewhere():
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert re.match(r"https?://", link) or (path.parent / link).exists(), (path.name, link)


def test_targets_of_make_are_all_in_its_help():
    text = (ROOT / "Makefile").read_text()
    described = set(re.findall(r"^# make ([\w-]+)", text, re.M))
    assert targets() - described <= {"typed"}
    assert described <= targets()
