"""Names of the columns beyond ratios of counts; what only reads tables starts without torch."""

SURFACE = ("hd95_mm", "assd_mm", "surface_dice")
VOLUME = ("volume_ml", "reference_volume_ml", "volume_error_ml", "absolute_volume_error_ml", "relative_volume_error")
LESIONS = ("lesion_sensitivity", "lesion_precision")
MEASURES = (*SURFACE, *VOLUME, *LESIONS)
"""The scored columns, in their order: there where they are asked for and the spacing allows; NaN is undefined."""
