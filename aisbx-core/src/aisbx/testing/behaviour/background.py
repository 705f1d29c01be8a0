"""Commands in the background, of drivers that have them."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from aisbx.background.caller import Caller
from aisbx.background.door import END, INPUT
from aisbx.background.output import Reader
from aisbx.engine.background import Background, background_of
from aisbx.engine.engine import Engine
from aisbx.errors import UsageError
from aisbx.plan.run import new_run
from aisbx.store import Record
from aisbx.testing.behaviour.base import SECONDS, Base, sandbox_of, until
from aisbx.testing.children import in_child
from aisbx.testing.scene import Scene
from aisbx.types import BackgroundSandbox, Command, Driver, LastingDriver, Sandbox

# One that came of it is in a process group of its own.
_PROGRAM = """
import os, sys, time
if os.fork() == 0:
    os.setpgid(0, 0)
    while True:
        open(sys.argv[1], "a").write(".")
        time.sleep(0.02)
for line in sys.stdin:
    print("heard", line, end="", flush=True)
print("the end", flush=True)
time.sleep(60)
"""


class Backgrounds(Base, contract=True):
    """`BackgroundSandbox.background`, served as `aisbx exec --detach` has it served."""

    def test_a_command_in_the_background_outlives_its_client_hears_others_and_ends_whole(
        self, driver: Driver, scene: Scene
    ) -> None:
        """Found by its id, attached to again, and a signal reaches all that came of it.

        A driver that has none is refused where one is asked for.
        """
        os.chmod(scene.workspace, 0o777)
        if not isinstance(driver, LastingDriver):
            with sandbox_of(driver, scene) as sandbox, pytest.raises(UsageError, match="background"):
                background_of(sandbox, driver.name)
            return
        place = Path(tempfile.mkdtemp(prefix="box-", dir=scene.state))
        home = place / "home"
        home.mkdir(mode=0o700)
        try:
            sandbox = driver.create(scene.spec(), home, Path(scene.state), 0.0)
            if not isinstance(sandbox, BackgroundSandbox):
                with pytest.raises(UsageError, match="background"):
                    background_of(sandbox, driver.name)
                return
            self._serves(driver, scene, sandbox, place)
        finally:
            driver.end(home)

    def _serves(self, driver: Driver, scene: Scene, sandbox: Sandbox, place: Path) -> None:
        engine = Engine({"HOME": scene.state, "PATH": os.defpath}, scene.workspace)
        commands, run = Background(engine, place), new_run()
        row = Record(
            name=place.name,
            created=0.0,
            until=0.0,
            principal="kit",
            driver=driver.name,
            profile="contract",
            workspace=scene.workspace,
            mode="rw",
            network="none",
            static='"kit":true',
        )
        command = Command(argv=(self.python, "-I", "-S", "-c", _PROGRAM, scene.heart))
        who = (run, "kit", "kit")
        # Its client is a process of its own that has ended when this returns.
        in_child(lambda: commands.start(row, sandbox, command, who, terminal=False, stdin=True), SECONDS)
        found = commands.find(run[:6])
        assert (found.id, found.lives) == (run, True)
        for word in (b"one", b"two"):
            caller = Caller(found.place)
            assert caller.ask(INPUT, word + b"\n")
            caller.close()
        until(lambda: _printed(found.place) == b"heard one\nheard two\n")
        caller = Caller(found.place)
        caller.ask(END)
        caller.close()
        until(lambda: _printed(found.place).endswith(b"the end\n"))
        until(scene.beating)
        commands.signal(found, signal.SIGKILL)
        until(lambda: not commands.find(run).lives)
        assert not scene.survivor()
        ended = commands.find(run)
        assert (ended.state, ended.row["signal"]) == ("ended", signal.SIGKILL)


def _printed(place: str) -> bytes:
    reader, data = Reader(place), b""
    while (part := reader.read()) is not None:
        data += part.data
    return data
