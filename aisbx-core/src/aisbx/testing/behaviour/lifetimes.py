"""What happens while a command runs, and when it is over."""

import os
import signal
import time

import pytest

from aisbx.errors import UsageError
from aisbx.testing.behaviour.base import SECONDS, Base, sandbox_of, until
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, Level, Stdio


class Lifetimes(Base, contract=True):
    """Waiting, signals, terminals, closing."""

    def test_waiting_for_a_while_gives_none_until_the_command_has_ended(self, driver: Driver, scene: Scene) -> None:
        """And the same answer however often it is asked afterwards."""
        with self.running(driver, scene, "import time; time.sleep(0.5); print('done')") as process:
            assert process.wait(0.05) is None
            status = process.wait(SECONDS)
            assert status is not None
            assert status.stdout.data == b"done\n"
            assert process.wait(0) == status

    def test_a_signal_reaches_the_command_and_after_its_end_nothing_happens(self, driver: Driver, scene: Scene) -> None:
        """The command itself gets it, and may handle it."""
        ready = os.path.join(scene.workspace, "ready")
        os.chmod(scene.workspace, 0o777)
        program = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
open({ready!r}, "w").close()
time.sleep(20)
"""
        with self.running(driver, scene, program) as process:
            until(lambda: process.wait(0.02) is None and scene.inside(ready) is not None)
            process.signal(signal.SIGTERM)
            status = process.wait(SECONDS)
            assert status is not None
            assert status.code == 9
            process.signal(signal.SIGTERM)

    def test_a_command_without_a_terminal_has_no_size(self, driver: Driver, scene: Scene) -> None:
        """An error, not a silent nothing."""
        with self.running(driver, scene, "import time; time.sleep(0.2)") as process:
            with pytest.raises(UsageError):
                process.resize(24, 80)
            process.wait(SECONDS)

    def test_a_terminal_has_the_size_it_is_given(self, driver: Driver, scene: Scene) -> None:
        """All three streams are one terminal, and it can be resized while the command runs."""
        slave = scene.terminal()
        program = """
import os, sys, time
assert all(os.isatty(n) for n in (0, 1, 2))
print("started", flush=True)
for _ in range(200):
    if os.get_terminal_size() == (77, 33):
        print("resized", flush=True)
        break
    time.sleep(0.02)
"""
        shown = b""
        with self.running(driver, scene, program, Stdio(stdin=slave, stdout=slave, terminal=True)) as process:
            end = time.monotonic() + SECONDS
            resized = False
            while process.wait(0.05) is None and time.monotonic() < end:
                shown += scene.terminal_output()
                if b"started" in shown and not resized:
                    process.resize(33, 77)
                    resized = True
        shown += scene.terminal_output()
        assert b"resized" in shown

    def test_closing_ends_every_process_and_may_be_done_twice(self, driver: Driver, scene: Scene) -> None:
        """Nothing runs on in a sandbox that is closed, unless the driver says that it can't promise so."""
        if driver.check(scene.spec())["proc:no-survivors"].level is not Level.FULL:
            with sandbox_of(driver, scene) as sandbox:
                sandbox.close()
            return
        os.chmod(scene.workspace, 0o777)
        program = f"""
import time
while True:
    open({scene.heart!r}, "a").write(".")
    time.sleep(0.03)
"""
        with sandbox_of(driver, scene) as sandbox:
            process = sandbox.spawn(Command(argv=(self.python, "-I", "-S", "-c", program)), Stdio())
            until(lambda: process.wait(0.02) is None and scene.beating())
            sandbox.close()
            assert not scene.survivor()
            sandbox.close()
