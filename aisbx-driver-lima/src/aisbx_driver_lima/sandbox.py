"""`Sandbox` of the Lima driver: each command gets a connection, a copy of the workspace, and walls of its own."""

import contextlib
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.errors import AbortedError, StateError, UsageError
from aisbx.types import LAYERED, Command, Enforcement, Files, Freezer, Layers, SandboxSpec, Stdio
from aisbx_linux.layer.end import RunLayer
from aisbx_linux.layer.place import drop, make

from aisbx_driver_lima.guest import trees
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader
from aisbx_driver_lima.process import LimaProcess
from aisbx_driver_lima.showing import show, shown
from aisbx_driver_lima.terminal import begins

if TYPE_CHECKING:
    from aisbx_driver_lima.machine import Machine
    from aisbx_driver_lima.outlet import Running

_OWN_LIMITS = ("wall_time", "output")


class LimaSandbox:
    """Nothing runs until `spawn`; nothing is left in the guest when its command has ended."""

    handle = ""
    files: Files | None = None
    layers: Layers | None = None
    freezer: Freezer | None = None

    def __init__(self, spec: SandboxSpec, enforcement: Enforcement, home: Path, machine: "Machine", most: int) -> None:
        """Layers are made in `home`, a private directory; `most` bounds what is copied for a command, in bytes."""
        self.enforcement = enforcement
        self._spec = spec
        self._home = home
        self._machine = machine
        self._most = most
        self._running: list[LimaProcess] = []
        self._outlets: list[Running] = []

    def spawn(self, command: Command, stdio: Stdio) -> LimaProcess:
        """Copy in what the spec shows, and start a command; what kept it from running may also come from `wait`."""
        for name in command.limits:
            if name not in _OWN_LIMITS:
                raise UsageError(f"{name} cannot be set for one command here", hint="set it for the sandbox")
        channel = self._machine.connect()
        back = _Back(self._spec, self._home, self._most)
        try:
            name = os.urandom(8).hex()
            streams = {"terminal": stdio.terminal, "stdin": stdio.stdin is not None, "size": begins(stdio)}
            streams |= {"op": "run", "id": name}
            left = show(channel, streams, self._spec, (shown(self._spec), replace(command, stdin=None)), self._most)
            if (outlet := self._machine.outlet(self._spec, name)) is not None:
                self._outlets.append(outlet)
            process = LimaProcess(channel, stdio, lambda: [*left, *back.settle(channel)], Channel.close)
        except BaseException:
            channel.close()
            back.drop()
            raise
        self._running.append(process)
        return process

    def close(self) -> None:
        """End every command that still runs, and the way out of each; may be called twice."""
        for process in self._running:
            process.end()
        self._running.clear()
        for outlet in self._outlets:
            outlet.end()
        self._outlets.clear()


class _Back:
    """The layer of one command: made before the workspace is copied; what the host changes after that is a conflict."""

    def __init__(self, spec: SandboxSpec, home: Path, most: int) -> None:
        self._place = ""
        self._opened = -1
        self._layer: RunLayer | None = None
        self._most = most
        if spec.workspace is not None and spec.workspace.mode in LAYERED:
            self._place = f"{home}/layers/{os.urandom(6).hex()}"
            try:
                opened = make(self._place, spec.workspace.path, spec.workspace.mode.value, None, volatile=False)
            except OSError as error:
                raise StateError(
                    f"{self._place} cannot be made: {error.strerror}", hint="see its disk and mode"
                ) from error
            self._opened = opened
            self._layer = RunLayer(self._place, opened)

    def settle(self, channel: Channel) -> list[str]:
        """Take what was written in the guest, and do with it what the workspace's mode says; gives the findings.

        AbortedError where it cannot be taken, and is lost.
        """
        if self._layer is None:
            return []
        upper = os.open(f"{self._place}/upper", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            reader = TreeReader(channel, self._most)
            trees.unpack(reader, upper, layer=True)
            reader.drain()
        except (ClosedError, ValueError, OSError, tarfile.TarError) as error:
            self.drop()
            what = f"what was written is lost: it could not be brought back from the guest: {error}"
            raise AbortedError(what, hint="see copy in [drivers.lima] and the disk's room, and run it again") from error
        finally:
            os.close(upper)
        return self._layer.settle()

    def drop(self) -> None:
        """Remove the layer of a command that did not run, or whose changes are lost."""
        if self._layer is not None:
            self._layer = None
            os.close(self._opened)
            with contextlib.suppress(OSError):
                drop(self._place)
