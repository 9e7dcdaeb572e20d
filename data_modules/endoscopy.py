"""Frames of endoscopes: stomach, bowel, bladder, airways."""

from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.resize import Resize
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_rgb import ToRGB


class EndoscopyDataModule(CaseDataModule):
    """A camera that turns freely in a wet, moving tube, with its own lamp.

    Frames of one film are nearly the same picture: give `patient_pattern` or a patient column, so that a film does not
    train and test.

    Sources: Fan et al. 2020, doi:10.1007/978-3-030-59725-2_26 (size, scales); Ali et al. 2021,
    doi:10.1016/j.media.2021.102002 (what spoils frames: blur, contrast, saturation, reflections, noise).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToRGB: mucosa and vessels are told apart by colour.
        EightBit: cameras give eight bits.
        CropForeground: the black frame around the view goes; 20 of 255 is above what compression leaves in the black.
        Texts beside the view stay, and then keep what is between.
        Resize: 352 x 352 (Fan 2020); predictions return to each frame's own grid.
        """
        return [ToRGB(), EightBit(), CropForeground(threshold=20.0), Resize(height=352, width=352)]

    def default_normalize(self) -> Step:
        """Zero mean and unit deviation of red, green and blue over the training cases."""
        return Standardize()

    def default_augmentation(self) -> list[dict[str, Any]]:
        """Give the transforms.

        D4: a scope turns about its axis, and left and right are lost in the tube: all eight flips and quarter turns.
        Affine: distance and angle: scale 0.75 to 1.25 (Fan 2020), 45 degrees, so that with D4 every angle is met.
        ColorJitter: lamp, white balance and camera: brightness, contrast and saturation by 0.3, hue by 0.05 (Ali 2021).
        MotionBlur, GaussianBlur, GaussNoise: movement, fluid on the lens, darkness; in a tenth each (Ali 2021).
        """
        return [
            {"class_path": "albumentations.D4", "init_args": {"p": 1.0}},
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.75, 1.25], "rotate": [-45, 45], "p": 0.5},
            },
            {
                "class_path": "albumentations.ColorJitter",
                "init_args": {
                    "brightness": [0.7, 1.3],
                    "contrast": [0.7, 1.3],
                    "saturation": [0.7, 1.3],
                    "hue": [-0.05, 0.05],
                    "p": 0.5,
                },
            },
            {"class_path": "albumentations.MotionBlur", "init_args": {"blur_limit": [3, 9], "p": 0.1}},
            {"class_path": "albumentations.GaussianBlur", "init_args": {"sigma_limit": [0.5, 1.5], "p": 0.1}},
            {"class_path": "albumentations.GaussNoise", "init_args": {"std_range": [0.02, 0.1], "p": 0.1}},
        ]
