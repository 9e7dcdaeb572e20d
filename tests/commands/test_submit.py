"""`submit` up to the moment when sbatch is called; with a real Slurm it goes on in tests/slurm."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from lit_medseg.commands.crossval_settings import read_settings
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.job_plan import CONFIG
from lit_medseg.commands.submit_experiment import frozen_yaml, plan_crossval
from lit_medseg.commands.submit_options import read_options
from lit_medseg.main import main
from lit_medseg.sweep.nested import read_experiment
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.tracking.run_folder import RunFolder

PROFILES = """
long:
  partition: gpu
  time: "2-00:00:00"
  nodes: 2
  gpus_per_node: 4
  cpus_per_task: 8
  sbatch: ["--exclusive"]
  setup: ["module load cuda", "export NAME='a b'"]
typo: {partitoin: gpu}
sexagesimal: {time: 8:00:00}
"""
EXPERIMENT = "experiments/quickstart.yaml"


@pytest.fixture
def profiles(tmp_path):
    path = tmp_path / "profiles.yaml"
    path.write_text(PROFILES)
    return path


def script(capsys, *arguments, rest=()):
    """What `--dry-run` prints, whole bash."""
    assert main(["submit", *map(str, arguments), "--dry-run", "--", *map(str, rest)]) == 0
    text = capsys.readouterr().out
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    return text.splitlines()


def refused(capsys, *arguments):
    assert main(["submit", *map(str, arguments)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_cross_validation_has_one_name_by_hand_and_as_a_job(tmp_path):
    plain = yaml.safe_load(Path(EXPERIMENT).read_text())
    plain["model"]["init_args"]["optimizer"] = {"class_path": "AdamW", "init_args": {"lr": "2e-3", "weight_decay": 0}}
    plain["model"]["init_args"]["network"] = "network.yaml"
    network = {"class_path": "segmentation_models_pytorch.Unet", "init_args": {"encoder_name": "resnet18"}}
    (tmp_path / "network.yaml").write_text(yaml.safe_dump(network))
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump(plain).replace("'2e-3'", "2e-3"))
    plan = plan_crossval(read_options(["crossval", "--config", str(mine), "--", "--trainer.max_epochs", "3"]))
    frozen = yaml.safe_load(plan.files[CONFIG])
    assert frozen["model"]["init_args"]["network"] == network  # the file stays behind
    plain["model"]["init_args"]["network"] = network
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(plain).replace("'2e-3'", "2e-3"))
    (tmp_path / CONFIG).write_text(plan.files[CONFIG])
    by_hand = read_settings(["--config", str(mine), "--trainer.max_epochs", "3"])
    as_job = read_settings(["--config", str(tmp_path / CONFIG), *plan.arguments])
    assert (as_job.experiment, as_job.hash_with("data")) == (by_hand.experiment, by_hand.hash_with("data"))


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A stand-in for sbatch that takes every job; gives the folder of the runs."""
    stand_in = tmp_path / "bin/sbatch"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\necho '12;cluster'\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")
    return tmp_path / "my runs"


def test_a_dry_run_prints_the_script_and_leaves_nothing(capsys, profiles, tmp_path):
    runs = tmp_path / "my runs"
    options = ("--config", EXPERIMENT, "--profiles", profiles, "--profile", "long", "--time", "8:00:00")
    lines = script(capsys, *options, "--run", "one", "--mem", "64G", rest=("--runs_dir", runs))
    for option in (
        "job-name=quickstart", "partition=gpu", "time=8:00:00", "mem=64G", "nodes=2", "ntasks-per-node=4",
        "gpus-per-node=4", "cpus-per-task=8", "signal=USR1@120", "open-mode=append", "requeue", "exclusive",
        f'output="{runs}/quickstart/one/slurm-%j.log"',
    ):  # fmt: skip
        assert f"#SBATCH --{option}" in lines
    assert lines.index("module load cuda") + 1 == lines.index("export NAME='a b'")
    command = next(line for line in lines if " fit " in line)
    assert f"fit --config '{runs}/quickstart/one/submitted.yaml' --run one" in command
    assert "--trainer.accelerator gpu --trainer.devices 4 --trainer.num_nodes 2" in command
    assert not runs.exists()


def test_a_parent_of_folds_is_one_process_with_the_cores_of_all(capsys):
    options = ("--gpus-per-node", 4, "--cpus-per-task", 8, "--folds", 5)
    lines = script(capsys, "crossval", "--config", EXPERIMENT, *options, rest=("--workers", 2))
    assert {"#SBATCH --ntasks-per-node=1", "#SBATCH --cpus-per-task=32", "#SBATCH --gpus-per-node=4"} <= set(lines)
    command = next(line for line in lines if " crossval " in line)
    assert command.endswith(
        "crossval --config runs/quickstart/crossval-N/submitted.yaml --folds 5 --workers 2 --devices 0,1,2,3 &"
    )


def test_the_workers_of_a_sweep_are_an_array(capsys):
    options = ("--config", "sweeps/nuclei.yaml", "--array", 8, "--gpus-per-node", 2)
    lines = script(capsys, "sweep", *options, rest=("--preset", "small", "--devices-per-trial", 2))
    folder = "runs/nuclei-small/sweep-N"
    assert {"#SBATCH --array=0-7", f"#SBATCH --output={folder}/slurm-%A_%a.log"} <= set(lines)
    [command] = [line for line in lines if " sweep --config " in line]
    arguments = "--name nuclei-small --resume --devices-per-trial 2 --devices 0,1 &"
    assert command.endswith(f"sweep --config {folder}/submitted.yaml {arguments}")


@pytest.mark.parametrize(
    ("options", "given", "places"),
    [
        (("--gpus-per-node", 4), (), "--devices 0,1,2,3"),
        (("--gpus-per-node", 4), ("--devices", "0,1"), "--devices 0,1"),
        (("--gpus-per-node", 1), ("--workers", 3), "--workers 3 --devices 0"),
        (("--gpus-per-node", 0, "--ranks-per-node", 3), (), "--workers 3"),
        (("--gpus-per-node", 0, "--ranks-per-node", 3), ("--workers", 2), "--workers 2"),
        (("--gpus-per-node", 0), (), ""),
    ],
)
def test_a_sweep_takes_the_whole_node_unless_told_otherwise(capsys, options, given, places):
    lines = script(capsys, "sweep", "--config", "sweeps/nuclei.yaml", *options, rest=given)
    [command] = [line for line in lines if " sweep --config " in line]
    assert command.partition("--resume")[2].removesuffix("&").strip() == places


def test_a_sweep_is_submitted_as_it_is_now(capsys, slurm, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    experiment = Path(EXPERIMENT).resolve()
    for number, folder in enumerate((tmp_path, other)):
        (folder / "one.yaml").write_text(f"{experiment.read_text()}\nchoice_epochs: {number}\n")
    sweep = tmp_path / "search.yaml"
    plain = yaml.safe_load(Path("sweeps/nuclei.yaml").read_text())
    small = {"budget": {"trials": 2}}
    plain |= {"experiment": ["one.yaml", "other/one.yaml"], "presets": {"small": small}}
    sweep.write_text(yaml.safe_dump(plain))
    words = ("--config", str(sweep), "--gpus-per-node", "0", "--", "--runs_dir", str(slurm), "--preset", "small")
    assert main(["submit", "sweep", *words]) == 0
    said = capsys.readouterr().out
    assert f"python -m lit_medseg sweep status search-small --runs_dir '{slurm}'" in said
    plan = read_plan(sweep, "small")
    frozen = read_plan(slurm / "search-small/sweep-1/submitted.yaml", None, "search-small")
    bases, kept = ([read_experiment(path) for path in one.experiments] for one in (plan, frozen))
    assert (frozen.definition(kept), frozen.budget) == (plan.definition(bases), plan.budget)
    assert [base["choice_epochs"] for base in kept] == [0, 1]
    (slurm / "search-small/sweep").mkdir()
    (slurm / "search-small/sweep/state.json").write_text("{}")
    line = refused(capsys, "sweep", *words)
    assert line.startswith("error: sweep search-small: it was begun before, expected a new name, got its runs.")
    assert main(["submit", "sweep", *words, "--resume"]) == 0
    assert (slurm / "search-small/sweep-2/submitted.sh").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--partitoin", "gpu"), "unknown argument, expected what --help lists, got --partitoin gpu. Did you mean --p"),
        (("--profile", "typo"), "profiles.yaml: typo: unknown key, expected one of ['partition', "),
        (("--profile", "typo"), "got 'partitoin'. Did you mean 'partition'."),
        (("--profile", "sexagesimal"), "sexagesimal: time: unusable value, expected a text, in quotes, got 28800."),
        (("--profile", "lung"), "no such profile, expected one of ['long', 'sexagesimal', 'typo'], got 'lung'. Did"),
        (("--profiles", "none.yaml", "--profile", "long"), "none.yaml: no such file of profiles, expected a YAML"),
        (("--nodes", "0"), "profile: nodes: unusable value, expected a whole number from 1 up, got 0."),
        (("--ranks-per-node", "2"), "ranks_per_node: not one rank a GPU, expected 1, got 2 ranks for 1 GPUs."),
        (("--folds", "5"), "--folds: it is for crossval, expected crossval, got fit."),
        (
            ("--folds", "x"),
            "it cannot be read, expected what --help lists, got argument --folds: invalid",
        ),
        (("--nodes", "3"), "data.loading.batch_size: not divisible by the ranks, expected a multiple of 3, got 8."),
        (("--", "--trainer.max_epoch", "3"), "Did you mean 'max_epochs'"),
        (("--", "--resume", "never"), "--resume: a job may start several times, expected auto, got never."),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(capsys, profiles, slurm, arguments, said):
    options, cut, rest = arguments, (), ()
    if "--" in arguments:
        options, cut, rest = (), ("--",), arguments[1:]
    own = () if "--profiles" in arguments else ("--profiles", profiles)
    runs = ("--runs_dir", slurm) if cut else ()
    line = refused(capsys, "--config", EXPERIMENT, *own, *options, *cut, *runs, *rest)
    assert said in line
    assert not slurm.exists()


@pytest.mark.parametrize(
    ("verb", "config", "rest", "said"),
    [
        ("crossval", EXPERIMENT, ("--trainer.max_epoch", "3"), "Did you mean 'max_epochs'"),
        ("crossval", EXPERIMENT, ("--run", "mine"), "--run: each fold has its own"),
        ("sweep", "sweeps/nuclei.yaml", ("--preset", "smal"), "--preset: no such preset"),
        ("sweep", EXPERIMENT, (), "unknown key"),
    ],
)
def test_a_parent_reads_its_arguments_before_it_is_submitted(capsys, slurm, verb, config, rest, said):
    assert said in refused(capsys, verb, "--config", config, "--", "--runs_dir", slurm, *rest)
    assert not slurm.exists()


def test_several_nodes_are_for_ranks_alone(capsys):
    line = refused(capsys, "crossval", "--config", EXPERIMENT, "--nodes", 2)
    assert "nodes: the parent lives on one node, expected 1, got 2." in line


def test_without_slurm_no_run_is_left_behind(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    runs = tmp_path / "runs"
    line = refused(capsys, "--config", EXPERIMENT, "--", "--runs_dir", runs)
    assert line.startswith("error: sbatch: no such command, expected Slurm on this machine, got none.")
    assert list(runs.iterdir()) == []


def submit(capsys, runs, *arguments):
    assert (
        main(["submit", "--config", EXPERIMENT, *arguments, "--", "--runs_dir", str(runs), "--ema_decay", "0.9"]) == 0
    )
    return capsys.readouterr().out


def test_the_run_waits_with_the_yaml_as_it_was(capsys, slurm):
    said = submit(capsys, slurm)
    [folder] = (slurm / "quickstart").iterdir()
    log = folder / "slurm-12.log"
    assert said.splitlines()[:3] == [
        "submitted   job 12: fit, nodes 1, each 1 GPU",
        f"run         {folder}",
        f"log         {log}",
    ]
    assert f"tail -F '{log}'" in said
    state = RunFolder(folder).read()
    assert (state.status, state.attempt) == ("SCHEDULED", 0)
    frozen = ExperimentCLI(["fit", "--config", str(folder / "submitted.yaml"), "--trainer.devices", "4"])
    assert frozen.config_hash() == state.config_hash
    assert (frozen.experiment, frozen.settings.runs_dir) == ("quickstart", str(slurm))
    submit(capsys, slurm)
    assert len(list((slurm / "quickstart").iterdir())) == 2


@pytest.mark.parametrize("name", ["hippocampus", "dermoscopy", "cardiac_groups"])
def test_a_frozen_yaml_names_the_same_run(name, tmp_path):
    trainer = ("--trainer", "experiments/trainers/ddp.yaml")
    cli = ExperimentCLI(["fit", "--config", f"experiments/{name}.yaml", *trainer])
    frozen = tmp_path / "frozen.yaml"
    frozen.write_text(frozen_yaml(cli))
    again = ExperimentCLI(["fit", "--config", str(frozen)])
    assert (again.config_hash(), again.experiment) == (cli.config_hash(), name)
    assert again.settings.trainer.strategy.class_path == "lit_medseg.cluster.exact_ddp.ExactDDP"


def test_an_unfinished_run_goes_on_and_no_other(capsys, slurm):
    submit(capsys, slurm, "--run", "mine")
    folder = RunFolder(slurm / "quickstart/mine")
    folder.end("KILLED", "scancel")
    assert f"run         {folder.path}" in submit(capsys, slurm, "--run", "mine")
    assert folder.read().status == "KILLED"
    line = refused(capsys, "--config", EXPERIMENT, "--run", "mine", "--", "--runs_dir", slurm)
    assert "--run: the run is of another YAML, expected " in line
    folder.end("FINISHED")
    line = refused(capsys, "--config", EXPERIMENT, "--run", "mine", "--", "--runs_dir", slurm, "--ema_decay", 0.9)
    assert "nothing to go on with, expected a new or unfinished run, got mine, which is FINISHED." in line


def with_passwords(tmp_path):
    """Two experiments with a tracking address each, and a sweep over both."""
    for name in ("one", "two"):
        plain = {**yaml.safe_load(Path(EXPERIMENT).read_text()), "tracking": f"http://ann:{name}-sécret@tracker:5000"}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(plain))
    space = {"model.init_args.optimizer.init_args.lr": {"low": 0.001, "high": 0.002}}
    plain = {"objective": {"metric": "val/dice"}, "space": space, "budget": {"trials": 1}}
    sweep = tmp_path / "search.yaml"
    sweep.write_text(yaml.safe_dump({**plain, "experiment": ["one.yaml", "two.yaml"]}))
    return sweep


@pytest.mark.parametrize("verb", ["fit", "crossval", "sweep"])
@pytest.mark.parametrize("words", [(), ("--tracking", "URI"), ("--tracking=URI",)])
def test_the_password_of_the_tracking_store_is_in_no_file_of_a_job(slurm, monkeypatch, capsys, verb, words):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    sweep = with_passwords(slurm.parent)
    config = sweep if verb == "sweep" else sweep.with_name("one.yaml")
    address = "postgresql://ben:words#sécret@db/x"
    rest = [word.replace("URI", address) for word in words]
    assert main(["submit", verb, "--config", str(config), "--", "--runs_dir", str(slurm), *rest]) == 0
    capsys.readouterr()
    texts = [yaml.safe_load(file.read_text()) for file in slurm.rglob("*.yaml")]
    kept = [*map(str, texts), *(file.read_text() for file in slurm.rglob("*") if file.is_file())]
    assert not any("cret" in text for text in kept)
    assert any("//tracker:5000" in text for text in kept) == (verb != "fit" or not words)
    assert any("//ben@db/x" in text for text in kept) == bool(words)
    assert os.environ["MLFLOW_TRACKING_URI"] == (address if words else "http://ann:one-sécret@tracker:5000")


@pytest.mark.parametrize("where", ["storage", "storage.init_args.url", "--storage"])
def test_a_storage_with_a_password_is_refused(capsys, slurm, where):
    address = "postgresql://me:secret@db/x"
    sweep = with_passwords(slurm.parent)
    built = {"class_path": "optuna.storages.RDBStorage", "init_args": {"url": address}}
    given = {"storage": {"storage": address}, "storage.init_args.url": {"storage": built}}.get(where, {})
    sweep.write_text(yaml.safe_dump({**yaml.safe_load(sweep.read_text()), **given}))
    words = ("--storage", address if where == "--storage" else "postgresql://me@db/x")
    line = refused(capsys, "sweep", "--config", sweep, "--", "--runs_dir", slurm, *words)
    assert line.startswith(f"error: {where}: a password would stand in the job's files, expected an address without")
    assert line.endswith("got postgresql://***@db/x. Give it in PGPASSWORD or ~/.pgpass.")
    assert not slurm.exists()
