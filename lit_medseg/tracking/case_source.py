"""What the pictures need of a data module."""

from typing import Protocol, cast

from lightning.pytorch import Trainer

from lit_medseg.catalogue.split import Split
from lit_medseg.imaging.volume import Volume


class CaseSource(Protocol):
    """A data module of ours, as far as the pictures know it."""

    @property
    def split(self) -> Split:
        """The sets, in the order of the manifest."""

    def native_image(self, case_id: str) -> Volume:
        """Read a case's image on its own grid."""


def case_source(trainer: Trainer) -> CaseSource | None:
    """Find the data module that can show images; None where the trainer runs on plain loaders."""
    module = getattr(trainer, "datamodule", None)
    return cast(CaseSource, module) if hasattr(module, "native_image") and hasattr(module, "split") else None


def spread(ids: tuple[str, ...], count: int) -> list[str]:
    """Choose ids evenly over a list, first and last among them; all of them where there are not more."""
    if count >= len(ids):
        return list(ids)
    return [ids[round(number * (len(ids) - 1) / max(1, count - 1))] for number in range(count)]
