"""Frozen dataclasses as `class_path` and `init_args`, and back: how steps travel in caches and checkpoints."""

from dataclasses import fields
from importlib import import_module
from typing import Any

from lit_medseg.errors import CheckpointError, ConfigError
from lit_medseg.preprocess.step import Step


def step_to_plain(step: Step) -> dict[str, Any]:
    """Write a step as JSON-able data, fitted values included.

    Raises:
        ConfigError: The step is no dataclass.
    """
    kind = type(step)
    if not hasattr(kind, "__dataclass_fields__"):
        raise ConfigError(f"{kind.__qualname__}: not a frozen dataclass, expected one, got a class. Decorate the step.")
    values = {item.name: _to_json(getattr(step, item.name)) for item in fields(kind) if item.init}  # type: ignore[arg-type]
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": values}


def step_from_plain(plain: dict[str, Any]) -> Step:
    """Rebuild a step.

    Raises:
        CheckpointError: The class cannot be found, is no step, or does not take the arguments.
    """
    path = str(plain["class_path"])
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: cannot be imported, expected a step, got {error}. Install its package."
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Step)):
        raise CheckpointError(
            f"{path}: not a step, expected a child of Step, got {kind!r}. Check where the file is from."
        )
    try:
        step = kind(**{key: _from_json(value) for key, value in plain["init_args"].items()})
    except TypeError as error:
        raise CheckpointError(
            f"{path}: does not take these values, expected its fields, got {error}. Update it."
        ) from error
    return step


def _to_json(value: Any) -> Any:
    """Turn tuples into lists."""
    return [_to_json(item) for item in value] if isinstance(value, list | tuple) else value


def _from_json(value: Any) -> Any:
    """Turn lists into tuples: a frozen dataclass holds nothing that can be changed."""
    return tuple(_from_json(item) for item in value) if isinstance(value, list | tuple) else value
