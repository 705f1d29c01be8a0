"""Bring into the guest what a sandbox is to show, and hear what the guest will hold of its spec."""

import tarfile
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aisbx.errors import LaunchError
from aisbx.types import Proxy, SandboxSpec

from aisbx_driver_lima.asking import gone, put, refused
from aisbx_driver_lima.enforce import weaker
from aisbx_driver_lima.guest import frames, trees
from aisbx_driver_lima.guest.frames import Channel, ClosedError, TreeWriter
from aisbx_driver_lima.told import parse

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(
    channel: Channel, question: Mapping[str, object], spec: SandboxSpec, pickled: "Sequence[object]", most: int
) -> list[str]:
    """Ask for a sandbox, copy in what it shows, and say that it may begin; gives a line for what was not copied.

    LaunchError for a guest that would hold less of the spec than was promised: then nothing begins. `most` bounds each
    copy, in bytes.
    """
    sources = {mount.target: mount.source for mount in spec.mounts}
    if spec.workspace is not None:
        sources[spec.workspace.path] = spec.workspace.path
    left: list[str] = []
    try:
        put(channel, {**question, "trees": list(sources)}, *pickled)
        for source in sources.values():
            left += _copied(channel, source, most)
        agree(channel, spec)
    except ClosedError as error:
        raise gone(error) from error
    return left


def shown(spec: SandboxSpec) -> SandboxSpec:
    """Give what the guest gets of a spec: how an allow-list is held here, by what and for whom, is not its business."""
    if spec.network.proxy is None:
        return spec
    return replace(spec, network=replace(spec.network, proxy=Proxy((), "")))


def agree(channel: Channel, spec: SandboxSpec) -> None:
    """Have the guest begin if it holds what was promised; LaunchError, ClosedError."""
    if lacking := weaker(spec, _answered(*channel.receive())):
        hint = "build its image anew: aisbx-driver-lima image build"
        raise LaunchError(f"the guest does not hold {', '.join(lacking)}", hint=hint)
    channel.send(frames.GO)


def _copied(channel: Channel, source: str, most: int) -> list[str]:
    sink = _Bounded(TreeWriter(channel), most)
    try:
        if trees.size(source) > most:  # before gigabytes go to a guest that is slow to take them
            raise ValueError(f"it is larger than {most >> 20} MiB")  # noqa: TRY301 - it may also grow, as below
        left = trees.pack(source, sink)
    except ValueError as error:
        hint = "set copy in [drivers.lima] to more MiB, or show less"
        raise LaunchError(f"{source} is not copied into the guest: {error}", hint=hint) from error
    except (OSError, tarfile.TarError, RecursionError) as error:
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


def _answered(kind: bytes, data: bytes) -> Mapping[str, object]:
    """Give the guest's promise, or raise what it failed with."""
    if kind == frames.FAILED:
        raise refused(data)
    try:
        found = parse(data) if kind == frames.PROMISE else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ClosedError("it sent no promise")
    return found  # pyright: ignore[reportUnknownVariableType]
