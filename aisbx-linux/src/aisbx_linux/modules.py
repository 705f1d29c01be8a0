"""What a launch imports: a plan keeps the code, or the place, of these. Looked at when a plan is made, by name."""

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx.types import Carried, LocalPlan

HOT = (
    "aisbx_linux",
    *(
        f"aisbx_linux.{name}"
        for name in (  # noqa: SIM905 - one line each otherwise
            "syscalls processes rlimits cradle sources relay assemble ending guard bounds lend "
            "spawn wire protect protect.scan protect.settle launch host"
        ).split()
    ),
    "aisbx_linux.compose",
    *(f"aisbx_linux.{name}" for name in ("stage", "cgroup", "cgroup.group") if posix.geteuid() == 0),
)
"""What every launch imports, each after what it needs: a plan may keep their code, to make them without a search."""
JOINING = (
    "aisbx_linux",
    *(
        f"aisbx_linux.{name}"
        for name in (  # noqa: SIM905 - one line each otherwise
            "syscalls processes rlimits cradle sources relay assemble ending guard bounds lend "
            "spawn wire protect protect.scan protect.settle launch host lasting lasting.identity "
            "lasting.join lasting.pause lasting.wires lasting.bounds lasting.command"
        ).split()
    ),
    *(f"aisbx_linux.{name}" for name in ("cgroup", "cgroup.group") if posix.geteuid() == 0),
)
"""The same for a command that joins a sandbox that is there."""
LAYER = tuple(f"aisbx_linux.{name}" for name in "layer layer.place layer.remove layer.overlay layer.end".split())  # noqa: SIM905
"""What a launch imports beside `HOT` where a layer is laid over the workspace."""
LATE = (
    *("_ctypes", "fcntl", "resource", "select", "termios"),
    *(
        f"aisbx_linux.{name}"
        for name in (  # noqa: SIM905 - one line each otherwise
            "attend cgroup cgroup.group egress publish remedy resume suspend terminal undelivered watch"
        ).split()
    ),
    *LAYER,
    *(f"aisbx_linux.layer.{name}" for name in ("layers", "journal", "walk", "union", "marks", "git", "carry")),
    *(
        f"aisbx_linux.protect.{name}"
        for name in (  # noqa: SIM905 - one line each otherwise
            "folding derive gitconfig keys look names quarantine reconcile remember repair tree undo walk"
        ).split()
    ),
)
"""What is not imported by every launch, or while the tool works; without a search for it."""
JOINING_LATE = (
    *LATE,
    "_socket",
    "aisbx_linux.cgroup.amounts",
    "aisbx_linux.cgroup.below",
    "aisbx_linux.lasting.family",
    "aisbx_linux.lasting.mark",
    "aisbx_linux.lasting.own",
    "aisbx_linux.lasting.resume",
    "aisbx_linux.lasting.terminal",
    "aisbx_linux.lasting.use",
    "aisbx_linux.layer.ask",
    "aisbx_linux.message",
    "aisbx_linux.watching",
    "aisbx_linux.watching.hand",
    "aisbx_linux.watching.notify",
)


def carried(plan: "LocalPlan", state: str) -> "Carried | None":
    """Give what the compiled front (`aisbx-linux/native`) carries out for a plan of `launch`; None where it can't."""
    workspace = plan["workspace"]
    staged = plan["outside"] is not None or posix.geteuid() != 0
    if plan["words"] or plan["publish"] or "egress" in plan or not (plan["contained"] and plan["composed"] and staged):
        return None
    if workspace is None or workspace[1] == "ro":
        return {"plan": plan, "scans": "", "joining": None}
    if workspace[1] != "rw" or not state:
        return None
    from aisbx_linux.guard import scans

    return {"plan": plan, "scans": scans(state, workspace[0]), "joining": None}
