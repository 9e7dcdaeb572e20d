"""How parameters are drawn, and which may be."""

from collections.abc import Sequence

import numpy as np

from lit_medseg.errors import ConfigError, expected_got

Range = tuple[float, float]
"""Lowest and highest value, both may be drawn."""


def uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a number evenly from a range."""
    low, high = bounds
    return low + (high - low) * rng.random()


def about_one(rng: np.random.Generator, bounds: Range) -> float:
    """Draw a factor: below and above 1 equally often, and evenly within each part.

    Source: batchgeneratorsv2 0.3.6, `BGContrast`: darker and brighter come equally often though the ranges differ.

    Args:
        rng: Draws.
        bounds: Around 1; a range that does not hold 1 is drawn from evenly.
    """
    low, high = bounds
    if not low < 1 < high:
        return uniform(rng, bounds)
    return uniform(rng, (low, 1.0) if rng.random() < 0.5 else (1.0, high))


def check_probability(where: str, value: float) -> None:
    """See that a number is a probability.

    Raises:
        ConfigError: It is below 0 or above 1.
    """
    if not 0 <= value <= 1:
        raise ConfigError(expected_got(where, "not a probability", "0 to 1", value, "Correct it"))


def check_range(where: str, bounds: Sequence[float], least: float, most: float = float("inf")) -> None:
    """See that two numbers are a range within limits.

    Args:
        where: Class and key.
        bounds: Lowest and highest value.
        least: The lowest that means something.
        most: The highest that means something.

    Raises:
        ConfigError: They are not two, out of order, or out of the limits.
    """
    if len(bounds) != 2 or not least <= bounds[0] <= bounds[1] <= most:
        expected = f"two numbers in rising order from {least} to {most}"
        raise ConfigError(expected_got(where, "not a range", expected, list(bounds), "Correct it"))
