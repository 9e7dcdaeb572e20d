"""Ranks that were started with different code, settings or data must not train together."""

from collections.abc import Mapping, Sequence

from lit_medseg.cluster.rank_watch import RankWatch
from lit_medseg.errors import ClusterError

_SHOWN = 3


def refuse_differences(watch: RankWatch, facts: Mapping[str, str]) -> None:
    """Compare what every rank has, before the ranks work together.

    Args:
        watch: Reaches the other ranks.
        facts: What has to be the same, by name: versions, hashes. All ranks give the same names.

    Raises:
        ClusterError: On all ranks: something differs, all of it named.
    """
    found = watch.exchange("facts", dict(facts))
    faults = differences([host for host, _ in found], [one for _, one in found])
    if faults:
        raise ClusterError(
            f"ranks: {'; '.join(faults)}. Give all nodes the same environment, the same code and the same data."
        )


def differences(hosts: Sequence[str], facts: Sequence[Mapping[str, str]]) -> list[str]:
    """List what is not the same.

    Args:
        hosts: Of every rank, in their order.
        facts: Of every rank.

    Returns:
        A line for every name whose values differ: what rank 0 has, and who has something else (the first three).
    """
    names = dict.fromkeys(name for one in facts for name in one)
    lines = []
    for name in names:
        values = [one.get(name, "nothing") for one in facts]
        others = [rank for rank, value in enumerate(values) if value != values[0]]
        if others:
            got = ", ".join(f"{_short(values[rank])} on rank {rank} ({hosts[rank]})" for rank in others[:_SHOWN])
            more = f" and {len(others) - _SHOWN} more ranks" if len(others) > _SHOWN else ""
            lines.append(f"{name} differs, expected rank 0's {_short(values[0])} ({hosts[0]}), got {got}{more}")
    return lines


def _short(value: str) -> str:
    """Cut a hash to what can be compared by eye."""
    return value[:12] if len(value) > 30 else value
