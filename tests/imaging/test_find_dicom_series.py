"""Series are found in any tree, once per process, and their texts tell no patient."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lit_medseg.imaging import find_dicom_series as module
from lit_medseg.imaging.find_dicom_series import find_dicom_masks, find_dicom_series
from lit_medseg.imaging.quiet_dicom import quiet_dicom
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from tests.imaging.fake_dicom import film, numbers, save, slices, structure_set


def tree(root):
    for patient in range(3):
        made = slices(numbers((4, 9, 8), patient), series=f"1.2.3.4.5.6.{patient}", patient=f"PAT-{patient}")
        save(made, root / f"p{patient}" / "study" / "ct")
    structure_set({"a": []}, series="1.2.3.4.5.6.1").save_as(root / "p1" / "study" / "rs", enforce_file_format=True)
    (root / "readme.txt").write_text("nothing")
    return root


def test_series_and_masks_of_a_tree(tmp_path):
    found = find_dicom_series(tree(tmp_path))
    assert [series.key for series in found] == [f"p{i}/study/ct/IM0000" for i in range(3)]
    assert [series.shape for series in found] == [(4, 9, 8)] * 3
    assert [series.patient_id for series in found] == [f"PAT-{i}" for i in range(3)]
    assert found[0].files == tuple(f"p0/study/ct/IM{i:04d}" for i in range(4))
    masks = find_dicom_masks(tmp_path)
    assert [(mask.file, mask.modality) for mask in masks] == [("p1/study/rs", "RTSTRUCT")]
    assert masks[0].refers_to == (found[1].series_uid,)
    text = f"{found}{masks}{found[0].slices}"
    assert not any(word in text for word in ("PAT", "1.2.3.4", "Doe", str(tmp_path)))


def test_patients_whose_identifiers_were_made_equal_stay_apart(tmp_path):
    arrays = [numbers((4, 9, 8), seed) for seed in range(2)]
    for patient, array in enumerate(arrays):
        save(slices(array, patient=f"PAT-{patient}"), tmp_path / f"p{patient}")
    found = find_dicom_series(tmp_path)
    assert [(series.patient_id, series.key) for series in found] == [("PAT-0", "p0/IM0000"), ("PAT-1", "p1/IM0000")]
    for series, array in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(read_volume(tmp_path, series.key).array[0], array)


def test_headers_are_read_once_until_the_tree_changes(tmp_path, monkeypatch):
    tree(tmp_path)
    read = []
    real = module.read_headers

    def counted(names, folder):
        read.extend(names)
        return real(names, folder)

    monkeypatch.setattr(module, "read_headers", counted)
    for patient in range(3):
        read_volume(tmp_path, f"p{patient}/study/ct/IM0000")
    assert len(read) == 13
    save(slices(numbers((2, 9, 8)), series="1.2.3.4.5.6.9"), tmp_path / "p2" / "new")
    assert len(find_dicom_series(tmp_path)) == 4
    assert len(read) == 13 + 15
    np.testing.assert_array_equal(read_volume(tmp_path, "p2/new/IM0000").array[0], numbers((2, 9, 8)))


def test_links_are_followed_once(tmp_path):
    tree(tmp_path / "far")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "p0").symlink_to(tmp_path / "far" / "p0")
    (tmp_path / "far" / "p0" / "loop").symlink_to(tmp_path / "far")
    assert next(series.key for series in find_dicom_series(tmp_path / "near")).startswith("p0/")
    assert len(find_dicom_series(tmp_path / "far")) == 3


def test_memory_for_trees_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TREES", {})
    monkeypatch.setattr(module, "KEPT_HEADERS", 9)
    for place in range(4):
        save(slices(numbers((4, 5, 5)), series=f"1.2.3.4.5.6.{place}"), tmp_path / str(place))
        assert len(find_dicom_series(tmp_path / str(place))) == 1
    assert [root.name for root in module._TREES] == ["2", "3"]
    find_dicom_series(tmp_path)
    assert list(module._TREES) == [tmp_path.resolve()]


def test_doses_are_no_images_and_a_folder_of_one_mask_is_the_mask(tmp_path):
    array = numbers((4, 9, 8))
    save(slices(array), tmp_path / "ct")
    film(numbers((2, 9, 8), 0, 0, 9, np.uint16), modality="RTDOSE", NumberOfFrames=2).save_as(tmp_path / "ct" / "dose")
    image = read_volume(tmp_path / "ct")
    np.testing.assert_array_equal(image.array[0], array)
    (tmp_path / "rs").mkdir()
    corners = np.array([(1, 1.5, 1.5), (1, 1.5, 4.5), (1, 4.5, 4.5), (1, 4.5, 1.5)])
    points = (np.column_stack([corners, np.ones(4)]) @ image.affine.T)[:, :3] * [-1, -1, 1]
    structure_set({"a": [points]}).save_as(tmp_path / "rs" / "1-1.dcm", enforce_file_format=True)
    assert read_mask_volume(tmp_path / "rs", reference=image).array.sum() == 9


def test_filters_of_warnings_are_restored_when_the_last_thread_goes():
    before = list(warnings.filters)

    def work(_):
        with quiet_dicom(), quiet_dicom():
            warnings.warn("of no concern", stacklevel=1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(500)))
    assert list(warnings.filters) == before
