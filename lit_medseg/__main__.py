"""`python -m lit_medseg`."""

import gc
import sys

from lit_medseg.main import main

if __name__ == "__main__":
    status = main()
    # Spares the interpreter a last round through every object of torch, seconds long: the system frees the memory.
    gc.freeze()
    sys.exit(status)
