"""Make docs/images/volumes.png: predictions of phantom volumes over their images, opened by another program.

    python docs/make_volume_picture.py [FOLDER]

FOLDER keeps the run, so that a second call only draws. SimpleITK brings image and prediction onto one straight grid,
each by the header of its own file: a mask that were written out of place would be seen out of place.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import SimpleITK
import yaml

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "volumes.png"
COLOURS = {1: "#e69f00", 2: "#56b4e9"}
STEP_MM = 1.5


def main() -> None:
    """Train and predict where need be, then draw."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "masks").exists():
        train(folder)
    (images,) = folder.glob("phantoms/phantom-volumes-*/images")
    split = yaml.safe_load((folder / "runs/volumes_quickstart/first/split.json").read_text())
    # one test case of each orientation in which the phantoms are stored
    cases = {int(case[-3:]) % 3: case for case in reversed(split["test"])}
    draw([(case, images / f"{case}_0000.nii.gz", folder / f"masks/{case}.nii.gz") for _, case in sorted(cases.items())])


def train(folder: Path) -> None:
    """Fit, then predict on the images as on any folder of new studies."""
    (folder / "volumes_quickstart.yaml").write_bytes((ROOT / "experiments/volumes_quickstart.yaml").read_bytes())
    call(folder, "fit", "--config", "volumes_quickstart.yaml", "--run", "first")
    (images,) = folder.glob("phantoms/phantom-volumes-*/images")
    best = "runs/volumes_quickstart/first/checkpoints/best.ckpt"
    call(folder, "predict", "--ckpt_path", best, "--input", str(images), "--output", "masks")


def call(folder: Path, *words: str) -> None:
    """Run a command in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "lit_medseg", *words], cwd=folder, env=environment, check=True)


def draw(cases: list[tuple[str, Path, Path]]) -> None:
    """Draw three planes of the patient through the lesion of each case."""
    figure, axes = plt.subplots(len(cases), 3, figsize=(9.4, 2.55 * len(cases)), facecolor="black", squeeze=False)
    for row, (case, image_file, mask_file) in zip(axes, cases, strict=True):
        stored = SimpleITK.ReadImage(str(image_file))
        grid = straight_grid(stored)
        image = array(stored, grid, SimpleITK.sitkLinear)
        mask = array(SimpleITK.ReadImage(str(mask_file)), grid, SimpleITK.sitkNearestNeighbor)
        middle = np.argwhere(mask == 2).mean(axis=0).round().astype(int)
        for axis, (panel, name) in enumerate(zip(row, ("axial", "coronal", "sagittal"), strict=True)):
            # ITK's world is LPS: rows of axial planes run to the back; the other planes have the head on top
            cut, codes = (one.take(middle[axis], axis=axis) for one in (image, mask))
            if axis:
                cut, codes = cut[::-1], codes[::-1]
            panel.imshow(cut, cmap="gray", vmin=0, vmax=1000, interpolation="bilinear")
            for code, colour in COLOURS.items():
                panel.contour(codes == code if code == 2 else codes > 0, [0.5], colors=colour, linewidths=1.1)
            panel.set_title(f"{case}, {name}", color="white", fontsize=9)
            panel.axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(PICTURE, dpi=110, facecolor="black")


def straight_grid(stored: Any) -> Any:
    """Make an empty image along the patient's axes that holds the whole of an oblique one."""
    ends = [(0, side - 1) for side in stored.GetSize()]
    corners = [stored.TransformIndexToPhysicalPoint((i, j, k)) for i in ends[0] for j in ends[1] for k in ends[2]]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    size = np.ceil((high - low) / STEP_MM).astype(int) + 1
    grid = SimpleITK.Image([int(side) for side in size], SimpleITK.sitkUInt8)
    grid.SetOrigin([float(place) for place in low])
    grid.SetSpacing([STEP_MM] * 3)
    return grid


def array(stored: Any, grid: Any, way: int) -> np.ndarray[Any, Any]:
    """Resample by physical points; 0 outside."""
    return np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.Resample(stored, grid, SimpleITK.Transform(), way, 0.0)))


if __name__ == "__main__":
    main()
