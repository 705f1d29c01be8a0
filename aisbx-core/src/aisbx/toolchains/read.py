"""Read a small file that may be repository input."""

import os
import stat

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import read_at_most


def small_file(file: str, limit: int, inputs: Inputs, *, hint: str) -> bytes | None:
    """Note and read a plain file of at most `limit` bytes; None where there is nothing of that name.

    ProfileError for a link (it would be followed outside), a FIFO (it would hang), and everything else.
    """
    inputs.note(file)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror}", file=file, hint=hint) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ProfileError("is not a plain file", file=file, hint=hint)
        data = read_at_most(descriptor, limit + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise ProfileError(f"is larger than {limit} bytes", file=file, hint=hint)
    return data
