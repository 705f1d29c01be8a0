"""What the host knows of a sandbox that lasts in the guest: a file in its home, there before the guest has anything."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aisbx.errors import StateError
from aisbx.types import ControlState, Enforcement, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "lima.json"
LAYER = "copied"
"""In a home: the layer over the workspace, as it was last brought from the guest."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The id in the guest, the mode of the workspace (empty without one), and the report on its controls."""

    name: str
    mode: str
    states: tuple[ControlState, ...]

    @property
    def enforcement(self) -> Enforcement:
        """Give the report."""
        return Enforcement.of(self.states)

    def write(self, home: Path) -> None:
        """Keep it, whole or not at all."""
        text = json.dumps({"name": self.name, "mode": self.mode, "states": [asdict(row) for row in self.states]})
        temporary = home / f".{_FILE}"
        temporary.write_text(text)
        os.replace(temporary, home / _FILE)


def recall(home: Path) -> Kept | None:
    """Give what was kept in a home; None where it is of no sandbox of this driver. StateError where it is damaged."""
    try:
        told: Mapping[str, Any] = json.loads((home / _FILE).read_text())
        states = (ControlState(**{**row, "level": Level(row["level"])}) for row in told["states"])
        return Kept(str(told["name"]), str(told["mode"]), tuple(states))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{home / _FILE} cannot be read: {error}", hint="aisbx destroy --discard") from error
