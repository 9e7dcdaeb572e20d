"""What `submit` makes of an experiment, for `fit` or `crossval`."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lit_medseg.commands.crossval_settings import merged_yamls, read_settings
from lit_medseg.commands.job_plan import CONFIG, JobPlan, parent_places, without_secret_among, without_secret_in
from lit_medseg.commands.submit_options import SubmitOptions
from lit_medseg.errors import ConfigError, expected_got

if TYPE_CHECKING:
    from lit_medseg.commands.experiment_cli import ExperimentCLI


def plan_fit(options: SubmitOptions) -> JobPlan:
    """Read an experiment's YAML as `fit` does, so that a fault is found now and not when the job starts.

    Args:
        options: The command line.

    Raises:
        ConfigError: YAML or arguments cannot be used.
    """
    from lit_medseg.data.rank_batches import check_divides  # noqa: PLC0415 - torch; a sweep needs none of it

    named = [] if options.run is None else ["--run", options.run]
    ranks = _rank_arguments(options)
    cli = _parsed(options.configs, [*options.rest, *named, *ranks])
    batch_size = cli.settings.get("data.init_args.loading.batch_size")
    if isinstance(batch_size, int):
        check_divides(batch_size, options.profile.devices * options.profile.nodes)
    return JobPlan(
        root=Path(cli.settings.runs_dir),
        experiment=cli.experiment,
        arguments=tuple(ranks),
        files={CONFIG: frozen_yaml(cli)},
        config_hash=cli.config_hash(),
        tracking=cli.settings.tracking,
    )


def plan_crossval(options: SubmitOptions) -> JobPlan:
    """Read YAML and arguments as `crossval` does, and what is `fit`'s of them as `fit` does.

    Args:
        options: The command line.

    Raises:
        ConfigError: YAML or arguments cannot be used.
    """
    folds = [] if options.folds is None else ["--folds", str(options.folds)]
    configs = [word for config in options.configs for word in ("--config", config)]
    settings = read_settings([*configs, *folds, *options.rest])
    cli = _parsed(options.configs, list(settings.words))
    given = _parsed(options.configs, []).given if settings.words else cli.given
    # the user's own words, which name a cross-validation: the job goes on with one that was begun by hand
    frozen = {**_in_own_words(merged_yamls(options.configs), given), "experiment": settings.experiment}
    places = parent_places(options.profile, settings.devices is not None, settings.workers is not None)
    return JobPlan(
        root=settings.runs_dir,
        experiment=settings.experiment,
        arguments=(*folds, *without_secret_among(options.rest), *places),
        files={CONFIG: yaml.safe_dump(without_secret_in(frozen), sort_keys=False)},
        tracking=settings.tracking,
    )


def frozen_yaml(cli: "ExperimentCLI") -> str:
    """Write what the user has given, from all files and the command line, as one YAML.

    Args:
        cli: Parsed.

    Returns:
        A YAML of an experiment with the same configuration hash, without the password of MLflow's address; files that
        it names stay where they are.
    """
    given = {key: _written(value) for key, value in cli.given.items() if key not in ("config", "run")}
    return yaml.safe_dump({**without_secret_in(given), "experiment": cli.experiment}, sort_keys=False)


def _parsed(configs: list[str], words: list[str]) -> "ExperimentCLI":
    """Parse and check the arguments of a `fit`."""
    from lit_medseg.commands.check_settings import check_settings  # noqa: PLC0415 - torch; a sweep needs none of it
    from lit_medseg.commands.experiment_cli import ExperimentCLI  # noqa: PLC0415 - the same
    from lit_medseg.commands.quieten import quieten  # noqa: PLC0415 - the same

    quieten()
    named = [word for config in configs for word in ("--config", config)]
    cli = ExperimentCLI(["fit", *named, *words])
    check_settings(cli)
    if cli.settings.resume != "auto":
        todo = "Leave it out: the job goes on by itself, a run that was stopped with --run NAME"
        raise ConfigError(expected_got("--resume", "a job may start several times", "auto", cli.settings.resume, todo))
    return cli


def _rank_arguments(options: SubmitOptions) -> list[str]:
    """Give the trainer what Slurm gives; these arguments stand last, and win."""
    profile = options.profile
    accelerator = "gpu" if profile.gpus_per_node else "cpu"
    trainer = {"accelerator": accelerator, "devices": profile.devices, "num_nodes": profile.nodes}
    return [word for key, value in trainer.items() for word in (f"--trainer.{key}", str(value))]


def _in_own_words(raw: Any, given: Any) -> Any:
    """Leave a part of a YAML as it is; one that names a file is what the file says, which does not move with it."""
    if isinstance(raw, dict) and isinstance(given, dict):
        return {key: _in_own_words(value, given.get(key)) for key, value in raw.items()}
    return _written(given) if isinstance(given, dict) and "__path__" in given else raw


def _written(value: Any) -> Any:
    """Give a part of the configuration as a YAML has it: without the files that its parts came from."""
    if isinstance(value, dict):
        return {key: _written(item) for key, item in value.items() if key != "__path__"}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return value if value is None or isinstance(value, bool | int | float) else str(value)
