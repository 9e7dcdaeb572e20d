"""`predict --input`: the folder of new studies takes the place of the YAML's data set."""

from pathlib import Path

from jsonargparse import Namespace

from lit_medseg.catalogue.study_folder import StudyFolder
from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.errors import ConfigError, expected_got


def take_studies(cli: ExperimentCLI, checkpoint: Checkpoint | None) -> None:
    """Put a `StudyFolder` into the settings, with the channels that the checkpoint was trained on.

    Args:
        cli: Parsed; its `data` settings are changed where `--input` is given.
        checkpoint: Knows what its cases looked like.

    Raises:
        ConfigError: No checkpoint (a `fast_dev_run` has none), or the predictions would lie among the studies.
    """
    folder = cli.settings.input
    if folder is None:
        return
    if checkpoint is None:
        todo = "Leave trainer.fast_dev_run out"
        raise ConfigError(expected_got("--input", "there is no checkpoint", "one", "a fast_dev_run", todo))
    own = cli.settings.runs_dir if checkpoint.folder is None else checkpoint.folder.path
    output = own if cli.settings.output is None else cli.settings.output
    if Path(output).resolve().is_relative_to(Path(folder).resolve()):
        todo = "Name another folder: the next call would take the masks for studies"
        got = cli.settings.output or "none, which is the run's folder"
        raise ConfigError(expected_got("--output", "it lies within --input", "a folder outside", got, todo))
    layout = checkpoint.card.get("studies", {})
    source = Namespace(root=folder, **layout)  # type: ignore[no-untyped-call]
    data = cli.settings.data.init_args
    path = f"{StudyFolder.__module__}.{StudyFolder.__qualname__}"
    data.source = Namespace(class_path=path, init_args=source)  # type: ignore[no-untyped-call]
    data.predict_cases = "all"
