"""The agent in the guest as the host has it: started over ssh, and reached by a socket that ssh forwards."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from aisbx.errors import AisbxError

from aisbx_driver_lima.asking import put, value
from aisbx_driver_lima.bundle import bundle
from aisbx_driver_lima.configuration import INSTANCE
from aisbx_driver_lima.errors import unavailable
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.limactl import Instance
from aisbx_driver_lima.template import USER

_OWN = f"/home/{USER}/.aisbx"
# What sandboxes that last have there stays.
_START = (
    "umask 077; rm -rf {own}/code; mkdir -p {own}/code && tar -x -C {own}/code && "
    "exec setsid -f /usr/bin/python3 -I -S -c '"
    'import sys; sys.path.insert(0, "{own}/code"); '
    'sys.argv[0] = "aisbx"; import runpy; runpy.run_module("aisbx_driver_lima.guest.agent", run_name="__main__")'
    "' {own} {socket} </dev/null >{own}/log 2>&1"
)
_PAUSE = 0.05
_ANSWER = 20.0


class Agent:
    """What listens in the guest, and the forwarded socket in `home`, Lima's directory."""

    def __init__(self, home: str) -> None:
        """Look at nothing yet."""
        self._home = home
        self.socket = os.path.join(home, "agent.sock")

    def dial(self) -> Channel:
        """Connect; OSError where nothing forwards. That somebody answers is not said yet."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self.socket)
        except OSError:
            connection.close()
            raise
        return Channel(connection)

    def greet(self) -> Channel | None:
        """Connect to an agent that answers; None where there is none."""
        channel = None
        try:
            channel = put(self.dial(), {"op": "hello"})
            value(channel, _ANSWER)
        except (OSError, ClosedError, AisbxError):
            if channel is not None:
                channel.close()
            return None
        return channel

    def await_one(self, seconds: float) -> Channel:
        """Connect to one that is being started; DriverUnavailableError after so many seconds."""
        end = time.monotonic() + seconds
        while (channel := self.greet()) is None:
            if time.monotonic() > end:
                raise unavailable("the agent in the guest does not answer", "aisbx-driver-lima stop, and try again")
            time.sleep(_PAUSE)
        return channel

    def start(self, found: Instance, environment: Mapping[str, str]) -> None:
        """Bring the code in, start the agent, and have ssh forward a socket of ours to it."""
        digest, code = bundle()
        remote = f"/run/user-{USER}/agent-{digest}.sock"
        ssh = ["ssh", "-F", found.ssh_config, f"lima-{INSTANCE}"]
        self._ssh([*ssh, _START.format(own=_OWN, socket=remote)], code, environment)
        control = os.path.join(self._home, "forward.sock")
        if os.path.exists(control):  # what forwards to an agent that was there before
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                words = [*ssh[:-1], "-o", f"ControlPath={control}", "-O", "exit", ssh[-1]]
                subprocess.run(words, capture_output=True, check=False, timeout=_ANSWER, env=environment, cwd="/")
        for path in (self.socket, control):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        forward = ["-o", f"ControlPath={control}", "-o", "ControlMaster=yes", "-o", "ControlPersist=no"]
        forward += ["-o", "ServerAliveInterval=15", "-o", "StreamLocalBindMask=0177", "-o", "ExitOnForwardFailure=yes"]
        self._ssh([*ssh[:-1], *forward, "-f", "-N", "-L", f"{self.socket}:{remote}", ssh[-1]], b"", environment)

    def forget(self) -> None:
        """Remove the socket: nobody answers there any more."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def known(self) -> str:
        """Give what the agent was started with; empty where there was none."""
        try:
            return Path(self._home, "digest").read_text()
        except OSError:
            return ""

    def note(self, wanted: str) -> None:
        """Keep what it was started with."""
        Path(self._home, "digest").write_text(wanted)

    def _ssh(self, words: list[str], given: bytes, environment: Mapping[str, str]) -> None:
        log = os.path.join(self._home, "ssh.log")
        with open(log, "wb") as told:
            try:
                done = subprocess.run(
                    words, input=given, stdout=told, stderr=told, check=False, timeout=60, env=environment, cwd="/"
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise unavailable(f"ssh to the guest: {error}", f"see {log}") from error
        if done.returncode:
            raise unavailable(f"ssh to the guest ended with {done.returncode}", f"see {log}")
