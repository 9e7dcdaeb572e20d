"""How another rank of this machine starts: `python -m lit_medseg.cluster.start_rank PARENT MODULE ARGUMENTS...`.

It takes its precautions before anything is imported that takes seconds: in these a killed first rank would leave the
others behind, waiting half an hour for it.
"""

import os
import runpy
import signal
import sys

from lit_medseg.cluster.die_with_parent import die_with_parent


def rank_command(module: str, arguments: list[str]) -> list[str]:
    """Give the command that starts another rank, for this process as its parent.

    Args:
        module: What `python -m` runs in this process.
        arguments: Its arguments.
    """
    return [sys.executable, "-m", "lit_medseg.cluster.start_rank", str(os.getpid()), module, *arguments]


def main() -> int:
    """Run the module as a rank that ends with its parent.

    Returns:
        1 where the parent is gone already; else the module ends the process.
    """
    parent, module = sys.argv[1:3]
    # A terminal or a scheduler signals all processes at once; the first rank decides, and ends the others.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    if os.getppid() != int(parent):
        return 1
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
