"""nnU-Net's residual-encoder U-Net from plain numbers."""

from typing import Self

from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet  # type: ignore[import-untyped]
from torch import nn
from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.networks.stage_plan import StagePlan, plan_stages


def residual_encoder_unet(
    in_channels: int,
    classes: int,
    patch_size: tuple[int, ...],
    spacing_mm: tuple[float, ...] | None = None,
    base_features: int = 32,
    most_features: int | None = None,
    stages: StagePlan | None = None,
    deep_supervision: bool = False,
) -> nn.Module:
    """Build a U-Net with a residual encoder, for pictures or volumes.

    Source: Isensee et al., nnU-Net Revisited, 2024, doi:10.1007/978-3-031-72114-4_47; the layers are those of
    dynamic-network-architectures: instance normalisation, leaky ReLU, one convolution a stage in the decoder.

    Args:
        in_channels: Channels of the image.
        classes: Channels of the logits.
        patch_size: Sides of a training patch; taken from the data where the YAML leaves it out.
        spacing_mm: Of the voxels, in the order of the sides; None for equal.
        base_features: Channels at full resolution.
        most_features: See `plan_stages`.
        stages: Stated stages; None for `plan_stages`.
        deep_supervision: Give a list of levels while training, the finest first, each half the resolution of the one
            before, for `losses.deep_supervision.DeepSupervision`. In evaluation the finest alone comes out.

    Returns:
        A module from images `(B, in_channels, *S)` to logits `(B, classes, *S)`.

    Raises:
        ConfigError: The patch has neither two nor three axes, is too small, or cannot be halved as often as planned.
    """
    if len(patch_size) not in (2, 3):
        raise ConfigError(expected_got("patch_size", "unusable", "2 or 3 sides", patch_size, "Correct it"))
    plan = plan_stages(patch_size, spacing_mm, base_features, most_features) if stages is None else stages
    plan.check_patch(patch_size)
    volumes = len(patch_size) == 3
    network = _SwitchedUNet(
        input_channels=in_channels,
        n_stages=len(plan.features),
        features_per_stage=list(plan.features),
        conv_op=nn.Conv3d if volumes else nn.Conv2d,
        kernel_sizes=[list(sizes) for sizes in plan.kernel_sizes],
        strides=[list(steps) for steps in plan.strides],
        n_blocks_per_stage=list(plan.blocks),
        num_classes=classes,
        n_conv_per_stage_decoder=1,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d if volumes else nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=deep_supervision,
    )
    network.supervised = deep_supervision
    network.apply(network.initialize)
    return network


class _SwitchedUNet(ResidualEncoderUNet):  # type: ignore[misc]  # it has no type hints that mypy takes
    """Gives the coarser levels in training only: evaluation would compute them for nothing."""

    supervised = False

    @override
    def train(self, mode: bool = True) -> Self:
        self.decoder.deep_supervision = self.supervised and mode
        super().train(mode)
        return self
