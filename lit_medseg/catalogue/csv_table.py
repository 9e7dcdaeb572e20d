"""A table with one row per case."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.cell_template import CellTemplate, check_columns
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.catalogue.table_rows import TableRows, given_rows, read_table
from lit_medseg.errors import ConfigError, DataError, expected_got

OF_ARCHIVE = re.compile(r"(?P<path>.+?\.(?:npz|npy|h5|hdf5))(?::(?P<key>[^\[\]]+))?(?:\[(?P<index>\d+)\])?")
OF_SERIES = re.compile(r"(?P<path>.+?):(?P<key>resample:.*)")
OF_VOLUME = re.compile(r"(?P<path>.+\.(?:nii|nii\.gz|nrrd|nhdr|mha|mhd))\[(?P<index>\d+)\]")
FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True)
class CsvTable(Source):
    """Lists the rows of a CSV, or rows that the YAML holds itself.

    `image`, `case`, `patient`, `mask` and `label` are texts with `{column}` in them.

    Every column becomes metadata of the case. Files are relative to the root.

    Attributes:
        table: The CSV, relative to the root; tabs where its ending is `.tsv`. A handful of cases can stand here
            themselves, as a list of `{column: text}`.
        image: Template of the image file (of a DICOM series: its folder); a list of them, one per channel; or templates
            by the channels' names. `{id}.nii.gz[2]` is a channel of a file of four dimensions, `all.h5:{id}/t1` a
            dataset, `all.npz:x[{row}]` a row of an array, `{id}:resample:` a DICOM folder whose uneven or tilted
            slices are interpolated.
        case: Template of the case's id.
        patient: Template of the patient's id; None where the table has none.
        mask: Template of the mask file; a list of them, one per overlapping class in the order of the classes.
        label: Template of the class's name.
        labels: Instead of `label`, columns of 0 and 1 (or true, false), one per overlapping class.
    """

    table: str | Sequence[dict[str, str | int]]
    image: str | Sequence[str] | dict[str, str]
    case: str
    patient: str | None = None
    mask: str | Sequence[str] | None = None
    label: str | None = None
    labels: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse keys that contradict each other.

        Raises:
            ConfigError: `label` beside `labels`, an empty list, a text that names no column.
        """
        if self.label is not None and self.labels is not None:
            todo = "Keep `label` for exclusive classes or `labels` for overlapping ones"
            raise ConfigError(expected_got("label", "it stands beside labels", "one of them", "both", todo))
        for key, value in (("image", self.image), ("mask", self.mask), ("labels", self.labels)):
            if value is not None and len(value) == 0:
                raise ConfigError(
                    expected_got(key, "it is empty", "at least one", repr(value), "Name one or leave it out")
                )
        list(self._templates())

    def list(self) -> Listing:
        """List the rows; rows with empty cells, bad paths or bad flags, and doubled ids become faults.

        Raises:
            DataError: The root or table is missing or no table, or a named column does not exist.
        """
        name = self._name
        rows = read_table(self.folder / self.table, name) if isinstance(self.table, str) else given_rows(self.table)
        for template in self._templates():
            template.check(rows.columns, name)
        check_columns("labels", tuple(self.labels or ()), rows.columns, name)
        cases: list[Case] = []
        faults = [*rows.faults]
        for item in self._items(rows):
            if isinstance(item, Case):
                cases.append(item)
            else:
                faults.append(item)
        return listing(cases, faults)

    @property
    def _name(self) -> str:
        """What errors call the table."""
        return f"{self.root}/{self.table if isinstance(self.table, str) else 'table'}"

    def _templates(self) -> Iterator[CellTemplate]:
        yield CellTemplate("case", self.case)
        for key, texts in (
            ("image", self.image),
            ("mask", self.mask),
            ("patient", self.patient),
            ("label", self.label),
        ):
            for text in _many(texts):
                yield CellTemplate(key, text)

    def _items(self, rows: TableRows) -> Iterator[Case | str]:
        """Make the cases, and the faults as texts."""
        for number, row in enumerate(rows.rows, start=1):
            try:
                yield self._case(row, f"{self._name.removeprefix(f'{self.root}/')} row {number}")
            except DataError as fault:
                yield str(fault)

    def _case(self, row: Mapping[str, str], where: str) -> Case:
        """Make one case.

        Raises:
            DataError: An empty cell, a path that leaves the root, a flag that is neither 0 nor 1.
        """
        case_id = CellTemplate("case", self.case).fill(row, where)
        where = f"{where} ({case_id})"
        labels = None if self.labels is None else tuple(name for name in self.labels if _flag(row, name, where))
        if self.label is not None:
            labels = (CellTemplate("label", self.label).fill(row, where),)
        return Case(
            case_id=case_id,
            patient_id=None if self.patient is None else CellTemplate("patient", self.patient).fill(row, where),
            images=tuple(_ref(CellTemplate("image", text), row, where) for text in _many(self.image)),
            masks=tuple(_ref(CellTemplate("mask", text), row, where) for text in _many(self.mask)),
            labels=labels,
            metadata=dict(row),
            channels=tuple(self.image) if isinstance(self.image, dict) else (),
        )


def _many(texts: str | Sequence[str] | dict[str, str] | None) -> tuple[str, ...]:
    if texts is None:
        return ()
    if isinstance(texts, dict):
        return tuple(texts.values())
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _ref(template: CellTemplate, row: Mapping[str, str], where: str) -> Ref:
    """Fill in a file's name and refuse one outside the root."""
    path = posixpath.normpath(template.fill(row, where))
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute() or path.startswith(".."):
        todo = "Write paths relative to the root, and set `root` accordingly"
        raise DataError(expected_got(where, f"the {template.key} lies outside the root", "a relative path", path, todo))
    for pattern in (OF_SERIES, OF_ARCHIVE, OF_VOLUME):
        if match := pattern.fullmatch(path):
            found = match.groupdict()
            index = found.get("index")
            return Ref(found["path"], found.get("key") or "", None if index is None else int(index))
    return Ref(path)


def _flag(row: Mapping[str, str], column: str, where: str) -> bool:
    """Read a cell of 0 or 1."""
    value = FLAGS.get(row[column].lower())
    if value is None:
        todo = "Write 0 or 1"
        raise DataError(expected_got(where, f"the cell {column!r} is no flag", "0 or 1", repr(row[column]), todo))
    return value
