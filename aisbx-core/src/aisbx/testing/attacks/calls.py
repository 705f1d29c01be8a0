"""Attacks on the system-call filter and on nested namespaces: `sys:filter`, `sys:no-userns`.

A call counts as refused if it gives EPERM, EACCES or ENOSYS, or if the filter kills the caller. Any other answer,
also an error such as EFAULT, comes from the kernel's own code for that call: the filter let it through.
"""

import os
from collections.abc import Callable

from aisbx.testing.attack import Attack
from aisbx.testing.premises import (
    GETPID_32,
    first_of,
    needs_root,
    no_32_bit,
    no_user_namespaces,
    no_x32,
    sysctl,
    unfiltered,
)
from aisbx.types import ExitStatus

_SIGSYS, _SIGSEGV, _SIGKILL = 31, 11, 9

_CALL = """
    number = {numbers!r}.get(os.uname().machine)
    if number is None:
        held("no such call on " + os.uname().machine)
    libc.syscall.restype = ctypes.c_long
    blank = ctypes.create_string_buffer(256)
    result = libc.syscall(ctypes.c_long(number), {arguments})
    code = ctypes.get_errno()
    if result == -1 and code in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        held(errno.errorcode[code])
    breach("{name} answers " + (errno.errorcode[code] if result == -1 else str(result)))
"""


def _killed(status: ExitStatus) -> bool:
    return status.signal in {_SIGSYS, _SIGKILL}


def _call(name: str, x86_64: int, aarch64: int, arguments: str, unprovable: Callable[[], str], sentence: str) -> Attack:
    numbers = {"x86_64": x86_64, "aarch64": aarch64}
    return Attack(
        id=f"sys:filter/{name.replace('_', '-')}",
        sentence=sentence,
        program=_CALL.format(name=name, numbers=numbers, arguments=arguments),
        unprovable=first_of(unprovable, unfiltered),
        unmarked=_killed,
    )


def _always() -> str:
    return ""


def _no_io_uring() -> str:
    setting = sysctl("kernel.io_uring_disabled")
    allowed = setting in {"", "0"} or (setting == "1" and os.geteuid() == 0)
    return "" if allowed else f"kernel.io_uring_disabled is {setting}"


def _no_userfaultfd() -> str:
    return "" if sysctl("vm.unprivileged_userfaultfd") else "this kernel has no userfaultfd"


def _no_keys() -> str:
    return "" if os.path.exists("/proc/keys") else "this kernel has no keyrings"


def _no_modules() -> str:
    return needs_root() if os.path.exists("/proc/modules") else "this kernel has no modules"


def _no_kexec() -> str:
    return needs_root() if sysctl("kernel.kexec_load_disabled") == "0" else "this kernel has no kexec"


def _no_kernel_log() -> str:
    return needs_root() if sysctl("kernel.dmesg_restrict") == "1" else ""


_NEWUSER = 0x1000_0000
# In linux/sched.h's order of CLONE_*: mounts, cgroups, host name, IPC, processes, network.
_NAMESPACES = (0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x2000_0000, 0x4000_0000)

ATTACKS = (
    _call("io_uring_setup", 425, 425, "1, blank", _no_io_uring, "set up a ring that makes calls past the filter"),
    _call("userfaultfd", 323, 282, "1", _no_userfaultfd, "take over page faults, to win races in the kernel"),
    _call("bpf", 321, 280, "0, blank, 0", needs_root, "load a program into the kernel"),
    _call("perf_event_open", 298, 241, "blank, 0, -1, -1, 0", needs_root, "watch the processor's counters"),
    _call("keyctl", 250, 219, "0, -4, 0", _no_keys, "reach the user's keyring, which no namespace separates"),
    _call("add_key", 248, 217, "blank, blank, 0, 0, 0", _no_keys, "put a key into the user's keyring"),
    _call("ptrace", 101, 117, "0x4206, os.getppid(), 0, 0", needs_root, "take hold of another process"),
    _call("process_vm_readv", 310, 270, "os.getpid(), blank, 0, blank, 0, 0", _always, "read another's memory"),
    _call("open_tree", 428, 428, "-100, b'/', 0", _always, "take a mount in hand with the new mount calls"),
    _call("fsopen", 430, 430, "b'tmpfs', 0", needs_root, "make a file system with the new mount calls"),
    _call("mount", 165, 40, "b'none', b'/tmp', b'no-such-type', 0, 0", needs_root, "mount a file system"),
    _call("finit_module", 313, 273, "-1, b'', 0", _no_modules, "load a kernel module"),
    _call("kexec_load", 246, 104, "0, 0, 0, 0xffff", _no_kexec, "replace the kernel"),
    _call("open_by_handle_at", 304, 265, "-1, blank, 0", needs_root, "open a file by its handle"),
    _call("syslog", 103, 116, "10, 0, 0", _no_kernel_log, "read the kernel's log"),
    _call("swapon", 167, 224, "b'/no-such-file', 0", needs_root, "add swap space"),
    Attack(
        id="sys:filter/x32",
        sentence="make a call through x32, whose numbers a filter for x86_64 does not know",
        program="""
            libc.syscall.restype = ctypes.c_long
            result = libc.syscall(ctypes.c_long(0x40000000 | 39))  # getpid
            if result == -1:
                held(errno.errorcode[ctypes.get_errno()])
            breach("x32's getpid gives %d" % result)
        """,
        unprovable=no_x32,
        unmarked=_killed,
    ),
    Attack(
        id="sys:filter/int80",
        sentence="make a call through int 0x80, whose numbers mean other calls",
        program=GETPID_32
        + """
if os.uname().machine != "x86_64":
    held("no int 0x80 on " + os.uname().machine)
result = run()
if result < 0:
    held(errno.errorcode.get(-result, str(result)))
breach("the 32-bit getpid gives %d" % result)
""",
        unprovable=no_32_bit,
        unmarked=lambda status: status.signal in {_SIGSYS, _SIGKILL, _SIGSEGV},
    ),
    Attack(
        id="sys:no-userns/unshare",
        sentence="make a user namespace with unshare, and all capabilities with it",
        program=f"""
            checked(libc.unshare({_NEWUSER}), "unshare")
            breach("in a new user namespace")
        """,
        unprovable=no_user_namespaces,
        unmarked=_killed,
    ),
    Attack(
        id="sys:no-userns/clone",
        sentence="make a user namespace with clone",
        program=f"""
            number = {{"x86_64": 56, "aarch64": 220}}[os.uname().machine]
            child = checked(libc.syscall(ctypes.c_long(number), ctypes.c_long({_NEWUSER | 17}), 0, 0, 0, 0), "clone")
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
            breach("a child was in a new user namespace")
        """,
        unprovable=no_user_namespaces,
        unmarked=_killed,
    ),
    Attack(
        id="sys:no-userns/clone3",
        sentence="make a user namespace with clone3, whose flags lie in memory where no filter looks",
        program=f"""
            arguments = struct.pack("=11Q", {_NEWUSER}, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
            child = checked(libc.syscall(ctypes.c_long(435), arguments, len(arguments)), "clone3")
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
            breach("a child was in a new user namespace")
        """,
        unprovable=no_user_namespaces,
        unmarked=_killed,
    ),
    Attack(
        id="sys:no-userns/clone3-race",
        sentence="make a user namespace with clone3 whose flags another process changes while the call is looked at",
        program=f"""
            import mmap
            shared = mmap.mmap(-1, 4096)
            shared.write(struct.pack("=11Q", 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))
            other = os.fork()
            if other == 0:
                end = time.monotonic() + 10
                while time.monotonic() < end:
                    for _ in range(1000):
                        shared[0:8] = b"\\0\\0\\0\\x10\\0\\0\\0\\0"  # {_NEWUSER:#x}
                        shared[0:8] = b"\\0" * 8
                os._exit(0)
            own, arguments = os.readlink("/proc/self/ns/user"), ctypes.addressof(ctypes.c_char.from_buffer(shared))
            end = time.monotonic() + 8
            try:
                while time.monotonic() < end:
                    child = checked(libc.syscall(ctypes.c_long(435), ctypes.c_void_p(arguments), 88), "clone3")
                    if child == 0:
                        os._exit(os.readlink("/proc/self/ns/user") != own)
                    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
                        breach("a child was in a new user namespace")
            finally:
                os.kill(other, signal.SIGKILL)
        """,
        unprovable=no_user_namespaces,
        unmarked=_killed,
    ),
    Attack(
        id="sys:no-userns/clone3-every-flag",
        sentence="make any namespace with clone3, each by itself and all with a user namespace",
        program=f"""
            kinds = {_NAMESPACES!r}
            for flags in (*kinds, *({_NEWUSER} | kind for kind in kinds), {_NEWUSER} | sum(kinds)):
                arguments = struct.pack("=11Q", flags, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
                child = libc.syscall(ctypes.c_long(435), arguments, len(arguments))
                if child == 0:
                    os._exit(0)
                if child > 0:
                    os.waitpid(child, 0)
                    breach("a child was made with flags %#x" % flags)
        """,
        unprovable=no_user_namespaces,
        unmarked=_killed,
    ),
)
