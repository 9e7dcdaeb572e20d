"""Volumes that are made on the spot: real NIfTI files, invented patients."""

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.made_files import MadeFiles
from lit_medseg.catalogue.phantom_anatomy import draw_anatomy
from lit_medseg.catalogue.phantom_scanner import SCANNERS
from lit_medseg.catalogue.phantom_stack import acquire_stack, draw_affine, stack
from lit_medseg.catalogue.source import Listing
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.imaging.volume import placed_volume
from lit_medseg.imaging.write_nifti import write_nifti

VERSION = 1  # raise it when the volumes change
# ways to store a volume: order of the axes, and those that run backwards then; axial twice, and sagittal
ORIENTATIONS: tuple[tuple[tuple[int, int, int], tuple[int, ...]], ...] = (
    ((0, 1, 2), ()),
    ((0, 1, 2), (1, 2)),
    ((2, 0, 1), (0, 1)),
)
CHANNELS = ("t1", "t2")


@dataclass(frozen=True)
class PhantomVolumes(MadeFiles):
    """Seeded volumes with an organ (code 1) and a lesion in it (code 2), NIfTI with 16 bits, one study a patient.

    They are as awkward as real ones: slices are thicker than pixels are wide, spacings differ by patient, the volumes
    are turned by some degrees, and stored in three orientations. Images and masks are named as nnU-Net's are:
    `images/patient000_0000.nii.gz` (a further channel `_0001`), `masks/patient000.nii.gz`.

    Attributes:
        root: Folder for the phantoms' folders; a relative one starts from the working folder.
        patients: How many patients.
        channels: 1, or 2 where bright and dark tissues change places in the second (`t1`, `t2`).
        slices: Slices of a volume, at least 8.
        size: Height and width of a slice in pixels, at least 32.
        seed: Other seeds are other patients; patient n is the same for any number of patients.
    """

    kind: ClassVar[str] = "phantom-volumes"

    patients: int = 16
    channels: int = 1
    slices: int = 16
    size: int = 48
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that make no data set.

        Raises:
            ConfigError: No patients, too few slices or pixels, a negative seed, other than one or two channels.
        """
        todo = "Correct it in the YAML"
        for key, least in (("patients", 1), ("slices", 8), ("size", 32), ("seed", 0)):
            if getattr(self, key) < least:
                raise ConfigError(expected_got(key, "too small", f"{least} or more", getattr(self, key), todo))
        if self.channels not in (1, 2):
            raise ConfigError(expected_got("channels", "not offered", "1 or 2", self.channels, todo))

    def list(self) -> Listing:
        """List the made files through their table, as any data set's.

        Raises:
            DataError: They were not made yet.
        """
        files = {CHANNELS[number]: f"images/{{case}}_{number:04d}.nii.gz" for number in range(self.channels)}
        table = CsvTable(
            root=str(self.folder),
            table="cases.csv",
            image=files if self.channels > 1 else files["t1"],
            case="{case}",
            patient="{case}",
            mask="masks/{case}.nii.gz",
        )
        return table.list()

    def _parameters(self) -> dict[str, Any]:
        """Everything that the volumes depend on."""
        own = {key: getattr(self, key) for key in ("patients", "channels", "slices", "size", "seed")}
        return {"version": VERSION, **own, "scanners": [asdict(scanner) for scanner in SCANNERS]}

    def _write(self, folder: Path) -> None:
        """Write images, masks and table."""
        for name in ("images", "masks"):
            (folder / name).mkdir()
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["case", "scanner"])
        rows.writerows(self._write_patient(folder, patient) for patient in range(self.patients))
        (folder / "cases.csv").write_text(table.getvalue(), encoding="utf-8")

    def _write_patient(self, folder: Path, patient: int) -> tuple[str, str]:
        """Write one patient's volumes.

        Returns:
            Case and scanner.
        """
        body, *streams = np.random.SeedSequence([self.seed, patient, 3]).spawn(1 + len(CHANNELS))
        rng = np.random.default_rng(body)
        scanner = SCANNERS[int(rng.integers(len(SCANNERS)))]
        true, codes = stack(draw_anatomy(rng), self.slices, self.size)
        affine = draw_affine((self.slices, self.size, self.size), rng)
        name, stored = f"patient{patient:03d}", patient % len(ORIENTATIONS)
        for channel in range(self.channels):
            volume = acquire_stack(true, scanner, channel > 0, np.random.default_rng(streams[channel]))
            _save(folder / "images" / f"{name}_{channel:04d}.nii.gz", volume, affine, stored)
        _save(folder / "masks" / f"{name}.nii.gz", codes, affine, stored)
        return name, scanner.name


def _save(path: Path, array: NDArray[Any], affine: NDArray[np.float64], stored: int) -> None:
    """Write `(D, H, W)` in one of the orientations."""
    order, backwards = ORIENTATIONS[stored]
    turned, placed = array.transpose(order), affine[:, [*order, 3]].copy()
    for axis in backwards:
        turned = np.flip(turned, axis)
        placed[:3, 3] += placed[:3, axis] * (turned.shape[axis] - 1)
        placed[:3, axis] *= -1
    write_nifti(path, placed_volume(np.ascontiguousarray(turned)[None], placed))
