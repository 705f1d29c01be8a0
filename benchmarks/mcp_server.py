"""A server for agents, in a home of its own, that a soak can look at and do harm to."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from aisbx.keys import Keyring

IDLE = 5
"""Seconds after which the server ends what a client left."""
_LIMITS = "[admission.{0}]\nrun = 1000000\nfiles = 1000000\nadmin = 1000000\nprotocol = 1000000\n"


class WrongError(Exception):
    """An answer that is not the one that it should be."""


class Server:
    """A server in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "tmp").mkdir(parents=True)
        (home / ".config/aisbx").mkdir(parents=True)
        (home / ".config/aisbx/config.toml").write_text(_LIMITS.format("rate") + _LIMITS.format("concurrent"))
        environ = {"HOME": str(home), "TMPDIR": f"{home}/tmp", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        self.keys = Keyring(home / ".local/state/aisbx")
        self.said = home / "stderr"
        argv = [sys.executable, "-I", "-m", "aisbx_mcp", "--transport", "http", "--port", "0", "--idle", f"{IDLE}s"]
        with self.said.open("wb") as file:
            environ["COLUMNS"] = "200"
            argv += ["--profile", "python-dev"]
            self.process = subprocess.Popen(argv, env=environ, cwd="/", stdin=subprocess.DEVNULL, stderr=file)
        until = time.monotonic() + 20
        while not (found := re.search(r"serving (\S+)", self.said.read_text())):
            if time.monotonic() > until or self.process.poll() is not None:
                raise WrongError(f"the server did not start: {self.said.read_text()}")
            time.sleep(0.05)
        self.url = found[1]

    def memory(self) -> int:
        """Give its resident memory, KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0])

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def sandboxes(self) -> list[str]:
        place = self.home / ".local/state/aisbx/sandboxes"
        return sorted(os.listdir(place)) if place.exists() else []

    def kill_one(self, chance: random.Random) -> None:
        """Kill the first process of some sandbox, as the kernel would that lacks memory."""
        from aisbx_linux.lasting.identity import recall, send_to

        names = self.sandboxes()
        held = (
            recall(str(self.home / ".local/state/aisbx/sandboxes" / chance.choice(names) / "home")) if names else None
        )
        if held:
            send_to(held["first"], signal.SIGKILL)
