"""All ranks have to see the run's folder."""

import secrets
import time
from contextlib import suppress
from pathlib import Path

from lit_medseg.cluster.rank_watch import RankWatch
from lit_medseg.errors import ClusterError, expected_got

_PATIENCE_S = 45.0
"""Network file systems remember for half a minute that a file was not there."""
_POLL_S = 0.2


def refuse_unshared_folder(watch: RankWatch, folder: Path | None, patience_s: float = _PATIENCE_S) -> None:
    """See that what the first rank writes into the run folder can be read by all.

    Args:
        watch: Reaches the other ranks.
        folder: The run folder on the first rank, None where there is none; not read on others.
        patience_s: How long a file may take to appear on another node.

    Raises:
        ClusterError: On all ranks: some do not see it, the first named with their hosts.
    """
    token = _leave_token(folder) if watch.seat.rank == 0 and folder is not None else None
    try:
        [(_, shown), *_] = watch.exchange("run folder", None if token is None else str(token))
        if shown is None:
            return
        seen = watch.exchange("run folder seen", _appears(Path(shown), patience_s))
    finally:
        if token is not None:
            token.unlink(missing_ok=True)
    blind = [f"rank {rank} on {host}" for rank, (host, found) in enumerate(seen) if not found]
    if blind:
        name = Path(shown).parent
        where = f"run folder {name.parent.name}/{name.name}"
        listed = ", ".join(blind[:3]) + (f" and {len(blind) - 3} more" if len(blind) > 3 else "")
        todo = "Set runs_dir to a folder of a file system that all nodes share, and start all ranks in the same folder"
        raise ClusterError(expected_got(where, "not the same folder everywhere", "one for all ranks", listed, todo))


def _leave_token(folder: Path) -> Path:
    token = folder / f".seen-by-all-{secrets.token_hex(8)}"
    token.write_text("Every rank looks for this file at the start.\n", encoding="utf-8")
    return token


def _appears(token: Path, patience_s: float) -> bool:
    """Wait for a file; listing the folders above makes a network file system look again."""
    deadline = time.monotonic() + patience_s
    while not token.exists():
        if time.monotonic() > deadline:
            return False
        for folder in (token.parent.parent, token.parent):
            with suppress(OSError):
                list(folder.iterdir())
        time.sleep(_POLL_S)
    return True
