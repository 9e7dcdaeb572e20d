"""A case with its prediction and its reference."""

from dataclasses import dataclass

from lit_medseg.inference.post_process.apply import Codes


@dataclass(frozen=True)
class PredictedCase:
    """A validation case, or one of a fold's test part, with its prediction, on the native grid.

    Attributes:
        patient_id: Patients count alike, however many cases they have.
        prediction: Codes `(*S)`, overlapping classes `(K, *S)` of 0 and 1, as they were decided.
        reference: Codes of the same shape.
        spacing_mm: Distance of voxel centres along each axis of S; None where it is unknown.
    """

    patient_id: str
    prediction: Codes
    reference: Codes
    spacing_mm: tuple[float, ...] | None = None
