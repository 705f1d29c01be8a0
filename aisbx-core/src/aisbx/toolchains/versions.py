"""Version managers: where they keep what they installed, and which of it is asked for. Nothing is executed."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home, read_own
from aisbx.toolchains.read import small_file

LARGEST = 16 * 1024
"""Bytes of a file that names a version."""
_WORD = re.compile(r"(?!.*\.\.)[A-Za-z0-9*][A-Za-z0-9*._/+-]{0,63}$")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_MOST_ALIASES = 5


@dataclass(frozen=True, slots=True)
class Manager:
    """A version manager's layout. Paths are relative: `versions`, `current`, `default`, `aliases` to its root."""

    name: str
    variable: str
    """Names the root; `below` the home by default."""
    below: str
    versions: str
    """The directory that has one for each version."""
    prefix: str = ""
    """Comes before the number in a directory's name."""
    inner: str = ""
    """Below a version's directory: the toolchain itself."""
    current: str = ""
    """A link to the version that holds everywhere."""
    default: str = ""
    """A file that names that version."""
    aliases: str = ""
    """A directory of files, each of which names the version that its own name stands for."""

    def root(self, inputs: Inputs) -> str:
        """Give the directory of the manager, whether it is there or not."""
        named = inputs.env(self.variable) if self.variable else None
        return named if named and named.startswith("/") else os.path.join(home(inputs), self.below)

    def installed(self, inputs: Inputs) -> dict[str, str]:
        """Give version → directory of the toolchain, for each that is installed."""
        directory = os.path.join(self.root(inputs), self.versions)
        inputs.note(directory)
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            return {}
        found: dict[str, str] = {}
        for name in names:
            path = os.path.join(directory, name, self.inner).rstrip("/")
            if name.startswith(self.prefix) and _NUMBER.match(name.removeprefix(self.prefix)) and os.path.isdir(path):
                found[name.removeprefix(self.prefix)] = path
        return found

    def pick(self, word: str, inputs: Inputs) -> str:
        """Give the directory of the version that a word asks for: itself, or the newest below it; "" for none."""
        installed = self.installed(inputs)
        for _ in range(_MOST_ALIASES if self.aliases else 0):
            text = self._text(os.path.join(self.aliases, word), inputs)
            if not text:
                break
            word = text
        bare = word.removeprefix(self.prefix).removeprefix("v")
        if bare in installed:
            return installed[bare]
        fitting = [name for name in installed if word in {"node", "latest"} or name.startswith(f"{bare}.")]
        return installed[max(fitting, key=_number)] if fitting else ""

    def usual(self, inputs: Inputs) -> str:
        """Give the directory of the version that holds where nobody asks for one: its default, else the newest."""
        installed = self.installed(inputs)
        if self.current:
            link = os.path.join(self.root(inputs), self.current)
            inputs.note(link)
            if os.path.isdir(link):
                return link
        word = self._text(self.default, inputs) if self.default else ""
        if word and (found := self.pick(word, inputs)):
            return found
        return installed[max(installed, key=_number)] if installed else ""

    def _text(self, name: str, inputs: Inputs) -> str:
        """Give the version that a file of the manager's own names; JSON of Volta's included."""
        file = os.path.join(self.root(inputs), name)
        inputs.note(file)
        # The user's own, so it may be a link, as those who keep their dotfiles in a repository have.
        data = read_own(Path(file), inputs) if os.path.isfile(file) else None
        text = (data or b"").decode("utf-8", "replace").strip()
        if text.startswith("{"):
            match = re.search(r'"runtime"\s*:\s*"([^"]{1,64})"', text)
            text = match[1] if match else ""
        return text if _WORD.match(text) else ""


def asked(files: Mapping[str, str], workspace: str | None, inputs: Inputs) -> tuple[str, str]:
    """Give the version that a file of the workspace asks for, and that file; ("", "") where none does.

    `files` has, for each file's name, the key that its line begins with ("": the first line is the version). They are
    repository input: they select among what is installed, and never become a path.
    """
    for name, key in files.items() if workspace else ():
        file = os.path.join(workspace or "", name)
        data = small_file(file, LARGEST, inputs, hint="write a version such as 20.11 into it")
        word = _word((data or b"").decode("utf-8", "replace"), key)
        if word == "system":
            return "", ""
        if word and not _WORD.match(word):
            raise ProfileError(f"{word[:40]!r} is not a version's name", file=file, hint="write one such as 20.11")
        if word:
            return word, file
    return "", ""


def selected(
    what: str, managers: Sequence[Manager], files: Mapping[str, str], workspace: str | None, inputs: Inputs
) -> tuple[str, str]:
    """Give the directory that a version file of the workspace selects, and why; ("", "") where nothing is selected.

    Such a file counts for those who have a manager that reads it. ProfileError where none of theirs has that version.
    """
    word, file = asked(files, workspace, inputs)
    present = [manager for manager in managers if manager.installed(inputs)] if word else []
    for manager in present:
        if directory := manager.pick(word, inputs):
            return directory, f"{manager.name}'s {word} ({file})"
    if present:
        names = " and ".join(manager.name for manager in present)
        message = f"asks for {what} {word}, which is not installed ({names})"
        raise ProfileError(message, file=file, hint="install it, or change that file")
    return "", ""


def usual(managers: Sequence[Manager], inputs: Inputs) -> tuple[str, str]:
    """Give the directory that the first manager with any version uses by default, and why; ("", "") for none."""
    for manager in managers:
        if directory := manager.usual(inputs):
            return directory, f"{manager.name}'s"
    return "", ""


def _word(text: str, key: str) -> str:
    for line in text.splitlines():
        words = line.split("#")[0].replace("=", " ").split()
        if words and not key:
            return words[0]
        if words[1:] and words[0] == key:
            return words[1]
    return ""


def _number(name: str) -> tuple[tuple[int, ...], str]:
    match = _NUMBER.match(name)
    return tuple(int(part) for part in match[0].split(".")) if match else (), name
