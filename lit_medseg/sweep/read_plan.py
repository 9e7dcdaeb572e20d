"""Read a sweep's YAML; every fault is one line that names the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.check_keys import check_keys
from lit_medseg.sweep.nested import read_yaml
from lit_medseg.sweep.parameter import Parameter, Setting
from lit_medseg.sweep.plan import Budget, ClassPath, Limit, Objective, Plan, Take
from lit_medseg.sweep.read_space import read_space
from lit_medseg.sweep.typed import Fields, known_keys

_KEYS = (
    "experiment", "space", "objective", "sampler", "pruner", "storage", "budget", "repeats", "folds", "fixed",
    "constraints", "enqueue", "seed", "presets",
)  # fmt: skip
_TPE = ClassPath("optuna.samplers.TPESampler")
_NO_PRUNING = ClassPath("optuna.pruners.NopPruner")


def read_plan(path: Path, preset: str | None = None, name: str | None = None) -> Plan:
    """Read a sweep.

    Args:
        path: The YAML. Experiments that it names are found beside it.
        preset: Name of one of its presets, whose keys replace those of the YAML; what they hold of `fixed` and
            `space` is added. None for the YAML as it is.
        name: Name of the sweep; None for the file's, with the preset's behind it.

    Raises:
        ConfigError: It cannot be used; nothing was begun.
    """
    plain = read_yaml(path, "--config")
    known_keys("", plain, _KEYS)
    plain = _with_preset(plain, preset)
    stem = path.stem if preset is None else f"{path.stem}-{preset}"
    return plan_of(plain, path.parent, stem if name is None else name)


def plan_of(plain: dict[str, Any], folder: Path, name: str) -> Plan:
    """Make a plan of what a YAML says.

    Args:
        plain: Its content, a preset laid over it.
        folder: Where its experiments are named from.
        name: Of the sweep.

    Raises:
        ConfigError: It cannot be used.
    """
    fields = Fields("", plain)
    space = read_space(fields.mapping("space", required=True))
    plan = Plan(
        name=name,
        experiments=_experiments(folder, plain.get("experiment")),
        space=space,
        objectives=_objectives(plain.get("objective")),
        sampler=_class_path("sampler", plain.get("sampler"), _TPE),
        pruner=_class_path("pruner", plain.get("pruner"), _NO_PRUNING),
        storage=_storage(plain.get("storage")),
        budget=_budget(fields.mapping("budget", required=True)),
        repeats=fields.integer("repeats", 1, least=1),
        folds=fields.integer("folds", 0, least=0),
        fixed=fields.mapping("fixed"),
        limits=_limits(fields.mapping("constraints")),
        enqueue=tuple(_first(space, one, f"enqueue.{number}") for number, one in enumerate(fields.items("enqueue"))),
        seed=fields.integer("seed", 0, least=0),
        source=plain,
    )
    _check(plan)
    return plan


def _with_preset(plain: dict[str, Any], preset: str | None) -> dict[str, Any]:
    """Lay a preset over the sweep."""
    presets = _mapping("presets", plain.pop("presets", None) or {})
    for name, keys in presets.items():
        known_keys(f"presets.{name}", _mapping(f"presets.{name}", keys), _KEYS[:-1])
    if preset is None:
        return plain
    if preset not in presets:
        todo = "Name another"
        raise ConfigError(expected_got("--preset", "no such preset", sorted(presets) or "none", repr(preset), todo))
    for key, value in presets[preset].items():
        added = key in ("fixed", "space") and isinstance(value, dict) and isinstance(plain.get(key), dict)
        plain[key] = {**plain[key], **value} if added else value
    return plain


def _experiments(folder: Path, given: Any) -> tuple[Path, ...]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        todo = "Name the YAML of the experiment to vary"
        raise ConfigError(expected_got("experiment", "no base experiment", "a YAML or several", given, todo))
    return tuple(folder / name for name in names)


def _objectives(given: Any) -> tuple[Objective, ...]:
    listed = given if isinstance(given, list) else [given]
    if given is None or not listed:
        todo = "Give metric and direction"
        raise ConfigError(expected_got("objective", "nothing to search for", "a metric or several", given, todo))
    objectives = tuple(
        _objective(one, f"objective.{i}" if len(listed) > 1 else "objective") for i, one in enumerate(listed)
    )
    metrics = [one.metric for one in objectives]
    if len({*metrics}) < len(metrics):
        raise ConfigError(expected_got("objective", "a metric twice", "each once", metrics, "Take one out"))
    return objectives


def _objective(given: Any, where: str) -> Objective:
    plain = {"metric": given} if isinstance(given, str) else _mapping(where, given)
    known_keys(where, plain, ("metric", "direction", "take"))
    fields = Fields(where, plain)
    direction = fields.one_of("direction", ("max", "min"), "max")
    take = fields.one_of("take", get_args(Take), "best")
    return Objective(fields.text("metric"), direction, take)  # type: ignore[arg-type]  # one_of has looked


def _class_path(where: str, given: Any, default: ClassPath) -> ClassPath:
    if given is None:
        return default
    plain = {"class_path": given} if isinstance(given, str) else _mapping(where, given)
    known_keys(where, plain, ("class_path", "init_args"))
    fields = Fields(where, plain)
    return ClassPath(fields.text("class_path"), fields.mapping("init_args"))


def _storage(given: Any) -> str | ClassPath | None:
    if given is None or (isinstance(given, str) and given):
        return given
    return _class_path("storage", given, _TPE)


def _budget(given: Mapping[str, Any]) -> Budget:
    known_keys("budget", given, ("trials", "hours"))
    fields = Fields("budget", given)
    trials = fields.integer("trials", 0, least=1) if given.get("trials") is not None else None
    hours = fields.number("hours") if given.get("hours") is not None else None
    if (trials is None and hours is None) or (hours is not None and hours <= 0):
        todo = "Say when the sweep ends"
        raise ConfigError(expected_got("budget", "no end", "trials, hours above 0, or both", dict(given), todo))
    return Budget(trials, hours)


def _limits(given: Mapping[str, Any]) -> tuple[Limit, ...]:
    return tuple(Limit(metric, Fields("constraints", given).number(metric)) for metric in given)


def _first(space: tuple[Parameter, ...], given: Any, where: str) -> dict[str, Setting]:
    """Read the settings of one of the first trials."""
    plain = _mapping(where, given)
    by_name = {parameter.name: parameter for parameter in space}
    known_keys(where, plain, tuple(by_name))
    settings = {name: by_name[name].read(value, where) for name, value in plain.items()}
    for name in settings:
        off = [one for one, allowed in by_name[name].when.items() if one in settings and settings[one] not in allowed]
        if off:
            got, todo = f"{off[0]}: {settings[off[0]]!r}", "Take one of the two out"
            what = f"{name} does not matter there"
            raise ConfigError(expected_got(where, what, f"one of {by_name[name].when[off[0]]}", got, todo))
    return settings


def _mapping(where: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ConfigError(expected_got(where, "no keys and values", "a dictionary", repr(given), "Correct it"))
    return given


def _check(plan: Plan) -> None:
    """Refuse what contradicts itself.

    Raises:
        ConfigError: The first contradiction.
    """
    if plan.folds == 1 or (plan.folds and plan.repeats > 1):
        got = f"folds {plan.folds}, repeats {plan.repeats}"
        todo = "Choose one of the two"
        raise ConfigError(expected_got("folds", "cannot be so", "2 or more, and no repeats beside", got, todo))
    if len(plan.objectives) > 1 and not plan.pruner.path.endswith(".NopPruner"):
        todo = "Take the pruner out, or all objectives but one"
        what = "pruning needs one objective"
        raise ConfigError(expected_got("pruner", what, "one objective", len(plan.objectives), todo))
    check_keys(plan.space, plan.fixed)
