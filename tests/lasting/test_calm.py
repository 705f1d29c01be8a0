"""Ordinary work is not told as an attack (`./dev calm` does the same with real packages)."""

import shutil

import pytest
from aisbx import Sandbox
from aisbx.violations.read import Wanted, violations

from .conftest import Box, eventually

PYTHON = """
import asyncio, concurrent.futures, multiprocessing, os, pathlib, sqlite3, subprocess, tempfile, unittest

class Work(unittest.TestCase):
    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "a"); path.write_text("x"); path.chmod(0o755)
            os.link(path, f"{folder}/b"); os.symlink("b", f"{folder}/c"); os.replace(path, f"{folder}/d")
            sqlite3.connect(f"{folder}/e").execute("create table t (x)")
    def test_processes(self):
        self.assertEqual(subprocess.run(["sh", "-c", "exit 3"]).returncode, 3)
        with concurrent.futures.ThreadPoolExecutor(4) as pool: list(pool.map(str, range(9)))
        with multiprocessing.get_context("fork").Pool(2) as pool: self.assertEqual(pool.map(abs, [-1, 2]), [1, 2])
    def test_network(self):
        async def main():
            server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
            reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname()[:2]); await reader.read()
        asyncio.run(main())
unittest.main()
"""
NODE = """
const fs = require("fs"), net = require("net");
const {execFileSync} = require("child_process"), {Worker} = require("worker_threads");
fs.writeFileSync("/tmp/a", "x"); fs.renameSync("/tmp/a", "/tmp/b"); execFileSync("sh", ["-c", "true"]);
const server = net.createServer(end => end.end()).listen(0, "127.0.0.1", () => {
  net.connect(server.address().port, "127.0.0.1").on("close", () => server.close()).resume();
});
new Worker("1 + 1", {eval: true}).on("exit", code => process.exitCode = code);
"""


@pytest.mark.parametrize(
    ("profile", "argv"), [("python-dev", ["python3", "-I", "-c", PYTHON]), ("node-dev", ["node", "-e", NODE])]
)
def test_a_languages_ordinary_work_is_told_as_nothing_graver_than_info(
    whole: Box, profile: str, argv: list[str]
) -> None:
    if shutil.which(argv[0], path=whole.env["PATH"]) is None:
        pytest.skip(f"{argv[0]} is not here")
    with Sandbox.create(f"calm-{argv[0]}", profile=profile, monitor=True) as sandbox:
        sandbox.exec(argv, check=True)
        # What is refused is told by then, too.
        sandbox.exec(["/usr/bin/python3", "-c", "import os\ntry: os.chroot('/')\nexcept OSError: pass"], check=True)
    wanted = Wanted(sandbox=f"calm-{argv[0]}", severity="low")
    assert eventually(lambda: bool(told(whole, wanted)))
    assert told(whole, wanted) == [("mount", "chroot")]


def told(box: Box, wanted: Wanted) -> list[tuple[str, str]]:
    found, _ = violations(str(box.state / "audit.jsonl"), wanted)
    return [(row.text("rule"), row.text("what")) for row in found]
