"""What came of some code."""

import base64
from dataclasses import dataclass, field
from typing import Protocol

from aisbx_mcp.images import image_type
from aisbx_mcp.output import Output

LARGEST_IMAGE = 1 << 20
"""Characters of an image as text; clients refuse larger messages."""
IMAGES = 8
_IMAGES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


@dataclass(slots=True)
class Cell:
    """Its output, its images, and how it ended."""

    output: Output
    images: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Kind and data (base64) of each."""
    ok: bool = False
    note: str = ""
    """What the model has to know beside the output."""

    def show(self, kind: str, data: str) -> None:
        """Add what code has shown."""
        if kind not in _IMAGES:
            self.output.append(f"{data}\n".encode(errors="backslashreplace"))
        elif len(data) > LARGEST_IMAGE:
            self.output.append(f"[an image of {len(data):,} characters is too large to show]\n".encode())
        elif not _is_image(kind, data):
            self.output.append(f"[what is said to be {kind} is none]\n".encode())
        elif len(self.images) >= IMAGES:
            self.output.append(f"[more than {IMAGES} images: this one is left out]\n".encode())
        else:
            self.images.append((kind, data))


def _is_image(kind: str, data: str) -> bool:
    """Say whether this is base64 and begins as such an image does: what is none can cost a client its conversation."""
    try:
        return image_type(base64.b64decode(data, validate=True)) == kind
    except ValueError:
        return False


class Interpreter(Protocol):
    """An interpreter of one session."""

    @property
    def lives(self) -> bool:
        """Whether it has its names still."""
        ...

    async def run(self, code: str, cell: Cell, seconds: float | None, memory: int) -> None:
        """Execute code, at most so long and with at most so many bytes (0: any); the cell says how it was."""
        ...

    async def close(self) -> None:
        """End it."""
        ...
