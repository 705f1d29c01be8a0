"""Logs to try things on."""

import json
from pathlib import Path

from aisbx.audit.places import place
from aisbx.audit.verify import verify
from aisbx.audit.write import append_once
from aisbx.types import AuditPlace


def record(number: int, size: int = 0) -> str:
    return json.dumps({"v": 1, "time": number, "run": f"r{number}", "argv": ["a" * size]}, separators=(",", ":"))


def somewhere(directory: Path, *, rotate: int = 1 << 20, keep: int = 0, export: str = "") -> AuditPlace:
    (directory / "state").mkdir(exist_ok=True)
    return place(directory / "state", directory / "config", rotate, keep, export)


def written(directory: Path, count: int = 6, **said: int) -> AuditPlace:
    where = somewhere(directory, **said)  # pyright: ignore[reportArgumentType]
    for number in range(1, count + 1):
        append_once(where, record(number, 200))
    return where


def problems(where: AuditPlace) -> list[str]:
    return [str(problem).replace(str(Path(where["path"]).parent), "") for problem in verify(where).problems]
