"""The task of an ensemble: its members' networks, each as its own run had it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import Namespace

from lit_medseg.commands.complete_task import complete_task
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.data.ensemble_data import EnsembleData
from lit_medseg.errors import CheckpointError, expected_got
from lit_medseg.tasks.classification import ClassificationTask
from lit_medseg.tasks.classification_ensemble import ClassificationEnsemble
from lit_medseg.tasks.segmentation import SegmentationTask
from lit_medseg.tasks.segmentation_ensemble import SegmentationEnsemble
from lit_medseg.tasks.task import Task
from lit_medseg.tracking.ensemble_file import members_of


def build_ensemble(cli: ExperimentCLI, data: EnsembleData, checkpoint: Checkpoint) -> Task:
    """Build the members and put them together; nothing is loaded into them.

    A network may follow from its fold's data (its depth from the median spacing, say): it is the one of the member's
    own YAML. Everything else of the model, how cases are evaluated above all, is the command line's.

    Args:
        cli: Parsed; its `model` settings are completed as the first member's.
        data: Prepared, of the same members.
        checkpoint: The ensemble.

    Raises:
        MedSegError: The YAML names another network than the first member has, or a network cannot be built.
    """
    cards = members_of(checkpoint.card)
    plain = [card["config"]["model"]["init_args"]["network"] for card in cards]
    _check_network(cli, plain[0], checkpoint.path)
    networks: list[Namespace] = []
    for number, card in enumerate(cards):
        same = plain.index(plain[number])
        networks.append(networks[same] if same < number else _network(cli.verb, card["config"]))
    tasks = []
    for number in reversed(range(len(cards))):  # the settings are left as the first member has them
        cli.settings.model.init_args.network = networks[number].clone()
        tasks.append(complete_task(cli, data.of_member(number), cards[number]))
    tasks.reverse()
    if isinstance(tasks[0], ClassificationTask):
        return ClassificationEnsemble(cast("list[ClassificationTask]", tasks))
    if isinstance(tasks[0], SegmentationTask):
        return SegmentationEnsemble(cast("list[SegmentationTask]", tasks), data.pipelines)
    what, kinds = "its task cannot be averaged", "a SegmentationTask or ClassificationTask, or a child of one"
    todo = "Evaluate the members one by one"
    raise CheckpointError(expected_got(checkpoint.path, what, kinds, type(tasks[0]).__name__, todo))


def _network(verb: str, config: dict[str, Any]) -> Namespace:
    """Parse a member's YAML, as for the member alone, and give its network's settings."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config, file, sort_keys=False)
        file.flush()
        settings = ExperimentCLI([verb, "--config", file.name]).settings
    network: Namespace = settings.model.init_args.network
    return network


def _check_network(cli: ExperimentCLI, own: dict[str, Any], path: Path) -> None:
    """Refuse a YAML whose network is another: the members' would take its place in silence."""
    wrong = next(_differing("network", own, cli.given["model"]["init_args"]["network"]), None)
    if wrong is not None:
        name, expected, got = wrong
        todo = "Give the YAML of those runs, or leave --config out"
        raise CheckpointError(expected_got(path, f"of another network: {name} differs", expected, got, todo))


def _differing(name: str, own: Any, asked: Any) -> Iterator[tuple[str, Any, Any]]:
    """Find what a YAML states differently; what it leaves out or leaves to the data asks nothing."""
    if isinstance(own, dict) and isinstance(asked, dict):
        for key, value in asked.items():
            yield from _differing(f"{name}.{key}", own.get(key), value)
    elif asked is not None and _listed(own) != _listed(asked):
        yield name, own, asked


def _listed(value: Any) -> Any:
    """Give tuples as lists, as a YAML has them, all the way down."""
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value
