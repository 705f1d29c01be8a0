"""What a watched sandbox is refused is told, and stays refused: whoever listens can do nothing else."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aisbx import Sandbox
from aisbx.api.doors import engine, principal
from aisbx.errors import AisbxError
from aisbx_linux.seccomp.compile import call_names

from .conftest import Box, eventually

# Makes raw system calls, as JSON on the command line: [number, argument…]; a text is a pointer to it. Prints errnos.
CALLS = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
kept, told = [], []
for call in json.loads(sys.argv[1]):
    values = []
    for value in call:
        kept.append(ctypes.c_char_p(value.encode()) if isinstance(value, str) else ctypes.c_long(value))
        values.append(kept[-1])
    ctypes.set_errno(0)
    libc.syscall(*values)
    told.append(ctypes.get_errno())
print(json.dumps(told))
"""
NUMBERS = {name: number for number, name in call_names(os.uname().machine).items()}
EPERM, ENOSYS, EBUSY = 1, 38, 16
NEW_USER, NEW_NET = 0x1000_0000, 0x4000_0000


def calling(*calls: tuple[object, ...]) -> list[str]:
    """Give the command that makes calls, each a name and arguments."""
    rows = [[NUMBERS[str(name)], *arguments] for name, *arguments in calls]
    return ["/usr/bin/python3", "-I", "-S", "-c", CALLS, json.dumps(rows)]


def told(box: Box, sandbox: str) -> list[dict[str, Any]]:
    lines = (box.state / "audit.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines if '"violation"' in line]
    return [row for row in rows if row["sandbox"] == sandbox]


def watcher(box: Box, sandbox: str) -> int:
    """Give the pid of who holds the lock (/proc/locks)."""
    inode = (box.state / f"sandboxes/{sandbox}/watcher").stat().st_ino
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return next((int(row[4]) for row in rows if row[5].endswith(f":{inode}")), 0)


@pytest.fixture(scope="module", params=["compiled", "python"])
def watched(whole: Box, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    del whole
    with pytest.MonkeyPatch.context() as patched:
        if request.param == "python":
            patched.setenv("AISBX_FRONT", "0")
        with Sandbox.create(f"watched-{request.param}", monitor=True) as made:
            yield made


def test_a_refused_call_is_told_with_who_what_why_and_what_would_allow_it(whole: Box, watched: Sandbox) -> None:
    calls = (
        ("mount", "none", "/tmp/a b", "tmpfs", 0, 0),
        ("ptrace", 16, 1, 0, 0),
        ("unshare", NEW_USER | NEW_NET),
        ("keyctl", 0, -3),
        ("sethostname", "evil", 4),
    )
    done = watched.exec(calling(*calls), check=True)
    assert json.loads(done.text) == [EPERM] * len(calls)
    name = watched.name
    assert eventually(lambda: len([row for row in told(whole, name) if row["source"] == "syscall"]) >= len(calls))
    rows = {row["what"]: row for row in told(whole, name)}
    mount = rows["mount"]
    assert mount["arguments"] == {"source": "none", "target": "/tmp/a b", "type": "tmpfs", "flags": "0x0"}
    assert (mount["rule"], mount["severity"], mount["errno"], mount["grant"]) == ("mount", "high", "EPERM", "")
    assert mount["program"].startswith("/usr/bin/python3")
    assert mount["pid"] > 0
    assert mount["pid_inside"] > 1
    assert mount["hint"] is False
    assert mount["principal"] == f"uid:{os.geteuid()}"
    assert rows["ptrace"]["grant"] == "syscalls: [debug]"
    assert rows["unshare"]["arguments"] == {"flags": "user|net"}
    assert rows["sethostname"]["arguments"] == {"name": "evil"}


def test_nothing_inside_has_the_listener_or_can_have_one(watched: Sandbox) -> None:
    listing = watched.exec(["/bin/sh", "-c", "ls -l /proc/self/fd /proc/1/fd; ls /proc/self/fd"], check=False).text
    assert "seccomp" not in listing
    assert "socket:" not in listing
    done = watched.exec(calling(("seccomp", 1, 8, 0)), check=True)
    assert json.loads(done.text) == [EBUSY]


def test_a_flood_is_answered_and_counted_and_writes_little(whole: Box) -> None:
    script = (
        "import ctypes; l = ctypes.CDLL(None, use_errno=True)\n"
        f"print(sum(l.syscall({NUMBERS['swapoff']}, b'/flood') == -1 for _ in range(20000)))"
    )
    with Sandbox.create("flood", monitor=True) as sandbox:
        assert sandbox.exec(["/usr/bin/python3", "-I", "-S", "-c", script], check=True).text == "20000\n"

    def counted() -> int:
        return sum(row["times"] for row in told(whole, "flood") if row["what"] == "swapoff")

    assert eventually(lambda: counted() == 20000), counted()
    assert len(told(whole, "flood")) < 20


def test_150_seeded_violations_are_found_with_the_right_rule(whole: Box) -> None:
    seeds = seeded()
    assert len(seeds) >= 150
    with Sandbox.create("seeded", monitor=True) as sandbox:
        done = sandbox.exec(calling(*(call for call, _ in seeds)), check=True)
        errnos = json.loads(done.text)
        assert 0 not in errnos
        wanted = sorted((str(call[0]), rule) for call, rule in seeds)
        assert eventually(lambda: len(found(whole)) >= len(wanted))
        assert sorted(found(whole)) == wanted
    with Sandbox.create("plain", monitor=False) as sandbox:  # who listens answers as the filter itself does
        plain = sandbox.exec(calling(*(call for call, _ in seeds)), check=True)
        assert json.loads(plain.text) == errnos


def found(box: Box) -> list[tuple[str, str]]:
    return [(row["what"], row["rule"]) for row in told(box, "seeded") if row["source"] == "syscall"]


def seeded() -> list[tuple[tuple[object, ...], str]]:
    """Give calls that are refused, and the rule of each; no two are alike."""
    return [
        *((("mount", "none", f"/mnt/{n}", "proc", n), "mount") for n in range(15)),
        *((("umount2", f"/mnt/{n}", 2), "mount") for n in range(10)),
        *((("pivot_root", f"/tmp/{n}", "/tmp"), "mount") for n in range(5)),
        *((("chroot", f"/proc/{n}/root"), "mount") for n in range(10)),
        *((("open_tree", -100, f"/{n}", 1), "mount") for n in range(5)),
        *((("fsopen", name, 0), "mount") for name in ("ext4", "overlay", "proc", "tmpfs", "cgroup2")),
        *((("ptrace", 16, n), "other-process") for n in range(2, 12)),
        *((("process_vm_readv", n, 0, 0, 0, 0, 0), "other-process") for n in range(2, 12)),
        *((("process_vm_writev", n, 0, 0, 0, 0, 0), "other-process") for n in range(2, 7)),
        *((("pidfd_getfd", 3, n, 0), "other-process") for n in range(5)),
        *((("keyctl", n, -3), "keyring") for n in range(10)),
        *((("add_key", "user", f"k{n}", "v", 1, -3), "keyring") for n in range(5)),
        *((("request_key", "user", f"k{n}", 0, 0), "keyring") for n in range(5)),
        *((("bpf", n, 0, 0), "kernel-code") for n in range(10)),
        *((("finit_module", n, f"a={n}", 0), "kernel-code") for n in range(3, 8)),
        *((("delete_module", f"m{n}", 0), "kernel-code") for n in range(5)),
        *((("kexec_file_load", n, 0, 0, 0, 0), "kernel-code") for n in range(3)),
        *((("swapon", f"/swap{n}", 0), "host") for n in range(3)),
        *((("sethostname", f"h{n}", 2), "host") for n in range(3)),
        *((("open_by_handle_at", n, 0, 0), "handle") for n in range(3, 8)),
        *((("unshare", 1 << bit), "namespace") for bit in (17, 25, 26, 27, 28, 29, 30)),
        *((("setns", n, 0), "namespace") for n in range(3, 8)),
        *((("perf_event_open", 0, n, 0, -1, 0), "large-interface") for n in range(3)),
        *((("userfaultfd", n), "large-interface") for n in range(2)),
        *((("syslog", n, 0, 0), "kernel-log") for n in range(3)),
        *((("fchmodat", -100, f"/tmp/s{n}", 0o4755), "set-id") for n in range(5)),
        *((("socket", family, 3, 0), "socket-family") for family in (15, 17, 29, 31, 38)),
        *((("io_uring_setup", n, 0), "fallback") for n in range(1, 4)),
        (("ioctl", 0, 0x5412, 0), "terminal-input"),
        (("personality", 0x40000), "refused"),
    ]


def test_what_was_refused_stays_so_when_who_listens_is_killed(whole: Box) -> None:
    control = ["unshare", "--user", "true"]
    assert subprocess.run(control, check=False).returncode == 0, "the attack must work where nothing is confined"
    with Sandbox.create("orphan", monitor=True) as sandbox:
        assert sandbox.exec(control).code != 0
        script = (
            "import ctypes, os, time\nl = ctypes.CDLL(None, use_errno=True)\nopen('ready', 'w')\n"
            "while not os.path.exists('killed'): time.sleep(0.01)\n"
            f"print(l.unshare({NEW_USER}), ctypes.get_errno())\n"
            "print(l.mount(b'x', b'/tmp', b'tmpfs', 0, 0), ctypes.get_errno())"
        )
        process = sandbox.start(["/usr/bin/python3", "-I", "-S", "-c", script])
        assert eventually((whole.project / "ready").exists)
        os.kill(watcher(whole, "orphan"), signal.SIGKILL)
        assert eventually(lambda: not watcher(whole, "orphan"))
        (whole.project / "killed").touch()
        done = process.wait()
        assert done is not None
        assert done.text.split() == ["-1", str(ENOSYS), "-1", str(ENOSYS)]
        with pytest.raises(AisbxError, match="nobody watches"):
            sandbox.exec(["true"])
        again = Sandbox.attach("orphan")
        assert again.exec(control).code != 0
        assert watcher(whole, "orphan")
        again.close()


def test_a_run_is_watched_explained_and_ends_with_its_launcher(whole: Box) -> None:
    done = whole("run", "--monitor", "--json", "--", *calling(("reboot", 0, 0, 0)))
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["stdout"]["text"] == f"[{EPERM}]\n"
    assert not list((whole.state / "sandboxes").glob("run-*"))
    about = json.loads(whole.out("explain", outcome["run"], "--json"))
    assert [(row["rule"], row["what"]) for row in about["violations"]] == [("host", "reboot")]
    text = whole.out("explain", about["violations"][0]["id"])
    assert "reboot(magic=0x0, magic2=0x0, command=0x0) = EPERM" in text
    assert "what would allow it: nothing, in any profile" in text
    assert "host: /usr/bin/python3" in whole.out("monitor", "--once", "--severity", "high")
    started = whole.start("run", "--monitor", "--", "sleep", "4711")
    assert eventually(lambda: list((whole.state / "sandboxes").glob("run-*/home/watch")))
    assert eventually(lambda: _sleeps("4711"))
    started.kill()
    started.communicate()
    assert eventually(lambda: not _sleeps("4711"))
    sandboxes = engine().sandboxes

    def gone() -> bool:
        sandboxes.prune(principal(), "python")
        return not list((whole.state / "sandboxes").glob("run-*"))

    assert eventually(gone)


def _sleeps(seconds: str) -> bool:
    return any(
        path.read_bytes().split(b"\0")[:2] == [b"sleep", seconds.encode()]
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists()
    )
