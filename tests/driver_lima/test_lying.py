"""A guest that was taken over says what it likes: the host makes an error of it, and nothing else."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aisbx.errors import AisbxError, LaunchError, StateError
from aisbx.types import Proxy
from aisbx_driver_lima.asking import Line
from aisbx_driver_lima.files import GuestFiles
from aisbx_driver_lima.guest import frames
from aisbx_driver_lima.guest.frames import Channel
from aisbx_driver_lima.kept import Kept, recall
from aisbx_driver_lima.lasting import GuestFreezer
from aisbx_driver_lima.layers import bring
from aisbx_driver_lima.lodgers import Lodgers
from aisbx_driver_lima.showing import shown

from tests.driver_lima.test_refusals import RO

if TYPE_CHECKING:
    from aisbx_driver_lima.machine import Machine

Says = list[tuple[bytes, bytes]]


def channels(says: Says) -> Channel:
    """A connection whose other end has said all it will say."""
    ours, theirs = socket.socketpair()
    guest = Channel(theirs)
    for kind, data in says:
        guest.send(kind, data)
    theirs.shutdown(socket.SHUT_WR)
    _OPEN.append(theirs)
    return Channel(ours)


_OPEN: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def files(says: Says) -> GuestFiles:
    def reach(*, anew: bool = False) -> Channel:
        del anew
        return channels(says)

    machine = SimpleNamespace(reach=reach)
    line = Line(cast("Machine", machine))

    def ask(what: str, *arguments: object) -> Any:
        return line.ask({"op": "ask", "what": what, "arguments": arguments})

    return GuestFiles(line, "0" * 16, ask)


def result(value: object) -> tuple[bytes, bytes]:
    return frames.RESULT, json.dumps(value).encode()


def stat(files: GuestFiles) -> object:
    return files.stat("/x")


def rows(files: GuestFiles) -> object:
    return files.list("/x")


def read(files: GuestFiles) -> object:
    return files.read("/x", 4)


@pytest.mark.parametrize(
    ("says", "call"),
    [
        ([], stat),
        ([(frames.RESULT, b"{")], stat),
        ([(frames.DATA, b"")], stat),
        ([result(["name", "file"])], stat),
        ([result(["name", "hovercraft", 1, 1, 1])], stat),
        ([(frames.RESULT, b"[" * 200_000)], stat),
        *(
            ([(frames.RESULT, b'["name", "file", 1, 1, %s]' % number)], stat)
            for number in (b"NaN", b"1e999", b'"inf"', b"9" * 400)
        ),
        ([result("text")], rows),
        ([result(None), (frames.DATA, b"more than was asked for"), (frames.END, b"")], read),
        ([result(None), (frames.DATA, b"it")], read),
        ([(frames.FAILED, b"no list")], read),
    ],
    ids=[
        *("silence", "no JSON", "no answer", "half a row", "no kind", "nested too deep", "no number", "not finite"),
        *("text", "too large a number", "no rows", "too much", "cut off", "no failure"),
    ],
)
def test_nonsense_is_an_error_of_ours(says: Says, call: Callable[[GuestFiles], object]) -> None:
    with pytest.raises(LaunchError):
        call(files(says))


def test_an_error_that_the_guest_names_is_one_of_those_it_may_name() -> None:
    for code, kind in (("state", StateError), ("config", LaunchError), ("", LaunchError)):
        says = [(frames.FAILED, json.dumps([code, "what", "hint"]).encode())]
        with pytest.raises(AisbxError) as raised:
            files(says).stat("/x")
        assert type(raised.value) is kind


def entry(kind: bytes, name: bytes, content: bytes | None = None) -> bytes:
    """As `aisbx_linux.lasting.trees` sends it."""
    told = kind + (0o644).to_bytes(4, "little") + len(name).to_bytes(4, "little") + name
    return told + (b"" if content is None else len(content).to_bytes(4, "little") + content)


@pytest.mark.parametrize("name", [b"..", b"../out", b"a/b", b"", b"."])
def test_what_is_copied_out_lies_where_it_was_wanted(tmp_path: Path, name: bytes) -> None:
    tree = entry(b"d", b"top") + entry(b"f", name) + b"\4\0\0\0evil" + bytes(4) + entry(b"u", b"") + entry(b".", b"")
    target = tmp_path / "target"
    with pytest.raises(StateError, match="a name that no file can have"):
        files([(frames.DATA, tree), (frames.END, b"")]).pull("/x", str(target))
    assert [each for each in os.listdir(tmp_path) if each != "target"] == []


def test_what_is_copied_out_follows_no_link_that_came_with_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = entry(b"d", b"top") + entry(b"l", b"way", str(outside).encode()) + entry(b"d", b"way")
    tree += entry(b"f", b"evil") + b"\4\0\0\0evil" + bytes(4) + 2 * entry(b"u", b"") + entry(b".", b"")
    with pytest.raises(StateError, match="in the place of a directory"):
        files([(frames.DATA, tree), (frames.END, b"")]).pull("/x", str(tmp_path / "target"))
    assert os.listdir(outside) == []


def test_a_watch_ends_with_nonsense() -> None:
    says = [result(None), result(["created", "one"]), result(["launched", "two"]), result(["created", "three"])]
    watch = files(says).watch("/x")
    assert [event.name for event in watch] == ["one"]


def test_a_guest_that_does_not_say_whether_it_is_paused_is_not_believed_either_way() -> None:
    answers: list[object] = [None, [], [True], {"paused": True}]

    def ask(_what: str) -> object:
        return answers.pop()

    while answers:
        with pytest.raises(LaunchError):
            _ = GuestFreezer(ask).paused


def test_a_layer_that_cannot_be_brought_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "copied"
    (place / ".old").mkdir(parents=True)  # as one that was killed in the midst has left it
    (place / ".old" / "before").touch()
    for says in ([], [(frames.DATA, b"no tar"), (frames.END, b"")], [(frames.DATA, bytes(20_000))]):
        with pytest.raises(StateError, match="could not be brought"):
            bring(place, channels(says), 10_000)
        assert os.listdir(place / "upper") == ["before"]


def test_the_guest_is_not_told_how_a_list_is_held_here() -> None:
    proxy = Proxy(("words",), '{"audit": "/the/log"}', "somebody")
    spec = replace(RO, network=replace(RO.network, proxy=proxy))
    assert "/the/log" not in repr(shown(spec))
    assert "somebody" not in repr(shown(spec))


def test_what_the_host_keeps_of_a_sandbox_is_whole_or_an_error(tmp_path: Path) -> None:
    assert recall(tmp_path) is None
    kept = Kept("0" * 16, "cow", ())
    kept.write(tmp_path)
    assert recall(tmp_path) == kept
    (tmp_path / "lima.json").write_text('{"name": "0"')
    with pytest.raises(StateError, match="cannot be read"):
        recall(tmp_path)


def test_a_machine_knows_what_lasts_in_it_and_what_the_host_has_no_more(tmp_path: Path) -> None:
    lodgers = Lodgers(str(tmp_path / "lasting"))
    assert lodgers.all() == []
    home = tmp_path / "home"
    home.mkdir()
    here, gone = lodgers.add(str(home)), lodgers.add(str(tmp_path / "removed"))
    assert (lodgers.all(), lodgers.gone()) == ([str(home)], [gone])
    lodgers.drop(here)
    lodgers.clear()
    assert lodgers.all() == lodgers.gone() == []
