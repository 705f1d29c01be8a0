"""What no profile is taught: files that hold secrets, by their names and by what they begin with.

It errs to one side: what looks like a secret is not granted, and who knows better writes the mount by hand.
"""

import os
import re
import stat
from fnmatch import fnmatchcase

_DIRECTORIES = frozenset(
    {
        ".aws",
        ".azure",
        ".config/gcloud",
        ".config/gh",
        ".config/op",
        ".docker",
        ".gnupg",
        ".kube",
        ".mozilla",
        ".config/google-chrome",
        ".config/chromium",
        ".local/share/keyrings",
        ".password-store",
        ".ssh",
        ".terraform.d",
    }
)
"""A directory of keys, tokens or sessions, whatever is in it."""
_FILES = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".dockercfg",
    ".vault-token",
    ".htpasswd",
    ".*_history",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ovpn",
    "*.tfstate",
    "*.gpg",
    "credentials",
    "credentials.*",
    "*credentials.json",
    "client_secret*.json",
    "service-account*.json",
    "secret",
    "secrets",
    "secret.*",
    "secrets.*",
    "*.secret",
    "*token",
    "*token.txt",
    "*tokens.json",
    "*password*",
    "*passwd*",
    "shadow",
    "gshadow",
    "sudoers",
    "wallet.dat",
    "cookies.sqlite",
    "login data",
)
"""Names in lower case."""
_HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist", "*.pub")
_KEYS = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
    rb"|\bgithub_pat_[A-Za-z0-9_]{40}|\bglpat-[A-Za-z0-9_-]{20}|\bxox[abprs]-[A-Za-z0-9-]{10}"
    rb"|\bsk-[A-Za-z0-9_-]{20}|\bAIza[A-Za-z0-9_-]{35}|\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[A-Za-z0-9_-]{20}"
)
_SAID = re.compile(
    rb"(?i:(?:password|passwd|secret|api_?key|access_?token|auth_?token)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[^\s\"']{8})"
)
_LOOKED_AT = 64 * 1024
"""Bytes from the beginning of a file."""
_MOST = 20_000
"""Entries of a directory that are gone through; one with more counts as if it held a secret."""


def by_name(path: str) -> str:
    """Say why a path is that of a secret; empty where nothing of its name says so."""
    parts = path.lower().strip("/").split("/")
    for place, part in enumerate(parts):
        if part in _DIRECTORIES or "/".join(parts[place : place + 2]) in _DIRECTORIES:
            return f"{part} holds keys, tokens or sessions"
    name = parts[-1]
    if any(fnmatchcase(name, pattern) for pattern in _HARMLESS):
        return ""
    return "its name is one of files with secrets" if any(fnmatchcase(name, pattern) for pattern in _FILES) else ""


def by_content(path: str, *, named: bool = True) -> str:
    """Say why what is in a file of the host is a secret; empty where its beginning shows none, or it is no file.

    With `named` also what is only called so counts (`password = …`), as it is in many a source of a program.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        data = os.read(descriptor, _LOOKED_AT)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    found = _KEYS.search(data) or (named and _SAID.search(data))
    return "what it holds looks like a key or a token" if found else ""


def of(path: str, *, named: bool = True) -> str:
    """Say why a file of the host is a secret, by its name, that of what it leads to, or its content (`by_content`)."""
    return by_name(path) or by_name(os.path.realpath(path)) or by_content(path, named=named)


def below(directory: str) -> str:
    """Give a path below a directory of the host that is a secret's by its name or content; empty where there is none.

    Nobody has asked for it: but who is shown the directory is shown it.
    """
    count = 0
    for place, directories, files in os.walk(directory):
        for name in (*directories, *files):
            count += 1
            path = f"{place}/{name}"
            if count > _MOST:
                return f"{directory} (too large to be gone through)"
            if by_name(path) or (_is_file(path) and by_content(path, named=False)):
                return path
    return ""


def _is_file(path: str) -> bool:
    """Tell whether there is a file itself, no link: where that leads to is shown only if it lies there too."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
