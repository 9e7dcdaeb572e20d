"""Which steps the gradients are measured at."""

import torch

from lit_medseg.tracking.throughput import NORM_EVERY, Throughput


def test_the_first_step_and_every_tenth_after_it_are_measured():
    weight = torch.nn.Parameter(torch.zeros(4))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    throughput = Throughput()
    throughput.on_train_epoch_start(None, None)
    for step in range(2 * NORM_EVERY + 5):
        weight.grad = torch.full((4,), float(step))
        throughput.on_before_optimizer_step(None, None, optimizer)
    assert [norm.item() for norm in throughput._norms] == [0.0, 20.0, 40.0]
    throughput.on_train_epoch_start(None, None)
    throughput.on_before_optimizer_step(None, None, optimizer)
    assert [norm.item() for norm in throughput._norms] == [2.0 * (2 * NORM_EVERY + 4)]
