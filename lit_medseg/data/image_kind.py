"""What the images of a source are: pictures or volumes."""

from dataclasses import dataclass

from lit_medseg.catalogue.read_ref import read_image_ref
from lit_medseg.catalogue.source import Source
from lit_medseg.errors import DataError

_TRIED = 5
"""Cases that are looked at before it is left to the manifest to say what is wrong with them."""


@dataclass(frozen=True)
class ImageKind:
    """What a modality's defaults depend on.

    Attributes:
        axes: 2 (pictures) or 3 (volumes).
        placed: Whether a volume's file says where its voxels lie in space, and so how far apart.
        signed: Whether a picture can hold negative numbers, such as Hounsfield units.
    """

    axes: int
    placed: bool = False
    signed: bool = False


def image_kind(source: Source) -> ImageKind:
    """Look at the first image of a source that can be read.

    Args:
        source: Where the cases are; its files are made where it makes them itself.

    Returns:
        The kind; that of pictures where nothing can be read: the manifest then says why.

    Raises:
        DataError: The source as a whole cannot be used.
    """
    source.prepare()
    for case in source.list().cases[:_TRIED]:
        first = case.images[0]
        if first.path.lower().endswith((".nii", ".nii.gz")):
            return ImageKind(axes=3, placed=True)  # whatever is in it, and decompressing it takes seconds
        try:
            volume = read_image_ref(source.folder, first)
        except DataError:
            continue
        return ImageKind(len(volume.grid), volume.affine is not None, volume.array.dtype.kind in "if")
    return ImageKind(axes=2)
