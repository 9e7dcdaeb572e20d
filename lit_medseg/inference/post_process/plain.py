"""Post-processing as plain data, and back: how it travels in a checkpoint."""

from dataclasses import fields
from importlib import import_module
from typing import Any

from lit_medseg.errors import CheckpointError, expected_got
from lit_medseg.inference.post_process.post_process import PostProcess


def post_process_to_plain(step: PostProcess) -> dict[str, Any]:
    """Write a change as `class_path` and `init_args`, JSON-able."""
    values = {item.name: getattr(step, item.name) for item in fields(step)}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {"class_path": f"{type(step).__module__}.{type(step).__qualname__}", "init_args": values}


def post_process_from_plain(plain: dict[str, Any]) -> PostProcess:
    """Rebuild a change.

    Raises:
        CheckpointError: The class cannot be found, is none of these, or does not take the arguments.
    """
    path = str(plain["class_path"])
    module, _, name = path.rpartition(".")
    todo = "Install what the checkpoint was made with"
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckpointError(expected_got(path, "cannot be imported", "a post-processing", error, todo)) from error
    if not (isinstance(kind, type) and issubclass(kind, PostProcess)):
        raise CheckpointError(expected_got(path, "no post-processing", "a child of PostProcess", repr(kind), todo))
    arguments: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain["init_args"].items()
    }
    try:
        step: PostProcess = kind(**arguments)
    except TypeError as error:
        raise CheckpointError(expected_got(path, "does not take these values", "its fields", error, todo)) from error
    return step
