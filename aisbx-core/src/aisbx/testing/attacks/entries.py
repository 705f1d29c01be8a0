"""Attacks by other ways into the kernel than the native one, in raw machine code: `sys:filter`.

A filter that looks at numbers alone takes a 32-bit call for another one: number 26 is ptrace by `int 0x80` and msync
by `syscall` (arch/x86/entry/syscalls).
"""

import platform
import signal

from aisbx.testing.attack import Attack
from aisbx.testing.premises import first_of, no_32_bit, no_x32, unfiltered
from aisbx.types import ExitStatus

# push rbx; mov eax, NUMBER; mov ebx, ecx, edx, esi: arguments; int 0x80; pop rbx; ret
_BY_INTERRUPT = """
def enter(number, *arguments):
    code = b"\\x53\\xb8" + struct.pack("<I", number)
    for register, value in zip((b"\\xbb", b"\\xb9", b"\\xba", b"\\xbe"), (*arguments, 0, 0, 0, 0)):
        code += register + struct.pack("<I", value & 0xFFFFFFFF)
    return run(code + b"\\xcd\\x80\\x5b\\xc3")
"""
# mov rax, NUMBER; mov edi, esi, edx: arguments; xor r10d, r10d; syscall; ret
_BY_SYSCALL = """
def enter(number, *arguments):
    code = b"\\x48\\xb8" + struct.pack("<Q", number)
    for register, value in zip((b"\\xbf", b"\\xbe", b"\\xba"), (*arguments, 0, 0, 0)):
        code += register + struct.pack("<I", value & 0xFFFFFFFF)
    return run(code + b"\\x45\\x31\\xd2\\x0f\\x05\\xc3")
"""
_CALLS = """
import mmap
if os.uname().machine != "x86_64":
    held("this entry exists on x86_64 only")
pages = []
def run(code):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    pages.append(page)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
{enter}
refused = [-errno.EPERM, -errno.EACCES, -errno.ENOSYS, -errno.EAFNOSUPPORT]  # the last for sockets, as if unknown
# Each has a process of its own: a filter may end it.
for name, (number, *arguments) in {calls!r}.items():
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        result = enter(number | {bits}, *arguments)
        os.write(writer, struct.pack("<i", result))
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 4)
    os.close(reader)
    os.waitpid(child, 0)
    if answer and struct.unpack("<i", answer)[0] not in refused:
        breach("%s answers %d" % (name, struct.unpack("<i", answer)[0]))
"""
_NEWUSER = 0x1000_0000
_BY_32_BIT = {
    "ptrace": (26, 0),
    "unshare": (310, _NEWUSER),
    "mount": (21, 1, 1, 1, 0),
    "io_uring_setup": (425, 1, 1),
    "bpf": (357, 0, 1, 0),
    "keyctl": (288, 0, -4, 0),
    "add_key": (286, 1, 1, 0, 0),
    "userfaultfd": (374, 1),
    "perf_event_open": (336, 1, 0, -1, -1),
    "process_vm_readv": (347, 1, 1, 1, 1),
    "open_tree": (428, -100, 1, 0),
    "clone3": (435, 1, 0),
    "socketcall": (102, 1, 1),
    "socket": (359, 16, 3, 0),
}
_BY_64_BIT = {
    "ptrace": (101, 0),
    "unshare": (272, _NEWUSER),
    "mount": (165, 1, 1, 1),
    "io_uring_setup": (425, 1, 1),
    "keyctl": (250, 0, -4, 0),
    "open_tree": (428, -100, 1, 0),
    "clone3": (435, 1, 0),
    "socket": (41, 16, 3, 0),
}


def _other_machine() -> str:
    return "" if platform.machine() == "x86_64" else "this entry exists on x86_64 only"


def _killed(status: ExitStatus) -> bool:
    return status.signal in {signal.SIGSYS, signal.SIGKILL}


ATTACKS = (
    Attack(
        id="sys:filter/int80-calls",
        sentence="make each dangerous call through int 0x80, in machine code of its own",
        program=_CALLS.format(enter=_BY_INTERRUPT, calls=_BY_32_BIT, bits=0),
        unprovable=no_32_bit,
        unmarked=_killed,
    ),
    Attack(
        id="sys:filter/x32-calls",
        sentence="make each dangerous call through x32, in machine code of its own",
        program=_CALLS.format(enter=_BY_SYSCALL, calls=_BY_64_BIT, bits=0x4000_0000),
        unprovable=no_x32,
        unmarked=_killed,
    ),
    Attack(
        id="sys:filter/bits-above",
        sentence="make each dangerous call with bits set above the 32 of its number that the kernel looks at",
        program=_CALLS.format(enter=_BY_SYSCALL, calls=_BY_64_BIT, bits=1 << 32),
        unprovable=first_of(_other_machine, unfiltered),
        unmarked=_killed,
    ),
)
