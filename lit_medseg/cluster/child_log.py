"""What a child wrote before it ended."""

import re
from pathlib import Path

_TAIL = 65536
_HEADER = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] ")


def last_lines(log: Path, count: int = 12) -> list[str]:
    """Read the end of a child's log.

    Args:
        log: As `start_child` writes it.
        count: How many lines.

    Returns:
        The last lines of its last command, without empty ones; none where there is no log.
    """
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    starts = [number for number, line in enumerate(lines) if _HEADER.match(line)]
    own = lines[starts[-1] + 1 :] if starts else lines
    return [line.rstrip() for line in own if line.strip()][-count:]


def end_in_words(status: int, log: Path) -> str:
    """Say how a child ended.

    Args:
        status: Its exit status, see `poll_child`.
        log: Its log, in which a fault of the user's input is the last `error:` line.
    """
    if status < 0:
        return f"ended by signal {-status}"
    faults = [line for line in last_lines(log) if line.startswith("error: ")]
    return f"exit status {status}" + (f": {faults[-1].removeprefix('error: ')}" if faults else "")
