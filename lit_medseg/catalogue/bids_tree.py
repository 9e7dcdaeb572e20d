"""Data sets in the layout of the Brain Imaging Data Structure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.catalogue.table_rows import read_table
from lit_medseg.errors import ConfigError, DataError, expected_got

PARTICIPANTS = "participants.tsv"
ENTITY = re.compile(r"([a-zA-Z0-9]+)-([a-zA-Z0-9+]+)")


@dataclass(frozen=True)
class Bids(Source):
    """Lists `sub-*` folders, or the `ses-*` folders in them: each is one case, and the subject is the patient.

    The case's id is `sub-01` or `sub-01_ses-1`, with the entities of `split_by` behind it (`sub-01_run-2`). The row of
    a subject in participants.tsv becomes the metadata of its cases.
    Source: Gorgolewski et al. 2016, doi:10.1038/sdata.2016.44.

    Attributes:
        images: Glob of the file within the subject's or session's folder, by channel:
            `{t1: anat/*_T1w.nii.gz, flair: anat/*_FLAIR.nii.gz}`.
        masks: Such a glob for the mask; a list of them, one per overlapping class; None where there are no masks.
        derivatives: Folder below the root that holds the masks in the same layout (`derivatives/manual`); empty where
            they lie beside the images.
        split_by: Entities that tell cases of one session apart (`[run]`); else several matches are a fault.
        label: Column of participants.tsv that holds the class's name.
        incomplete: Sessions that lack a channel (or, with `masks`, a mask): `refuse` them, or `skip` them.
        subjects: Glob of the subjects' folders; another one fits any tree with a folder per patient (`patient*`).
    """

    images: dict[str, str] = field(default_factory=lambda: {"t1": "anat/*_T1w.nii.gz"})
    masks: str | Sequence[str] | None = None
    derivatives: str = ""
    split_by: Sequence[str] = ()
    label: str | None = None
    incomplete: Literal["refuse", "skip"] = "refuse"
    subjects: str = "sub-*"

    def __post_init__(self) -> None:
        """Refuse an empty list.

        Raises:
            ConfigError: No images, or an empty list of masks.
        """
        for key, value in (("images", self.images), ("masks", self.masks)):
            if value is not None and len(value) == 0:
                raise ConfigError(expected_got(key, "it is empty", "a glob", repr(value), "Write anat/*_T1w.nii.gz"))

    def list(self) -> Listing:
        """List the sessions; those that lack a file or have several for one channel become faults.

        Raises:
            DataError: The root is missing or has no subjects, or `label` names no column of participants.tsv.
        """
        root = self.folder
        subjects = sorted(path for path in root.glob(self.subjects) if path.is_dir())
        if not subjects:
            todo = f"Set `root` to the folder that holds the {self.subjects} folders, or correct `subjects`"
            raise DataError(expected_got(self.root, "it holds no subjects", f"folders {self.subjects}", 0, todo))
        people = self._people(root)
        cases: list[Case] = []
        faults: list[str] = []
        for subject in subjects:
            for session in sorted(path for path in subject.glob("ses-*") if path.is_dir()) or [subject]:
                for item in self._cases(session.relative_to(root), people.get(subject.name, {})):
                    if isinstance(item, Case):
                        cases.append(item)
                    else:
                        faults.append(item)
        return listing(cases, faults)

    def _people(self, root: Path) -> Mapping[str, Mapping[str, str]]:
        """Read participants.tsv by subject; nothing where there is none and no label is asked for."""
        if not (root / PARTICIPANTS).is_file() and self.label is None:
            return {}
        table = read_table(root / PARTICIPANTS, f"{self.root}/{PARTICIPANTS}")
        for column in ("participant_id", *([] if self.label is None else [self.label])):
            if column not in table.columns:
                todo = "Correct `label`, or the table"
                what = f"the column {column!r} does not exist"
                raise DataError(expected_got(PARTICIPANTS, what, f"one of {list(table.columns)}", column, todo))
        return {row["participant_id"]: {name: text for name, text in row.items() if text} for row in table.rows}

    def _cases(self, session: Path, person: Mapping[str, str]) -> Iterator[Case | str]:
        """Make the cases of a session, and faults as texts."""
        place = "_".join(session.parts)
        channels = {name: self._matches(session, pattern) for name, pattern in self.images.items()}
        masks = [self._matches(Path(self.derivatives) / session, pattern) for pattern in _many(self.masks)]
        named = {**channels, **{f"mask {number}": found for number, found in enumerate(masks)}}
        for split in sorted({split for found in named.values() for split in found}) or [()]:  # an empty one is told
            case_id = "_".join([place, *split])
            faults, lacking = _faults(case_id, {name: found.get(split, []) for name, found in named.items()})
            if lacking and self.incomplete == "skip":
                continue
            if faults:
                yield from faults
                continue
            try:
                yield self._case(
                    case_id,
                    session.parts[0],
                    [found[split][0] for found in channels.values()],
                    [found[split][0] for found in masks],
                    person,
                )
            except DataError as fault:
                yield str(fault)

    def _matches(self, folder: Path, pattern: str) -> Mapping[tuple[str, ...], Sequence[str]]:
        """Find the files of a glob, by their values of the entities that tell cases apart."""
        root = self.folder
        found: dict[tuple[str, ...], Sequence[str]] = {}
        for file in sorted((root / folder).glob(pattern)) if (root / folder).is_dir() else []:
            entities = dict(ENTITY.findall(file.name))
            split = tuple(f"{name}-{entities[name]}" for name in self.split_by if name in entities)
            found[split] = [*found.get(split, []), file.relative_to(root).as_posix()]
        return found

    def _case(
        self, case_id: str, subject: str, images: Sequence[str], masks: Sequence[str], person: Mapping[str, str]
    ) -> Case:
        """Make one case.

        Raises:
            DataError: The subject has no label.
        """
        if self.label is not None and not person.get(self.label):
            todo = f"Fill in {self.label!r} of {subject} in {PARTICIPANTS}, or remove the subject"
            raise DataError(expected_got(f"case {case_id}", "the label is missing", "a class's name", "nothing", todo))
        return Case(
            case_id=case_id,
            patient_id=subject,
            images=tuple(map(Ref, images)),
            masks=tuple(map(Ref, masks)),
            labels=None if self.label is None else (person[self.label],),
            metadata=dict(person),
            channels=tuple(self.images),
        )


def _many(patterns: str | Sequence[str] | None) -> Sequence[str]:
    return () if patterns is None else (patterns,) if isinstance(patterns, str) else patterns


def _faults(case_id: str, found: Mapping[str, Sequence[str]]) -> tuple[Sequence[str], bool]:
    """Say which channels and masks of a case lack or are several, and whether any lack."""
    faults: list[str] = []
    lacking = False
    for name, files in found.items():
        where = f"case {case_id}, {name}"
        if not files:
            lacking = True
            todo = "Add the file, or leave such cases out with `incomplete: skip`"
            faults.append(expected_got(where, "no file matches", "one file", "none", todo))
        elif len(files) > 1:
            todo = "Narrow the glob, or tell them apart with `split_by: [run]`"
            faults.append(expected_got(where, "several files match", "one file", ", ".join(files), todo))
    return faults, lacking
