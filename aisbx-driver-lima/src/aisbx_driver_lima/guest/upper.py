"""Carry a layer as tar: what the upper directories of an overlay hold together, with its marks (overlayfs.rst)."""

import os
import stat
import tarfile
from collections.abc import Sequence
from typing import IO, cast

from aisbx_linux.layer.union import Entry, enter, entries
from aisbx_linux.protect.walk import MAX_DEPTH

from aisbx_driver_lima.guest.trees import OPAQUE_HEADER, READ, Sink

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def pack(roots: Sequence[str], sink: Sink) -> None:
    """Write the layer of these directories, the uppermost first; OSError where a file changes while it is read."""
    if roots:
        os.chmod(roots[0], os.stat(roots[0]).st_mode | stat.S_IRWXU)
    opened = [os.open(root, _FOLDER) for root in roots]
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", sink), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            if opened:
                _folder(archive, opened, ".", os.fstat(opened[0]), opaque=False)
    finally:
        for each in opened:
            os.close(each)


def _folder(
    archive: tarfile.TarFile, opened: Sequence[int], name: str, status: os.stat_result, *, opaque: bool
) -> None:
    info = _about(name, status)
    info.type = tarfile.DIRTYPE
    if opaque:
        info.pax_headers = {OPAQUE_HEADER: "y"}
    archive.addfile(info)
    if name.count("/") > MAX_DEPTH:
        return  # no review goes that deep: of what lies there it says that it was not read
    for each, entry in sorted(entries(opened).items()):
        path = each if name == "." else f"{name}/{each}"
        if stat.S_ISDIR(entry.now.st_mode):
            below, hides = enter(opened[entry.layer :], each)
            try:
                _folder(archive, [directory for _, directory in below], path, entry.now, opaque=hides)
            finally:
                for _, directory in below:
                    os.close(directory)
        else:
            _leaf(archive, opened[entry.layer], each, path, entry)


def _leaf(archive: tarfile.TarFile, above: int, name: str, path: str, entry: Entry) -> None:
    info = _about(path, entry.now)
    if stat.S_ISLNK(entry.now.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=above)
        archive.addfile(info)
    elif stat.S_ISREG(entry.now.st_mode):
        with open(os.open(name, READ, dir_fd=above), "rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            archive.addfile(info, file)
    elif stat.S_ISCHR(entry.now.st_mode) and entry.now.st_rdev == 0:  # a whiteout
        info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, 0, 0
        archive.addfile(info)
    # Sockets, pipes and devices are no content.


def _about(name: str, status: os.stat_result) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(status.st_mode), status.st_mtime
    return info
