"""One folder per class: `root/<class>/...`."""

from dataclasses import dataclass
from pathlib import Path

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.image_files import image_files, image_stem
from lit_medseg.catalogue.patient_pattern import PatientPattern
from lit_medseg.catalogue.source import Listing, Source, listing
from lit_medseg.errors import DataError, expected_got


@dataclass(frozen=True)
class ClassFolders(Source):
    """The name of the first folder below the root is the class; folders below that are searched too.

    The case's id is the image's path relative to the root, with its ending.

    Attributes:
        patient_pattern: Regular expression on the image's stem whose one group is the patient's id.
    """

    patient_pattern: str | None = None

    def __post_init__(self) -> None:
        """Refuse a bad pattern.

        Raises:
            ConfigError: It is no regular expression with one group.
        """
        PatientPattern(self.patient_pattern)

    def list(self) -> Listing:
        """List the images of every class; images outside a class, empty classes and names without patient are faults.

        Raises:
            DataError: The root is missing or has no folders.
        """
        root = self.folder
        classes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        if not classes:
            todo = "Correct `root`: it holds one folder of images per class"
            raise DataError(expected_got(self.root, "there is no class folder", "at least one folder", 0, todo))
        faults = [
            expected_got(
                file.name, "image outside a class folder", "<class>/<image>", file.name, "Move it into a class"
            )
            for file in image_files(root, self.root)
        ]
        cases: list[Case] = []
        for folder in classes:
            files = image_files(folder, f"{self.root}/{folder.name}", deep=True)
            if not files:
                todo = "Add images or remove the folder"
                faults.append(expected_got(folder.name, "the class folder is empty", "images", 0, todo))
            for file in files:
                try:
                    cases.append(self._case(file.relative_to(root), folder.name))
                except DataError as fault:
                    faults.append(str(fault))
        return listing(cases, faults)

    def _case(self, file: Path, label: str) -> Case:
        name = file.as_posix()
        patient = PatientPattern(self.patient_pattern).patient(image_stem(file), name)
        return Case(case_id=name, patient_id=patient, images=(Ref(name),), labels=(label,))
