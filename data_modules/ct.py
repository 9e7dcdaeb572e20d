"""Computed tomography: volumes, and slices saved as pictures."""

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation
from lit_medseg.data.any_dimension import AnyDimensionDataModule
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.ct_intensity import CTIntensity
from lit_medseg.preprocess.hu_window import HUWindow
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step


class CTDataModule(AnyDimensionDataModule):
    """Hounsfield units: absolute, so all cases are normalised alike, by the organs that are looked for.

    A window per body part is named in the YAML as the last step, and the Hounsfield units are left for it:
    `normalize: {class_path: lit_medseg.preprocess.hu_window.HUWindow, init_args: {low_hu: -45, high_hu: 105}}` within
    `preparation`.

    | part | level, width | low_hu | high_hu |
    | --- | --- | --- | --- |
    | brain | 40, 80 | 0 | 80 |
    | lung | -600, 1500 | -1350 | 150 |
    | mediastinum | 50, 350 | -125 | 225 |
    | abdomen | 50, 400 | -150 | 250 |
    | liver | 30, 150 | -45 | 105 |
    | bone | 400, 1800 | -500 | 1300 |

    Sources: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (steps, transforms, ranges); Murphy, Baba et al.,
    Windowing (CT), Radiopaedia, doi:10.53347/rID-52108 (the table).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        CanonicalOrientation: scanners and formats store axes in either direction; volumes are brought to one.
        CTIntensity: clipped to the 0.5 and 99.5 percentiles of the training cases' foreground, less its mean, by its
        deviation (Isensee 2021); left out where the YAML names a last step, such as a window of the table.
        HUWindow: classification knows no foreground: -1000 to 1000 holds air to bone, and Standardize: follows.
        ResampleTo: the median spacing of the training cases (Isensee 2021); left out where files have no spacing.
        Pictures of 8 bits stay as they are: their window is chosen already. Numbers with a sign are taken for
        Hounsfield units and put between 0 and 1 by the scale of 12 bits, HUWindow(-1024, 3071), without loss.
        """
        if not self.volumes:
            return [HUWindow(low_hu=-1024, high_hu=3071)] if self.kind.signed else []
        if self.preparation.normalize is not None:
            return [CanonicalOrientation(), *self.resampling()]
        if self.truth.labels is not None:
            return [CanonicalOrientation(), HUWindow(low_hu=-1000, high_hu=1000), *self.resampling(), Standardize()]
        return [CanonicalOrientation(), CTIntensity(), *self.resampling()]

    def default_normalize(self) -> Step | None:
        """Pictures: zero mean and unit deviation over the training cases; volumes are normalised already."""
        return None if self.volumes else Standardize()

    def default_augmentation(self) -> BatchAugmentation:
        """Give nnU-Net's transforms (Isensee 2021) but for two.

        Mirror: none: left and right hold meaning in a body (liver and spleen, the side of a kidney); a YAML adds axes
        where the anatomy is symmetric.
        Rotation: 30 degrees in the plane too, where nnU-Net turns all the way round: patients lie on a table.
        """
        return BatchAugmentation(rotation=Rotation(in_plane_degrees=(-30.0, 30.0)), mirror=Mirror(probability=0.0))
