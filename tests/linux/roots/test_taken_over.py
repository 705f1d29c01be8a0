"""Were who reads an archive taken over: what it reaches, and what its reports do to who listens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aisbx.errors import StateError
from aisbx_linux.roots import extract, unpack

from tests.linux.roots.conftest import Make

ROOT = Path(__file__).parents[3]
PLAIN = """
import os, resource, socket, sys
from pathlib import Path
from aisbx.errors import StateError
from aisbx_linux.roots import extract
from aisbx_linux.roots.make import make_root
from aisbx_linux.seccomp import compile_filter

place, origin, *tried = sys.argv[1:]
ours, tries = os.getpid(), {
    "kill": lambda: os.kill(ours, 0),
    "renice": lambda: os.setpriority(os.PRIO_PROCESS, ours, 1),
    "limit": lambda: resource.prlimit(ours, 7, (8, 8)),
    "socket": lambda: socket.socket(),
    "chroot": lambda: os.chroot("/"),
}

def taken_over(*_):
    tries[tried[0]]()
    os.mkdir("/usr")
    return {"files": 0, "bytes": 0, "left_out": 0}

extract.extract = taken_over
try:
    make_root(Path(place), origin, compile_filter(("base",)), print)
except StateError as error:
    print(error)
"""


def test_who_unpacks_reaches_no_other_process(
    make: Make, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were what reads archives taken over, it could otherwise end all that its user runs."""
    ours = os.getpid()

    def taken_over(*_: object) -> dict[str, int]:
        os.kill(ours, 0)
        os.mkdir("/usr")
        return {"files": 0, "bytes": 0, "left_out": 0}

    monkeypatch.setattr(extract, "extract", taken_over)
    with pytest.raises(StateError, match="No such process"):
        make(tmp_path / "root", system)


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot(2) is root's")
@pytest.mark.parametrize("what", ["kill", "renice", "limit", "socket", "chroot"])
def test_nor_does_it_where_a_container_gives_root_no_namespaces(what: str, system: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.driver_chroot.less", "all", sys.executable, "-c", PLAIN]
    done = subprocess.run(
        [*argv, str(tmp_path / "root"), system, what],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout in {f"it cannot be unpacked: {where}Operation not permitted\n" for where in ("", "/: ")}
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "report",
    [
        *(b"1\n", b'"text"\n', b"[1]\n", b'{"files": 1}\n', b'{"files": "x", "bytes": 0}\n', b'{"whole": true}\n'),
        *(b"\xff\n", b"{" * 70000, b'{"files": ' + b"1" * 70000, b"[" * 60000 + b"\n"),
    ],
    ids=range(10),
)
def test_a_report_that_is_none_is_an_error(
    make: Make, system: str, report: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_over(_source: int, _place: Path, _program: bytes, _bounds: unpack.Bounds, tell: int) -> int:
        os.write(tell, report)
        return 0

    monkeypatch.setattr(unpack, "_begin", taken_over)
    with pytest.raises(StateError, match="who does it told nonsense"):
        make(tmp_path / "root", system)
    assert not (tmp_path / "root").exists()
