"""Data sets of the Medical Segmentation Decathlon."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.dataset_json import FILE, DatasetJson, read_dataset_json
from lit_medseg.catalogue.image_files import image_files, image_stem
from lit_medseg.catalogue.patient_pattern import PatientPattern
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import DataError, expected_got


@dataclass(frozen=True)
class Decathlon(Source):
    """Lists what dataset.json names: `training` (image and label), or `test` (images alone).

    Where `modality` names several channels, an image has four dimensions and each channel is one index of its last
    axis. The case's id is the image's name without its ending.
    Source: Antonelli et al. 2022, doi:10.1038/s41467-022-30695-9.

    Attributes:
        cases: `train` or `test`.
        patient_pattern: Regular expression on the case's id whose one group is the patient's id.
    """

    cases: Literal["train", "test"] = "train"
    patient_pattern: str | None = None

    def __post_init__(self) -> None:
        """Refuse a bad pattern.

        Raises:
            ConfigError: It is no regular expression with one group.
        """
        PatientPattern(self.patient_pattern)

    def list(self) -> Listing:
        """List the cases; entries that cannot be used, and files beside them that no entry names, become faults.

        Raises:
            DataError: The root or dataset.json is missing, or the latter has no list of cases.
        """
        about = read_dataset_json(self.folder, self.root)
        key = "training" if self.cases == "train" else "test"
        items = about.plain.get(key)
        if not isinstance(items, list) or not items:
            todo = "Use a dataset.json of the Decathlon, or lit_medseg.catalogue.nnunet_raw.NnUNetRaw"
            raise DataError(expected_got(f"{self.root}/{FILE}", f"it lists no {key} cases", "a list", items, todo))
        found: list[Case] = []
        faults: list[str] = []
        for number, item in enumerate(items):
            try:
                found.append(self._case(item, about, f"{FILE}, {key}[{number}]"))
            except DataError as fault:
                faults.append(str(fault))
        faults += self._orphans(found) if not faults else []
        if self.cases == "train":
            faults += about.number_faults(self.root, len(items))
        return listing(found, faults)

    def _case(self, item: Any, about: DatasetJson, where: str) -> Case:
        """Make one case.

        Raises:
            DataError: The entry has no image or label, or names a file outside the root.
        """
        entry = item if isinstance(item, dict) else {"image": item}
        needed = ("image", "label") if self.cases == "train" else ("image",)
        if not all(isinstance(entry.get(key), str) for key in needed):
            raise DataError(expected_got(where, "the entry is unusable", f"{needed}", item, "Correct the file"))
        image = _inside(entry["image"], where)
        case_id = image_stem(Path(image))
        indices = range(len(about.channels)) if len(about.channels) > 1 else (None,)
        return Case(
            case_id=case_id,
            patient_id=PatientPattern(self.patient_pattern).patient(case_id, where),
            images=tuple(Ref(image, "", index) for index in indices),
            masks=(Ref(_inside(entry["label"], where)),) if "label" in needed else (),
            channels=about.channels,
        )

    def _orphans(self, cases: Sequence[Case]) -> Sequence[str]:
        """Find images and masks that lie beside those of the cases and belong to none."""
        named = {ref.path for case in cases for ref in (*case.images, *case.masks)}
        folders = sorted({PurePosixPath(path).parent.as_posix() for path in named})
        todo = f"Add it to {FILE}, or remove it"
        return [
            expected_got(name, f"{FILE} does not name the file", "an entry", "none", todo)
            for folder in folders
            if (self.folder / folder).is_dir()
            for file in image_files(self.folder / folder, folder)
            if (name := file.relative_to(self.folder).as_posix()) not in named
        ]


def _inside(path: str, where: str) -> str:
    """Give a path relative to the root.

    Raises:
        DataError: It lies elsewhere.
    """
    clean = posixpath.normpath(path)
    if clean.startswith(("/", "..")):
        todo = f"Write paths relative to the folder of {FILE}"
        raise DataError(expected_got(where, "the file lies outside the root", "a relative path", path, todo))
    return clean
