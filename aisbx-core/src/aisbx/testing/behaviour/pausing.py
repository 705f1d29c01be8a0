"""Pause and resume, of drivers that have it."""

import os
import time

import pytest

from aisbx.engine.inside import freezer_of
from aisbx.errors import AisbxError, UsageError
from aisbx.testing.behaviour.base import SECONDS, Base, standing, until
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, Stdio

# What beats is in a session of its own, deaf to polite signals, and its parent has ended.
_BEAT = """
import os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
    signal.signal(number, signal.SIG_IGN)
null = os.open("/dev/null", os.O_RDWR)
for stream in (0, 1, 2):
    os.dup2(null, stream)
while True:
    open(sys.argv[1], "a").write(".")
    time.sleep(0.02)
"""


class Pausing(Base, contract=True):
    """`Sandbox.freezer`."""

    def test_what_is_paused_stands_still_takes_no_command_and_goes_on(self, driver: Driver, scene: Scene) -> None:
        """Every process of it, whatever that ignores; a driver that cannot is refused where it is asked for."""
        os.chmod(scene.workspace, 0o777)
        with standing(driver, scene) as sandbox:
            freezer = sandbox.freezer
            if freezer is None:
                with pytest.raises(UsageError, match="cannot pause"):
                    freezer_of(sandbox, driver.name)
                return
            self.said(sandbox, _BEAT, scene.heart)
            until(scene.beating)
            assert freezer.mechanism
            assert not freezer.paused
            freezer.pause()
            before = scene.beats()
            time.sleep(0.2)
            assert scene.beats() == before, "what was paused goes on"
            assert freezer.paused
            with pytest.raises(UsageError):
                freezer.pause()
            with pytest.raises(AisbxError):
                sandbox.spawn(Command(argv=("/bin/true",)), Stdio()).wait(SECONDS)
            freezer.resume()
            assert not freezer.paused
            until(lambda: scene.beats() > before)
            with pytest.raises(UsageError):
                freezer.resume()
            self.said(sandbox, "pass")
            freezer.pause()
        # That it is paused keeps nobody from ending it.
        assert not scene.survivor()
