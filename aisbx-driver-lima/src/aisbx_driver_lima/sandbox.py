"""`Sandbox` of the Lima driver: each command gets a connection, a copy of the workspace, and walls of its own."""

import contextlib
import json
import os
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.errors import LaunchError, StateError, UsageError
from aisbx.types import LAYERED, Command, Enforcement, Files, Freezer, Layers, SandboxSpec, Stdio, failed
from aisbx_linux.layer.end import RunLayer
from aisbx_linux.layer.place import drop, make

from aisbx_driver_lima.enforce import weaker
from aisbx_driver_lima.guest import frames, trees
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader, TreeWriter
from aisbx_driver_lima.process import LimaProcess

if TYPE_CHECKING:
    from aisbx_driver_lima.machine import Machine

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

    def spawn(self, command: Command, stdio: Stdio) -> LimaProcess:
        """Copy in what the spec shows, and start a command; what kept it from running may also come from `wait`."""
        for name in command.limits:
            if name not in _OWN_LIMITS:
                raise UsageError(f"{name} cannot be set for one command here", hint="set it for the sandbox")
        channel = self._machine.connect()
        back = _Back(self._spec, self._home, self._most)
        try:
            left = self._send(channel, command, stdio)
            process = LimaProcess(channel, stdio, lambda: [*left, *back.settle(channel)])
        except BaseException:
            channel.close()
            back.drop()
            raise
        self._running.append(process)
        return process

    def close(self) -> None:
        """End every command that still runs."""
        for process in self._running:
            process.end()
        self._running.clear()

    def _send(self, channel: Channel, command: Command, stdio: Stdio) -> list[str]:
        sources = {mount.target: mount.source for mount in self._spec.mounts}
        if self._spec.workspace is not None:
            sources[self._spec.workspace.path] = self._spec.workspace.path
        question = {
            "op": "run",
            "trees": list(sources),
            "terminal": stdio.terminal,
            "stdin": stdio.stdin is not None,
        }
        left: list[str] = []
        try:
            channel.send(frames.QUESTION, json.dumps(question).encode())
            channel.send(frames.DATA, pickle.dumps((self._spec, command)))
            for source in sources.values():
                left += self._copied(channel, source)
            observed = _answered(*channel.receive())
            if lacking := weaker(self._spec, observed):
                raise LaunchError(
                    f"the guest does not hold {', '.join(lacking)}",
                    hint="build its image anew: aisbx-driver-lima image build",
                )
            channel.send(frames.GO)
        except ClosedError as error:
            raise LaunchError(f"the guest has gone: {error}", hint="try again") from error
        return left

    def _copied(self, channel: Channel, source: str) -> list[str]:
        sink = _Bounded(TreeWriter(channel), self._most)
        try:
            if trees.size(source) > self._most:  # before gigabytes go to a guest that is slow to take them
                raise ValueError(f"it is larger than {self._most >> 20} MiB")  # noqa: TRY301 - it may also grow, as below
            left = trees.pack(source, sink)
        except ValueError as error:
            hint = "set copy in [drivers.lima] to more MiB, or show less"
            raise LaunchError(f"{source} is not copied into the guest: {error}", hint=hint) from error
        except (OSError, tarfile.TarError) as error:
            raise LaunchError(f"{source} cannot be copied into the guest: {error}", hint="try again") from error
        sink.writer.end()
        return left


class _Bounded:
    """A sink that takes so many bytes."""

    def __init__(self, writer: TreeWriter, most: int) -> None:
        self.writer = writer
        self._left = most
        self._most = most

    def write(self, data: bytes) -> int:
        """Take bytes; ValueError beyond the bound."""
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it is larger than {self._most >> 20} MiB")
        return self.writer.write(data)


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
        """Take what was written in the guest, and do with it what the workspace's mode says; gives the findings."""
        if self._layer is None:
            return []
        upper = os.open(f"{self._place}/upper", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            reader = TreeReader(channel, self._most)
            trees.unpack(reader, upper, layer=True)
            reader.drain()
        except (ClosedError, ValueError, OSError, tarfile.TarError) as error:
            self.drop()
            return [f"what was written is lost: it could not be brought back from the guest: {error}"]
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


def _answered(kind: bytes, data: bytes) -> Mapping[str, object]:
    """Give the guest's promise, or raise what it failed with."""
    if kind == frames.FAILED:
        code, message, hint = (str(word) for word in json.loads(data))
        raise failed((code if code in {"launch", "state"} else "launch", message, hint))
    found = json.loads(data) if kind == frames.PROMISE else None
    if not isinstance(found, dict):
        raise ClosedError("it sent no promise")
    return found  # pyright: ignore[reportUnknownVariableType]
