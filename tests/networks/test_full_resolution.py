"""Outputs of deep supervision in their different forms."""

import torch

from lit_medseg.networks.full_resolution import full_resolution, levels

FINE, COARSE = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 4, 4)


def test_a_list_a_stack_and_a_plain_tensor():
    assert levels(FINE, 4) is FINE
    assert [level.shape for level in levels([FINE, COARSE], 4)] == [FINE.shape, COARSE.shape]
    stacked = levels(torch.stack([FINE, FINE + 1], 1), 4)
    assert [level.shape for level in stacked] == [FINE.shape, FINE.shape]
    assert (stacked[1] == 1).all()
    for output in (FINE, [FINE, COARSE], (FINE, [COARSE]), [FINE], torch.stack([FINE, FINE + 1], 1)):
        assert torch.equal(full_resolution(output, 4), FINE)


def test_labels_and_what_is_no_tensor_pass():
    label = torch.zeros(2, 5)
    assert full_resolution((label, [torch.zeros(2, 7, 9)]), 5) is label
    assert full_resolution({"a": 1}, 4) == {"a": 1}
