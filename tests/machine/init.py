"""PID 1 of a machine whose files are this one's, read-only: puts a layer over them, and becomes systemd in it.

init.py MODULE JOB: the kernel module for overlays, and the directory with the job. What is changed here is changed in
the layer, which is the machine's memory.
"""

import ctypes
import os
import stat
import sys
from pathlib import Path

PIVOT_ROOT, FINIT_MODULE = 155, 313  # of x86_64, the only one that Debian has a user-mode Linux for
UNITS = Path("usr/lib/systemd/system")
USER = 64_321
UNIT = f"""[Unit]
DefaultDependencies=no
Wants=dbus.socket systemd-logind.service
After=dbus.socket
[Service]
Type=oneshot
ExecStart={sys.executable} -I /mnt/job/job.py
ExecStopPost=/bin/systemctl poweroff -ff
"""
_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name} {arguments}: {os.strerror(number)}")


def mount(kind: str, target: str, data: str = "") -> None:
    Path(target).mkdir(exist_ok=True)
    call("mount", kind.encode(), target.encode(), kind.encode(), 0, data.encode())


def layer(module: str) -> None:
    """Go to the root that can be written."""
    descriptor = os.open(module, os.O_RDONLY)
    call("syscall", FINIT_MODULE, descriptor, b"", 0)
    mount("tmpfs", "/mnt", "size=1g")
    for name in ("upper", "work", "root"):
        os.mkdir(f"/mnt/{name}")
    mount("overlay", "/mnt/root", "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work")
    os.chdir("/mnt/root")


def furnish(job: str) -> None:
    """Give it the job and its unit, no other units of this machine's administrator, and an ordinary user."""
    mount("hostfs", "mnt/job", job)
    mount("tmpfs", "mnt/homes", "mode=755")
    mount("tmpfs", "etc/systemd/system", "mode=755")
    units = Path("etc/systemd/system")
    (units / "job.service").write_text(UNIT)
    (units / "default.target").write_text("[Unit]\nRequires=job.service\n")
    for name in {*os.listdir(UNITS / "sysinit.target.wants"), *(path.name for path in UNITS.glob("*journald*"))}:
        (units / name).symlink_to("/dev/null")
    for name, line in (
        ("passwd", f"guest:x:{USER}:{USER}::/mnt/homes/guest:/bin/sh\n"),
        ("group", f"guest:x:{USER}:\n"),
        ("shadow", "guest:*:20000::::::\n"),
    ):
        path = Path("etc", name)
        kept = path.read_text() if os.access(path, os.R_OK) else ""  # of others, an ordinary user's machine has none
        path.unlink()
        path.write_text(kept + line)
    for name in (*sys.path, sys.prefix, sys.executable, __file__):  # may lie in a home that nobody else can enter
        for folder in Path(name).resolve().parents:
            path = Path(str(folder)[1:] or ".")
            if path.is_dir() and not path.stat().st_mode & stat.S_IXOTH:
                path.chmod(path.stat().st_mode | 0o011)


def main(module: str, job: str) -> None:
    """Become systemd."""
    console = os.open("/dev/tty0", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(console, descriptor)
    layer(module)
    furnish(job)
    os.mkdir("mnt/below")
    call("syscall", PIVOT_ROOT, b".", b"mnt/below")
    os.chdir("/")
    quiet = ("--show-status=no", "--log-level=warning", "--log-target=console", "--default-standard-output=null")
    os.execve("/lib/systemd/systemd", ["systemd", *quiet], {"PATH": "/usr/sbin:/usr/bin"})


if __name__ == "__main__":
    main(*sys.argv[1:])
