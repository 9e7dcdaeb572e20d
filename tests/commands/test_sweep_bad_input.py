"""`sweep` with what cannot be used: exit status 2, one line that names the key, and nothing begun, written or lost."""

import json
import os
import re
import stat

import numpy as np
import psycopg
import pytest

from lit_medseg.commands.sweep_check import check
from lit_medseg.errors import ConfigError
from lit_medseg.imaging.write_png import write_png
from lit_medseg.main import main
from lit_medseg.sweep.nested import read_experiment
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.study import close_storage, open_storage, open_study
from lit_medseg.sweep.trials_of_space import variants, with_cost
from tests.commands.faulty_experiments import segmentation, write_pairs
from tests.sweep.sweep_runs import FAKES, LR, NORM, experiment, prepare, run_sweep, sweep, write
from tests.tracking.mlflow_server import Postgres

NETWORK = "model.init_args.network"
RANGE = {"low": 1e-4, "high": 0.1, "log": True}
UNET = {"class_path": f"{FAKES}.TinyUNet"}
CLOSED = "postgresql://me:topsecret@127.0.0.1:9/studies"
COMMANDS = ["--config", "search.yaml"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with an experiment, in which commands are given."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "tiny.yaml", experiment())
    return tmp_path


def refused(place, capsys, *arguments):
    """Give the command, and its one line; what lay in the folder is as it was, and nothing is new."""
    before = content(place)
    assert main(["sweep", *map(str, arguments)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert content(place) == before
    assert "topsecret" not in said[0]
    assert str(place) not in said[0]
    return said[0].removeprefix("error: ")


def content(folder):
    """All files but empty locks."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".sweep.lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def space(spec, name=LR):
    return {"space": {name: spec}}


def sampler(name, **arguments):
    return {"sampler": {"class_path": f"optuna.samplers.{name}", "init_args": arguments}}


def pruner(name, **arguments):
    return {"pruner": {"class_path": f"optuna.pruners.{name}", "init_args": arguments}}


SWEEPS = {
    "unknown key of the sweep": ({"sampller": 1}, "sampller: unknown key", "Did you mean 'sampler'?"),
    "low is nan": (space({"low": float("nan"), "high": 1.0}), f"space.{LR}.low: unusable value", "a number"),
    "high is inf": (space({"low": 0.1, "high": float("inf")}), f"space.{LR}.high: unusable value", "a number"),
    "too large a number": (space({"low": 0, "high": 10**400}), f"space.{LR}.high: unusable value", "a number"),
    "step beyond the range": (space({"low": 0.1, "high": 0.2, "step": 5.0}), f"space.{LR}: no range", "within"),
    "a value that is none": (space({"values": [0.1, float("nan")]}), f"space.{LR}: no value", "finite"),
    "choices without names": (space({"choices": {1: 2}}), f"space.{LR}.choices: unusable value", "a dictionary"),
    "when it comes later": (
        {"space": {LR: {**RANGE, "when": {NORM: True}}, NORM: {"values": [True, False]}}},
        f"space.{LR}.when: it comes later",
        "Move it up",
    ),
    "when never": (
        {"space": {NORM: {"values": [True, False]}, LR: {**RANGE, "when": {NORM: []}}}},
        f"space.{LR}.when.{NORM}: never true",
        "one setting or more",
    ),
    "when a range": (
        {"space": {LR: RANGE, NORM: {"values": [True], "when": {LR: 0.01}}}},
        f"space.{NORM}.when: {LR} is hardly ever exactly this",
        "values or a step",
    ),
    "two for one key": (
        {"space": {LR: RANGE, "rate": {**RANGE, "keys": [LR]}}},
        f"space.rate: two parameters set {LR}",
        f"got {LR} and rate",
    ),
    "a part after what lies in it": (
        {"space": {NORM: {"values": [True]}, NETWORK: {"choices": {"a": UNET}}}},
        f"space.{NETWORK}: it would replace {NORM}",
        f"Move {NETWORK} up",
    ),
    "fixed within a part": (
        {**space({"choices": {"a": UNET}}, NETWORK), "fixed": {NORM: True}},
        f"fixed.{NORM}: space.{NETWORK} would replace it",
        "Put it into each of the choices",
    ),
    "fixed and searched": ({"fixed": {LR: 0.1}}, "fixed: is searched too", LR),
    "the sweep's own key": (space({"values": ["a"]}, "run"), "space.run: the sweep itself sets it", "'run'"),
    "the sweep's own key, fixed": ({"fixed": {"trainer.fast_dev_run": True}}, "fixed.trainer.fast_dev_run", "itself"),
    "an empty key": (space(RANGE, "model..lr"), "space.model..lr: no key of an experiment", "one dot"),
    "keys twice": (space({**RANGE, "keys": [LR, LR]}, "a"), "space.a.keys: unusable", "each once"),
    "a key within a number": (space(RANGE, f"{LR}.x"), f"{LR}.x: {LR} has no keys", "0.01"),
    "an item of no list": (space(RANGE, "trainer.callbacks.0.x"), "trainer.callbacks.0.x: trainer.callbacks is", ""),
    "enqueue beside the branch": (
        {
            "space": {NORM: {"values": [True, False]}, LR: {**RANGE, "when": {NORM: True}}},
            "enqueue": [{NORM: False, LR: 0.01}],
        },
        f"enqueue.0: {LR} does not matter there",
        f"got {NORM}: False",
    ),
    "enqueue between steps": (
        {**space({"low": 1, "high": 3}), "enqueue": [{LR: 1.5}]},
        f"enqueue.0: {LR} cannot be this",
        "1 to 3",
    ),
    "enqueue true": ({**space({"low": 0, "high": 3}), "enqueue": [{LR: True}]}, f"enqueue.0: {LR} cannot", "True"),
    "no budget": ({"budget": None}, "budget: unusable value", "a dictionary"),
    "no hours": ({"budget": {"hours": -1}}, "budget: no end", "hours above 0"),
    "no repeats": ({"repeats": 0}, "repeats: unusable value", "1 or more"),
    "one fold": ({"folds": 1}, "folds: cannot be so", "2 or more"),
    "a sampler without its package": ({"sampler": "TPESampler"}, "sampler.class_path", "Give its package too"),
    "a sampler that is a function": ({"sampler": "sys.exit"}, "sampler.class_path: no such class", "'exit'"),
    "a relative sampler": ({"sampler": ".samplers.X"}, "sampler.class_path: no such class", "'.samplers.X'"),
    "a sampler's wrong argument": (sampler("TPESampler", n_start=1), "sampler.init_args.n_start", "unknown key"),
    "a sampler's wrong value": (
        sampler("TPESampler", n_startup_trials="ten"),
        "sampler: it cannot draw from this space",
        "'int' and 'str'",
    ),
    "a sampler for one objective": (
        {**sampler("CmaEsSampler"), "objective": ["val/dice", "val/loss"]},
        "sampler: it cannot draw from this space",
        "multi-objective",
    ),
    "an endless exhaustive search": (sampler("BruteForceSampler"), "sampler: it cannot draw", "step must be given"),
    "another grid": (
        {**sampler("GridSampler", search_space={"x": [1]}), **space({"values": [0.1, 0.2]})},
        "sampler: it cannot draw",
        "not found in the given grid",
    ),
    "a pruner that stumbles later": (pruner("HyperbandPruner", min_resource=0), "pruner: it cannot work", "division"),
    "a pruner of pairs": (pruner("WilcoxonPruner"), "pruner: it compares the runs of a trial", "Give repeats or folds"),
    "a base that is not there": ({"experiment": "none.yaml"}, "experiment: no such file", "none.yaml"),
    "a base that is a folder": ({"experiment": "."}, "experiment: it cannot be read", "directory"),
    "a base that is the sweep": ({"experiment": "search.yaml"}, "experiment: a YAML names itself", "search.yaml"),
    "a preset's key": ({"presets": {"a": {"presets": {}}}}, "presets.a.presets: unknown key", ""),
    "a base that is no YAML": ({"experiment": "broken.yaml"}, "experiment broken.yaml: not a YAML", "line 2"),
    "a closed port": ({"storage": CLOSED}, "postgresql://127.0.0.1/studies: the study cannot be kept", "refused"),
    "a journal below a file": ({"storage": "tiny.yaml/x.journal"}, "x.journal: the study cannot be kept", ""),
    "another's journal": ({"storage": "train.log"}, "train.log: it is no journal of studies", "epoch 1"),
    "no address": ({"storage": "nonsense"}, "nonsense: the study cannot be kept there", ""),
    "no storage": ({"storage": ""}, "storage.class_path: unusable value", "a text"),
    "a storage that forgets": (
        {"storage": {"class_path": "optuna.storages.InMemoryStorage"}},
        "storage: no storage for a sweep",
        "keeps studies",
    ),
    "a storage that is none": ({"storage": {"class_path": "optuna.samplers.TPESampler"}}, "storage: no storage", ""),
}


@pytest.mark.parametrize("fault", SWEEPS)
def test_a_sweep_that_cannot_be(place, capsys, fault):
    plain, where, expected = SWEEPS[fault]
    (place / "broken.yaml").write_text("trainer:\n\tmax_epochs: 3\n")
    (place / "train.log").write_text("epoch 1: 0.5\nepoch 2")
    write(place, "search.yaml", {**sweep(), **plain})
    line = refused(place, capsys, *COMMANDS)
    assert line.startswith(where)
    assert expected in line


FILES = {
    "list": ("- a\n", "--config search.yaml: no settings"),
    "empty": ("", "--config search.yaml: no settings"),
    "tabs": ("space:\n\ta: 1\n", "--config search.yaml: not a YAML"),
    "two documents": ("a: 1\n---\nb: 2\n", "--config search.yaml: not a YAML"),
    "numbers as keys": ("1: 2\n", "--config search.yaml: no settings"),
    "code": ("a: !!python/object/apply:os.getcwd []\n", "--config search.yaml: not a YAML"),
    "a key twice": ("budget: {trials: 1}\nbudget: {trials: 2}\n", "--config search.yaml: not a YAML"),
    "no text": (b"\x80\x81", "--config search.yaml: not a YAML"),
    "missing": (None, "--config: no such file"),
}


@pytest.mark.parametrize("fault", FILES)
def test_a_file_that_is_no_sweep(place, capsys, fault):
    content, expected = FILES[fault]
    if content is not None:
        (place / "search.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refused(place, capsys, *COMMANDS).startswith(expected)


ARGUMENTS = {
    "preset": (["--preset", "smal"], "--preset: no such preset, expected ['small']"),
    "slash": (["--name", "a/b"], "--name: unusable name"),
    "dots": (["--name", ".."], "--name: unusable name"),
    "empty name": (["--name", ""], "--name: unusable name"),
    "no worker": (["--workers", "0"], "--workers: nobody works"),
    "no list": (["--devices", "x"], "--devices: no list of GPUs"),
    "of which": (["--devices-per-trial", "2"], "--devices-per-trial: of which?"),
    "no number": (["--workers", "two"], "command line: it cannot be read"),
    "unknown": (["--worker", "2"], "command line: unknown argument, expected what --help lists, got --worker 2. Did"),
    "no folder": (["--runs_dir", "tiny.yaml"], "--runs_dir tiny.yaml: no sweep can be kept there"),
    "no tracking": (["--tracking", "http://127.0.0.1:9"], "http://127.0.0.1:9: the tracking server does not answer"),
    "storage": (["--storage", CLOSED], "postgresql://127.0.0.1/studies: the study cannot be kept"),
}


@pytest.mark.parametrize("fault", ARGUMENTS)
def test_a_command_that_cannot_be(place, capsys, fault):
    arguments, expected = ARGUMENTS[fault]
    write(place, "search.yaml", {**sweep(), "presets": {"small": {}}})
    assert refused(place, capsys, *COMMANDS, *arguments).startswith(expected)


def test_a_sweep_that_nobody_has_begun(place, capsys):
    assert refused(place, capsys, "status", "none").startswith("none: no such sweep, expected one of []")
    assert refused(place, capsys).startswith("command line: it cannot be read")


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """A machine whose driver reports a number of GPUs."""

    def with_gpus(count):
        folder = tmp_path.with_name(f"{tmp_path.name}-bin")
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + "".join(f"echo {number}\n" for number in range(count)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return with_gpus


DEVICES = {
    "more a trial than named": ("0,1", ["--devices-per-trial", "4"], "--devices: the devices cannot be shared out"),
    "no multiple": ("0,1,2", ["--devices-per-trial", "2"], "--devices: the devices cannot be shared out"),
    "none a trial": ("0,1", ["--devices-per-trial", "0"], "--devices: the devices cannot be shared out"),
    "not there": ("0,7", [], "--devices: no such device, expected 0 to 3, got [7]"),
    "twice": ("0,1,0", [], "--devices: unusable list, expected each device once, got [0] twice"),
    "below zero": ("0,-1", [], "--devices: no such device"),
    "nothing": ("", [], "--devices: no list of GPUs"),
}


@pytest.mark.parametrize("fault", DEVICES)
def test_devices_that_are_not_there(place, capsys, gpus, fault):
    devices, arguments, expected = DEVICES[fault]
    gpus(4)
    write(place, "search.yaml", sweep())
    assert refused(place, capsys, *COMMANDS, f"--devices={devices}", *arguments).startswith(expected)


def test_devices_of_a_machine_without(place, capsys, gpus):
    gpus(0)
    write(place, "search.yaml", sweep())
    line = refused(place, capsys, *COMMANDS, "--devices", "0,7")
    assert line.startswith("--devices: no such device, expected none, this machine shows no GPU, got [0, 7]")


def test_devices_that_the_sweep_sets_itself(place, capsys, gpus):
    gpus(4)
    write(place, "search.yaml", {**sweep(), **space({"values": [1, 2]}, "trainer.devices")})
    line = refused(place, capsys, *COMMANDS, "--devices", "0,1")
    assert line.startswith("--devices: the sweep sets devices itself, expected one of the two, got ['trainer.devices']")


@pytest.mark.parametrize("change", [{"space": {LR: RANGE}}, {"objective": {"metric": "val/loss", "direction": "min"}}])
def test_a_storage_of_another_search(place, capsys, change):
    """What is in it stays: trials of another space or objective cannot be compared."""
    plan = read_plan(prepare(place, experiment(), sweep()))
    folder = Place(place / "runs", "search").folder.path
    storage = open_storage(None, folder)
    (folder / "sweep_id").write_text("id\n")
    study = open_study(plan, storage, plan.definition([read_experiment(place / "tiny.yaml")]), "id")
    study.tell(study.ask(), 0.5)
    close_storage(study)
    write(place, "search.yaml", {**sweep(), **change})
    line = refused(place, capsys, *COMMANDS, "--resume")
    assert line.startswith(f"study search: it was made with others, expected the same {next(iter(change))}")
    line = refused(place, capsys, *COMMANDS)
    assert line.startswith("sweep search: it was begun before")


@pytest.mark.slow
def test_a_wrong_password_is_not_shown(place, capsys):
    server = Postgres()
    try:
        server.start()
        with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
            connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
            rules = server.folder / "data" / "pg_hba.conf"
            rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
        write(place, "search.yaml", sweep(storage=f"postgresql://guarded:topsecret@127.0.0.1:{server.port}/postgres"))
        line = refused(place, capsys, *COMMANDS)
    finally:
        server.end()
    assert line.startswith("postgresql://127.0.0.1/postgres: the study cannot be kept there")
    assert 'password authentication failed for user "guarded"' in line


def asked(folder, base, plain):
    """What the parent asks its child."""
    plan = read_plan(prepare(folder, base, plain))
    found = [[one.where, one.settings] for one in variants(plan, with_cost(plan, base))]
    metrics = [objective.metric for objective in plan.objectives]
    answer = folder / "metrics.json"
    file = folder / "question.json"
    file.write_text(json.dumps({"variants": found, "folds": plan.folds, "metrics": metrics, "answer": str(answer)}))
    return file, answer


SMP = {"class_path": "segmentation_models_pytorch.Unet", "init_args": {"encoder_name": "resnet18"}}
ENCODER = f"{NETWORK}.init_args.encoder_name"
REFUSED = {
    "unknown key": (
        sweep(space={LR + "x": {"low": 0.1, "high": 0.2}}),
        f"space.{LR}x = 0.1: model.init_args.optimizer.init_args.lrx: unknown key",
        "Did you mean 'lr'?",
    ),
    "unknown part": (sweep(space={"modle.x": {"values": [1]}}), "space.modle.x = 1: modle: unknown key", "'model'"),
    "value": (
        sweep(space={"trainer.max_epochs": {"values": [2, "many"]}}),
        "space.trainer.max_epochs = 'many': trainer.max_epochs: a value of the wrong type",
        "an integer",
    ),
    "class": (
        sweep(space={NETWORK: {"choices": {"a": {"class_path": f"{FAKES}.TinyUNe"}}}}),
        f"space.{NETWORK} = 'a': model.init_args.network.class_path: no such class",
        "TinyUNet",
    ),
    "fixed": (
        sweep(fixed={"model.init_args.los": 1}),
        "experiment with what is fixed: model.init_args.los: unknown key",
        "'loss'",
    ),
    "encoder": (
        sweep(
            space={NETWORK: {"choices": {"unet": SMP}}, ENCODER: {"values": ["resnet81"], "when": {NETWORK: "unet"}}}
        ),
        f"space.{ENCODER} = 'resnet81': model: it cannot be built, expected values that its classes take, got KeyError",
        "more",
    ),
    "network": (
        sweep(space={NETWORK: {"choices": {"deep": {**SMP, "init_args": {"encoder_depth": 9}}}}}),
        f"space.{NETWORK} = 'deep': model: it cannot be built",
        "ValueError: ResNetEncoder depth should be in range [1, 5], got 9",
    ),
    "optimizer": (
        sweep(space={LR: {"values": [0.01, -0.1]}}),
        f"space.{LR} = -0.1: model: it cannot be built",
        "Invalid learning rate: -0.1",
    ),
    "augmentation": (
        sweep(
            space={
                "data.init_args.training.augmentation": {
                    "choices": {"flip": [{"class_path": "albumentations.HorizontalFlip", "init_args": {"p": 7}}]}
                }
            }
        ),
        "space.data.init_args.training.augmentation = 'flip': albumentations.HorizontalFlip: unusable values",
        "less than or equal to 1",
    ),
    "dropout": (sweep(space={"dropout": {"values": [1.5]}}), "space.dropout = 1.5: dropout: out of range", "1.5"),
    "ranks": (
        sweep(fixed={"trainer.devices": 4, "trainer.accelerator": "gpu"}),
        "experiment with what is fixed: trainer: unusable settings, expected what Lightning and this machine have",
        "'devices': 4",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_space_that_the_experiment_refuses(place, fault):
    """Of a network that nobody can build too; no data are read for it."""
    plain, expected, near = REFUSED[fault]
    file, _ = asked(place, experiment(), plain)
    with pytest.raises(ConfigError) as raised:
        check(file)
    text = str(raised.value)
    assert text.startswith(expected)
    assert near in text
    assert "\n" not in text
    assert len(text) < 900
    assert not (place / "cache").exists()


WITHOUT_TEST = {"class_path": "lit_medseg.catalogue.hold_out.HoldOut", "init_args": {"val": 0.25, "test": 0.0}}
FOLDS = {
    "more folds than patients": (
        sweep(folds=7),
        "experiment: folds: fold 0 of 7: split: too few patients, expected 7 at least, got 6: ",
        "Or give the sweep fewer `folds`",
    ),
    "of a value of the space": (
        sweep(folds=4, space={"data.init_args.splitter.init_args.test": {"values": [0.25, 0.7]}}),
        "space.data.init_args.splitter.init_args.test = 0.7: folds: fold 0 of 4: split: too few patients",
        "expected 4 at least, got 3",
    ),
}


@pytest.mark.parametrize("fault", FOLDS)
def test_folds_that_the_cases_do_not_allow(place, fault):
    """Nothing is processed or trained before that is known; what was read of the cases is kept for the runs."""
    plain, expected, near = FOLDS[fault]
    text = refused_check(place, experiment(), plain)
    assert text.startswith(expected)
    assert near in text


@pytest.mark.parametrize("identical", ["refuse", "drop"])
def test_folds_without_a_class_and_with_copies_of_two_truths(place, identical):
    """Two of twelve patients have the rare class: two of four folds validate without it."""
    write_pairs(place / "pairs")
    image, mask = place / "pairs/images/p07_0.png", np.zeros((1, 32, 32), np.uint8)
    mask[0, 4:14, 4:14], mask[0, 6, 6] = 255, 128
    write_png(place / "pairs/masks/p02_0.png", mask)
    write_png(place / "pairs/masks/p05_0.png", mask)
    mask[0, 20:, 20:] = 255
    image.with_name("p11_0.png").write_bytes(image.read_bytes())
    mask[mask == 128] = 255
    write_png(place / "pairs/masks/p11_0.png", mask)
    base = experiment()
    base["data"] = segmentation()["data"]
    base["data"]["init_args"] |= {"truth": {"masks": {"organ": 255, "rare": 128}}, "trust": {"identical": identical}}
    base["data"]["init_args"]["splitter"] = WITHOUT_TEST
    text = refused_check(place, base, sweep(folds=4))
    if identical == "refuse":
        assert text.startswith(
            "experiment: folds: fold 0 of 4: identical images: 1 image under several case ids: case p07"
        )
        assert "contradicting truth" in text
    else:
        assert re.match(r"experiment: folds: fold \d of 4: split: 1 fault: val: class rare has no cases", text)
        assert text.endswith("Or give the sweep fewer `folds`, or another `seed`.")


def refused_check(place, base, plain):
    """The one line of a check that trains nothing."""
    file, answer = asked(place, base, plain)
    with pytest.raises(ConfigError) as raised:
        check(file)
    assert not answer.exists()
    assert not (place / "runs").exists()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_metric_that_the_task_never_logs(place):
    """A network that this machine cannot hold is no fault: it may have the memory where it is trained."""
    huge = {**SMP, "init_args": {"decoder_channels": [10**6] * 5}}
    plain = sweep(objective="val/dcie", space={NETWORK: {"choices": {"huge": huge}}})
    file, answer = asked(place, experiment(), plain)
    with pytest.raises(ConfigError, match=r"^val/dcie: no such metric, expected one of .*Did you mean 'val/dice'"):
        check(file)
    assert not answer.exists()


@pytest.mark.slow
def test_a_fault_of_the_space_ends_the_command_before_any_trial(tmp_path):
    prepare(tmp_path, experiment(), REFUSED["encoder"][0])
    before = set(content(tmp_path))
    output = run_sweep(tmp_path, *COMMANDS, status=2)
    assert f"error: space.{ENCODER} = 'resnet81'" in output
    assert {name for name in content(tmp_path) if not name.startswith("output-")} == before
