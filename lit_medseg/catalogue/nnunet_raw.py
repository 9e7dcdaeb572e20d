"""Data sets in nnU-Net's raw format."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.dataset_json import DatasetJson, read_dataset_json
from lit_medseg.catalogue.patient_pattern import PatientPattern
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import DataError, expected_got

PICTURES = (".png", ".bmp", ".tif")


@dataclass(frozen=True)
class NnUNetRaw(Source):
    """Lists `imagesTr/<case>_0000.nii.gz` (one file per channel) with `labelsTr/<case>.nii.gz`, as dataset.json says.

    A picture in colours is one file with several channels. The names of the channels are those of `channel_names` (of
    `modality` in the first version's format). Which classes are learnt is the YAML's `truth.masks`, by the codes of
    dataset.json's `labels`.
    Source: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z; format of nnU-Net 2.

    Attributes:
        cases: `train` (imagesTr), or `test` (imagesTs, with the masks of labelsTs where that folder exists).
        regions: Labels that are lists of codes are nnU-Net's regions, which overlap: `refuse` them, or learn the
            `codes` in the files, which exclude each other, as classes of their own.
        patient_pattern: Regular expression on the case's name whose one group is the patient's id.
    """

    cases: Literal["train", "test"] = "train"
    regions: Literal["refuse", "codes"] = "refuse"
    patient_pattern: str | None = None

    def __post_init__(self) -> None:
        """Refuse a bad pattern.

        Raises:
            ConfigError: It is no regular expression with one group.
        """
        PatientPattern(self.patient_pattern)

    def list(self) -> Listing:
        """List the cases; lacking channels, images without mask, masks without image and stray files become faults.

        Raises:
            DataError: The root, dataset.json or the folder of images is missing, or its labels have regions.
        """
        about = read_dataset_json(self.folder, self.root)
        self._check_labels(about)
        named = about.plain.get("dataset") if self.cases == "train" else None
        found = _named_files(named, self.root) if isinstance(named, dict) else self._files(about)
        cases: list[Case] = []
        faults = [*found.faults]
        for case_id in found.images:
            try:
                cases.append(self._case(case_id, found, about))
            except DataError as fault:
                faults.append(str(fault))
        for case_id, file in (found.masks or {}).items():
            if case_id not in found.images:
                todo = f"Add the image {case_id}, or remove the mask"
                faults.append(expected_got(file, "mask without image", f"{case_id}_0000.*", "nothing", todo))
        if self.cases == "train":
            faults += about.number_faults(self.root, len(found.images))
        return listing(cases, faults)

    def _check_labels(self, about: DatasetJson) -> None:
        """Refuse regions unless the YAML says what they become."""
        regions = [name for name, code in about.labels.items() if not isinstance(code, int)]
        if regions and self.regions == "refuse":
            todo = "Set `regions: codes` to learn the codes in the files as classes that exclude each other"
            what = "labels are regions of several codes"
            raise DataError(expected_got(f"{self.root}/dataset.json", what, "one code per label", regions, todo))

    def _files(self, about: DatasetJson) -> "_Files":
        """Gather the files of the folders by case."""
        suffix = "Tr" if self.cases == "train" else "Ts"
        images, faults = _channels(_folder_files(self, f"images{suffix}"), about)
        if self.cases == "test" and not (self.folder / f"labels{suffix}").is_dir():
            return _Files(images, None, faults)
        masks = _folder_files(self, f"labels{suffix}")
        named = {
            name.rpartition("/")[2].removesuffix(about.ending): name for name in masks if name.endswith(about.ending)
        }
        return _Files(images, named, faults)

    def _case(self, case_id: str, found: "_Files", about: DatasetJson) -> Case:
        """Make one case.

        Raises:
            DataError: A channel or the mask is missing, a file lies outside the root, or no patient is in the name.
        """
        where, files, channels = f"case {case_id}", found.images[case_id], about.channels
        if about.ending in PICTURES and files[0] and not any(files[1:]):  # colours are channels of one file
            files, channels = files[:1], ()
        elif len(files) != len(about.channels) or not all(files):
            got = [file for file in files if file]
            todo = "Add the files, or leave the case out"
            raise DataError(expected_got(where, "channels are missing", about.channels, got, todo))
        if found.masks is not None and case_id not in found.masks:
            todo = "Add the mask or remove the image"
            raise DataError(expected_got(where, "image without mask", f"{case_id}{about.ending}", "nothing", todo))
        mask = () if found.masks is None else (Ref(found.masks[case_id]),)
        for ref in (*map(Ref, files), *mask):
            if ref.path.startswith(("/", "..")):
                todo = "Write paths relative to the folder of dataset.json"
                raise DataError(expected_got(where, "a file lies outside the root", "a relative path", ref, todo))
        patient = PatientPattern(self.patient_pattern).patient(case_id, where)
        return Case(case_id, patient, tuple(map(Ref, files)), mask, channels=channels)


@dataclass(frozen=True)
class _Files:
    """Files by case, relative to the root: the channels in order (empty texts where one lacks), and the mask."""

    images: Mapping[str, Sequence[str]]
    masks: Mapping[str, str] | None
    faults: Sequence[str] = ()


def _named_files(listed: Mapping[str, Any], root: str) -> _Files:
    """Take the files that dataset.json lists itself (its key `dataset`).

    Raises:
        DataError: An entry has no list of images or no label.
    """
    for case_id, files in listed.items():
        if not isinstance(files, dict) or not isinstance(files.get("images"), list) or "label" not in files:
            todo = "Correct the entry, or remove `dataset` to list the folders"
            where = f"{root}/dataset.json, dataset[{case_id!r}]"
            raise DataError(expected_got(where, "the entry is unusable", "images and label", files, todo))
    images = {case_id: [_relative(file) for file in files["images"]] for case_id, files in sorted(listed.items())}
    return _Files(images, {case_id: _relative(files["label"]) for case_id, files in listed.items()})


def _relative(file: Any) -> str:
    return str(file).removeprefix("./")


def _channels(names: Sequence[str], about: DatasetJson) -> tuple[dict[str, Sequence[str]], Sequence[str]]:
    """Sort files into cases and channels; those that are no channel of a case become faults."""
    pattern = re.compile(rf"(.+)_(\d{{4}}){re.escape(about.ending)}")
    found: dict[str, dict[int, str]] = {}
    faults: list[str] = []
    for name in names:
        file = name.rpartition("/")[2]
        match = pattern.fullmatch(file)
        if match is None:
            expected = f"<case>_0000{about.ending}"
            faults.append(expected_got(name, "no channel of a case", expected, file, "Rename or remove it"))
        elif int(match[2]) >= len(about.channels):
            todo = "Remove the file, or add its channel to dataset.json"
            what = "a channel that dataset.json lacks"
            faults.append(expected_got(name, what, f"channels below {len(about.channels)}", match[2], todo))
        else:
            found.setdefault(match[1], {})[int(match[2])] = name
    numbers = range(len(about.channels))
    return {case_id: [files.get(number, "") for number in numbers] for case_id, files in found.items()}, faults


def _folder_files(source: Source, name: str) -> Sequence[str]:
    """List the files of a folder that are not hidden, relative to the root.

    Raises:
        DataError: The folder is missing.
    """
    folder = source.folder / name
    if not folder.is_dir():
        todo = "Set `root` to the folder that holds dataset.json, imagesTr and labelsTr"
        raise DataError(expected_got(f"{source.root}/{name}", "the folder is missing", "a folder", "nothing", todo))
    return sorted(f"{name}/{file.name}" for file in _visible(folder))


def _visible(folder: Path) -> Sequence[Path]:
    return [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
