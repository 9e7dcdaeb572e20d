"""Photographs of skin through a dermatoscope."""

from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.preprocess.resize import Resize
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_rgb import ToRGB


class DermoscopyDataModule(CaseDataModule):
    """Skin lesions: large colour pictures with one lesion in the middle.

    Sources: Yuan et al. 2017, doi:10.1109/TMI.2017.2695227 (segmentation at a small common size); Perez et al. 2018,
    doi:10.1007/978-3-030-01201-4_33 (which augmentation helps on dermoscopy).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToRGB: colour is diagnostic; the rare gray picture is repeated so that it can be used.
        Resize: pictures of up to several thousand pixels hold one lesion, whose outline and colours are there at a
        common 3:4 size (Yuan 2017: 192 x 256; twice that here); predictions return to each picture's own grid.
        """
        return [ToRGB(), Resize(height=384, width=512)]

    def default_normalize(self) -> Step:
        """Zero mean and unit deviation of red, green and blue over the training cases (Perez 2018 uses fixed ones)."""
        return Standardize()

    def default_augmentation(self) -> list[dict[str, Any]]:
        """Give the transforms.

        HorizontalFlip, VerticalFlip: the dermatoscope has no up or down on skin (Perez 2018, scenario E).
        Affine: rotation up to 90 degrees, scale 0.8 to 1.2, shear up to 20 degrees (Perez 2018, scenario C).
        ColorJitter: light and camera: saturation, contrast and brightness by 0.3, hue by 0.1 (Perez 2018, scenario B).
        """
        return [
            {"class_path": "albumentations.HorizontalFlip", "init_args": {"p": 0.5}},
            {"class_path": "albumentations.VerticalFlip", "init_args": {"p": 0.5}},
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.8, 1.2], "rotate": [-90, 90], "shear": [-20, 20], "border_mode": 4, "p": 0.5},
            },
            {
                "class_path": "albumentations.ColorJitter",
                "init_args": {
                    "brightness": [0.7, 1.3],
                    "contrast": [0.7, 1.3],
                    "saturation": [0.7, 1.3],
                    "hue": [-0.1, 0.1],
                    "p": 0.5,
                },
            },
        ]
