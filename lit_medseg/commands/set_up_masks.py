"""What becomes of masks after the network: chosen post-processing, probabilities."""

from lit_medseg.commands.experiment_cli import ExperimentCLI
from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.post_process.plain import post_process_from_plain
from lit_medseg.tasks.segmentation import SegmentationTask
from lit_medseg.tasks.task import Task


def set_up_masks(cli: ExperimentCLI, task: Task, checkpoint: Checkpoint | None) -> None:
    """Give a segmentation the post-processing that was chosen for its checkpoint, unless the YAML names one.

    `validate`, `test` and `predict` all come through here, so what is scored is what is written. While post-processing
    is being chosen there is none.

    Args:
        cli: Parsed.
        task: Changed in place.
        checkpoint: What the verb works on; None for `fit`.

    Raises:
        ConfigError: Probabilities of masks, or a choice of post-processing, are asked for where neither can be.
    """
    choosing, probabilities = cli.settings.choose_post_processing, cli.settings.probabilities
    if not isinstance(task, SegmentationTask):
        if choosing or probabilities:
            name = "choose_post_processing" if choosing else "probabilities"
            todo = "Leave it out: predictions.csv has the probabilities of labels"
            what = "it is for masks"
            raise ConfigError(expected_got(f"--{name}", what, "a SegmentationTask", type(task).__name__, todo))
        return
    task.keep_probabilities = probabilities
    named = cli.settings.model.init_args.evaluating.post_processing is not None
    if choosing and (named or checkpoint is None):
        got = "post_processing in the YAML" if named else "a fast_dev_run"
        todo = "Take it out"
        raise ConfigError(expected_got("--choose_post_processing", "it cannot be chosen", "a free choice", got, todo))
    if checkpoint is not None and not named and not choosing:
        chosen = checkpoint.card.get("post_processing", {"steps": []})
        task.post_processing = tuple(map(post_process_from_plain, chosen["steps"]))
