"""Tiles of stained tissue sections under a slide scanner."""

from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_rgb import ToRGB


class HistopathologyDataModule(CaseDataModule):
    """Haematoxylin and eosin, or immunohistochemistry: laboratories stain differently, and a section lies anyhow.

    Tiles of one slide or patient belong to one set: give `patient_pattern` or a patient column.

    Source: Tellez et al. 2019, doi:10.1016/j.media.2019.101544 (which augmentation helps in another laboratory).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToRGB: stains are told apart by colour; the rare gray tile is repeated.
        EightBit: slide scanners give eight bits.
        Nothing is stretched: white is the lamp without tissue on every slide, and a tile without a nucleus must not
        look as if it had one. Stains are not normalised: augmentation serves better (Tellez 2019).
        """
        return [ToRGB(), EightBit()]

    def default_normalize(self) -> Step:
        """Zero mean and unit deviation of red, green and blue over the training cases."""
        return Standardize()

    def default_augmentation(self) -> list[dict[str, Any]]:
        """Give the transforms.

        D4: a section has no up, down, left or right: all eight flips and quarter turns (Tellez 2019: basic).
        Affine: magnification 0.8 to 1.2 (Tellez 2019: morphology), any small angle.
        No ElasticTransform: it is in Tellez 2019 too, but takes as long as all the others together.
        HEDJitter: stains, in every tile: haematoxylin, eosin and DAB by 0.05 (Tellez 2019: HED-light; 0.2 is
        HED-strong).
        ColorJitter: lamp and scanner: factors of brightness and contrast, 0.65 to 1.35 (Tellez 2019: BC); no hue and
        saturation beside the stains, which is another of their ways to the same end.
        GaussianBlur, GaussNoise: focus and camera (Tellez 2019: morphology).
        """
        return [
            {"class_path": "albumentations.D4", "init_args": {"p": 1.0}},
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.8, 1.2], "rotate": [-45, 45], "border_mode": 4, "p": 0.3},
            },
            {"class_path": "lit_medseg.augment.hed_jitter.HEDJitter", "init_args": {"p": 1.0}},
            {
                "class_path": "albumentations.ColorJitter",
                "init_args": {
                    "brightness": [0.65, 1.35],
                    "contrast": [0.65, 1.35],
                    "saturation": [1.0, 1.0],
                    "hue": [0.0, 0.0],
                    "p": 0.5,
                },
            },
            {"class_path": "albumentations.GaussianBlur", "init_args": {"sigma_limit": [0.5, 1.0], "p": 0.1}},
            {"class_path": "albumentations.GaussNoise", "init_args": {"std_range": [0.02, 0.1], "p": 0.1}},
        ]
