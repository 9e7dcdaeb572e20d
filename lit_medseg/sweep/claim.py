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
    def ours(self) -> bool:
        """Whether it is this process's, and not given back."""
        return self.owner == this_process() and not self._mark("given-back").exists()

    def renew(self) -> None:
        """Show other hosts that the owner lives."""
        touch(self.file)

    def give_back(self) -> None:
        """Let others go on with the trial at once."""
        self._mark("given-back").touch()

    def note_death(self, cause: str) -> None:
        """Count an attempt whose child was killed.

        Args:
            cause: What ended it.
        """
        self._mark("died").write_text(cause + "\n", encoding="utf-8")

    def _mark(self, ending: str) -> Path:
        return self.file.with_suffix(f".{ending}")


def claims(folder: Path) -> list[Claim]:
    """List the attempts at a trial, in their order; none where nobody has begun."""
    return sorted(_read(folder), key=lambda claim: claim.attempt)


def deaths(folder: Path) -> list[str]:
    """List what ended the children of a trial that were killed, in order."""
    files = sorted(folder.glob("attempt-*.died"), key=lambda file: int(file.stem.split("-")[1]))
    return [file.read_text(encoding="utf-8").strip() for file in files]


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
        # a hard link is made by one process alone, also on NFS, and the file is whole when it appears
        os.link(name, claim.file)
    except FileExistsError:
        return None
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
