"""Who works on a trial: one file an attempt, which only one worker can make."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from lit_medseg.tracking.lease import Owner, is_alive, this_process, touch

MOST_LOST = 12
"""A trial that ends not its own process alone, but that of each worker too (Slurm's limit of memory is for the whole
job), must not end all workers in turn. Lost nodes and kills by hand come to this as well: hence so many."""


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a trial.

    Attributes:
        file: `attempt-<n>.json` in the trial's folder; the owner touches it as long as it works.
        attempt: From 1.
        owner: The worker's process.
    """

    file: Path
    attempt: int
    owner: Owner

    @property
    def held(self) -> bool:
        """Whether the owner still works on the trial: not given back, and alive as far as one can see."""
        return not self._mark("given-back").exists() and is_alive(self.owner, self.file)

    @property
    def is_lost(self) -> bool:
        """Whether the owner died in the middle of it."""
        return not any(self._mark(ending).exists() for ending in ("given-back", "died")) and not self.held

    @property
    def ours(self) -> bool:
        """Whether it is this process's, and not given back."""
        return self.owner == this_process() and not self._mark("given-back").exists()

    @property
    def is_taken(self) -> bool:
        """Whether another worker has begun a further attempt: it found no sign of life of this one for too long."""
        return any(claim.attempt > self.attempt for claim in claims(self.file.parent)[-1:])

    def renew(self) -> None:
        """Show other hosts that the owner lives."""
        touch(self.file)

    def give_back(self) -> None:
        """Let others go on with the trial at once; on a full disk they see that this process is gone."""
        with suppress(OSError):
            self._mark("given-back").touch()

    def note_death(self, cause: str) -> None:
        """Count an attempt whose child was killed.

        Args:
            cause: What ended it.
        """
        self._mark("died").write_text(cause + "\n", encoding="utf-8")

    def excuse(self) -> None:
        """Note that the trial failed on a host that may be to blame for it: another one tries again, once."""
        with suppress(OSError):
            self._mark("excused").touch()

    def _mark(self, ending: str) -> Path:
        return self.file.with_suffix(f".{ending}")


def claims(folder: Path) -> list[Claim]:
    """List the attempts at a trial, in their order; none where nobody has begun."""
    return sorted(_read(folder), key=lambda claim: claim.attempt)


def deaths(folder: Path) -> list[str]:
    """List what ended the children of a trial that were killed, in order."""
    files = sorted(folder.glob("attempt-*.died"), key=lambda file: int(file.stem.split("-")[1]))
    return [file.read_text(encoding="utf-8").strip() for file in files]


def was_excused(folder: Path) -> bool:
    """Tell whether a trial has failed before on a host that may have been to blame."""
    return any(folder.glob("attempt-*.excused"))


def lost_workers(folder: Path, since: float = 0.0) -> int:
    """Count the attempts whose worker has died: it neither gave the trial back, nor saw the end of its child.

    Args:
        folder: The trial's.
        since: Time stamp; whoever was last seen before that does not count.
    """
    return sum(claim.is_lost and claim.file.stat().st_mtime > since for claim in claims(folder))


def take(folder: Path) -> Claim | None:
    """Begin the next attempt at a trial that nobody works on.

    Args:
        folder: The trial's; it is made.

    Returns:
        The claim; None where somebody else holds the trial, or was faster.
    """
    last = claims(folder)[-1:]
    if last and last[0].held and not last[0].ours:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    attempt = 1 + (last[0].attempt if last else 0)
    claim = Claim(folder / f"attempt-{attempt}.json", attempt, this_process())
    handle, name = tempfile.mkstemp(dir=folder, prefix=".claim-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(claim.owner), file)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)  # who shares the runs folder has to see who works
        # a hard link is made by one process alone, also on NFS, and the file is whole when it appears
        os.link(name, claim.file)
    except FileExistsError:
        # NFS may have made the link and lost its answer
        return claim if os.stat(name).st_nlink == 2 else None  # noqa: PTH116 (a text, as mkstemp gives it)
    finally:
        Path(name).unlink(missing_ok=True)
    return claim


def words(owner: Owner) -> str:
    """Name an owner for people."""
    host = "" if owner.host == socket.gethostname() else f" on {owner.host}"
    return f"process {owner.pid}{host}"


def _read(folder: Path) -> Iterator[Claim]:
    for file in folder.glob("attempt-*.json"):
        with suppress(OSError, ValueError, TypeError):
            yield Claim(file, int(file.stem.split("-")[1]), Owner(**json.loads(file.read_text(encoding="utf-8"))))
