"""The one contract of keys, shapes and dtypes between data and tasks."""

from typing import Any, TypedDict

from torch import Tensor


class Batch(TypedDict, total=False):
    """What a collated batch holds; S is (H, W) or (D, H, W).

    Training batches have `image`, `case_id` and `mask` or `label`. Evaluation batches also have `patient_id`, `trace`
    and, for segmentation, `reference`; a batch to predict on has neither mask nor label.
    """

    image: Tensor
    """`(B, C, *S)` float32, normalised."""
    crops: Any
    """Training with augmentation on the device: what `image` and `mask` are made of there (`data.crops.Crops`)."""
    mask: Tensor
    """`(B, *S)` uint8 class codes; overlapping classes `(B, K, *S)` uint8 of 0 and 1. The task widens them on its
    device."""
    label: Tensor
    """`(B,)` int64 class code; overlapping classes `(B, K)` int64 of 0 and 1."""
    case_id: list[str]
    skipped: list[Any]
    """New studies that could not be read or processed (`inference.skipped_case.SkippedCase`); they are no cases."""
    patient_id: list[str]
    trace: list[Any]
    """One `preprocess.trace.CaseTrace` a case: the way back to the native grid."""
    ways: "list[Batch]"
    """Evaluation of an ensemble, in place of `image` and `mask`: the cases through each preprocessing of its members,
    with `image`, `trace` and perhaps `mask`."""
    way_of: list[int]
    """Of an ensemble: which of the ways each member takes."""
    reference: list[Tensor]
    """One mask a case on its native grid, uint8 `(*S)` or `(K, *S)`."""
