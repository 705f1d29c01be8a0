"""Build the guest's image from Debian packages: a disk, its kernel, and an initial RAM disk."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from aisbx.errors import StateError, UsageError
from aisbx_linux.roots.making import beside

from aisbx_driver_lima.image import DISK, FORMAT, INITRD, KERNEL, MANIFEST
from aisbx_driver_lima.image.initrd import archive
from aisbx_driver_lima.template import UID, USER

SUITE = "bookworm"
PACKAGES = (
    *("linux-image-cloud-amd64", "busybox-static", "kmod", "iproute2", "openssh-server", "openssh-sftp-server"),
    *("bubblewrap", "libseccomp2", "python3", "git", "ca-certificates"),
)
TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "qemu-img": "qemu-utils", "ssh-keygen": "openssh-client"}
"""Program → the Debian package that has it."""
_SIZE = "2G"
_SPARE = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
AllowUsers {user}
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
UseDNS no
MaxSessions 100
AllowTcpForwarding local
AllowStreamLocalForwarding local
AllowAgentForwarding no
X11Forwarding no
"""


def build(place: str, packages: Sequence[str], mirror: str, say: Callable[[str], None]) -> None:
    """Make the image in the directory `place`, beside what is there until it is whole; StateError says what failed.

    `packages` are Debian's, on top of those that the guest needs; `mirror` empty is that of this machine's APT.
    """
    if lacking := [package for tool, package in TOOLS.items() if shutil.which(tool, path=_path()) is None]:
        raise UsageError(
            f"what builds an image is not here: {', '.join(lacking)}", hint=f"apt-get install {' '.join(lacking)}"
        )
    if os.geteuid() != 0:
        raise UsageError(
            "an image has files of root's, so root builds it", hint="sudo aisbx-driver-lima image build DIR"
        )
    with beside(Path(os.path.abspath(place)), say) as making:
        root = f"{making}/root"
        say("1/3 installing the guest's packages")
        _run("mmdebstrap", *_words(packages), SUITE, root, *([mirror] if mirror else []))
        release = _prepare(root)
        say("2/3 making its disk")
        shutil.copyfile(f"{root}/boot/vmlinuz-{release}", making / KERNEL)
        (making / INITRD).write_bytes(archive(root, release, _file("initrd-init")))
        _run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", root, f"{making}/disk.raw", _SIZE)
        say("3/3 compressing it")
        _run("qemu-img", "convert", "-c", "-O", "qcow2", f"{making}/disk.raw", f"{making}/{DISK}")
        told = {
            "format": FORMAT,
            "arch": os.uname().machine,
            "suite": SUITE,
            "kernel": release,
            "packages": sorted(packages),
        }
        (making / MANIFEST).write_text(json.dumps(told, indent=1) + "\n")
        _publish(making, place)
    say(f"the image is in {place}")


def _words(packages: Sequence[str]) -> Iterator[str]:
    yield from ("--quiet", "--variant=minbase", "--mode=root", "--format=directory")
    yield f"--include={','.join((*PACKAGES, *packages))}"
    for path in _SPARE:
        yield f"--dpkgopt=path-exclude={path}"
    yield '--aptopt=APT::Sandbox::User "root"'


def _prepare(root: str) -> str:
    """Add what is ours to the system below `root`; gives the release of its kernel."""
    releases = os.listdir(f"{root}/lib/modules")
    if len(releases) != 1:
        raise StateError(f"the guest has the kernels {', '.join(releases) or 'none'}, not one", hint="leave out others")
    for name, target in (("init", "usr/lib/aisbx/init"), ("sudo", "usr/local/bin/sudo")):
        path = Path(root, target)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(_file(name))
        path.chmod(0o755)
    _run("chroot", root, "useradd", "--uid", str(UID), "--create-home", "--shell", "/bin/bash", USER)
    _run("chroot", root, "usermod", "--password", "*", USER)  # a locked account may not come in by a key either
    # Where copies of a host's paths are made: the account may add to these, and change nothing that is there.
    gid = os.stat(f"{root}/home/{USER}").st_gid
    for name in ("", "home", "mnt", "media", "opt", "root", "srv", "var"):
        os.chown(f"{root}/{name}", 0, gid)
        os.chmod(f"{root}/{name}", 0o1775)  # noqa: S103 - in the guest, and sticky: what is there stays
    for each in os.listdir(f"{root}/etc/ssh"):
        if each.startswith("ssh_host_"):
            os.unlink(f"{root}/etc/ssh/{each}")
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{root}/etc/ssh/ssh_host_ed25519_key")
    Path(root, "etc/ssh/sshd_config").write_text(_SSHD.format(user=USER))
    return releases[0]


def _publish(making: Path, place: str) -> None:
    """Put the files in place, the manifest, without which there is no image, last and gone first."""
    os.makedirs(place, mode=0o755, exist_ok=True)
    manifest = Path(place, MANIFEST)
    manifest.unlink(missing_ok=True)
    for name in (DISK, KERNEL, INITRD, MANIFEST):
        os.chmod(f"{making}/{name}", 0o644)
        os.replace(f"{making}/{name}", f"{place}/{name}")


def _file(name: str) -> bytes:
    return files("aisbx_driver_lima.image").joinpath(name).read_bytes()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _run(*words: str) -> None:
    environment = {**os.environ, "PATH": _path(), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False, env=environment)
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise StateError(
            f"{words[0]}: {told[-1]}", hint="see whether the package mirror is reached, and the disk's room"
        )
