"""What lasts in the machine, by a file for each beside it: an id of the guest's, and where the host has it."""

import contextlib
import os
from pathlib import Path


class Lodgers:
    """The sandboxes and snapshots of one machine."""

    def __init__(self, directory: str) -> None:
        """Look at nothing yet."""
        self._directory = directory

    def add(self, place: str) -> str:
        """Give what lies in the directory `place` of the host an id."""
        name = os.urandom(8).hex()
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        Path(self._directory, name).write_text(place, encoding="utf-8", errors="surrogateescape")
        return name

    def drop(self, name: str) -> None:
        """Forget one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._directory, name))

    def all(self) -> list[str]:
        """Give where those are that the host still has."""
        return [place for _, place in self._rows() if os.path.exists(place)]

    def gone(self) -> list[str]:
        """Give the ids of those that the host has no more."""
        return [name for name, place in self._rows() if not os.path.exists(place)]

    def clear(self) -> None:
        """Forget all: the machine has gone."""
        for name, _ in self._rows():
            self.drop(name)

    def _rows(self) -> list[tuple[str, str]]:
        rows: list[tuple[str, str]] = []
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(self._directory)):
                with contextlib.suppress(FileNotFoundError):
                    text = Path(self._directory, name).read_text(encoding="utf-8", errors="surrogateescape")
                    rows.append((name, text))
        return rows
