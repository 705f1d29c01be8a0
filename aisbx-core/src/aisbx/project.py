"""What kind of project a directory holds, and the `aisbx.toml` that says so."""

import os
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
PROFILES = {"python": "python-dev", "shell": "shell"}


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

    UsageError if there is one and not `force`; what is there is never followed if it is a link, and never half
    overwritten. It counts once the user has trusted it (`aisbx profile trust`).
    """
    path = os.path.join(os.path.realpath(directory), FILE)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:
            file.write(_text(profile))
        if force:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)  # fails where the name is taken, by a dangling link too
            os.unlink(temporary)
    except FileExistsError as error:
        _remove(temporary)
        raise UsageError(f"{path} exists already", hint="edit it, or overwrite it with --force") from error
    except OSError as error:
        _remove(temporary)
        raise WorkspaceError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _remove(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)


def _text(profile: str) -> str:
    return f"""# How aisbx runs this project. Others' copies of it can only narrow what they allow
# themselves, until they have read it and run `aisbx profile trust`.
profile = "{profile}"

# [limits]
# memory = "2G"
# wall_time = "10m"
"""
