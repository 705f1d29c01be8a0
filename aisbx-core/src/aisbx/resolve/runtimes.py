"""Tell runtimes that size themselves by the machine what share of it is theirs: inside, no cgroup is seen. Pure."""

import math
from collections.abc import Mapping

from aisbx.types import Limit

_MIB = 1 << 20


def told(limits: Mapping[str, Limit]) -> dict[str, str]:
    """Give variables for Go, Node and Java by the limits of memory (bytes) and cpus (cores); none without a limit.

    Go collects more eagerly near GOMEMLIMIT, which must leave room for what is not its heap (go.dev/doc/gc-guide: 5 to
    10 %). Node's old space is the greater part of it. Java takes the amount for the machine's and decides as ever (a
    quarter for the heap, unless -Xmx says otherwise); it reports on stderr that it was told.
    """
    variables: dict[str, str] = {}
    java: list[str] = []
    if (memory := limits.get("memory")) is not None:
        amount = int(memory.amount)
        variables["GOMEMLIMIT"] = f"{amount * 9 // 10}B"
        variables["NODE_OPTIONS"] = f"--max-old-space-size={max(1, amount * 3 // 4 // _MIB)}"
        java.append(f"-XX:MaxRAM={amount}")
    if (cpus := limits.get("cpus")) is not None:
        cores = max(1, math.ceil(cpus.amount))
        variables["GOMAXPROCS"] = str(cores)
        java.append(f"-XX:ActiveProcessorCount={cores}")
    if java:
        variables["JAVA_TOOL_OPTIONS"] = " ".join(java)
    return variables
