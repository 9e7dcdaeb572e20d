"""Learning-rate schedules that are planned over the whole of training."""

from abc import ABC, abstractmethod

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class StepSchedule(LambdaLR, ABC):
    """A factor on the optimizer's rates as a function of the step and of the number of steps in all.

    The number of steps is known only when training starts: the task calls `plan` then. Until then the factor is that of
    a single step.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        """Attach to an optimizer.

        Args:
            optimizer: Its rates are the peak rates.
        """
        self.total_steps = 1
        super().__init__(optimizer, self._factor_at)

    def plan(self, total_steps: int) -> None:
        """Spread the schedule over a number of optimizer steps, and set the rates of the step it stands at.

        Args:
            total_steps: At least 1.
        """
        self.total_steps = max(1, total_steps)
        factor = self._factor_at(self.last_epoch)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * factor
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    @abstractmethod
    def factor(self, step: int, total_steps: int) -> float:
        """Give the factor, in [0, 1], for a zero-based step."""

    def _factor_at(self, step: int) -> float:
        return self.factor(min(step, self.total_steps), self.total_steps)
