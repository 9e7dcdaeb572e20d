"""`data describe`: the fingerprint of a data set, and a sheet of pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.classes import Classes, MaskClasses
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.scan import reading_threads
from lit_medseg.commands.data_each import each
from lit_medseg.commands.data_facts import fact_rows
from lit_medseg.commands.data_fingerprint import CaseIntensities, case_intensities, fingerprint
from lit_medseg.commands.data_planes import planes
from lit_medseg.commands.data_settings import DataSettings
from lit_medseg.commands.data_sheet import draw_sheet
from lit_medseg.commands.data_table import print_table
from lit_medseg.preprocess.load_sample import load_sample

VOLUMES_DRAWN = 6
PICTURES_DRAWN = 16


def describe(settings: DataSettings, out: Path) -> None:
    """Print and save what a data set is like.

    Args:
        settings: The data set.
        out: Folder for `fingerprint.json` and `sheet.png`, made if need be.

    Raises:
        MedSegError: The data set has faults (`data check` lists all of them).
    """
    settings.source.prepare()
    classes = settings.declared
    names = () if classes is None else classes.names
    manifest = build_manifest(settings.source, classes, settings.cache_dir, settings.trust.patients)
    folder, entries = settings.source.folder, manifest.entries

    def look(entry: Entry) -> CaseIntensities:
        return case_intensities(entry, load_sample(folder, entry.case, classes))

    threads = reading_threads(folder, [entry.case for entry in entries])
    plain = fingerprint(entries, each(entries, look, threads, "Looking at cases"), names)
    plain = {"name": settings.name, "data_hash": manifest.data_hash, **plain}
    rows = [("cases", str(len(entries))), *fact_rows(entries, names), *_own_rows(plain)]
    print_table(f"{settings.name}: data describe", ("what", "found"), rows)
    print_table(
        "intensities", ("channel", "within", "0.5 %", "median", "99.5 %", "mean", "std"), _intensity_rows(plain)
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "fingerprint.json").write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _draw(out / "sheet.png", folder, entries, classes)
    print(f"written: {out / 'fingerprint.json'}, {out / 'sheet.png'}")


def _own_rows(plain: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give the rows that only the images themselves tell."""
    if not plain["orientations"]:
        return []
    counted = ", ".join(f"{name} in {count} cases" for name, count in plain["orientations"].items())
    extent = plain["extent_mm"].get("median", [])
    return [("axes point to", counted), ("median extent in mm", " x ".join(f"{size:.4g}" for size in extent))]


def _intensity_rows(plain: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name, facts in plain["intensities"].items():
        found = facts.get("percentiles", {})
        numbers = [found.get("0.5"), found.get("50"), found.get("99.5"), facts.get("mean"), facts.get("std")]
        rows.append([name, facts["within"], *("" if number is None else f"{number:.5g}" for number in numbers)])
    return rows


def _draw(path: Path, folder: Path, entries: Sequence[Entry], classes: Classes | None) -> None:
    """Draw cases that are spread evenly over the data set, those with foreground before the others."""
    drawn = [entry for entry in entries if entry.present] or list(entries)
    most = PICTURES_DRAWN if all(len(entry.grid) == 2 for entry in drawn) else VOLUMES_DRAWN
    count = min(most, len(drawn))
    chosen = [drawn[number * len(drawn) // count] for number in range(count)]
    cases = [(entry.case.case_id, planes(load_sample(folder, entry.case, classes))) for entry in chosen]
    masks = classes if isinstance(classes, MaskClasses) else None
    draw_sheet(path, cases, () if masks is None else masks.names, masks is not None and masks.overlapping)
