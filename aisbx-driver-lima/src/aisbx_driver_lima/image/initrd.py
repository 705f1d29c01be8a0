"""The initial RAM disk: busybox, and the modules without which the kernel does not find its disk."""

import os
import stat
from collections.abc import Iterator

from aisbx.errors import StateError

WANTED = ("virtio_pci", "virtio_blk", "ext4")
_DIRECTORY, _PROGRAM, _FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755, stat.S_IFREG | 0o644


def archive(root: str, release: str, init: bytes) -> bytes:
    """Give the archive (cpio, newc) for a kernel of the system below `root`; StateError for what that lacks."""
    modules = list(order(root, release))
    entries: list[tuple[str, int, bytes]] = [
        *((name, _DIRECTORY, b"") for name in ("bin", "dev", "modules", "proc", "root")),
        ("bin/busybox", _PROGRAM, _read(os.path.join(root, "bin/busybox"))),
        ("init", _PROGRAM, init),
        ("modules/order", _FILE, "".join(f"{os.path.basename(path)}\n" for path in modules).encode()),
    ]
    entries += [(f"modules/{os.path.basename(path)}", _FILE, _read(os.path.join(root, path))) for path in modules]
    return b"".join(_entry(number, *entry) for number, entry in enumerate((*entries, ("TRAILER!!!", 0, b"")), 1))


def order(root: str, release: str) -> Iterator[str]:
    """Give the paths below `root` of `WANTED` and what they depend on, each after what it needs."""
    base = f"lib/modules/{release}"
    needs: dict[str, list[str]] = {}
    for line in _read(os.path.join(root, base, "modules.dep")).decode().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    builtin = _read(os.path.join(root, base, "modules.builtin")).decode()
    by_name = {_name(path): path for path in needs}
    built = {_name(line) for line in builtin.splitlines()}
    done: set[str] = set()
    for name in WANTED:
        if name not in by_name:
            if name not in built:
                raise StateError(f"the kernel {release} has no module {name}", hint="take another kernel package")
            continue
        # modules.dep names all a module needs, the nearest first (modprobe(8)).
        for path in (*reversed(needs[by_name[name]]), by_name[name]):
            if path not in done:
                done.add(path)
                if not path.endswith(".ko"):
                    raise StateError(f"{path} is compressed", hint="take a kernel whose modules are not")
                yield f"{base}/{path}"


def _name(path: str) -> str:
    return os.path.basename(path).partition(".")[0].replace("-", "_")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}", hint="is that the root of a Debian system?") from error


def _entry(number: int, name: str, mode: int, data: bytes) -> bytes:
    """Give one entry; each of header with name, and data, is filled up to four bytes (cpio(5), New ASCII Format)."""
    encoded = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
