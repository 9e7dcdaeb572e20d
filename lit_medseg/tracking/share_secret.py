"""The store's password on its way to child processes."""

import os

from lit_medseg.tracking.store import VARIABLE
from lit_medseg.tracking.without_password import without_secret


def share_secret(uri: str) -> str:
    """Let this process's children have the password of an address by their environment, see `resolve_uri`.

    The arguments of a process stand in its log, and in the machine's list of processes, which all users may read; its
    environment is its owner's alone.

    Args:
        uri: The store's address, as YAML or command line have it.

    Returns:
        The address without password, for arguments and files; without one it stays as it is, and nothing is set.
    """
    bare = without_secret(uri)
    if bare != uri:
        os.environ[VARIABLE] = uri
    return bare
