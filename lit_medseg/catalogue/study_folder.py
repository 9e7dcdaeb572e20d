"""New studies to predict on: any images in any folders."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.catalogue.image_files import image_files
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.catalogue.study_files import StudyFiles
from lit_medseg.catalogue.study_series import anonymous, series_cases
from lit_medseg.errors import ConfigError, DataError, expected_got

if TYPE_CHECKING:
    from lit_medseg.imaging.dicom_series import DicomSeries


@dataclass(frozen=True)
class StudyFolder(Source):
    """Lists the images of a folder tree, without any truth; what `predict --input` works on.

    Image files: of one channel, every file is a case, called by its path without the ending. Of several channels, a
    case is `<case>_0000`, `<case>_0001`, ...; or files of one folder that have the channels' names as words in their
    names, others beside them left out; or, where the channels have no names, a folder with just as many files, in the
    order of their names. DICOM: every series is a case, called by its folder; of several channels, or with patterns,
    every study is. Parts of names that are DICOM identifiers become salted hashes.

    Attributes:
        root: Folder; a relative one starts from the working folder: it comes from a command line.
        images: Files of a case.
        channels: Names of the channels, in the order that the network wants; empty where they have none.
        stacked: How many channels one file of four dimensions holds; 0 for files of three.
        series: DICOM: regular expression by channel, as in `DicomTree.channels`, for trees with series that are not
            wanted; None for every series, or the channels' names.
        per: DICOM of several channels or with patterns: what a case is.
        irregular: DICOM: series with a gantry tilt or uneven gaps: `refuse` them, or `resample` them.
        salt: DICOM: file with the salt of the hashes; None for the one of this user on this machine.
    """

    images: int = 1
    channels: Sequence[str] = ()
    stacked: int = 0
    series: dict[str, str] | None = None
    per: Literal["study", "patient"] = "study"
    irregular: Literal["refuse", "resample"] = "refuse"
    salt: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that contradict each other.

        Raises:
            ConfigError: No images, or another number of names than channels.
        """
        if self.images < 1 or (self.stacked and self.images > 1):
            todo = "Give the number of files a case has"
            raise ConfigError(expected_got("images", "not a number of files", "1 or more", self.images, todo))
        count = self.stacked or self.images
        if self.channels and len(self.channels) != count:
            todo = "Name every channel or none"
            raise ConfigError(expected_got("channels", "other names than channels", count, list(self.channels), todo))

    @property
    def folder(self) -> Path:
        """The folder.

        Raises:
            DataError: It does not exist.
        """
        folder = Path(self.root).expanduser().resolve()
        if not folder.is_dir():
            got = "a file" if folder.exists() else "nothing there"
            todo = "Give the folder that holds the studies"
            raise DataError(expected_got(self.root, "the folder of studies is missing", "a folder", got, todo))
        return folder

    def list(self) -> Listing:
        """List the studies; files that make no whole case become faults.

        Raises:
            DataError: The root is missing.
        """
        from lit_medseg.imaging.find_dicom_series import find_dicom_series  # noqa: PLC0415 start-up stays quick

        folder = self.folder
        names = [file.relative_to(folder).as_posix() for file in image_files(folder, self.root, deep=True)]
        files = StudyFiles(self.images, tuple(self.channels), self.stacked)
        cases, faults = files.cases(name for name in names if not name.lower().endswith(".dcm"))
        series = find_dicom_series(folder)
        if series:
            found = self._dicom(series)
            cases += found.cases
            faults += found.faults
        cases = [replace(case, case_id=anonymous(case.case_id, series, self._salt)) for case in cases]
        return listing(cases, faults)

    @property
    def _salt(self) -> Path | None:
        return None if self.salt is None else Path(self.salt)

    def _dicom(self, series: "Sequence[DicomSeries]") -> Listing:
        """List DICOM series, or studies of several series."""
        patterns = self.series
        if patterns is None and self.images > 1:
            # a channel's name as a word of its own
            patterns = {name: rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])" for name in self.channels}
        if patterns is None:
            return Listing(tuple(series_cases(series, self.irregular == "resample", self._salt)))
        if not patterns:
            todo = "Give the channels' NIfTI files, or train on a source that names its channels"
            what = "DICOM series cannot be told apart"
            got = f"{len(series)} series for {self.images} nameless channels"
            return Listing((), (expected_got(self.root, what, "names of the channels", got, todo),))
        tree = DicomTree(
            str(self.folder),
            patterns,
            per=self.per,
            names="folder",
            irregular=self.irregular,
            salt=self.salt,
        )
        found = tree.list()
        return Listing(tuple(_named(case) for case in found.cases), found.faults)


def _named(case: Case) -> Case:
    """Call a study that lies in the root itself by a word."""
    return replace(case, case_id="study") if case.case_id == "." else case
