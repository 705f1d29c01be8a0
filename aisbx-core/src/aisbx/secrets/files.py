"""The secret store `file`: each file of a private directory is a secret, as a scheduler or a tool has put it there."""

import os
from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import ConfigError, SecretError
from aisbx.ownership import weakness
from aisbx.paths import LARGEST, read_at_most

_DIRECTORY = "secrets"


class FileSecrets:
    """Gives files by their name: plain files that are the user's alone, never through a link."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """`directory` is where they are; otherwise `secrets` beside the configuration. ConfigError for any other."""
        for key in sorted(settings.keys() - {"directory", "state_dir", "config_dir"}):
            raise ConfigError(
                "there is no such setting", key=f"secret_settings.file.{key}", hint="the one is directory"
            )
        directory = settings.get("directory", str(Path(str(settings["config_dir"]), _DIRECTORY)))
        if not isinstance(directory, str) or not os.path.isabs(directory):
            hint = "name a directory of yours"
            raise ConfigError("is not an absolute path", key="secret_settings.file.directory", hint=hint)
        self._directory = directory

    def get(self, ref: str) -> bytes:
        """Give a file's content as it is, its last line's end included; SecretError says why it can't be had."""
        path = os.path.join(self._directory, ref)
        if "/" in ref or ref in {"", ".", ".."}:
            raise SecretError(f"{ref!r} is not the name of a file", hint=f"name one in {self._directory}")
        flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            hint = f"put it there: install -m 600 SOURCE {path}"
            raise SecretError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
        try:
            found = os.fstat(descriptor)
            if why := weakness(found):
                raise SecretError(f"{path}: {why}, so it is not trusted", hint=f"chown it, or chmod 600 {path}")
            if found.st_mode & 0o077:
                raise SecretError(f"{path} can be read by others", hint=f"chmod 600 {path}")
            data = read_at_most(descriptor, LARGEST + 1)
        except OSError as error:
            raise SecretError(f"{path} cannot be read: {error.strerror}", hint="name a plain file") from error
        finally:
            os.close(descriptor)
        if not 0 < len(data) <= LARGEST:
            raise SecretError(
                f"{path} has {'no' if not data else 'too many'} bytes", hint=f"1 to {LARGEST} can be given"
            )
        return data
