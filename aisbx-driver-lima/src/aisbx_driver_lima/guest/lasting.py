"""Sandboxes of the guest that last: each has a directory under the id that the host gave it, and a copy it shows.

A copy is shared by the forks of the sandbox that it came with, and by its snapshots; it goes with the last of them.
"""

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aisbx.errors import StateError
from aisbx.types import LaunchRequest, LaunchResult, Sandbox, SandboxSpec
from aisbx_linux.lasting import command as joining
from aisbx_linux.lasting.identity import lives
from aisbx_linux.lasting.sandbox import LastingSandbox
from aisbx_linux.layer.remove import remove
from aisbx_linux.layer.stack import below
from aisbx_linux.protect.walk import MAX_DEPTH

from aisbx_driver_lima.guest import frames, resident
from aisbx_driver_lima.guest.commands import understood
from aisbx_driver_lima.guest.driver import GuestDriver, forget_outlet, outlet, placed
from aisbx_driver_lima.guest.frames import Channel
from aisbx_driver_lima.guest.once import agreed, give_layer, unpacked, unpickled
from aisbx_driver_lima.guest.serve import Wanted, serve
from aisbx_driver_lima.guest.staying import dismiss

_COPIES, _TARGETS, _HOME, _KEPT = "copies", "targets", "home", "kept"
_SANDBOXES, _SNAPSHOTS = "sandboxes", "snapshots"
PARTS = (_COPIES, _SANDBOXES, _SNAPSHOTS, _KEPT)
"""The directories of all of it, below the agent's own."""


class Lasting:
    """The sandboxes that last below the agent's directory, for one connection: what it has used is kept ready."""

    def __init__(self, place: str) -> None:
        """Look at nothing yet."""
        self._place = place
        self._found: dict[str, LastingSandbox] = {}
        self.used = ""
        """The id of the one whose commands had a helper, which waits."""
        self.kept = Path(place, _KEPT)

    def home(self, name: str) -> Path:
        """Give the home of a sandbox, or where it were."""
        return Path(self._place, _SANDBOXES, name, _HOME)

    def find(self, name: str) -> LastingSandbox:
        """Find one; StateError where it has ended."""
        found = self._found.get(name)
        if found is None or not lives(found.helpers.held):
            found = self._found[name] = LastingSandbox(self.home(name))
        return found

    def create(self, channel: Channel, question: dict[str, Any]) -> None:
        """Make one of what the host shows; what is half made is removed."""
        name = str(question["id"])
        (spec,) = unpickled(channel, (SandboxSpec,))
        copies = f"{self._place}/{_COPIES}/{name}"
        try:
            self._claim(name, name)
            os.mkdir(copies, 0o700)
            places = unpacked(channel, question["trees"], copies)
            Path(copies, _TARGETS).write_text(json.dumps(places))
            self._make(channel, name, spec, name, lambda driver, spec, home: self._made(driver, spec, home, question))
        except BaseException:
            self.remove(name)
            raise

    def fork(self, channel: Channel, question: dict[str, Any]) -> None:
        """Make one that begins with what another's layer, or a snapshot, holds."""
        name, origin = str(question["id"]), str(question["origin"])
        (spec,) = unpickled(channel, (SandboxSpec,))
        above = Path(self._place, _SNAPSHOTS if question["snapshot"] else _SANDBOXES, origin)
        copies = _read(above / _COPIES)
        source = above / (_KEPT if question["snapshot"] else _HOME)

        def fork(driver: GuestDriver, spec: SandboxSpec, home: Path) -> Sandbox:
            return driver.fork(spec, home, self.kept, float(question["ttl"]), source)

        try:
            self._claim(name, copies)
            self._make(channel, name, spec, copies, fork)
        except BaseException:
            self.remove(name)
            raise

    def _made(self, driver: GuestDriver, spec: SandboxSpec, home: Path, question: dict[str, Any]) -> Sandbox:
        return driver.create(spec, home, self.kept, float(question["ttl"]))

    def _claim(self, name: str, copies: str) -> None:
        """Have a home for one that shows a copy: from now on that is needed."""
        made = Path(self._place, f".{name}")
        (made / _HOME).mkdir(mode=0o700, parents=True)
        (made / _COPIES).write_text(copies)
        os.rename(made, self.home(name).parent)

    def _make(
        self,
        channel: Channel,
        name: str,
        spec: SandboxSpec,
        copies: str,
        begin: Callable[[GuestDriver, SandboxSpec, Path], Sandbox],
    ) -> None:
        home = self.home(name)
        places = json.loads(_read(Path(self._place, _COPIES, copies, _TARGETS)))
        driver = GuestDriver({"cache_dir": f"{self._place}/cache"}, places)
        spec = placed(spec, places, outlet(self._place, name))
        if not agreed(channel, driver, spec):
            self.remove(name)
            return
        begin(driver, spec, home)
        channel.send(frames.RESULT, b"null")

    def serves(self, question: dict[str, Any]) -> bool:
        """Tell whether a command is to be run here: it has a terminal, or its sandbox's helper is this process's."""
        return question.get("terminal") is True or self.used == question["id"]

    def execute(self, channel: Channel, question: dict[str, Any]) -> None:
        """Run a command in one, by a helper; on a terminal as `aisbx exec` does on a Linux host."""
        command = understood(question["command"])
        sandbox = self.find(str(question["id"]))
        plan, stdin = sandbox.plan(command), question.get("stdin") is True
        channel.send(frames.BEGUN)
        if question.get("terminal") is not True:
            self.used = str(question["id"])
            result = resident.run(channel, sandbox.helpers, command, plan["limits"], stdin=stdin)
            channel.send(frames.RESULT, json.dumps(result).encode())
            return

        def launch(request: LaunchRequest) -> LaunchResult:
            return joining.launch(plan, request)

        size, run = frames.size_in(question), os.urandom(6).hex()
        wanted = Wanted(launch, command, str(self.kept), run, terminal=True, stdin=stdin, size=size)
        channel.send(frames.RESULT, json.dumps(serve(channel, wanted)).encode())

    def layer(self, channel: Channel, name: str) -> None:
        """Send what the layer of one holds, of whatever layers it consists."""
        layer = f"{self.home(name)}/layer"
        if not os.path.isdir(f"{layer}/upper"):
            raise StateError("there is nothing of the sandbox in the machine", hint="aisbx destroy --discard")
        give_layer(channel, [f"{layer}/upper", *(f"{path}/upper" for path in below(layer))])

    def end(self, channel: Channel, name: str) -> None:
        """End one, tell what was found, and send its layer; what is left of it `remove` takes away."""
        home = self.home(name)
        findings = GuestDriver({"cache_dir": f"{self._place}/cache"}, {}).end(home) if home.exists() else []
        _open_up(f"{home}/layer/upper")
        layered = os.path.isdir(f"{home}/layer/upper")
        channel.send(frames.RESULT, json.dumps([findings, layered]).encode())
        if layered:
            self.layer(channel, name)

    def snapshot(self, name: str, tag: str) -> str:
        """Keep what the layer of one holds now under another id; gives by what mechanism."""
        copies, made = _read(self.home(name).parent / _COPIES), Path(self._place, f".{tag}")
        (made / _KEPT).mkdir(mode=0o700, parents=True)
        (made / _COPIES).write_text(copies)
        above = Path(self._place, _SNAPSHOTS, tag)
        os.rename(made, above)
        try:
            return self._driver().snapshot(self.home(name), self.kept, above / _KEPT)
        except BaseException:
            self.remove(tag)
            raise

    def restore(self, name: str, tag: str) -> None:
        """Have the layer of one hold what it did at a snapshot."""
        self._driver().restore(self.home(name), self.kept, Path(self._place, _SNAPSHOTS, tag, _KEPT))

    def remove(self, name: str) -> None:
        """Remove all of a sandbox, which is ended, or of a snapshot, and what only it needed."""
        home = self.home(name)
        if home.exists():
            self._driver().end(home)
        for part in (_SANDBOXES, _SNAPSHOTS):
            remove(f"{self._place}/{part}/{name}")
        forget_outlet(self._place, name)
        dismiss(self._place, name)
        self._driver().sweep(self.kept)
        used: set[str] = set()
        for part in (_SANDBOXES, _SNAPSHOTS):
            for entry in Path(self._place, part).iterdir():
                with suppress(StateError):  # somebody else removes it
                    used.add(_read(entry / _COPIES))
        for entry in Path(self._place, _COPIES).iterdir():
            if entry.name not in used:
                remove(str(entry))

    def _driver(self) -> GuestDriver:
        return GuestDriver({"cache_dir": f"{self._place}/cache"}, {})


def _open_up(place: str) -> None:
    """Give the owner all rights on the directories below, as deep as `upper.pack` goes."""
    for above, folders, _ in os.walk(place):
        if above.count("/") - place.count("/") > MAX_DEPTH:
            folders.clear()
        for name in folders:
            path = os.path.join(above, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
                os.chmod(path, mode | stat.S_IRWXU)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        raise StateError("the sandbox has ended", hint="see: aisbx ls") from None
