"""Processes that outlive who started them: each a file that reads its job from stdin and writes why it did not begin.

Both are marshalled. None says that it has begun. Builtin modules only: what is started so has to be small.
"""

import marshal
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_leave = posix._exit  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class SilentError(Exception):
    """It ended without a word; the message has the end of what it said on stderr."""


def launch(file: str, job: object) -> "Any":  # noqa: ANN401 - whatever it writes
    """Start a file with a job (plain data), and give what it wrote; SilentError where that was nothing."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-I", "-S", file],
        input=marshal.dumps(job),  # pyright: ignore[reportArgumentType]  (plain data)
        capture_output=True,
        check=False,
        start_new_session=True,
        env={},
    )
    try:
        return marshal.loads(done.stdout)  # noqa: S302 - from the process that was started here
    except (EOFError, ValueError):
        raise SilentError(done.stderr.decode(errors="replace")[-500:].strip()) from None


def module(root: str, name: str) -> "Any":  # noqa: ANN401 - whatever it has
    """Import what a job names, which is found in the directory `root`."""
    import sys

    if root not in sys.path:
        sys.path.insert(0, root)
    return __import__(name, fromlist=("",))


def hold(path: str, flags: int = posix.O_RDWR | posix.O_CREAT) -> int:
    """Give a descriptor that is one process's right as long as it is open; -1 where another has it. OSError else."""
    import fcntl

    descriptor = posix.open(path, flags | posix.O_NOFOLLOW | posix.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        posix.close(descriptor)
        return -1
    return descriptor


def held(path: str) -> bool:
    """Tell whether a process has what `hold` gives."""
    try:
        descriptor = hold(path, posix.O_RDONLY)
    except FileNotFoundError:
        return False
    if descriptor >= 0:
        posix.close(descriptor)
    return descriptor < 0


def begun() -> None:
    """Tell who asked, and have nothing of theirs any more."""
    try:  # noqa: SIM105 - contextlib is one import more
        posix.write(1, marshal.dumps(None))
    except OSError:
        pass  # who asked was killed: the work is done all the same
    null = posix.open("/dev/null", posix.O_RDWR | posix.O_CLOEXEC)
    for number in (0, 1, 2):
        posix.dup2(null, number)
    posix.close(null)


def main(work: "Callable[[Any], None]", refusal: "Callable[[str], object]") -> "NoReturn":
    """Read the job, leave who started this process, and do the work; what goes wrong is told as `refusal` has it."""
    try:
        with open(0, "rb", closefd=False) as stream:
            job = marshal.load(stream)  # noqa: S302 - from the process that started this one
        if posix.fork() != 0:
            _leave(0)
        posix.chdir("/")
        work(job)
    except BaseException as error:  # noqa: BLE001 - whatever it is, who asked must hear of it
        try:
            posix.write(1, marshal.dumps(refusal(_reason(error))))  # pyright: ignore[reportArgumentType]  (plain data)
        finally:
            _leave(1)
    _leave(0)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
