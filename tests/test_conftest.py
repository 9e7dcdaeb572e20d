import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def run(folder, ci):
    shutil.copy(TESTS / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    realdata: real\n")
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "LIT_MEDSEG_DATA")}
    if ci:
        environment["CI"] = "true"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


@pytest.mark.parametrize(("ci", "status"), [(False, 0), (True, 1)])
def test_a_skip_fails_the_run_in_ci_only(tmp_path, ci, status):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.realdata\ndef test_real(): assert False\ndef test_other(): pass\n"
    )
    result = run(tmp_path, ci)
    assert result.returncode == status, result.stdout
    assert "1 passed, 1 skipped" in result.stdout
    assert ("which CI does not allow" in result.stdout) == ci
    assert ("::test_real" in result.stdout) == ci


def test_ci_passes_without_a_skip(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_other(): pass\n")
    assert run(tmp_path, ci=True).returncode == 0
