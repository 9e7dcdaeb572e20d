"""`data split`: which cases train, validate and test."""

import csv
from pathlib import Path

from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.prepared import catalogue
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.summary import summarise
from lit_medseg.commands.data_facts import class_fact
from lit_medseg.commands.data_settings import DataSettings
from lit_medseg.commands.data_table import print_table


def show_split(settings: DataSettings, out: Path | None) -> None:
    """Make the split that `fit` would make, and print its sets with their patients and classes.

    Args:
        settings: The data set.
        out: Folder for `split.json` (which `SplitFile` reads) and `split.csv`, made if need be; None writes nothing.

    Raises:
        MedSegError: Cases or split cannot be used.
    """
    trust, classes = settings.trust, settings.classes
    manifest, split = catalogue(
        settings.source, classes, settings.splitter, trust.patients, trust.identical, settings.cache_dir
    )
    summary = summarise(manifest, split, classes)
    rows = []
    for name, ids in split.sets.items():
        entries = [manifest.by_id[case_id] for case_id in ids]
        facts = [class_fact(entries, kind) if entries else "" for kind in classes.names]
        rows.append((name, summary.cases[name], summary.patients[name], *facts))
    kind = "class" if isinstance(classes, MaskClasses) else "label"
    columns = ("set", "cases", "patients", *(f"{kind} {name}" for name in classes.names))
    print_table(f"{settings.name}: data split", columns, rows)
    if summary.unused:
        print(f"{summary.unused} cases are in no set")
    print(f"rule: {split.rule}")
    print(f"hash of the sets: {split.split_hash[:12]}, of the data: {manifest.data_hash[:12]}")
    if out is not None:
        _write(out, manifest, split)


def _write(out: Path, manifest: Manifest, split: Split) -> None:
    out.mkdir(parents=True, exist_ok=True)
    split.to_json(out / "split.json")
    with (out / "split.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "patient", "set", "classes"))
        for name, ids in split.sets.items():
            for case_id in ids:
                entry = manifest.by_id[case_id]
                writer.writerow((case_id, entry.case.patient_id or "", name, " ".join(entry.present)))
    print(f"written: {out / 'split.json'}, {out / 'split.csv'}")
