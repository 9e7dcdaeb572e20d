"""DDP whose evaluation needs no collective, and whose failing ranks end the others."""

from datetime import timedelta
from typing import Any, cast

from lightning.fabric.plugins import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import STEP_OUTPUT
from typing_extensions import override

from lit_medseg.cluster.position import ALONE
from lit_medseg.cluster.rank_launcher import RankLauncher, RankOrders

_TORCHS_MARGIN_S = 60.0
"""How much later than the watch over the ranks torch itself gives a collective up: it cannot say who did not come."""


class ExactDDP(DDPStrategy):
    """Lightning's DDP with two differences.

    Validation during `fit` calls the task itself and not DDP's forward, which would broadcast the buffers once a batch
    and hang where ranks have different numbers of batches; the task brings the buffers together once, before. And the
    ranks are started by `RankLauncher`.

    Attributes:
        spreads_weights: Whether a rank keeps a part of the weights only.
    """

    spreads_weights = False

    def __init__(
        self, find_unused_parameters: bool = False, static_graph: bool = False, timeout_s: float = 1800.0
    ) -> None:
        """Set up.

        Args:
            find_unused_parameters: Let parameters stay without gradient (frozen parts need no such thing).
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
        self.orders: RankOrders | None = None

    @override
    def _configure_launcher(self) -> None:
        environment = cast(ClusterEnvironment, self.cluster_environment)
        self._launcher = RankLauncher(
            environment, self.num_processes, self.num_nodes, lambda: self.orders, self._timeout_s
        )

    @override
    def validation_step(self, *args: Any, **kwargs: Any) -> STEP_OUTPUT:
        with self.precision_plugin.val_step_context():
            return self.lightning_module.validation_step(*args, **kwargs)  # type: ignore[union-attr]
