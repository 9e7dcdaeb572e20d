"""Settings of how a network is executed; they change speed and memory, not the mathematics."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Execution:
    """How the network runs.

    Attributes:
        channels_last: Store images and filters with the channels innermost: faster for convolutions with tensor cores,
            and on CPUs with oneDNN.
        compile: Run `torch.compile` on the network: slower at the first steps, faster after; a C++ compiler is needed.
        checkpointed: Dotted names of parts of the network that compute their inner features a second time instead of
            keeping them for the gradient (gradient checkpointing), such as `[encoder.*]`, where `*` stands for any one
            name between two dots: less memory for about a third more time, and the same numbers.
    """

    channels_last: bool = False
    compile: bool = False
    checkpointed: list[str] = field(default_factory=list)
