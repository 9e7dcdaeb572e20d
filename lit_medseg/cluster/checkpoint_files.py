"""The checkpoints of a run that a later attempt can go on from."""

import logging
import os
import re
import zipfile
from pathlib import Path

from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.errors import CheckpointError

_LOG = logging.getLogger(__name__)
LAST = "last.ckpt"
_STEP = re.compile(r"step-(\d{8,})\.ckpt")


def step_file(step: int) -> str:
    """Name the checkpoint after a number of optimizer steps."""
    return f"step-{step:08d}.ckpt"


def step_files(folder: Path) -> list[Path]:
    """List a run's checkpoints, newest first; none for a missing folder."""
    found = {path: match for path in folder.glob("step-*.ckpt") if (match := _STEP.fullmatch(path.name))}
    return sorted(found, key=lambda path: int(found[path][1]), reverse=True)


def keep_newest(path: Path, keep: int) -> None:
    """Let `last.ckpt` name a checkpoint that was just written, and remove the oldest ones.

    Args:
        path: The newest checkpoint.
        keep: How many stay.
    """
    link = path.with_name(f".{LAST}.{os.getpid()}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(path.name)  # relative: the run folder may move
    link.replace(path.with_name(LAST))
    for old in step_files(path.parent)[keep:]:
        if old != path:
            old.unlink(missing_ok=True)


def newest_whole(folder: Path) -> Path | None:
    """Find the checkpoint to go on from: the newest one whose checksums are right.

    Args:
        folder: The run's `checkpoints` folder; what killed writers left unfinished in it is removed.

    Returns:
        The file; None where there is none. Each damaged one is skipped with a warning.
    """
    for unfinished in folder.glob(".*.unfinished"):
        unfinished.unlink(missing_ok=True)
    for path in step_files(folder):
        fault = find_damage(path)
        if not fault:
            return path
        _LOG.warning("checkpoint %s is damaged (%s): skipped, an older one is taken.", path.name, fault)
    return None


def find_damage(path: Path) -> str:
    """Compare every record of a checkpoint with its checksum, and see that it can be read.

    A checkpoint is a zip archive, which has the CRC-32 of every record: torch writes them, but never looks at them. The
    archive's table of contents has none: there, damage shows when torch reads it, but for the attributes, which torch
    leaves at 0: for a folder's it gives tensors of whatever the memory holds.

    Args:
        path: The file; it is read as a whole.

    Returns:
        What is wrong with it; empty for a whole one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip() or next((one.filename for one in archive.infolist() if one.external_attr), None)
        if not wrong:
            read_checkpoint(path)
    except CheckpointError as error:
        return str(error.__cause__ or error).splitlines()[0].rstrip(". ")
    except Exception as error:  # damaged bytes can ask zipfile for anything: a password, another compression
        return f"{path.stat().st_size if path.is_file() else 0} bytes, {error}"
    return f"record {wrong} is not what was written" if wrong else ""
