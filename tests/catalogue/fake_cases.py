"""Cases for the tests of this package: with real files, or as facts alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.source import Listing, Source


@dataclass(frozen=True)
class FakeSource(Source):
    """Lists what it is given."""

    cases: tuple[Case, ...] = ()
    faults: tuple[str, ...] = ()

    def list(self) -> Listing:
        return Listing(self.cases, self.faults)

    def plain(self) -> dict[str, Any]:
        """Like a real source: the cases themselves are no part of the YAML."""
        return {"class_path": "fake", "init_args": {"root": self.root}}


def write_png(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def pair(folder: Path, name: str, image: np.ndarray, mask: np.ndarray, patient: str | None = "p") -> Case:
    """Write an image and its mask, and give their case."""
    write_png(folder / f"images/{name}.png", image)
    write_png(folder / f"masks/{name}.png", mask)
    return Case(name, patient, (Ref(f"images/{name}.png"),), (Ref(f"masks/{name}.png"),))


def source_of_pairs(folder: Path, count: int, seed: int = 0) -> FakeSource:
    """Write gray 12 x 10 images with masks of 0, 7 and 9; two cases a patient."""
    rng = np.random.default_rng(seed)
    cases = []
    for i in range(count):
        image = rng.integers(0, 256, (12, 10), dtype=np.uint8)
        mask = rng.choice(np.array([0, 7, 9], np.uint8), (12, 10))
        cases.append(pair(folder, f"c{i:02d}", image, mask, f"p{i // 2}"))
    return FakeSource(str(folder), tuple(cases))


def entry(case_id: str, patient: str | None = None, present: tuple[str, ...] = ("x",), **facts: object) -> Entry:
    """Facts of a case without files; pixels differ from those of every other case unless told."""
    metadata = facts.pop("metadata", {})
    labels = facts.pop("labels", None)
    case = Case(case_id, patient, (Ref(f"{case_id}.png"),), labels=labels, metadata=metadata)
    known = {"pixel_hash": f"pixels {case_id}", "truth_hash": f"truth {present}"} | facts
    return Entry(case, (8, 8), 1, "uint8", present=present, **known)


def manifest_of(entries: list[Entry], root: str = "data/fake") -> Manifest:
    ordered = tuple(sorted(entries, key=lambda one: one.case.case_id))
    return Manifest(ordered, {"class_path": "fake", "init_args": {"root": root}})


def random_manifest(seed: int, patients: int, most_cases: int, kinds: str = "ab") -> Manifest:
    """Patients with one to `most_cases` cases each, of one class a case; the first patients have all classes."""
    rng = np.random.default_rng(seed)
    entries = []
    for number in range(patients):
        for image in range(int(rng.integers(1, most_cases + 1))):
            kind = kinds[number % len(kinds)] if image == 0 else kinds[int(rng.integers(len(kinds)))]
            name = f"p{number:03d}-{image:02d}"
            entries.append(entry(name, f"p{number:03d}", (kind,), metadata={"site": "AB"[number % 2]}))
    rng.shuffle(entries)
    return manifest_of(entries)
