"""The child that a sweep asks before its first trial: is every value accepted, is every metric logged?"""

import difflib
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.catalogue.validation_folds import ValidationFolds
from lit_medseg.commands import train
from lit_medseg.commands.check_settings import check_settings
from lit_medseg.commands.count_ranks import count_ranks
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.quieten import quieten
from lit_medseg.commands.sweep_folds import check_folds, one_line
from lit_medseg.commands.sweep_model import check_model
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.rank_batches import check_divides
from lit_medseg.errors import ConfigError, MedSegError, expected_got
from lit_medseg.sweep.trials_of_space import COST, with_callback
from lit_medseg.tracking.throughput import RECORDED


def check(file: Path) -> int:
    """Try all variants of an experiment, and train one step of it.

    Args:
        file: JSON: `variants`, a list of `[where, settings]`, the first the experiment itself; `folds`, None for
            none; `metrics` that shall be there; `answer`, a file that gets the names of all metrics.

    Returns:
        0.

    Raises:
        MedSegError: The first value that is refused, a fold that cannot be, or a metric that is never logged.
    """
    quieten()
    logging.getLogger("lightning.fabric.utilities.seed").setLevel(logging.ERROR)
    asked: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        built: set[str] = set()
        dealt: dict[str, tuple[str, CaseDataModule]] = {}
        for number, (where, settings) in enumerate(asked["variants"]):
            cli, data = _parsed(where, settings, Path(folder) / "variant.yaml")
            model = json.dumps([settings.get(key) for key in ("model", "data", "dropout")])
            # the first, the experiment itself, is trained below, which tells more
            if number and model not in built:
                _built(where, cli, data)
            built.add(model)
            if asked["folds"]:
                dealt.setdefault(_cases(settings), (where, data))
        for where, data in dealt.values():
            _dealt(where, data)
        names = _logged(asked["variants"][0][1], Path(folder))
    known = sorted({*names, *RECORDED})
    for metric in asked["metrics"]:
        if metric not in known:
            near = difflib.get_close_matches(metric, known, n=1, cutoff=0.0)[0]
            todo = f"Did you mean {near!r}? Name one of them"
            raise ConfigError(expected_got(metric, "no such metric", f"one of {known}", repr(metric), todo))
    Path(asked["answer"]).write_text(json.dumps(known), encoding="utf-8")
    return 0


def _parsed(where: str, settings: dict[str, Any], file: Path) -> tuple[ExperimentCLI, CaseDataModule]:
    """Parse one variant as `fit` would; its data are not prepared."""
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    try:
        cli = ExperimentCLI(["fit", "--config", str(file)])
        check_settings(cli)
        data: CaseDataModule = cli.build("data")
        check_divides(data.loading.batch_size, count_ranks(cli))
    except MedSegError as error:
        raise ConfigError(f"{where}: {error}") from error
    return cli, data


def _built(where: str, cli: ExperimentCLI, data: CaseDataModule) -> None:
    try:
        check_model(cli, data)
    except MedSegError as error:
        raise ConfigError(f"{where}: {error}") from error


def _cases(settings: dict[str, Any]) -> str:
    """Name what the splits of an experiment depend on."""
    arguments = settings["data"]["init_args"]
    return json.dumps([arguments.get(key) for key in ("source", "truth", "splitter", "trust")])


def _dealt(where: str, data: CaseDataModule) -> None:
    try:
        if isinstance(data.splitter, ValidationFolds):
            check_folds(data, data.splitter)
    except MedSegError as error:
        raise ConfigError(f"{where}: {one_line(error)}") from error


def _logged(settings: dict[str, Any], folder: Path) -> list[str]:
    """Train one step, validate one batch, and see what is logged."""
    names, file = folder / "names.json", folder / "experiment.yaml"
    callback = {"class_path": "lit_medseg.sweep.metric_names.MetricNames", "init_args": {"file": str(names)}}
    trainer = dict(settings.get("trainer") or {})
    trainer |= {"devices": 1, "num_nodes": 1, "strategy": "auto", "fast_dev_run": True}
    callbacks = trainer.get("callbacks") or []
    kept = [one for one in callbacks if one.get("class_path") != COST] if isinstance(callbacks, list) else callbacks
    short = with_callback({**settings, "trainer": {**trainer, "callbacks": kept}}, callback)
    file.write_text(yaml.safe_dump(short, sort_keys=False), encoding="utf-8")
    try:
        train.main(["fit", "--config", str(file), "--trainer.enable_progress_bar", "false"])
    except MedSegError as error:  # the parent shows one line
        raise ConfigError(one_line(error)) from error
    found: list[str] = json.loads(names.read_text(encoding="utf-8"))
    return found
