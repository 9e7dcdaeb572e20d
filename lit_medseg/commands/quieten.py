"""What libraries say that is no news to a user of ours."""

import logging
import warnings


def quieten() -> None:
    """Leave out what libraries say that is no news to a user of ours."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    for name in (
        "lightning.pytorch.utilities.rank_zero",
        "lightning.fabric.utilities.distributed",
        "lightning.fabric.utilities.seed",
        "lightning.pytorch.accelerators.cuda",
        "lightning.pytorch.trainer.connectors.checkpoint_connector",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for pattern in (
        r"It is recommended to use `self\.log\(.*sync_dist=True",  # every rank holds all rows: the values are equal
        r"The '.*_dataloader' does not have many workers",  # the number is a decision, see Loading
        r".*LightningCLI's args parameter is intended to run from within Python",
        r"Total length of `list` across ranks is zero",  # a split without validation cases
        r"The number of training batches .* is smaller than the logging interval",
        r"You're resuming from a checkpoint that ended before the epoch ended",  # ours are resumable
        r"Be aware that when using `ckpt_path`",  # test and predict need no averaging and no checkpoints
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        r"`torch.jit.interface` is deprecated",  # timm, when it is imported
        r"``instantiate_classes`` was deprecated",
        r"Found .* module\(s\) in eval mode at the start of training",  # frozen parts
        r"Grad strides do not match bucket view strides",  # one layout, written in two ways: 1x1 kernels, channels last
        r"The `srun` command is available on your system but is not used",  # ranks are started by `submit`, or by fit
    ):
        warnings.filterwarnings("ignore", message=pattern)
