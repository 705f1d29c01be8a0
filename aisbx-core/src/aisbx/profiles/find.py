"""Where profiles come from: the user's directory, installed distributions, and a project that is trusted."""

import os
import re
from collections.abc import Mapping
from typing import Protocol

from aisbx.errors import ProfileError, TrustError
from aisbx.inputs import Inputs
from aisbx.paths import config_dir, read_own
from aisbx.profiles.load import NAME, ProfileText
from aisbx.settings import Settings
from aisbx.trust import REMEDY

SUFFIX = ".yaml"
PROJECT = ".aisbx/profiles"


class Installed(Protocol):
    """What is needed of `aisbx.plugins.Plugins`."""

    def names(self, kind: str) -> list[str]:
        """Give the names of a kind."""
        ...

    def get(self, kind: str, name: str, settings: Mapping[str, object] = ...) -> object:
        """Give a profile's text."""
        ...


class Finder:
    """Looks a profile up by name: `Finder(settings, plugins, inputs)` is a `Lookup`."""

    def __init__(self, settings: Settings, plugins: Installed, inputs: Inputs) -> None:
        """Look in the user's directory, in `plugins`, and in what `settings` read of the project."""
        self._settings = settings
        self._plugins = plugins
        self._inputs = inputs
        self._directory = config_dir(inputs) / "profiles"

    def __call__(self, name: str) -> ProfileText | None:
        """Give the text of a profile, None where there is none of that name.

        ProfileError where two places have the name: which one wins would be a surprise. TrustError where only an
        untrusted project has it.
        """
        if not re.fullmatch(NAME.rstrip("$"), name):
            raise ProfileError(f"{name!r} is not a profile's name", hint="letters, digits, `.`, `_` and `-`")
        found = [text for text in (self._user(name), self._project(name), self._installed(name)) if text]
        if len(found) > 1:
            places = " and in ".join(f"{text.file} ({text.origin})" for text in found)
            raise ProfileError(f"the profile {name!r} is in {places}", hint="rename yours; it can extend the other")
        if not found and f"{PROJECT}/{name}{SUFFIX}" in self._files():
            raise TrustError(f"the profile {name!r} is this project's own, which is not trusted", hint=REMEDY)
        return found[0] if found else None

    def names(self) -> dict[str, str]:
        """Give every name that can be looked up, sorted, with its origin (`user`, `project`, `installed`)."""
        mine = self._user_names()
        projects = self._project_names() if self._settings.trusted else []
        return dict(
            sorted(
                {
                    **dict.fromkeys(self._plugins.names("profile"), "installed"),
                    **dict.fromkeys(projects, "project"),
                    **dict.fromkeys(mine, "user"),
                }.items()
            )
        )

    def _user(self, name: str) -> ProfileText | None:
        file = self._directory / f"{name}{SUFFIX}"
        data = read_own(file, self._inputs)
        return None if data is None else ProfileText(name, _text(data, str(file)), str(file), "user")

    def _project(self, name: str) -> ProfileText | None:
        data = self._files().get(f"{PROJECT}/{name}{SUFFIX}")
        if data is None or not self._settings.trusted:
            return None
        file = f"{self._settings.repository.directory if self._settings.repository else ''}/{PROJECT}/{name}{SUFFIX}"
        return ProfileText(name, _text(data, file), file, "project")

    def _installed(self, name: str) -> ProfileText | None:
        if name not in self._plugins.names("profile"):
            return None
        text = self._plugins.get("profile", name)
        return ProfileText(name, str(text), f"{name}{SUFFIX}", "installed")

    def _files(self) -> dict[str, bytes]:
        return self._settings.repository.files if self._settings.repository else {}

    def _project_names(self) -> list[str]:
        prefix = f"{PROJECT}/"
        names = [file.removeprefix(prefix) for file in self._files() if file.startswith(prefix)]
        return [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX) and "/" not in name]

    def _user_names(self) -> list[str]:
        try:
            entries = os.listdir(self._directory)
        except OSError:
            return []
        return [entry.removesuffix(SUFFIX) for entry in entries if entry.endswith(SUFFIX)]


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProfileError("is not UTF-8", file=file, line=line, hint="save it as UTF-8") from error
