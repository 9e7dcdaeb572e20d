"""A data set that is made on the spot: real files, invented patients."""

import csv
import hashlib
import io
import json
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.phantom_anatomy import cut, draw_anatomy
from lit_medseg.catalogue.phantom_scanner import SCANNERS, acquire
from lit_medseg.catalogue.source import Listing, Source
from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.write_png import encode_png

VERSION = 1  # raise it when the pictures change


@dataclass(frozen=True)
class Phantom(Source):
    """Seeded cross-sections with an organ (code 1) and a lesion in it (code 2), 8-bit gray PNG.

    Each patient was on one of three scanners that differ in noise, blur, gain and coil profile. Structures beside the
    organ are as bright as the organ or the lesion, so a threshold does not solve it. The files go to
    `<root>/phantom-<hash of the arguments>/`: other arguments never touch an earlier set.

    Attributes:
        root: Folder for the phantoms' folders; being made here, a relative one starts from the working folder and
            not from `$LIT_MEDSEG_DATA`, which may be read-only.
        patients: How many patients.
        slices: Images per patient.
        size: Height and width in pixels, at least 32.
        seed: Other seeds are other patients; patient n is the same for any number of patients.
    """

    root: str = "phantoms"
    patients: int = 40
    slices: int = 4
    size: int = 96
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that make no data set.

        Raises:
            ConfigError: No patients or slices, images below 32 pixels, a negative seed.
        """
        for key, least in (("patients", 1), ("slices", 1), ("size", 32), ("seed", 0)):
            if getattr(self, key) < least:
                todo = "Correct it in the YAML"
                raise ConfigError(expected_got(key, "too small", f"{least} or more", getattr(self, key), todo))

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
            self._write(half)
            self._publish(half, place)
        except OSError as error:
            todo = "Give a `root` that you may write to, with free space"
            raise DataError(
                expected_got(self.root, "the phantoms cannot be written", "a folder", error.strerror, todo)
            ) from error
        finally:
            shutil.rmtree(half, ignore_errors=True)

    def list(self) -> Listing:
        """List the made files through their table, as any data set's.

        Raises:
            DataError: They were not made yet.
        """
        table = CsvTable(
            root=str(self.folder),
            table="cases.csv",
            image="images/{case}.png",
            case="{case}",
            patient="{patient}",
            mask="masks/{case}.png",
        )
        return table.list()

    def _place(self) -> Path:
        digest = hashlib.sha256(json.dumps(self._parameters(), sort_keys=True).encode()).hexdigest()
        return Path(self.root).expanduser().resolve() / f"phantom-{digest[:10]}"

    def _parameters(self) -> dict[str, Any]:
        """Everything that the pictures depend on."""
        own = {"patients": self.patients, "slices": self.slices, "size": self.size, "seed": self.seed}
        return {"version": VERSION, **own, "scanners": [asdict(scanner) for scanner in SCANNERS]}

    def _check(self, folder: Path) -> None:
        """Refuse a folder that is not this very set: the last file written tells."""
        try:
            found = json.loads((folder / "phantom.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if found != self._parameters():
            todo = "Delete the folder, it is made again"
            what = "the folder is not this set of phantoms"
            raise DataError(expected_got(folder.name, what, "phantom.json with the same arguments", found, todo))

    def _write(self, folder: Path) -> None:
        """Write images, masks, table and parameters."""
        (folder / "images").mkdir(parents=True)
        (folder / "masks").mkdir()
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["case", "patient", "scanner"])
        for patient in range(self.patients):
            rows.writerows(self._write_patient(folder, patient))
        (folder / "cases.csv").write_text(table.getvalue(), encoding="utf-8")
        text = json.dumps(self._parameters(), indent=2, sort_keys=True)
        (folder / "phantom.json").write_text(f"{text}\n", encoding="utf-8")

    def _write_patient(self, folder: Path, patient: int) -> tuple[tuple[str, str, str], ...]:
        """Write one patient's slices.

        Returns:
            Case, patient and scanner of each.
        """
        body, picture = np.random.SeedSequence([self.seed, patient]).spawn(2)
        rng = np.random.default_rng(body)
        scanner = SCANNERS[int(rng.integers(len(SCANNERS)))]
        anatomy = draw_anatomy(rng)
        names: list[str] = []
        for index, stream in enumerate(picture.spawn(self.slices)):
            height = (index + 0.5) / self.slices * 1.6 - 0.8
            true, codes = cut(anatomy, height, self.size)
            names.append(f"patient{patient:03d}-slice{index:02d}")
            image = acquire(true, scanner, np.random.default_rng(stream))
            (folder / "images" / f"{names[-1]}.png").write_bytes(encode_png(image))
            (folder / "masks" / f"{names[-1]}.png").write_bytes(encode_png(codes))
        return tuple((name, f"patient{patient:03d}", scanner.name) for name in names)

    def _publish(self, half: Path, place: Path) -> None:
        """Rename the finished folder; where another process was faster, its set is the same."""
        try:
            half.rename(place)
        except OSError:
            if not place.exists():
                raise
            self._check(place)
