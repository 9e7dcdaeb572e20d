"""What a checkpoint must know of the data: classes, and the pipeline with its fitted values."""

from dataclasses import dataclass
from typing import Any

from lit_medseg.data.truth import Truth, by_name
from lit_medseg.errors import CheckpointError
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.target import Target, target_from_plain


@dataclass(frozen=True)
class FittedState:
    """The way from a file to the network, complete.

    Attributes:
        pipeline: Preprocessing, fitted.
        normalize: The last step, fitted, as a pipeline of one or none.
        truth: The classes as the YAML of the training declared them.
        target: Their coding.
        image_channels: Channels that the network is given.
        spacing_mm: Median spacing of the processed training images, in the order of their axes; None where it is
            unknown.
        axes: Spatial axes of the processed training images, 2 (pictures) or 3 (volumes); None in a checkpoint that does
            not say.
    """

    pipeline: Pipeline
    normalize: Pipeline
    truth: Truth
    target: Target
    image_channels: int
    spacing_mm: tuple[float, ...] | None = None
    axes: int | None = None

    def plain(self) -> dict[str, Any]:
        """Give the state as JSON-able data."""
        return {
            "pipeline": self.pipeline.plain(),
            "normalize": self.normalize.plain(),
            "truth": {
                # Lists of pairs: the order of the classes is the order of their codes.
                "masks": None
                if self.truth.masks is None
                else [[name, value] for name, value in self.truth.masks.items()],
                "labels": None
                if self.truth.labels is None
                else [list(pair) for pair in by_name(self.truth.labels).items()],
                "overlapping": self.truth.overlapping,
                "others": self.truth.others,
            },
            "target": self.target.plain(),
            "image_channels": self.image_channels,
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "axes": self.axes,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "FittedState":
        """Rebuild the state of a checkpoint.

        Raises:
            CheckpointError: Something is missing from it.
        """
        try:
            truth = plain["truth"]
            masks = None if truth["masks"] is None else {name: int(value) for name, value in truth["masks"]}
            pairs = truth["labels"]
            labels: dict[str, str | int] | None = None if pairs is None else {name: str(label) for name, label in pairs}
            return cls(
                Pipeline.from_plain(plain["pipeline"]),
                Pipeline.from_plain(plain["normalize"]),
                Truth(masks, labels, bool(truth["overlapping"]), truth.get("others", "refuse")),
                target_from_plain(plain["target"]),
                int(plain["image_channels"]),
                None if plain["spacing_mm"] is None else tuple(plain["spacing_mm"]),
                plain.get("axes"),
            )
        except (KeyError, TypeError) as error:
            todo = "Use a checkpoint that lit_medseg wrote"
            text = f"checkpoint: unusable data part, expected pipeline, classes and channels, got no {error}. {todo}."
            raise CheckpointError(text) from error

    def check(self, truth: Truth, steps: Pipeline | None, normalize: Pipeline | None) -> None:
        """Refuse a YAML that asks for something else; what it leaves out asks nothing.

        Args:
            truth: The YAML's classes; values in the files may differ, names and their order may not.
            steps: The YAML's preprocessing; None where it names none.
            normalize: The YAML's last step; None where it names none.

        Raises:
            CheckpointError: Every contradiction.
        """
        faults = (
            [] if steps is None else [f"data.preparation.steps: {text}" for text in self.pipeline.contradictions(steps)]
        )
        if normalize is not None:
            faults += [f"data.preparation.normalize: {text}" for text in self.normalize.contradictions(normalize)]
        if truth.declared:
            asked = truth.classes().target()
            if asked != self.target or (truth.masks is None) != (self.truth.masks is None):
                faults.append(f"data.truth: other classes, expected {self.target.plain()}, got {asked.plain()}")
        if faults:
            listed = "\n".join(f"  - {fault}" for fault in faults)
            todo = "Take them out of the YAML: the checkpoint brings its own"
            text = (
                f"checkpoint: the YAML contradicts it, expected no contradiction, got {len(faults)}. {todo}.\n{listed}"
            )
            raise CheckpointError(text)
