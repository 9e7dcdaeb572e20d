"""pyproject.toml, requirements.lock and environment.yml say the same, and it is what is installed."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from lit_medseg.commands.doctor_checks import interpreter
from lit_medseg.commands.doctor_checks.lock import read_lock

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK_LINES = (ROOT / "requirements.lock").read_text().splitlines()
LOCK = {canonicalize_name(line.name): line for line in map(Requirement, LOCK_LINES)}
HERE = {name: pin for name, pin in LOCK.items() if pin.marker is None or pin.marker.evaluate()}
DIRECT = [
    Requirement(text)
    for text in [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["dev"]]
]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())


def pinned(requirement):
    (specifier,) = requirement.specifier
    return specifier.version


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_every_direct_dependency_is_pinned_within_its_range(requirement):
    pin = LOCK[canonicalize_name(requirement.name)]
    assert pin.marker is None
    assert pinned(pin) in requirement.specifier


def test_the_lock_is_plain_pins():
    assert [line for line in LOCK_LINES if not re.fullmatch(r"[a-z0-9-]+==[A-Za-z0-9.+!]+( ; .+)?", line)] == []
    assert len(LOCK) == len(LOCK_LINES)


@pytest.mark.parametrize("name", ["requirements.lock", "environment.yml", "pyproject.toml", "Makefile", ".ci/run"])
def test_no_address_of_a_package_source(name):
    text = (ROOT / name).read_text()
    assert not re.search(
        r"https?:|file:|git\+|index-url|--hash|find-links|/simple", text.replace("--no-emit-index-url", "")
    )


@pytest.mark.parametrize("name", HERE)
def test_what_is_installed_is_what_is_locked(name):
    # A local label says how a wheel was built, not which version it is.
    assert metadata.version(name).partition("+")[0] == pinned(HERE[name])


def needed():
    """Walk the installed packages' own requirements from the direct ones; the lock was made by a resolver."""
    seen, todo = set(), [(canonicalize_name(direct.name), frozenset(direct.extras)) for direct in DIRECT]
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for requirement in map(Requirement, metadata.requires(name) or []):
            chosen = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if requirement.marker is None or any(requirement.marker.evaluate(extra) for extra in chosen):
                todo.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in seen}


def test_the_lock_holds_all_that_is_needed_and_nothing_else():
    assert needed() == set(HERE)


def test_conda_installs_the_lock():
    assert CONDA["name"] == PYPROJECT["project"]["name"]
    *others, last = CONDA["dependencies"]
    assert last == {"pip": ["-r requirements.lock"]}
    assert [re.match(r"[a-z]+", text)[0] for text in others] == ["python", "pip"]


def test_python_versions_agree():
    oldest = ".".join(map(str, interpreter.OLDEST))
    assert PYPROJECT["project"]["requires-python"] == f">={oldest}"
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f">= {interpreter.OLDEST}" in (ROOT / "Makefile").read_text()
    listed = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    conda = SpecifierSet(CONDA["dependencies"][0].removeprefix("python"))
    assert listed == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in conda]
    assert listed[0] == oldest


def test_doctor_reads_the_lock_as_packaging_does():
    assert read_lock() == {name: (pinned(pin), pin.marker is None) for name, pin in LOCK.items()}
