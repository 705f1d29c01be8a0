"""A filter that tells of allowed calls too: what the original says of them is then said by who listens.

Builtin modules only: this is carried out by the process that is to become the command.
"""

from aisbx_linux.watching.notify import notifying

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCH = 0, 4  # struct seccomp_data
_USER_NOTIF = 0x7FC0_0000
_INSTRUCTION = 8
_MOST, _FURTHEST = 4096, 255
"""Instructions of a program (BPF_MAXINSNS), and how far a conditional jump goes."""


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")


def recording(program: bytes, arch: int, numbers: "list[int]") -> bytes:
    """Give a filter that notifies of the calls with these numbers, and wherever the original gives an errno.

    All else is as in the original: what ends the process does so still, and numbers of another ABI are not ours.
    ValueError where there are too many.
    """
    count = len(numbers)
    length = len(program) // _INSTRUCTION + count + 4
    if count + 1 > _FURTHEST or length > _MOST:
        raise ValueError(f"{count} calls are more than a filter can tell of")
    tests = [_instruction(_EQUAL, number, count - 1 - place) for place, number in enumerate(numbers)]
    return b"".join(
        (
            _instruction(_LOAD, _ARCH),
            _instruction(_EQUAL, arch, 0, count + 2),
            _instruction(_LOAD, _NUMBER),
            *tests[:-1],
            _instruction(_EQUAL, numbers[-1], 0, 1),
            _instruction(_RETURN, _USER_NOTIF),
            notifying(program, probes=True),
        )
    )
