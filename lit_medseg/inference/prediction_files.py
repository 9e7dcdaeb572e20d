"""The files of one case's prediction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lit_medseg.imaging.read_dicom_series import RESAMPLE
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.write_dicom_seg import write_dicom_seg
from lit_medseg.imaging.write_nifti import write_nifti
from lit_medseg.imaging.write_png import write_png
from lit_medseg.inference.case_images import CaseImages, is_dicom
from lit_medseg.inference.prediction_names import case_file, folder_name
from lit_medseg.preprocess.trace import CaseTrace
from lit_medseg.target import MultiClass, MultiLabel, Target

_PRESENT = 255
"""Value in the picture of one of several overlapping classes."""


@dataclass
class PredictionFiles:
    """Writes masks and probabilities on the image's own grid; each file is whole or not there.

    Exclusive classes: `<case>.png` for pictures and `<case>.nii.gz` for volumes, with the values that the YAML's
    `masks` give the classes. Overlapping classes: one such file a class, `<class>/<case>...`. Beside the NIfTI of a
    DICOM series `<case>.dcm`, a DICOM-SEG that refers to the series; its segments are the classes by number.
    Probabilities: `probabilities/<class>/<case>...`, NIfTI in float32 (rounded to 16 bits) or 16-bit PNG of which 65535
    is 1.

    Attributes:
        folder: Made if need be.
        source: The folder that the cases' references start from.
        target: The classes.
        values: Value in the mask file by code.
        keep_patient: Whether DICOM-SEG files carry the patient's data, so that an archive files them.
        replaced: How many files of these names were there before.
    """

    folder: Path
    source: Path
    target: Target
    values: Sequence[int]
    keep_patient: bool = False
    replaced: int = field(default=0, init=False)

    def write_mask(self, case_id: str, codes: NDArray[np.integer], trace: CaseTrace) -> Path:
        """Write the masks of a case as NIfTI or PNG.

        Args:
            case_id: The case.
            codes: `(*S)` or overlapping `(K, *S)`.
            trace: Where the native grid lies.

        Returns:
            The file, relative to the folder; of overlapping classes the first one's.

        Raises:
            OSError: The disk refuses.
        """
        flat = len(trace.grid) == 2
        ending = ".png" if flat else ".nii.gz"
        name = case_file(case_id, ending)
        if isinstance(self.target, MultiLabel):
            folders = [Path(folder_name(class_name)) for class_name in self.target.names]
            values = [_PRESENT] * len(folders) if flat else self.values[1:]
            planes = [plane.astype(bool) * _smallest(value) for plane, value in zip(codes, values, strict=True)]
            files = [folder / name for folder in folders]
        else:
            files, planes = [name], [_smallest(max(self.values), self.values)[codes]]
        for file, plane in zip(files, planes, strict=True):
            self._write(file, plane, trace)
        return files[0]

    def write_segments(self, case_id: str, codes: NDArray[np.integer], trace: CaseTrace, images: CaseImages) -> None:
        """Write the masks of a case as DICOM-SEG, where its images are a DICOM series whose slices they fit.

        Args:
            case_id: The case.
            codes: `(*S)` or overlapping `(K, *S)`.
            trace: Where the native grid lies.
            images: The case's images.

        Raises:
            MedSegError: The series does not say what a DICOM-SEG has to refer to.
            OSError: The disk refuses.
        """
        series = [ref for ref in images.refs if is_dicom(self.source, ref) and not ref.key.startswith(RESAMPLE)]
        if not series or len(trace.grid) == 2 or trace.affine is None:
            return
        path = self._place(case_file(case_id, ".dcm"))
        mask = trace.place(Volume(_small(codes if codes.ndim == 4 else codes[None]), trace.spacing_mm))
        place = self.source / series[0].path
        write_dicom_seg(path, mask, place, series[0].key, self._labels, self.keep_patient)

    def write_probabilities(self, case_id: str, planes: Iterable[Tensor], trace: CaseTrace) -> None:
        """Write the probabilities of a case, class by class.

        Args:
            case_id: The case.
            planes: `(*native S)` in [0, 1], one a channel of the logits. The background's is left out.
            trace: Where the native grid lies.

        Raises:
            OSError: The disk refuses.
        """
        flat = len(trace.grid) == 2
        name = case_file(case_id, ".png" if flat else ".nii.gz")
        names = self.target.names if isinstance(self.target, MultiClass) else self.target.foreground
        for class_name, plane in zip(names, planes, strict=True):
            if class_name not in self.target.foreground:
                continue
            # what 16 bits cannot hold would only make the files large
            array = plane.numpy().astype(np.float16).astype(np.float32)
            array = np.round(array * 65535).astype(np.uint16) if flat else array
            self._write(Path("probabilities", folder_name(class_name)) / name, array, trace)

    @property
    def _labels(self) -> dict[int, str]:
        """Class by code, as in a DICOM-SEG."""
        return dict(enumerate(self.target.foreground, start=1))

    def _write(self, name: Path, plane: NDArray[np.generic], trace: CaseTrace) -> None:
        path = self._place(name)
        if plane.ndim == 2:
            write_png(path, plane[None])
        else:
            write_nifti(path, trace.place(Volume(plane[None], trace.spacing_mm)))

    def _place(self, name: Path) -> Path:
        path = self.folder / name
        self.replaced += path.exists()
        return path


def _smallest(largest: int, values: Sequence[int] | None = None) -> NDArray[np.integer]:
    """Give values, or the one, in the smallest unsigned integers that hold them."""
    small = next((kind for kind in (np.uint8, np.uint16) if largest <= np.iinfo(kind).max), np.uint32)
    return np.array(largest if values is None else values, dtype=small)


def _small(codes: NDArray[np.integer]) -> NDArray[np.integer]:
    return codes.astype(np.uint8 if codes.max() < 256 else np.uint16)
