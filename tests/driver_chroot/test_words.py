"""What a tool is told about a command is words of it, whatever they hold: none becomes an option of the tool."""

from pathlib import Path

import pytest
from aisbx.errors import LaunchError
from aisbx.plugins import Plugins
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, Stdio

SMUGGLED = ("x", "--bind", "/etc", "/tmp")
LIST = ("/bin/ls", "/tmp")
COMMANDS = {
    "value": Command(argv=LIST, environment={"A": "\0".join(SMUGGLED)}),
    "name": Command(argv=LIST, environment={"\0".join(("A", *SMUGGLED)): ""}),
    "directory": Command(argv=LIST, cwd="\0".join(("/", *SMUGGLED[1:]))),
    "command": Command(argv=("\0".join(LIST),)),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


@pytest.mark.parametrize("name", ["bwrap", "chroot"])
def test_a_null_byte_ends_no_word(name: str, chroot: Driver, home: Path) -> None:
    driver = chroot if name == "chroot" else Plugins().get("driver", name, {"cache_dir": str(home)})
    with Scene() as scene:
        sandbox = driver.open(scene.spec(), home)
        for command in COMMANDS.values():
            with pytest.raises(LaunchError, match="embedded null byte"):
                sandbox.spawn(command, Stdio()).wait(30)


def test_a_word_that_is_an_option_of_the_tool_is_the_commands(chroot: Driver, home: Path) -> None:
    words = ("--ro-bind", "--", "{file:1}", "", "\udcff")
    with Scene() as scene:
        sandbox = chroot.open(scene.spec(), home)
        argv = ("/bin/sh", "-c", 'printf "<%s>" "$@" "$A"', "sh", *words)
        status = sandbox.spawn(Command(argv=argv, environment={"A": words[0]}), Stdio()).wait(30)
    assert status is not None
    assert status.stdout.data == "".join(f"<{word}>" for word in (*words, words[0])).encode(errors="surrogateescape")
