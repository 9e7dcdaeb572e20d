"""`validate --choose_post_processing`: from the choice to the checkpoint that `test` and `predict` use."""

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lit_medseg.commands.find_checkpoint import Checkpoint
from lit_medseg.inference.post_process.choose import ChosenPostProcessing
from lit_medseg.inference.post_process.chooser import PostProcessChooser
from lit_medseg.target import Target
from lit_medseg.tracking.checkpoint_card import update_card
from lit_medseg.tracking.run_logger import RunLogger


def post_process_chooser(checkpoint: Checkpoint, target: Target, logger: RunLogger | None) -> PostProcessChooser:
    """Give the callback that chooses on the validation cases and puts the choice into the checkpoint's card.

    Args:
        checkpoint: What is validated.
        target: The classes.
        logger: Of the run, whose artifact is replaced where the checkpoint lies in its folder.
    """
    keep = partial(_keep, path=checkpoint.path, logger=logger)
    return PostProcessChooser(checkpoint.path.parent, target, keep)


def _keep(chosen: ChosenPostProcessing, path: Path, logger: RunLogger | None) -> None:
    update_card(path, {"post_processing": chosen.plain()})
    if logger is not None and logger.queue is not None:
        file, folder = path.resolve(), logger.folder.path.resolve()
        if file.is_relative_to(folder):
            inside = file.relative_to(folder)
            logger.log_artifact(logger.folder.path / inside, inside.parent.as_posix())
    table = Table("post-processing", "class", "Dice before", "Dice after", "kept")
    for one in chosen.decisions:
        scores = (f"{one['dice_before']:.4f}", f"{one['dice_after']:.4f}")
        table.add_row(str(one["candidate"]), str(one["class"]), *scores, "yes" if one["kept"] else "no")
    console = Console()
    console.print(table)
    kept = f"{len(chosen.steps)} steps" if chosen.steps else "none"
    text = f"kept in {path.name}: {kept}, chosen on {chosen.cases} validation cases of {chosen.patients} patients; "
    console.print(f"{text}test and predict apply them.", highlight=False, soft_wrap=True)
