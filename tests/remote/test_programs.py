"""A program's sandboxes behave the same here and at a supervisor."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aisbx import Sandbox, run
from aisbx.api import CommandFailed
from aisbx.errors import AisbxError, CommandNotFoundError, StateError, UsageError
from aisbx.types import Level

from tests.remote.conftest import Way


@pytest.fixture(scope="module")
def box(way: Way) -> Iterator[Sandbox]:
    with way.make("box") as made:
        yield made


def test_a_command_has_input_variables_a_directory_and_bounds_and_says_how_it_ended(box: Sandbox) -> None:
    result = box.exec(["sh", "-c", "cat; echo $A; pwd; echo no >&2; exit 3"], input="in\n", env={"A": "b"}, cwd="/tmp")
    assert (result.code, result.text, result.errors, result.truncated) == (3, "in\nb\n/tmp\n", "no\n", False)
    assert box.exec(["printf", r"\377\0"]).stdout == b"\xff\0"
    assert box.exec(["cat"], input=bytes(range(256)) * 40000).stdout == bytes(range(256)) * 40000
    assert box.exec(["sleep", "9"], timeout=0.2).timed_out
    assert box.exec(["sh", "-c", "kill -9 $$"]).code == 137
    kept = box.exec(["seq", "100000"], keep=(10, 10))
    assert (kept.stdout, kept.stdout_cut is not None) == (b"1\n2\n3\n4\n5\n99\n100000\n", True)
    with pytest.raises(CommandFailed):
        box.exec(["false"], check=True)


def test_what_cannot_be_is_the_same_error(way: Way, box: Sandbox) -> None:
    with pytest.raises(CommandNotFoundError) as missing:
        box.exec(["nothing-of-that-name"])
    assert missing.value.exit_code == 127
    with pytest.raises(StateError, match="there is no sandbox 'nobody'"):
        Sandbox.attach("nobody", **way.finding)
    with pytest.raises(AisbxError, match="box"):
        way.make("box")
    with pytest.raises(UsageError):
        box.exec(["true"], cwd="no")
    with pytest.raises(UsageError):
        box.exec(["true"], timeout=0)
    with pytest.raises(StateError):
        box.files.read("/tmp/none")
    with pytest.raises(StateError):
        box.process("0" * 12)


def test_lines_come_while_it_runs_and_leaving_ends_it(box: Sandbox) -> None:
    with box.stream(["sh", "-c", "echo one; read line; echo $line; exec sleep 600"], input="two\n") as stream:
        lines = iter(stream)
        assert [bytes(next(lines)).strip() for _ in range(2)] == [b"one", b"two"]
    assert not [row for row in box.ps() if "600" in row.argv]


def test_a_process_in_the_background_is_fed_followed_found_and_ended(box: Sandbox) -> None:
    one = box.start(["sh", "-c", "while read a; do echo got $a; done; echo over >&2; exit 4"], stdin=True)
    one.write("a\n")
    one.write(b"\xff\n")
    one.close_input()
    chunks = [(chunk.stream, chunk.data) for chunk in one.follow()]
    assert b"".join(data for stream, data in chunks if stream == 1) == b"got a\ngot \xff\n"
    assert (2, b"over\n") in chunks
    result = one.wait(20)
    assert result is not None
    assert (result.code, result.stdout, result.stderr) == (4, b"got a\ngot \xff\n", b"over\n")
    assert one.logs(tail=1) == b"over\n"
    assert (one.state, one.argv[0]) == ("ended", "sh")
    two = box.start(["sleep", "600"])
    assert two.wait(0.1) is None
    assert box.process(two.id[:8]).id == two.id
    assert {one.id, two.id} <= {found.id for found in box.processes()}
    two.signal(signal.SIGTERM)
    ended = two.wait(20)
    assert ended is not None
    assert ended.code == 143
    three = box.start(["sleep", "600"], terminal=True)
    three.resize(10, 20)
    number = next(row.pid for row in box.ps() if row.argv[-1:] == ("600",))
    box.signal(number, signal.SIGKILL)
    assert three.wait(20) is not None
    three.kill()


def test_files_are_read_written_listed_removed_and_copied(box: Sandbox, way: Way, tmp_path: Path) -> None:
    files = box.files
    files.mkdir("/tmp/d/e", parents=True)
    files.write("/tmp/d/a b", b"0123456789", mode=0o600)
    assert (files.read("/tmp/d/a b", offset=3, limit=4), files.read("/tmp/d/a b", offset=99)) == (b"3456", b"")
    assert [(row.name, row.kind) for row in files.list("/tmp/d")] == [("a b", "file"), ("e", "directory")]
    assert (files.stat("/tmp/d/a b").mode & 0o777, files.stat("/tmp/d/a b").size) == (0o600, 10)
    files.write("note", "in the workspace")
    assert (way.project / "note").read_text() == "in the workspace"
    tree = tmp_path / "tree"
    (tree / "below").mkdir(parents=True)
    (tree / "below/x").write_bytes(b"x" * 3_000_000)
    assert not list(files.upload(tree, "/tmp"))
    assert box.exec(["sh", "-c", "wc -c < /tmp/tree/below/x"]).text == "3000000\n"
    assert not list(files.download("/tmp/tree", tmp_path / "back"))
    assert (tmp_path / "back/below/x").read_bytes() == b"x" * 3_000_000
    with pytest.raises(StateError, match="--limit"):
        files.download("/tmp/tree", tmp_path / "less", limit=10)
    files.remove("/tmp/d", recursive=True)
    with pytest.raises(StateError):
        files.stat("/tmp/d")


def test_a_layer_is_looked_at_kept_forked_applied_and_dropped(way: Way) -> None:
    (way.project / "old").write_text("one\ntwo\n")
    with way.make("layer", mode="cow") as box:
        box.exec(["sh", "-c", "echo three >> old; echo new > made; echo x > gone"])
        assert {(change.path, change.action) for change in box.changes.list()} == {
            ("old", "modified"),
            ("made", "added"),
            ("gone", "added"),
        }
        assert "+three\n" in box.changes.diff("old")
        change = next(iter(box.changes.list("old")))
        assert box.changes.contents(change) == (b"one\ntwo\n", b"one\ntwo\nthree\n")
        assert box.snapshot("first").tag == "first"
        box.exec(["rm", "made"])
        with box.fork(tag="first") as other:
            assert other.exec(["cat", "made"]).text == "new\n"
            other.changes.apply("made")
            other.destroy(discard=True)
        assert [one.tag for one in box.snapshots()] == ["first"]
        box.restore("first")
        box.remove_snapshot("first")
        assert box.exec(["cat", "gone"]).text == "x\n"
        with pytest.raises(StateError, match="appl"):
            box.destroy()
        with Sandbox.attach("layer", **way.finding) as again:
            assert [change.path for change in again.changes.apply("old").done] == ["old"]
        box.destroy(discard=True)
    assert (way.project / "old").read_text() == "one\ntwo\nthree\n"
    assert (way.project / "made").read_text() == "new\n"


def test_it_is_listed_paused_found_again_and_gone(way: Way) -> None:
    made = way.make("paused", idle_ttl=600)
    assert "paused" in Sandbox.names(**way.finding)
    found = {one.name: one for one in Sandbox.list(**way.finding)}["paused"]
    assert (found.state, found.record and found.record.profile) == ("running", "shell")
    made.pause()
    assert made.paused
    with pytest.raises(AisbxError):
        made.exec(["true"])
    made.resume()
    with Sandbox.attach("paused", **way.finding) as again:
        assert again.exec(["true"]).ok
        assert again.info.enforcement["fs:private-tmp"].level is Level.FULL
    assert made.destroy() == []
    assert "paused" not in Sandbox.names(**way.finding)


def test_one_command_alone_leaves_nothing(way: Way) -> None:
    result = run(["sh", "-c", "cat; exit 5"], input="x", **way.making, **way.finding)
    assert (result.code, result.text) == (5, "x")
    assert not [name for name in Sandbox.names(**way.finding) if name.startswith("run-")]
