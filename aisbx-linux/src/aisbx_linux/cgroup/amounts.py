"""What is written to the control files of a group for each limit, and what counts there how often it was met.

The kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst name every file here. Imports nothing: a command with
limits of its own needs it when it starts.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Files = tuple[list[tuple[str, str]], list[tuple[str, str, str]]]
    """(file, value) to be written, in this order, and (file, key, name of a `LaunchResult`) to be counted."""

MAIN = {
    "memory": ("memory.limit_in_bytes", "memory.max"),
    "pids": ("pids.max", "pids.max"),
    "cpus": ("cpu.cfs_quota_us", "cpu.max"),
}
"""Limit → the file that a place must offer for it, in version 1 and 2: kernels are built without some."""
OWN_TASKS = {1: 2, 2: 1}
"""By version: the sandbox's PID 1 counts too, and the tool that waits for it where that is born in the group."""
PERIOD = 100_000
"""Microseconds over which processor time is shared out: the kernel's default."""
LEAST_QUOTA = 1000
"""Microseconds in a period, by sched-bwc.rst."""


def _memory_1(amount: float) -> "Files":
    # In this order: memory with swap may not be less than memory. Without swap accounting the second is not there.
    files = [("memory.limit_in_bytes", str(int(amount))), ("memory.memsw.limit_in_bytes", str(int(amount)))]
    return files, [("memory.oom_control", "oom_kill", "oom_killed")]


def _memory_2(amount: float) -> "Files":
    files = [("memory.max", str(int(amount))), ("memory.swap.max", "0"), ("memory.oom.group", "1")]
    return files, [("memory.events", "oom_kill", "oom_killed")]


def _pids_1(amount: float) -> "Files":
    return [("pids.max", str(int(amount) + OWN_TASKS[1]))], [("pids.events", "max", "pids_limited")]


def _pids_2(amount: float) -> "Files":
    return [("pids.max", str(int(amount) + OWN_TASKS[2]))], [("pids.events", "max", "pids_limited")]


def _quota(amount: float) -> str:
    return str(max(LEAST_QUOTA, int(amount * PERIOD)))


def _cpus_1(amount: float) -> "Files":
    return [("cpu.cfs_period_us", str(PERIOD)), ("cpu.cfs_quota_us", _quota(amount))], []


def _cpus_2(amount: float) -> "Files":
    return [("cpu.max", f"{_quota(amount)} {PERIOD}")], []


FILES = {
    1: {"memory": _memory_1, "pids": _pids_1, "cpus": _cpus_1},
    2: {"memory": _memory_2, "pids": _pids_2, "cpus": _cpus_2},
}
