"""Where the audit log, its key and its full files are."""

import os
import re
from typing import TYPE_CHECKING

from aisbx.audit.chain import digest

if TYPE_CHECKING:
    from pathlib import Path

    from aisbx.types import AuditPlace

NAME = "audit.jsonl"


def place(state: "Path", config: "Path", rotate: int, keep: int, export: str) -> "AuditPlace":
    """Give all that a writer needs to know. The key is not beside the log: who can write there has not got it.

    Each log has a key of its own, so that a key without a log tells that there was one.
    """
    path = str(state / NAME)
    key = f"audit-{digest(os.fsencode(path))[:16]}.key"
    return {"path": path, "key": str(config / key), "limit": rotate, "keep": keep, "export": export}


def numbered(path: str, number: int) -> str:
    """Give the name of a full file: `audit.000001.jsonl`."""
    stem, suffix = os.path.splitext(path)
    return f"{stem}.{number:06}{suffix}"


def numbers(path: str) -> list[int]:
    """Give the numbers of the full files that are there, sorted."""
    directory, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)
    pattern = re.compile(rf"{re.escape(stem)}\.([0-9]{{6,10}}){re.escape(suffix)}")
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return sorted(int(found[1]) for each in names if (found := pattern.fullmatch(each)))
