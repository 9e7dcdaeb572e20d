"""What every source promises."""

import importlib
import json
import pkgutil

import numpy as np
import pytest
from jsonargparse import ArgumentParser

import lit_medseg.catalogue
from lit_medseg.catalogue.bids_tree import Bids
from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.class_folders import ClassFolders
from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.decathlon import Decathlon
from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.catalogue.hdf5_archive import Hdf5Archive
from lit_medseg.catalogue.nnunet_raw import NnUNetRaw
from lit_medseg.catalogue.numpy_archive import NumpyArchive
from lit_medseg.catalogue.phantom import Phantom
from lit_medseg.catalogue.phantom_volumes import PhantomVolumes
from lit_medseg.catalogue.read_ref import read_image_ref, read_mask_ref
from lit_medseg.catalogue.source import Source, listing
from lit_medseg.catalogue.study_folder import StudyFolder
from lit_medseg.errors import DataError
from lit_medseg.imaging.write_png import write_png
from tests.catalogue.fake_volumes import bids, decathlon, dicom_tree, hdf5_archive, image, nnunet_raw, write_nifti

NAMES = ("10", "9", "b", "A", "ä")


def folder_pairs(root):
    for name in NAMES:
        write_png(root / "images" / f"{name}.png", np.full((4, 5), 7, np.uint8))
        write_png(root / "masks" / f"{name}.png", np.ones((4, 5), np.uint8))
    return FolderPairs(str(root), patient_pattern="(.)")


def class_folders(root):
    for name in NAMES:
        write_png(root / f"class{len(name)}" / "below" / f"{name}.png", np.full((4, 5), 7, np.uint8))
    return ClassFolders(str(root))


def csv_table(root):
    folder_pairs(root)
    (root / "t.csv").write_text("id,group\n" + "".join(f"{name},g\n" for name in NAMES), encoding="utf-8")
    return CsvTable(str(root), "t.csv", "images/{id}.png", "{id}", "{id}", "masks/{id}.png", "{group}")


def numpy_archive(root):
    np.savez(root / "x.npz", i=np.full((11, 4, 5), 7, np.uint8), m=np.ones((11, 4, 5), np.uint8), labels=np.zeros(11))
    return NumpyArchive(str(root), "x.npz", ["i"], ["labels"], ["m"])


def phantom(root):
    return Phantom(str(root), patients=2, slices=2, size=32)


def phantom_volumes(root):
    return PhantomVolumes(str(root), patients=2, slices=8, size=32)


def study_folder(root):
    for number in range(2):
        write_nifti(root / f"new{number}.nii.gz", image(number))
    return StudyFolder(str(root))


BUILDERS = {
    FolderPairs: folder_pairs,
    ClassFolders: class_folders,
    CsvTable: csv_table,
    NumpyArchive: numpy_archive,
    Phantom: phantom,
    PhantomVolumes: phantom_volumes,
    NnUNetRaw: nnunet_raw,
    Decathlon: decathlon,
    Bids: bids,
    DicomTree: dicom_tree,
    Hdf5Archive: hdf5_archive,
    StudyFolder: study_folder,
}


def concrete(kind):
    below = [found for child in kind.__subclasses__() for found in concrete(child)]
    return below if kind.__abstractmethods__ else [kind, *below]


def test_every_source_is_under_this_contract():
    for found in pkgutil.iter_modules(lit_medseg.catalogue.__path__):
        importlib.import_module(f"lit_medseg.catalogue.{found.name}")
    own = {kind for kind in concrete(Source) if kind.__module__.startswith("lit_medseg.")}
    assert own == set(BUILDERS)


@pytest.fixture(params=BUILDERS, ids=lambda kind: kind.__name__)
def source(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path.parent / "config"))
    built = BUILDERS[request.param](tmp_path)
    built.prepare()
    return built


def test_ids_are_sorted_and_unique(source):
    ids = [case.case_id for case in source.list().cases]
    assert len(ids) > 1
    assert ids == sorted(set(ids))
    assert source.list().faults == ()


def test_references_are_relative_and_readable(source):
    for case in source.list().cases:
        assert case.images
        for ref in (*case.images, *case.masks):
            assert not ref.path.startswith(("/", "."))
            assert "\\" not in ref.path
            assert (source.folder / ref.path).exists()
        image = read_image_ref(source.folder, case.images[0])
        assert len(image.grid) in (2, 3)
        for ref in case.masks:
            assert read_mask_ref(source.folder, ref, image).array.shape == (1, *image.grid)
        assert len(case.channels) in (0, len(case.images))


def test_listing_is_deterministic(source):
    assert source.list() == source.list()
    source.prepare()
    assert source.list() == source.list()


def test_texts_are_texts(source):
    for case in source.list().cases:
        texts = [case.case_id, case.group, *(case.labels or ()), *case.metadata, *case.metadata.values()]
        assert all(isinstance(text, str) and text for text in texts)


def test_it_is_rebuilt_from_plain_data(source):
    plain = json.loads(json.dumps(source.plain()))
    module, name = plain["class_path"].rsplit(".", 1)
    again = getattr(importlib.import_module(module), name)(**plain["init_args"])
    assert again.list() == source.list()


def test_a_yaml_names_it_and_wrong_keys_are_named(source, capsys):
    parser = ArgumentParser()
    parser.add_argument("--source", type=Source)
    plain = json.loads(json.dumps(source.plain()))
    again = parser.instantiate(parser.parse_object({"source": plain})).source
    assert again.list() == source.list()
    plain["init_args"]["rooot"] = "x"
    with pytest.raises(SystemExit):
        parser.parse_object({"source": plain})
    assert "rooot" in capsys.readouterr().err


def test_a_missing_root_says_what_to_do(source, tmp_path):
    keys = source.plain()["init_args"] | {"root": str(tmp_path / "nowhere")}
    with pytest.raises(DataError, match=r"expected .*, got .*\. .*\.$"):
        type(source)(**keys).list()


def test_doubled_ids_keep_the_first_and_name_all():
    cases = [Case(name, None, (Ref(f"{name}{n}.png"),)) for n, name in enumerate(["b", "a", "b", "b"])]
    found = listing(cases, ["earlier"])
    assert found.cases == (cases[1], cases[0])
    assert found.faults[0] == "earlier"
    assert found.faults[1].startswith(
        "case b: the id is doubled, expected one case of that id, got 3: b0.png, b2.png, b3.png"
    )
