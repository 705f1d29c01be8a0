"""Show where this script runs: with `python examples/hello.py` on the host, and with aisbx around it in a sandbox."""

import os
import socket
import sys

WELL_KNOWN = ("1.1.1.1", 53)
"""An address that answers wherever there is a network (a public resolver); no name has to be looked up."""


def network() -> str:
    """Say whether a connection to the outside can be made."""
    try:
        socket.create_connection(WELL_KNOWN, timeout=2).close()
    except OSError as error:
        return f"no ({error.strerror or error})"
    return "yes"


def processes() -> int:
    """Count the processes that can be seen."""
    return sum(name.isdigit() for name in os.listdir("/proc"))


def main() -> None:
    """Print one fact a line."""
    home = os.path.expanduser("~")
    facts = {
        "python": f"{sys.version.split()[0]}, {sys.executable}",
        "directory": os.getcwd(),
        "home": f"{home}: {', '.join(sorted(os.listdir(home))) or 'empty'}",
        "processes": str(processes()),
        "network": network(),
    }
    for name, fact in facts.items():
        print(f"{name:10} {fact}")


if __name__ == "__main__":
    main()
