"""The only user of libseccomp: numbers of calls, and the part of a program that decides by number.

libseccomp also knows arguments, but takes rules of one call as a set, not as a list of which the first decides: an
"otherwise" for a call cannot be said. So what depends on arguments is put before its program (see `compile.py`).
"""

import ctypes
import importlib
import os
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType

from aisbx.errors import ControlError

from aisbx_linux.seccomp.bpf import RET_KILL_PROCESS

_NAME = "libseccomp.so"
_SONAME = f"{_NAME}.2"


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))


def _missing(cause: str) -> ControlError:
    return ControlError(
        f"system calls cannot be filtered: {cause}",
        control="sys:filter",
        hint="install libseccomp 2 (Debian, Ubuntu: apt-get install libseccomp2; Fedora: dnf install libseccomp; "
        "Alpine: apk add libseccomp)",
    )


def version() -> str:
    """Give the version of libseccomp in use, such as `2.5.4`; ControlError if it is not installed."""
    try:
        library = ctypes.CDLL(_SONAME)
    except OSError as error:
        raise _missing(f"{_SONAME} is not here ({error})") from error
    library.seccomp_version.restype = ctypes.POINTER(_Version)
    found = library.seccomp_version().contents
    return f"{found.major}.{found.minor}.{found.micro}"


def library_path() -> str:
    """Give the real path of the libseccomp in use, empty where /proc does not show it; ControlError as `version`."""
    version()
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
        mapped = [line.rstrip("\n").partition("/")[2] for line in maps]
    return next((f"/{path}" for path in mapped if path.rpartition("/")[2].startswith(_NAME)), "")


def _pyseccomp() -> ModuleType:
    version()  # first, for a clear error: pyseccomp asks ldconfig for the path and says less when there is none
    try:
        return importlib.import_module("pyseccomp")  # has no type stubs, so nothing is gained by `import`
    except ImportError as error:
        raise _missing("the Python package pyseccomp is not installed") from error
    except RuntimeError as error:
        raise _missing(f"pyseccomp says: {error}; it looks for the library with ldconfig or a compiler") from error


class Library:
    """libseccomp for one architecture, given as `os.uname()` names it and as `AUDIT_ARCH_…`."""

    def __init__(self, token: int) -> None:
        self._seccomp = _pyseccomp()
        self._token = token

    def number(self, call: str) -> int | None:
        """Give the number of a call on this architecture, or None if it has none or the library is too old."""
        found: int = self._seccomp.resolve_syscall(self._token, call)
        return found if found >= 0 else None

    def name(self, number: int) -> str | None:
        """Give the call with this number, or None if the library knows of none."""
        try:
            found: bytes = self._seccomp.resolve_syscall(self._token, number)
        except ValueError:
            return None
        return found.decode()

    def program(self, actions: Mapping[str, int], default: int) -> bytes:
        """Give a program that decides by number; calls of another ABI end the process.

        A foreign ABI (x32, 32-bit) has other numbers for the same calls. Death says so (`Bad system call`), where an
        errno would leave a 32-bit program running into nonsense.
        """
        seccomp = self._seccomp
        rules = seccomp.SyscallFilter(default)
        rules.set_attr(seccomp.Attr.ACT_BADARCH, RET_KILL_PROCESS)
        with suppress(OSError):  # a binary tree over the numbers; before libseccomp 2.5 there is only a chain
            rules.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)
        if self._token != seccomp.system_arch():
            rules.remove_arch(seccomp.Arch.NATIVE)
            rules.add_arch(self._token)
        for call, action in sorted(actions.items()):
            if action != default:  # the library refuses a rule that says what is said anyway
                rules.add_rule_exactly(action, call)
        with os.fdopen(os.memfd_create("seccomp", os.MFD_CLOEXEC), "w+b", buffering=0) as file:
            rules.export_bpf(file)
            file.seek(0)
            return file.read()
