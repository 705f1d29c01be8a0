"""What the compiled helper and its client are told over sockets, torn and with bits turned over.

Both are built with sanitizers, which end a program that reads or writes where it must not.
"""

import array
import fcntl
import os
import random
import runpy
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from aisbx_linux.lasting import asking
from aisbx_linux.lasting.identity import started

from .conftest import NATIVE, compiled

if TYPE_CHECKING:
    from aisbx_linux.lasting.identity import Held

ALLOW = struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)  # BPF_RET | BPF_K, SECCOMP_RET_ALLOW
AROUND = asking.surroundings({"A": "b", "LANG": "C"}, "/")
ENDED, REFUSED = 0, 1


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The helper, with sanitizers."""
    build = runpy.run_path(str(NATIVE / "build.py"))
    if not build["compiler"]() and "machine" not in os.environ.get("AISBX_REQUIRE", "").split(","):
        pytest.skip("there is no C compiler")
    place = tmp_path_factory.mktemp("sanitized")
    assert build["build"](str(place / "aisbx-helper"), "--strict", "--sanitize") == ""
    return place / "aisbx-helper"


class Talk:
    """A helper that joins what this process is in."""

    def __init__(self, program: Path) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(20)
        pids = os.memfd_create("pids")
        os.ftruncate(pids, 4096)
        self.errors = os.memfd_create("errors")
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in (theirs.fileno(), pids, self.errors)]
        actions = [(os.POSIX_SPAWN_DUP2, number, place) for number, place in zip(moved, (3, 4, 2), strict=True)]
        environ = {"ASAN_OPTIONS": "detect_leaks=0"}
        self.pid = os.posix_spawn(program, [str(program)], environ, file_actions=actions, setsid=True)
        theirs.close()
        for number in (*moved, pids):
            os.close(number)

    def say(self, data: bytes, descriptors: int = 0) -> None:
        """Say something with so many descriptors; one that has gone hears nothing."""
        null = os.open("/dev/null", os.O_RDWR)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * descriptors))] if descriptors else []
        try:
            sent = self.ours.sendmsg([data], rights)
            self.ours.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            os.close(null)

    def hear(self) -> bytes:
        """Give its next message, none where it has gone."""
        try:
            size = self.ours.recv(4, socket.MSG_WAITALL)
            return self.ours.recv(int.from_bytes(size, "little"), socket.MSG_WAITALL) if size else b""
        except ConnectionResetError:
            return b""

    def end(self) -> tuple[int, str]:
        """Let it end; gives how it did and what it said of that."""
        self.ours.close()
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        said = os.pread(self.errors, 100_000, 0).decode(errors="replace")
        os.close(self.errors)
        return code, said


def message(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def joining() -> bytes:
    plan = {"rlimits": [(7, 256, 256)], "filter": ALLOW}
    held = {"first": (os.getpid(), started(os.getpid())), "who": (os.getuid(), os.getgid()), "groups": [], "plan": plan}
    return asking.joining(cast("Held", held))


def joined(program: Path) -> Talk:
    talk = Talk(program)
    talk.say(message(joining()))
    assert talk.hear() == asking.JOINED
    return talk


def damaged(data: bytes, times: int) -> Iterator[bytes]:
    """Give a message cut, lengthened, with a bit turned over, and with a wrong size before it."""
    chosen = random.Random(4)
    for turn in range(times):
        changed = bytearray(data)
        if turn % 4 == 0:
            del changed[chosen.randrange(len(changed)) :]
        elif turn % 4 == 1:
            changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
        elif turn % 4 == 2:
            place = chosen.randrange(len(changed) // 8) * 8
            changed[place : place + 8] = chosen.choice((b"\xff" * 8, b"\0" * 8, (1 << 40).to_bytes(8, "little")))
        else:
            yield chosen.choice((0, 3, 1 << 25, (1 << 32) - 1)).to_bytes(4, "little") + data
            continue
        yield message(bytes(changed))


def test_a_helper_that_is_told_anything_refuses_or_ends(built: Path) -> None:
    program = built
    for data in damaged(joining(), 24):
        talk = Talk(program)
        talk.say(data)
        talk.ours.shutdown(socket.SHUT_WR)  # of a message that is not whole
        answer = talk.hear()
        assert answer[:1] in {b"", b"!", asking.JOINED}
        code, said = talk.end()
        assert (code in {0, 1}, said) == (True, ""), data
    talk, answers = joined(program), set[int]()
    for data in (message(asking.request(["true"], AROUND)), *damaged(asking.request(["true"], AROUND), 80)):
        talk.say(data, 4)
        if int.from_bytes(data[:4], "little") > len(data) - 4:
            talk.ours.shutdown(socket.SHUT_WR)
        answer = talk.hear()
        if answer:
            answers.add(int.from_bytes(answer[:8], "little"))
            continue
        code, said = talk.end()
        assert (code in {0, 1}, said) == (True, ""), data
        talk = joined(program)
    assert answers == {ENDED, REFUSED}
    for descriptors in (0, 3, 5):
        talk.say(message(asking.request(["true"], AROUND)), descriptors)
        assert talk.hear() == b""
        assert talk.end() == (1, "")
        talk = joined(program)
    talk.say(
        message(asking.request(["true", "x" * 300_000], AROUND)), 4
    )  # more than fits at once, and than an argument may have
    assert asking.answered(talk.hear())[0] == 7
    talk.say(message(asking.request(["true", *["y" * 1000] * 300], AROUND)), 4)
    assert asking.answered(talk.hear())[0] == 0
    assert talk.end() == (0, "")


def test_a_client_that_is_answered_anything_takes_what_is_an_answer(tmp_path: Path) -> None:
    program = compiled(tmp_path / "talk", ["client", "append", "look", "entries", "record", "text", "sha256"])
    (tmp_path / "counts").write_text("oom_kill 0\n")
    environ = {"ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [program, str(tmp_path), "400"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    *results, descriptors = done.stdout.split()
    ended, refused, on = map(int, results)
    assert (ended > 100, refused, on > 100, descriptors) == (True, 0, True, "closed")
    # What keeps the sandbox as it is now: nothing is asked then.
    (tmp_path / "paused").write_text("by somebody")
    done = subprocess.run(
        [program, str(tmp_path), "3"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "0 3 0 closed\n")
