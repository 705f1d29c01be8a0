"""System-call filters: what is allowed stands in `groups.toml` and `arguments.py`, and becomes classic BPF.

groups.toml     the calls, by group, and what is refused, why and with which errno
arguments.py    calls whose arguments decide: clone, socket, ioctl, chmod …
table.py        reads the first, gives `GROUPS` and `DENIED`
verdict.py      what a filter of these groups says of one call: the reference that programs are held to
bpf.py          instructions, as bytes and carried out
library.py      the only user of libseccomp
compile.py      `compile_filter`: puts a program together and proves it against the reference
cache.py        `cached_filter`: keeps programs on disk
"""

from aisbx_linux.seccomp.cache import cached_filter
from aisbx_linux.seccomp.compile import compile_filter
from aisbx_linux.seccomp.library import library_path
from aisbx_linux.seccomp.table import DENIED, GROUPS, Denied, Group, expand

__all__ = ["DENIED", "GROUPS", "Denied", "Group", "cached_filter", "compile_filter", "expand", "library_path"]
