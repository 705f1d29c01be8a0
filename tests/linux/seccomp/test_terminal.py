"""Nothing can be typed into a terminal, and its line discipline stays."""

import pytest

from .support import PYTHON, confined

# In a session of its own whose controlling terminal is a new pty: what a command on the caller's pty would try.
ATTACK = """
import ctypes, errno, fcntl, os, sys, termios
libc = ctypes.CDLL(None, use_errno=True)
primary, secondary = os.openpty()
if os.fork() == 0:
    os.setsid()
    fcntl.ioctl(secondary, termios.TIOCSCTTY, 0)
    for request in map(int, sys.argv[1:]):
        key = b"\\x1b" if request & 0xffffffff == 0x5423 else b"x"  # the number of a line discipline, or a key
        buffer = ctypes.create_string_buffer(key, 64)
        ctypes.set_errno(0)
        result = libc.ioctl(ctypes.c_int(secondary), ctypes.c_ulong(request), buffer)
        print(errno.errorcode.get(ctypes.get_errno(), "done") if result else "done", flush=True)
    print(len(fcntl.ioctl(secondary, termios.TIOCGWINSZ, b"x" * 8)), flush=True)
    os._exit(0)
os.wait()
"""
TIOCSTI, TIOCLINUX, TIOCSETD = 0x5412, 0x541C, 0x5423
ABOVE = 1 << 32
EVERY_BIT_ABOVE = 0xFFFF_FFFF << 32


@pytest.mark.parametrize("above", [0, ABOVE, EVERY_BIT_ABOVE], ids=["plain", "one bit above", "every bit above"])
def test_typing_into_the_terminal_is_refused_whatever_bits_lie_above_the_request(above: int) -> None:
    requests = [str(above | request) for request in (TIOCSTI, TIOCLINUX, TIOCSETD)]
    done = confined([PYTHON, "-c", ATTACK, *requests], "base")
    assert done.stdout.splitlines() == ["EPERM", "EPERM", "EPERM", "8"], done.stderr
    typed, linux, discipline, window = confined([PYTHON, "-c", ATTACK, *requests]).stdout.splitlines()
    assert typed in {"done", "EIO"}  # EIO: dev.tty.legacy_tiocsti is off
    assert linux != "EPERM"
    assert discipline != "EPERM"
    assert window == "8"


def test_a_request_that_only_ends_like_a_refused_one_is_left_to_the_kernel() -> None:
    requests = [str(0x1_0000 | TIOCSTI), str(0x4000_0000 | TIOCSETD)]
    assert confined([PYTHON, "-c", ATTACK, *requests], "base").stdout.splitlines()[:2] == ["ENOTTY", "ENOTTY"]
