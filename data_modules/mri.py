"""Magnetic resonance imaging: volumes, and slices saved as pictures."""

from lit_medseg.augment.batch_augmentation import BatchAugmentation, standard_intensities
from lit_medseg.augment.bias_field import BiasField
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation
from lit_medseg.data.any_dimension import AnyDimensionDataModule
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.z_score import ZScore


class MRIDataModule(AnyDimensionDataModule):
    """Channels are contrasts (T1, T2, FLAIR, ...) of one patient, and intensities have no unit.

    Channels on different grids need `lit_medseg.preprocess.onto_channel.OntoChannel` as the first of the YAML's steps.

    Sources: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z (steps, transforms, ranges); Nyul, Udupa 1999,
    doi:10.1002/(SICI)1522-2594(199912)42:6<1072::AID-MRM11>3.0.CO;2-M (MR intensities have no fixed meaning);
    Van Leemput et al. 1999, doi:10.1109/42.811268 (uneven coils).
    """

    def default_preprocess(self) -> list[Step]:
        """Give the steps.

        CanonicalOrientation: sagittal, coronal and axial acquisitions are brought to one order of axes.
        CropForeground: the margins that are 0 in every channel go (Isensee 2021): brains that were cut out.
        ZScore: each channel of each case by itself, over the whole of what is left (Isensee 2021), so that the padding
        of patches, 0, is the mean. Brains that were cut out may take ZScore(region="nonzero") instead: there 0 stays 0.
        ResampleTo: the median spacing of the training cases (Isensee 2021), which changes nothing where all have it;
        left out where files have no spacing.
        PercentileRescale: pictures are stretched by their own percentiles instead (Nyul 1999).
        """
        if not self.volumes:
            return [PercentileRescale()]
        return [CanonicalOrientation(), CropForeground(), ZScore(), *self.resampling()]

    def default_normalize(self) -> Step | None:
        """Pictures: zero mean and unit deviation over the training cases; volumes are normalised already."""
        return None if self.volumes else Standardize()

    def default_augmentation(self) -> BatchAugmentation:
        """Give nnU-Net's transforms (Isensee 2021) but for these.

        Mirror: none: left and right hold meaning in a body (situs, the side of a lesion or ventricle); a YAML adds axes
        where the anatomy is symmetric.
        Rotation: 30 degrees in the plane too, where nnU-Net turns all the way round: patients lie on a table.
        BiasField: coils are more sensitive nearby (Van Leemput 1999).
        """
        return BatchAugmentation(
            rotation=Rotation(in_plane_degrees=(-30.0, 30.0)),
            mirror=Mirror(probability=0.0),
            intensity=[BiasField(), *standard_intensities()],
        )
