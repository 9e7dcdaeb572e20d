"""The one way from a source to a checked manifest and a checked split."""

from pathlib import Path

from lit_medseg.catalogue.build_manifest import Patients, build_manifest
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.identical import IdenticalImages, settle_identical
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.source import Source
from lit_medseg.catalogue.split import Split, check_split
from lit_medseg.catalogue.splitter import Splitter


def catalogue(
    source: Source,
    classes: Classes,
    splitter: Splitter,
    patients: Patients = "required",
    identical: IdenticalImages = "refuse",
    cache_folder: Path | None = None,
) -> tuple[Manifest, Split]:
    """Make the files if the source makes them, read and check all cases, split them, and check the split.

    Every process may call it: the same source gives the same result, and the reading is done once.

    Args:
        source: Where the cases come from.
        classes: The declared classes.
        splitter: How the sets are made.
        patients: `required`, or `unknown` where the data set has no patient ids.
        identical: What is done with identical images in two sets or with contradicting truth.
        cache_folder: Where the manifest is kept; None reads every time.

    Returns:
        The manifest and the split, without what `identical` dropped.

    Raises:
        DataError: Cases that cannot be used, or identical images that are refused.
        SplitError: A split that cannot be made, that leaks or that misses a class.
    """
    source.prepare()
    manifest = build_manifest(source, classes, cache_folder, patients)
    manifest, split = settle_identical(manifest, splitter.split(manifest, classes), identical)
    check_split(split, manifest, classes)
    return manifest, split
