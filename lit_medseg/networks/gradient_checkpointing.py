"""Less memory for any network: parts that compute their features a second time instead of keeping them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from lit_medseg.networks.named_parts import named_parts


def checkpoint_parts(network: nn.Module, patterns: Sequence[str]) -> None:
    """Let parts of a network forget their inner features and compute them again for the gradient.

    Weights, gradients and running statistics of batch norms are those of the network without it, and the names of the
    weights stay. A part that changes another buffer of its own at each call changes it twice a step.

    Source: Chen et al. 2016 (arXiv:1604.06174).

    Args:
        network: Changed in place.
        patterns: Dotted names of modules, see `named_parts`; of parts within parts the outermost counts.

    Raises:
        ConfigError: The network has no such part.
    """
    parts = named_parts(network, patterns, "execution.checkpointed")
    for name, module in parts.items():
        if not any(name.startswith(f"{outer}.") for outer in parts):
            module.forward = _Recomputed(module.forward)


class _Recomputed:
    """A module's forward that keeps its inputs and its outputs only.

    It is no closure, so that a deep copy of the network calls the copy's own parts.
    """

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.forward(*inputs, **named)
        # all inputs stand in places: of those alone torch finds the devices whose random numbers it repeats
        if torch.compiler.is_compiling():  # a compiled graph updates its buffers once, at its end
            return checkpoint(self._run, inputs, named, use_reentrant=False)
        return checkpoint(self._run, inputs, named, use_reentrant=False, context_fn=self._contexts)

    def _run(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return self.forward(*inputs, **named)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        module: nn.Module = self.forward.__self__  # type: ignore[attr-defined]  # the method of a module
        return nullcontext(), _kept_statistics(module)


@contextmanager
def _kept_statistics(module: nn.Module) -> Iterator[None]:
    """Let the second computation leave the running statistics alone: the first one has updated them."""
    kept = [
        (norm, norm.momentum, norm.num_batches_tracked)
        for norm in module.modules()
        if isinstance(norm, _NormBase) and isinstance(norm.num_batches_tracked, Tensor)
    ]
    for norm, _, batches in kept:
        norm.momentum = 0.0
        norm.num_batches_tracked = batches.clone()
    try:
        yield
    finally:
        for norm, momentum, batches in kept:
            norm.momentum = momentum
            norm.num_batches_tracked = batches
