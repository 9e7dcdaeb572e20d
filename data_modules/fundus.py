"""Colour photographs of the retina."""

from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.resize import Resize
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_rgb import ToRGB


class FundusDataModule(CaseDataModule):
    """The bright disc of the camera's view on black, cut off at the top and bottom by some cameras.

    Sources: Gulshan et al. 2016, doi:10.1001/jama.2016.17216 (pictures are cut to the disc and scaled by it);
    Krause et al. 2018, doi:10.1016/j.ophtha.2018.01.034 (779 pixels tell more than 299; augmentation).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToRGB: vessels are seen in green and haemorrhages in red; the rare gray (red-free) picture is repeated.
        EightBit: cameras give eight bits.
        CropForeground: the black around the disc goes, so that the disc fills the picture (Gulshan 2016); 15 of 255 is
        above what JPEG leaves in the black.
        Resize: cameras have 0.5 to 12 megapixels; 768 x 768 keeps small lesions (Krause 2018: 779). Predictions return
        to each picture's own grid.
        """
        return [ToRGB(), EightBit(), CropForeground(threshold=15.0), Resize(height=768, width=768)]

    def default_normalize(self) -> Step:
        """Zero mean and unit deviation of red, green and blue over the training cases."""
        return Standardize()

    def default_augmentation(self) -> list[dict[str, Any]]:
        """Give the transforms.

        HorizontalFlip: a mirrored right eye is a left eye, and both are photographed (Krause 2018); leave it out where
        a class depends on which eye it is. No VerticalFlip: the upper and lower arcades differ.
        Affine: heads are tilted, eyes of other sizes: 20 degrees, 0.9 to 1.1.
        ColorJitter: flash, lens and pigment: brightness, contrast and saturation by 0.2, hue by 0.02 (Krause 2018
        changes the same four).
        GaussianBlur: cataract and focus.
        """
        return [
            {"class_path": "albumentations.HorizontalFlip", "init_args": {"p": 0.5}},
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.9, 1.1], "rotate": [-20, 20], "p": 0.5},
            },
            {
                "class_path": "albumentations.ColorJitter",
                "init_args": {
                    "brightness": [0.8, 1.2],
                    "contrast": [0.8, 1.2],
                    "saturation": [0.8, 1.2],
                    "hue": [-0.02, 0.02],
                    "p": 0.5,
                },
            },
            {"class_path": "albumentations.GaussianBlur", "init_args": {"sigma_limit": [0.5, 1.5], "p": 0.1}},
        ]
