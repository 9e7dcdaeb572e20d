"""One MLflow run for a run folder, wherever the process that makes it was killed."""

from dataclasses import dataclass, field, replace

from lit_medseg.tracking.attach import begin_run
from lit_medseg.tracking.give_mlflow_run import KEY_TAG, give_mlflow_run
from lit_medseg.tracking.mark_dead import mark_dead
from lit_medseg.tracking.run_folder import create_run_folder, dead_runs
from lit_medseg.tracking.store import Store, open_store


@dataclass(frozen=True)
class _CountedStore(Store):
    """A store that keeps which keys it was asked for."""

    asked: list[str] = field(default_factory=list)

    def find_run(self, tag, value):
        self.asked.append(value)
        return super().find_run(tag, value)


def _killed_before_the_number(folder):
    """Leave the folder as a process does that was killed between the answer of the store and its next line."""
    state = folder.read()
    folder.write(replace(state, run_id="", owner=replace(state.owner, mark="before the machine was started again")))


def _runs(store):
    return store.client.search_runs([store.experiment_id])


def test_a_run_whose_number_was_lost_is_taken_up(tmp_path, database):
    store = open_store(database, "a")
    folder = create_run_folder(tmp_path / "runs", "a", "0" * 16)
    lost = give_mlflow_run(folder, store, {"verb": "fit", "fold": "1"})
    _killed_before_the_number(folder)
    assert mark_dead(dead_runs(tmp_path / "runs"), store.client) == [folder]  # another command saw it first
    assert folder.read().status == "KILLED"
    folder.take()
    logger = begin_run(folder, store, {"fold": "2"})
    assert logger.queue.flush(60.0)
    (run,) = _runs(store)
    assert (run.info.run_id, run.info.status) == (lost, "RUNNING")
    assert (folder.read().run_id, folder.read().key) == (lost, run.data.tags[KEY_TAG])
    assert [run.data.tags[key] for key in ("verb", "fold", "end_reason")] == ["fit", "2", ""]
    logger.close("FINISHED")
    assert [one.info.status for one in _runs(store)] == ["FINISHED"]


def test_a_run_that_was_marked_in_the_store_is_running_again(tmp_path, database):
    store = open_store(database, "a")
    folder = create_run_folder(tmp_path / "runs", "a", "0" * 16)
    lost = give_mlflow_run(folder, store, {})
    store.client.set_terminated(lost, "FAILED")
    _killed_before_the_number(folder)
    folder.take()
    assert give_mlflow_run(folder, store, {}) == lost
    assert [(one.info.run_id, one.info.status) for one in _runs(store)] == [(lost, "RUNNING")]


def test_a_process_that_was_killed_before_the_store_was_asked(tmp_path, database):
    store = open_store(database, "a")
    other, folder = (create_run_folder(tmp_path / "runs", "a", "0" * 16) for _ in range(2))
    first = give_mlflow_run(other, store, {})
    folder.write(replace(folder.read(), key="f" * 32))
    second = give_mlflow_run(folder, store, {}, "shown")
    assert first != second
    assert {one.info.run_id: one.info.run_name for one in _runs(store)} == {first: other.name, second: "shown"}


def test_the_store_is_asked_only_where_a_run_may_be(tmp_path, database):
    """Not for a new folder, nor for a scheduled one that is begun for the first time."""
    plain = open_store(database, "a")
    store = _CountedStore(plain.client, plain.experiment_id, plain.uri)
    new, scheduled = (create_run_folder(tmp_path / "runs", "a", "0" * 16) for _ in range(2))
    scheduled.write(replace(scheduled.read(), status="SCHEDULED", attempt=0))
    scheduled.take()
    for folder in (new, scheduled):
        give_mlflow_run(folder, store, {})
    assert store.asked == []
    _killed_before_the_number(new)
    give_mlflow_run(new, store, {})
    assert store.asked == [new.read().key]
    assert len(_runs(store)) == 2
