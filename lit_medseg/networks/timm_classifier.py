"""A typed entry to timm's classifiers, whose own factory swallows unknown keys."""

import difflib

import timm
from torch import nn

from lit_medseg.errors import ConfigError


def timm_classifier(
    model_name: str,
    in_channels: int = 3,
    classes: int = 2,
    pretrained: bool = False,
    dropout: float = 0.0,
    image_size: int | None = None,
) -> nn.Module:
    """Build any timm classifier.

    Args:
        model_name: A name that `timm.list_models()` knows, such as `resnet18`.
        in_channels: Channels of the image.
        classes: Channels of the logits.
        pretrained: Download ImageNet weights; the default trains from scratch and needs no network connection.
        dropout: Share of the features dropped before the head, in [0, 1).
        image_size: Side of the square input, for transformers with position embeddings; None leaves timm's own.

    Returns:
        A module from images `(B, in_channels, H, W)` to logits `(B, classes)`.

    Raises:
        ConfigError: timm knows no such model, or the weights cannot be downloaded.
    """
    if not timm.is_model(model_name):
        near = difflib.get_close_matches(model_name, timm.list_models(), n=3) or timm.list_models("resnet*")[:3]
        raise ConfigError(
            f"model_name: timm has no such model, expected e.g. {near}, got {model_name!r}. Mend the name."
        )
    size = {} if image_size is None else {"img_size": image_size}
    try:
        network: nn.Module = timm.create_model(
            model_name, pretrained=pretrained, in_chans=in_channels, num_classes=classes, drop_rate=dropout, **size
        )
    except OSError as error:
        raise ConfigError(
            f"pretrained: the weights of {model_name} cannot be downloaded, expected a connection, got {error}. "
            "Set pretrained: false to train from scratch, or fill the hub's cache on a machine with a connection."
        ) from error
    return network
