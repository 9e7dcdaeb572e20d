"""When a trial must end."""

from lit_medseg.sweep.early_end import early_end
from lit_medseg.sweep.history import History
from lit_medseg.tracking.records import Record
from tests.sweep.searches import plan_with


def history(folder, *records):
    (folder / "records.jsonl").write_bytes(b"".join(record.line() for record in records))
    found = History(folder)
    found.update()
    return found


def test_a_limit_is_exceeded_before_any_epoch_has_ended(tmp_path):
    plan = plan_with(tmp_path, constraints={"cost/parameters": 100})
    found = history(tmp_path, Record("metric", "cost/parameters", 987.0, 0))
    assert early_end(plan, found) == (0, "PRUNED", "constraint: cost/parameters 987 is more than 100")
    assert early_end(plan, history(tmp_path, Record("metric", "cost/parameters", 99.0, 0))) is None


def test_the_first_epoch_that_exceeds_a_limit_decides(tmp_path):
    plan = plan_with(tmp_path, constraints={"val/hd95_mm": 5})
    records = [
        Record("metric", key, value, step)
        for step, distance in ((9, 4.0), (19, 6.0), (29, 9.0))
        for key, value in (("epoch", (step + 1) / 10 - 1), ("val/hd95_mm", distance))
    ]
    assert early_end(plan, history(tmp_path, *records)) == (2, "PRUNED", "constraint: val/hd95_mm 6 is more than 5")


def test_a_loss_that_is_no_number_has_diverged(tmp_path):
    found = history(tmp_path, Record("metric", "epoch", 0.0, 9), Record("metric", "train/loss", float("nan"), 9))
    assert early_end(plan_with(tmp_path), found)[:2] == (1, "FAILED")
