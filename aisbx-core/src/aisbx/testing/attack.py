"""An attack as data: a small program that tries to break one promise, and how to tell whether it did.

The program is Python and runs inside a real sandbox as `python -I -S -c PROGRAM FACTS`. It ends by calling
`breach(what)` or `held(why)`; falling off its end, an OSError or a MemoryError counts as held. A program that ends in
any other way has proved nothing, and a test that relies on it fails.
"""

import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aisbx.testing.scene import Scene
from aisbx.types import CONTROLS, Command, ExitStatus, Level, Proxied, SandboxSpec, Stdio

_PROLOGUE = """\
import ctypes, errno, json, os, signal, socket, stat, struct, sys, time
facts = json.loads(sys.argv[1])
token = facts["token"]
libc = ctypes.CDLL(None, use_errno=True)

def say(word, what):
    line = (word + " " + " ".join(str(what).split())[:400] + "\\n").encode()
    os.write(1, line)
    os._exit(0)

def breach(what):
    say("BREACH", what)

def held(why):
    say("HELD", why)

def reads(path):
    # Never block on a pipe or a terminal: what is looked for lies in regular files.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode) and token.encode() in os.pread(descriptor, 65536, 0):
            breach("read " + path)
    except OSError:
        pass
    finally:
        os.close(descriptor)

def tries(function, *arguments):
    try:
        function(*arguments)
    except (OSError, ValueError):  # resource.setrlimit says ValueError where the kernel says EPERM
        return False
    return True

def put(path, text=None, mode=0o755):
    # The way of an editor or a script: write over what is there.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.write(descriptor, (text or token).encode())
    os.close(descriptor)

def pids():
    return [name for name in os.listdir("/proc") if name.isdigit()]

def checked(result, name):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, name + ": " + os.strerror(number))
    return result

def daemon(path, seconds, keep_streams=False):
    # Twice forked, a session of its own, deaf to polite signals; beats until it is killed or the time is over.
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if not keep_streams:
        null = os.open("/dev/null", os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with open(path, "ab", buffering=0) as beats:
            beats.write(b".")
        time.sleep(0.03)
    os._exit(0)

def main():
"""

_EPILOGUE = """
try:
    main()
except (OSError, MemoryError) as error:
    held(type(error).__name__ + ": " + str(error))
held("nothing gained")
"""


def _no_facts(_scene: Scene) -> Mapping[str, object]:
    return {}


def _no_evidence(_scene: Scene, _status: ExitStatus) -> str:
    return ""


def _as_it_is(_scene: Scene, spec: SandboxSpec) -> SandboxSpec:
    return spec


def _no_secrets(_scene: Scene) -> None:
    return None


def _captured(_scene: Scene) -> Stdio:
    return Stdio(capture=4 << 20)


def _marked_only(_status: ExitStatus) -> bool:
    return False


def _provable() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attempt to break one control; `id` is `CONTROL/name`."""

    id: str
    sentence: str
    """What it does, for reports."""
    program: str
    stage: Callable[[Scene], Mapping[str, object]] = _no_facts
    """Sets the host's side up and gives the facts that the program gets beside the scene's own."""
    evidence: Callable[[Scene, ExitStatus], str] = _no_evidence
    """Looks at the host afterwards; text if the attack worked, whatever the program says."""
    shape: Callable[[Scene, SandboxSpec], SandboxSpec] = _as_it_is
    """Makes the spec ask for what is attacked: a limit, a workspace mode, a mount."""
    bears: Callable[[Scene], Proxied | None] = _no_secrets
    """Gives what the driver is to bear of secrets that the proxy puts in."""
    stdio: Callable[[Scene], Stdio] = _captured
    environment: Mapping[str, str] | None = None
    """Variables of the command; `{token}` is replaced by the scene's."""
    unmarked: Callable[[ExitStatus], bool] = _marked_only
    """Endings without a word of the program that count as held (killed by a filter, say)."""
    holds_from: Level = Level.FULL
    """The weakest claim that must withstand it: PARTIAL where part of a promise is kept fully."""
    unprovable: Callable[[], str] = _provable
    """Why it cannot work here even unconfined (the kernel or the user's rights forbid it); empty: it can."""
    kills_launcher: bool = False
    """The launcher is killed with SIGKILL as soon as the program's heart beats."""
    seconds: float = 30.0
    """No run takes longer; one that does has proved nothing."""

    def __post_init__(self) -> None:
        """Hold the id to `CONTROLS`."""
        if self.control not in CONTROLS or not self.name:
            msg = f"{self.id!r} is not CONTROL/name"
            raise ValueError(msg)

    @property
    def control(self) -> str:
        """The id of the control that is attacked."""
        return self.id.partition("/")[0]

    @property
    def name(self) -> str:
        """The attack's own part of its id."""
        return self.id.partition("/")[2]

    def command(self, scene: Scene, facts: Mapping[str, object], python: str) -> Command:
        """Give the command that runs the program inside."""
        source = _PROLOGUE + textwrap.indent(textwrap.dedent(self.program), "    ") + _EPILOGUE
        variables = {key: value.format(token=scene.token) for key, value in (self.environment or {}).items()}
        return Command(
            argv=(python, "-I", "-S", "-c", source, json.dumps({**scene.facts(), **facts})), environment=variables
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attack: `breached` None means that it proved nothing; `what` says more."""

    breached: bool | None
    what: str


def judge(attack: Attack, scene: Scene, status: ExitStatus) -> Result:
    """Weigh the host's evidence first, then the program's last word, then how it ended."""
    found = attack.evidence(scene, status)
    if found:
        return Result(breached=True, what=found)
    text = (status.stdout.data + scene.terminal_output()).decode(errors="replace")
    for line in text.splitlines():
        if line.startswith("BREACH "):
            return Result(breached=True, what=line.removeprefix("BREACH ").strip())
        if line.startswith("HELD "):
            return Result(breached=False, what=line.removeprefix("HELD ").strip())
    how = f"exit code {status.code}, signal {status.signal}, timed out: {status.timed_out}"
    if attack.unmarked(status):
        return Result(breached=False, what=how)
    errors = status.stderr.data.decode(errors="replace").strip()
    return Result(breached=None, what=f"the program did not finish ({how}): {errors[-2000:] or text[-2000:]}")
