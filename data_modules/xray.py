"""Projection radiographs: chest films and others."""

from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.resize import ResizeWithin
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_gray import ToGray


class XRayDataModule(CaseDataModule):
    """Films as pictures: gray, taken in one standard position.

    Sources: Wang et al. 2017, doi:10.1109/CVPR.2017.369 (chest films shrunk for networks); Chlap et al. 2021,
    doi:10.1111/1754-9485.13261 (review: augmentation must stay anatomically plausible).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToGray: a film has no colour, though many are saved as RGB.
        EightBit: detectors give 10 to 16 bits, which the picture's own range brings to eight; 8-bit films stay.
        ResizeWithin: films of 3000 pixels shrink to 512 along the longest side (Wang 2017 uses 1024 and halves it in
        the network); smaller ones are not enlarged.
        """
        return [ToGray(), EightBit(), ResizeWithin(longest=512)]

    def default_normalize(self) -> Step:
        """Zero mean and unit deviation over the training cases."""
        return Standardize()

    def default_augmentation(self) -> list[dict[str, Any]]:
        """Give the transforms.

        No left-right flip: it would put the heart on the right, which is a finding (situs inversus); no up-down flip
        and no quarter turns: films are taken upright (Chlap 2021: only what a patient can be).
        Affine: patients stand a little differently: 10 degrees, a tenth in size, a twentieth in place (Chlap 2021).
        RandomBrightnessContrast, RandomGamma: exposure and processing differ between detectors (Chlap 2021).
        """
        return [
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.9, 1.1], "rotate": [-10, 10], "translate_percent": [-0.05, 0.05], "p": 0.5},
            },
            {
                "class_path": "albumentations.RandomBrightnessContrast",
                "init_args": {"brightness_limit": 0.2, "contrast_limit": 0.2, "p": 0.3},
            },
            {"class_path": "albumentations.RandomGamma", "init_args": {"gamma_limit": [80, 125], "p": 0.2}},
        ]
