"""The digest of a stage's code: blind to comments, docstrings and blank lines, and to nothing else."""

from __future__ import annotations

import ast
import functools
import io
import json
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gan import registry
from gan.datasets.registry import LOADERS
from gan.datasets.registry import module_of as dataset_module
from gan.lessons.catalogue import LESSONS
from pipeline.runtime import code
from pipeline.runtime.code import NOT_FOLLOWED, PACKAGES, closure, digest, meaning
from pipeline.stages.configure import FITTED

ROOT = Path(__file__).parents[3]
MODULES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
STAGES = sorted(path.stem for path in (ROOT / "pipeline/stages").glob("[!_]*.py"))
ROOTS: dict[str, list[str]] = {
    **{stage: [f"pipeline.stages.{stage}"] for stage in STAGES},
    **{f"{stage} {kind}": [f"pipeline.stages.{stage}", registry.module_of(kind)]
       for stage in FITTED for kind in registry.SETTINGS},
    **{f"prepare {loader}": ["pipeline.stages.prepare", dataset_module(loader)] for loader in LOADERS},
    **{f"lesson {name}": ["pipeline.stages.lesson", f"gan.lessons.{name}", f"pipeline.figures.lessons.{name}"]
       for name in LESSONS}}
"""As `configure` names them"""


def digests(root: Path) -> dict[str, str]:
    return {name: digest(modules, root) for name, modules in ROOTS.items()}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    return digests(ROOT)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code."""
    for name in MODULES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


# What changes nothing.

def statements(source: str) -> Iterator[ast.stmt]:
    """Those that begin a line of their own."""
    for node in ast.walk(ast.parse(source)):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            for each in block if isinstance(block, list) else ():
                first = getattr(each, "decorator_list", None)
                line = first[0].lineno if first else each.lineno
                if source.splitlines()[line - 1][:each.col_offset].strip() == "":
                    yield each


def with_comments(source: str) -> str:
    """A comment and a blank line before each statement, and a comment at the end of each line where one may be."""
    lines = source.splitlines()
    for token in tokens(source):
        if token.type in (tokenize.NEWLINE, tokenize.NL) and token.line.strip():
            lines[token.start[0] - 1] += "  # 'said' \"here\""
    for line, column in sorted({((each.decorator_list[0].lineno if getattr(each, "decorator_list", None)
                                  else each.lineno), each.col_offset) for each in statements(source)}, reverse=True):
        lines[line - 1:line - 1] = ["", f"{' ' * column}# it's \"\"\" a remark", "   "]
    return "\n".join(lines) + "\n# the end\n\n"


def without_comments(source: str) -> str:
    lines = source.splitlines()
    for token in tokens(source):
        if token.type == tokenize.COMMENT:
            lines[token.start[0] - 1] = lines[token.start[0] - 1][:token.start[1]]
    return "\n".join(lines) + "\n"


def with_other_docstrings(source: str) -> str:
    """Every docstring, and every string below an attribute, in other words."""
    lines = source.splitlines(keepends=True)
    places = [each.value for node in ast.walk(ast.parse(source))
              if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
              for each in node.body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
              and isinstance(each.value.value, str)]
    for place in sorted(places, key=lambda each: each.lineno, reverse=True):
        first, last = place.lineno - 1, (place.end_lineno or place.lineno) - 1
        head = lines[first].encode()[:place.col_offset].decode()
        tail = lines[last].encode()[place.end_col_offset:].decode()
        lines[first:last + 1] = [f"{head}'''In \"other\" words: σ # no comment,\n\n    it's longer.\n    '''{tail}"]
    return "".join(lines)


@pytest.mark.parametrize("change", [with_comments, without_comments, with_other_docstrings])
def test_comments_docstrings_and_blank_lines_change_no_digest_of_any_stage(tree, before, change):
    changed = 0
    for name in MODULES:
        source = (tree / name).read_text()
        (tree / name).write_text(change(source))
        compile((tree / name).read_text(), str(name), "exec")
        changed += (tree / name).read_text() != source
    assert changed > 0.9 * len(MODULES) or change is without_comments
    assert digests(tree) == before


@pytest.mark.parametrize("name", [name for name in MODULES if name.parts[0] == "gan"][::6])
def test_trailing_spaces_change_nothing(name):
    source = (ROOT / name).read_text()
    within_strings = {line for token in tokens(source) if token.start[0] != token.end[0]
                      for line in range(token.start[0], token.end[0])}
    lines = [line + ("" if number in within_strings or line.endswith("\\") else "  ")
             for number, line in enumerate(source.splitlines(), 1)]
    assert meaning("\n".join(lines)) == meaning(source)


@pytest.mark.parametrize(("one", "other"), [
    ("x = 1  # a\n", "x = 1\n"), ("# a\nx = 1\n", "x = 1\n"), ('"""A."""\nx = 1\n', "x = 1\n"),
    ("def f():\n    'a'\n    return 1\n", 'def f():\n    """b\n\n    c"""\n    return 1\n'),
    ("class A:\n    x: int\n    '''a'''\n    y: int\n", "class A:\n    x: int\n\n    y: int\n"),
    ("x = 1\n'''what x is'''\n", "x = 1\n"), ("σ = 1; 'é'\n", "σ = 1; 'è'\n"),
    ("x = [1,  # one\n     2]\n", "x = [1,\n     2]\n"), ('"""A "b" #c"""\nx = "#"  # d\n', 'x = "#"\n')])
def test_the_same_in_other_words(one, other):
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(("one", "other"), [
    ("x = '# a'\n", "x = '# b'\n"), ('x = "a"  # b\n', 'x = "a # b"\n'), ("x = f'{a}#1'\n", "x = f'{a}#2'\n"),
    ("""x = "it's # a"\n""", """x = "it's # b"\n"""), ("""x = 'say "#" a'\n""", """x = 'say "#" b'\n"""),
    ("x = '\\'# a'\n", "x = '\\'# b'\n"), ("x = '\\\\'; y = '# a'\n", "x = '\\\\'; y = '# b'\n"),
    ('x = """a\n\nb"""\n', 'x = """a\nb"""\n'), ('x = """a\n# b\nc"""\n', 'x = """a\n# d\nc"""\n'),
    ('x = """a  \nb"""\n', 'x = """a\nb"""\n'), ("x = '''a \"\"\" # b'''\n", "x = '''a \"\"\" # c'''\n"),
    ("x = 1\n", "x = 2\n"), ("x = a + b\n", "x = a - b\n"), ("if a:\n    b()\nc()\n", "if a:\n    b()\n    c()\n"),
    ("f('a')\n", "f('b')\n"), ("x = 'a' 'b'\n", "x = 'a' 'c'\n"), ("return_ = 'a'\n", "return_ = 'b'\n")])
def test_what_is_said_within_strings_and_by_operators_counts(one, other):
    assert meaning(one) != meaning(other)


# What changes something.

OPERATORS = {"+": "-", "-": "+", "*": "+", "/": "*", "==": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "@": "+"}


def with_another_operator(source: str) -> str | None:
    """The first binary operator or comparison replaced; or a statement added, where there is none."""
    lines = source.splitlines(keepends=True)
    for token in tokens(source):
        if token.string in OPERATORS and not token.line.lstrip().startswith(("@", "def ")):
            line, (start, stop) = token.start[0] - 1, (token.start[1], token.end[1])
            changed = lines[line][:start] + OPERATORS[token.string] + lines[line][stop:]
            candidate = "".join([*lines[:line], changed, *lines[line + 1:]])
            try:
                ast.parse(candidate)
            except SyntaxError:
                continue
            return candidate
    return source + "\nadded = 1 + 1\n"


def test_a_changed_operator_in_any_module_changes_the_digests_that_hold_it_and_no_others(tree, before, monkeypatch):
    parse, parsed = code._parsed, {}  # what is not edited is looked at once
    monkeypatch.setattr(code, "_file", functools.cache(code._file))
    monkeypatch.setattr(code, "_parsed", lambda path: parsed[path] if path in parsed else parsed.setdefault(
        path, parse(path)))
    holding = {name: set(closure(modules, tree)) for name, modules in ROOTS.items()}
    for name in MODULES:
        source = (tree / name).read_text()
        module = ".".join(name.with_suffix("").parts).removesuffix(".__init__")
        (tree / name).write_text(with_another_operator(source))
        unedited = parsed.pop(tree / name, None)
        after = digests(tree)
        assert {stage for stage in ROOTS if after[stage] != before[stage]} == {
            stage for stage in ROOTS if module in holding[stage]}, name
        (tree / name).write_text(source)
        parsed[tree / name] = unedited or parse(tree / name)


def test_every_module_is_in_the_code_of_a_stage_or_is_for_what_looks_on():
    """Else it is dead, or a stage imports it by a name put together at run time and runs it unseen."""
    held = set().union(*(closure(modules) for modules in ROOTS.values()))
    names = [".".join(name.with_suffix("").parts).removesuffix(".__init__") for name in MODULES]
    others = [name for name in names if code._is_not_followed(name)
              or name.startswith(("pipeline.commands.", "pipeline.bare."))]
    looking_on = set().union(*map(everything_imported_by, others))
    assert {name for name in names if name.startswith("gan")} - held <= looking_on


# Which modules.

@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Path]:
    def make(**modules: str) -> Path:
        for name, source in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        for package in [path for path in tmp_path.rglob("*") if path.is_dir()]:
            (package / "__init__.py").touch()
        return tmp_path
    return make


def test_imports_are_followed_at_the_top_and_in_functions_but_not_for_types_alone(small):
    root = small(gan__a="import gan.b\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gan import c\n"
                        "else:\n    from gan import d\ndef f():\n    from gan.e import g\n    import numpy\n",
                 gan__b="from gan.f import x\n", gan__c="", gan__d="", gan__e="g = 1\n", gan__f="x = 1\n", gan__h="")
    assert list(closure(["gan.a"], root)) == ["gan", "gan.a", "gan.b", "gan.d", "gan.e", "gan.f"]


def test_the_packages_around_a_module_count(small):
    root = small(gan__deep__a="x = 1\n", gan__other__b="")
    first = digest(["gan.deep.a"], root)
    assert list(closure(["gan.deep.a"], root)) == ["gan", "gan.deep", "gan.deep.a"]
    (root / "gan/deep/__init__.py").write_text("import gan.other.b\n")
    assert digest(["gan.deep.a"], root) != first
    assert "gan.other.b" in closure(["gan.deep.a"], root)


def test_modules_that_only_look_on_are_not_followed_nor_what_they_import(small):
    root = small(pipeline__a="from pipeline.tracking import runs\nfrom pipeline.runtime import stage\n",
                 pipeline__tracking__runs="import gan.b\n", gan__b="", pipeline__runtime__stage="")
    assert not {"gan.b", "pipeline.tracking.runs", "pipeline.runtime.stage"} & set(closure(["pipeline.a"], root))


def test_modules_that_import_each_other_end(small):
    root = small(gan__a="import gan.b\n", gan__b="import gan.a\n")
    assert list(closure(["gan.a"], root)) == ["gan", "gan.a", "gan.b"]


def test_what_is_not_followed_is_there():
    for name in NOT_FOLLOWED:
        path = ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or path.is_dir(), name


IMPORTED = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] in ("gan", "pipeline"))))
"""


@pytest.mark.parametrize("name", ["train adversarial_nets", "train dbn", "bandwidth", "prepare mnist",
                                  "lesson figure_1", "report", "figures"])
def test_what_python_imports_is_in_the_closure(name):
    """All but what is not followed, and what that alone imports."""
    found = subprocess.run([sys.executable, "-c", IMPORTED, *ROOTS[name]], cwd=ROOT, capture_output=True, text=True,
                           check=True, timeout=120)
    imported, held = set(json.loads(found.stdout)), set(closure(ROOTS[name]))
    by_others = {each for skipped in imported if code._is_not_followed(skipped)
                  for each in everything_imported_by(skipped)}
    assert {each for each in imported - held if not code._is_not_followed(each)} <= by_others


def everything_imported_by(module: str) -> set[str]:
    """Through modules that are not followed too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = code._file(name, ROOT)
        if path is not None and name not in found:
            found.add(name)
            waiting += [*code._parents(name), *code._parsed(path)[1]]
    return found


# The graph.

def test_no_stage_depends_on_code_but_configure_on_all_of_it():
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    for name, entry in stages.items():
        entry = entry.get("do", entry)
        deps = [next(iter(each)) if isinstance(each, dict) else each for each in entry["deps"]]
        of_code = [each for each in deps if each.endswith(".py") or each in PACKAGES]
        assert of_code == (["gan", "pipeline"] if name == "configure" else []), name
        assert name == "configure" or any(each.startswith("artifacts/configuration/") for each in deps) or (
            "artifacts" in deps), name
        module = entry["cmd"].split()[2]
        assert (ROOT.joinpath(*module.split(".")).with_suffix(".py")).is_file(), name
