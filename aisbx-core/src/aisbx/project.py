"""What kind of project a directory holds, and the `aisbx.toml` that says so."""

import os
import re
from dataclasses import dataclass

from aisbx.errors import UsageError, WorkspaceError
from aisbx.repository import FILE

# kind → files that mark it, in the order of preference where a directory has several.
MARKERS = {
    "python": ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile", "uv.lock", ".python-version"),
    "node": ("package.json", "package-lock.json", "pnpm-lock.yaml", "yarn.lock"),
    "go": ("go.mod", "go.work"),
    "rust": ("Cargo.toml",),
    "java": ("pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    "shell": ("Makefile",),
}
SUFFIXES = {"python": ".py", "node": ".js", "go": ".go", "rust": ".rs", "java": ".java", "shell": ".sh"}

# Kinds that a profile of their own exists for; the others work with the system's tools.
PROFILES = {
    "python": "python-dev",
    "node": "node-dev",
    "go": "go-dev",
    "rust": "rust-dev",
    "java": "java-dev",
    "shell": "shell",
}

_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,255}")


@dataclass(frozen=True, slots=True)
class Detected:
    """`kinds` in the order of preference, the file that told each (`evidence`), and the profile that fits best."""

    directory: str
    kinds: tuple[str, ...]
    evidence: dict[str, str]
    profile: str


def detect(directory: str) -> Detected:
    """Look at the names in a directory; nothing is read or executed. WorkspaceError where it can't be listed."""
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise WorkspaceError(f"{directory} cannot be listed: {error.strerror}") from error
    evidence: dict[str, str] = {}
    for kind, markers in MARKERS.items():
        if found := next((marker for marker in markers if marker in names), None):
            evidence[kind] = found
    # Loose sources tell less than a marker, so they count only where there is none.
    if not evidence:
        for kind, suffix in SUFFIXES.items():
            if found := next((name for name in names if name.endswith(suffix) and not name.startswith(".")), None):
                evidence[kind] = found
    kinds = tuple(evidence)
    profile = next((PROFILES[kind] for kind in kinds if kind in PROFILES), "base")
    return Detected(os.path.realpath(directory), kinds, evidence, profile)


def write_aisbx_toml(directory: str, profile: str, *, force: bool = False) -> str:
    """Write an `aisbx.toml` that names a profile, and give its path.

    UsageError for a name that is none, or where there is a file already and not `force`. A link is replaced or
    refused, never followed. The file counts once the user has trusted it (`aisbx profile trust`).
    """
    if not _NAMES.fullmatch(profile):
        raise UsageError(f"{profile!r} is not a profile's name", hint="such as python-dev or python-dev+offline")
    path = os.path.join(os.path.realpath(directory), FILE)
    try:
        # The new file has the name at once where none may be replaced, and takes it when complete where one may.
        if force:
            temporary = f"{path}.{os.urandom(8).hex()}.tmp"
            _create(temporary, _text(profile))
            try:
                os.replace(temporary, path)
            except OSError:
                os.unlink(temporary)
                raise
        else:
            _create(path, _text(profile))
    except FileExistsError as error:
        raise UsageError(f"{path} exists already", hint="edit it, or overwrite it with --force") from error
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _create(path: str, text: str) -> None:
    """Make a file that is not there yet (O_EXCL: a dangling link counts as there), whole or not at all."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        os.unlink(path)
        raise


def _text(profile: str) -> str:
    return f"""# How aisbx runs this project. Others' copies of it can only narrow what they allow
# themselves, until they have read it and run `aisbx profile trust`.
profile = "{profile}"

# [limits]
# memory = "2G"
# wall_time = "10m"
"""
