"""Attacks on what comes from the caller: descriptors, variables, the terminal: `desc:`, `env:`, `tty:`."""

import os
from collections.abc import Mapping
from pathlib import Path

from aisbx.testing.attack import Attack
from aisbx.testing.premises import needs_root, sysctl
from aisbx.testing.scene import Scene
from aisbx.types import ExitStatus, Stdio

_KEPT = "what was in the file before"


def _left_open(scene: Scene) -> Mapping[str, object]:
    """Leave a secret and a directory open in the caller, both inheritable, at numbers above the usual."""
    for path in (scene.file("elsewhere", "secret"), scene.elsewhere):
        descriptor = os.open(path, os.O_RDONLY)
        os.set_inheritable(descriptor, True)  # noqa: FBT003  (its only form)
        scene.defer(os.close, descriptor)
    return {}


def _log(scene: Scene) -> str:
    return os.path.join(scene.elsewhere, "log")


def _log_for_appending(scene: Scene) -> Stdio:
    """Send both streams to a log, as `aisbx run … >> log` does."""
    scene.file("elsewhere", "log", text=_KEPT, mode=0o666)
    descriptor = os.open(_log(scene), os.O_WRONLY | os.O_APPEND)
    scene.defer(os.close, descriptor)
    return Stdio(stdout=descriptor, stderr=descriptor)


def _log_for_reading(scene: Scene) -> Stdio:
    """Feed a file to the command, as `aisbx run … < file` does."""
    scene.file("elsewhere", "log", text=_KEPT, mode=0o666)
    descriptor = os.open(_log(scene), os.O_RDONLY)
    scene.defer(os.close, descriptor)
    return Stdio(stdin=descriptor)


def _log_changed(scene: Scene, _status: ExitStatus) -> str:
    return "" if Path(_log(scene)).read_text().startswith(_KEPT) else "the caller's file was changed"


def _done(status: ExitStatus) -> bool:
    """Its word went to the caller's file, where only evidence counts."""
    return status.code == 0


def _variable(scene: Scene) -> Mapping[str, object]:
    os.environ["AISBX_KIT_SECRET"] = f"{scene.token}-leak"
    scene.defer(os.environ.pop, "AISBX_KIT_SECRET", None)
    return {}


def _command_lines(scene: Scene) -> Mapping[str, object]:
    """Look at the host's process list for the value of a variable that the request named."""
    wanted = f"{scene.token}-value".encode()

    def look() -> str:
        for pid in scene.processes():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if wanted in line:
                return f"the process list shows the variable's value: {line[:40]!r}…"
        return ""

    scene.watch(look)
    return {}


def _noticed(scene: Scene, _status: ExitStatus) -> str:
    return scene.seen[0] if scene.seen else ""


def _terminal(scene: Scene) -> Mapping[str, object]:
    slave = scene.terminal()
    seen = os.fstat(slave)
    return {"terminal": [seen.st_dev, seen.st_ino, seen.st_rdev]}


def _on_terminal(scene: Scene) -> Stdio:
    slave = scene.slave
    return Stdio(stdin=slave, stdout=slave, terminal=True)


def _typed(scene: Scene, _status: ExitStatus) -> str:
    os.set_blocking(scene.slave, False)
    try:
        typed = os.read(scene.slave, 4096).decode(errors="replace")
    except OSError:
        typed = ""
    return f"{typed.strip()!r} was typed into the caller's terminal" if typed else ""


def _no_injection() -> str:
    return needs_root() if sysctl("dev.tty.legacy_tiocsti") == "0" else ""


ATTACKS = (
    Attack(
        id="desc:clean/inherited",
        sentence="use descriptors that the caller left open",
        stage=_left_open,
        program="""
            for number in range(3, 256):
                reads("/proc/self/fd/%d" % number)
                try:
                    descriptor = os.open("secret", os.O_RDONLY, dir_fd=number)
                except OSError:
                    continue
                breach("opened a secret below descriptor %d" % number)
        """,
    ),
    Attack(
        id="desc:clean/strays",
        sentence="find anything open beside the three streams, in any process inside",
        stage=_left_open,
        program="""
            for process in ["self", *pids()]:
                place = "/proc/" + process + "/fd"
                if not tries(os.listdir, place):
                    continue
                for name in os.listdir(place):
                    try:
                        target = os.readlink(place + "/" + name)
                    except OSError:
                        continue  # the one that listed the directory
                    if int(name) > 2 and target.startswith("/") and not target.startswith(("/proc", "/dev/null")):
                        breach(process + " has " + target + " open")
        """,
    ),
    Attack(
        id="desc:clean/stdout-reopened",
        sentence="open the caller's output file again through /proc/self/fd/1 and cut it off",
        stdio=_log_for_appending,
        evidence=_log_changed,
        unmarked=_done,
        program="""
            for number in (1, 2):
                path = "/proc/self/fd/%d" % number
                tries(lambda: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK)))
        """,
    ),
    Attack(
        id="desc:clean/stdin-reopened",
        sentence="open the caller's input file again through /proc/self/fd/0 for writing",
        stdio=_log_for_reading,
        evidence=_log_changed,
        program="""
            os.close(os.open("/proc/self/fd/0", os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK))
        """,
    ),
    Attack(
        id="env:clean/inherited",
        sentence="find a variable of the caller, in its own environment or that of any process inside",
        stage=_variable,
        program="""
            leak = (token + "-leak").encode()
            for process in ["self", *pids()]:
                try:
                    with open("/proc/" + process + "/environ", "rb") as file:
                        found = leak in file.read()
                except OSError:
                    continue
                if found:
                    breach("in the environment of " + process)
        """,
    ),
    Attack(
        id="env:clean/command-line",
        sentence="show the value of a variable to every user of the host, in the process list",
        stage=_command_lines,
        environment={"AISBX_KIT_VALUE": "{token}-value"},
        evidence=_noticed,
        program="""
            if os.environ.get("AISBX_KIT_VALUE") != token + "-value":
                raise RuntimeError("the variable did not arrive")
            time.sleep(0.4)
        """,
    ),
    Attack(
        id="tty:no-injection/same-terminal",
        sentence="hold the caller's own terminal",
        stage=_terminal,
        stdio=_on_terminal,
        program="""
            for stream in (0, 1, 2):
                seen = os.fstat(stream)
                if [seen.st_dev, seen.st_ino, seen.st_rdev] == facts["terminal"]:
                    breach("stream %d is the caller's terminal" % stream)
        """,
    ),
    Attack(
        id="tty:no-injection/typed",
        sentence="type a command into the caller's terminal with TIOCSTI",
        stage=_terminal,
        stdio=_on_terminal,
        evidence=_typed,
        unprovable=_no_injection,
        program="""
            import fcntl
            tries(fcntl.ioctl, 0, 0x540E, 0)  # TIOCSCTTY
            for character in b"echo typed\\n":
                fcntl.ioctl(0, 0x5412, bytes([character]))  # TIOCSTI
            time.sleep(0.2)
        """,
    ),
)
