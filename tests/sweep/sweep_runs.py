"""Sweeps of tiny experiments as real processes, and what their studies and MLflow runs hold."""

import json
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress

import optuna
import psutil
import yaml

from lit_medseg.sweep.study import close_storage, open_storage, quieten
from lit_medseg.sweep.work import RETRIES
from tests.commands.rank_commands import START_S, Command, until
from tests.own_environment import own_environment

LR = "model.init_args.optimizer.init_args.lr"
NORM = "model.init_args.network.init_args.norm"
FAKES = "tests.sweep.sweep_fakes"


def experiment(epochs=3, ranks=1, **network):
    """Phantoms of eight patients: four train, two validate; a step takes milliseconds."""
    phantoms = {"root": "phantoms", "patients": 8, "slices": 2, "size": 48}
    trainer = {"max_epochs": epochs, "accelerator": "cpu", "devices": ranks}
    if ranks > 1:
        trainer["strategy"] = {"class_path": "lit_medseg.cluster.exact_ddp.ExactDDP"}
    return {
        "seed_everything": 3,
        "trainer": {**trainer, "enable_progress_bar": False},
        "overlay_every": 1000,
        "checkpoint_minutes": 0.01,
        "model": {
            "class_path": "lit_medseg.tasks.segmentation.SegmentationTask",
            "init_args": {
                "network": {"class_path": f"{FAKES}.TinyUNet", "init_args": network},
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
            },
        },
        "data": {
            "class_path": "data_modules.mri_slices.MRISlicesDataModule",
            "init_args": {
                "source": {"class_path": "lit_medseg.catalogue.phantom.Phantom", "init_args": phantoms},
                "truth": {"masks": {"organ": 1, "lesion": 2}},
                "splitter": {
                    "class_path": "lit_medseg.catalogue.hold_out.HoldOut",
                    "init_args": {"val": 0.25, "test": 0.25},
                },
                "loading": {"batch_size": 4, "eval_batch_size": 3, "workers": 0},
            },
        },
    }


def sweep(trials=3, **keys):
    """A search for a learning rate and a layer."""
    plain = {
        "experiment": "tiny.yaml",
        "space": {LR: {"low": 1e-4, "high": 0.1, "log": True}, NORM: {"values": [True, False]}},
        "objective": {"metric": "val/dice"},
        "budget": {"trials": trials},
    }
    return {**plain, **keys}


def write(folder, name, plain):
    path = folder / name
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


def prepare(folder, base, plain, name="search.yaml"):
    write(folder, "tiny.yaml", base)
    return write(folder, name, plain)


def run_sweep(folder, *arguments, status=0):
    command = Command(folder, "sweep", *arguments)
    found = command.wait(3 * START_S)
    assert found == status, f"{found}\n{command.text}"
    return command.text


def study_of(folder, name, storage=None):
    quieten()
    return optuna.load_study(study_name=name, storage=open_storage(storage, folder / "runs" / name / "sweep"))


def settled(study):
    """What an interrupted search has to have in common with the undisturbed one; the study is closed."""
    trials = study.get_trials(deepcopy=False)
    close_storage(study)
    return [(one.number, one.state.name, one.params, one.values, one.intermediate_values) for one in trials]


def mlflow_runs(folder, experiment_name):
    """Name, status and tags of all runs of an experiment."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        rows = store.execute(
            "select r.name, r.status, r.run_uuid from runs r join experiments e using (experiment_id) where e.name = ?",
            (experiment_name,),
        ).fetchall()
        return [
            (
                name,
                status,
                dict(store.execute("select key, value from tags where run_uuid = ?", (identity,)).fetchall()),
            )
            for name, status, identity in rows
        ]


def repeated_metrics(folder):
    """Metrics that MLflow has twice at one step: none."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        sql = "select run_uuid, key, step, count(*) from metrics where key like 'val/%' or key = 'train/loss'"
        return store.execute(f"{sql} group by run_uuid, key, step having count(*) > 1").fetchall()


def recorded(run, key):
    """The values of a metric in a run folder, in order."""
    lines = map(json.loads, (run / "records.jsonl").read_text().splitlines())
    return [line["value"] for line in lines if line["kind"] == "metric" and line["key"] == key]


def run_with_kills(folder, config, kinds, seed, database=None, workers=1, most_s=9.0):
    """Work at a sweep until it is done, while parts of it are killed at random moments.

    A worker is a process of its own, and is started anew when it was killed. The kind `parent` kills one of them,
    `worker` a trial's first process, `rank` its second rank, `all` everything there is; `database` stops the server of
    the study for a few seconds.

    Returns:
        How often each kind has hit a living process.
    """
    moments, waiting, hit = random.Random(seed), list(kinds), Counter()
    begun = [_begin(folder, config) for _ in range(workers)]
    at_work = list(begun)
    try:
        while waiting and at_work:
            time.sleep(moments.uniform(0.5, most_s))
            at_work = [one for one in at_work if one.process.poll() is None]
            kind = _possible(waiting, folder / "runs", workers)
            if not at_work or not _hit(kind, moments.choice(at_work), begun, database):
                continue
            waiting.remove(kind)
            hit[kind] += 1
            killed = [one for one in at_work if kind in ("parent", "all") and not _lives(one)]
            again = [_begin(folder, config) for _ in killed]
            at_work = [*(one for one in at_work if one not in killed), *again]
            begun += again
        statuses = {one.process.wait(3 * START_S) for one in begun}
        assert statuses <= {0, -9}, [(one.process.returncode, one.text) for one in begun]
        assert all(one.process.returncode == 0 for one in at_work), [one.text for one in at_work]
        # children of a killed one may live a moment longer, as on a cluster
        until(lambda: not any(one.living() for one in begun), 20.0, lambda: "orphans")
    finally:
        for one in begun:
            one.end()
    return hit


def _begin(folder, config):
    return Command(folder, "sweep", "--config", config, "--resume")


def _lives(command):
    with suppress(psutil.TimeoutExpired):
        command.process.wait(1.0)
    return command.process.poll() is None


def _possible(waiting, runs, workers):
    """The next kind: a trial is tried again three times, not more, and those in work are the last ones."""
    in_work = sorted(runs.glob("*/sweep/trials/*"))[-workers:]
    spent = any(len(list(trial.glob("*.died"))) >= RETRIES for trial in in_work)
    return next((kind for kind in waiting if not (spent and kind in ("worker", "rank"))), None)


def _hit(kind, command, begun, database):
    """Kill; tells whether there was something to kill."""
    if kind == "database" and _of_kind(command, "worker"):
        database.stop()
        time.sleep(3.0)
        database.start()
        return True
    victims = [one for each in begun for one in each.living()] if kind == "all" else _of_kind(command, kind)
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    return bool(victims)


def _of_kind(command, kind):
    """The process of a command that a kill of this kind hits; none where there is none just now."""
    living = command.living()
    if kind == "parent":
        return [one for one in living if one.pid == command.process.pid]
    fits = [one for one in living if "fit" in _words(one) or "lit_medseg.cluster.start_rank" in " ".join(_words(one))]
    local = {"worker": None, "rank": "1"}
    with suppress(psutil.NoSuchProcess):
        return [one for one in fits if kind in local and one.environ().get("LOCAL_RANK") == local[kind]][:1]
    return []


def _words(process):
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def environment():
    return own_environment()
