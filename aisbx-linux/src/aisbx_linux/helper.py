"""A small process between a large one and the tool: it can fork, and it takes the tool along when its parent ends.

Started as a file with the numbers of its own descriptors: where to report a failure, the launch as marshalled data,
and what the stage needs. Everything else that is open is the tool's. Builtin modules only.
"""

import marshal
import posix
import sys

if __name__ == "__main__":  # started as a file, without site: find the package that this file is in
    sys.path.insert(0, __file__.rpartition("/")[0].rpartition("/")[0])

from aisbx_linux.processes import leave
from aisbx_linux.spawn import report, start_tool
from aisbx_linux.syscalls import die_with_parent

_BASE = 128


def main() -> None:
    """Start the tool, wait for it, end as it ended."""
    failure, memory, *own = map(int, sys.argv[1:])
    try:
        for descriptor in (failure, memory, *own):
            posix.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only
        with open(memory, "rb") as stream:
            parent, program, argv, staging, doors, contained = marshal.load(stream)  # noqa: S302 - our launcher's
        die_with_parent()
        if posix.getppid() != parent:
            leave(1)
        child = start_tool(program, argv, [], staging, doors, contained=contained)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the launcher must hear of it
        report(error, failure)
        return
    posix.close(failure)
    # Only the tool may hold the streams and reports: their end tells that it has ended.
    posix.closerange(0, 1 << 16)
    code = posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1])
    leave(code if code >= 0 else _BASE - code)


if __name__ == "__main__":
    main()
