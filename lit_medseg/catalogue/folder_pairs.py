"""Images and masks in parallel folders, or side by side with a suffix."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.image_files import image_files, image_stem
from lit_medseg.catalogue.patient_pattern import PatientPattern
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import ConfigError, DataError, expected_got

WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class FolderPairs(Source):
    """Pairs each image with the mask of the same stem.

    The case's id is the image's stem (`a` of `a.nii.gz`); where `images` is a glob, the folders that its wildcards
    stand for come first (`*/images` gives `train/0007`). Images and masks may have different endings.

    Attributes:
        images: Folder below the root (`.` for the root itself), or a glob of folders.
        masks: Mask folder; a list of them, one per overlapping class in the order of the classes; None where the cases
            have no masks (prediction). With a glob in `images` it is a glob too, and the mask folder is the image
            folder with its last component replaced (`*/images`, `*/labels`).
        mask_suffix: What a mask's stem has after its image's stem (`_segmentation`).
        patient_pattern: Regular expression on the image's stem whose one group is the patient's id.
    """

    images: str = "images"
    masks: str | Sequence[str] | None = "masks"
    mask_suffix: str = ""
    patient_pattern: str | None = None

    def __post_init__(self) -> None:
        """Refuse keys that contradict each other.

        Raises:
            ConfigError: A bad pattern, an empty list of masks, masks that cannot be told from images.
        """
        PatientPattern(self.patient_pattern)
        if self.masks is not None and not self._mask_folders:
            raise ConfigError(expected_got("masks", "the list is empty", "a folder or null", "[]", "Name the folder"))
        if PurePosixPath(self.images) in map(PurePosixPath, self._mask_folders) and not self.mask_suffix:
            todo = "Give `mask_suffix`"
            what = "masks in the images' folder need a suffix"
            raise ConfigError(expected_got("masks", what, "a mask_suffix", "none", todo))

    def list(self) -> Listing:
        """Pair the files; images without mask, masks without image and names without patient become faults.

        Raises:
            DataError: A folder is missing, or there is no image at all.
        """
        cases: list[Case] = []
        faults: list[str] = []
        for folder in self._image_folders():
            for item in self._pairs(folder):
                if isinstance(item, Case):
                    cases.append(item)
                else:
                    faults.append(item)
        if not cases and not faults:
            todo = "Correct `root` or `images` in the YAML"
            raise DataError(expected_got(f"{self.root}/{self.images}", "the folder holds no image", "images", 0, todo))
        return listing(cases, faults)

    @property
    def _mask_folders(self) -> tuple[str, ...]:
        if self.masks is None:
            return ()
        return (self.masks,) if isinstance(self.masks, str) else tuple(self.masks)

    def _image_folders(self) -> Sequence[PurePosixPath]:
        """Find the image folders, relative to the root."""
        if not WILDCARDS & set(self.images):
            return [PurePosixPath(self.images)]
        root = self.folder
        found = sorted(path for path in root.glob(self.images) if path.is_dir())
        if not found:
            todo = "Correct the glob in the YAML"
            raise DataError(expected_got(f"{self.root}/{self.images}", "no folder matches", "folders", 0, todo))
        return [PurePosixPath(path.relative_to(root).as_posix()) for path in found]

    def _pairs(self, folder: PurePosixPath) -> Iterator[Case | str]:
        """Pair one image folder with its mask folders: cases, and faults as texts."""
        images = image_files(self.folder / folder, f"{self.root}/{folder}")
        places = [self._mask_folder(folder, name) for name in self._mask_folders]
        if folder in places:
            images = [image for image in images if not image_stem(image).endswith(self.mask_suffix)]
        masks = [self._masks_by_stem(place) for place in places]
        for image in images:
            try:
                yield self._case(image, folder, [found.get(image_stem(image), []) for found in masks], places)
            except DataError as fault:
                yield str(fault)
        stems = {image_stem(image) for image in images}
        for stem, files in ((stem, files) for found in masks for stem, files in found.items() if stem not in stems):
            todo = f"Add the image {stem} to {folder}, or remove the mask"
            yield expected_got(self._ref(files[0]), "mask without image", f"{folder}/{stem}.*", "nothing", todo)

    def _case(
        self, image: Path, folder: PurePosixPath, masks: Sequence[Sequence[Path]], places: Sequence[PurePosixPath]
    ) -> Case:
        """Make one case.

        Raises:
            DataError: No mask or several, or no patient in the name.
        """
        where = self._ref(image)
        for files, place in zip(masks, places, strict=True):
            expected = f"{place}/{image_stem(image)}{self.mask_suffix}.*"
            if not files:
                todo = "Add the mask or remove the image (`masks: null` reads images alone)"
                raise DataError(expected_got(where, "image without mask", expected, "nothing", todo))
            if len(files) > 1:
                got = ", ".join(self._ref(file) for file in files)
                raise DataError(expected_got(where, "several masks", f"one {expected}", got, "Keep one of them"))
        return Case(
            case_id=self._case_id(folder, image_stem(image)),
            patient_id=PatientPattern(self.patient_pattern).patient(image_stem(image), where),
            images=(Ref(where),),
            masks=tuple(Ref(self._ref(files[0])) for files in masks),
        )

    def _case_id(self, folder: PurePosixPath, stem: str) -> str:
        pattern = PurePosixPath(self.images).parts
        if not WILDCARDS & set(self.images):
            return stem
        if len(pattern) != len(folder.parts):  # `**` stands for any number of folders
            return (folder / stem).as_posix()
        wild = [part for part, name in zip(folder.parts, pattern, strict=True) if WILDCARDS & set(name)]
        return "/".join([*wild, stem])

    def _mask_folder(self, folder: PurePosixPath, name: str) -> PurePosixPath:
        return folder.with_name(PurePosixPath(name).name) if WILDCARDS & set(self.images) else PurePosixPath(name)

    def _masks_by_stem(self, place: PurePosixPath) -> dict[str, Sequence[Path]]:
        """Gather the masks of a folder by the stem that their image must have."""
        found: dict[str, list[Path]] = defaultdict(list)
        for file in image_files(self.folder / place, f"{self.root}/{place}"):
            if image_stem(file).endswith(self.mask_suffix):
                found[image_stem(file).removesuffix(self.mask_suffix)].append(file)
        return dict(found)

    def _ref(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()
