"""The splits of a sweep's folds, made before its first trial as every `fit` will make them."""

from dataclasses import replace
from pathlib import Path

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.identical import settle_identical
from lit_medseg.catalogue.split import check_split
from lit_medseg.catalogue.validation_folds import ValidationFolds
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.errors import ConfigError, MedSegError, SplitError


def check_folds(data: CaseDataModule, splitter: ValidationFolds) -> None:
    """Make and check the split of every fold; the cases are read (once, for all runs to come), nothing is processed.

    Args:
        data: Of the experiment on one of its folds; not prepared.
        splitter: That fold's.

    Raises:
        MedSegError: The cases cannot be used; or a fold's split, in one line that names the fold: fewer patients than
            folds, a set without a class, a leak, identical images that are refused.
    """
    classes = data.truth.classes()
    data.source.prepare()
    manifest = build_manifest(data.source, classes, Path(data.preparation.cache_dir), data.trust.patients)
    for fold in range(splitter.folds):
        try:
            split = replace(splitter, fold=fold).split(manifest, classes)
            settled, split = settle_identical(manifest, split, data.trust.identical)
            check_split(split, settled, classes)
        except MedSegError as error:
            todo = " Or give the sweep fewer `folds`, or another `seed`." if isinstance(error, SplitError) else ""
            raise ConfigError(f"folds: fold {fold} of {splitter.folds}: {one_line(error)}{todo}") from error


def one_line(error: MedSegError) -> str:
    """Give a fault in one line: of several that one error lists, how many there are and the first."""
    head, *faults = str(error).splitlines()
    return f"{head}: {faults[0].strip().removeprefix('- ')}" if faults else head
