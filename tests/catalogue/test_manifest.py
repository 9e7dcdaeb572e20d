import json
from dataclasses import replace

import numpy as np

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from tests.catalogue.fake_cases import entry, manifest_of, source_of_pairs, write_png

CLASSES = MaskClasses({"organ": 7, "lesion": 9})


def test_json_gives_it_back(tmp_path):
    entries = [entry("a", "p", label=1), entry("b", label=(1, 0), labels=("x",)), entry("c", metadata={"site": "A"})]
    manifest = manifest_of([*entries, entry("d", pixels={"x": 3})])
    manifest.to_json(tmp_path / "manifest.json")
    again = Manifest.from_json(tmp_path / "manifest.json")
    assert again == manifest
    assert json.loads((tmp_path / "manifest.json").read_text())["data_hash"] == manifest.data_hash == again.data_hash


def test_what_is_shared_has_no_dicom_identifier():
    uid = "1.3.6.1.4.1.14519.5.2.1"
    case = Case("a", "p", (Ref(f"P/{uid}.77", f"{uid}.8/1.dcm"),), (Ref(f"m/{uid}.912345.nii.gz", "", 2),))
    manifest = manifest_of([Entry(case, (1, 1), 1, "uint8", "h")])
    shared = manifest.shareable()
    assert uid not in repr(shared.plain())
    assert shared.entries[0].case.images == (Ref("P/(id).77", "(id).8/1.dcm"),)
    assert shared.entries[0].case.masks == (Ref("m/(id).2345.nii.gz", "", 2),)
    assert shared.data_hash == manifest.data_hash


def test_entries_are_found_and_left_out():
    manifest = manifest_of([entry("b"), entry("a"), entry("c")])
    assert manifest.by_id["b"].case.case_id == "b"
    assert list(manifest.without(["b"]).by_id) == ["a", "c"]


def test_the_hash_does_not_know_where_the_files_lie(tmp_path):
    hashes = {
        build_manifest(source_of_pairs(tmp_path / name, 3), CLASSES, None).data_hash for name in ("here", "there")
    }
    assert len(hashes) == 1


def test_the_hash_does_not_know_the_names_of_the_files():
    one, other = (Case("a", "p", (Ref(name),), (Ref(name),)) for name in ("x.png", "y.tif"))
    assert manifest_of([Entry(one, (1, 1), 1, "uint8", "h")]).data_hash == (
        manifest_of([Entry(other, (1, 1), 1, "uint8", "h")]).data_hash
    )


def test_the_hash_sees_pixels_truth_and_facts(tmp_path):
    source = source_of_pairs(tmp_path, 3)
    hashes = [build_manifest(source, CLASSES, None).data_hash]
    write_png(tmp_path / "images/c00.png", np.zeros((12, 10), np.uint8))
    hashes.append(build_manifest(source, CLASSES, None).data_hash)
    write_png(tmp_path / "masks/c01.png", np.full((12, 10), 7, np.uint8))
    hashes.append(build_manifest(source, CLASSES, None).data_hash)
    for change in ({"patient_id": "q"}, {"metadata": {"site": "A"}}):
        changed = replace(source, cases=(replace(source.cases[0], **change), *source.cases[1:]))
        hashes.append(build_manifest(changed, CLASSES, None).data_hash)
    assert len(set(hashes)) == 5


def test_content_hashes_tell_image_and_truth_apart():
    first = entry("a", pixel_hash="1", truth_hash="2")
    assert first.content_hash == entry("b", pixel_hash="1", truth_hash="2").content_hash
    assert first.content_hash != entry("a", pixel_hash="2", truth_hash="1").content_hash
