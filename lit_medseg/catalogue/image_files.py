"""Which files of a folder are images."""

from pathlib import Path

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.read_array import READABLE_ENDINGS

# Longer endings first: `a.nii.gz` is called `a`.
VOLUME_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm", ".h5", ".hdf5")
IMAGE_ENDINGS = (*VOLUME_ENDINGS, *READABLE_ENDINGS)


def image_files(folder: Path, name: str, deep: bool = False) -> list[Path]:
    """List the readable images of a folder; hidden files and other endings are left out.

    Args:
        folder: Where to look.
        name: What errors call the folder (relative to the data set's root).
        deep: Also in the folders below.

    Returns:
        Files, sorted by path; empty where the folder has none.

    Raises:
        DataError: The folder is missing.
    """
    if not folder.is_dir():
        todo = "Correct the folder's name in the YAML"
        raise DataError(expected_got(name, "the folder is missing", "a folder", "nothing there", todo))
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in found if _is_image(file.relative_to(folder)) and file.is_file())


def image_stem(file: Path) -> str:
    """Give a file's name without the ending that makes it an image: `a` of `a.nii.gz`; other endings stay."""
    lower = file.name.lower()
    ending = next((ending for ending in IMAGE_ENDINGS if lower.endswith(ending)), "")
    return file.name[: len(file.name) - len(ending)]


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith(IMAGE_ENDINGS) and not any(part.startswith(".") for part in path.parts)
