"""What a step works on: the images of a case and its mask."""

from dataclasses import dataclass, replace

from lit_medseg.imaging.volume import Volume


@dataclass(frozen=True)
class Sample:
    """One case in memory, on its way through the steps.

    Attributes:
        images: The channels of the case; one volume may hold several channels, and volumes may lie on different grids.
        mask: Class codes, uint8: `(1, *S)` where classes exclude each other, `(K, *S)` of 0 and 1 where they overlap;
            None where the case has no mask.
        channels: Names of the images, parallel to `images`; empty where they have none.
        main: The image whose grid predictions return to where there is no mask; see `Step.main_image`.
    """

    images: tuple[Volume, ...]
    mask: Volume | None = None
    channels: tuple[str, ...] = ()
    main: int = 0

    def with_images(self, images: tuple[Volume, ...]) -> "Sample":
        """Give the same mask other images."""
        return replace(self, images=images)

    @property
    def native(self) -> Volume:
        """The volume whose grid predictions return to: the mask, else the main image."""
        return self.images[self.main] if self.mask is None else self.mask
