"""What libraries say that is left out."""

import warnings
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from lit_medseg.commands.quieten import quieten


def test_a_machine_with_slurm_is_no_reason_to_tell_how_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a login node Lightning tells to put `srun` before the command, which is not how ranks are started here."""
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("SLURM_NTASKS", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    with warnings.catch_warnings(record=True) as loud:
        warnings.simplefilter("always")
        SLURMEnvironment.detect()
    with warnings.catch_warnings(record=True) as quiet:
        warnings.simplefilter("always")
        quieten()
        SLURMEnvironment.detect()
    assert ["srun" in str(one.message) for one in loud] == [True]
    assert not quiet
