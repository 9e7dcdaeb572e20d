"""Small data sets and their YAMLs for the tests of `data`."""

import numpy as np
import yaml

from tests.catalogue.fake_volumes import image, mask, moved, write_nifti


def volumes(root, count=6):
    """NIfTI pairs, one patient each."""
    for number in range(count):
        write_nifti(root / f"images/p{number}.nii.gz", image(number))
        write_nifti(root / f"masks/p{number}.nii.gz", mask(number))


def dirty(root):
    """Nine pairs; eight have a fault each, and one has an empty mask."""
    volumes(root, 9)
    array = image(0).astype(np.float32)
    array[0, 0, 0] = np.nan
    write_nifti(root / "images/p0.nii.gz", array)
    write_nifti(root / "masks/p1.nii.gz", mask(1), moved(7))
    write_nifti(root / "masks/p2.nii.gz", mask(2, values=(0, 1, 9)))
    (root / "masks/p3.nii.gz").unlink()
    (root / "images/p4.nii.gz").unlink()
    (root / "images/p5.nii.gz").write_bytes((root / "images/p5.nii.gz").read_bytes()[:90])
    write_nifti(root / "masks/p6.nii.gz", mask(6, (7, 6, 4)))
    write_nifti(root / "images/p7.nii.gz", np.zeros((7, 6, 5), np.int16))
    write_nifti(root / "masks/p8.nii.gz", np.zeros((7, 6, 5), np.uint8))


def write_config(folder, root="set", **arguments):
    """Write a YAML of an experiment on such a set; its other parts do not count."""
    source = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(root), "patient_pattern": "(p[0-9]+)"},
    }
    data = {"source": source, "truth": {"masks": {"a": 1, "b": 2}}, "preparation": {"cache_dir": str(folder / "cache")}}
    plain = {"trainer": {"max_epochs": 1}, "data": {"class_path": "no.such.Module", "init_args": data | arguments}}
    path = folder / "exp.yaml"
    path.write_text(yaml.safe_dump(plain))
    return str(path)
