"""`python -m aisbx`: the full command line, for where the shell launcher cannot be used."""

import sys

from aisbx.installation.narrow import narrow

if __name__ == "__main__":
    narrow()
    from aisbx.cli.app import main

    sys.exit(main(sys.argv[1:]))
