"""Steps in a row: fitted, applied, undone, and written down as one."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.plain import step_from_plain, step_to_plain
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import FittedStep, Step
from lit_medseg.preprocess.trace import CaseTrace, Trace


@dataclass(frozen=True)
class Pipeline:
    """The steps that every case goes through, in this order."""

    steps: tuple[Step, ...] = ()

    @property
    def fitted(self) -> bool:
        """Whether no step waits for values of the training cases."""
        return all(step.fitted for step in self.steps if isinstance(step, FittedStep))

    def fit(self, samples: Callable[[], Iterable[Sample]]) -> "Pipeline":
        """Measure what the steps need, each on the samples as the steps before it leave them.

        Args:
            samples: Called once per step to fit: gives the training cases, one after the other.

        Returns:
            A pipeline without open values; the same one where nothing was open.
        """
        done: list[Step] = []
        for step in self.steps:
            if isinstance(step, FittedStep) and not step.fitted:
                done.append(step.fit(_through(done, (_with_main_image(self.steps, each) for each in samples()))))
            else:
                done.append(step)
        return Pipeline(tuple(done))

    def apply(self, sample: Sample) -> tuple[Sample, CaseTrace]:
        """Process one case.

        Raises:
            ConfigError: The pipeline has not been fitted.
        """
        if not self.fitted:
            raise ConfigError("preprocess: values are open, expected a fitted pipeline, got none. Call fit first.")
        current, traces = _with_main_image(self.steps, sample), list[Trace]()
        native = current.native
        for step in self.steps:
            current, trace = step.apply(current)
            traces.append(trace)
        return current, CaseTrace.start(native, tuple(traces), current.images[0])

    def invert(self, volume: Volume, trace: CaseTrace) -> Volume:
        """Bring a prediction back to the native grid, spacing and affine.

        Raises:
            DataError: The trace belongs to another pipeline.
        """
        if len(trace.steps) != len(self.steps):
            got, expected = len(trace.steps), len(self.steps)
            raise DataError(
                f"trace: of another pipeline, expected {expected} steps, got {got}. Preprocess the case again."
            )
        for step, step_trace in zip(reversed(self.steps), reversed(trace.steps), strict=True):
            volume = step.invert(volume, step_trace)
        if volume.grid != trace.grid:
            raise DataError(
                f"prediction: not on its native grid, expected {trace.grid}, got {volume.grid}. Check the steps."
            )
        return trace.place(volume)

    def interpolates(self, trace: CaseTrace) -> bool:
        """Say whether the way back of this case computes values between voxels; labels then have to wait for it."""
        return any(step.interpolates and left for step, left in zip(self.steps, trace.steps, strict=False))

    def truth(self, mask: Volume) -> Volume:
        """Give the native mask as predictions of this pipeline are compared with it."""
        for step in self.steps:
            mask = step.truth(mask)
        return mask

    def plain(self) -> list[dict[str, Any]]:
        """Give the steps with their fitted values as JSON-able data."""
        return [step_to_plain(step) for step in self.steps]

    @classmethod
    def from_plain(cls, plain: Sequence[dict[str, Any]]) -> "Pipeline":
        """Rebuild a pipeline from what `plain` gave."""
        return cls(tuple(step_from_plain(item) for item in plain))

    @property
    def fingerprint(self) -> str:
        """A hash of the steps, their values and versions: equal exactly where equal cases become equal arrays."""
        text = json.dumps([self.plain(), [step.version for step in self.steps]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def contradictions(self, asked: "Pipeline") -> list[str]:
        """List where a YAML's pipeline differs from this one (a checkpoint's); its open values ask nothing."""
        mine, theirs = self.plain(), asked.plain()
        paths, asked_paths = [item["class_path"] for item in mine], [item["class_path"] for item in theirs]
        if paths != asked_paths:
            return [f"the steps differ, expected {paths}, got {asked_paths}"]
        return [
            f"{item['class_path']}.{key} differs, expected {item['init_args'][key]!r}, got {value!r}"
            for item, other in zip(mine, theirs, strict=True)
            for key, value in other["init_args"].items()
            if value is not None and value != item["init_args"][key]
        ]


def _with_main_image(steps: Sequence[Step], sample: Sample) -> Sample:
    """Mark the image that the first step with an opinion names: the steps before it note whose grid they change."""
    for step in steps:
        main = step.main_image(sample)
        if main is not None:
            return replace(sample, main=main)
    return sample


def _through(steps: Sequence[Step], samples: Iterable[Sample]) -> Iterator[Sample]:
    """Send samples through steps, one after the other."""
    for sample in samples:
        current = sample
        for step in steps:
            current, _ = step.apply(current)
        yield current
