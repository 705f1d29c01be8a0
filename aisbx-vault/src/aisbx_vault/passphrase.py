"""Where a passphrase comes from: a file or a descriptor that the settings name, or a terminal. Never a command line."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import ConfigError, SecretError
from aisbx.inputs import Inputs
from aisbx.paths import read_at_most, read_own

LONGEST = 1024
"""Bytes."""
_KEY = "secret_settings.vault."
_FIRST_FREE = 3
"""Descriptor: those before it are stdin, stdout and stderr."""
HINT = "on a terminal it is asked for; else set AISBX_SECRET_SETTINGS__VAULT__PASSPHRASE_FILE to a file that has it"


class Passphrase:
    """The passphrase of a vault, asked for once."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Check the settings; ConfigError for one that is none, or where both are given."""
        for name in sorted(settings.keys() - {"passphrase_file", "passphrase_fd", "state_dir", "config_dir"}):
            raise ConfigError("there is no such setting", key=_KEY + name, hint="passphrase_file or passphrase_fd")
        file, descriptor = settings.get("passphrase_file"), settings.get("passphrase_fd")
        if file is not None and descriptor is not None:
            raise ConfigError("stands beside passphrase_file", key=f"{_KEY}passphrase_fd", hint="leave one out")
        if file is not None and (not isinstance(file, str) or not os.path.isabs(file)):
            raise ConfigError("is not an absolute path", key=f"{_KEY}passphrase_file", hint="name a file of yours")
        self._file = file
        self._descriptor = None if descriptor is None else _number(descriptor)
        self._known: bytes | None = None

    def __call__(self) -> bytes:
        """Give it; SecretError where there is none to be had."""
        if self._known is None:
            self._known = self._read()
        return self._known

    @property
    def prompted(self) -> bool:
        """Whether a terminal is asked."""
        return self._file is None and self._descriptor is None

    def _read(self) -> bytes:
        if self._file is not None:
            return from_file(self._file)
        if self._descriptor is None:
            return prompt("Passphrase of the vault: ")
        try:
            data = read_at_most(self._descriptor, LONGEST + 2)
            os.close(self._descriptor)
        except OSError as error:
            what = f"the passphrase cannot be read from descriptor {self._descriptor}: {error.strerror}"
            raise SecretError(what, hint="open one for it: 3<FILE") from error
        return _line(data, f"descriptor {self._descriptor}")


def from_file(path: str) -> bytes:
    """Give the one line of a file that is the user's alone; SecretError else."""
    try:
        data = read_own(Path(path), Inputs())
    except ConfigError as error:
        raise SecretError(f"the passphrase cannot be read: {error.message}", hint=error.hint) from error
    if data is None:
        raise SecretError(f"there is no {path} with the passphrase", hint="correct the setting, or make it")
    found = os.stat(path)
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SecretError(f"{path}, which has the passphrase, is open to others", hint=f"chmod 600 {path}")
    return _line(data, path)


def prompt(text: str, *, again: bool = False) -> bytes:
    """Ask on the terminal, twice where it is a new one; SecretError where there is no terminal, or they differ."""
    from getpass import getpass

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))  # else getpass would read it from stdin, and show it
    except OSError:
        raise SecretError("a passphrase is needed, and there is no terminal to ask on", hint=HINT) from None
    given = getpass(text)
    if again and getpass("The same again: ") != given:
        raise SecretError("the two passphrases differ", hint="nothing was changed; try again")
    return given.encode("utf-8", "surrogateescape")


def _line(data: bytes, where: str) -> bytes:
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in line or not 0 < len(line) <= LONGEST:
        raise SecretError(f"{where} has no passphrase: it is one line of 1 to {LONGEST} bytes", hint="correct it")
    return line


def _number(value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) < _FIRST_FREE:
        raise ConfigError(
            "is not a descriptor from 3 on", key=f"{_KEY}passphrase_fd", hint="write a number, as in 3<FILE"
        )
    return int(text)
