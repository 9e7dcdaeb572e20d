"""Whether a checkpoint's weights are those of a task's network."""

from pathlib import Path

from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.errors import CheckpointError, expected_got
from lit_medseg.tasks.task import Task


def check_weights(task: Task, path: Path) -> None:
    """Compare names and shapes, before a run is opened.

    Args:
        task: As the YAML describes it.
        path: The checkpoint.

    Raises:
        CheckpointError: A weight is missing, too many, or has another shape.
    """
    own = {name: tuple(value.shape) for name, value in task.state_dict().items()}
    saved = {name: tuple(value.shape) for name, value in read_checkpoint(path)["state_dict"].items()}
    wrong = sorted(name for name in own.keys() | saved.keys() if own.get(name) != saved.get(name))
    if wrong:
        first = wrong[0]
        expected = f"{first} {own.get(first, 'missing')}"
        got = f"{first} {saved.get(first, 'missing')} ({len(wrong)} of {len(own)} weights differ)"
        todo = "Give the YAML of that run, or leave --config out"
        raise CheckpointError(expected_got(path, "of another network", expected, got, todo))
