"""Light and fluorescence microscopy: pictures, and stacks of slices."""

from typing import Any

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.data.any_dimension import AnyDimensionDataModule
from lit_medseg.preprocess.bright_foreground import BrightForeground
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_rgb import ToRGB
from lit_medseg.preprocess.z_score import ZScore


class MicroscopyDataModule(AnyDimensionDataModule):
    """Cells and tissue: gray and stained images mixed, no up or down, exposure without a unit.

    Sources: Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7 (nuclei across experiments); Tellez et al. 2019,
    doi:10.1016/j.media.2019.101544 (stain variation); Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (ranges);
    Weigert et al. 2020, doi:10.1109/WACV45572.2020.9093435 (stacks).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToRGB: experiments mix gray fluorescence and colour stains (Caicedo 2019), and a network takes one kind.
        BrightForeground: bright-field images are inverted, so that nuclei are bright everywhere (Caicedo 2019).
        PercentileRescale: exposure and gain differ between microscopes and carry no unit (Isensee 2021); all channels
        together, since the ratio of the channels is the stain.
        EightBit: pictures keep eight bits, which quarters the cache.
        Stacks keep their channels, which are dyes: PercentileRescale takes the 1st and 99.8th of each by itself
        (Weigert 2020), and no EightBit follows, since dim nuclei use few of a detector's 16 bits.
        CanonicalOrientation: stacks whose files know a place are brought to one order of axes.
        ZScore: stacks are normalised one by one (Isensee 2021).
        ResampleTo: the median spacing of the training stacks (Isensee 2021); left out where files have none.
        """
        if not self.volumes:
            return [ToRGB(), BrightForeground(), PercentileRescale(jointly=True), EightBit()]
        rescale = PercentileRescale(low=1.0, high=99.8)
        return [CanonicalOrientation(), BrightForeground(), rescale, ZScore(), *self.resampling()]

    def default_normalize(self) -> Step | None:
        """Pictures: zero mean and unit deviation over the training cases (Isensee 2021); stacks have it already."""
        return None if self.volumes else Standardize()

    def default_augmentation(self) -> BatchAugmentation | list[dict[str, Any]]:
        """Give the transforms.

        Stacks: nnU-Net's (Isensee 2021), with mirrors along all axes and turns in the plane of thick slices: a sample
        has no left and right (Weigert 2020). Pictures:
        D4: a slide has no up, down, left or right: all eight flips and quarter turns (Tellez 2019).
        Affine: magnification 0.7 to 1.4 as nnU-Net's scaling, any small angle (Isensee 2021).
        No ElasticTransform: tissue does deform when it is cut (Tellez 2019), but the transform takes as long as all the
        others together.
        RandomBrightnessContrast: exposure; ranges of nnU-Net, 0.7 to 1.3 (Isensee 2021), of the image's own mean.
        HueSaturationValue: stains differ between laboratories, light variation (Tellez 2019); gray stays nearly gray.
        GaussianBlur, GaussNoise: focus and camera; each in a fifth of the samples or fewer (Isensee 2021).
        """
        if self.volumes:
            return BatchAugmentation()
        return [
            {"class_path": "albumentations.D4", "init_args": {"p": 1.0}},
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.7, 1.4], "rotate": [-45, 45], "border_mode": 4, "p": 0.3},
            },
            {
                "class_path": "albumentations.RandomBrightnessContrast",
                "init_args": {"brightness_limit": 0.3, "contrast_limit": 0.3, "brightness_by_max": False, "p": 0.3},
            },
            {
                "class_path": "albumentations.HueSaturationValue",
                "init_args": {"hue_shift_limit": 10, "sat_shift_limit": 20, "val_shift_limit": 10, "p": 0.2},
            },
            {"class_path": "albumentations.GaussianBlur", "init_args": {"sigma_limit": [0.5, 1.0], "p": 0.1}},
            {"class_path": "albumentations.GaussNoise", "init_args": {"std_range": [0.02, 0.1], "p": 0.1}},
        ]
