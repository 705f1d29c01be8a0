"""The `/etc` of the inside, made up: nothing of the host's accounts, names or ids. Pure but for reading the host's."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from aisbx.errors import UsageError
from aisbx.types import AUTHORITIES, Identity, NetworkMode, SandboxSpec

_NOBODY = 65534
SHARED = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)
"""Public data of the host that programs need; it is copied, links as links, where it is there and readable by all."""
_BUNDLES = (
    "ssl/certs/ca-certificates.crt",
    "ssl/cert.pem",
    "ssl/ca-bundle.pem",
    "pki/tls/certs/ca-bundle.crt",
    "pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)
"""Where the authorities are, below /etc, that programs trust which are told of no others; the first everywhere."""
_LARGEST = 4 << 20
"""Bytes of one shared file; a larger one is left out."""

Content = dict[str, bytes | str | None]
"""Path below /etc → bytes of a file, target of a link, or None for a directory."""


def inputs(spec: SandboxSpec) -> list[str]:
    """Give the paths that the content depends on."""
    return [*(spec.rootfs + path for path in SHARED), "/etc/localtime", "/etc/resolv.conf"]


def content(spec: SandboxSpec) -> Content:
    """Give everything that is in the inside's `/etc`; what is shared is the root directory's, if there is one."""
    found: Content = {}
    for path in SHARED:
        if not spec.rootfs or _unlinked(spec.rootfs + path):
            found.update(_shared(path, spec.rootfs))
    zone = _zone()
    if zone:
        found["localtime"] = zone
    if any(secret.placeholder for secret in spec.secrets):
        _trust(found)
    return _with_mount_points(spec, found | _made(spec))


def gitconfig(spec: SandboxSpec) -> bytes:
    """Give a gitconfig with the user's name and e-mail and the workspace as a safe directory."""
    who = spec.identity
    lines = ["[user]"] if who.git_name or who.git_email else []
    lines += [f"\tname = {_quoted(who.git_name)}"] if who.git_name else []
    lines += [f"\temail = {_quoted(who.git_email)}"] if who.git_email else []
    if spec.workspace is not None:
        path = spec.workspace.path
        lines += ["[safe]", f"\tdirectory = {_quoted(path)}", f"\tdirectory = {_quoted(path + '/*')}"]
        if who.uid != os.geteuid():
            # An index also notes the owner of each file, who has another number inside: git would read every file
            # again whenever it changes sides (git-config(1), core.checkStat).
            lines += ["[core]", "\tcheckStat = minimal"]
    return ("\n".join(lines) + "\n").encode(errors="surrogateescape")


def _with_mount_points(spec: SandboxSpec, found: Content) -> Content:
    """Add a place for each mount below /etc: what is shown there is read-only, so none can be made later.

    UsageError where a link is on the way: the place would be made where it leads to, on the host.
    """
    for mount in spec.mounts:
        if not mount.target.startswith("/etc/"):
            continue
        name = mount.target.removeprefix("/etc/")
        above = [str(parent) for parent in PurePosixPath(name).parents]
        if blocked := next((parent for parent in above if isinstance(found.get(parent), str | bytes)), ""):
            raise UsageError(
                f"nothing can be mounted at {mount.target} ({mount.origin}): /etc/{blocked} is no directory",
                hint="choose another target, such as /mnt/NAME",
            )
        found[name] = None if Path(mount.source).is_dir() else b""
    return found


def _trust(found: Content) -> None:
    """Have the usual bundles of certificate authorities be those of this sandbox, for programs that are not told."""
    for name in _BUNDLES:
        if name == _BUNDLES[0] or isinstance(found.get(name), bytes):
            found[name] = AUTHORITIES


def _made(spec: SandboxSpec) -> Content:
    who = spec.identity
    texts = {
        "passwd": _passwd(who, spec.environment.get("SHELL", "/bin/sh")),
        "group": f"root:x:0:\n{who.name}:x:{who.gid}:\nnogroup:x:{_NOBODY}:\n",
        "hosts": "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n",
        "hostname": "sandbox\n",
        "host.conf": "multi on\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        "resolv.conf": _resolv_conf(spec),
        "shells": "/bin/sh\n/bin/bash\n",
        "profile": "export PS1='(sandbox) \\w \\$ '\n",
        "bash.bashrc": "PS1='(sandbox) \\w \\$ '\n",
    }
    made: Content = {name: text.encode() for name, text in texts.items()}
    return made | {"mtab": "/proc/self/mounts"}


def _unlinked(path: str) -> bool:
    """Tell whether no link leads to a path of a root directory: it would be one of the host's that is read then."""
    above = os.path.dirname(path)
    return os.path.realpath(above) == above


def _shared(path: str, root: str) -> Iterator[tuple[str, bytes | str]]:
    """Walk one shared path below a root: files that everybody may read, and links as they are."""
    name = path.removeprefix("/etc/")
    try:
        found = os.lstat(root + path)
        if stat.S_ISLNK(found.st_mode):
            yield name, os.readlink(root + path)
        elif stat.S_ISDIR(found.st_mode):
            for child in sorted(os.listdir(root + path)):
                yield from _shared(f"{path}/{child}", root)
        elif stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST and found.st_mode & 0o004:
            with open(root + path, "rb") as file:
                yield name, file.read()
    except OSError:
        return  # gone or closed to us: then the inside does without


def _zone() -> str:
    """Give what the host's /etc/localtime points to, if it is one of the zones that the inside sees too."""
    zone = Path("/etc/localtime")
    target = os.path.normpath(Path("/etc", zone.readlink())) if zone.is_symlink() else ""
    return target if target.startswith("/usr/share/zoneinfo/") else ""


def _quoted(text: str) -> str:
    """Quote a value by git-config(1): in double quotes, backslash before a quote or backslash."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _passwd(who: Identity, shell: str) -> str:
    rows = [f"{who.name}:x:{who.uid}:{who.gid}::{who.home}:{shell}"]
    if who.uid != 0:
        rows.insert(0, "root:x:0:0::/nonexistent:/usr/sbin/nologin")
    rows.append(f"nobody:x:{_NOBODY}:{_NOBODY}::/nonexistent:/usr/sbin/nologin")
    return "\n".join(rows) + "\n"


def _resolv_conf(spec: SandboxSpec) -> str:
    """Say who knows names: on an open network the host's resolver, with an allow-list the egress plugin."""
    if spec.network.mode is NetworkMode.ALLOWLIST:
        return "nameserver 127.0.0.1\n"
    if spec.network.mode is not NetworkMode.OPEN:
        return ""
    try:
        return Path("/etc/resolv.conf").read_text(errors="replace")
    except OSError:
        return ""
