"""Which files on the disk a reference stands for."""

from collections.abc import Iterable
from pathlib import Path

from lit_medseg.catalogue.case import Case, Ref

HEADERS = (".mhd", ".nhdr")
"""Headers whose voxels lie in a file of their own beside them."""


def stored_files(folder: Path, ref: Ref) -> list[Path]:
    """Find the files behind a reference.

    Args:
        folder: Where the reference starts from.
        ref: A file, or the folder of a DICOM series.

    Returns:
        The file (of a header its companions of the same stem too); of a folder all files in it and below, sorted (a
        series among others counts all of them: which are its own is known only once they were read); a path where
        nothing is stays in the list.
    """
    path = folder / ref.path
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.suffix.lower() in HEADERS:
        return sorted({path, *(file for file in path.parent.iterdir() if file.stem == path.stem)})
    return [path]


def files_of_cases(folder: Path, cases: Iterable[Case]) -> list[Path]:
    """Find the files of all images and masks, sorted, each once."""
    refs = {ref.path: ref for case in cases for ref in (*case.images, *case.masks)}
    return sorted({file for ref in refs.values() for file in stored_files(folder, ref)})
