"""Room on the disk: a run that is done needs no checkpoints to go on from."""

from contextlib import suppress
from pathlib import Path


def drop_resume_points(run: Path) -> None:
    """Delete the checkpoints of a finished run but its best, which is what tests and predictions take.

    Args:
        run: Its folder; nothing is deleted where it has no `best.ckpt`.
    """
    folder = run / "checkpoints"
    if not (folder / "best.ckpt").is_file():
        return
    with suppress(OSError):  # what stays costs room and nothing else
        (folder / "last.ckpt").unlink(missing_ok=True)
        for file in folder.glob("step-*.ckpt"):
            file.unlink()
