"""A small Debian as a tar stream, by mmdebstrap from the packages of this machine's own sources.

An ordinary user is root in a user namespace that knows one account; there, what gives files to others is told that it
worked (a filter answers chown(2) and the like), and every file is the user's own. So it needs no subordinate ids, and
what is left half made can be removed again.
"""

import os
import platform
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from aisbx.errors import UsageError

from aisbx_linux import cradle, syscalls
from aisbx_linux.processes import children_of, leave, put, send
from aisbx_linux.seccomp.bpf import ARCH_OFFSET, JEQ, LOAD, NUMBER_OFFSET, RET_ALLOW, RETURN, Instruction, encode

TOOL = "mmdebstrap"
SPARE = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "LANG")
_DEVICES = "null zero full random urandom"
_MOUNT = ': > "$1/dev/$each" && mount --bind "/dev/$each" "$1/dev/$each"'
_UNMOUNT = 'umount "$1/dev/$each" && rm "$1/dev/$each"'
_WRONG = 200
"""Letters of what went wrong that are told."""
# Numbers of chown, fchown, lchown, fchownat, setgroups, setuid, setgid, setresuid, setresgid, setreuid, setregid,
# setfsuid, setfsgid, mknod, mknodat (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
_PRETENDED = {
    "x86_64": (0xC000003E, (92, 93, 94, 260, 116, 105, 106, 117, 119, 113, 114, 122, 123, 133, 259)),
    "aarch64": (0xC00000B7, (55, 54, 159, 146, 144, 147, 149, 143, 145, 151, 152, 33)),
}
_RET_SUCCESS = 0x0005_0000
"""SECCOMP_RET_ERRNO with 0: the call is not made, and its caller told that it was."""


class DebianStream:
    """Has mmdebstrap write the stream."""

    def __init__(self, beside: Path, told: Callable[[str], None]) -> None:
        """Work below `beside`. UsageError where mmdebstrap, or sources of packages, are not here."""
        if shutil.which(TOOL, path=_PATH) is None:
            raise UsageError("--from debian: there is no mmdebstrap here", hint="apt-get install mmdebstrap")
        self._suite = _suite()
        self._sources = _sources()
        self._beside = beside
        self._told = told
        self._child = 0
        self._listener: threading.Thread | None = None
        self._wrong: list[str] = []
        self._last = ""

    def start(self, target: int) -> None:
        """Begin to write to a descriptor, which is closed here."""
        self._told(f"installing Debian {self._suite} by {TOOL}, from this machine's own sources")
        scratch = self._beside / "scratch"
        scratch.mkdir(mode=0o755)
        # apt's own user has to get there, where root runs it.
        self._beside.chmod(0o711)
        heard, spoken = os.pipe2(os.O_CLOEXEC)
        argv = [shutil.which(TOOL, path=_PATH) or TOOL, *self._words()]
        environment = {"PATH": _PATH, "TMPDIR": str(scratch), "HOME": "/", "LC_ALL": "C.UTF-8"}
        environment |= {name: os.environ[name] for name in _PASSED if name in os.environ}
        self._child = os.fork()
        if self._child == 0:
            try:
                _become(argv, environment, target, spoken)
            except OSError as error:
                os.write(spoken, f"E: what it runs in cannot be made: {error.strerror or error}\n".encode())
            finally:
                leave(127)
        os.close(target)
        os.close(spoken)
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def finish(self) -> str:
        """Say what kept mmdebstrap from being whole; "" for nothing."""
        if not self._child:
            return ""
        code = self._wait()
        if code == 0:
            return ""
        return f"{TOOL} ended with {code}: {'; '.join(self._wrong or [self._last])[:_WRONG]}"

    def stop(self) -> None:
        """End it, whatever it is doing; nothing of it is left then."""
        if self._child:
            # Below it is the first process of the namespace: once that was waited for, all in there have ended.
            for process in children_of(self._child) or [self._child]:
                send(process, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        """Wait until all of it has ended; gives its code."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        self._child = 0
        if self._listener is not None:
            self._listener.join()  # all that could say anything has ended then
        return code

    def _listen(self, heard: int) -> None:
        """Pass on what it says of its steps, and keep what went wrong."""
        with open(heard, encoding="utf-8", errors="replace") as stream:
            for line in map(str.strip, stream):
                if line.startswith("I: "):
                    self._told(line.removeprefix("I: "))
                elif line.startswith(("E:", "Err:", "dpkg: error")):
                    self._wrong.append(line)
                self._last = line or self._last

    def _words(self) -> Iterator[str]:
        yield from ("--variant=minbase", "--mode=root", "--format=tar")
        for path in SPARE:
            yield f"--dpkgopt=path-exclude={path}"
        yield '--aptopt=APT::Sandbox::User "root"'
        if os.geteuid() != 0:
            # It would mount a file system for terminals of a group that this namespace does not know.
            yield "--skip=chroot/mount/dev"
            yield f'--setup-hook=mkdir -p "$1/dev"; for each in {_DEVICES}; do {_MOUNT}; done'
            yield f"--customize-hook=for each in {_DEVICES}; do {_UNMOUNT}; done"
        yield from (self._suite, "-", *self._sources)


def _suite() -> str:
    try:
        return platform.freedesktop_os_release()["VERSION_CODENAME"]
    except (OSError, KeyError):
        raise UsageError(
            "--from debian: this is no Debian, whose sources could be used", hint="use --from host"
        ) from None


def _sources() -> list[str]:
    """Give the files of APT's sources that are Debian's, as mmdebstrap takes them."""
    found = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    used = [str(path) for path in found if path.suffix in {".list", ".sources"} and _debians(path)]
    if not used:
        raise UsageError("--from debian: APT has no sources of Debian's here", hint="see /etc/apt/sources.list")
    return used


def _debians(path: Path) -> bool:
    """Tell whether a file has sources with the component `main`, and none of somebody else's alone."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(
        (line.startswith("deb ") and " main" in line and "/debian" in line)
        or (line.startswith("URIs:") and "/debian" in line)
        for line in lines
    )


def _become(argv: list[str], environment: dict[str, str], output: int, log: int) -> None:
    """Have namespaces of its own, in which its mounts and processes end with it, and become the program."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.die_with_parent()
    nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(log, 2)
    if uid == 0:
        cradle.contain(pids=True, mounts=True)
    else:
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
        put("/proc/self/setgroups", "deny")
        put("/proc/self/uid_map", f"0 {uid} 1")
        put("/proc/self/gid_map", f"0 {gid} 1")
    syscalls.die_with_parent()
    if first := os.fork():
        leave(1 if os.waitpid(first, 0)[1] else 0)
    syscalls.die_with_parent()
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE, "")
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV, "")
    if uid != 0:
        syscalls.call("prctl", 38, 1, 0, 0, 0)
        syscalls.set_filter(pretending())
    os.umask(0o022)
    os.chdir("/")
    try:
        os.execve(argv[0], argv, environment)  # noqa: S606 - there is nothing for a shell to do
    except OSError as error:
        os.write(2, f"E: {argv[0]}: {error.strerror}\n".encode())


def pretending() -> bytes:
    """Give a filter that says of calls which give files to others, or become others, that they were done."""
    machine = os.uname().machine
    if machine not in _PRETENDED:
        raise OSError(f"there is no table of calls for {machine}")
    architecture, numbers = _PRETENDED[machine]
    program = [Instruction(LOAD, ARCH_OFFSET), Instruction(JEQ, architecture, 1, 0), Instruction(RETURN, RET_ALLOW)]
    program.append(Instruction(LOAD, NUMBER_OFFSET))
    for place, number in enumerate(numbers):
        program.append(Instruction(JEQ, number, len(numbers) - place, 0))
    return encode([*program, Instruction(RETURN, RET_ALLOW), Instruction(RETURN, _RET_SUCCESS)])
