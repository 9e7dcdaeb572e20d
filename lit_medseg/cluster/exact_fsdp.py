"""Weights, gradients and optimizer state spread over the ranks (FSDP), with DDP's checkpoints and one rank's scores."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.overrides.distributed import _sync_module_states
from lightning.pytorch.utilities.exceptions import _augment_message
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.optim import Optimizer
from typing_extensions import override

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.shard_units import shard_units
from lit_medseg.cluster.sharded_tensors import Gather, own_output, shards_like
from lit_medseg.errors import ConfigError, expected_got


class ExactFSDP(ExactDDP):
    """FSDP for `fit`: each rank keeps its share of the weights, the gradients and the optimizer's state.

    The weights of a part of the network are gathered just before it is used, in the forward and in the backward pass,
    and let go after. Three things differ from Lightning's strategies. An evaluation runs on a whole copy of the network
    that each rank fills before it (room for the weights, once): ranks may have different numbers of batches, and the
    scores are those of one rank. Checkpoints are DDP's: one file, whole tensors, the same keys, so that runs go on
    with another number of ranks, or without FSDP. And it runs on CPUs too. `validate`, `test` and `predict` train
    nothing and spread nothing.

    Source: Zhao et al. 2023 (arXiv:2304.11277); Rajbhandari et al. 2020 (arXiv:1910.02054), stage 3.
    """

    spreads_weights = True

    def __init__(
        self,
        units: list[str] | None = None,
        least_parameters: int = 1_000_000,
        reshard_after_forward: bool = True,
        timeout_s: float = 1800.0,
    ) -> None:
        """Set up.

        Args:
            units: Dotted names of the parts that are gathered as one, `[encoder.stages.*, decoder.stages.*]`; None to
                choose them by their size.
            least_parameters: Size of a part that is chosen so.
            reshard_after_forward: Let weights go between the forward and the backward pass too: less memory; false
                saves a third of the messages (stage 2).
            timeout_s: How long a rank waits for the others in a collective.
        """
        super().__init__(timeout_s=timeout_s)
        self._units, self._least, self._reshard = units, least_parameters, reshard_after_forward
        self._sharded: nn.Module | None = None
        self._whole: nn.Module | None = None

    @override
    def setup(self, trainer: Trainer) -> None:
        averaging = [one for one in trainer.callbacks if isinstance(one, WeightAveraging)]  # type: ignore[attr-defined]
        if averaging:
            got, todo = type(averaging[0]).__name__, "Leave ema_decay out, or train with ExactDDP"
            raise ConfigError(
                expected_got("trainer.strategy", "ExactFSDP keeps no averaged weights", "none", got, todo)
            )
        super().setup(trainer)

    @override
    def configure_ddp(self) -> None:
        """Spread the network; Lightning calls this where `fit` would wrap it with DDP."""
        network = self._network
        units = shard_units(network, self._units, self._least)
        _sync_module_states(network)
        self._whole = copy.deepcopy(network).requires_grad_(False).eval().cpu()
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        for parameter in network.parameters():
            parameter.data = parameter.data.contiguous()  # what is spread has its channels outermost
        for unit in (*units, network):
            unit.register_forward_hook(own_output)
            fully_shard(unit, mesh=mesh, reshard_after_forward=None if unit is network else self._reshard)
        self._sharded = network

    @override
    def on_validation_start(self) -> None:
        super().on_validation_start()
        if self._sharded is not None:
            self._take_whole()

    @override
    def on_validation_end(self) -> None:
        super().on_validation_end()
        if self._sharded is not None and self._whole is not None:
            self._network = self._sharded
            self._whole.cpu()

    @override
    def on_train_end(self) -> None:
        super().on_train_end()
        self._take_whole()

    @override
    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Give the whole state, with DDP's keys; where it had to be gathered, to the first rank alone."""
        state: dict[str, Any] = self.lightning_module.state_dict(keep_vars=True)  # type: ignore[union-attr]
        gather = Gather(keep=self.is_global_zero)
        for name, value in state.items():
            state[name] = gather(value)  # in place: torch hides the versions of the modules in this dictionary
        return state if gather.keep or not gather.happened else {}

    @override
    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Give the whole state as the optimizer of one rank has it; to the first rank alone."""
        gather = Gather(keep=self.is_global_zero)
        state: dict[str, Any] = gather.all_in(super().optimizer_state(optimizer))
        return state if gather.keep or not gather.happened else {}

    @override
    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        parts = [
            shards_like(_parameters(optimizer), state)
            for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True)
        ]
        super().load_optimizer_state_dict({"optimizer_states": parts})

    @override
    def on_exception(self, exception: BaseException) -> None:
        super().on_exception(exception)
        _augment_message(
            exception,
            pattern=".*mixed torch.Tensor and DTensor.*",
            new_message="ExactFSDP: a part of the network is used without being called, so that its weights were not "
            "gathered. Name other parts in trainer.strategy.init_args.units, those around it for example.",
        )

    @override
    def teardown(self) -> None:
        if self._sharded is None:
            super().teardown()
            return
        # spread tensors stay on the devices that their ranks gather on: nothing is moved but the whole network
        if self._network is self._whole:
            if self._layer_sync:
                self._network = self._layer_sync.revert(self._network)
            self._network.cpu()
        self._sharded = self._whole = None
        for part in (self.cluster_environment, self.precision_plugin, self.accelerator, self.checkpoint_io):
            part.teardown()  # type: ignore[union-attr]  # the Trainer has set all of them

    @property
    def _network(self) -> nn.Module:
        """What is spread: all that is trained of a task of ours."""
        network: nn.Module = self.lightning_module.network  # type: ignore[union-attr,assignment]
        return network

    @_network.setter
    def _network(self, network: nn.Module) -> None:
        self.lightning_module.network = network  # type: ignore[union-attr]

    def _take_whole(self) -> None:
        """Fill the whole copy and let the task use it; every rank takes part."""
        sharded, whole = self._sharded, self._whole
        if sharded is None or whole is None:
            return
        for module in sharded.modules():
            if isinstance(module, FSDPModule):
                module.reshard()
        whole.to(self.root_device)
        gather = Gather(keep=True, on_host=False)
        with torch.inference_mode(mode=False), torch.no_grad():
            _fill(list(whole.parameters()), list(sharded.parameters()), gather)
            _fill(list(whole.buffers()), list(sharded.buffers()), gather)
            for buffer in whole.buffers():  # batch statistics differ from rank to rank; as in DDP the first one's count
                distributed.broadcast(buffer, src=0)
        self._network = whole


def _fill(tensors: Sequence[torch.Tensor], sources: Sequence[torch.Tensor], gather: Gather) -> None:
    for tensor, source in zip(tensors, sources, strict=True):
        tensor.copy_(gather(source))


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
