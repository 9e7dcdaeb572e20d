"""Settings of transfer learning."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class FineTuning:
    """How training starts from something that exists.

    ImageNet weights are the network's own affair (`encoder_weights: imagenet`, `pretrained: true`).

    Attributes:
        start_from: A checkpoint of ours whose network's weights are the start; what does not fit stays fresh.
        frozen: Dotted names of the network's modules that are not trained, such as `[encoder]`.
        encoder: Dotted name of the encoder within the network.
        encoder_lr_factor: The encoder's learning rate as a multiple of the rest's; commonly 0.1 for a pretrained one.
    """

    start_from: str | None = None
    frozen: list[str] = field(default_factory=list)
    encoder: str = "encoder"
    encoder_lr_factor: float = 1.0
