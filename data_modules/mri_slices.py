"""Slices of magnetic resonance images, stored as pictures."""

from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step


class MRISlicesDataModule(CaseDataModule):
    """One slice a case; channels are contrasts (T1, T2, ...), and intensities have no unit.

    Sources: Nyul, Udupa 1999, doi:10.1002/(SICI)1522-2594(199912)42:6<1072::AID-MRM11>3.0.CO;2-M (MR intensities have
    no fixed meaning); Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (transforms and ranges).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        PercentileRescale: the same tissue has other numbers on another scanner, so each channel of each slice is
        stretched by its own percentiles (Nyul 1999); its float32 keeps more than eight bits where the files have them.
        """
        return [PercentileRescale()]

    def default_normalize(self) -> Step:
        """Zero mean and unit deviation of each channel over the training cases (Isensee 2021)."""
        return Standardize()

    def default_augmentation(self) -> list[dict[str, Any]]:
        """Give the transforms.

        No flips: left and right hold meaning in a body (situs, the side of a lesion or ventricle); a YAML adds them
        where the anatomy is symmetric.
        Affine: patients lie differently, up to 15 degrees, and are of other sizes, 0.7 to 1.4 (Isensee 2021).
        RandomBrightnessContrast: coils and sequences, 0.7 to 1.3 (Isensee 2021).
        RandomGamma: contrast between tissues, exponent 0.7 to 1.5 (Isensee 2021).
        GaussianBlur, GaussNoise: resolution and noise of scanners; rare (Isensee 2021).
        """
        return [
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.7, 1.4], "rotate": [-15, 15], "translate_percent": [-0.05, 0.05], "p": 0.3},
            },
            {
                "class_path": "albumentations.RandomBrightnessContrast",
                "init_args": {"brightness_limit": 0.3, "contrast_limit": 0.3, "p": 0.15},
            },
            {"class_path": "albumentations.RandomGamma", "init_args": {"gamma_limit": [70, 150], "p": 0.3}},
            {"class_path": "albumentations.GaussianBlur", "init_args": {"sigma_limit": [0.5, 1.0], "p": 0.1}},
            {"class_path": "albumentations.GaussNoise", "init_args": {"std_range": [0.02, 0.1], "p": 0.1}},
        ]
