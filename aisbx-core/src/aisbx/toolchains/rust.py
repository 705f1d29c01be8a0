"""Find the Rust that people have: the toolchain that rustup would choose, else the one on PATH or the system's.

Only that toolchain is shown, with its own `cargo` and `rustc`; rustup itself, which would look for others and for a
network, stays outside.
"""

import os
import platform
import re
import tomllib
from pathlib import Path
from typing import cast

from aisbx.errors import ProfileError
from aisbx.inputs import Inputs
from aisbx.paths import home, read_own
from aisbx.places import within
from aisbx.toolchains.found import Toolchain
from aisbx.toolchains.installed import Kind, on_path, own_tools
from aisbx.toolchains.read import small_file

RUST = Kind("rust", "rustc", ("lib/rustlib/components",))
FILES = ("rust-toolchain", "rust-toolchain.toml")
"""In rustup's order."""
LARGEST = 16 * 1024

# Without a network cargo tries to update its index, several times, before it says so.
OFFLINE = {"CARGO_NET_OFFLINE": "true"}
_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_HINT = "rustup toolchain list shows what there is"


def find(workspace: str | None, inputs: Inputs) -> Toolchain:
    """Give the mounts and PATH for the Rust in the order above, with the programs that `cargo install` left."""
    found = _rustup(workspace, inputs) or _elsewhere(workspace, inputs)
    return found | _installed(workspace, inputs) | Toolchain(offline=OFFLINE)


def _rustup(workspace: str | None, inputs: Inputs) -> Toolchain | None:
    """Give the toolchain that rustup would use in the workspace; None where it has none installed at all."""
    named = inputs.env("RUSTUP_HOME")
    root = named if named and named.startswith("/") else os.path.join(home(inputs), ".rustup")
    directory = os.path.join(root, "toolchains")
    inputs.note(directory)
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return None
    if not names:
        return None
    word, who = _wanted(root, workspace, inputs)
    chosen = _match(word, names) if word else names[0] if len(names) == 1 else ""
    if not chosen:
        asked = f"Rust {word}, which rustup has not installed" if word else "no toolchain of the several that it has"
        raise ProfileError(f"asks for {asked}", file=who, hint=_HINT)
    return RUST.at(os.path.join(directory, chosen), inputs, workspace, why=f"rustup's {chosen} ({who})")


def _elsewhere(workspace: str | None, inputs: Inputs) -> Toolchain:
    if program := on_path("rustc", inputs, workspace):
        return RUST.of_program(program, inputs, workspace, why=f"the Rust at {program}")
    raise ProfileError(
        "no Rust was found: not with rustup (RUSTUP_HOME, ~/.rustup), on PATH or in /usr",
        key="toolchains",
        hint="install rustc and cargo",
    )


def _wanted(root: str, workspace: str | None, inputs: Inputs) -> tuple[str, str]:
    """Give the toolchain's name and who asks, in rustup's order: variable, directory override, file, default."""
    if word := inputs.env("RUSTUP_TOOLCHAIN"):
        return _checked(word, "RUSTUP_TOOLCHAIN"), "RUSTUP_TOOLCHAIN"
    settings = os.path.join(root, "settings.toml")
    said = _toml(read_own(Path(settings), inputs) or b"", settings)
    overrides = cast("dict[str, object]", said.get("overrides", {}))
    places = [place for place in overrides if workspace and within(workspace, place)]
    if places:
        return _checked(overrides[max(places, key=len)], settings), settings
    for name in FILES if workspace else ():
        file = os.path.join(workspace or "", name)
        data = small_file(file, LARGEST, inputs, hint="write a channel such as 1.75 into it")
        if data is not None:
            return _of_file(data, file), file
    return (_checked(said["default_toolchain"], settings), settings) if "default_toolchain" in said else ("", settings)


def _of_file(data: bytes, file: str) -> str:
    """Read a toolchain file: the older form is one bare name, the other is TOML. It only selects; a path is refused."""
    text = data.decode("utf-8", "replace").strip()
    if "[" not in text:
        return _checked(text, file)
    table = cast("dict[str, object]", _toml(data, file).get("toolchain", {}))
    if "path" in table:
        hint = "set RUSTUP_TOOLCHAIN, or link it: rustup toolchain link NAME PATH"
        raise ProfileError("a repository cannot name a directory to be shown", file=file, key="path", hint=hint)
    return _checked(table.get("channel", ""), file)


def _toml(data: bytes, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"is not TOML: {error}", file=file, hint="see rustup's own message: rustup show") from error


def _checked(word: object, who: str) -> str:
    if not isinstance(word, str) or not _NAME.match(word):
        raise ProfileError(f"{str(word)[:40]!r} is not a toolchain's name", file=who, hint="such as stable or 1.75.0")
    return word


def _match(word: str, names: list[str]) -> str:
    """Give the installed toolchain of this name: as it is, or for the machine's own host (`stable-x86_64-…`)."""
    if word in names:
        return word
    host = re.compile(rf"{re.escape(word)}-{re.escape(platform.machine())}-unknown-linux-(gnu|musl)$")
    return next((name for name in names if host.match(name)), "")


def _installed(workspace: str | None, inputs: Inputs) -> Toolchain:
    named = inputs.env("CARGO_HOME")
    root = named if named and named.startswith("/") else os.path.join(home(inputs), ".cargo")
    return own_tools(os.path.join(root, "bin"), inputs, workspace)
