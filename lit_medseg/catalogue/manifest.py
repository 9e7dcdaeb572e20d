"""The checked list of a data set's cases."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.entry import Entry, entry_from_plain
from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.imaging.place_name import without_identifiers


@dataclass(frozen=True)
class Manifest:
    """All cases of a data set, read and found to be usable.

    Attributes:
        entries: Sorted by case id.
        source: The source as plain data, `{"class_path": ..., "init_args": {...}}`.
    """

    entries: tuple[Entry, ...]
    source: Mapping[str, Any]

    @cached_property
    def by_id(self) -> dict[str, Entry]:
        """The entries by case id."""
        return {entry.case.case_id: entry for entry in self.entries}

    @cached_property
    def data_hash(self) -> str:
        """Hash of pixels, truth, patients and metadata of all cases; where the files lie does not count."""
        facts = []
        for entry in self.entries:
            plain = entry.plain()
            del plain["case"]["images"], plain["case"]["masks"]
            if not entry.geometry_hash:  # pictures have the hash that they had before there were volumes
                del plain["spacing_mm"], plain["geometry_hash"], plain["grids"], plain["case"]["channels"]
            facts.append(plain)
        return plain_hash(facts)

    def without(self, case_ids: Iterable[str]) -> "Manifest":
        """Leave cases out."""
        out = set(case_ids)
        return Manifest(tuple(entry for entry in self.entries if entry.case.case_id not in out), self.source)

    def shareable(self) -> "Manifest":
        """Shorten DICOM identifiers in the names of files, as errors do: for a record that leaves this machine.

        Archives call folders and files after them. Cases and hashes stay; the files cannot be read by such names.
        """
        return Manifest(tuple(_shareable(entry) for entry in self.entries), self.source)

    def plain(self) -> dict[str, Any]:
        """Give the manifest as plain data."""
        entries = [entry.plain() for entry in self.entries]
        return {"source": dict(self.source), "data_hash": self.data_hash, "entries": entries}

    def to_json(self, path: Path) -> None:
        """Write the manifest."""
        path.write_text(json.dumps(self.plain(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Rebuild a manifest from what `plain` gave."""
        return cls(tuple(entry_from_plain(entry) for entry in plain["entries"]), plain["source"])

    @classmethod
    def from_json(cls, path: Path) -> Self:
        """Read what `to_json` wrote."""
        return cls.from_plain(json.loads(path.read_text(encoding="utf-8")))


def _shareable(entry: Entry) -> Entry:
    images, masks = (tuple(map(_shortened, refs)) for refs in (entry.case.images, entry.case.masks))
    return replace(entry, case=replace(entry.case, images=images, masks=masks))


def _shortened(ref: Ref) -> Ref:
    return replace(ref, path=without_identifiers(ref.path), key=without_identifiers(ref.key))
