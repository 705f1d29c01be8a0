"""Which host paths are shown inside, and where nothing may be put."""

import os
from collections.abc import Sequence

from aisbx.errors import ConfigError, PolicyError, UsageError
from aisbx.places import within
from aisbx.toolchains import Toolchain
from aisbx.types import Identity, Mount, MountRequest, Profile, RunRequest, Workspace, WorkspaceMode

# The sandbox's own file systems: nothing is put over or into them.
_OWN = ("/proc", "/dev", "/sys")

# Put over one of these, a mount would hide the runtime or a private directory; below them it is fine.
_WHOLE = ("/", "/tmp", "/run", "/run/aisbx", "/usr", "/usr/bin", "/usr/lib", "/bin", "/sbin", "/lib", "/lib64", "/etc")

# A home is put over what is there: none of the runtime, nor what the kernel shows.
_NO_HOME = (*_OWN, *(place for place in _WHOLE if place not in ("/tmp", "/run")))

HINT = "choose another target, such as /mnt/NAME"

# Why a source is refused, and what to do instead.
_PART = "mount a directory in it"
OURS = ("holds aisbx's own files", _PART)
HOME = ("holds your home, with files that the host runs by itself", _PART)
AGAIN = ("shows the workspace again, past its protected files", "mount it read-only")


def merged_mounts(
    request: RunRequest,
    profile: Profile,
    toolchain: Toolchain,
    workspace: Workspace | None,
    identity: Identity,
    own_dirs: Sequence[str],
    cache: Mount | None = None,
) -> tuple[Mount, ...]:
    """Give the mounts of toolchain, profile and request, and the cache, parents before what lies in them.

    UsageError for a target or a source that no sandbox gets, or two sources for one target; PolicyError for a
    writable one under a restriction to reading; ConfigError for a home that would hide the runtime.
    """
    _check_home(identity.home)
    asked = [_absolute(mount, request.cwd) for mount in request.mounts]
    for mount in asked:
        if mount.writable and profile.ceiling and profile.ceiling.workspace_mode is WorkspaceMode.RO:
            raise PolicyError(
                f"the profile {profile.name} allows no writable mount", hint=f"drop :rw of {mount.source}"
            )
    by_target: dict[str, Mount] = {cache.target: cache} if cache else {}
    for mount in (*toolchain.mounts, *profile.mounts, *asked):
        _check_target(mount, workspace, identity, own_dirs)
        check_source(mount, workspace, identity, own_dirs)
        present = by_target.setdefault(mount.target, mount)
        if (present.source, present.writable) != (mount.source, mount.writable):
            raise UsageError(
                f"{mount.target} is mounted twice: {present.source} ({present.origin}) and "
                f"{mount.source} ({mount.origin})",
                hint=HINT,
            )
    return tuple(by_target[target] for target in sorted(by_target))


def _check_home(home: str) -> None:
    if home in _NO_HOME or os.path.dirname(home) in ("/usr", "/proc", "/sys"):
        raise ConfigError(
            f"{home} cannot be the home: inside, it would hide what the sandbox needs there",
            key="HOME",
            hint="set HOME to a directory of your own",
        )


def _absolute(mount: MountRequest, cwd: str) -> Mount:
    for path in (mount.source, mount.target):
        if not path or "\0" in path:
            raise UsageError("--mount: a path is empty or contains a NUL byte", hint="write --mount SRC:DST[:ro|rw]")
    if not mount.target.startswith("/"):
        raise UsageError(f"--mount: the target {mount.target} is not absolute", hint=HINT)
    source = os.path.normpath(os.path.join(cwd, mount.source))
    return Mount(_clean(source), _clean(os.path.normpath(mount.target)), mount.writable, "the request")


def _clean(path: str) -> str:
    return "/" + path.lstrip("/")  # normpath keeps two leading slashes (POSIX leaves their meaning open)


def _check_target(mount: Mount, workspace: Workspace | None, identity: Identity, own_dirs: Sequence[str]) -> None:
    target = mount.target
    why = ""
    if target in _WHOLE:
        why = "would hide what the sandbox needs there"
    elif any(within(target, root) for root in _OWN):
        why = "is a file system of the sandbox's own"
    elif within(identity.home, target):
        why = "would hide the sandbox's home"
    elif workspace and within(workspace.path, target):
        why = f"would hide the workspace {workspace.path}"
    elif any(within(target, own) or within(own, target) for own in own_dirs):
        why = "is a place of aisbx's own"
    if why:
        raise UsageError(f"nothing can be mounted at {target} ({mount.origin}): it {why}", hint=HINT)


def check_source(
    mount: Mount, workspace: Workspace | None, identity: Identity, own_dirs: Sequence[str], named: str = ""
) -> None:
    """See that no sandbox is denied this source; UsageError, in which it is called `named` if that is another name."""
    source = mount.source
    why: tuple[str, str] | None = None
    if source == "/":
        why = ("is the whole file system", _PART)
    elif any(within(source, root) for root in _OWN):
        why = ("is a view of the kernel's", _PART)
    elif any(within(source, own) or within(own, source) for own in own_dirs):
        why = OURS
    elif mount.writable and within(identity.home, source):
        why = HOME
    elif mount.writable and workspace and (within(source, workspace.path) or within(workspace.path, source)):
        why = AGAIN
    if why:
        raise refuse_source(mount, named, *why)


def refuse_source(mount: Mount, named: str, why: str, hint: str) -> UsageError:
    """Give the error that says why a source, which somebody called `named`, is refused."""
    shown = mount.source if named in {"", mount.source} else f"{named} (really {mount.source})"
    return UsageError(f"{shown} cannot be mounted ({mount.origin}): it {why}", hint=hint)
