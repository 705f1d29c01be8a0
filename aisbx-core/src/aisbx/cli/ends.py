"""The limits that a run met, in words: what its exit code alone does not tell. Builtin modules only."""


def met(*, timed_out: bool, oom_killed: bool, pids_limited: bool, dropped: int) -> list[str]:
    """Give a line for each limit that was met; `dropped` are bytes of output."""
    lines: list[str] = []
    if timed_out:
        lines.append("it was ended at its time limit")
    if oom_killed:
        lines.append("it ran out of memory: a process was ended at the memory limit")
    if pids_limited:
        lines.append("it had as many processes and threads as its limit allows; more were refused")
    if dropped:
        lines.append(f"{dropped} bytes of its output were dropped, beyond the limit of output")
    return lines
