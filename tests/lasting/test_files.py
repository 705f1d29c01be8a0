"""Files go into a sandbox and come out of it; what is inside can lead none of it anywhere else."""

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from aisbx.errors import StateError
from aisbx_linux.lasting.files import JoinedFiles

from .conftest import Box
from .test_background import until

# Each is a way to what is not a file of the sandbox's, or to hang whoever opens it.
TRAPS = """
cd /tmp; mkdir t t/sub; echo plain > t/plain; chmod 755 t/plain; ln -s /etc/passwd t/out; ln -s ../../../../etc t/up
ln -s /proc/self/root/etc/shadow t/magic; ln -s /proc/1/cwd t/cwd; mkfifo t/fifo
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("t/sock")'
printf x > "t/$(printf 'a\\033[2Jb\\nc')"; mkdir -m 1777 t/sticky; truncate -s 3G t/huge; ln t/plain t/second
"""


def files(box: Box) -> JoinedFiles:
    return JoinedFiles(str(box.state / "sandboxes/work/home"))


def test_trees_go_out_and_in(box: Box) -> None:
    box.out("create", "--name", "work", "-p", "python-dev")
    box.out("exec", "work", "--", "sh", "-c", TRAPS)
    assert "may be copied" in box.refused("cp", "work:/tmp/t", "out", "--limit", "1G", code="state")
    box.out("exec", "work", "--", "rm", "/tmp/t/huge")
    subprocess.run(["rm", "-rf", box.project / "out"], check=True)
    (box.project / "secret").write_text("host's own")
    done = box("cp", "work:/tmp/t", "out")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stderr.splitlines()) == [
        "aisbx: t/fifo: left out: it is a pipe",
        "aisbx: t/sock: left out: it is a socket",
    ]
    out = box.project / "out"
    assert (out / "plain").read_text() == "plain\n"
    assert stat.S_IMODE((out / "plain").stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "sticky").stat().st_mode) == 0o777
    assert os.readlink(out / "out") == "/etc/passwd"
    assert os.readlink(out / "magic") == "/proc/self/root/etc/shadow"
    assert b"a\033[2Jb\nc" in os.listdir(os.fsencode(out))
    assert {os.lstat(path).st_uid for path in (out, out / "plain", out / "out")} == {os.geteuid()}
    # Back again, into a directory that is there; and what lies in the way is replaced, not written through.
    box.out("exec", "work", "--", "sh", "-c", "mkdir /tmp/in; echo keep > /tmp/victim; ln -s /tmp/victim /tmp/link")
    box.out("cp", "out", "work:/tmp/in")
    box.out("cp", "secret", "work:/tmp/link")
    look = (
        "cat /tmp/in/out/plain /tmp/victim /tmp/link; [ -L /tmp/link ] || echo replaced; stat -c %u /tmp/in/out/plain"
    )
    uid = box.out("exec", "work", "--", "id", "-u").strip()
    assert box.out("exec", "work", "--", "sh", "-c", look) == f"plain\nkeep\nhost's ownreplaced\n{uid}\n"


def test_nothing_on_the_host_is_written_through_a_link(box: Box) -> None:
    box.out("create", "--name", "work")
    box.out(
        "exec", "work", "--", "sh", "-c", "mkdir -p /tmp/t/dir; echo evil > /tmp/t/file; echo evil > /tmp/t/dir/file"
    )
    victim = box.home / "victim"
    victim.mkdir()
    (victim / "file").write_text("kept")
    out = box.project / "t"
    out.mkdir()
    (out / "file").symlink_to(victim / "file")
    (out / "dir").symlink_to(victim)
    assert "link" in box.refused("cp", "work:/tmp/t", ".", code="state")
    assert (victim / "file").read_text() == "kept"
    (out / "dir").unlink()
    box.out("cp", "work:/tmp/t", ".")
    assert (victim / "file").read_text() == "kept"
    assert (out / "file").read_text() == "evil\n"
    assert not (out / "file").is_symlink()
    assert not [name for name in os.listdir(out) if name.endswith(".tmp")]


def test_what_is_wrong_is_one_line(box: Box) -> None:
    box.out("create", "--name", "work", "-w", f"{box.project}:ro")
    (box.project / "x").write_text("x")
    assert "No such file" in box.refused("cp", "work:/tmp/none", ".", code="state")
    assert "Read-only" in box.refused("cp", "x", "work:/usr/x", code="state")
    assert "Read-only" in box.refused("cp", "x", f"work:{box.project}/y", code="state")
    assert "No such file" in box.refused("cp", "none", "work:/tmp", code="state")
    assert "name of its own" in box.refused("cp", "work:/", ".", code="state")
    for wrong in (("x", "y"), ("work:/a", "work:/b"), ("work:tmp/x", ".")):
        box.refused("cp", *wrong, code="usage")
    assert "no sandbox" in box.refused("cp", "none:/x", ".", code="state")
    box.out("pause", "work")
    assert "paused" in box.refused("cp", "x", "work:/tmp", code="state")


def test_links_fifos_and_processes_lead_nowhere(box: Box) -> None:
    """The same paths, opened from the host through /proc, lead out of the sandbox: that is what is attacked here."""
    box.out("create", "--name", "work", "-p", "python-dev")
    box.out("exec", "work", "--", "sh", "-c", TRAPS)
    import marshal

    first = marshal.loads((box.state / "sandboxes/work/home/held").read_bytes())[1]["first"][0]
    assert Path(f"/proc/{first}/root/tmp/t/out").read_bytes() == Path("/etc/passwd").read_bytes(), "no attack"
    here = files(box)
    inside = box.out("exec", "work", "--", "cat", "/etc/passwd").encode()
    assert here.read("/tmp/t/out", 1 << 20) == inside != Path("/etc/passwd").read_bytes()
    assert here.read("/tmp/t/up/passwd", 1 << 20) == inside
    assert here.read("../../tmp/t/../t/plain", 3) == b"pla"
    for path in ("/tmp/t/magic", "/tmp/t/cwd/etc/passwd", "/proc/1/root/etc/passwd", "/proc/self/fd/0", "/tmp/t/fifo"):
        with pytest.raises(StateError):
            here.read(path, 10)
    assert {row.name: row.kind for row in here.list("/tmp/t")}["fifo"] == "other"
    assert here.stat("/tmp/t/out").kind == "link"
    here.write("/tmp/t/out", b"mine" * 100_000, 0o600)
    row = here.stat("/tmp/t/out")
    assert (row.kind, row.size, row.mode) == ("file", 400_000, 0o600)
    assert here.read("/tmp/t/out", 1 << 20) == b"mine" * 100_000
    with pytest.raises(StateError):
        here.write("/dev/null/x", b"")


SWAP = """
import os
os.makedirs("/tmp/race/dir", exist_ok=True); open("/tmp/race/dir/f", "w").write("inside")
os.symlink("/etc", "/tmp/race/link"); print("ready", flush=True)
while True:
    os.rename("/tmp/race/dir", "/tmp/race/away"); os.rename("/tmp/race/link", "/tmp/race/dir")
    os.rename("/tmp/race/dir", "/tmp/race/link"); os.rename("/tmp/race/away", "/tmp/race/dir")
"""
GROW = """
import os
os.makedirs("/tmp/grow", exist_ok=True); os.chdir("/tmp/grow"); print("ready", flush=True)
while True:
    os.mkdir("d"); os.chdir("d"); open("f", "w").close()
"""


def test_swapped_and_growing_directories(box: Box) -> None:
    box.out("create", "--name", "work", "-p", "python-dev")
    racer = box.start("exec", "work", "--", "python3", "-c", SWAP)
    assert racer.stdout is not None
    assert racer.stdout.readline() == b"ready\n"
    here = files(box)
    for number in range(12):
        target = box.project / f"got{number}"
        try:
            here.pull("/tmp/race/dir", str(target))
        except StateError:
            continue
        assert target.is_symlink() or sorted(os.listdir(target)) in ([], ["f"]), "another directory came"
    racer.kill()
    racer.communicate()
    grower = box.start("exec", "work", "-t", "20s", "--", "python3", "-c", GROW)
    assert grower.stdout is not None
    assert grower.stdout.readline() == b"ready\n"
    until(lambda: box("exec", "work", "--", "sh", "-c", f"cd /tmp/grow{'/d' * 300}").returncode == 0)
    with pytest.raises(StateError, match="deeper"):
        here.pull("/tmp/grow", str(box.project / "grown"))
    grower.kill()
    grower.communicate()


def test_a_directory_is_watched(box: Box) -> None:
    box.out("create", "--name", "work")
    box.out("exec", "work", "--", "mkdir", "/tmp/seen")
    events = files(box).watch("/tmp/seen")
    seen: list[tuple[str, str]] = []
    reader = threading.Thread(target=lambda: seen.extend((event.kind, event.name) for event in events))
    reader.start()

    def poke() -> bool:
        box.out("exec", "work", "--", "sh", "-c", "echo x > /tmp/seen/a; mv /tmp/seen/a /tmp/seen/b")
        return ("moved-to", "b") in seen

    until(poke)
    box.out("exec", "work", "--", "rm", "-r", "/tmp/seen")
    reader.join(30)
    assert not reader.is_alive()
    assert {("created", "a"), ("changed", "a"), ("moved-from", "a"), ("deleted", "b")} <= set(seen)
    assert seen[-1] == ("gone", "")


HUNT = """
import os, signal
for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
    if b"reach" b".py" in open(f"/proc/{pid}/cmdline", "rb").read(): print("sees it", pid)
try: os.kill(-1, signal.SIGKILL)
except OSError: pass
"""


def test_what_works_on_files_is_neither_seen_nor_ended_from_inside(box: Box) -> None:
    box.out("create", "--name", "work", "-p", "python-dev")
    events = files(box).watch("/tmp")
    first: list[object] = []
    reader = threading.Thread(target=lambda: first.append(next(events)))
    reader.start()
    until(lambda: subprocess.run(["pgrep", "-f", "lasting/reach.py"], capture_output=True, check=False).returncode == 0)
    assert box("exec", "work", "--", "python3", "-c", HUNT).stdout == ""
    until(lambda: box("exec", "work", "--", "touch", "/tmp/on").returncode == 0 and first)
    assert first
    events.close()
