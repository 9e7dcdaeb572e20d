"""Where everything of a sweep lies."""

from dataclasses import dataclass
from pathlib import Path

from lit_medseg.tracking.run_folder import RunFolder


@dataclass(frozen=True)
class Place:
    """The folders of a sweep: `<runs>/<name>/sweep/` for itself, `<runs>/<name>/trial-<number>/` for each run.

    Attributes:
        root: Where all runs are, usually `runs`.
        name: The sweep's.
    """

    root: Path
    name: str

    @property
    def folder(self) -> RunFolder:
        """The sweep's own run folder."""
        return RunFolder(self.root / self.name / "sweep")

    @property
    def setup_lock(self) -> Path:
        """Held by the worker that makes what is not there yet."""
        return self.root / self.name / ".sweep.lock"

    @property
    def ask_lock(self) -> Path:
        """Held by the worker that takes its next trial."""
        return self.folder.path / ".ask.lock"

    @property
    def workers(self) -> Path:
        """One file for each process that works, or has worked, at the sweep."""
        return self.folder.path / "workers"

    def trial(self, number: int) -> Path:
        """Give the folder of a trial's claims, settings and output."""
        return self.folder.path / "trials" / f"{number:04}"

    def run(self, number: int, part: str = "") -> RunFolder:
        """Give the run folder of a trial, or of one of its parts."""
        return RunFolder(self.root / self.name / f"trial-{number:04}{part}")
