"""`data check`: every fault of a data set at once."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lit_medseg.catalogue.build_manifest import survey_cases
from lit_medseg.catalogue.classes import Classes, MaskClasses
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.identical import identical_faults, identical_groups
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split, split_faults
from lit_medseg.commands.data_facts import fact_rows
from lit_medseg.commands.data_settings import DataSettings
from lit_medseg.commands.data_table import print_table
from lit_medseg.errors import SplitError
from lit_medseg.imaging.same_grid import GRID_TOLERANCE

MOST_NAMED = 5
NO_SPLIT = Split((), (), (), "none")


def check(settings: DataSettings, out: Path | None) -> int:
    """Read every case anew, and print a summary, every fault, and notes on what is no fault but worth knowing.

    Args:
        settings: The data set.
        out: Folder for `check.json` (the same as plain data), made if need be; None writes nothing.

    Returns:
        1 where there are faults, else 0.

    Raises:
        MedSegError: The source as a whole cannot be used.
    """
    settings.source.prepare()
    classes = settings.declared
    survey = survey_cases(settings.source, classes, settings.cache_dir, settings.trust.patients, anew=True)
    manifest, faults, notes = survey.manifest, [*survey.faults], [*_notes(survey.manifest.entries, classes)]
    notes += [f"identical images: {_some(group)}" for group in identical_groups(manifest)]
    split = NO_SPLIT
    if classes is None:
        notes.append("`truth` declares no classes: masks, labels and split are not checked")
    elif faults:
        notes.append("the split is checked once the cases are sound")
    else:
        split, wrong = _split(settings, manifest, classes)
        faults += wrong
    if settings.trust.identical == "refuse":
        faults += identical_faults(manifest, split)
    rows = [("cases", f"{len(manifest.entries)} sound of {survey.listed}")]
    rows += fact_rows(manifest.entries, () if classes is None else classes.names)
    if isinstance(classes, MaskClasses):
        rows.append(("masks lie on their image's grid", f"within {GRID_TOLERANCE:g} of the smallest spacing"))
    _report(settings.name, rows, faults, notes)
    if out is not None:
        _write(out / "check.json", rows, faults, notes)
    return 1 if faults else 0


def fault_kind(fault: str) -> str:
    """Give what is wrong, without where: the part of a fault in the house form that equal faults share."""
    return fault.partition(": ")[2].partition(", expected")[0] or fault


def _split(settings: DataSettings, manifest: Manifest, classes: Classes) -> tuple[Split, list[str]]:
    """Make the split of a sound data set and find its faults; an empty split where it cannot be made."""
    try:
        split = settings.splitter.split(manifest, classes)
    except SplitError as error:
        return NO_SPLIT, [str(error)]
    return split, split_faults(split, manifest, classes)


def _notes(entries: Sequence[Entry], classes: Classes | None) -> Iterator[str]:
    """Say what is no fault, but may surprise."""
    if isinstance(classes, MaskClasses) and classes.others == "background":
        yield "`truth.others: background`: mask values that no class declares are background, none is a fault"
    empty = [entry.case.case_id for entry in entries if entry.pixels and not any(entry.pixels.values())]
    if empty:
        yield f"{len(empty)} cases have an empty mask: {_some(empty)}"
    dtypes = Counter(entry.dtype for entry in entries)
    if len(dtypes) > 1:
        counted = ", ".join(f"{name} in {count}" for name, count in dtypes.most_common())
        yield f"the images differ in dtype, and so perhaps in range: {counted} cases"
    apart = [entry.case.case_id for entry in entries if entry.grids > 1]
    if apart:
        yield f"channels lie on different grids in {len(apart)} cases, a step has to join them: {_some(apart)}"
    if len({entry.channels for entry in entries}) > 1:
        yield "the cases differ in their number of channels"
    spacings = {tuple(round(size, 3) for size in entry.spacing_mm) for entry in entries}
    if len(spacings) > 1:
        yield f"{len(spacings)} different spacings: a step has to bring the cases to one"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def _report(name: str, rows: Sequence[tuple[str, str]], faults: Sequence[str], notes: Sequence[str]) -> None:
    """Print summary, kinds of faults, every fault, notes and the count, in this order."""
    print_table(f"{name}: data check", ("what", "found"), rows)
    kinds = Counter(fault_kind(fault) for fault in faults)
    if kinds:
        print()
        print_table(
            "faults by kind", ("number", "what is wrong"), [(count, kind) for kind, count in kinds.most_common()]
        )
        print()
    for fault in faults:
        print(f"fault: {fault}")
    for note in notes:
        print(f"note: {note}")
    print(f"{len(faults)} faults, {len(notes)} notes")


def _write(path: Path, rows: Sequence[tuple[str, str]], faults: Sequence[str], notes: Sequence[str]) -> None:
    plain = {"facts": dict(rows), "faults": [*faults], "notes": [*notes]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: {path}")
