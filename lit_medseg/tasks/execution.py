"""Settings of how a network is executed; they change the speed, not the mathematics."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Execution:
    """How the network runs.

    Attributes:
        channels_last: Store images and filters with the channels innermost: faster for convolutions with tensor cores,
            and on CPUs with oneDNN.
        compile: Run `torch.compile` on the network: slower at the first steps, faster after; a C++ compiler is needed.
    """

    channels_last: bool = False
    compile: bool = False
