"""What a run has recorded, read while it is being written."""

import math

import pytest

from lit_medseg.sweep.history import LOSS, History, value_of
from lit_medseg.sweep.plan import Objective
from lit_medseg.tracking.records import Record


def append(folder, *records):
    with (folder / "records.jsonl").open("ab") as file:
        for record in records:
            file.write(record.line())


def epoch(number, step, **metrics):
    return [
        *(Record("metric", key, value, step) for key, value in metrics.items()),
        Record("metric", "epoch", number, step),
    ]


def test_values_by_epoch_as_they_come(tmp_path):
    history = History(tmp_path)
    history.update()  # there is no file yet
    append(tmp_path, *epoch(0, 4, dice=0.5), Record("param", "x", "1"))
    history.update()
    assert history.values["dice"] == {1: [0.5]}
    line = Record("metric", "dice", 0.7, 8).line()
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(line[:10])
    history.update()
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write(line[10:])
    history.update()
    assert history.values["dice"] == {1: [0.5]}  # its epoch is not known yet
    assert history.first("dice", lambda value: value > 0.6) == 0
    append(tmp_path, Record("metric", "epoch", 1, 8))
    history.update()
    assert history.values["dice"] == {1: [0.5], 2: [0.7]}
    assert history.epochs == 2
    assert (history.first("dice", lambda value: value > 0.6), history.most("dice")) == (2, 0.7)
    append(tmp_path, Record("metric", "cost", 3.0, 9))
    history.finish()
    assert history.values["cost"] == {2: [3.0]}


def test_an_epoch_counts_once_it_has_ended_however_early_somebody_looks(tmp_path):
    """Validated twice an epoch: the pruner sees each epoch's last value, `best` sees all."""
    history, looks = History(tmp_path), []
    for records in (epoch(0, 1, dice=0.9), epoch(0, 3, dice=0.4), epoch(0, 3, **{LOSS: 2.0}), epoch(1, 5, dice=0.5)):
        append(tmp_path, *records)
        history.update()
        looks.append(history.by_epoch("dice"))
    assert looks == [{}, {}, {1: 0.4}, {1: 0.4}]
    assert (history.first("dice", lambda value: value > 0.8), history.most("dice")) == (1, 0.9)
    append(tmp_path, *epoch(2, 9, dice=0.3))  # an attempt that was killed at the end of its epoch leaves no loss of it
    history.update()
    assert history.by_epoch("dice") == {1: 0.4, 2: 0.5}
    history.finish()
    assert history.by_epoch("dice") == {1: 0.4, 2: 0.5, 3: 0.3}
    assert value_of(Objective("dice"), history.values["dice"]) == 0.9
    assert value_of(Objective("dice", take="last"), history.values["dice"]) == 0.3


@pytest.mark.parametrize(
    ("direction", "take", "expected"),
    [("max", "best", 0.9), ("min", "best", 0.1), ("max", "last", 0.5), ("max", "mean", 0.5), ("min", "median", 0.5)],
)
def test_the_value_that_counts(direction, take, expected):
    values = {3: [0.5], 1: [0.1], 2: [0.9]}
    assert value_of(Objective("m", direction, take), values) == pytest.approx(expected)


def test_no_value_is_no_number():
    assert math.isnan(value_of(Objective("m"), {}))
    assert math.isnan(value_of(Objective("m", take="last"), {1: [0.5], 2: [math.nan]}))
    assert value_of(Objective("m"), {1: [0.5], 2: [math.nan]}) == 0.5
