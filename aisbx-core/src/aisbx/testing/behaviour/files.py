"""A sandbox's files from the host, of drivers that reach them: what is inside must lead none of it anywhere else."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aisbx.engine.inside import files_of
from aisbx.errors import StateError, UsageError
from aisbx.testing.behaviour.base import SECONDS, Base, standing, until
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, Files, Sandbox, Stdio

# Links to a host's file and to its directory, by each road that leads out of a root; and what hangs who opens it.
_TRAPS = """
import os, sys
secret = sys.argv[1]
os.makedirs("kit/tree")
os.chdir("kit")
for name, target in (
    ("absolute", secret), ("up", "../" * 40 + secret[1:]), ("magic", "/proc/self/root" + secret),
    ("first", "/proc/1/root" + secret), ("folder", os.path.dirname(secret)), ("tree/inner", secret),
    ("victim", os.path.dirname(secret) + "/victim"),
):
    os.symlink(target, name)
os.mkfifo("fifo")
"""
_READER = """
import os, sys
print("ready", flush=True)
open("reading", "w").close()
seen = set()
while not os.path.exists("stop"):
    data = open("whole", "rb").read()
    if len(data) != 300000 or len(set(data)) != 1:
        sys.exit("torn: %d bytes of %d kinds" % (len(data), len(set(data))))
    seen.add(data[:1])
print(len(seen))
"""


class InsideFiles(Base, contract=True):
    """`Sandbox.files`."""

    def test_no_link_inside_leads_the_hosts_work_on_files_out_of_the_sandbox(
        self, driver: Driver, scene: Scene
    ) -> None:
        """Neither to be read nor to be written; a driver that cannot reach files is refused where they are asked for."""
