"""Look now and then at what a sandbox uses, where the kernel has no bound for the sum. Builtin modules only.

It is a watchdog, not a wall: between two looks more can be taken. What it adds up: anonymous memory, by what each
process is charged with of pages that several share (PSS), and files in private space, or shared memory that is mapped,
whichever is more, for a mapped file is both. What no process maps (pipes, sockets, memory files) it does not see.
"""

import posix

from aisbx_linux.processes import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INODE = 1024
"""Bytes of kernel memory that a file of a tmpfs is reckoned at (mm/shmem.c, BOGO_INODE_SIZE)."""
SHARE = 20
"""No look comes sooner than after this many times what the last one took: it may use a twentieth of a core."""
_PAGE = posix.sysconf("SC_PAGESIZE")
# Places in /proc/PID/stat behind the command's name: fields 20 and 24 of proc_pid_stat(5).
_THREADS, _RESIDENT = 17, 21


class Watch:
    """What is looked at: all of the sandbox's processes, through its own /proc, and its private space."""

    __slots__ = ("_first", "_memory", "_places", "_processes", "_root", "_tasks")

    def __init__(self, first: int, memory: int, tasks: int, places: "Sequence[str]") -> None:
        """Watch the sandbox whose first process the host knows as `first`; 0 bytes or tasks: any number.

        `places` are the paths inside where its private file systems are mounted, all below read-only directories. One
        that has none has no /proc either, and all that comes of its first process stays below that.
        """
        root = self._root = f"/proc/{first}/root"
        self._processes = f"{root}/proc"
        self._first = first
        self._places = [root + place for place in places]
        self._memory = memory
        self._tasks = tasks

    def look(self) -> "set[str]":
        """Give which bounds are met: `oom_killed` with more memory, `pids_limited` with all tasks that it may have."""
        try:
            if self._places and not self._stands():
                return set()
            processes = self._directories()
            kept = sum(map(_kept, self._places))
        except OSError:
            return set()  # it has ended
        tasks, resident = tally(processes)
        met: set[str] = set()
        if self._tasks and tasks > self._tasks:  # its first process is ours
            met.add("pids_limited")
        # Resident pages are cheap to count and never fewer: the dear way only where they would be too many.
        if self._memory and kept + resident > self._memory and used(processes, kept) > self._memory:
            met.add("oom_killed")
        return met

    def _directories(self) -> "list[str]":
        """Give the directories in /proc of all of them."""
        if not self._places:
            return [f"/proc/{pid}" for pid in below(self._first)]
        return [f"{self._processes}/{name}" for name in posix.listdir(self._processes) if name.isdigit()]

    def _stands(self) -> bool:
        """Tell whether it has a root of its own yet: until the tool gets there, what is seen is the host's."""
        inside, here = posix.stat(self._root), posix.stat("/")
        return (inside.st_dev, inside.st_ino) != (here.st_dev, here.st_ino)


def tally(processes: "Sequence[str]") -> tuple[int, int]:
    """Give the tasks of these processes, by their directories in /proc, and the bytes that they have resident."""
    tasks = resident = 0
    for process in processes:
        fields = _read(f"{process}/stat").rpartition(b")")[2].split()
        if fields:
            tasks += int(fields[_THREADS])
            resident += int(fields[_RESIDENT]) * _PAGE
    return tasks, resident


def used(processes: "Sequence[str]", kept: int = 0) -> int:
    """Give the bytes of memory of these processes, where `kept` of them are in files of private space."""
    own = shared = 0
    for process in processes:
        rows = _rows(_read(f"{process}/smaps_rollup"))
        if b"Pss_Anon" in rows:
            own += rows[b"Pss_Anon"]
            shared += rows[b"Pss_Shmem"]
        else:  # may not be read: then by what it has resident
            rows = _rows(_read(f"{process}/status"))
            own += rows.get(b"RssAnon", 0)
            shared += rows.get(b"RssShmem", 0)
    return own + max(shared, kept)


def _rows(text: bytes) -> "dict[bytes, int]":
    """Give bytes by name from lines `NAME: NUMBER kB`."""
    rows: dict[bytes, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if value.endswith(b" kB"):
            rows[name] = int(value[:-3]) * 1024
    return rows


def _kept(place: str) -> int:
    """Give the bytes that a tmpfs takes, by its blocks and files."""
    system = posix.statvfs(place)
    return (system.f_blocks - system.f_bfree) * system.f_frsize + (system.f_files - system.f_ffree) * INODE


def _read(path: str) -> bytes:
    """Read a file of /proc; nothing where its process is gone or hidden."""
    try:
        with open(path, "rb", buffering=0) as stream:
            return stream.read()
    except OSError:
        return b""
