"""Opening a study, and refusing another's."""

import optuna
import pytest

from lit_medseg.errors import ConfigError, TrackingError
from lit_medseg.sweep.plan import ClassPath
from lit_medseg.sweep.study import DEFINITION, OWNER, begun_trials, open_storage, open_study, quieten, shown_storage
from tests.sweep.searches import SPACE, opened, plan_with, search

pytestmark = pytest.mark.filterwarnings("ignore:.*experimental.*")


@pytest.fixture(autouse=True)
def _quiet():
    quieten()


CHANGES = {
    "space": {"space": {**SPACE, "n": {"low": 1, "high": 5}}},
    "objective": {"objective": {"metric": "val/loss", "direction": "min"}},
    "fixed": {"fixed": {"trainer.max_epochs": 3}},
    "repeats": {"repeats": 2},
    "seed": {"seed": 1},
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_study_of_another_search_is_refused(tmp_path, part):
    search(plan_with(tmp_path, trials=1), tmp_path)
    with pytest.raises(ConfigError, match=f"study search: it was made with others, expected the same {part}"):
        opened(plan_with(tmp_path, **CHANGES[part]), tmp_path)


def test_trials_on_other_numbers_of_devices_are_another_study(tmp_path):
    plan = plan_with(tmp_path, trials=1)
    search(plan, tmp_path)
    storage = open_storage(None, tmp_path / "search" / "sweep")
    with pytest.raises(ConfigError, match="expected the same devices per trial"):
        open_study(plan, storage, plan.definition([], devices=2), "id")


def test_sampler_budget_and_pruner_may_change(tmp_path):
    search(plan_with(tmp_path, trials=1), tmp_path)
    other = plan_with(tmp_path, trials=3, sampler="optuna.samplers.RandomSampler", pruner="optuna.pruners.MedianPruner")
    assert len(search(other, tmp_path)) == 3


def test_a_study_of_other_folders_is_refused(tmp_path):
    address = f"sqlite:///{tmp_path / 'studies.db'}"
    plan = plan_with(tmp_path, trials=1)
    search(plan, tmp_path / "a", address=address)
    storage = open_storage(address, tmp_path)
    with pytest.raises(ConfigError, match="it belongs to other runs"):
        open_study(plan, storage, plan.definition([]), "another id")
    storage.engine.dispose()


def test_a_study_that_was_half_made_is_made_anew(tmp_path):
    plan = plan_with(tmp_path, enqueue=[{"x": 0.5}])
    storage = open_storage(None, tmp_path)
    half = optuna.create_study(study_name="search", storage=storage, direction="maximize")
    half.set_user_attr(OWNER, "id")
    half.enqueue_trial({"x": 0.5})  # and here its maker was killed
    study = open_study(plan, storage, plan.definition([]), "id")
    assert DEFINITION in study.user_attrs
    assert len(study.get_trials()) == 1


def test_a_study_of_another_program_is_left_alone(tmp_path):
    plan = plan_with(tmp_path)
    storage = open_storage(None, tmp_path)
    optuna.create_study(study_name="search", storage=storage).enqueue_trial({"x": 0.5})
    with pytest.raises(ConfigError, match="it belongs to other runs"):
        open_study(plan, storage, plan.definition([]), "id")
    assert len(optuna.load_study(study_name="search", storage=storage).get_trials()) == 1


def test_trials_that_only_wait_are_not_begun(tmp_path):
    plan = plan_with(tmp_path, trials=1, enqueue=[{"x": 0.5}, {"x": 0.6}])
    storage = open_storage(None, tmp_path / plan.name / "sweep")
    assert begun_trials(plan, storage) is None
    opened(plan, tmp_path)
    assert begun_trials(plan, storage) == 0
    search(plan, tmp_path)
    assert begun_trials(plan, storage) == 1


def test_first_trials_that_are_added_later_are_tried_too(tmp_path):
    early = [{"x": 0.5}, {"x": 0.5, "kind": "flat"}]
    search(plan_with(tmp_path, trials=3, enqueue=early), tmp_path)
    rows = search(plan_with(tmp_path, trials=6, enqueue=[*early, {"x": 1.5}]), tmp_path)
    assert [row[2]["x"] for row in rows].count(0.5) == 2
    assert rows[3][2]["x"] == 1.5
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("wanted", "error", "expected"),
    [
        ("postgresql://me:secret@127.0.0.1:9/none", TrackingError, "postgresql://127.0.0.1/none"),
        ("nonsense://x", TrackingError, "nonsense://x"),
        ("sqlite:////no/such/folder/s.db", TrackingError, "sqlite:///s.db"),
        (ClassPath("optuna.storages.RDBStorag"), ConfigError, "storage.class_path: no such class"),
        (ClassPath("optuna.storages.RDBStorage", {"uri": "x"}), ConfigError, "storage.init_args.uri: unknown key"),
    ],
)
def test_a_storage_that_cannot_be_reached(tmp_path, wanted, error, expected):
    with pytest.raises(error) as raised:
        open_storage(wanted, tmp_path)
    assert str(raised.value).startswith(expected)
    assert "secret" not in str(raised.value)


def test_a_storage_for_people_has_no_password():
    assert shown_storage("postgresql://me:secret@host:5432/db") == "postgresql://host/db"
