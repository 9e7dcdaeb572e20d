"""What the last evaluation of a trainer found."""

from lightning.pytorch import LightningModule

from lit_medseg.metrics.evaluation import Evaluation


def last_evaluation(module: LightningModule, stage: str) -> Evaluation | None:
    """Read the module's results.

    Args:
        module: A task; it leaves `evaluation` after each validation and test.
        stage: `val` or `test`.

    Returns:
        The results; None where there are none of this stage (no cases, or no such evaluation yet).
    """
    found = getattr(module, "evaluation", None)
    return found if isinstance(found, Evaluation) and found.stage == stage else None
