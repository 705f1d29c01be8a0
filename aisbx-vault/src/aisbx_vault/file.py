"""The vault's file on disk: 0600, the user's alone, replaced as a whole under a lock."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aisbx.errors import ConfigError, SecretError
from aisbx.inputs import Inputs
from aisbx.paths import LARGEST, ensure_private, locked, read_own

NAME = "vault.json"


class VaultFile:
    """Where one user's vault is."""

    def __init__(self, state: Path) -> None:
        """`state` is `$XDG_STATE_HOME/aisbx`, which no sandbox ever sees; nothing is read or made yet."""
        self.path = state / NAME

    def read(self) -> bytes | None:
        """Give its content, None where there is no file; SecretError where others could have read or written it."""
        try:
            data = read_own(self.path, Inputs())
        except ConfigError as error:
            raise SecretError(error.message, hint=error.hint or "move it away, and put a copy back") from error
        if data is not None and (mode := os.stat(self.path).st_mode & 0o077):
            raise SecretError(f"{self.path} is open to others (mode {mode:o})", hint=f"chmod 600 {self.path}")
        return data

    @contextmanager
    def held(self) -> Generator[None]:
        """Let one process at a time read and replace it."""
        ensure_private(self.path.parent)
        with locked(self.path.with_suffix(".lock")):
            yield

    def replace(self, data: bytes) -> None:
        """Replace it, with the lock held: whoever is killed on the way leaves the one content or the other."""
        if len(data) > LARGEST:
            raise SecretError(f"{self.path} would be larger than {LARGEST} bytes", hint="remove secrets")
        new = self.path.with_name(f".{NAME}.new")
        try:
            new.unlink(missing_ok=True)  # of one who was killed
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(new, self.path)
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise SecretError(
                f"{self.path} cannot be written: {error.strerror}", hint="see whether there is room"
            ) from error
