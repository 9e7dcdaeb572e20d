"""Learning rates that follow the batch size: the rules, and what they reach."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CyclicLR, OneCycleLR, ReduceLROnPlateau

from lit_medseg.errors import ConfigError
from lit_medseg.losses.cross_entropy import CrossEntropy
from lit_medseg.target import MultiClass
from lit_medseg.tasks.fine_tuning import FineTuning
from lit_medseg.tasks.learning_rate_scaling import LearningRateScaling
from lit_medseg.tasks.segmentation import SegmentationTask
from lit_medseg.tasks.warmup_cosine import WarmupCosine


def task(factor, scheduler=None):
    network = nn.Sequential()
    network.encoder, network.head = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 3, 1)
    made = SegmentationTask(
        network,
        CrossEntropy(),
        partial(torch.optim.AdamW, lr=0.01),
        scheduler,
        target=MultiClass(("background", "organ", "lesion")),
        fine_tuning=FineTuning(encoder_lr_factor=0.1),
    )
    made.learning_rate_factor = factor
    return made


@pytest.mark.parametrize(
    ("rule", "batch", "accumulated", "factor"),
    [
        ("linear", 8, 1, 1.0),
        ("linear", 32, 1, 4.0),
        ("linear", 2, 1, 0.25),
        ("linear", 8, 4, 4.0),
        ("square_root", 32, 1, 2.0),
        ("square_root", 4, 8, 2.0),
    ],
)
def test_the_factor_is_the_ratio_of_the_batches_or_its_root(rule, batch, accumulated, factor):
    assert LearningRateScaling(8, rule).factor(batch, accumulated) == pytest.approx(factor)


def test_a_reference_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"learning_rate\.reference_batch: out of range, expected 1 or more, got 0"):
        LearningRateScaling(0).factor(8)


@pytest.mark.parametrize("scheduler", [None, WarmupCosine, partial(CosineAnnealingLR, T_max=9), ReduceLROnPlateau])
def test_every_group_is_scaled_before_the_scheduler_sees_it(scheduler):
    reference, _ = task(1.0, None).make_optimizer()
    optimizer, _ = task(3.0, scheduler).make_optimizer()
    assert [group["lr"] for group in reference.param_groups] == pytest.approx([0.01, 0.001])
    found = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    assert found == pytest.approx([0.03, 0.003])


@pytest.mark.parametrize(
    "scheduler",
    [partial(OneCycleLR, max_lr=0.1, total_steps=9), partial(CyclicLR, base_lr=0.1, max_lr=0.2, cycle_momentum=False)],
)
def test_a_scheduler_with_rates_of_its_own_is_refused(scheduler):
    with pytest.raises(ConfigError, match=r"learning_rate: the scheduler sets learning rates of its own"):
        task(3.0, scheduler).make_optimizer()
    assert task(1.0, scheduler).make_optimizer()[1] is not None
