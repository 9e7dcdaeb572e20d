"""The Makefile's own logic, with stand-ins for Python, pip and uv: what is called, and when again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not on PATH")

# Every stand-in writes its arguments to the log; the one for the system's Python also makes what the real one makes.
STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
echo "LIT_MEDSEG_DATA=$LIT_MEDSEG_DATA" >> "{log}"
"""
SYSTEM_PYTHON = """#!/bin/sh
case "$*" in
  "-c "*) exec "{python}" -c "import sys; sys.version_info = {version}; exec(sys.argv[1])" "$2" ;;
  "-m venv --without-pip .venv") mkdir -p .venv/bin && cp "{stand_in}" .venv/bin/python ;;
  "-m pip --python .venv/bin/python install --quiet uv=="*)
    for tool in uv ruff mypy; do cp "{stand_in}" .venv/bin/$tool; done ;;
  *) echo "unforeseen: $*" >&2; exit 1 ;;
esac
echo "python3 $*" >> "{log}"
"""


class Project:
    def __init__(self, folder, version=(3, 11)):
        self.folder, self.log = folder / "clone", folder / "log"
        self.folder.mkdir()
        shutil.copy(ROOT / "Makefile", self.folder)
        shutil.copy(ROOT / "requirements.lock", self.folder)
        self.python, stand_in = folder / "python3", folder / "stand_in"
        values = {"log": self.log, "python": sys.executable, "version": version, "stand_in": stand_in}
        for file, text in ((self.python, SYSTEM_PYTHON), (stand_in, STAND_IN)):
            file.write_text(text.format(**values))
            file.chmod(0o755)

    def make(self, *arguments, **environment):
        """Run make; gives its result and the calls that it made."""
        self.log.write_text("")
        outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "ARGS")  # of a make that runs these tests
        kept = {key: value for key, value in os.environ.items() if key not in outer}
        result = subprocess.run(
            ["make", *arguments, f"PYTHON={self.python}"],
            cwd=self.folder, env=kept | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return result, self.log.read_text().splitlines()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def commands(calls):
    return [call for call in calls if not call.startswith("LIT_MEDSEG_DATA=")]


def test_a_fresh_clone_is_installed_once(project):
    result, calls = project.make("install")
    assert result.returncode == 0, result.stderr
    venv, uv, install = commands(calls)
    assert venv == "python3 -m venv --without-pip .venv"
    assert uv.startswith("python3 -m pip --python .venv/bin/python install --quiet uv==")
    assert install == "uv pip install --compile-bytecode --python .venv/bin/python --requirement requirements.lock"
    assert project.make("install")[1] == []


def test_another_lock_is_installed_again_and_a_newer_date_is_not(project):
    project.make("install")
    lock = project.folder / "requirements.lock"
    lock.touch()
    assert project.make("install")[1] == []
    lock.write_text(lock.read_text() + "another==1.0\n")
    assert commands(project.make("install")[1]) == [
        "uv pip install --compile-bytecode --python .venv/bin/python --requirement requirements.lock"
    ]
    assert len(list((project.folder / ".venv").glob("installed-*"))) == 1


def test_quickstart_fits_then_tests(project):
    project.make("install")
    result, calls = project.make("quickstart")
    assert result.returncode == 0, result.stderr
    assert commands(calls) == [
        "python -m lit_medseg fit --config experiments/quickstart.yaml",
        "python -m lit_medseg test --config experiments/quickstart.yaml",
    ]


def test_test_runs_every_tool(project):
    project.make("install")
    result, calls = project.make("test")
    assert result.returncode == 0, result.stderr
    assert [call.strip() for call in commands(calls)] == [
        "ruff check .", "ruff format --check .", "mypy", "python -m pytest",
    ]  # fmt: skip


def test_real_data_beside_the_project_are_used_unless_told_otherwise(project):
    project.make("install")

    def root(*arguments, **environment):
        return project.make(*arguments, **environment)[1][-1]

    assert root("pytest") == "LIT_MEDSEG_DATA="
    data = project.folder.parent / "shared/data"
    data.mkdir(parents=True)
    assert root("pytest") == f"LIT_MEDSEG_DATA={data}"
    assert root("pytest", LIT_MEDSEG_DATA="/mine") == "LIT_MEDSEG_DATA=/mine"
    assert root("quickstart") == "LIT_MEDSEG_DATA="


def test_too_old_a_python_is_named(tmp_path):
    result, calls = Project(tmp_path, version=(3, 10)).make("install")
    assert result.returncode != 0
    assert "too old, expected Python 3.11 or newer" in result.stderr
    assert calls == []


def test_help_is_the_default_and_names_every_target(project):
    result, calls = project.make()
    assert calls == []
    for target in ("quickstart", "test", "lint", "ui", "clean", "doctor", "lock"):
        assert f"  make {target} " in result.stdout


def test_ci_runs_make_test():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert "CI=true make test" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
