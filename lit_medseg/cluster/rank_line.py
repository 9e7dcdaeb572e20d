"""Messages between two processes of one run."""

import json
import os
import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

_SEND_S = 20.0
_KEEP_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
"""A machine that is gone (power, network) is noticed within 25 s, by the kernels: a process that is busy for minutes,
or stopped, still counts as there."""
_LIVING: "weakref.WeakSet[RankLine]" = weakref.WeakSet()


class RankLine:
    """A TCP connection that carries one JSON object a line.

    The kernel closes it when the process at its other end ends, however that happens; children that were forked
    (loaders' workers) do not keep it open.

    Args:
        connection: Connected.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if hasattr(socket, name):  # Linux has all, others some
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        connection.settimeout(_SEND_S)
        self.connection = connection
        self._sending = threading.Lock()
        self._rest = b""
        _LIVING.add(self)

    def send(self, **message: Any) -> None:
        """Send a message; any thread may.

        Raises:
            OSError: The other end is gone.
        """
        data = json.dumps(message).encode() + b"\n"
        with self._sending:
            self.connection.sendall(data)

    def receive(self) -> list[dict[str, Any]]:
        """Give the messages that have come, none where one is not yet whole. One thread alone calls this.

        Raises:
            EOFError: The other end is gone.
            ValueError: Something else speaks at the other end.
        """
        try:
            data = self.connection.recv(1 << 16)
        except TimeoutError:
            return []
        except OSError as error:
            raise EOFError(str(error)) from error
        if not data:
            raise EOFError("closed")
        *lines, self._rest = (self._rest + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        if not all(isinstance(message, dict) for message in messages):
            raise ValueError("no message of ours")
        return messages

    def fileno(self) -> int:
        """Give the number that `selectors` asks for."""
        return self.connection.fileno()

    def close(self) -> None:
        """Close; the other end sees that."""
        with suppress(OSError):
            self.connection.close()


def _close_in_child() -> None:
    for line in list(_LIVING):
        line.close()


os.register_at_fork(after_in_child=_close_in_child)
