"""The `/etc` and the home of the inside: made up, with nothing of the host's accounts, names or ids."""

import os
from pathlib import Path

from aisbx.types import Identity, NetworkMode, SandboxSpec

_NOBODY = 65534
# Shown read-only where the host has them: public data that programs need (alternatives, certificates, linker cache).
SHARED = (
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    "/etc/fonts",
    "/etc/magic",
)


def files(spec: SandboxSpec) -> dict[str, bytes]:
    """Give path → content of every file that is made up for the inside."""
    who = spec.identity
    made = {
        "/etc/passwd": _passwd(who, _shell(spec)),
        "/etc/group": f"root:x:0:\n{who.name}:x:{who.gid}:\nnogroup:x:{_NOBODY}:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n",
        "/etc/hostname": "sandbox\n",
        "/etc/host.conf": "multi on\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        "/etc/resolv.conf": _resolv_conf(spec),
        "/etc/shells": "/bin/sh\n/bin/bash\n",
        "/etc/profile": "export PS1='(sandbox) \\w \\$ '\n",
        "/etc/bash.bashrc": "PS1='(sandbox) \\w \\$ '\n",
        f"{who.home}/.gitconfig": gitconfig(spec),
    }
    return {path: text.encode() for path, text in made.items()}


def links() -> dict[str, str]:
    """Give path → target of links that the host's `/etc` has and programs read."""
    found: dict[str, str] = {"/etc/mtab": "/proc/self/mounts"}
    zone = Path("/etc/localtime")
    if zone.is_symlink():
        target = os.path.normpath(Path("/etc", zone.readlink()))
        if target.startswith("/usr/share/zoneinfo/"):
            found["/etc/localtime"] = target
    return found


def gitconfig(spec: SandboxSpec) -> str:
    """Give the text of a gitconfig with the user's name and e-mail and the workspace as a safe directory."""
    who = spec.identity
    lines = ["[user]"] if who.git_name or who.git_email else []
    lines += [f"\tname = {_quoted(who.git_name)}"] if who.git_name else []
    lines += [f"\temail = {_quoted(who.git_email)}"] if who.git_email else []
    if spec.workspace is not None:
        lines += ["[safe]", f"\tdirectory = {_quoted(spec.workspace.path)}", f"\tdirectory = {_quoted(spec.workspace.path + '/*')}"]
    return "\n".join(lines) + "\n"


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


def _shell(spec: SandboxSpec) -> str:
    return spec.environment.get("SHELL", "/bin/sh")


def _resolv_conf(spec: SandboxSpec) -> str:
    """Only an open network has a resolver, the host's."""
    if spec.network.mode is not NetworkMode.OPEN:
        return ""
    try:
        return Path("/etc/resolv.conf").read_text(errors="replace")
    except OSError:
        return ""
