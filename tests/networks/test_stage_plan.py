"""Depth and width of U-Nets, against a transcript of nnU-Net's planner."""

import numpy as np
import pytest

from lit_medseg.errors import ConfigError
from lit_medseg.networks.stage_plan import StagePlan, plan_stages


def nnunet_pools_and_kernels(spacing, patch_size, smallest=4):
    """What nnU-Net 2.8's `get_pool_and_conv_props` computes, written down step by step."""
    dim = len(spacing)
    spacing, size = list(spacing), list(patch_size)
    pools, kernels, kernel = [[1] * dim], [], [1] * dim
    while True:
        valid = [axis for axis in range(dim) if size[axis] >= 2 * smallest]
        if len(valid) < 1:
            break
        finest = min(spacing[axis] for axis in valid)
        valid = [axis for axis in valid if spacing[axis] / finest < 2]
        if len(valid) == 1 and size[valid[0]] < 3 * smallest:
            break
        for axis in range(dim):
            if kernel[axis] != 3 and spacing[axis] / min(spacing) < 2:
                kernel[axis] = 3
        pool = [1] * dim
        for axis in valid:
            pool[axis] = 2
            spacing[axis] *= 2
            size[axis] = int(np.ceil(size[axis] / 2))
        pools.append(pool)
        kernels.append(list(kernel))
    return pools, [*kernels, [3] * dim]


@pytest.mark.parametrize(
    ("patch", "spacing"),
    [
        ((128, 128, 128), (1.0, 1.0, 1.0)),
        ((40, 56, 40), (1.0, 1.0, 1.0)),
        ((20, 320, 256), (3.0, 0.5, 0.5)),
        ((28, 256, 256), (5.0, 0.8, 0.8)),
        ((16, 256, 256), (10.0, 1.0, 1.0)),
        ((8, 16, 160), (1.0, 1.0, 2.5)),
        ((512, 512), (0.3, 0.3)),
        ((96, 160), (2.0, 0.5)),
    ],
)
def test_stages_equal_nnunets(patch, spacing):
    pools, kernels = nnunet_pools_and_kernels(spacing, patch)
    plan = plan_stages(patch, spacing)
    assert [list(strides) for strides in plan.strides] == pools
    assert [list(sizes) for sizes in plan.kernel_sizes] == kernels


def test_widths_and_blocks():
    plan = plan_stages((128, 128, 128))
    assert plan.features == (32, 64, 128, 256, 320, 320)
    assert plan.blocks == (1, 3, 4, 6, 6, 6)
    assert plan_stages((512, 512)).features == (32, 64, 128, 256, 512, 512, 512, 512)
    assert plan_stages((32, 32, 32), base_features=8, most_features=20).features == (8, 16, 20, 20)


def test_what_cannot_be_built_is_said():
    with pytest.raises(ConfigError, match=r"too small for a U-Net, expected sides >= 8, got \(7, 6\)"):
        plan_stages((7, 6))
    with pytest.raises(ConfigError, match=r"halved so often, expected \(40, 56\), got \(40, 50\)"):
        plan_stages((40, 50)).check_patch((40, 50))
    with pytest.raises(ConfigError, match=r"stages: unequal or too few, .* got \[2, 2, 2, 1\]"):
        StagePlan((4, 8), ((1, 1), (2, 2)), ((3, 3), (3, 3)), (1,))
