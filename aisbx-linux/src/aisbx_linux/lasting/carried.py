"""What the compiled front (`aisbx-linux/native`) needs to start a command in a sandbox that lasts."""

import posix

from aisbx_linux.bounds import narrowed
from aisbx_linux.lasting.identity import FILE, lives, parse
from aisbx_linux.launch import FORMAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Carried, JoinPlan, LocalPlan


def carried(plan: "JoinPlan", _state: str) -> "Carried | None":
    """Give all of it, from the sandbox as it is now; None where there is none, or the command has more limits."""
    if "memory" in plan["limits"] or "pids" in plan["limits"]:
        return None
    try:
        with open(f"{plan['home']}/{FILE}", "rb") as stream:
            status = posix.fstat(stream.fileno())
            held = parse(stream.read())
    except OSError:
        return None
    if held is None or held["plan"]["format"] != FORMAT or held["record"] is not None or not lives(held):
        return None
    own, watch = held["plan"], held["watch"]
    cgroup = own["cgroup"]
    rows = cgroup[1] if cgroup is not None else []
    local: LocalPlan = {
        **narrowed(own, plan["limits"]),
        # What it was made of is there: nothing of that is looked up or told again.
        "sources": [],
        "cgroup": None,
        "head": [],
        "tail": [],
        "files": [],
        "private": [],
        "publish": [],
        "environment": {**own["environment"], **plan["environment"]},
        "cwd": plan["cwd"] or own["cwd"],
    }
    if watch is not None:
        from aisbx_linux.watching.notify import notifying

        local["filter"] = notifying(own["filter"], probes=watch[2])
    watched = own["workspace"] is not None and own["workspace"][1] == "rw"
    return {
        "plan": local,
        "scans": f"{plan['home']}/baseline" if watched else "",
        "joining": {
            "home": plan["home"],
            "held": (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size),
            "boot": held["boot"].decode(),
            "first": held["first"],
            "who": held["who"],
            "watched": watch is not None,
            "groups": [(group, row[2]) for group, row in zip(held["groups"], rows, strict=True)],
        },
    }
