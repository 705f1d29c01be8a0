"""What is told of a refused call: by whom, why, and what would allow it. The filter itself says what it answers."""

import errno
import posix
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from aisbx_linux.seccomp import bpf
from aisbx_linux.seccomp.arguments import CHECKS
from aisbx_linux.seccomp.table import DENIED, GROUPS, allowed_calls, expand
from aisbx_linux.seccomp.verdict import decide
from aisbx_linux.watching.calls import arguments, memory_of

_ERRNO = 0xFFFF
_PLAIN_SEEN = 1024
_UNKNOWN = "no call that was reviewed: refused as if the kernel did not have it"


class Answers:
    """What a filter answers where nobody listens: worked out from the filter itself, as it was compiled."""

    def __init__(self, program: bytes, arch: int, names: Mapping[int, str], recorded: Collection[int] = ()) -> None:
        """`program` is the filter as it answers with errnos, `names` are those of calls by number on `arch`.

        `recorded` are the only calls that may go on, if the filter allows them: no other that it allows was told of.
        """
        self._program = bpf.decode(program)
        self._arch = arch
        self._checked = {number for number, name in names.items() if name in CHECKS}
        self._recorded = frozenset(recorded)
        self._plain: dict[int, int] = {}

    def errno(self, number: int, values: Sequence[int]) -> int:
        """Give what a call fails with, 0 where it goes on; EPERM where the filter allows what is not to go on."""
        known = self._plain.get(number)
        if known is not None:
            return known
        answer = bpf.run(self._program, number, self._arch, values)
        goes_on = answer == bpf.RET_ALLOW and number in self._recorded
        found = 0 if goes_on else answer & _ERRNO or errno.EPERM
        if number not in self._checked and len(self._plain) < _PLAIN_SEEN:
            self._plain[number] = found
        return found


class Refused:
    """The refused calls of one filter, in words."""

    def __init__(self, names: Mapping[int, str], groups: Sequence[str]) -> None:
        """`names` are those of calls by number, `groups` are allowed."""
        self._names = names
        self._groups = frozenset(expand(groups))
        self._grants: dict[tuple[str, int], str] = {}

    def arguments(self, number: int, values: Sequence[int], memory: Callable[[int, int], bytes]) -> dict[str, object]:
        """Give what the arguments of a call say; see `calls.arguments`."""
        return arguments(self._name(number), values, memory)

    def told(
        self, number: int, values: Sequence[int], answer: int, who: tuple[int, int, str], said: dict[str, object]
    ) -> dict[str, object]:
        """Give what is told of a call that fails with an errno, as plain data: `who` made it, and what it `said`.

        Nothing is told of who starts commands: that is no process of the sandbox (`aisbx_linux.lasting.helper`), and
        what it is refused its C library tries.
        """
        pid, inside, program = who
        if pid and not inside:
            return {}
        call = self._name(number)
        return {
            "source": "syscall",
            "what": call,
            "arguments": said,
            "pid": pid,
            "pid_inside": inside,
            "program": program,
            "errno": errno.errorcode.get(answer, str(answer)),
            "why": _why(call),
            "grant": self._grant(call, values, answer),
        }

    def seen(
        self, number: int, thread: int, values: Sequence[int], answer: int, waits: Callable[[], bool]
    ) -> dict[str, object]:
        """Give what is told of a thread's call; what was read of its process only if it `waits` afterwards."""
        who = process_of(thread)
        said = self.arguments(number, values, partial(memory_of, thread))
        if not waits():  # its process has gone, and all that may be another's
            who, said = (0, 0, ""), {}
        return self.told(number, values, answer, who, said)

    def counted(self, number: int, answer: int, times: int) -> dict[str, object]:
        """Give what is told of calls that were only counted."""
        call = self._name(number)
        return {
            "source": "syscall",
            "what": call,
            "errno": errno.errorcode.get(answer, str(answer)),
            "why": _why(call),
            "times": times,
        }

    def _name(self, number: int) -> str:
        return self._names.get(number) or f"call {number}"

    def _grant(self, call: str, values: Sequence[int], answer: int) -> str:
        """Give the smallest change of a profile with which the filter allows a call; empty where there is none."""
        known = self._grants.get((call, answer))
        if known is None:
            fitting = [
                (len(allowed_calls([name])), name)
                for name in GROUPS.keys() - self._groups
                if self._allows(call, values, name)
            ]
            known = f"syscalls: [{min(fitting)[1]}]" if fitting else ""
            self._grants[call, answer] = known
        return known

    def _allows(self, call: str, values: Sequence[int], group: str) -> bool:
        groups = expand([*self._groups, group])
        return decide(call, values, groups, allowed_calls(groups)) == bpf.RET_ALLOW


def _why(call: str) -> str:
    return DENIED[call].reason if call in DENIED else CHECKS[call].why if call in CHECKS else _UNKNOWN


def process_of(thread: int) -> tuple[int, int, str]:
    """Give a thread's process on the host, and inside (0: it is in no other namespace), and its program.

    Zeros where it has gone.
    """
    pid = inside = 0
    try:
        with open(f"/proc/{thread}/status", "rb", buffering=0) as stream:
            for line in stream.read().splitlines():
                if line.startswith(b"NStgid:"):
                    pid, *inner = map(int, line.split()[1:])
                    inside = inner[-1] if inner else 0
        return pid, inside, posix.readlink(f"/proc/{thread}/exe")
    except OSError:
        return pid, inside, ""
