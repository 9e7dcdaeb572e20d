"""`python -m lit_medseg`."""

import sys

from lit_medseg.main import main

if __name__ == "__main__":
    sys.exit(main())
