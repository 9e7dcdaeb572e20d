"""Hosts on which the sweep has trained: what fails there before its first epoch is to be blamed on its settings.

A node without the data, or with a broken GPU, ends one trial after the other within seconds.
"""

import socket
from contextlib import suppress
from pathlib import Path

from lit_medseg.sweep.place import Place

HOSTS = "hosts"
"""One file a host, in the sweep's folder."""


def is_proven(place: Place) -> bool:
    """Tell whether something of the sweep has been trained on this host."""
    return _file(place).exists()


def prove(place: Place) -> None:
    """Note that something of the sweep was trained on this host; a full disk is no fault here."""
    if is_proven(place):
        return
    with suppress(OSError):
        _file(place).parent.mkdir(parents=True, exist_ok=True)
        _file(place).touch()


def _file(place: Place) -> Path:
    return place.folder.path / HOSTS / socket.gethostname()
