"""`predict` and the choice of post-processing on two processes: the files of one."""

import shutil

import pytest
import torch

from lit_medseg.catalogue.phantom_volumes import PhantomVolumes
from tests.commands.rank_commands import Command, on, run
from tests.commands.test_predict import PHANTOMS, volumes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fitted(workplace):
    return workplace.fit("predict_ranks", volumes())


def files(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.*") if file.is_file()}


def test_two_processes_write_what_one_does(workplace, fitted, tmp_path):
    root = str(workplace.folder / PHANTOMS["root"])
    phantoms = PhantomVolumes(**{**PHANTOMS, "root": root}).folder / "images"
    studies = tmp_path / "studies"
    shutil.copytree(phantoms, studies)
    torn = studies / "torn.nii.gz"
    torn.write_bytes((studies / "patient000_0000.nii.gz").read_bytes()[:1500])
    best = fitted.path / "checkpoints/best.ckpt"
    texts = []
    for ranks in (1, 2):
        arguments = ["--ckpt_path", best, "--input", studies, "--output", tmp_path / str(ranks)]
        arguments += ["--data.init_args.loading.workers", ranks - 1]
        command = Command(workplace.folder, "predict", *arguments, *on(ranks))
        assert command.wait() == 1, command.text
        texts.append(command.text)
        assert command.text.count("skipped: case torn") == 1
        assert command.text.count("predicted   8 of 9 cases") == 1
    one, two = files(tmp_path / "1"), files(tmp_path / "2")
    assert one == two
    assert set(one) == {*(f"patient{number:03d}.nii.gz" for number in range(8)), "measurements.csv", "failed.csv"}


def test_two_processes_choose_what_one_does(workplace, fitted, tmp_path):
    chosen = []
    for ranks in (1, 2):
        best = tmp_path / f"{ranks}.ckpt"
        shutil.copy(fitted.path / "checkpoints/best.ckpt", best)
        arguments = ["--ckpt_path", best, "--choose_post_processing", "true", "--runs_dir", tmp_path / "runs"]
        run(workplace.folder, "validate", *arguments, *on(ranks))
        chosen.append(torch.load(best, weights_only=True)["lit_medseg"]["post_processing"])
    assert chosen[0] == chosen[1]
    assert chosen[0]["cases"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.ckpt", "2.ckpt", "runs"]
