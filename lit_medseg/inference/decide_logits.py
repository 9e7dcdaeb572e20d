"""From logits to codes without the probabilities between."""

from torch import Tensor

from lit_medseg.target import Binary, MultiClass, Target


def decide_logits(logits: Tensor, target: Target) -> Tensor:
    """Decide as `target.decide(target.probabilities(logits))` does.

    Softmax and sigmoid do not change which is larger, so they need neither be computed nor stored; only where a float32
    probability rounds two different logits to one does the larger logit win here.

    Args:
        logits: `(B, channels, *S)`.
        target: The coding.

    Returns:
        Binary and exclusive classes `(B, *S)`, int64 or bool; overlapping `(B, K, *S)` bool.
    """
    if isinstance(target, MultiClass):
        return logits.argmax(dim=1)
    planes = logits > 0
    return planes[:, 0] if isinstance(target, Binary) else planes
