"""Whole images through a network that needs sides it can halve."""

from collections.abc import Callable
from dataclasses import dataclass
from types import EllipsisType

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class WholeImage:
    """Pad an image to a multiple of the network's stride, run it whole, and cut the padding off.

    Has the call of `monai.inferers.Inferer`, so that MONAI's sliding windows can stand in its place by class path.

    Attributes:
        divisor: The sides become multiples of this; 32 fits an encoder of five halvings.
        flips: Average the logits over the image and its mirror images along each axis and both (test-time
            augmentation; four passes for two dimensions). Only where a mirrored image is a possible image.
    """

    divisor: int = 32
    flips: bool = False

    def __call__(self, inputs: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Compute the logits of whole images.

        Args:
            inputs: `(B, C, *S)`.
            network: From `(B, C, *S')` to `(B, K, *S')`.

        Returns:
            Logits `(B, K, *S)`.
        """
        grid = inputs.shape[2:]
        padded = self._pad(inputs)
        logits = network(padded)
        if self.flips:
            axes = range(2, inputs.ndim)
            choices = [
                [axis for bit, axis in enumerate(axes) if number >> bit & 1] for number in range(1, 2 ** len(axes))
            ]
            logits = logits.float()
            for chosen in choices:
                logits = logits + network(padded.flip(chosen)).flip(chosen).float()
            logits = logits / (len(choices) + 1)
        cut: tuple[EllipsisType | slice[None, int, None], ...] = (..., *(slice(side) for side in grid))
        return logits[cut]

    def _pad(self, inputs: Tensor) -> Tensor:
        missing = [-side % self.divisor for side in inputs.shape[2:]]
        if not any(missing):
            return inputs
        # reflection keeps the texture going at the border; it cannot exceed the image, so tiny images repeat the edge
        fits = all(more < side for more, side in zip(missing, inputs.shape[2:], strict=True))
        widths = [width for more in reversed(missing) for width in (0, more)]
        return functional.pad(inputs, widths, mode="reflect" if fits else "replicate")
