"""`python -m aisbx`: the full command line, for where the shell launcher cannot be used."""

import sys

from aisbx.cli.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
