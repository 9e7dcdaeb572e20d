"""What `submit` makes of a sweep: one parent a job, or a job array of them on one study."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.commands.job_plan import CONFIG, JobPlan, parent_places, without_secret_among, without_secret_in
from lit_medseg.commands.submit_options import SubmitOptions
from lit_medseg.commands.sweep import sweep_parser
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.nested import read_experiment
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.sampling import check_sampler
from lit_medseg.sweep.study import quieten
from lit_medseg.tracking.flatten import flatten
from lit_medseg.tracking.run_folder import check_names
from lit_medseg.tracking.without_password import without_password, without_secret

_KEPT = ("--workers", "--devices", "--devices-per-trial", "--storage", "--runs_dir", "--tracking")


def plan_sweep(options: SubmitOptions) -> JobPlan:
    """Read a sweep's YAML and its experiments, and keep both as they are now.

    The job may start several times, and every worker of an array after the first finds a sweep that was begun: it is
    always told to go on. That a sweep was begun before it was submitted is looked at here.

    Args:
        options: The command line.

    Raises:
        ConfigError: The YAML or an argument cannot be used, a storage's address has a password, or the sweep was begun
            and nobody says that it goes on.
    """
    given = sweep_parser().parse_args(["--config", options.configs[-1], *options.rest])
    plan = read_plan(Path(given.config), given.preset, given.name)
    check_names(plan.name, None)
    _refuse_password({"storage": plan.source.get("storage"), "--storage": given.storage})
    quieten()
    check_sampler(plan)
    bases = [read_experiment(path) for path in plan.experiments]
    place = Place(Path(given.runs_dir or bases[0].get("runs_dir") or "runs"), plan.name)
    if not given.resume and (place.folder.path / "state.json").exists():
        todo = "Give the sweep another name (`-- --name NAME`), or go on with it (`-- --resume`)"
        raise ConfigError(expected_got(f"sweep {plan.name}", "it was begun before", "a new name", "its runs", todo))
    # a folder each: two experiments may have one file name
    names = [f"submitted/{number}/{path.name}" for number, path in enumerate(plan.experiments)]
    files = {name: _text(without_secret_in(base)) for name, base in zip(names, bases, strict=True)}
    source = {**plan.source, "experiment": names[0] if isinstance(plan.source["experiment"], str) else names}
    values = [(word, getattr(given, word[2:].replace("-", "_"))) for word in _KEPT]
    arguments = [part for word, value in values if value is not None for part in (word, str(value))]
    places = parent_places(options.profile, given.devices is not None, given.workers is not None)
    root = [] if given.runs_dir is None else ["--runs_dir", given.runs_dir]
    return JobPlan(
        root=place.root,
        experiment=plan.name,
        arguments=("--name", plan.name, "--resume", *without_secret_among(arguments), *places),
        files={CONFIG: _text(source), **files},
        follow=shlex.join(["python", "-m", "lit_medseg", "sweep", "status", plan.name, *root]),
        tracking=given.tracking or bases[0].get("tracking"),
    )


def _refuse_password(storages: Mapping[str, Any]) -> None:
    """Refuse what a job's files would hold: of a storage's address nothing travels in the environment.

    Raises:
        ConfigError: A password, or a token.
    """
    for key, value in flatten(storages).items():
        if isinstance(value, str) and without_secret(value) != value:
            todo = "Give it in PGPASSWORD or ~/.pgpass"
            what, got = "a password would stand in the job's files", without_password(value)
            raise ConfigError(expected_got(key.replace("/", "."), what, "an address without", got, todo))


def _text(plain: object) -> str:
    return yaml.safe_dump(plain, sort_keys=False)
