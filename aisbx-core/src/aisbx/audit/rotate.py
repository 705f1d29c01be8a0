"""Begin a new file when one is full. The chain goes on across files, and the head says which there have to be."""

import os

from aisbx.audit.chain import Head, split
from aisbx.audit.places import numbered
from aisbx.audit.write import Log


def rotate(log: Log, head: Head) -> None:
    """Give the present file its number and go on in a new one; the lock is the caller's.

    Where that fails the file stays, and the next record tries again. Killed in between: see `mend`.
    """
    path, keep = log.place["path"], log.place["keep"]
    try:
        full = numbered(path, head[2])
        if os.path.lexists(full):
            return  # not ours to overwrite; `verify` names what is in the way
        os.rename(path, full)
        log.reopen()
        seq, _, number, first, base, mac = head
        outdated: list[str] = []
        while keep and number - first + 1 > keep:
            outdated.append(numbered(path, first))
            base, first = _last_mac(numbered(path, first)) or base, first + 1
        log.write_head((seq, 0, number + 1, first, base, mac))
        for each in outdated:  # once the head no longer asks for them
            os.unlink(each)
    except OSError:
        return


def _last_mac(path: str) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 20)))
        lines = file.read().splitlines()
    for line in reversed(lines):
        if parts := split(line):
            return parts[2]
    return ""
