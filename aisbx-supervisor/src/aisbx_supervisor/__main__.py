"""`python -m aisbx_supervisor`."""

import sys

from aisbx_supervisor.main import main

if __name__ == "__main__":
    sys.exit(main())
