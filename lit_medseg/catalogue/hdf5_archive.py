"""Volumes in HDF5: one file per case, or one group per case."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import ConfigError, DataError, expected_got

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True)
class Hdf5Archive(Source):
    """Lists HDF5 files, or the groups in them; texts and numbers in a case's attributes become its metadata.

    A dataset `(D, H, W)` is one volume; its attributes `spacing` and `affine` say where it lies, see
    `lit_medseg.imaging.read_volume`. The case's id is the file's name without ending (one file per case), the group's
    path (one file with groups), or both (`a/0007`).

    Attributes:
        files: Glob of the files, relative to the root.
        groups: Glob of the groups that are cases (`*`, or `train/*`); empty where each file is one case.
        image: Name of the dataset within a case; a list of them, or their names by channel.
        mask: Name of the dataset of class codes; a list, one per overlapping class; None where there is none.
        label: Attribute, or dataset of one value, with the class's name or code.
        patient: Attribute, or dataset of one value, with the patient's id.
    """

    files: str = "*.h5"
    groups: str = ""
    image: str | Sequence[str] | dict[str, str] = "image"
    mask: str | Sequence[str] | None = None
    label: str | None = None
    patient: str | None = None

    def __post_init__(self) -> None:
        """Refuse empty lists.

        Raises:
            ConfigError: `image` or `mask` is empty.
        """
        for key, value in (("image", self.image), ("mask", self.mask)):
            if value is not None and len(value) == 0:
                todo = "Name a dataset or leave the key out"
                raise ConfigError(expected_got(key, "it is empty", "at least one", repr(value), todo))

    def list(self) -> Listing:
        """List the cases; files that cannot be opened, lacking datasets and attributes become faults.

        Raises:
            DataError: The root is missing, or no file matches.
        """
        root = self.folder
        found = sorted(file for file in root.glob(self.files) if file.is_file())
        if not found:
            todo = "Correct `files`, the glob of the HDF5 files"
            raise DataError(expected_got(f"{self.root}/{self.files}", "no file matches", "files", 0, todo))
        cases: list[Case] = []
        faults: list[str] = []
        for file in found:
            for item in self._items(file, file.relative_to(root).as_posix(), len(found) > 1):
                if isinstance(item, Case):
                    cases.append(item)
                else:
                    faults.append(item)
        return listing(cases, faults)

    def _items(self, file: Path, name: str, several: bool) -> Iterator[Case | str]:
        """Make the cases of a file, and faults as texts."""
        import h5py  # noqa: PLC0415 start-up stays quick without it

        try:
            with h5py.File(file, "r") as archive:
                groups = _groups(archive, self.groups)
                if not groups:
                    todo = "Correct `groups`"
                    yield expected_got(name, f"no group matches {self.groups!r}", "groups", sorted(archive)[:5], todo)
                for group in groups:
                    yield self._case_or_fault(archive, group, name, several)
        except OSError as error:
            todo = "Copy the file again from its origin, or take it out of the folder"
            yield expected_got(
                name, "the HDF5 file is truncated or corrupt", "an HDF5 file", type(error).__name__, todo
            )

    def _case_or_fault(self, archive: "h5py.File", group: str, name: str, several: bool) -> Case | str:
        """Make one case; what is wrong with it where that is impossible."""
        where = f"{name}:{group}" if group else name
        held = archive[group] if group else archive
        needed = [*_named(self.image).values(), *_named(self.mask).values()]
        missing = [dataset for dataset in needed if dataset not in held]
        if missing:
            todo = "Correct `image` or `mask`, or leave the case out with `files` or `groups`"
            return expected_got(where, "datasets are missing", needed, sorted(held), todo)
        try:
            patient = None if self.patient is None else _value(held, self.patient, where)
            label = None if self.label is None else (_value(held, self.label, where),)
        except DataError as fault:
            return str(fault)
        stem = name.rpartition(".")[0]
        prefix = f"{group}/" if group else ""
        channels = tuple(self.image) if isinstance(self.image, dict) else ()
        return Case(
            case_id=stem if not group else f"{stem}/{group}" if several else group,
            patient_id=patient,
            images=tuple(Ref(name, prefix + dataset) for dataset in _named(self.image).values()),
            masks=tuple(Ref(name, prefix + dataset) for dataset in _named(self.mask).values()),
            labels=label,
            metadata=_metadata(held.attrs),
            channels=channels,
        )


def _named(names: str | Sequence[str] | dict[str, str] | None) -> dict[str, str]:
    """Give datasets by name; a single one and those of a list stand for themselves."""
    if isinstance(names, dict):
        return dict(names)
    several = () if names is None else (names,) if isinstance(names, str) else names
    return {name: name for name in several}


def _groups(archive: "h5py.File", pattern: str) -> list[str]:
    """Find the groups that are cases; the file itself (an empty text) without a pattern."""
    import h5py  # noqa: PLC0415

    if not pattern:
        return [""]
    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and name.count("/") == pattern.count("/") and fnmatchcase(name, pattern):
            found.append(name)

    archive.visititems(visit)
    return sorted(found)


def _value(held: Any, name: str, where: str) -> str:
    """Read an attribute, or a dataset of one value, as text.

    Raises:
        DataError: There is none, it is empty, or it holds several values.
    """
    value = held.attrs[name] if name in held.attrs else held[name][()] if name in held else None
    text = _text(value)
    if not text:
        todo = "Save one text or number as attribute"
        got = "nothing" if value is None else type(value).__name__
        raise DataError(expected_got(where, f"{name!r} is missing or no single value", "one value", got, todo))
    return text


def _metadata(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Keep what is one text or number."""
    texts = {name: _text(value) for name, value in sorted(attributes.items())}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str:
    """Write one text or number; an empty text for everything else."""
    if getattr(value, "size", 1) != 1:
        return ""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bytes):
        plain = plain.decode("utf-8", errors="replace")
    return str(plain).strip() if isinstance(plain, str | int | float) else ""
