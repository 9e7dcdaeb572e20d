"""Phantoms are the same bytes again, whole or absent, and no easy game."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.catalogue import phantom as module
from lit_medseg.catalogue.phantom import Phantom
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.read_array import read_image, read_mask


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    source = Phantom(str(tmp_path_factory.mktemp("phantoms")), patients=12, slices=2, size=64)
    source.prepare()
    return source


def content(source):
    return {file.relative_to(source.folder).as_posix(): file.read_bytes() for file in source.folder.rglob("*.*")}


def pictures(source):
    for case in source.list().cases:
        image = read_image(source.folder / case.images[0].path)
        yield case, image, read_mask(source.folder / case.masks[0].path)


def test_files(made):
    listing = made.list()
    assert listing.faults == ()
    assert len(listing.cases) == 24
    assert len({case.patient_id for case in listing.cases}) == 12
    assert {case.metadata["scanner"] for case in listing.cases} == {"alpha", "beta", "gamma"}
    for _, image, mask in pictures(made):
        assert (image.shape, image.dtype) == ((1, 64, 64), np.uint8)
        assert set(np.unique(mask)) == {0, 1, 2}
        assert (mask == 2).sum() > 30


def test_one_scanner_a_patient(made):
    scanners = {(case.patient_id, case.metadata["scanner"]) for case in made.list().cases}
    assert len(scanners) == 12


def test_the_same_bytes_again_and_others_for_another_seed(made, tmp_path):
    again = Phantom(str(tmp_path), patients=12, slices=2, size=64)
    again.prepare()
    assert content(again) == content(made)
    other = Phantom(str(tmp_path), patients=12, slices=2, size=64, seed=1)
    other.prepare()
    assert other.folder != again.folder
    shared = set(content(again).values()) & set(content(other).values())
    assert not shared


def test_more_patients_leave_the_first_as_they_are(made, tmp_path):
    fewer = Phantom(str(tmp_path), patients=3, slices=2, size=64)
    fewer.prepare()
    own, all_of_them = content(fewer), content(made)
    names = [name for name in own if name.endswith(".png")]
    assert len(names) == 12
    assert all(own[name] == all_of_them[name] for name in names)


def test_no_picture_and_no_mask_is_there_twice(made):
    found = content(made)
    images = [data for name, data in found.items() if name.startswith("images/")]
    masks = [data for name, data in found.items() if name.startswith("masks/")]
    assert len(images) == len(set(images)) == len(masks) == len(set(masks)) == 24


def test_the_lesion_lies_in_the_organ(made):
    for _, _, mask in pictures(made):
        rim = np.zeros_like(mask, bool)
        lesion = mask == 2
        for axis in (0, 1):
            rim |= np.roll(lesion, 1, axis) | np.roll(lesion, -1, axis)
        around = mask[rim & ~lesion]
        assert (around == 1).mean() > 0.6


def test_no_threshold_solves_it(made):
    images = np.stack([image[0] for _, image, _ in pictures(made)])
    masks = np.stack([mask for _, _, mask in pictures(made)])
    for code in (1, 2):
        best = 0.0
        for low in range(0, 256, 8):
            for high in range(low + 8, 257, 8):
                band = (images >= low) & (images < high)
                best = max(best, 2 * (band & (masks == code)).sum() / (band.sum() + (masks == code).sum()))
        assert best < 0.75


def test_scanners_differ_in_noise(made):
    noise = {}
    for case, image, _ in pictures(made):
        noise.setdefault(case.metadata["scanner"], []).append(image[0, :6, :6].std())
    assert np.mean(noise["alpha"]) < np.mean(noise["beta"]) < np.mean(noise["gamma"])


def test_a_whole_set_is_used_again(made, monkeypatch):
    monkeypatch.setattr(module, "acquire", None)  # would fail
    made.prepare()


def test_before_prepare_and_foreign_folders_are_refused(tmp_path):
    source = Phantom(str(tmp_path), patients=1, slices=1, size=32)
    with pytest.raises(DataError, match="the phantoms are not made"):
        source.list()
    source.prepare()
    (source.folder / "phantom.json").write_text("{}")
    for call in (source.prepare, source.list):
        with pytest.raises(DataError, match="not this set of phantoms"):
            call()


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DataError, match="cannot be written, expected a folder, got No space left"):
        Phantom(str(tmp_path), patients=1, slices=1, size=32).prepare()
    assert not list(tmp_path.iterdir())


def test_the_root_ignores_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIT_MEDSEG_DATA", "/nowhere")
    source = Phantom(patients=1, slices=1, size=32)
    source.prepare()
    assert source.folder.parent == tmp_path.resolve() / "phantoms"


def test_several_processes_at_once(tmp_path):
    code = "import sys; from lit_medseg.catalogue.phantom import Phantom; Phantom(sys.argv[1], 4, 1, 32).prepare()"
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    (folder,) = tmp_path.iterdir()
    assert len(list((folder / "images").iterdir())) == 4


def test_another_process_was_faster(tmp_path, monkeypatch):
    source = Phantom(str(tmp_path), patients=1, slices=1, size=32)
    write = Phantom._write

    def write_late(self, folder):
        write(self, folder)
        monkeypatch.setattr(Phantom, "_write", write)
        self.prepare()

    monkeypatch.setattr(Phantom, "_write", write_late)
    source.prepare()
    assert list(tmp_path.iterdir()) == [source.folder]
    assert len(source.list().cases) == 1


@pytest.mark.parametrize(("key", "value"), [("patients", 0), ("slices", 0), ("size", 16), ("seed", -1)])
def test_useless_numbers_are_refused(key, value):
    with pytest.raises(ConfigError, match=f"{key}: too small"):
        Phantom(**{key: value})
