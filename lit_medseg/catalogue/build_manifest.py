"""From a source to a checked manifest, read once and kept while no file changes."""

import contextlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.entry import Entry, case_plain
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.catalogue.scan import scan
from lit_medseg.catalogue.source import Source
from lit_medseg.catalogue.stored_files import files_of_cases
from lit_medseg.errors import DataError, expected_got, first_ten

Patients = Literal["required", "unknown"]
FORMAT = 2


@dataclass(frozen=True)
class Survey:
    """What reading a data set has found.

    Attributes:
        manifest: The sound cases.
        faults: Everything that is wrong, in the house form: of the listing, of patients, then of the cases in order.
        listed: How many cases the source lists.
    """

    manifest: Manifest
    faults: tuple[str, ...]
    listed: int


def build_manifest(
    source: Source,
    classes: Classes | None,
    cache_folder: Path | None,
    patients: Patients = "required",
    progress: bool = True,
) -> Manifest:
    """Read and check every case of a source.

    The result is kept in the cache folder and taken from there while the source, the classes, the list of cases and
    path, size and time of every file are unchanged. Only sound data sets are kept.

    Args:
        source: Where the cases come from; its `prepare` has run.
        classes: The declared classes; None leaves the truth unread (predict).
        cache_folder: Where results are kept, made if need be; None keeps nothing.
        patients: `required`: every case has a patient id. `unknown`: the user says that the data set has none, and that
            no two images are of the same patient.
        progress: Show a bar on a terminal.

    Returns:
        The manifest, sorted by case id.

    Raises:
        DataError: Anything wrong with any case; all faults are counted and the first ten named.
    """
    survey = survey_cases(source, classes, cache_folder, patients, progress)
    _refuse(survey.faults, source.root, survey.listed)
    return survey.manifest


def survey_cases(
    source: Source,
    classes: Classes | None,
    cache_folder: Path | None,
    patients: Patients = "required",
    progress: bool = True,
    anew: bool = False,
) -> Survey:
    """Read every case of a source and gather every fault; see `build_manifest`.

    Args:
        source: Where the cases come from.
        classes: The declared classes; None leaves the truth unread.
        cache_folder: Where results are kept; None keeps nothing.
        patients: Whether cases need a patient id.
        progress: Show a bar on a terminal.
        anew: Read the files although a kept result fits.

    Raises:
        DataError: The source as a whole cannot be used, or the result cannot be kept.
    """
    folder, listing = source.folder, source.list()
    faults = [*listing.faults, *_patient_faults(listing.cases, patients)]
    if not listing.cases and not faults:
        todo = "Correct `root`, the folders or the patterns of the source"
        faults.append(expected_got(source.root, "no cases found", "at least one", "none", todo))
    kept = _kept_file(source, folder, classes, listing.cases, cache_folder)
    manifest = None if kept is None or anew else _read_kept(kept)
    if manifest is None:
        entries, case_faults = scan(folder, listing.cases, classes, progress)
        faults += case_faults
        plain = json.loads(json.dumps(source.plain()))
        manifest = Manifest(tuple(sorted(entries, key=lambda entry: entry.case.case_id)), plain)
        if kept is not None and not case_faults:
            _keep(kept, manifest)
    if classes is not None:  # what is only looked at, or predicted, goes case by case
        faults += _mixed_axes(manifest.entries)
    return Survey(manifest, tuple(faults), len(listing.cases))


def _refuse(faults: Sequence[str], root: str, cases: int) -> None:
    """Raise all faults at once, if there are any."""
    if faults:
        noun = "fault" if len(faults) == 1 else "faults"
        raise DataError(f"{root}: {len(faults)} {noun} in {cases} cases\n{first_ten(faults)}")


def _patient_faults(cases: Sequence[Case], patients: Patients) -> list[str]:
    """Refuse cases of nobody, unless the user says that this is so."""
    nobody = [case.case_id for case in cases if case.patient_id is None]
    if patients == "unknown" or not nobody:
        return []
    got = f"none for {len(nobody)} of {len(cases)} cases ({', '.join(nobody[:3])}{', ...' if len(nobody) > 3 else ''})"
    todo = (
        "Give the source a patient column or pattern; only if no two images can be of the same patient, "
        "set `data.init_args.trust.patients: unknown` in the YAML"
    )
    return [expected_got("patients", "ids are missing", "a patient id for every case", got, todo)]


def _mixed_axes(entries: Sequence[Entry]) -> list[str]:
    """Refuse pictures beside volumes: no network takes both."""
    by_axes = {axes: [entry.case.case_id for entry in entries if len(entry.grid) == axes] for axes in (2, 3)}
    pictures, volumes = by_axes[2], by_axes[3]
    if not pictures or not volumes:
        return []
    got = f"{len(pictures)} pictures (such as {pictures[0]}) and {len(volumes)} volumes (such as {volumes[0]})"
    todo = "Give pictures and volumes a data set each"
    return [expected_got("images", "pictures and volumes are mixed", "one kind", got, todo)]


def _kept_file(
    source: Source, folder: Path, classes: Classes | None, cases: Sequence[Case], cache_folder: Path | None
) -> Path | None:
    """Name the file that keeps this manifest; None where nothing can be kept (no folder, missing files)."""
    if cache_folder is None:
        return None
    try:
        paths = files_of_cases(folder, cases)
        stats = [path.stat() for path in paths]
    except OSError:
        return None
    key = {
        "format": FORMAT,
        "source": source.plain(),
        "folder": str(folder),
        "classes": None if classes is None else classes.plain(),
        "cases": [case_plain(case) for case in cases],
        "files": [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(paths, stats, strict=True)],
    }
    return cache_folder / f"manifest-{plain_hash(key)[:32]}.json"


def _read_kept(kept: Path) -> Manifest | None:
    """Read a kept manifest; None where there is none, or a damaged one: then the files are read again."""
    try:
        plain = json.loads(kept.read_text(encoding="utf-8"))
        manifest = Manifest.from_plain(plain)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if manifest.data_hash == plain.get("data_hash") else None


def _keep(kept: Path, manifest: Manifest) -> None:
    """Write under a temporary name, then rename: a reader sees a whole file or none."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=kept.parent, prefix=f".{kept.stem}-", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        try:
            manifest.to_json(temporary)
            temporary.replace(kept)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
    except OSError as error:
        todo = "Free space, or set data.init_args.preparation.cache_dir to a folder that you may write to"
        what = "the cache cannot be written"
        raise DataError(expected_got(kept.parent, what, "a folder with room", error.strerror or error, todo)) from error
