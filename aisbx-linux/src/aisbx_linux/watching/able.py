"""Whether a sandbox can be watched here, and what who watches it has to know."""

import os

from aisbx.errors import ControlError

from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.compile import ARCHITECTURES, call_names
from aisbx_linux.watching import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held

_HAND = "sendmsg"
"""The call by which a listener gets out of the sandbox, from behind its own filter."""


def to_watch(held: "Held", home: str) -> dict[str, object]:
    """Give what is to be known, as plain data; ControlError where refused calls can't be told of."""
    if not notify.available():
        raise ControlError(
            "refused system calls cannot be told of: this kernel has no seccomp user notification",
            control="sys:filter",
            hint="it takes Linux 5.0 on x86_64 or aarch64; leave out --monitor",
        )
    machine = os.uname().machine
    names, arch = call_names(machine), ARCHITECTURES[machine]
    number = next(number for number, name in names.items() if name == _HAND)
    if bpf.run(bpf.decode(held["plan"]["filter"]), number, arch, (0,) * 6) != bpf.RET_ALLOW:
        raise ControlError(
            f"refused system calls cannot be told of: the profile's filter refuses {_HAND} itself",
            control="sys:filter",
            hint="add the group network-io to its syscalls (no network comes of it), or leave out --monitor",
        )
    return {"home": home, "names": names, "arch": arch}
