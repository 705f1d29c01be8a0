"""A command by a driver that has no plan for a launcher: what is sent to `aisbx` is meant for the command."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, time
from aisbx.engine.relaying import wait
from aisbx.types import ExitStatus

class Command:
    heard = 0
    def signal(self, number):
        self.heard = number
    def wait(self, timeout=None):
        print("ready", flush=True)
        while not self.heard:
            time.sleep(0.01)
        return ExitStatus(code=100 + self.heard)

signal.signal(signal.SIGHUP, signal.SIG_IGN)
code = wait(Command(), exclusive=sys.argv[1] == "alone").code
sys.exit(code if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else "the handler is still there")
"""


@pytest.mark.parametrize(
    ("whose", "code"), [("alone", 100 + signal.SIGTERM), ("of several", -signal.SIGTERM)], ids=["alone", "of-several"]
)
def test_a_signal_is_the_commands_where_the_process_is_there_for_it_alone_and_an_ignored_one_stays_so(
    whose: str, code: int
) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, whose], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == code
