"""Imports run downwards only: see docs/architecture.md."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = [
    {"errors", "batch", "target"},
    {"imaging"},
    {"catalogue", "networks", "losses", "metrics", "augment"},
    {"preprocess", "cluster"},
    {"tracking", "inference"},
    {"tasks", "data"},
    {"sweep", "crossval", "report", "deploy", "data_modules"},
    {"commands"},
    {"main"},
    {"__main__"},
]
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
# On one floor: the coding of classes raises the error family.
BESIDE = {("target", "errors")}


def modules(root):
    for package in ("lit_medseg", "data_modules"):
        for file in sorted((root / package).rglob("*.py")):
            yield file, file.relative_to(root).with_suffix("").parts


def part_of(dotted):
    """The part a module belongs to; None for other libraries and for the bare package."""
    words = [word for word in dotted if word != "__init__"]
    if words[:1] == ["data_modules"]:
        return "data_modules"
    return words[1] if words[:1] == ["lit_medseg"] and len(words) > 1 else None


def imports(file, dotted):
    """Every module that a file imports, at its top, in its functions, or for its types."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            base = list(dotted[: len(dotted) - node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                yield node.lineno, [*base, alias.name]


def violations(root):
    found = []
    for file, dotted in modules(root):
        importer = part_of(dotted)
        if importer is None:
            continue
        for line, target in imports(file, dotted):
            imported = part_of(target)
            if imported in (None, importer) or (importer, imported) in BESIDE:
                continue
            if importer not in FLOOR or imported not in FLOOR or FLOOR[imported] >= FLOOR[importer]:
                found.append(f"{'/'.join(dotted)}:{line} imports {'.'.join(target)}")
    return found


def test_imports_run_downwards_only():
    assert violations(ROOT) == []


def test_every_part_has_a_floor():
    assert {part_of(dotted) for _, dotted in modules(ROOT)} - {None} <= set(FLOOR)


@pytest.mark.parametrize(
    ("importer", "line", "allowed"),
    [
        ("lit_medseg/imaging/a.py", "from lit_medseg.errors import DataError", True),
        ("lit_medseg/imaging/a.py", "from lit_medseg.imaging.b import c", True),
        ("lit_medseg/imaging/a.py", "import numpy", True),
        ("lit_medseg/target.py", "from lit_medseg.errors import ConfigError", True),
        ("data_modules/ct.py", "from lit_medseg.data.datamodule import DataModule", True),
        ("lit_medseg/imaging/a.py", "from lit_medseg.catalogue.case import Case", False),
        ("lit_medseg/imaging/a.py", "import lit_medseg.tasks.segmentation", False),
        ("lit_medseg/imaging/a.py", "from lit_medseg import batch, tasks", False),
        ("lit_medseg/imaging/a.py", "from ..catalogue import case", False),
        ("lit_medseg/imaging/a.py", "def f():\n    from lit_medseg.main import main", False),
        ("lit_medseg/losses/a.py", "from lit_medseg.metrics.dice import dice", False),
        ("lit_medseg/errors.py", "from lit_medseg.target import Target", False),
        ("lit_medseg/commands/a.py", "import data_modules.ct", True),
        ("lit_medseg/tasks/a.py", "import data_modules.ct", False),
        ("lit_medseg/tasks/a.py", "from lit_medseg.commands import train", False),
        ("lit_medseg/drawer/a.py", "from lit_medseg.errors import DataError", False),
    ],
)
def test_the_rule_itself(tmp_path, importer, line, allowed):
    file = tmp_path / importer
    file.parent.mkdir(parents=True)
    file.write_text(line + "\n")
    assert (violations(tmp_path) == []) == allowed


def test_lit_medseg_never_imports_data_modules():
    named = [
        f"{file}:{line}"
        for file, dotted in modules(ROOT)
        if dotted[0] == "lit_medseg"
        for line, target in imports(file, dotted)
        if target[0] == "data_modules"
    ]
    assert named == []
