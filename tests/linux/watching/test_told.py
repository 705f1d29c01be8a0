"""What the compiled program saw is told in words; who tells it goes when there is nothing more, with all told."""

import os
import socket
import struct

import pytest
from aisbx_linux.watching import told
from aisbx_linux.watching.refused import process_of

CHROOT = {161: "chroot"}


def message(times: int = 0, *, waits: bool = True, path: bytes = b"/tmp/x\0y", inside: int = 5) -> bytes:
    def text(data: bytes) -> bytes:
        return struct.pack("<Q", len(data)) + data + b"\0"

    numbers = struct.pack("<12Q", times, 161, 4096 * 20, 0, 0, 0, 0, 0, 1, waits, 700, inside)
    return numbers + text(b"run") + text(b"/usr/bin/evil") + text(path) + 5 * text(b"")


def telling(data: dict[str, object]) -> tuple[told.Told, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    usual = {"names": CHROOT, "groups": ["base"], "tool": (0, 0), "probes": True}
    return told.Told(usual | data, theirs.detach()), ours


def test_a_call_is_told_with_what_its_pointers_pointed_to() -> None:
    one, ours = telling({})
    for each in (message(), message(7), message(waits=False)):
        ours.send(each)
    ours.close()
    heard: list[dict[str, object]] = []
    one.work(lambda row: heard.append(row) or "", lambda: False)
    whole, counted, gone = heard
    assert whole["arguments"] == {"path": "/tmp/x"}
    assert (whole["program"], whole["pid"], whole["pid_inside"], whole["run"]) == ("/usr/bin/evil", 700, 5, "run")
    assert (whole["what"], whole["errno"], whole["source"]) == ("chroot", "EPERM", "syscall")
    assert (counted["times"], "arguments" in counted) == (7, False)
    assert gone["arguments"] == {}


def test_who_starts_commands_is_not_told_of_and_a_pid_that_is_the_same_inside_says_nothing() -> None:
    one, ours = telling({})
    for each in (message(inside=700), message(inside=0)):
        ours.send(each)
    ours.close()
    heard: list[object] = []
    one.work(lambda row: heard.append(row["pid_inside"]) or "", lambda: False)
    assert heard == [700]
    pid, inside, program = process_of(os.getpid())
    assert (pid, inside, bool(program)) == (os.getpid(), 0, True)


def test_one_that_has_nothing_to_tell_ends_with_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "QUIET", 0.0)
    monkeypatch.setattr(told, "_TICK", 0.0)
    one, ours = telling({"probes": False})
    heard: list[object] = []
    ours.send(message())
    # What comes while it is about to leave is told; what comes then finds nobody, and starts another.
    one.work(lambda row: heard.append(row["what"]) or "", lambda: ours.send(message()) < 0)
    assert heard == ["chroot", "chroot"]
    with pytest.raises(BrokenPipeError):
        ours.send(message())
    ours.close()


def test_it_ends_what_it_is_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[object] = []

    def send_to(born: object, number: int) -> None:
        ended.append((born, number))

    monkeypatch.setattr(told, "send_to", send_to)
    one, ours = telling({"tool": (os.getpid(), 1)})
    ours.send(message())
    ours.close()
    one.work(lambda _: "kill", lambda: False)
    assert ended == [((os.getpid(), 1), 9)]
