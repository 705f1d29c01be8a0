"""Follow a path link by link, as the kernel would, and check who could change each step.

`os.path.realpath` would do the first half. But a link in a workspace is repository input, so where it leads
must be somewhere that only the user or root can change; and the links on the way must exist inside as well.
"""

import os
import stat
from dataclasses import dataclass, field

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.ownership import weakness
from aisbx.places import within

MOST_LINKS = 40
"""As in Linux (MAXSYMLINKS, path_resolution(7))."""

# Their links stand for open files and processes: what such a link reads as need not be where it leads (proc(5)).
_KERNEL = frozenset({"/proc", "/sys", "/dev"})


@dataclass(frozen=True, slots=True)
class Trail:
    """`real` is where a path ends, `links` every link on the way with the text that it holds."""

    real: str
    links: dict[str, str] = field(default_factory=dict[str, str])


class UntrustedPathError(ProfileError):
    """A step of a path is not the user's or root's alone."""


def follow(path: str, inputs: Inputs, *, exempt: str | None = None) -> Trail:
    """Give the end of an absolute path that exists.

    UntrustedPathError names the first step that somebody else could change; steps within `exempt` (the workspace) are
    not looked at, because what lies there is the sandbox's to change anyway. FileNotFoundError and other
    OSErrors are the file system's.
    """
    links: dict[str, str] = {}
    pending = path.split("/")[::-1]
    here = "/"
    hops = 0
    while pending:
        name = pending.pop()
        if name in {"", "."}:
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, name)
        found = os.lstat(step)
        if step in _KERNEL:
            raise UntrustedPathError(f"{path} leads through {step}, where links are not what they seem")
        outside = exempt is None or not within(step, exempt)
        if outside and (why := weakness(found)):
            raise UntrustedPathError(
                f"{path} leads through {step}, which {why}", hint="chown or chmod it, or use another"
            )
        if not stat.S_ISLNK(found.st_mode):
            here = step
            continue
        hops += 1
        if hops > MOST_LINKS:
            raise UntrustedPathError(f"{path} leads through more than {MOST_LINKS} links")
        inputs.note_link(step)
        links[step] = target = os.readlink(step)
        if target.startswith("/"):
            here = "/"
        pending.extend(target.split("/")[::-1])
    return Trail(here, links)
