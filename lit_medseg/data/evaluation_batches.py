"""Which cases are evaluated together: fixed by the manifest, whatever the number of ranks."""

from collections.abc import Sequence


def evaluation_batches(grids: Sequence[tuple[int, ...]], most: int) -> list[list[int]]:
    """Group cases of equal processed grid.

    Floating-point results change with a batch's composition, so that it must not depend on ranks.

    Args:
        grids: Processed grid of each case, in the manifest's order.
        most: Cases in a batch at most.

    Returns:
        Case indices by batch, the batches in the order of their first case. Empty for no cases.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, grid in enumerate(grids):
        alike.setdefault(grid, []).append(index)
    batches = [group[start : start + most] for group in alike.values() for start in range(0, len(group), most)]
    return sorted(batches)


def dealt(batches: Sequence[list[int]], rank: int, world_size: int) -> list[list[int]]:
    """Give a rank its batches, whole: those i with i mod world_size == rank.

    Returns:
        Equally many for every rank: where a rank has one less its last batch is empty, since Lightning leaves out the
        end of an evaluation, and with it the gathering of the rows, on a rank without any batch.
    """
    mine = list(batches[rank::world_size])
    return mine + [[]] * (-(-len(batches) // world_size) - len(mine))
