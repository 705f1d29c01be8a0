"""A sandbox's files from the host, of drivers that reach them: what is inside must lead none of it anywhere else."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from aisbx.engine.inside import files_of
from aisbx.errors import StateError, UsageError
from aisbx.testing.behaviour.base import SECONDS, Base, standing, until
from aisbx.testing.scene import Scene
from aisbx.types import Command, Driver, Files, Sandbox, Stdio

# Links to a host's file and to its directory, by each road that leads out of a root; and what hangs who opens it.
_TRAPS = """
import os, sys
secret = sys.argv[1]
os.makedirs("kit/tree")
os.chdir("kit")
for name, target in (
    ("absolute", secret), ("up", "../" * 40 + secret[1:]), ("magic", "/proc/self/root" + secret),
    ("first", "/proc/1/root" + secret), ("folder", os.path.dirname(secret)), ("tree/inner", secret),
    ("victim", os.path.dirname(secret) + "/victim"),
):
    os.symlink(target, name)
os.mkfifo("fifo")
"""
_READER = """
import os, sys
print("ready", flush=True)
open("reading", "w").close()
seen = set()
while not os.path.exists("stop"):
    data = open("whole", "rb").read()
    if len(data) != 300000 or len(set(data)) != 1:
        sys.exit("torn: %d bytes of %d kinds" % (len(data), len(set(data))))
    seen.add(data[:1])
print(len(seen))
"""


class InsideFiles(Base, contract=True):
    """`Sandbox.files`."""

    def test_no_link_inside_leads_the_hosts_work_on_files_out_of_the_sandbox(
        self, driver: Driver, scene: Scene
    ) -> None:
        """Neither to be read nor to be written; a driver that cannot reach files is refused if they are asked for."""
        os.chmod(scene.workspace, 0o777)
        secret = scene.file("elsewhere", "secret")
        victim = Path(scene.file("elsewhere", "victim", text="kept"))
        with standing(driver, scene) as sandbox:
            files = self._files(driver, sandbox)
            if files is None:
                return
            self.said(sandbox, _TRAPS, secret)
            place = f"{scene.workspace}/kit"
            roads = ("absolute", "up", "magic", "first", "folder/secret", "tree/inner")
            for path in (*(f"{place}/{road}" for road in roads), secret, f"/proc/1/root{secret}", f"../..{secret}"):
                assert scene.token.encode() not in _got(files, path), f"read from the host by {path}"
            with pytest.raises(StateError):
                files.read(f"{place}/fifo", 1)
            self._copied(files, scene, place)
            before = sorted(os.listdir(scene.elsewhere))
            _tried(lambda: files.write(f"{place}/victim", b"evil"))
            _tried(lambda: files.write(f"{place}/folder/made", b"evil"))
            _tried(lambda: files.mkdir(f"{place}/folder/made", parents=True))
            _tried(lambda: files.push(secret, f"{place}/folder/made"))
            _tried(lambda: files.remove(f"{place}/folder", recursive=True))
            _tried(lambda: files.remove(f"{place}/absolute"))
            assert victim.read_text() == "kept", "written on the host through a link"
            assert sorted(os.listdir(scene.elsewhere)) == before, "made or removed on the host through a link"

    def test_files_are_read_and_copied_within_bounds_and_written_whole(self, driver: Driver, scene: Scene) -> None:
        """A reader inside sees what was there before or what is there now, and nothing in between."""
        os.chmod(scene.workspace, 0o777)
        with standing(driver, scene) as sandbox:
            files = self._files(driver, sandbox)
            if files is None:
                return
            path = f"{scene.workspace}/whole"
            files.write(path, b"a" * 300_000, 0o640)
            row = files.stat(path)
            assert (row.name, row.kind, row.mode, row.size) == ("whole", "file", 0o640, 300_000)
            assert [each.name for each in files.list(scene.workspace)] == ["whole"]
            assert (files.read(path, 7), files.read(path, 9, 299_998)) == (b"a" * 7, b"aa")
            large = scene.file("elsewhere", "large", text="x" * 5000)
            with pytest.raises(StateError):
                files.pull(path, f"{scene.elsewhere}/out", 1000)
            with pytest.raises(StateError):
                files.push(large, f"{scene.workspace}/in", 1000)
            assert [each.name for each in files.list(scene.workspace)] == ["whole"], "half a copy is left inside"
            assert os.listdir(scene.elsewhere) == ["large"], "half a copy is left on the host"
            files.write(path, b"a" * 300_000, 0o644)
            reader = sandbox.spawn(Command(argv=(self.python, "-I", "-S", "-c", _READER)), Stdio())
            until(lambda: reader.wait(0.02) is not None or scene.inside(f"{scene.workspace}/reading") is not None)
            for letter in b"ba" * 4:
                files.write(path, bytes([letter]) * 300_000)
            files.write(f"{scene.workspace}/stop", b"")
            status = reader.wait(SECONDS)
            assert status is not None
            assert status.code == 0, status.stderr.data

    def _files(self, driver: Driver, sandbox: Sandbox) -> Files | None:
        if sandbox.files is None:
            with pytest.raises(UsageError, match="cannot reach"):
                files_of(sandbox, driver.name)
        return sandbox.files

    def _copied(self, files: Files, scene: Scene, place: str) -> None:
        """Look that a link is copied as a link, or left: never what it points to on the host."""
        for number, name in enumerate(("tree", "absolute", "folder")):
            target = os.path.join(scene.root, f"out{number}")
            with suppress(StateError):
                files.pull(f"{place}/{name}", target)
            if os.path.islink(target):
                continue
            found = [os.path.join(above, each) for above, _, names in os.walk(target) for each in names]
            for each in (*found, target):
                if os.path.isfile(each) and not os.path.islink(each):
                    assert scene.token not in scene.read(each), f"copied from the host by {name}"


def _got(files: Files, path: str) -> bytes:
    try:
        return files.read(path, 4096)
    except StateError:
        return b""


def _tried(work: Callable[[], object]) -> None:
    with suppress(StateError):
        work()
