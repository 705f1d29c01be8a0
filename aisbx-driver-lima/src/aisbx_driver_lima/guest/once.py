"""A command in a sandbox of its own: its copies, its launch, and what it wrote, all gone with its connection."""

import json
import os
import pickle
from typing import Any

from aisbx.types import LAYERED, Command, LaunchRequest, LaunchResult, SandboxSpec
from aisbx_linux.bounds import narrowed
from aisbx_linux.launch import launch
from aisbx_linux.sandbox import own_limits

from aisbx_driver_lima.guest import frames, trees, upper
from aisbx_driver_lima.guest.driver import GuestDriver, outlet, placed
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeReader, TreeWriter
from aisbx_driver_lima.guest.serve import Wanted, serve

_MOST = 64 << 30  # the guest's disk is the bound
RUN = "0" * 12
"""The name of the run to the launcher: each has a state directory of its own."""


def run(channel: Channel, question: dict[str, Any], place: str, work: str) -> None:
    """Run it to its end; ClosedError where the host goes, and it ends."""
    spec, command = unpickled(channel, (SandboxSpec, Command))
    places = unpacked(channel, question["trees"], work)
    driver = GuestDriver({"cache_dir": f"{place}/cache"}, places)
    spec = placed(spec, places, outlet(place, str(question["id"])))
    plan = driver.plan(spec)
    if not agreed(channel, driver, spec):
        return
    state = f"{work}/state"
    os.mkdir(state, 0o700)

    def launched(request: LaunchRequest) -> LaunchResult:
        return launch(narrowed(plan, own_limits(command)), request)

    terminal, stdin = question.get("terminal") is True, question.get("stdin") is True
    wanted = Wanted(launched, command, state, RUN, terminal=terminal, stdin=stdin, size=frames.size_in(question))
    result = serve(channel, wanted)
    layered = spec.workspace is not None and spec.workspace.mode in LAYERED
    if layered:
        result["findings"] = []  # of the layer here; the host speaks of its own
    channel.send(frames.RESULT, json.dumps(result).encode())
    if layered:
        give_layer(channel, [f"{state}/layers/{RUN}/upper"])


def agreed(channel: Channel, driver: GuestDriver, spec: SandboxSpec) -> bool:
    """Tell the host what will be enforced, and hear whether that is enough."""
    channel.send(frames.PROMISE, json.dumps(driver.check(spec).as_record()).encode())
    return channel.receive()[0] == frames.GO


def give_layer(channel: Channel, uppers: list[str]) -> None:
    """Send what the directories of a layer, the uppermost first, hold together; those that are there.

    Of none that is an archive with nothing in it: who gets no archive was told of none, and something went wrong.
    """
    writer = TreeWriter(channel)
    upper.pack([path for path in uppers if os.path.isdir(path)], writer)
    writer.end()


def unpickled(channel: Channel, kinds: tuple[type, ...]) -> Any:  # noqa: ANN401 - what was asked for
    """Read what the host has pickled: a tuple of these types; ClosedError for anything else."""
    kind, data = channel.receive()
    if kind != frames.DATA:
        raise ClosedError("nothing of what was to come")
    found = pickle.loads(data)  # noqa: S301 - from the host, which started this and owns the guest
    if len(found) != len(kinds) or not all(map(isinstance, found, kinds)):
        raise ClosedError("it is something else")
    return found


def unpacked(channel: Channel, targets: list[str], above: str) -> dict[str, str]:
    """Make the trees that the host sends in a directory, and give target → copy."""
    places: dict[str, str] = {}
    for number, target in enumerate(targets):
        place = f"{above}/tree{number}"
        os.mkdir(place, 0o700)
        root = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            reader = TreeReader(channel, _MOST)
            single = trees.unpack(reader, root)
            reader.drain()
        finally:
            os.close(root)
        places[target] = f"{place}/{trees.SINGLE}" if single else place
    return places
