"""What is left to do for a fold is read off the disk, and a fold that trained on its test cases is refused."""

import json

import pytest

from lit_medseg.catalogue.classes import LabelClasses
from lit_medseg.catalogue.split import Split
from lit_medseg.crossval.check_folds import split_folds
from lit_medseg.crossval.fold_work import FoldWork, Orders
from lit_medseg.crossval.plan import CrossvalPlan
from lit_medseg.errors import DataError, SplitError, TrackingError
from lit_medseg.metrics.case_table import case_table, write_case_table
from lit_medseg.tracking.run_folder import create_run_folder
from tests.catalogue.fake_cases import random_manifest

MANIFEST = random_manifest(3, patients=12, most_cases=3)
DATA = split_folds(CrossvalPlan(folds=3).list_folds(), MANIFEST, LabelClasses({"a": "0", "b": "1"}), "refuse")


@pytest.fixture
def orders(tmp_path):
    words = ("--trainer.max_epochs", "3")
    return Orders(("a.yaml", "b.yaml"), words, "exp", tmp_path / "runs", "sqlite:///x.db", "cv", "parent-id")


def trained(orders, split=DATA[1].split, data_hash=MANIFEST.data_hash):
    """The folder that a `fit` of fold 1 leaves."""
    folder = create_run_folder(orders.runs_dir, "exp", "hash", "cv-fold1")
    split.to_json(folder.path / "split.json")
    (folder.path / "manifest.json").write_text(json.dumps({"data_hash": data_hash}))
    (folder.path / "checkpoints").mkdir()
    (folder.path / "checkpoints" / "last.ckpt").touch()
    folder.end("FINISHED")
    return folder


def table(case_ids):
    return case_table({"case_id": name, "patient_id": name, "class": "a", "dice": 0.25} for name in case_ids)


def test_training_then_test_then_nothing(orders):
    work = FoldWork(DATA[1], orders, masks=True)
    command = work.next_command((4, 7))
    assert command[:7] == ["fit", "--config", "a.yaml", "--config", "b.yaml", "--trainer.max_epochs", "3"]
    given = dict(zip(command[7::2], command[8::2], strict=True))
    assert given["--data.init_args.splitter"] == "lit_medseg.catalogue.folds.Folds"
    assert given["--data.init_args.splitter.init_args.fold"] == "1"
    assert "--data.init_args.splitter.init_args.stratify" not in given
    assert (given["--experiment"], given["--run"]) == ("exp", "cv-fold1")
    assert (given["--parent_run"], given["--tracking"]) == ("parent-id", "sqlite:///x.db")
    assert json.loads(given["--tags"]) == {"verb": "fit", "crossval": "cv", "fold": "1"}
    assert (given["--trainer.accelerator"], given["--trainer.devices"]) == ("gpu", "2")
    folder = trained(orders)
    assert work.accept("fit") == ""
    last = str(folder.path / "checkpoints" / "last.ckpt")
    command = work.next_command(())
    assert command[:5] == ["test", "--ckpt_path", last, "--tracking", "sqlite:///x.db"]
    assert "--trainer.callbacks+" in command
    assert "--trainer.accelerator" not in command
    (folder.path / "checkpoints" / "best.ckpt").touch()
    assert work.next_command(())[2].endswith("best.ckpt")
    write_case_table(table(DATA[1].split.test), folder.path / "cases" / "test.csv")
    assert work.accept("test") == "dice 0.2500"
    assert work.next_command(()) is None
    assert set(work.read_table()["case_id"]) == set(DATA[1].split.test)
    again = FoldWork(DATA[1], orders, retest=True)
    assert "--trainer.callbacks+" not in again.next_command(())


def test_a_planted_leak_is_named(orders):
    split = DATA[1].split
    leak = split.test[0]
    trained(orders, Split((*split.train, leak), split.val, split.test[1:], "planted"))
    with pytest.raises(SplitError, match=rf"fold 1: trained on other sets than planned, .*test cases \['{leak}'\]"):
        FoldWork(DATA[1], orders).next_command(())


def test_other_data_are_refused(orders):
    trained(orders, data_hash="0123456789abcdef")
    with pytest.raises(
        SplitError, match=r"fold 1: trained on other data than planned, expected \w{12}, got 0123456789ab"
    ):
        FoldWork(DATA[1], orders).next_command(())


def test_a_run_that_did_not_finish(orders):
    trained(orders).end("KILLED")
    work = FoldWork(DATA[1], orders)
    assert work.next_command(())[0] == "fit"
    with pytest.raises(TrackingError, match=r"fold 1: the run did not finish, expected FINISHED, got KILLED"):
        work.accept("fit")


def test_a_table_of_another_checkpoint_s_cases(orders):
    folder = trained(orders)
    write_case_table(table(DATA[0].split.test), folder.path / "cases" / "test.csv")
    work = FoldWork(DATA[1], orders)
    with pytest.raises(DataError, match="the table has other cases than the fold tests"):
        work.accept("test")
    assert not work.table.exists()


def test_a_living_process_is_waited_for(orders):
    work = FoldWork(DATA[1], orders)
    assert not work.is_busy()
    folder = trained(orders)
    assert not work.is_busy()
    folder.take()  # this very process
    assert work.is_busy()
