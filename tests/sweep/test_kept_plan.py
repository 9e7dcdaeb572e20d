"""The plan beside its study: read back as it was, and without passwords."""

import pytest

from lit_medseg.errors import TrackingError
from lit_medseg.sweep.kept_plan import keep_plan, read_kept_plan
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import ClassPath
from lit_medseg.sweep.study import open_storage
from tests.sweep.searches import plan_with

SECRET = "not-for-anyones-eyes"
ADDRESS = f"postgresql://ann:{SECRET}@127.0.0.1:9/studies"
CLASSES = {
    "a class": {"class_path": "optuna.storages.RDBStorage", "init_args": {"url": ADDRESS}},
    "a class within": {
        "class_path": "optuna.storages.JournalStorage",
        "init_args": {"log_storage": {"class_path": "Redis", "init_args": {"urls": [ADDRESS]}}},
    },
    "an argument": f"{ADDRESS.replace(SECRET, '')}?password={SECRET}",
    "an address": ADDRESS,
}


@pytest.mark.parametrize("storage", CLASSES)
def test_no_file_of_a_sweep_has_a_password(tmp_path, storage):
    plan = plan_with(tmp_path, storage=CLASSES[storage])
    place = Place(tmp_path, "search")
    keep_plan(place, plan, [{"seed_everything": 3}])
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert all(SECRET not in file.read_text() for file in files)
    assert "127.0.0.1:9/studies" in files[0].read_text()
    kept, bases = read_kept_plan(place)
    assert (kept.space, kept.objectives, bases) == (plan.space, plan.objectives, [{"seed_everything": 3}])


def test_what_is_left_out_is_no_storage(tmp_path):
    plan = plan_with(tmp_path)
    keep_plan(Place(tmp_path, "search"), plan, [])
    assert read_kept_plan(Place(tmp_path, "search"))[0].storage is None
    with pytest.raises(TrackingError, match="its plan cannot be read"):
        read_kept_plan(Place(tmp_path, "other"))


def test_a_class_that_cannot_be_reached_shows_no_password(tmp_path):
    with pytest.raises(TrackingError) as raised:
        open_storage(ClassPath("optuna.storages.RDBStorage", {"url": ADDRESS}), tmp_path)
    assert SECRET not in str(raised.value)
