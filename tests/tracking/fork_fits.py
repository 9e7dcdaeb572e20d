"""Many `fit`s at once, each a process of its own: forked from one that has paid for the imports.

Call: python -m tests.tracking.fork_fits NUMBER CONFIG [arguments of fit]; the runs are called r0, r1, ...
"""

import gc
import importlib
import os
import sys

from lit_medseg.main import main
from lit_medseg.tracking.mlflow_environment import set_mlflow_environment


def fork_fits(number, config, arguments):
    """Exit statuses of all fits."""
    for module in ("lit_medseg.commands.train", "tests.commands.rank_fakes"):
        importlib.import_module(module)
    set_mlflow_environment()
    for store in ("rest_store", "sqlalchemy_store"):
        importlib.import_module(f"mlflow.store.tracking.{store}")
    gc.freeze()
    children = []
    for index in range(number):
        pid = os.fork()
        if not pid:
            sys.argv = ["lit_medseg", "fit", "--config", config, "--run", f"r{index}", *arguments]
            status = 1
            try:
                status = main(sys.argv[1:])
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        children.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


if __name__ == "__main__":
    statuses = fork_fits(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
    print("exit statuses", *statuses, flush=True)
    os._exit(int(any(statuses)))  # what was imported to be forked needs no tidying
