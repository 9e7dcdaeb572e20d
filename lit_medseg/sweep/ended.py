"""How a worker's work at a sweep has ended."""

from dataclasses import dataclass


@dataclass
class Ended:
    """Why a worker's loop ended.

    Attributes:
        stopped: A signal asked for it.
        fault: What has to be mended before the sweep can go on; empty for nothing.
        others: Trials that other workers still have in work.
    """

    stopped: bool = False
    fault: str = ""
    others: int = 0
