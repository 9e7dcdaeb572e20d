"""One change to a predicted mask, after the classes have been decided."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.target import MultiLabel, Target

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PostProcess(ABC):
    """What is done to the mask of a class. Children are frozen dataclasses with plain fields: a YAML can name them.

    Attributes:
        classes: The classes that are changed; none named: every class but the background.
        together: Whether these classes are changed as one mask and not each alone.
    """

    classes: tuple[str, ...] = field(default=(), kw_only=True)
    together: bool = field(default=False, kw_only=True)

    @abstractmethod
    def change(self, mask: Mask, spacing_mm: tuple[float, ...]) -> Mask:
        """Change one mask.

        Args:
            mask: `(*S)` bool, cut to the box that holds it and `margin` voxels around, within the image.
            spacing_mm: Distance of voxel centres along each axis.

        Returns:
            A new mask of the same shape.
        """

    def margin(self, spacing_mm: tuple[float, ...]) -> tuple[int, ...]:
        """Give how many voxels around a mask, along each axis, a change may reach or has to see."""
        return (0,) * len(spacing_mm)

    def places(self, target: Target) -> tuple[int, ...]:
        """Find the classes: their codes, or the numbers of their planes where classes overlap.

        Args:
            target: How the codes are meant.

        Returns:
            In the order of the target's classes.

        Raises:
            ConfigError: A class is unknown, or exclusive classes have no background to which a voxel could go.
        """
        where = f"post-processing {type(self).__name__}"
        unknown = sorted(set(self.classes) - set(target.foreground))
        if unknown:
            todo = "Name classes that are predicted"
            raise ConfigError(expected_got(where, "unknown class", f"some of {list(target.foreground)}", unknown, todo))
        if not isinstance(target, MultiLabel) and target.names[0] != "background":
            todo = "Leave it out, or name the first class background"
            names = list(target.names)
            raise ConfigError(
                expected_got(where, "no class for what is removed", "a first class background", names, todo)
            )
        wanted = self.classes or target.foreground
        return tuple(place for place, name in enumerate(target.names) if name in wanted)
