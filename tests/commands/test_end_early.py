import signal

import pytest

from lit_medseg.cluster.interruption import Interruption
from lit_medseg.commands.end_early import end_early
from lit_medseg.commands.session import Session
from lit_medseg.errors import CheckpointError


def test_a_checkpoint_that_could_not_be_written_after_a_signal_is_told(capsys):
    """The run was interrupted, and its user has to know why it goes on from an older checkpoint."""
    interruption = Interruption()
    with interruption.listen(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    error = CheckpointError("checkpoints: one cannot be written, expected room, got none. Free some.")
    assert end_early(error, Session(), None, interruption, None) == 143
    fault, end = capsys.readouterr().err.splitlines()
    assert fault == f"error: {error}"
    assert end.startswith("stopped, SIGTERM")
