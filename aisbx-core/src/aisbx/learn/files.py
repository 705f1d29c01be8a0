"""Which mounts are needed, and how little of each; and which of the host's files were asked for in vain."""

import os
from collections.abc import Sequence

from aisbx.learn import never
from aisbx.learn.evidence import LOOK, WRITE, FileSeen, together
from aisbx.learn.learned import Learned, Never
from aisbx.places import within
from aisbx.types import Mount, SandboxSpec

_KERNEL = ("/dev", "/proc", "/sys")
_PRIVATE = ("/tmp", "/var/tmp")
"""What is written here is the sandbox's own, whatever the host has by that name."""
_FEW = 32
"""Files that are granted one by one, in the place of a directory that holds a secret."""
_MOST = 200
"""Files asked for in vain that are named."""
_VERB = {"read": "read", "write": "write", "run": "run", "look": "look for"}


def mounted(spec: SandboxSpec, files: Sequence[FileSeen], learned: Learned) -> None:
    """Grant of each mount of the profile and the request what was used of it, without what looks like a secret."""
    for mount in spec.mounts:
        if mount.origin == "the request" or mount.origin.startswith("profile "):  # toolchains bring theirs
            _grant(mount, [file for file in files if within(file.path, mount.target)], learned)


def _grant(mount: Mount, files: Sequence[FileSeen], learned: Learned) -> None:
    used = [file for file in files if file.there or file.kind == WRITE]
    if not used:
        learned.unused.append(f"mounts: {mount.target}")
        return
    # Of what was only looked at, a source of a program is no reason to refuse the directory that it lies in.
    secret = {file.path: why for file in used if (why := never.of(_outside(mount, file.path), named=file.kind != LOOK))}
    for path in sorted(secret):
        traces = together(file.trace for file in used if file.path == path)
        learned.never.append(Never(f"read {path}", f"a secret: {secret[path]}", str(traces)))
    good = [file for file in used if file.path not in secret]
    if not good:
        return
    place = os.path.commonpath([file.path for file in good])
    source = _outside(mount, place)
    found = next((path for path in secret if within(path, place)), "") or (
        never.below(source) if os.path.isdir(source) else ""
    )
    if not found:
        _add(mount, place, good, learned)
        return
    opened = sorted({file.path for file in good if file.kind != LOOK and os.path.isfile(_outside(mount, file.path))})
    learned.notes.append(
        f"{place} holds a secret ({found}): {min(len(opened), _FEW)} files of it are granted one by one"
    )
    for path in opened[:_FEW]:
        _add(mount, path, [file for file in good if file.path == path], learned)


def _add(mount: Mount, place: str, files: Sequence[FileSeen], learned: Learned) -> None:
    if not place.isprintable():
        learned.never.append(Never(f"read {place!r}", "its name cannot be written in a profile", ""))
        return
    written = mount.writable and any(file.kind == WRITE for file in files)
    if mount.writable and not written:
        learned.unused.append(f"mounts: {mount.target} as rw (ro is enough)")
    value = {"source": _outside(mount, place), "target": place, "mode": "rw" if written else "ro"}
    learned.grant("mounts", value, f"used {together(file.trace for file in files)}")


def _outside(mount: Mount, path: str) -> str:
    """Give where a path of the inside lies on the host."""
    return os.path.normpath(f"{mount.source}/{path[len(mount.target) :]}")


def asked_for(spec: SandboxSpec, files: Sequence[FileSeen], learned: Learned) -> None:
    """Name the files of the host that were asked for and are not shown. No such file is ever granted by itself."""
    shown = [*spec.targets(), *_KERNEL]
    missing: dict[str, list[FileSeen]] = {}
    own = {file.path for file in files if file.kind == WRITE and any(within(file.path, place) for place in _PRIVATE)}
    for file in files:
        if file.path in own or file.there or any(within(file.path, place) for place in shown):
            continue
        if os.path.lexists(file.path):
            missing.setdefault(file.path, []).append(file)
    rows: list[tuple[bool, Never]] = []
    for path, asked in missing.items():
        verb = _VERB[min((file.kind for file in asked), key=tuple(_VERB).index)]
        secret = never.of(path)
        why = f"a secret: {secret}" if secret else f"not offered; if it should be seen: --mount {path}:{path}"
        rows.append((not secret, Never(f"{verb} {path}", why, str(together(file.trace for file in asked)))))
    rows.sort(key=lambda row: (row[0], row[1].what))
    learned.never += [row for _, row in rows[:_MOST]]
    if len(rows) > _MOST:
        learned.notes.append(f"{len(rows) - _MOST} more files of this machine were asked for and not granted")
    workspace = spec.workspace.path if spec.workspace else ""
    for path in sorted({file.path for file in files if file.there and file.kind != LOOK and workspace}):
        if within(path, workspace) and never.by_name(path):
            learned.notes.append(f"{path} was read: it lies in the workspace, which every run is shown")
