"""A user of their own: a home, an environment and a project, apart from whoever runs the tests."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aisbx.inputs import Inputs

STRANGER = 4242
"""A uid that is neither root's nor that of whoever runs the tests."""


@dataclass
class World:
    """`environ` is what the code under test sees; `inputs()` records against it."""

    home: Path
    project: Path
    monkeypatch: pytest.MonkeyPatch
    environ: dict[str, str] = field(default_factory=dict[str, str])

    def inputs(self) -> Inputs:
        return Inputs(self.environ)

    def config(self, text: str) -> Path:
        """Write the user's config.toml."""
        return self.write(self.home / ".config/aisbx/config.toml", text)

    def profile(self, name: str, text: str) -> Path:
        """Write a profile of the user's."""
        return self.write(self.home / f".config/aisbx/profiles/{name}.yaml", text)

    @staticmethod
    def write(path: Path, text: str | bytes, mode: int = 0o644) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def give_away(self, path: Path) -> None:
        """Make a path somebody else's. Only root can; otherwise whoever runs the tests becomes the stranger."""
        if os.geteuid() == 0:
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
        else:
            self.monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
