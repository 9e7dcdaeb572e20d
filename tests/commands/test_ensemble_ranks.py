"""An ensemble on two processes: the bytes of one."""

import shutil

import pytest

from lit_medseg.main import main
from tests.commands.rank_commands import Command, on
from tests.commands.test_ensemble import best, fold, phantoms  # noqa: F401 a fixture
from tests.commands.test_predict_ranks import files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ensemble(workplace):
    members = [str(best(workplace.fit(f"ensemble_rank{seed}", fold(seed)))) for seed in range(2)]
    target = workplace.folder / "ensemble_ranks.ckpt"
    workplace.call("ensemble", *members, "--output", str(target))
    return target


def test_two_processes_write_what_one_does(workplace, ensemble, phantoms, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(workplace.folder)
    studies = tmp_path / "studies"
    shutil.copytree(phantoms / "images", studies)
    torn = studies / "torn.nii.gz"
    torn.write_bytes((studies / "patient000_0000.nii.gz").read_bytes()[:1500])

    def arguments(ranks):
        return ["--ckpt_path", ensemble, "--input", studies, "--output", tmp_path / f"masks{ranks}"]

    assert main(["predict", *map(str, arguments(1)), "--data.init_args.loading.workers", "0"]) == 1
    command = Command(workplace.folder, "predict", *arguments(2), "--data.init_args.loading.workers", "1", *on(2))
    assert command.wait() == 1, command.text
    assert command.text.count("predicted   8 of 9 cases") == 1
    one, two = files(tmp_path / "masks1"), files(tmp_path / "masks2")
    assert one == two
    assert set(one) == {*(f"patient{number:03d}.nii.gz" for number in range(8)), "measurements.csv", "failed.csv"}


def test_two_processes_score_as_one(workplace, ensemble, tmp_path, monkeypatch):
    monkeypatch.chdir(workplace.folder)
    arguments = ["--ckpt_path", str(ensemble), "--runs_dir"]
    assert main(["test", *arguments, str(tmp_path / "runs1")]) == 0
    command = Command(workplace.folder, "test", *arguments, tmp_path / "runs2", *on(2))
    assert command.wait() == 0, command.text
    assert command.text.count("WARNING: ") == 1
    tables = [next((tmp_path / f"runs{ranks}").glob("*/*/cases/test.csv")).read_bytes() for ranks in (1, 2)]
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") == 9
