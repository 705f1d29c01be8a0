"""A copy out of a sandbox that is killed: no half of a file lies on the host, under any name."""

import os
import signal
from pathlib import Path

import pytest
from aisbx_linux.lasting import trees


def _none(_: int) -> int:
    return -1


def copied_until_it_is_killed(place: Path) -> None:
    rows: list[bytes] = []
    (place / "source").write_bytes(b"x" * 300_000)
    above = os.open(place, os.O_RDONLY)
    trees.send(above, b"source", rows.append, trees.Bounds(1 << 20))
    data = b"".join(rows)
    (place / "target").mkdir()
    target = os.open(place / "target", os.O_RDONLY)
    child = os.fork()
    if child == 0:
        at = 0

        def read(count: int) -> bytes:
            nonlocal at
            at += count
            if at > 200_000:
                os.kill(os.getpid(), signal.SIGKILL)
            return data[at - count : at]

        try:
            trees.receive(target, b"made", read, trees.Bounds(1 << 20))
        finally:
            os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    os.close(target)
    os.close(above)


@pytest.mark.parametrize("named", [False, True])
def test_a_file_that_is_being_made_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool) -> None:
    if named:  # where the file system has no such files: that is what is left then
        monkeypatch.setattr(trees, "_unnamed", _none)
    copied_until_it_is_killed(tmp_path)
    assert len(os.listdir(tmp_path / "target")) == named
