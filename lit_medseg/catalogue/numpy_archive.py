"""All images in one `.npz`, as MedMNIST and many exports have them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.load_array import archive_shapes, load_array

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class NumpyArchive(Source):
    """Lists the rows of arrays; the case's id is `<array>-<row>`, the row padded with zeros (`train_images-0007`).

    Several arrays (train, validation, test) are one data set; the metadata's `array` says which one a case is of.

    Attributes:
        file: The `.npz`, relative to the root.
        images: Names of the arrays of images, each `(N, H, W)` or `(N, H, W, C)`.
        labels: Names of the arrays of class codes in the same order, each `(N,)` or `(N, 1)`, or `(N, K)` of 0 and 1
            for overlapping classes; the class's name is the code (of `(N, K)` the column) as text.
        masks: Names of the arrays of masks in the same order, each `(N, H, W)`.
        patients: Names of the arrays of patient ids (texts or whole numbers) in the same order, each `(N,)`, `(N, 1)`.
    """

    file: str
    images: Sequence[str]
    labels: Sequence[str] | None = None
    masks: Sequence[str] | None = None
    patients: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse lists of different lengths.

        Raises:
            ConfigError: No images, doubled ones, or another number of labels, masks or patients than of images.
        """
        if not self.images or len(set(self.images)) != len(self.images):
            todo = "Name each array of images once"
            raise ConfigError(expected_got("images", "the list is unusable", "distinct names", list(self.images), todo))
        for key, names in self._companions().items():
            if len(names) != len(self.images):
                todo = "Name one for each array of images, in the same order"
                what = "the list does not fit images"
                raise ConfigError(expected_got(key, what, f"{len(self.images)} names", f"{len(names)}", todo))

    def list(self) -> Listing:
        """List the rows; arrays of different lengths or of unusable shape become faults.

        Raises:
            DataError: The root, the file or an array is missing, or the file is corrupt.
        """
        path = self.folder / self.file
        shapes = archive_shapes(path, self.file)
        self._check_names(shapes)
        cases: list[Case] = []
        faults: list[str] = []
        for position, name in enumerate(self.images):
            beside = {key: names[position] for key, names in self._companions().items()}
            found = list(self._faults(name, beside, shapes))
            faults.extend(found)
            if not found:
                try:
                    cases.extend(self._cases(path, name, beside, shapes[name][0]))
                except DataError as fault:
                    faults.append(str(fault))
        return listing(cases, faults)

    def _companions(self) -> dict[str, Sequence[str]]:
        """The arrays that go with the images, by key."""
        named = {"labels": self.labels, "masks": self.masks, "patients": self.patients}
        return {key: names for key, names in named.items() if names is not None}

    def _check_names(self, shapes: Shapes) -> None:
        """Refuse names that the archive does not have, all at once."""
        asked = {"images": self.images, **self._companions()}
        missing = [f"{name!r} ({key})" for key, names in asked.items() for name in names if name not in shapes]
        if missing:
            todo = "Correct the names in the YAML"
            got = ", ".join(missing)
            raise DataError(expected_got(self.file, "arrays are missing", f"names among {list(shapes)}", got, todo))

    def _faults(self, name: str, beside: Mapping[str, str], shapes: Shapes) -> Iterator[str]:
        """Compare the shapes of an array of images with its companions'."""
        shape = shapes[name]
        if len(shape) not in (3, 4) or 0 in shape:
            todo = "Save images as (N, H, W) or (N, H, W, C)"
            yield expected_got(
                f"{self.file}:{name}", "the array holds no images", "(N, H, W) or (N, H, W, C)", shape, todo
            )
            return
        for other in beside.values():
            rows = shapes[other][0] if shapes[other] else 0
            if rows != shape[0]:
                todo = f"Save one row of {other} for each of {name}"
                yield expected_got(f"{self.file}:{other}", "the number of rows differs", shape[0], rows, todo)

    def _cases(self, path: Path, name: str, beside: Mapping[str, str], rows: int) -> Iterator[Case]:
        """Make the cases of one array of images."""
        labels = self._labels(path, beside["labels"], rows) if "labels" in beside else [None] * rows
        patients = self._patients(path, beside["patients"]) if "patients" in beside else [None] * rows
        digits = len(str(rows - 1))
        for row in range(rows):
            yield Case(
                case_id=f"{name}-{row:0{digits}d}",
                patient_id=patients[row],
                images=(Ref(self.file, name, row),),
                masks=(Ref(self.file, beside["masks"], row),) if "masks" in beside else (),
                labels=labels[row],
                metadata={"array": name},
            )

    def _labels(self, path: Path, name: str, rows: int) -> Sequence[tuple[str, ...] | None]:
        """Read codes `(N,)` or `(N, 1)`, or flags `(N, K)`, as names."""
        where = f"{self.file}:{name}"
        codes = load_array(path, where, name).reshape(rows, -1)
        with np.errstate(invalid="ignore"):  # NaN is found by the comparison
            whole = codes.astype(np.int64)
        if not np.array_equal(whole, codes) or (codes.shape[1] > 1 and not np.isin(whole, (0, 1)).all()):
            todo = "Save one code per row, or one 0 or 1 per row and class"
            raise DataError(expected_got(where, "the labels are no codes", "whole numbers", _some(codes), todo))
        if codes.shape[1] == 1:
            return [(str(code),) for code in whole[:, 0].tolist()]
        return [tuple(str(column) for column in np.flatnonzero(row)) for row in whole]

    def _patients(self, path: Path, name: str) -> Sequence[str | None]:
        """Read patient ids as texts."""
        where = f"{self.file}:{name}"
        ids = load_array(path, where, name, kinds="biuU").reshape(-1)
        texts = [str(patient).strip() for patient in ids.tolist()]
        if "" in texts:
            todo = "Fill it in"
            got = f"nothing in row {texts.index('')}"
            raise DataError(expected_got(where, "a patient id is empty", "a text in every row", got, todo))
        return texts


def _some(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} {array.shape} with values like {array.reshape(-1)[:4].tolist()}"
