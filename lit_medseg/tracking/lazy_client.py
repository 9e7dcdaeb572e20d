"""A client of the tracking store that connects when it is needed: a run goes on while the server is away."""

from typing import TYPE_CHECKING

from lit_medseg.tracking.mlflow_environment import set_mlflow_environment
from lit_medseg.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient


class LazyClient:
    """Connects at its first use, which the queue's thread makes: neither training nor its start waits for it.

    The library itself is imported here: a process that is forked (to load data, say) while another thread imports finds
    modules that never become whole.

    Args:
        uri: Address as `resolve_uri` or `kept_address` gives it; nothing is asked of it here.
        client: A client that is connected already.
    """

    def __init__(self, uri: str, client: "MlflowClient | None" = None) -> None:
        self.uri = uri
        self._client = client
        if client is None:
            set_mlflow_environment()
            import mlflow  # noqa: F401, PLC0415 (after the environment is set)

    def get(self) -> "MlflowClient":
        """Give the client, connected.

        Raises:
            TrackingError: The store does not answer, or its SQLite file is gone; a later call tries again.
        """
        if self._client is None:
            # The run is in that store: a new and empty file in its place would hide that it is gone.
            self._client = connect(self.uri, make=False)
        return self._client
