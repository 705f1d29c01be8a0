"""Have a process of its own work on a sandbox's layer (see `snapshot.py`): that one forks, and enters namespaces.

Builtin modules only.
"""

import marshal
import posix
import sys

_PARTS = 3


class RefusedError(OSError):
    """It was not done; `kind` is the class of what `snapshot` raised."""

    def __init__(self, kind: str, text: str, hint: str) -> None:
        """Keep all."""
        super().__init__(text)
        self.kind = kind
        self.hint = hint


def ask(work: str, *arguments: str) -> str:
    """Have a function of `snapshot` called, and give what it gave; RefusedError with what it raised."""
    job = posix.memfd_create("job", posix.MFD_CLOEXEC)
    told, tell = posix.pipe2(posix.O_CLOEXEC)
    try:
        posix.write(job, marshal.dumps((work, arguments)))
        posix.lseek(job, 0, 0)
        program = f"{__file__.rpartition('/')[0]}/snapshot.py"
        actions: list[tuple[object, ...]] = [
            (posix.POSIX_SPAWN_DUP2, job, 0),
            (posix.POSIX_SPAWN_DUP2, tell, 1),
            (posix.POSIX_SPAWN_OPEN, 2, "/dev/null", posix.O_WRONLY, 0),
        ]
        child = posix.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", program],
            {},
            file_actions=actions,  # pyright: ignore[reportArgumentType]
            setsid=True,
            setsigmask=(),
        )
        posix.close(tell)
        tell = -1
        with open(told, "rb", closefd=False, buffering=0) as stream:
            data = stream.readall()
        posix.waitpid(child, 0)
    finally:
        for descriptor in (job, told, tell):
            if descriptor >= 0:
                posix.close(descriptor)
    answer = marshal.loads(data) if data else ("OSError", "what works on the layer was killed", "try again")  # noqa: S302 - a process of ours
    if len(answer) == _PARTS:
        raise RefusedError(*answer)
    return answer[0]
