"""Colours that people with any colour vision tell apart.

Source: Okabe M, Ito K, Color Universal Design, 2008, https://jfly.uni-koeln.de/color/
"""

Colour = tuple[int, int, int]
_COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
    (240, 228, 66),
)


def class_colour(index: int) -> Colour:
    """Give the RGB colour of the scored class with this index; after seven they repeat."""
    return _COLOURS[index % len(_COLOURS)]
