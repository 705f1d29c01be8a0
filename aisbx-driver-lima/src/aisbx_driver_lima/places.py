"""Sandboxes that last, from their making to their end: the host's home of each, and what the guest has of it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aisbx.errors import StateError
from aisbx.types import LAYERED, Enforcement, Layers, SandboxSpec
from aisbx_linux.layer.place import about, make
from aisbx_linux.layer.stack import copy_known

from aisbx_driver_lima.asking import Line, gone, put, value
from aisbx_driver_lima.guest.frames import Channel, ClosedError
from aisbx_driver_lima.kept import LAYER, Kept, recall
from aisbx_driver_lima.lasting import GuestSandbox
from aisbx_driver_lima.layers import GuestLayers, bring, ended, note_end
from aisbx_driver_lima.showing import agree, show, shown

if TYPE_CHECKING:
    from aisbx_driver_lima.machine import Machine


class Places:
    """The sandboxes that last in one machine."""

    def __init__(self, machine: "Machine", most: int) -> None:
        """`most` bounds what is copied for one sandbox, in bytes."""
        self._machine = machine
        self._most = most

    def create(self, spec: SandboxSpec, enforcement: Enforcement, home: Path, ttl: float) -> GuestSandbox:
        """Make one. What is left where this is cut short `end` takes away."""

        def show_it(channel: Channel, name: str) -> None:
            _lay(home, spec, None)  # before the copy: what the host changes from now on is a conflict
            question = {"op": "create", "id": name, "ttl": ttl}
            show(channel, question, spec, (shown(spec),), self._most)

        return self._make(spec, enforcement, home, show_it)

    def fork(self, spec: SandboxSpec, enforcement: Enforcement, home: Path, ttl: float, origin: Path) -> GuestSandbox:
        """Make one that begins with what `origin` holds: a snapshot, or the home of another sandbox."""
        begins = _recalled(origin)
        snapshot = begins.mode == _SNAPSHOT

        def show_it(channel: Channel, name: str) -> None:
            _lay(home, spec, origin)
            question: dict[str, object] = {"op": "fork", "id": name, "ttl": ttl}
            question |= {"origin": begins.name, "snapshot": snapshot}
            put(channel, question, shown(spec))
            agree(channel, spec)

        return self._make(spec, enforcement, home, show_it)

    def _make(
        self, spec: SandboxSpec, enforcement: Enforcement, home: Path, show_it: Callable[[Channel, str], None]
    ) -> GuestSandbox:
        channel = self._machine.connect()
        mode = spec.workspace.mode.value if spec.workspace is not None else ""
        kept = Kept(self._machine.lasting.add(str(home)), mode, enforcement.states)
        kept.write(home)
        try:
            show_it(channel, kept.name)
            value(channel)
            self._machine.outlet(spec, kept.name, home)
            (home / _MADE).touch(0o600)
        except ClosedError as error:
            raise gone(error) from error
        finally:
            channel.close()
        return GuestSandbox(home, kept, self._machine, self.end)

    def attach(self, home: Path) -> GuestSandbox:
        """Find one; StateError where it has ended."""
        kept = _recalled(home)
        if ended(home):
            raise StateError("the sandbox has ended", hint="see: aisbx ls")
        sandbox = GuestSandbox(home, kept, self._machine, self.end)
        sandbox.ask("look")
        return sandbox

    def end(self, home: Path, *, wanted: bool = True) -> list[str]:
        """End one, and bring its layer where it is `wanted`; gives the findings.

        LaunchError where the guest does not answer, StateError where the layer cannot be brought: it stays there.
        """
        kept = recall(home)
        if kept is None or ended(home):
            return []
        layered = kept.mode in LAYERED and (home / _MADE).exists()
        question: dict[str, object] = {"op": "end", "id": kept.name}
        line = Line(self._machine)
        findings: list[str] = []
        there = False
        channel = None
        with suppress(StateError):  # the machine has ended
            channel = line.begin(question)
        if channel is not None:
            try:
                rows, there = value(channel)
                findings = [str(row) for row in rows]
                if there and wanted:
                    bring(home / LAYER, channel, self._most)
            except (ClosedError, ValueError, TypeError) as error:
                raise gone(error) from error
            finally:
                channel.close()
            line.ask({"op": "remove", "arguments": [kept.name]})
            line.close()
        lost = layered and not there
        note_end(home, lost=lost or (layered and not wanted))
        self._machine.lasting.drop(kept.name)
        return [*findings, *(["what the sandbox wrote is lost: its machine had ended before"] if lost else [])]

    def layers(self, home: Path) -> Layers | None:
        """Give the layer of one; None where there is none."""
        kept, place = recall(home), home / LAYER
        if kept is None or about(str(place)) is None:
            return None
        fetch = None if ended(home) else lambda: Line(self._machine).begin({"op": "layer", "id": kept.name})
        return GuestLayers(place, home, fetch, self._most)

    def snapshot(self, home: Path, place: Path) -> str:
        """Keep what one holds now; the guest has it, `place` its id."""
        kept = _recalled(home)
        taken = Kept(self._machine.lasting.add(str(place)), _SNAPSHOT, ())
        taken.write(place)
        copy_known(str(home / LAYER), str(place))
        return str(self._ask("snapshot", kept.name, taken.name))

    def restore(self, home: Path, place: Path) -> None:
        """Have one hold what it did at a snapshot."""
        self._ask("restore", _recalled(home).name, _recalled(place).name)

    def sweep(self) -> None:
        """Remove from the guest what the host has no more."""
        for name in self._machine.lasting.gone():
            with suppress(StateError):  # the machine has ended, and all in it
                self._ask("remove", name)
            self._machine.lasting.drop(name)

    def _ask(self, op: str, *arguments: str) -> object:
        return Line(self._machine).ask({"op": op, "arguments": arguments})


_MADE = "made"
"""In a home, once the guest has the sandbox."""
_SNAPSHOT = "snapshot"
"""The mode of what is a snapshot, and no sandbox."""


def _lay(home: Path, spec: SandboxSpec, origin: Path | None) -> None:
    """Make the host's layer, empty; StateError. What is known of it is as of `origin`, where there is one."""
    workspace, place = spec.workspace, str(home / LAYER)
    if workspace is None or workspace.mode not in LAYERED:
        return
    try:
        os.close(make(place, workspace.path, workspace.mode.value, None, volatile=False))
        if origin is not None:
            source = origin / LAYER if (origin / LAYER).exists() else origin
            os.unlink(f"{place}/about")
            copy_known(str(source), place)
    except OSError as error:
        raise StateError(f"{place} cannot be made: {error.strerror}", hint="see its disk and mode") from error


def _recalled(home: Path) -> Kept:
    kept = recall(home)
    if kept is None:
        raise StateError("there is no such sandbox in the machine", hint="see: aisbx ls")
    return kept
