"""The last step before the network, on a bare array."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample


def normalized(image: NDArray[Any], normalize: Pipeline) -> NDArray[np.float32]:
    """Normalise one sample.

    Args:
        image: `(C, *S)`, uint8 or float32.
        normalize: The fitted step, as a pipeline of one.

    Returns:
        `(C, *S)` float32, contiguous, freshly allocated.

    Raises:
        ConfigError: The step changes the grid.
    """
    sample = Sample((flat_volume(image),))
    for step in normalize.steps:
        sample, _ = step.apply(sample)
    changed = sample.images[0].array
    if changed.shape[1:] != image.shape[1:]:
        todo = "Move the step to data.preparation.steps"
        where, before, after = "data.preparation.normalize", image.shape[1:], changed.shape[1:]
        raise ConfigError(f"{where}: changes the grid, expected {before}, got {after}. {todo}.")
    # A view, or the image itself, may lie in the read-only cache.
    copy = True if changed is image or changed.base is not None else None
    return np.array(changed, dtype=np.float32, order="C", copy=copy)
