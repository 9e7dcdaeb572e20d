"""Phantom volumes are the same bytes again, as awkward as real ones, and lie in space as they say."""

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from lit_medseg.catalogue.phantom_volumes import PhantomVolumes
from lit_medseg.errors import ConfigError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    source = PhantomVolumes(str(tmp_path_factory.mktemp("phantoms")), patients=6, channels=2, slices=16, size=48)
    source.prepare()
    return source


def content(source):
    return {file.relative_to(source.folder).as_posix(): file.read_bytes() for file in source.folder.rglob("*.*")}


def opened(source):
    """Each case by nibabel alone: its images and its mask."""
    for case in source.list().cases:
        images = [nibabel.load(source.folder / ref.path) for ref in case.images]
        yield case, images, nibabel.load(source.folder / case.masks[0].path)


def test_cases(made):
    found = made.list()
    assert found.faults == ()
    assert [case.case_id for case in found.cases] == [f"patient{number:03d}" for number in range(6)]
    assert all(case.patient_id == case.case_id and case.channels == ("t1", "t2") for case in found.cases)
    one = PhantomVolumes(made.root, patients=2, channels=1)
    one.prepare()
    assert [(len(case.images), case.channels) for case in one.list().cases] == [(1, ()), (1, ())]


def test_images_and_masks_share_an_oblique_grid_of_thick_slices(made):
    orientations, spacings = set(), set()
    for _, images, mask in opened(made):
        assert {image.shape for image in images} == {mask.shape}
        assert all(np.array_equal(image.affine, mask.affine) for image in images)
        assert all(np.allclose(image.get_sform(), image.get_qform(), atol=1e-4) for image in images)
        turn = nibabel.affines.from_matvec(mask.affine[:3, :3] / nibabel.affines.voxel_sizes(mask.affine))[:3, :3]
        assert np.abs(turn).max() < 0.9999
        sizes = np.sort(nibabel.affines.voxel_sizes(mask.affine))
        assert sizes[2] > 1.5 * sizes[1]
        orientations.add(nibabel.aff2axcodes(mask.affine))
        spacings.add(tuple(np.round(sizes, 1)))
    assert orientations == {("L", "P", "S"), ("R", "A", "S"), ("P", "I", "R")}
    assert len(spacings) > 2


def test_every_patient_lies_in_space_as_the_first_one_does(made):
    """The organ is on the patient's right, the vertebra (the brightest thing) at the back."""
    for _, images, mask in opened(made):
        codes = np.asarray(mask.dataobj)
        middle = mask.affine @ [*((np.array(codes.shape) - 1) / 2), 1]
        organ = mask.affine @ [*np.argwhere(codes > 0).mean(axis=0), 1]
        assert organ[0] - middle[0] > 20
        smooth = ndimage.uniform_filter(images[0].get_fdata(), 3)
        bright = mask.affine @ [*np.argwhere(smooth > np.percentile(smooth, 99.7)).mean(axis=0), 1]
        assert bright[1] - middle[1] < -20


def test_both_classes_close_within_the_volume(made):
    for _, images, mask in opened(made):
        codes = np.asarray(mask.dataobj)
        assert codes.dtype == np.uint8
        assert set(np.unique(codes)) == {0, 1, 2}
        thick = int(np.argmax(nibabel.affines.voxel_sizes(mask.affine)))
        ends = np.take(codes, [0, -1], axis=thick)
        assert not ends.any()
        assert ndimage.label(codes > 0)[1] == 1
        assert all(np.asarray(image.dataobj).dtype == np.int16 for image in images)


def test_the_second_channel_sees_the_lesion_brighter(made):
    for _, images, mask in opened(made):
        codes = np.asarray(mask.dataobj)
        first, second = (image.get_fdata() for image in images)
        assert first[codes == 2].mean() < first[codes == 1].mean()
        assert second[codes == 2].mean() > second[codes == 1].mean()


def test_the_same_bytes_again_and_others_for_another_seed(made, tmp_path):
    again = PhantomVolumes(str(tmp_path), patients=6, channels=2, slices=16, size=48)
    again.prepare()
    assert content(again) == content(made)
    fewer = PhantomVolumes(str(tmp_path), patients=1, channels=1, slices=16, size=48)
    fewer.prepare()
    own = {name: data for name, data in content(fewer).items() if name.endswith(".nii.gz")}
    assert own.items() <= content(made).items()
    other = PhantomVolumes(str(tmp_path), patients=1, channels=1, slices=16, size=48, seed=1)
    other.prepare()
    assert not set(own.values()) & set(content(other).values())


@pytest.mark.parametrize(("key", "value"), [("patients", 0), ("slices", 7), ("size", 31), ("seed", -1)])
def test_useless_numbers_are_refused(key, value):
    with pytest.raises(ConfigError, match=f"{key}: too small"):
        PhantomVolumes(**{key: value})


def test_a_third_channel_is_refused():
    with pytest.raises(ConfigError, match="channels: not offered, expected 1 or 2, got 3"):
        PhantomVolumes(channels=3)
