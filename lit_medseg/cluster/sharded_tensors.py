"""Tensors that are spread over the ranks, made whole and spread again."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map


class Gather:
    """Makes spread tensors whole; every rank has to call it for the same tensors in the same order.

    A tensor that is met again is not gathered again, so that what shares its memory does so in a file too. It holds all
    that it gathered: it is for one state dict.

    Attributes:
        keep: False for a rank that takes part and needs nothing.
        happened: Whether anything was spread.
    """

    def __init__(self, keep: bool, on_host: bool = True) -> None:
        """Set up.

        Args:
            keep: Whether this rank needs the whole tensors.
            on_host: Move them into the host's memory one by one; else they stay on the device, and are not held.
        """
        self.keep, self.happened = keep, False
        self._on_host = on_host
        self._gathered: dict[int, Tensor] = {}

    def __call__(self, value: Any) -> Any:
        """Give a tensor whole and detached, an empty one where this rank needs none; anything else as it is."""
        if not isinstance(value, Tensor):
            return value
        if not isinstance(value, DTensor):
            return value.detach()
        self.happened = True
        if id(value) in self._gathered:
            return self._gathered[id(value)]
        whole: Tensor = value.full_tensor().detach()
        if not self._on_host:
            return whole
        self._gathered[id(value)] = whole.cpu() if self.keep else torch.empty(0)
        return self._gathered[id(value)]

    def all_in(self, state: Any) -> Any:
        """Give nested dictionaries and lists with every tensor whole."""
        return tree_map(self, state)


def shards_like(parameters: Sequence[nn.Parameter], state: dict[str, Any]) -> dict[str, Any]:
    """Give this rank's part of an optimizer's whole state.

    Args:
        parameters: The optimizer's, in the order of its groups; those that are spread are DTensors.
        state: As `Optimizer.state_dict` of one rank gives it.

    Returns:
        The same with each tensor that has its parameter's shape spread like the parameter.
    """
    spread = {
        index: {name: _like(parameters[index], value) for name, value in values.items()}
        for index, values in state["state"].items()
    }
    return {**state, "state": spread}


def own_output(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:  # noqa: ARG001  torch calls it
    """Copy outputs that are views, as a forward hook.

    FSDP hangs the gathering for the backward pass on an output, and an operation in place on a view (`x += y` after an
    instance norm) would throw it off without a word.
    """
    return tree_map(_own, output) if torch.is_grad_enabled() else output


def _own(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) and value.requires_grad and value._is_view() else value


def _like(parameter: nn.Parameter, value: Any) -> Any:
    if not isinstance(value, Tensor) or not isinstance(parameter, DTensor) or value.shape != parameter.shape:
        return value
    whole = value.to(parameter.device)
    # every rank has read the whole: each takes its part without a message
    return distribute_tensor(whole, parameter.device_mesh, parameter.placements, src_data_rank=None)
