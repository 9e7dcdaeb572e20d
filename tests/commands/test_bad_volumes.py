"""What a user can get wrong with volumes: each fault ends with one text and leaves nothing broken behind."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless

from lit_medseg.imaging.find_dicom_series import find_dicom_series
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.write_png import write_png
from tests.catalogue.fake_volumes import moved, write_nifti
from tests.commands.faulty_experiments import call, refusal, write_pairs, write_yaml
from tests.commands.faulty_experiments import segmentation as pictures
from tests.commands.faulty_volumes import (
    SHAPE,
    dicom,
    dicom_changed,
    header_changed,
    refused_both,
    saved_anew,
    spec,
    volumes,
    write_dicom,
    write_volumes,
)

IMAGE, MASK = "images/p3.nii.gz", "masks/p3.nii.gz"
WINDOWS = "lit_medseg.inference.sliding_window.SlidingWindow"
DEEP = spec(
    "monai.networks.nets.DynUNet",
    spatial_dims=3, kernel_size=[3, 3, 3], strides=[1, 2, 2], upsample_kernel_size=[2, 2], filters=[4, 8, 8],
    deep_supervision=True, deep_supr_num=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    write_volumes(folder / "set")
    write_dicom(folder / "dicom")
    return folder


@pytest.fixture
def place(originals, tmp_path, monkeypatch):
    """Stand in a fresh folder with both data sets."""
    shutil.copytree(originals, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


# ---- NIfTI


def _array(name, change, affine=None):
    return lambda root: saved_anew(root / name, change, affine)


def _bytes(name, change):
    return lambda root: (root / name).write_bytes(change((root / name).read_bytes()))


def _one(value, dtype):
    def change(array):
        array = array.astype(dtype)
        array[8, 7, 4] = value
        return array

    return change


def _bits_flipped(content):
    half = len(content) // 2
    return content[:half] + bytes(byte ^ 0xFF for byte in content[half : half + 6]) + content[half + 6 :]


def _leaned(affine):
    affine[:3, 1] += 0.3 * affine[:3, 2]
    return affine


def _leaning(root):
    for name in (IMAGE, MASK):
        saved_anew(root / name, lambda array: array, _leaned)


def _unplaced(sizes):
    pixdim = np.array([1, *sizes, 1, 1, 1, 1], np.float32)
    return lambda root: header_changed(root / IMAGE, sform_code=0, qform_code=0, pixdim=pixdim)


def _picture_among_volumes(root):
    for name in (IMAGE, MASK):
        (root / name).unlink()
    write_png(root / "images/p3.png", np.arange(400, dtype=np.uint16).reshape(1, 20, 20).astype(np.uint8))
    write_png(root / "masks/p3.png", np.ones((1, 20, 20), np.uint8))


NIFTI = [
    (_bytes(IMAGE, lambda content: content[:900]), f"image {IMAGE}: the NIfTI file is truncated or corrupt"),
    (_bytes(MASK, lambda content: content[:-10]), f"mask {MASK}: the NIfTI file is truncated or corrupt"),
    (_bytes(IMAGE, _bits_flipped), f"image {IMAGE}: the NIfTI file is truncated or corrupt"),
    (_bytes(IMAGE, lambda content: b""), f"image {IMAGE}: the NIfTI file is truncated or corrupt"),
    (_bytes(IMAGE, lambda content: 30 * b"this is no NIfTI file"), f"{IMAGE}: the NIfTI file is truncated or corrupt"),
    (_array(IMAGE, _one(np.nan, np.float32)), "unusable pixels, expected finite, got 1 NaN or infinite"),
    (_array(IMAGE, _one(-np.inf, np.float32)), "unusable pixels, expected finite, got 1 NaN or infinite"),
    (_array(IMAGE, np.zeros_like), "the volume is empty, expected different values, got 0"),
    (_array(IMAGE, lambda array: np.stack([array, array], -1)), "four dimensions, expected three, or an index"),
    (_array(MASK, lambda array: np.stack([array, array], -1)), f"mask {MASK}: the file has four dimensions"),
    (_array(IMAGE, lambda array: array.astype(np.complex64)), "the voxels are complex"),
    (
        _array(MASK, lambda array: array, lambda affine: moved(7, affine)),
        "expected at most 0.284 mm between corresponding voxels, got corners 7 mm apart",
    ),
    (_array(MASK, lambda array: array[:-1]), "expected the shape (12, 18, 20), got (12, 18, 19)"),
    (_array(MASK, _one(7, np.uint8)), "undeclared mask values, expected [0, 1, 2], got [7]"),
    (_array(MASK, _one(-3, np.int16)), "undeclared mask values, expected [0, 1, 2], got [-3]"),
    (_array(MASK, _one(2**31 - 5, np.int32)), "undeclared mask values, expected [0, 1, 2], got [2147483643]"),
    (_array(MASK, _one(0.5, np.float32)), "the mask holds values that are not whole"),
    (_array(MASK, _one(np.nan, np.float32)), "the mask holds values that are not whole"),
    (_unplaced((0, 1, 1)), "the voxel sizes are unusable, expected positive numbers, got [0.0, 1.0, 1.0]"),
    (_unplaced((1, -2, 1)), "the voxel sizes are unusable, expected positive numbers, got [1.0, -2.0, 1.0]"),
    (lambda root: header_changed(root / IMAGE, srow_x=[np.nan, 0, 0, 0]), "unusable affine, expected 4x4 finite"),
    (lambda root: header_changed(root / IMAGE, srow_x=np.zeros(4)), "the affine's axes lie in one plane"),
    (_leaning, "the axes are not at right angles, expected 3 degrees at most"),
    (_picture_among_volumes, "images: pictures and volumes are mixed, expected one kind, got 1 pictures (such as p3)"),
    (lambda root: shutil.copy(root / IMAGE, root / "images/p3.nii"), "case p3: the id is doubled, expected one case"),
    (lambda root: (root / MASK).unlink(), f"{IMAGE}: image without mask"),
    (lambda root: (root / IMAGE).unlink(), f"{MASK}: mask without image"),
]


@pytest.mark.parametrize(("damage", "named"), NIFTI)
def test_broken_volume(place, tmp_path, capsys, damage, named):
    damage(place / "set")
    assert named in refused_both(capsys, tmp_path, volumes())


def test_all_faults_at_once(place, tmp_path, capsys):
    NIFTI[0][0](place / "set")
    saved_anew(place / "set/masks/p4.nii.gz", lambda array: array[1:])
    saved_anew(place / "set/images/p5.nii.gz", np.zeros_like)
    text = refused_both(capsys, tmp_path, volumes())
    assert text.startswith("set: 3 faults in 8 cases\n")


# ---- DICOM


def _second_series(root):
    shutil.copytree(root / "P3", root / "P3/again")
    for number, path in enumerate(sorted((root / "P3/again").iterdir())):

        def change(dataset, number=number):
            dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "1.2.3.4.3.6.9", f"1.2.3.4.3.9.{number}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

        dicom_changed(path, change)


def _jpeg_2000_cut_short(root):
    for path in (root / "P3").iterdir():
        dicom_changed(path, lambda dataset: dataset.compress(JPEG2000Lossless, generate_instance_uid=False))
    path = root / "P3/IM3"
    path.write_bytes(path.read_bytes()[:-900])


def _all_slices(change):
    def damage(root):
        for path in (root / "P3").iterdir():
            dicom_changed(path, change)

    return damage


def _one_slice(change):
    return lambda root: dicom_changed(root / "P3/IM3", change)


DICOM = [
    (
        lambda root: (root / "P3/IM3").unlink(),
        "where 1 slice is missing. Export the series again, whole and without tilt, or have it interpolated: "
        "`irregular: resample` of the source",
    ),
    (_second_series, "t2: several series match, expected one series, got 'MR t2' of 6 slices in P3"),
    (_jpeg_2000_cut_short, "IM3: the DICOM file is truncated, corrupt or of an unknown coding"),
    (_all_slices(lambda dataset: setattr(dataset, "PixelData", bytes(len(dataset.PixelData)))), "the volume is empty"),
    (_all_slices(lambda dataset: setattr(dataset, "PixelSpacing", [0, 0])), "the pixel spacing is missing"),
    (_one_slice(lambda dataset: setattr(dataset, "RescaleSlope", "0")), "a RescaleSlope of 0"),
    (
        _one_slice(lambda dataset: setattr(dataset, "ImagePositionPatient", ["0", "0", "0"])),
        "the slices are sheared by",
    ),
    (lambda root: (root / "labels/P3.nii.gz").unlink(), "the case is incomplete, expected one of each, got no mask"),
    (
        lambda root: saved_anew(root / "labels/P3.nii.gz", lambda array: array, lambda affine: moved(7, affine)),
        "mask labels/P3.nii.gz: the mask lies on another grid than its image",
    ),
]


@pytest.mark.parametrize(("damage", "named"), DICOM)
def test_broken_series(place, tmp_path, capsys, damage, named):
    damage(place / "dicom")
    assert named in refused_both(capsys, tmp_path, dicom())


def test_a_missing_slice_can_be_resampled(place, capsys):
    (place / "dicom/P3/IM3").unlink()
    settings = dicom(irregular="resample")
    assert call("data", "check", write_yaml(settings)) == 0


def test_two_series_where_one_is_converted(place, capsys):
    _second_series(place / "dicom")
    assert call("data", "convert", "dicom/P3", "one.nii.gz") == 2
    text = capsys.readouterr().err
    assert "several DICOM series, expected one, got 2" in text
    assert not Path("one.nii.gz").exists()
    assert len(find_dicom_series(place / "dicom/P3")) == 2


# ---- settings that do not fit volumes


def _steps(class_path, **init_args):
    return {"data__init_args__preparation": {"steps": [spec(f"lit_medseg.preprocess.{class_path}", **init_args)]}}


def _training(**keys):
    return {"data__init_args__training": {"patch_size": [8, 8, 8], "augmentation": [], **keys}}


def _windows(**keys):
    return {"model__init_args__evaluating": {"inferer": spec(WINDOWS, **keys)}}


def _network(class_path, **init_args):
    return {"model__init_args__network": spec(class_path, **init_args)}


SETTINGS = [
    (_training(patch_size=[8, 8]), "data.training.patch_size: unusable, expected 3 numbers, got [8, 8]"),
    (_training(patch_size=[8, 8, 8, 8]), "patch_size: unusable, expected two or three positive numbers"),
    (_training(patch_size=[8, 0, 8]), "patch_size: unusable, expected two or three positive numbers"),
    (_training(augmentation=[spec("albumentations.HorizontalFlip")]), "data.training.augmentation: for pictures"),
    (_training(augment_on="device"), "data.training.augment_on: albumentations have no device"),
    (_training(foreground=2), "data.training.foreground: unusable"),
    ({"data__init_args__truth": {"masks": {"a": 1}, "others": "backgroud"}}, "truth.others: a value of the wrong type"),
    ({"data__init_args__truth": {"masks": {f"c{n}": n for n in range(1, 300)}}}, "expected 1 to 255, got 299"),
    ({"data__init_args__truth": {"masks": {"a": 1, "b": 2}, "overlapping": True}}, "other number of masks, expected 2"),
    (_steps("onto_channel.OntoChannel", channel="t2"), "case p0, onto_channel: no such channel, expected 't2'"),
    (_steps("resample_to.ResampleTo", spacing_mm=[1, -1, 1]), "resample_to: unusable spacing"),
    (_steps("resample_to.ResampleTo", spacing_mm=[1, 1]), "resample_to: other axes than the spacing"),
    (_steps("resample_to.ResampleTo", spacing_mm=3 * [1e-4]), "case p0: too little memory to preprocess it"),
    (_steps("resize.Resize", height=9, width=9), "case p0, resize: unusable image, expected two spatial dimensions"),
    (_steps("hu_window.HUWindow", low_hu=100, high_hu=-100), "hu_window: unusable, expected low_hu < high_hu"),
    (_network("torch.nn.Conv2d", kernel_size=1), "network: Conv2d cannot take the data's images"),
    (
        {
            **_network("monai.networks.nets.UNet", channels=[4, 8, 16], strides=[2, 2]),
            **_training(patch_size=[7, 9, 8]),
        },
        "network: UNet cannot take the data's images",
    ),
    ({"model__init_args__network": DEEP}, "model.loss: DynUNet gives several levels (deep_supervision), expected"),
    (
        _network("lit_medseg.networks.residual_encoder_unet.residual_encoder_unet", deep_supervision=True),
        "gives several levels (deep_supervision), expected lit_medseg.losses.deep_supervision.DeepSupervision",
    ),
    (_windows(patch_size=[8, 8]), "model.evaluating.inferer.patch_size: other axes than the images, expected 3 sides"),
    (_windows(sum_device="cuda:99"), "model.evaluating.inferer.sum_device: no such device"),
    (_windows(overlap=1.5), "sliding window: overlap: unusable"),
    (_windows(memory_limit_gib=-1), "sliding window: memory_limit_gib: unusable"),
    (_windows(mirror_axes=[5]), "sliding window: mirror_axes: unusable"),
]


@pytest.mark.parametrize(("changes", "named"), SETTINGS)
def test_unusable_settings(place, tmp_path, capsys, changes, named):
    text = refusal(capsys, volumes(**changes))
    assert named in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(("channel", "names"), [("T2", True), ("t2", False)])
def test_channels_on_other_grids(place, capsys, channel, names):
    coarse = np.diag([2, 2, 2, 1.0])
    for number in range(8):
        part = np.random.default_rng(number).random(tuple(side // 2 for side in SHAPE)).astype(np.float32)
        write_nifti(place / f"set/adc/p{number}.nii.gz", part, coarse)
    Path("set/t.csv").write_text("id\n" + "".join(f"p{number}\n" for number in range(8)))
    files = ["images/{id}.nii.gz", "adc/{id}.nii.gz"]
    keys = {"root": "set", "table": "t.csv", "case": "{id}", "patient": "{id}", "mask": "masks/{id}.nii.gz"}
    image = dict(zip(("t2", "adc"), files, strict=True)) if names else files
    source = {"data__init_args__source": spec("lit_medseg.catalogue.csv_table.CsvTable", image=image, **keys)}
    text = refusal(capsys, volumes(**source, **_steps("z_score.ZScore")))
    assert "case p0: channels or mask on different grids, expected one, (12, 18, 20), got (6, 9, 10)" in text
    text = refusal(capsys, volumes(**source, **_steps("onto_channel.OntoChannel", channel=channel)))
    assert "onto_channel: no such channel" in text
    assert ("['t2', 'adc']" if names else "channels without names") in text


def test_others_may_be_background(place, capsys):
    saved_anew(place / "set" / MASK, _one(7, np.uint8))
    settings = volumes(data__init_args__truth={"masks": {"b": 2}, "others": "background"})
    assert call("data", "check", write_yaml(settings)) == 0
    out = capsys.readouterr().out
    assert "class b" in out
    assert "note: `truth.others: background`" in out


# ---- disks


def test_full_disk_while_caching(place, capsys):
    """The disk is real and small: only root can make one."""
    disk = place / "small"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], check=False, capture_output=True)
    if made.returncode:
        return  # mounts are not allowed here: RLIMIT_FSIZE in tests/preprocess/test_cache_volumes.py has to do
    steps = [spec("lit_medseg.preprocess.resample_to.ResampleTo", spacing_mm=[1.0, 0.7, 0.7])]
    try:
        for _ in range(2):
            settings = volumes(data__init_args__preparation={"cache_dir": "small/cache", "steps": steps})
            assert "small/cache: the disk is full, expected room for processed cases" in refusal(capsys, settings)
            left = {path.suffix for path in disk.rglob("*") if path.is_file()}
            assert left <= {".json", ".lock"}, "what was found of the cases, and no part of a cache"
            assert not Path("runs").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# ---- one fitted model


@pytest.fixture(scope="module")
def finished(originals, tmp_path_factory):
    """A folder with a model of volumes and one of pictures."""
    folder = tmp_path_factory.mktemp("finished") / "here"
    shutil.copytree(originals, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("LIT_MEDSEG_DATA", raising=False)
        assert call("fit", "--config", write_yaml(volumes())) == 0
        write_pairs(folder / "pairs")
        assert call("fit", "--config", write_yaml({**pictures(), "experiment": "flat"}, "flat.yaml")) == 0
    return folder


@pytest.fixture
def models(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    capsys.readouterr()
    return [str(next(Path(f"runs/{name}").rglob("best.ckpt"))) for name in ("exp", "flat")]


def test_a_large_patch_is_filled_and_said_once(models, caplog):
    large = [16, 32, 16]
    settings = volumes(experiment="large", **_training(patch_size=large), **_windows(patch_size=large, half=True))
    assert call("fit", "--config", write_yaml(settings)) == 0
    said = [record.getMessage() for record in caplog.records if "patch_size" in record.getMessage()]
    (text,) = said
    assert "[16, 32, 16] is larger than 4 of 4 training cases (p0: [12, 18, 20])" in text


def test_studies_of_all_kinds(models, capsys):
    """What is broken is skipped, the rest is done, and the status says so."""
    new = Path("new")
    (new / "fine").mkdir(parents=True)
    shutil.copy(Path("set") / IMAGE, new / "fine/a.nii.gz")
    (new / "cut.nii.gz").write_bytes((Path("set") / IMAGE).read_bytes()[:700])
    write_nifti(new / "four.nii.gz", np.ones((4, 4, 4, 2), np.int16))
    write_nifti(new / "empty.nii.gz", np.zeros((4, 4, 4), np.int16))
    write_png(new / "picture.png", np.arange(144, dtype=np.uint8).reshape(1, 12, 12))
    for model, done in zip(models, ("a", "picture"), strict=True):
        output = Path(f"found-{done}")
        assert call("predict", "--ckpt_path", model, "--input", "new", "--output", str(output)) == 1
        failed = (output / "failed.csv").read_text()
        assert {path.name.split(".")[0] for path in output.rglob("*.*") if path.suffix != ".csv"} == {done}
        lines = [line.split(",")[0] for line in failed.splitlines()[1:]]
        assert len(lines) == 4
        assert "Traceback" not in capsys.readouterr().err
    assert "another kind of image than in training, expected 2, got 3 axes" in failed
    grid = read_mask_volume(next(Path("found-a").rglob("a.nii.gz"))).grid
    assert grid == SHAPE[::-1]


def test_a_model_of_the_other_kind(models, capsys):
    of_volumes, of_pictures = models
    same = volumes(data__init_args__truth={"masks": {"organ": 1}, "others": "background"})
    same["model"]["init_args"]["network"] = pictures()["model"]["init_args"]["network"]
    same["data"]["class_path"] = "data_modules.mri_slices.MRISlicesDataModule"
    text = refusal(capsys, same, "--ckpt_path", of_pictures, verb="test")
    assert "trained on images of another kind, expected pictures (2 axes), got volumes (3 axes)" in text
    other = pictures(data__init_args__truth={"masks": {"organ": 255}})
    assert "data.truth: other classes" in refusal(capsys, other, "--ckpt_path", of_volumes, verb="test")


def test_no_studies(models, capsys):
    Path("bare").mkdir()
    for folder, named in (("nowhere", "the folder of studies is missing"), ("bare", "no studies found")):
        text = refusal(capsys, None, "--ckpt_path", models[0], "--input", folder, "--output", "none", verb="predict")
        assert named in text
    assert not Path("none").exists()


def test_odd_names_and_links_work(place, capsys):
    Path("set").rename("Ordner mit Ü")
    Path("set").symlink_to("Ordner mit Ü")
    for path in [*Path("set/images").iterdir(), *Path("set/masks").iterdir()]:
        path.rename(path.with_name(path.name.replace("p", "Fall Ä ")))
    settings = volumes(data__init_args__source__init_args__patient_pattern="([0-9])")
    assert call("data", "check", write_yaml(settings)) == 0
    assert "8 sound of 8" in capsys.readouterr().out
