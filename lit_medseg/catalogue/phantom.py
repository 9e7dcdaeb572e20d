"""A data set that is made on the spot: real files, invented patients."""

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.made_files import MadeFiles
from lit_medseg.catalogue.phantom_anatomy import cut, draw_anatomy
from lit_medseg.catalogue.phantom_scanner import SCANNERS, acquire
from lit_medseg.catalogue.source import Listing
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.write_png import encode_png

VERSION = 1  # raise it when the pictures change


@dataclass(frozen=True)
class Phantom(MadeFiles):
    """Seeded cross-sections with an organ (code 1) and a lesion in it (code 2), 8-bit gray PNG.

    Each patient was on one of three scanners that differ in noise, blur, gain and coil profile. Structures beside the
    organ are as bright as the organ or the lesion, so a threshold does not solve it.

    Attributes:
        root: Folder for the phantoms' folders; being made here, a relative one starts from the working folder and
            not from `$LIT_MEDSEG_DATA`, which may be read-only.
        patients: How many patients.
        slices: Images per patient.
        size: Height and width in pixels, at least 32.
        seed: Other seeds are other patients; patient n is the same for any number of patients.
    """

    kind: ClassVar[str] = "phantom"

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

    def _parameters(self) -> dict[str, Any]:
        """Everything that the pictures depend on."""
        own = {"patients": self.patients, "slices": self.slices, "size": self.size, "seed": self.seed}
        return {"version": VERSION, **own, "scanners": [asdict(scanner) for scanner in SCANNERS]}

    def _write(self, folder: Path) -> None:
        """Write images, masks and table."""
        (folder / "images").mkdir()
        (folder / "masks").mkdir()
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["case", "patient", "scanner"])
        for patient in range(self.patients):
            rows.writerows(self._write_patient(folder, patient))
        (folder / "cases.csv").write_text(table.getvalue(), encoding="utf-8")

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
