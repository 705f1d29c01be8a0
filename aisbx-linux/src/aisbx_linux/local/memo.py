"""Remember that a bubblewrap worked: trying it takes three processes, and the answer changes with the machine only.

So it is with what else takes a process to try. Only an answer that it works is kept, under all that it depended on.
The files are the effective user's alone and no links: whoever could write one could make us use what was never tried.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 4096
_SWITCHES = (
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sys/user/max_mnt_namespaces",
    "/proc/sys/user/max_pid_namespaces",
    "/proc/sys/user/max_net_namespaces",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_unconfined",
    "/proc/self/attr/current",
    "/proc/self/uid_map",
    "/proc/self/gid_map",
)
"""What the kernel lets this process do; one that is not there counts as empty."""
_CONFINEMENT = (
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
)
"""Lines of /proc/self/status, by proc(5): in another container than the one it worked in, it is tried again."""


def key(path: str, *rest: str) -> str:
    """Give a name for everything that decides whether the tool at `path` works; `rest` is what the caller adds."""
    parts = [path, *rest, str(os.geteuid()), *os.uname(), *_signatures(path)]
    parts += [_text(name) for name in _SWITCHES]
    lines = (line.partition(":") for line in _text("/proc/self/status").splitlines())
    parts += [
        f"{name}:{value.strip()}" for name, _, value in lines if name in _CONFINEMENT or name == "Seccomp_filters"
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def tried(directory: str, path: str, what: str, attempt: Callable[[], bool]) -> bool:
    """Tell whether something can be done here, for the tool at `path`; that it could is remembered as `what`."""
    name = key(path, what)
    if recall(directory, name) is not None:
        return True
    possible = attempt()
    if possible:
        keep(directory, name, what)
    return possible


def recall(directory: str, name: str) -> str | None:
    """Give what was kept under this name; None where nothing is, or where others could have written it."""
    folder = _open(directory)
    if folder < 0:
        return None
    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    finally:
        os.close(folder)
    try:
        if not _ours(file, stat.S_IFREG):
            return None
        kept: object = json.loads(os.read(file, _LARGEST))
    except (OSError, ValueError):
        return None
    finally:
        os.close(file)
    return kept if isinstance(kept, str) else None


def keep(directory: str, name: str, text: str) -> None:
    """Keep a text, whole or not at all. Where that is not possible the tool is tried each time."""
    with suppress(OSError):
        os.makedirs(directory, mode=0o700, exist_ok=True)
    folder = _open(directory)
    if folder < 0:
        return
    temporary = f".{name}.{os.urandom(8).hex()}"
    try:
        with open(os.open(temporary, _WRITE, 0o600, dir_fd=folder), "w", encoding="ascii") as file:
            json.dump(text, file)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)  # a full disk leaves half of it
    finally:
        os.close(folder)


def _open(directory: str) -> int:
    """Open a directory that is ours alone; -1 for any other."""
    try:
        folder = os.open(directory, _FOLDER)
    except OSError:
        return -1
    if _ours(folder, stat.S_IFDIR):
        return folder
    os.close(folder)
    return -1


def _ours(descriptor: int, kind: int) -> bool:
    found = os.fstat(descriptor)
    single = kind == stat.S_IFDIR or found.st_nlink == 1
    return stat.S_IFMT(found.st_mode) == kind and found.st_uid == os.geteuid() and not found.st_mode & 0o077 and single


def _signatures(path: str) -> Iterator[str]:
    """Give what identifies the state of the tool, of the program that it is tried with, and of our namespaces."""
    for name in (path, "/bin/true", "/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid"):
        try:
            found = os.stat(name)
        except OSError:
            yield f"{name} is not there"
            continue
        times = "" if name.startswith("/proc/") else f"{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_size}"
        yield f"{name}:{found.st_dev}:{found.st_ino}:{found.st_mode}:{found.st_uid}:{times}"


def _text(name: str) -> str:
    try:
        with open(name, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
