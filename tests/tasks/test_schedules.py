"""Schedules over the whole of training, against torch's own."""

import math
from itertools import pairwise

import pytest
import torch

from lit_medseg.errors import ConfigError
from lit_medseg.tasks.polynomial_decay import PolynomialDecay
from lit_medseg.tasks.warmup_cosine import WarmupCosine


def rates(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = make(optimizer)
    if hasattr(schedule, "plan"):
        schedule.plan(steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_polynomial_is_torchs():
    own = rates(lambda o: PolynomialDecay(o, 0.9), 20)
    reference = rates(lambda o: torch.optim.lr_scheduler.PolynomialLR(o, total_iters=20, power=0.9), 20)
    assert own == pytest.approx(reference, rel=1e-9)


def test_cosine_without_warmup_is_torchs():
    own = rates(lambda o: WarmupCosine(o, warmup=0.0, final=0.0), 30)
    reference = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=30), 30)
    assert own == pytest.approx(reference, rel=1e-9)


def test_warmup_is_linear_and_ends_at_the_peak():
    found = rates(lambda o: WarmupCosine(o, warmup=0.2, final=0.1), 50)
    rising = found[:10]
    steps = [after - before for before, after in pairwise(rising)]
    assert max(steps) - min(steps) < 1e-12
    assert found[10] == 0.5
    assert 0.05 < found[-1] < 0.06
    assert math.isclose(max(found), 0.5)


def test_steps_beyond_the_plan_keep_the_last_rate():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = PolynomialDecay(optimizer)
    schedule.plan(3)
    for _ in range(6):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.0


def test_shares_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="shares out of range"):
        rates(lambda o: WarmupCosine(o, warmup=1.0), 3)
