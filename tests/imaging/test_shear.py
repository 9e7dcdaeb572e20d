import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lit_medseg.imaging.volume import shear_degrees


@pytest.mark.parametrize("lean", [0.0, 0.5, 12.0, 45.0])
def test_the_lean_of_one_axis_is_measured_in_any_orientation(lean):
    axes = np.diag([3.0, 0.7, 0.9])
    axes[1, 0] = 3.0 * np.tan(np.radians(lean))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [10, -40, 77], degrees=True).as_matrix() @ axes
    assert shear_degrees(affine) == pytest.approx(lean, abs=1e-4)
