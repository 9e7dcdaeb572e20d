"""Sources whose files are made on the spot."""

import hashlib
import json
import shutil
import uuid
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lit_medseg.catalogue.source import Source
from lit_medseg.errors import DataError, expected_got


@dataclass(frozen=True)
class MadeFiles(Source):
    """Files that depend on the source's arguments alone, in `<root>/<kind>-<hash of the arguments>/`.

    Other arguments never touch an earlier set. A set is whole or not there.

    Attributes:
        kind: First part of the folder's name.
        root: Folder for the sets' folders; being made here, a relative one starts from the working folder and not from
            `$LIT_MEDSEG_DATA`, which may be read-only.
    """

    kind: ClassVar[str]

    root: str = "phantoms"

    @property
    def folder(self) -> Path:
        """The set's own folder.

        Raises:
            DataError: It was not made yet, or is not whole.
        """
        folder = self._place()
        if not folder.exists():
            todo = "Call `prepare` first (`fit` does)"
            raise DataError(expected_got(folder.name, "the phantoms are not made", "a folder", "nothing there", todo))
        self._check(folder)
        return folder

    def prepare(self) -> None:
        """Make the files, unless this very set is there; several processes may call it at once.

        Raises:
            DataError: The folder holds something else or cannot be written.
        """
        place = self._place()
        if place.exists():
            self._check(place)
            return
        half = place.with_name(f".{place.name}.{uuid.uuid4().hex}.half")
        try:
            half.mkdir(parents=True)
            self._write(half)
            text = json.dumps(self._parameters(), indent=2, sort_keys=True)
            (half / self._certificate).write_text(f"{text}\n", encoding="utf-8")
            self._publish(half, place)
        except OSError as error:
            todo = "Give a `root` that you may write to, with free space"
            raise DataError(
                expected_got(self.root, "the phantoms cannot be written", "a folder", error.strerror, todo)
            ) from error
        finally:
            shutil.rmtree(half, ignore_errors=True)

    @abstractmethod
    def _parameters(self) -> dict[str, Any]:
        """Give everything that the files depend on, as JSON-able data."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write the files into an empty folder."""

    @property
    def _certificate(self) -> str:
        """Name of the file that is written last, with the arguments."""
        return f"{self.kind}.json"

    def _place(self) -> Path:
        digest = hashlib.sha256(json.dumps(self._parameters(), sort_keys=True).encode()).hexdigest()
        return Path(self.root).expanduser().resolve() / f"{self.kind}-{digest[:10]}"

    def _check(self, folder: Path) -> None:
        """Refuse a folder that is not this very set: the last file written tells."""
        try:
            found = json.loads((folder / self._certificate).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if found != self._parameters():
            todo = "Delete the folder, it is made again"
            what = "the folder is not this set of phantoms"
            expected = f"{self._certificate} with the same arguments"
            raise DataError(expected_got(folder.name, what, expected, found, todo))

    def _publish(self, half: Path, place: Path) -> None:
        """Rename the finished folder; where another process was faster, its set is the same."""
        try:
            half.rename(place)
        except OSError:
            if not place.exists():
                raise
            self._check(place)
