"""The polynomial decay."""

from torch.optim import Optimizer

from lit_medseg.tasks.step_schedule import StepSchedule


class PolynomialDecay(StepSchedule):
    """Rate times `(1 - step / steps) ** power`.

    Source: Chen et al. 2018 (DeepLab, arXiv:1606.00915), section 4.1; with power 0.9 the schedule of nnU-Net
    (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z).
    """

    def __init__(self, optimizer: Optimizer, power: float = 0.9) -> None:
        """Plan the shape.

        Args:
            optimizer: Its rates are the first rates.
            power: 1 is linear; larger falls faster at first.
        """
        self.power = power
        super().__init__(optimizer)

    def factor(self, step: int, total_steps: int) -> float:
        """Fall from 1 to 0."""
        return float((1 - step / total_steps) ** self.power)
