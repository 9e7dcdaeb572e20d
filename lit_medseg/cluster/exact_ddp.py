"""DDP whose evaluation needs no collective, and whose failing ranks end the others."""

from datetime import timedelta
from typing import Any, cast

from lightning.fabric.plugins import ClusterEnvironment
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from typing_extensions import override

from lit_medseg.cluster.position import ALONE
from lit_medseg.cluster.rank_launcher import RankLauncher, RankOrders
from lit_medseg.cluster.unused_parameters import TORCHS_WORDS, refuse_unused, unused_fault, without_gradient

_TORCHS_MARGIN_S = 60.0
"""How much later than the watch over the ranks torch itself gives a collective up: it cannot say who did not come."""


class ExactDDP(DDPStrategy):
    """Lightning's DDP with three differences.

    Validation during `fit` calls the task itself and not DDP's forward, which would broadcast the buffers once a batch
    and hang where ranks have different numbers of batches; the task brings the buffers together once, before. The
    ranks are started by `RankLauncher`. And parameters that get no gradient are named before the first step is taken.

    Attributes:
        spreads_weights: Whether a rank keeps a part of the weights only.
    """

    spreads_weights = False

    def __init__(
        self, find_unused_parameters: bool = False, static_graph: bool = False, timeout_s: float = 1800.0
    ) -> None:
        """Set up.

        Args:
            find_unused_parameters: Let parameters stay without gradient, looked for at each step (frozen parts need no
                such thing).
            static_graph: Promise that every step uses the same parameters, which lets DDP order its messages once.
            timeout_s: How long ranks wait for one that does not come, which is named then; four times that where it
                works on whole cases, or prepares data.

        The command that builds the Trainer sets `orders`; without them Lightning's own launcher takes over.
        """
        super().__init__(
            find_unused_parameters=find_unused_parameters,
            static_graph=static_graph,
            timeout=timedelta(seconds=ALONE * timeout_s + _TORCHS_MARGIN_S),
        )
        self._timeout_s = timeout_s
        self._waits_for_all = not (find_unused_parameters or static_graph or self.spreads_weights)
        self.orders: RankOrders | None = None

    @override
    def _configure_launcher(self) -> None:
        environment = cast(ClusterEnvironment, self.cluster_environment)
        self._launcher = RankLauncher(
            environment, self.num_processes, self.num_nodes, lambda: self.orders, self._timeout_s
        )

    @override
    def training_step(self, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        try:
            return super().training_step(*args, **kwargs)
        except RuntimeError as error:
            if TORCHS_WORDS not in str(error):
                raise
            raise unused_fault(without_gradient(self._task)) from error

    @override
    def post_backward(self, closure_loss: Tensor) -> None:
        super().post_backward(closure_loss)
        # The first backward with which gradients are shared, alone: a part may be used in some of the batches that are
        # accumulated; and what is used is rarely another thing later, see training_step.
        if self._waits_for_all and cast(DistributedDataParallel, self.model).require_backward_grad_sync:
            self._waits_for_all = False
            refuse_unused(self._task)

    @property
    def _task(self) -> LightningModule:
        return cast(LightningModule, self.lightning_module)

    @override
    def validation_step(self, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        with self.precision_plugin.val_step_context():
            return self.lightning_module.validation_step(*args, **kwargs)  # type: ignore[union-attr]
