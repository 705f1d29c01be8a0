"""What a driver says of each control: by what mechanism, how fully, and if not, why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How far a control holds. Only `FULL` satisfies a control that is asked for."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Control:
    """A promise with a stable id; `aisbx.testing` attacks each by this id."""

    id: str
    promise: str


# The ids are part of the public contract: they stand in reports, audit records,
# `lower:` lists and the names of the kit's attacks. Add, never rename.
CONTROLS: Mapping[str, Control] = {
    control.id: control
    for control in (
        Control(
            "fs:host-hidden", "nothing of the host's files exists inside but the runtime, the mounts and the workspace"
        ),
        Control("fs:readonly-runtime", "the runtime, the toolchain and the aisbx that runs cannot be written"),
        Control("fs:workspace", "the workspace has the access its mode names, at the same path"),
        Control("fs:protected", "files that the host would execute by itself are not changed by the sandbox"),
        Control("fs:private-tmp", "/tmp, /dev and /proc are the sandbox's own and end with it"),
        Control("fs:home-empty", "the home directory is empty but for a synthesised gitconfig"),
        Control("proc:isolated", "no process of the host can be seen or signalled"),
        Control("proc:no-survivors", "every process ends with the command and with the launcher"),
        Control("ipc:isolated", "System V and POSIX IPC objects of the host are out of reach"),
        Control("net:deny", "no network but the sandbox's own loopback"),
        Control("net:allowlist", "no network but what a rule names, through a proxy that decides on each connection"),
        Control("net:host-sockets", "abstract and path sockets of the host are out of reach"),
        Control(
            "secret:proxied",
            "a secret that the proxy puts in is nowhere inside, and goes where it is bound to alone",
        ),
        Control("sys:filter", "only the system calls of the profile are allowed, over every entry"),
        Control("sys:no-userns", "no user namespace can be made inside"),
        Control("priv:no-caps", "no capabilities, and none can be gained"),
        Control("priv:no-new-privs", "set-uid programs give nothing"),
        Control("priv:not-root", "the inside is never the host's uid 0"),
        Control("desc:clean", "only /dev/null, pipes and ptys made for the run are open inside"),
        Control("env:clean", "only named variables are set, also in PID 1"),
        Control("tty:no-injection", "nothing can be typed into the caller's terminal"),
        Control(
            "info:host",
            "host name, machine and boot id, users, mounts, kernel log and symbols of the host are not shown",
        ),
        Control("limit:wall-time", "the run ends at its time limit"),
        Control("limit:output", "no more output than the bound is passed on"),
        Control("limit:memory", "the sum of the sandbox's memory is capped"),
        Control("limit:pids", "the number of the sandbox's tasks is capped"),
        Control("limit:cpus", "the sandbox's share of processor time is capped"),
        Control("limit:disk", "what the sandbox writes to private space is capped"),
        Control("limit:open-files", "the number of open files of a process is capped"),
        Control("limit:core", "no core files are written"),
    )
}


@dataclass(frozen=True, slots=True)
class ControlState:
    """One row of the report: `mechanism` says by what, `reason` and `remedy` why not and what then."""

    control: str
    level: Level
    mechanism: str = ""
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Enforcement:
    """One `ControlState` for each id of `CONTROLS` that concerns a spec; ids not named count as `NONE`."""

    states: tuple[ControlState, ...] = ()

    @classmethod
    def of(cls, states: Iterable[ControlState]) -> "Enforcement":
        """Build a report in the order of `CONTROLS`; ValueError for an unknown or repeated id."""
        rows = list(states)
        by_id = {state.control: state for state in rows}
        unknown = by_id.keys() - CONTROLS.keys()
        if unknown or len(by_id) != len(rows):
            msg = f"unknown or repeated controls: {sorted(unknown) or 'repeated'}"
            raise ValueError(msg)
        return cls(tuple(by_id[name] for name in CONTROLS if name in by_id))

    def __getitem__(self, control: str) -> ControlState:
        """Give the state of one control, `NONE` if the driver did not name it."""
        for state in self.states:
            if state.control == control:
                return state
        return ControlState(control, Level.NONE, reason="the driver does not name this control")

    def as_record(self) -> dict[str, dict[str, str]]:
        """Give the report as JSON data: id → level, mechanism, reason, remedy (empty ones left out)."""
        return {
            state.control: {
                key: value
                for key, value in (
                    ("level", state.level.value),
                    ("mechanism", state.mechanism),
                    ("reason", state.reason),
                    ("remedy", state.remedy),
                )
                if value
            }
            for state in self.states
        }
