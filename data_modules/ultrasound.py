"""Ultrasound: pictures, cine loops cut into pictures, and volumes of 3D probes."""

from typing import Any

from lit_medseg.augment.batch_augmentation import BatchAugmentation, standard_intensities
from lit_medseg.augment.bias_field import BiasField
from lit_medseg.augment.elastic import Elastic
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation
from lit_medseg.augment.scaling import Scaling
from lit_medseg.data.any_dimension import AnyDimensionDataModule
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.resize import ResizeWithin
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.to_gray import ToGray
from lit_medseg.preprocess.z_score import ZScore


class UltrasoundDataModule(AnyDimensionDataModule):
    """B-mode: the probe is at the top, shadows and attenuation run away from it, gain is the operator's.

    Sources: Leclerc et al. 2019, doi:10.1109/TMI.2019.2900516 (echocardiograms at a small common size); Tirindelli et
    al. 2021, doi:10.1007/978-3-030-87237-3_66 (augmentation must follow the physics: what it turns or mirrors freely
    no probe can see); Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (volumes).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        ToGray: B-mode has no colour, though screens are saved as RGB; leave it out for colour Doppler.
        EightBit: the screen's own eight bits, log-compressed by the machine.
        ResizeWithin: screens of 1000 pixels shrink to 512 along the longest side (Leclerc 2019: 256).
        CanonicalOrientation: volumes that know their place are brought to one order of axes.
        ZScore: volumes are normalised one by one (Isensee 2021): gain differs from case to case.
        ResampleTo: the median spacing of the training volumes (Isensee 2021); left out where files have none.
        """
        if not self.volumes:
            return [ToGray(), EightBit(), ResizeWithin(longest=512)]
        return [CanonicalOrientation(), ZScore(), *self.resampling()]

    def default_normalize(self) -> Step | None:
        """Pictures: zero mean and unit deviation over the training cases; volumes are normalised already."""
        return None if self.volumes else Standardize()

    def default_augmentation(self) -> BatchAugmentation | list[dict[str, Any]]:
        """Give the transforms of volumes, or of pictures.

        No flips (Mirror: none): upside down the probe would be inside the patient (Tirindelli 2021), and left and right
        are agreed on by the probe's marker; a YAML adds HorizontalFlip where they mean nothing (breast, thyroid).
        Affine, Rotation, Scaling: the probe is tilted a little, depth is set differently: 15 degrees, 0.8 to 1.2.
        Elastic: volumes are pressed by the probe (Tirindelli 2021: deformation); pictures are not, it would take longer
        than all the rest.
        BiasField: attenuation and gain along the depth.
        RandomBrightnessContrast, RandomGamma: gain and dynamic range of the machine.
        MultiplicativeNoise: speckle, and the ratio of signal to noise (Tirindelli 2021).
        GaussianBlur: focus.
        """
        if self.volumes:
            return BatchAugmentation(
                rotation=Rotation(degrees=(-15.0, 15.0), in_plane_degrees=(-15.0, 15.0)),
                scaling=Scaling(factor=(0.8, 1.2)),
                elastic=Elastic(probability=0.2),
                mirror=Mirror(probability=0.0),
                intensity=[BiasField(), *standard_intensities()],
            )
        noise = {"multiplier": [0.8, 1.2], "per_channel": False, "elementwise": True, "p": 0.2}
        return [
            {
                "class_path": "albumentations.Affine",
                "init_args": {"scale": [0.8, 1.2], "rotate": [-15, 15], "translate_percent": [-0.05, 0.05], "p": 0.5},
            },
            {
                "class_path": "albumentations.RandomBrightnessContrast",
                "init_args": {"brightness_limit": 0.2, "contrast_limit": 0.2, "brightness_by_max": False, "p": 0.3},
            },
            {"class_path": "albumentations.RandomGamma", "init_args": {"gamma_limit": [70, 150], "p": 0.3}},
            {"class_path": "albumentations.MultiplicativeNoise", "init_args": noise},
            {"class_path": "albumentations.GaussianBlur", "init_args": {"sigma_limit": [0.5, 1.0], "p": 0.1}},
        ]
