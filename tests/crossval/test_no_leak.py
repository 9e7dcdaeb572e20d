"""No fold sees a case of its test part: these are changed beyond recognition, and nothing of the fold moves."""

import json

import numpy as np
import pytest
import torch

from lit_medseg.imaging.write_png import write_png
from tests.commands.workplace import Workplace
from tests.crossval.spotted import SIDE, settings, write_pictures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = Workplace(tmp_path_factory.mktemp("leak"))
    write_pictures(work.folder / "pictures")
    return work


def fit(work, name, fold):
    """Train a fold as `crossval` has it trained."""
    plain = settings(epochs=2)
    splitter = {"class_path": "lit_medseg.catalogue.folds.Folds", "init_args": {"folds": 3, "fold": fold, "seed": 7}}
    plain["data"]["init_args"]["splitter"] = splitter
    run = work.fit(name, plain, "--early_stopping", "3")
    weights = {key: value.tolist() for key, value in run.weights("best").items()}
    facts = {name: json.loads((run.path / f"{name}.json").read_text()) for name in ("split", "fitted")}
    chosen = (run.path / "cases" / "val.csv").read_text()
    return {**facts, "weights": weights, "validation": chosen, "log": run.history("val/dice")}


def test_a_fold_does_not_see_its_test_cases(work):
    before = [fit(work, f"before{fold}", fold) for fold in (0, 1)]
    test = before[0]["split"]["test"]
    assert len(test) == 3
    for number, case_id in enumerate(test):
        rng = np.random.default_rng(100 + number)
        write_png(
            work.folder / "pictures/images" / f"{case_id}.png", rng.integers(200, 256, (SIDE, SIDE)).astype(np.uint8)
        )
        write_png(
            work.folder / "pictures/masks" / f"{case_id}.png", 255 * rng.integers(0, 2, (SIDE, SIDE)).astype(np.uint8)
        )
    after = [fit(work, f"after{fold}", fold) for fold in (0, 1)]
    assert after[0] == before[0]
    assert after[1]["split"] == before[1]["split"]
    for what in ("fitted", "weights"):
        assert after[1][what] != before[1][what]


def test_the_check_itself_finds_a_leak(work):
    """The same comparison with a splitter that lets one test case into training."""
    plain = settings(epochs=1)
    path = work.folder / "leaky.json"
    split = json.loads((work.runs("before0")[0].path / "split.json").read_text())
    leak = split["test"][0]
    sets = {"train": [*split["train"], leak], "val": split["val"], "test": split["test"][1:]}
    path.write_text(json.dumps(sets))
    splitter = {"class_path": "lit_medseg.catalogue.split_file.SplitFile", "init_args": {"path": str(path)}}
    plain["data"]["init_args"]["splitter"] = splitter
    first = work.fit("leaky1", plain).weights()
    write_png(work.folder / "pictures/images" / f"{leak}.png", np.full((SIDE, SIDE), 130, np.uint8))
    second = work.fit("leaky2", plain).weights()
    assert not torch.equal(first["network.threshold"], second["network.threshold"])
